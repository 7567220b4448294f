"""`leads bulk`, the same for one lead, and `undo`, on the command line."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.conftest import Cli


@pytest.fixture
def three(cli: Cli) -> list[int]:
    """Three leads, one of them in the Bronx."""
    for name, city in (("Ada", "Queens"), ("Bea", "Queens"), ("Cy", "Bronx")):
        assert cli("leads", "add", name, "--city", city).code == 0
    return [1, 2, 3]


def tags(cli: Cli) -> dict[str, list[str]]:
    return {lead["name"]: lead["tags"] for lead in cli("leads", "list", "", "--json").json["leads"]}


def entries(cli: Cli) -> list[str]:
    return [line["words"] for line in cli("undo", "--list", "--json").json["entries"]]


def test_without_yes_it_is_said_what_would_happen_and_nothing_does(
    cli: Cli, three: list[int]
) -> None:
    assert cli("leads", "tag", "1", "vip").code == 0
    ran = cli("leads", "bulk", "city:queens", "--tag", "VIP", "--json")
    assert ran.code == 0
    assert ran.json == {"matched": 2, "changed": 1, "unchanged": 1, "undo": None}
    assert ran.err == (
        "2 leads match. This would tag 1 lead VIP; the others are so already. Say --yes to do it.\n"
    )
    assert tags(cli) == {"Ada": ["vip"], "Bea": [], "Cy": []}


def test_with_yes_it_is_done_counted_and_undone(cli: Cli, three: list[int]) -> None:
    cli("leads", "tag", "1", "vip")
    ran = cli("leads", "bulk", "", "--tag", "VIP", "--yes", "--json")
    assert ran.code == 0
    assert ran.json == {"matched": 3, "changed": 2, "unchanged": 1, "undo": 5}
    assert ran.err == "Tagged 2 leads VIP; 1 was so already. All of it back: crm-tui undo.\n"
    undone = cli("undo", "--json")
    assert undone.json == {"undone": "tagged 2 leads VIP", "restored": 2, "left": []}
    assert tags(cli) == {"Ada": ["vip"], "Bea": [], "Cy": []}
    redone = cli("redo", "--json")
    assert redone.json == {"undone": "tagged 2 leads VIP", "restored": 2, "left": []}
    assert tags(cli) == {"Ada": ["vip"], "Bea": ["vip"], "Cy": ["vip"]}


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--set-status", "called"], "set the status of 2 leads to called"),
        (["--set-outcome", "lost"], "set the outcome of 2 leads to lost"),
        (["--archive"], "archived 2 leads"),
        (["--set", "city=Yonkers"], "set the city of 2 leads to Yonkers"),
        (["--set=postal-code=11416"], "set the postal code of 2 leads to 11416"),
        (["--set", "city="], "cleared the city of 2 leads"),
    ],
)
def test_every_change_is_one_entry_and_taken_back(
    cli: Cli, three: list[int], options: list[str], words: str
) -> None:
    before = cli("leads", "list", "", "--json").json
    ran = cli("leads", "bulk", "city:queens", *options, "--yes", "--json")
    assert (ran.code, ran.json["changed"]) == (0, 2)
    assert entries(cli)[0] == words
    assert cli("undo").err == f"Undone: {words}. crm-tui redo does it again.\n"
    after = cli("leads", "list", "", "--json").json
    assert [quiet(lead) for lead in after["leads"]] == [quiet(lead) for lead in before["leads"]]


def quiet(lead: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in lead.items() if name != "updated_at"}


def test_archived_leads_come_back_by_asking_for_them(cli: Cli, three: list[int]) -> None:
    cli("leads", "bulk", "", "--archive", "--yes")
    assert cli("leads", "bulk", "", "--tag", "x", "--yes", "--json").json["matched"] == 0
    ran = cli("leads", "bulk", "is:archived", "--unarchive", "--yes", "--json")
    assert ran.json["changed"] == 3
    assert tags(cli) == {"Ada": [], "Bea": [], "Cy": []}


def test_follow_ups_and_scores(cli: Cli, three: list[int]) -> None:
    ran = cli(
        "leads", "bulk", "", "--follow-up", "in 2 weeks", "--what", "ask again", "--yes", "--json"
    )
    assert ran.json["changed"] == 3
    assert [t["what"] for t in cli("tasks", "list", "--json").json["tasks"]] == ["ask again"] * 3
    ran = cli("leads", "bulk", "", "--rescore", "--yes", "--json")
    assert ran.json == {"matched": 3, "changed": 0, "unchanged": 3, "undo": None}


def test_a_query_that_begins_with_a_minus_is_one(cli: Cli, three: list[int]) -> None:
    ran = cli("leads", "bulk", "-city:queens", "--tag", "vip", "--yes", "--json")
    assert ran.json["changed"] == 1
    assert tags(cli) == {"Ada": [], "Bea": [], "Cy": ["vip"]}


@pytest.mark.parametrize(
    "options",
    [
        ["--archive", "--yes"],
        ["", "--yes"],
        ["", "--archive", "--rescore", "--yes"],
        ["", "--set-status", "cold"],
        ["nosuchfield:x", "--archive"],
        ["", "--tag", "vip", "--follow-up", "someday"],
    ],
)
def test_wrong_usage_is_told_and_changes_nothing(
    cli: Cli, three: list[int], options: list[str]
) -> None:
    ran = cli("leads", "bulk", *options)
    assert ran.code == 2
    assert len(entries(cli)) == 3


def test_what_cannot_be_set_is_refused(cli: Cli, three: list[int]) -> None:
    assert cli("leads", "bulk", "", "--tag", " ", "--yes").code == 1
    assert cli("leads", "bulk", "", "--set", "phone=718 555 0142", "--yes").err == (
        "3 leads cannot share one phone. Edit them one by one, such as: leads edit 12 phone=…\n"
    )


def test_a_contact_can_be_cleared_of_many(cli: Cli, three: list[int]) -> None:
    for lead, phone in zip(three[:2], ("718 555 0142", "718 555 0143"), strict=True):
        cli("leads", "edit", str(lead), f"phone={phone}")
    ran = cli("leads", "bulk", "", "--set", "phone=", "--yes", "--json")
    assert (ran.json["matched"], ran.json["changed"], ran.json["unchanged"]) == (3, 2, 1)
    assert cli("leads", "list", "has:phone", "--json").json["total"] == 0
    assert cli("undo", "--json").json["restored"] == 2
    assert cli("leads", "list", "has:phone", "--json").json["total"] == 2


def test_nothing_to_undo_is_refused(cli: Cli) -> None:
    assert (cli("undo").code, cli("redo").code) == (1, 1)
    assert cli("undo", "--id", "7").err == "There is no action 7. See `crm-tui undo --list`.\n"


def test_every_command_about_a_lead_is_an_action_with_words(cli: Cli, three: list[int]) -> None:
    for command in (
        ("edit", "1", "city=Yonkers", "postal-code=10701"),
        ("note", "1", "Met at the fair"),
        ("call", "1", "--outcome", "later", "--follow-up", "in 2 weeks"),
        ("set-status", "1", "replied"),
        ("tag", "1", "vip"),
        ("untag", "1", "vip"),
        ("archive", "1"),
        ("unarchive", "1"),
    ):
        ran = cli("leads", *command, "--json")
        assert ran.code == 0, ran.err
        assert ran.json["lead"]["id"] == 1
        assert isinstance(ran.json["undo"], int)
    assert entries(cli) == [
        "brought Ada back from the archive",
        "archived Ada",
        "took the tag vip off Ada",
        "tagged Ada vip",
        "set the status of Ada to replied",
        "call with Ada",
        "note on Ada",
        "changed city, postal code of Ada",
        "added Cy",
        "added Bea",
        "added Ada",
    ]
    assert cli("tasks", "list", "--json").json["tasks"][0]["what"] == "call back"
    for _ in range(11):
        assert cli("undo").code == 0
    assert cli("leads", "list", "", "--json").json["leads"] == []


def test_what_changes_nothing_is_no_action(cli: Cli, three: list[int]) -> None:
    ran = cli("leads", "untag", "1", "vip", "--json")
    assert (ran.code, ran.json["undo"], ran.err) == (0, None, "Nothing was different.\n")
    assert cli("leads", "tag", "9", "vip").err == "There is no lead 9.\n"
    assert len(entries(cli)) == 3


def test_leads_that_changed_since_are_left_and_named(
    cli: Cli, three: list[int], store_path: Path
) -> None:
    cli("leads", "bulk", "city:queens", "--set", "city=Yonkers", "--yes")
    with closing(sqlite3.connect(store_path)) as connection, connection:
        connection.execute("UPDATE business SET city = 'Albany' WHERE id = 1")
    ran = cli("undo", "--json")
    assert ran.code == 3
    assert ran.json["left"] == [{"id": 1, "why": "city changed since"}]
    assert "Left: Ada (lead 1): city changed since.\n" in ran.err
