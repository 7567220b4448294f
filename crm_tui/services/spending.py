"""What was spent on winning customers: on which day, on what, and for which campaign or source."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, tzinfo

from sqlalchemy import delete, insert, select

from crm_tui import money
from crm_tui.db.engine import ReadSession, WriteSession
from crm_tui.db.models import Campaign, Spend
from crm_tui.errors import BadInput, NotFound, asked_as
from crm_tui.text import fold, plain_line, visible

LONGEST_KIND = 40
LONGEST_NOTE = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class NewSpend:
    """An amount in minor units that was spent; for a campaign, or for a source, or for neither."""

    spent_on: date
    amount: int
    currency: str
    kind: str
    campaign_id: int | None = None
    source: str | None = None
    note: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SpendLine:
    """A line of what was spent, as it is listed."""

    id: int
    spent_on: date
    amount: int
    currency: str
    kind: str
    campaign_id: int | None
    campaign: str | None
    source: str | None
    note: str | None

    @property
    def words(self) -> str:
        """For people: "90.00 USD on ads, 2026-11-02"."""
        return words(self.amount, self.currency, self.kind, self.spent_on)


def words(amount: int, currency: str, kind: str, spent_on: date) -> str:
    """What was spent, for people: "90.00 USD on ads, 2026-11-02"."""
    return f"{money.amount_words(amount, currency)} on {visible(kind)}, {spent_on.isoformat()}"


def new_spend(
    *,
    amount: str,
    currency: str,
    kind: str,
    spent_on: date,
    today: date,
    campaign_id: int | None = None,
    source: str = "",
    note: str = "",
) -> NewSpend:
    """What a person wrote, understood.

    Raises:
        BadInput: it is no amount, no currency or no kind, is for a campaign and a source at once,
            or lies ahead.
    """
    with asked_as("currency"):
        code = money.currency_code(currency)
    with asked_as("amount"):
        minor = money.parse_amount(amount, code)
    if minor < 1:
        raise BadInput("Nothing was spent: an amount is more than 0.", at="amount")
    said = plain_line(kind).lower()
    if not said:
        raise BadInput("What was it spent on? Name a kind, such as ads.", at="kind")
    if len(said) > LONGEST_KIND:
        why = f"A kind has at most {LONGEST_KIND} characters; the rest goes in the note."
        raise BadInput(why, at="kind")
    if spent_on > today:
        why = f"{spent_on.isoformat()} lies ahead: write down what was spent already."
        raise BadInput(why, at="day")
    named = plain_line(source)
    if campaign_id is not None and named:
        why = "It is for a campaign or for a source, not for both: name one of them."
        raise BadInput(why, at="source")
    return NewSpend(
        spent_on=spent_on,
        amount=minor,
        currency=code,
        kind=said,
        campaign_id=campaign_id,
        source=named or None,
        note=plain_line(note)[:LONGEST_NOTE] or None,
    )


def today_in(zone: tzinfo | None, now: datetime) -> date:
    """The operator's day; a zone of None is the machine's own."""
    return now.astimezone(zone).date()


async def add(session: WriteSession, new: NewSpend, *, now: datetime) -> int:
    """Write down what was spent; returns the line's number.

    Raises:
        NotFound: there is no such campaign.
    """
    if new.campaign_id is not None:
        await _require_campaign(session, new.campaign_id)
    made = await session.execute(
        insert(Spend).values(**_columns(new, f"hand:{uuid.uuid4()}", now)).returning(Spend.id)
    )
    return int(made.scalar_one())


async def add_known(session: WriteSession, lines: Mapping[str, NewSpend], *, now: datetime) -> int:
    """Write down lines by their keys, but those that are there already; returns how many."""
    known = await keys_known(session, list(lines))
    fresh = [_columns(new, key, now) for key, new in lines.items() if key not in known]
    if fresh:
        await session.execute(insert(Spend), fresh)
    return len(fresh)


async def keys_known(session: ReadSession, keys: Sequence[str]) -> frozenset[str]:
    """Which of these keys are there already."""
    return frozenset(await session.scalars(select(Spend.key).where(Spend.key.in_(keys))))


async def remove(session: WriteSession, spend_id: int) -> SpendLine:
    """Take a line out; undo brings it back.

    Raises:
        NotFound: there is none of this number.
    """
    line = await find(session, spend_id)
    await session.execute(delete(Spend).where(Spend.id == spend_id))
    return line


async def find(session: ReadSession, spend_id: int) -> SpendLine:
    """One line.

    Raises:
        NotFound: there is none of this number.
    """
    row = (await session.execute(_LINES.where(Spend.id == spend_id))).mappings().one_or_none()
    if row is None:
        raise NotFound(f"There is no spend {spend_id}. See: crm-tui spend list")
    return SpendLine(**row)


async def listed(
    session: ReadSession,
    *,
    since: date | None = None,
    until: date | None = None,
    limit: int | None = None,
) -> list[SpendLine]:
    """What was spent from one day to another, both in it; the latest first."""
    statement = _LINES.order_by(Spend.spent_on.desc(), Spend.id.desc()).limit(limit)
    if since is not None:
        statement = statement.where(Spend.spent_on >= since)
    if until is not None:
        statement = statement.where(Spend.spent_on <= until)
    return [SpendLine(**row) for row in (await session.execute(statement)).mappings()]


_LINES = select(
    Spend.id,
    Spend.spent_on,
    Spend.amount,
    Spend.currency,
    Spend.kind,
    Spend.campaign_id,
    Campaign.name.label("campaign"),
    Spend.source,
    Spend.note,
).join(Campaign, Campaign.id == Spend.campaign_id, isouter=True)


def _columns(new: NewSpend, key: str, now: datetime) -> dict[str, object]:
    return {
        "key": key,
        "spent_on": new.spent_on,
        "kind": new.kind,
        "amount": new.amount,
        "currency": new.currency,
        "campaign_id": new.campaign_id,
        "source": new.source,
        "source_folded": None if new.source is None else fold(new.source),
        "note": new.note,
        "created_at": now,
    }


async def _require_campaign(session: ReadSession, campaign_id: int) -> None:
    known = await session.scalar(select(Campaign.id).where(Campaign.id == campaign_id))
    if known is None:
        raise NotFound(f"There is no campaign {campaign_id}. See: crm-tui campaigns list")
