from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from crm_tui.clock import utc_now
from crm_tui.vocabulary import CallOutcome

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Cli


@pytest.mark.parametrize(
    ("outcome", "status", "said"),
    [
        (CallOutcome.NO_ANSWER, "called", "open"),
        (CallOutcome.VOICEMAIL, "called", "open"),
        (CallOutcome.TALKED, "replied", "open"),
        (CallOutcome.LATER, "replied", "later"),
        (CallOutcome.NO, "replied", "lost"),
        (CallOutcome.WRONG_NUMBER, "called", "open"),
    ],
)
def test_a_call_says_how_far_contact_has_come_and_what_came_of_it(
    cli: Cli, outcome: CallOutcome, status: str, said: str
) -> None:
    cli("leads", "add", "Joe", "--phone", "518-871-1647")
    lead = cli("leads", "call", "1", "--outcome", outcome, "--json").json["lead"]
    assert (lead["contact_status"], lead["outcome"]) == (status, said)


def test_a_call_with_a_note_and_a_follow_up_is_one_step_of_undo(cli: Cli) -> None:
    cli("leads", "add", "Joe", "--phone", "518-871-1647")
    options = ("--outcome", "later", "--note", "busy", "--follow-up", "in 2 weeks", "--json")
    assert cli("leads", "call", "1", *options).json["undo"]
    (task,) = cli("tasks", "list", "--json").json["tasks"]
    ahead = datetime.fromisoformat(task["due_at"]) - utc_now()
    assert timedelta(days=12) < ahead < timedelta(days=15)
    assert cli("undo").code == 0
    shown = cli("leads", "show", "1", "--json").json
    assert (shown["lead"]["outcome"], shown["tasks"]) == ("open", [])
    assert [each["kind"] for each in shown["timeline"]] == ["captured"]


def test_a_time_that_is_past_is_refused(cli: Cli) -> None:
    cli("leads", "add", "Joe", "--phone", "518-871-1647")
    refused = cli("leads", "call", "1", "--outcome", "later", "--follow-up", "2020-01-01")
    assert refused.code != 0
    assert "past" in refused.err


def test_never_and_allow(cli: Cli) -> None:
    cli("leads", "add", "Joe", "--phone", "518-871-1647")
    lead = cli("leads", "never", "1", "--reason", "asked us to stop", "--json").json["lead"]
    assert (lead["do_not_contact"], lead["do_not_contact_reason"]) == (True, "asked us to stop")
    assert "asked us to stop" in cli("leads", "show", "1").out
    assert cli("leads", "never", "1", "--reason", "competitor").err.strip() == (
        "Nothing was different."
    )
    assert not cli("leads", "allow", "1", "--json").json["lead"]["do_not_contact"]


def test_never_wants_a_reason(cli: Cli) -> None:
    cli("leads", "add", "Joe")
    assert cli("leads", "never", "1").code == 2
    refused = cli("leads", "never", "1", "--reason", " ")
    assert (refused.code, "Say why" in refused.err) == (1, True)


def test_who_said_it_themselves_is_not_allowed(cli: Cli, store_path: Path) -> None:
    cli("leads", "add", "Joe", "--phone", "518-871-1647")
    cli("leads", "never", "1", "--reason", "stop")
    with closing(sqlite3.connect(store_path)) as store, store:
        store.execute("UPDATE contact_point SET state = 'stopped'")
    refused = cli("leads", "allow", "1")
    assert refused.code == 1
    assert "only they can take that back" in refused.err


def test_many_are_never_contacted_again_and_allowed_again(cli: Cli) -> None:
    for name in ("Joe", "Ada"):
        cli("leads", "add", name)
    done = cli("leads", "bulk", "", "--never", "closed down", "--yes", "--json").json
    assert (done["matched"], done["changed"]) == (2, 2)
    assert cli("leads", "bulk", "", "--allow", "--yes", "--json").json["changed"] == 2
