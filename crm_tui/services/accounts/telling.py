"""An account in words and as a document, for the list and for scripts."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta, tzinfo
from typing import Any

from crm_tui.clock import ago, local_stamp, since_words
from crm_tui.config import Settings
from crm_tui.services.accounts.known import server_of
from crm_tui.services.accounts.listing import Account, Gap, State, Stream

_PLACES = {
    "keyring": "in the keyring",
    "environment": "in the environment",
    "command": "by password_command",
    "file": "in password_file",
}
_SKEW_MATTERS = timedelta(seconds=90)


def state_words(account: Account, *, now: datetime, zone: tzinfo | None) -> str:
    """How it stands: "works", "left alone until 14:05"."""
    if account.state is State.LEFT_ALONE and account.left_alone_until is not None:
        return f"left alone until {since_words(account.left_alone_until, now, zone=zone)}"
    return account.state.value


def key_words(account: Account) -> str:
    """Where its key is found, never what it is."""
    if account.key:
        return _PLACES[account.key]
    return "none found" if account.needs_key else "none needed"


def polled_words(account: Account, *, now: datetime) -> str:
    """When it was last polled to its end; "" where nothing of it is polled."""
    return ago(account.last_poll_at, now)


def lag_words(account: Account, *, now: datetime) -> str:
    """How long ago the newest thing happened that it told of, as a list shows it."""
    return ago(account.last_event_at, now)


def skew_words(account: Account) -> str:
    """How far its clock is from ours, where that matters."""
    skew = timedelta(seconds=account.skew_seconds or 0)
    if abs(skew) < _SKEW_MATTERS:
        return ""
    minutes = round(abs(skew).total_seconds() / 60)
    return f"its clock is {minutes:,} minutes {'ahead of' if skew > timedelta() else 'behind'} ours"


def gap_words(gap: Gap, *, zone: tzinfo | None) -> str:
    """From when to when nothing was told, and what was found of it since."""
    since, until = local_stamp(gap.since, zone=zone), local_stamp(gap.until, zone=zone)
    found = "not filled yet"
    if gap.filled_at is not None:
        found = f"{gap.filled:,} found since" if gap.filled else "nothing found since"
    return f"{since} to {until}, {found}"


def document(
    account: Account, settings: Settings, *, now: datetime, zone: tzinfo | None
) -> dict[str, Any]:
    """An account as a script reads it; times are ISO 8601 in UTC, and no secret is in it."""
    return {
        "name": account.name,
        "title": account.title,
        "channel": account.channel,
        **server_of(account.name, settings),
        "account": account.account,
        "where": account.where,
        "set": account.is_set,
        "key": {"needed": account.needs_key, "found": bool(account.key), "place": account.key},
        "does": account.does,
        "state": account.state.value,
        "state_words": state_words(account, now=now, zone=zone),
        "problem": account.problem,
        "left_alone_until": _iso(account.left_alone_until),
        "last_sent_at": _iso(account.sent_at),
        "last_poll_at": _iso(account.last_poll_at),
        "last_event_at": _iso(account.last_event_at),
        "seconds_since_poll": _seconds(account.last_poll_at, now),
        "seconds_since_event": _seconds(account.last_event_at, now),
        "skew_seconds": account.skew_seconds,
        "policy_acknowledged": account.acknowledged,
        "streams": [_stream(each, now) for each in account.streams],
        "gaps": [_gap(each) for each in account.gaps],
    }


def _stream(stream: Stream, now: datetime) -> Mapping[str, Any]:
    return {
        "name": stream.name,
        "last_ok_at": _iso(stream.last_ok_at),
        "last_event_at": _iso(stream.last_event_at),
        "seconds_since_poll": _seconds(stream.last_ok_at, now),
        "failed_at": _iso(stream.failed_at),
        "failures": stream.failures,
        "next_at": _iso(stream.next_at),
        "skew_seconds": stream.skew_seconds,
        "problem": stream.problem,
    }


def _gap(gap: Gap) -> Mapping[str, Any]:
    return {
        "account": gap.account,
        "stream": gap.stream,
        "since": _iso(gap.since),
        "until": _iso(gap.until),
        "filled": gap.filled,
        "filled_at": _iso(gap.filled_at),
    }


def _iso(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat()


def _seconds(at: datetime | None, now: datetime) -> int | None:
    return None if at is None else round((now - at).total_seconds())
