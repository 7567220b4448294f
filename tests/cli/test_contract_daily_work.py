"""What the command line promises about the daily work, seen from outside."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.conftest import Cli


def change_from_elsewhere(store: Path, city: str, lead: int) -> None:
    with closing(sqlite3.connect(store)) as connection, connection:
        connection.execute("UPDATE business SET city = ? WHERE id = ?", (city, lead))


def cities(cli: Cli) -> dict[int, str]:
    return {lead["id"]: lead["city"] for lead in cli("leads", "list", "", "--json").json["leads"]}


def shown(cli: Cli, lead: int) -> Any:
    """All about a lead but when its row was last written, which undoing does as well."""
    document = cli("leads", "show", str(lead), "--json").json
    del document["lead"]["updated_at"]
    return document


def last_written(cli: Cli) -> str:
    written: str = cli("leads", "show", "1", "--json").json["lead"]["updated_at"]
    return written


def test_an_undo_in_part_counts_what_is_back_and_names_what_is_left(
    cli: Cli, store_path: Path
) -> None:
    for name in ("Ada", "Bea", "Cy"):
        cli("leads", "add", name, "--city", "Queens")
    cli("leads", "bulk", "", "--set", "city=Bronx", "--yes")
    change_from_elsewhere(store_path, "Yonkers", 2)
    ran = cli("undo", "--json")
    assert ran.code == 3
    assert ran.json == {
        "undone": "set the city of 3 leads to Bronx",
        "restored": 2,
        "left": [{"id": 2, "why": "city changed since"}],
    }
    assert cities(cli) == {1: "Queens", 2: "Yonkers", 3: "Queens"}


def test_an_undo_that_finds_its_only_lead_changed_names_it(cli: Cli, store_path: Path) -> None:
    cli("leads", "add", "Ada", "--city", "Queens")
    cli("leads", "edit", "1", "city=Bronx")
    change_from_elsewhere(store_path, "Yonkers", 1)
    ran = cli("undo", "--json")
    assert (ran.code, ran.json["restored"]) == (3, 0)
    assert ran.json["left"] == [{"id": 1, "why": "city changed since"}]
    assert cities(cli) == {1: "Yonkers"}


@pytest.mark.parametrize(
    "change",
    [
        ("--set-status", "replied"),
        ("--set-outcome", "interested"),
        ("--tag", "VIP"),
        ("--set", "city=Ünïted"),
        ("--set", "category="),
        ("--follow-up", "in 2 weeks"),
        ("--never", "asked us to stop"),
        ("--archive",),
    ],
)
def test_undo_and_redo_of_a_bulk_change_give_back_every_lead_as_it_was(
    cli: Cli, change: tuple[str, ...]
) -> None:
    for name in ("Ada", "Bea"):
        cli("leads", "add", name, "--city", "Queens", "--category", "Plumber")
    cli("leads", "call", "1", "--outcome", "voicemail", "--note", "said hello")
    before = [shown(cli, 1), shown(cli, 2)]
    written = [last_written(cli)]
    assert cli("leads", "bulk", "", *change, "--yes", "--json").json["changed"] == 2
    after = [shown(cli, 1), shown(cli, 2)]
    assert before[0] != after[0]
    written.append(last_written(cli))
    for _ in range(2):
        assert cli("undo").code == 0
        assert [shown(cli, 1), shown(cli, 2)] == before
        written.append(last_written(cli))
        assert cli("redo").code == 0
        assert [shown(cli, 1), shown(cli, 2)] == after
        written.append(last_written(cli))
    assert written == sorted(set(written)), "undoing and doing again change a lead, too"


@pytest.mark.parametrize("change", [("note", "1", "hello"), ("call", "1", "--outcome", "talked")])
def test_a_lead_is_changed_also_by_an_undo_that_only_takes_out_lines(
    cli: Cli, change: tuple[str, ...]
) -> None:
    cli("leads", "add", "Ada")
    cli("leads", *change)
    written = [last_written(cli)]
    for turn in ("undo", "redo"):
        assert cli(turn).code == 0
        written.append(last_written(cli))
    assert written == sorted(set(written))


def test_an_export_tells_how_a_lead_stands_with_sites_and_holds_none(
    cli: Cli, store_path: Path, empty_store: Path, tmp_path: Path
) -> None:
    cli("leads", "add", "Ace Plumbing", "--category", "Plumber")
    cli("sites", "build", "1")
    file = tmp_path / "leads.json"
    cli("leads", "export", "", "--format", "json", "-o", str(file))
    assert '"website_status": "generated"' in file.read_text(encoding="utf-8")
    assert cli("import", str(file), "--json").json["skipped"] == 1
    assert cli("leads", "list", "site:generated", "--json").json["total"] == 1
    shutil.copy(empty_store, store_path)
    cli("import", str(file))
    lead = shown(cli, 1)["lead"]
    assert (lead["website_status"], lead["custom"]) == ("none", {})


@pytest.mark.parametrize(("form", "options"), [("csv", ("--lossless",)), ("csv", ()), ("json", ())])
def test_an_export_gives_a_lead_back_whose_only_number_was_wrong(
    cli: Cli, store_path: Path, empty_store: Path, tmp_path: Path, form: str, options: tuple[str]
) -> None:
    cli("leads", "add", "Ada", "--phone", "718 555 0142", "--email", "ada@ada.example")
    cli("leads", "call", "1", "--outcome", "wrong_number", "--note", "a bakery")
    before = shown(cli, 1)["lead"]
    file = tmp_path / f"leads.{form}"
    cli("leads", "export", "", "--format", form, *options, "-o", str(file))
    shutil.copy(empty_store, store_path)
    assert cli("import", str(file)).code == 0
    after = shown(cli, 1)["lead"]
    for name in ("phone", "email", "qualification_score", "contact_status", "outcome"):
        assert after[name] == before[name], name
    told = [
        [(point["value"], point["primary"], point["state"]) for point in lead["contact_points"]]
        for lead in (before, after)
    ]
    assert told[0] == told[1]
