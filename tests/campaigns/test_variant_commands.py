"""Two texts of a step, and opens by machines, on the command line."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Cli, Ran

TEMPLATE = """\
---
subject: For {{ business.name }}
---
Hello {{ business.name }}
{{ sender.postal_address }}
{{ unsubscribe }}
"""
CONFIG = """\
[sender]
name = "Ann Berg"
email = "ann@berg-sites.com"
postal_address = "1 Main"
[email]
provider = "outbox"
[sending]
per_hour = 0
per_day = 0
warm_up = false
quiet_hours = ""
weekdays_only = false
"""


class Program:
    """The program with a configuration, four leads and a draft to them."""

    def __init__(self, cli: Cli, folder: Path) -> None:
        self._cli = cli
        self._config = folder / "config.toml"
        templates = folder / "templates" / "email"
        templates.mkdir(parents=True)
        self._config.write_text(CONFIG)
        (templates / "hello.txt").write_text(TEMPLATE)
        (templates / "other.txt").write_text(TEMPLATE.replace("Hello", "Good day"))

    def __call__(self, *arguments: str) -> Ran:
        return self._cli("--config", str(self._config), *arguments)

    def show(self) -> Any:
        return self("campaigns", "show", "1", "--json").json


@pytest.fixture
def program(cli: Cli, tmp_path: Path) -> Program:
    made = Program(cli, tmp_path / "operator")
    for number in range(1, 5):
        made("leads", "add", f"Plumber {number}", "--email", f"joe@p{number}.com")
    audience = ("--audience", "", "--template", "hello")
    made("campaigns", "create", "--name", "Spring", *audience)
    return made


def letters(campaign: Any) -> list[str | None]:
    return [message["variant"] for message in campaign["messages"]]


def test_a_second_text_is_tried_and_let_go_before_the_start(program: Program) -> None:
    assert letters(program.show()) == [None] * 4
    ran = program(
        "campaigns", "variant", "1", "--template", "other", "--subject", "Hi", "--share", "30",
        "--json",
    )  # fmt: skip
    second = {"letter": "b", "template": "other", "subject": "Hi", "share": 30}
    assert ran.json == {"id": 1, "step": 1, "variant": second}
    campaign = program.show()
    assert set(letters(campaign)) <= {"a", "b"}
    (step,) = campaign["steps"]
    own, other = step["variants"]
    assert (own["letter"], own["share"], own["subject"]) == ("a", 70, "For {{ business.name }}")
    assert (other["letter"], other["share"], other["subject"]) == ("b", 30, "Hi")
    assert own["counts"]["audience"] + other["counts"]["audience"] == 4
    assert other["rates"]["reply"] == {
        "numerator": 0,
        "denominator": 0,
        "value": None,
        "measured": True,
        "interval": None,
    }
    assert step["verdict"] == {
        "rate": "reply",
        "enough": False,
        "winner": None,
        "sentence": "Not enough data yet: about 60 more recipients needed.",
    }
    said = program("campaigns", "show", "1").err
    assert "Step 1, text B, to 30 of a hundred: Hi" in said
    assert "Not enough data yet" in said
    for text, words in (("a", "Hello Plumber 1"), ("B", "Good day Plumber 1")):
        shown = program("campaigns", "preview", "1", "--lead", "1", "--text", text, "--json").json
        assert shown["text"].startswith(words)
    assert program("campaigns", "variant", "1", "--remove").code == 0
    campaign = program.show()
    assert letters(campaign) == [None] * 4
    assert (campaign["steps"][0]["variants"], campaign["steps"][0]["verdict"]) == ([], None)


def test_a_second_text_that_cannot_be_is_refused(program: Program) -> None:
    for arguments, code, words in (
        (("--template", "other", "--remove"), 2, "--template or --subject; or --remove"),
        ((), 2, "--template or --subject; or --remove"),
        (("--subject", "Hi", "--share", "100"), 2, "--share"),
        (("--subject", "Hi", "--step", "2"), 1, "There is no step 2"),
        (("--template", "nothing"), 2, "nothing"),
    ):
        ran = program("campaigns", "variant", "1", *arguments)
        assert (ran.code, words in ran.err) == (code, True), ran.err


def test_once_it_runs_texts_are_changed_one_by_one_and_stay_with_whom_they_were_drawn_for(
    program: Program,
) -> None:
    assert program("campaigns", "variant", "1", "--subject", "Hi").code == 0
    assert program("campaigns", "start", "1", "--yes").code == 0
    refused = program("campaigns", "variant", "1", "--remove")
    assert (refused.code, "it was started" in refused.err) == (1, True)
    before = letters(program.show())
    program("campaigns", "pause", "1")
    for letter in set(before):
        assert letter is not None
        changed = program(
            "campaigns", "edit", "1", "--template", "other", "--text", letter, "--json"
        )
        assert changed.json == {"id": 1, "step": 1, "version": 2}
    assert program("campaigns", "edit", "1", "--template", "other", "--text", "c").code == 1
    assert letters(program.show()) == before
    shown = program("campaigns", "ledger", "1", "text:b", "--json").json["messages"]
    assert len(shown) == before.count("b")
    assert program("campaigns", "ledger", "1", "text:c").code == 2


def test_an_open_by_a_machine_is_said_to_be_a_persons(program: Program, store_path: Path) -> None:
    program("campaigns", "start", "1", "--yes")
    program("worker", "--once")
    with closing(sqlite3.connect(store_path)) as store, store:
        at = "2026-11-22T08:30:00.000000Z"
        store.execute("UPDATE message SET provider = 'mailgun', machine_opened_at = ?", (at,))
        store.execute(
            "INSERT INTO event (key, business_id, origin_id, occurred_at, recorded_at, kind,"
            " moves_to, by_machine, source, summary, data, message_id) VALUES ('m:1', 1, 1, ?, ?,"
            " 'opened', 'opened', 1, 'mailgun', 'opened: For Plumber 1', ?, 1)",
            (at, at, '{"machine": "opened at once", "flag": "opened at once"}'),
        )
    opened = program.show()["rates"]["open"]
    assert (opened["numerator"], opened["raw_numerator"], opened["denominator"]) == (0, 4, 4)
    (row,) = program("campaigns", "ledger", "1", "is:machine", '"Plumber 1"', "--json").json[
        "messages"
    ]
    assert (row["opened_at"], row["machine"]) == (None, "opened at once")
    entry = next(
        each for each in program("leads", "show", "1", "--json").json["timeline"] if each["machine"]
    )
    assert entry["summary"] == "by a machine (opened at once): opened: For Plumber 1"
    ran = program("leads", "human", "1", str(entry["id"]), "--json")
    assert ran.json["lead"]["contact_status"] == "opened"
    opened = program.show()["rates"]["open"]
    assert (opened["numerator"], opened["raw_numerator"]) == (1, 4)
    assert "open: 1 of 4 (25.0%), 4 with machines" in program("campaigns", "show", "1").err
    assert program("leads", "human", "1", str(entry["id"])).code == 1
    assert program("undo").code == 0
    assert program.show()["rates"]["open"]["numerator"] == 0
