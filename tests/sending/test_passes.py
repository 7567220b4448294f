"""Passes of a worker that begins anew each time, as `crm-tui worker --once` from a timer does.

What one pass may send is what the limits leave after all the passes before it, and what a server
does to one mail costs nobody else theirs.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest

from crm_tui.config import Settings
from crm_tui.db.engine import Database
from crm_tui.db.models import Message
from crm_tui.services.mailing import Report
from crm_tui.vocabulary import MessageState
from crm_tui.worker import Worker
from tests.providers.mail_server import ACCEPT, HANG_UP, Post, mail_server
from tests.sending.queue import add_campaign, add_leads, messages, states

BERLIN = ZoneInfo("Europe/Berlin")
NO_LIMITS = {
    "per_hour": 0,
    "per_day": 0,
    "warm_up": False,
    "quiet_hours": "",
    "weekdays_only": False,
}


def berlin(text: str) -> datetime:
    """A time on the operator's wall."""
    return datetime.fromisoformat(f"2026-{text}").replace(tzinfo=BERLIN).astimezone(UTC)


@dataclass
class Passes:
    """A store, a server, an operator in Berlin, and a worker that begins anew for each pass."""

    db: Database
    post: Post
    sending: dict[str, Any]

    async def at(self, now: datetime) -> Report:
        """One pass at that time."""
        given = {
            "operator": {"timezone": "Europe/Berlin"},
            "sender": {"name": "Anna Berg", "email": "anna@sender.example"},
            "providers": {
                "smtp": {"host": "127.0.0.1", "port": self.post.port, "security": "none"}
            },
            "sending": NO_LIMITS | self.sending,
        }
        settings = msgspec.convert(given, Settings)
        return await Worker(self.db, settings, environment={}, now=lambda: now).once()


async def test_the_limit_of_the_hour_holds_over_all_passes(db: Database) -> None:
    begin = berlin("11-24 09:00")
    await add_campaign(db, await add_leads(db, 9, begin), begin)
    async with mail_server() as post:
        passes = Passes(db, post, {"per_hour": 3})
        sent = [(await passes.at(begin + timedelta(minutes=m))).sent for m in range(0, 130, 10)]
    # An hour's tokens come back within a minute after the hour.
    assert sent == [3, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0, 0]


async def test_the_limit_of_the_day_holds_until_midnight_on_the_operators_wall(
    db: Database,
) -> None:
    begin = berlin("11-24 20:00")
    await add_campaign(db, await add_leads(db, 12, begin), begin)
    async with mail_server() as post:
        passes = Passes(db, post, {"per_day": 5})
        came = [
            (report.sent, report.due_later)
            for report in [
                await passes.at(begin),
                await passes.at(berlin("11-24 22:30")),
                await passes.at(berlin("11-24 23:59:59")),
                await passes.at(berlin("11-25 00:00")),
                await passes.at(berlin("11-25 23:59:59")),
                await passes.at(berlin("11-26 00:00")),
            ]
        ]
        assert len(post.mails) == 12
    assert came == [(5, 7), (0, 7), (0, 7), (5, 2), (0, 2), (2, 0)]


async def test_a_mailbox_warms_up_by_the_days_on_which_it_sent(db: Database) -> None:
    begin = berlin("11-24 09:00")
    await add_campaign(db, await add_leads(db, 120, begin), begin)
    async with mail_server() as post:
        passes = Passes(db, post, {"per_day": 40, "warm_up": True})
        sent = [
            (await passes.at(begin + timedelta(days=day, hours=hours))).sent
            for day in (0, 1, 4, 5, 6)  # not on two of them
            for hours in (0, 6)
        ]
    assert sent == [10, 0, 20, 0, 30, 0, 40, 0, 20, 0]


async def test_limits_that_are_changed_between_two_passes_count_what_went_before(
    db: Database,
) -> None:
    begin = berlin("11-24 09:00")
    await add_campaign(db, await add_leads(db, 12, begin), begin)
    async with mail_server() as post:
        assert (await Passes(db, post, {"per_day": 4}).at(begin)).sent == 4
        later = begin + timedelta(hours=2)
        assert (await Passes(db, post, {"per_day": 3}).at(later)).sent == 0
        assert (await Passes(db, post, {"per_day": 6}).at(later)).sent == 2
        assert (await Passes(db, post, {}).at(later)).sent == 6


async def test_a_greylisted_mail_goes_with_a_later_pass_and_keeps_nobody(db: Database) -> None:
    begin = berlin("11-24 09:00")
    await add_campaign(db, await add_leads(db, 3, begin), begin)
    async with mail_server({"RCPT": ["451 4.7.1 Greylisted, try again"]}) as post:
        passes = Passes(db, post, {})
        report = await passes.at(begin)
        assert (report.sent, report.due_later, report.problems) == (2, 1, [])
        assert (MessageState.QUEUED, "tried again later: 451 4.7.1 Greylisted, try again") in (
            await states(db)
        )
        # Who greylists takes nothing in the first minute.
        assert (await passes.at(begin + timedelta(seconds=59))).sent == 0
        assert (await passes.at(begin + timedelta(minutes=10))).sent == 1
    assert await messages(db, Message.attempts) == [(1,), (0,), (0,)]


@pytest.mark.parametrize("stage", ["MAIL", "RCPT", "DATA", "DOT"])
@pytest.mark.parametrize("word", ["421 4.3.2 Shutting down", HANG_UP])
async def test_a_server_that_goes_away_at_any_point_costs_nobody_their_mail_and_nobody_gets_two(
    db: Database, stage: str, word: str
) -> None:
    begin = berlin("11-24 09:00")
    await add_campaign(db, await add_leads(db, 4, begin), begin)
    async with mail_server({stage: [ACCEPT, word]}) as post:
        passes = Passes(db, post, {})
        for hours in range(3):
            await passes.at(begin + timedelta(hours=hours))
        got = Counter(message_from_bytes(mail.content)["Message-ID"] for mail in post.mails)
    assert set(got.values()) == {1}
    assert len(got) == 4
    unclear = stage == "DOT" and word == HANG_UP
    found = Counter(state for state, _ in await states(db))
    assert found == {MessageState.SENT: 4 - unclear} | (
        {MessageState.UNCERTAIN: 1} if unclear else {}
    )


async def test_what_was_cut_off_inside_the_mail_is_uncertain_and_never_sent_again(
    db: Database,
) -> None:
    begin = berlin("11-24 09:00")
    await add_campaign(db, await add_leads(db, 3, begin), begin)
    async with mail_server({"DATA": ["hang up inside"]}) as post:
        passes = Passes(db, post, {})
        report = await passes.at(begin)
        assert (report.sent, report.uncertain, report.problems) == (2, 1, [])
        for days in range(1, 4):
            report = await passes.at(begin + timedelta(days=days))
            assert (report.sent, report.uncertain) == (0, 0)
        assert len(post.mails) == 2
