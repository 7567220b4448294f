"""How what the operator records is told: as a provider named "manual" would tell it."""

from __future__ import annotations

import secrets
from datetime import datetime, time, tzinfo
from itertools import count

from crm_tui.clock import parse_time
from crm_tui.db.engine import WriteSession
from crm_tui.errors import BadInput
from crm_tui.providers.money import MoneyEvent
from crm_tui.services.events import OPERATOR, moment
from crm_tui.services.money.telling import tell
from crm_tui.text import plain_line
from crm_tui.vocabulary import Mode

PROVIDER = "manual"
"""What tells of payments by hand."""

LONGEST_NOTE = 500

_EARLIEST = 1990
_in_turn = count()


async def tell_by_hand(
    session: WriteSession,
    business_id: int,
    event: MoneyEvent,
    *,
    plan_id: int | None,
    note: str | None = None,
    now: datetime,
) -> None:
    """Tell what the operator says of a lead's money."""
    await tell(
        session,
        business_id,
        event,
        provider=PROVIDER,
        mode=Mode.MANUAL,
        source=OPERATOR,
        now=now,
        plan_id=plan_id,
        note=note,
    )


def token(now: datetime) -> str:
    """A new name; what is told later comes later among those of one time."""
    return f"{PROVIDER}:{moment(now)}{next(_in_turn):06x}{secrets.token_hex(8)}"


def read_day(text: str, *, now: datetime, zone: tzinfo | None = None) -> datetime:
    """A day, or a time, as aware UTC: today is now, another day its noon in `zone`.

    Raises:
        BadInput: it is none, or lies in the future.
    """
    at = parse_time(text, zone=zone)
    if at is None:
        raise BadInput(f'"{plain_line(text)}" is no date; write it like 2026-11-20.')
    if len(text.strip()) <= len("2026-11-20"):
        day, today = at.astimezone(zone).date(), now.astimezone(zone).date()
        noon = datetime.combine(day, time(12), zone).astimezone(now.tzinfo)
        at = now if day == today else noon
    check_time(at, now)
    return at


def check_time(at: datetime, now: datetime) -> None:
    """See that a time can be one at which something happened.

    Raises:
        BadInput: it lies in the future, or too long ago.
    """
    if at > now:
        raise BadInput(f"{at:%Y-%m-%d} lies in the future; record it when it has happened.")
    if at.year < _EARLIEST:
        raise BadInput(f"{at:%Y-%m-%d} is too long ago to be right.")


def note_line(text: str) -> str | None:
    """A note in one line; None where nothing is said.

    Raises:
        BadInput: it is too long.
    """
    said = " ".join(text.split())
    if len(said) > LONGEST_NOTE:
        raise BadInput(f"A payment's note has {LONGEST_NOTE} characters at most.")
    return said or None
