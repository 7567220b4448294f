from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.conftest import Cli

LEAD_FIELDS = {
    "id", "key", "name", "category", "city", "region", "country", "phone", "email", "website",
    "rating", "review_count", "place_id", "qualification_score", "qualified", "contact_status",
    "website_status", "outcome", "tags", "archived_at", "created_at", "updated_at",
}  # fmt: skip


def test_a_lead_is_added_listed_and_shown(cli: Cli) -> None:
    added = cli("leads", "add", "Joe's Plumbing", "--phone", "518-871-1647", "--json")
    assert added.code == 0
    assert added.json["lead"]["phone"] == "+15188711647"
    listed = cli("leads", "list", "--json").json
    assert listed["total"] == 1
    assert set(listed["leads"][0]) >= LEAD_FIELDS
    shown = cli("leads", "show", "1", "--json").json
    assert set(shown) == {"lead", "score", "sites", "tasks", "timeline"}
    assert set(shown["score"][0]) == {"factor", "points", "why"}
    assert set(shown["timeline"][0]) >= {"at", "kind", "summary", "source"}


def test_words_and_a_limit_narrow_the_list_and_the_total_says_all(cli: Cli) -> None:
    for name in ("Acme Roofing", "Acme Plumbing", "Best Bakery"):
        cli("leads", "add", name)
    found = cli("leads", "list", "acme", "--limit", "1", "--json").json
    assert found["total"] == 2
    assert len(found["leads"]) == 1
    assert cli("leads", "list", "acme", "roof", "--json").json["total"] == 1


def test_a_sort_downwards_begins_with_a_minus(cli: Cli) -> None:
    for name in ("A", "B"):
        cli("leads", "add", name)
    listed = cli("leads", "list", "--sort", "-name", "--json").json
    assert [lead["name"] for lead in listed["leads"]] == ["B", "A"]


def test_edit_note_call_and_status_are_on_the_timeline(cli: Cli) -> None:
    cli("leads", "add", "Joe")
    assert cli("leads", "edit", "1", "city=Queens", "--json").json["lead"]["city"] == "Queens"
    assert cli("leads", "note", "1", "hello").code == 0
    called = cli("leads", "call", "1", "--outcome", "talked", "--json")
    assert called.json["lead"]["contact_status"] == "replied"
    set_back = cli("leads", "set-status", "1", "pending", "--json")
    assert set_back.json["lead"]["contact_status"] == "pending"
    kinds = [entry["kind"] for entry in cli("leads", "show", "1", "--json").json["timeline"]]
    assert kinds == ["status_set", "call", "note", "edited", "captured"]


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("leads", "show", "9"), 1, "There is no lead 9."),
        (("leads", "note", "9", "x"), 1, "There is no lead 9."),
        (("leads", "edit", "9", "city=x"), 1, "There is no lead 9."),
        (("leads", "add", "X", "--phone", "1"), 1, "is no phone"),
        (("leads", "list", "--sort", "shoes"), 2, "cannot be sorted"),
        (("leads", "show", "x"), 2, "Invalid value"),
        (("leads", "show", str(2**63)), 2, "Invalid value"),
        (("leads", "frobnicate"), 2, "No such command"),
        (("leads", "set-status", "1", "happy"), 2, "Invalid value"),
    ],
)
def test_what_cannot_be_done_ends_with_a_sentence(
    cli: Cli, arguments: tuple[str, ...], code: int, said: str
) -> None:
    ran = cli(*arguments)
    assert ran.code == code
    assert said in ran.err
    assert ran.out == ""
    assert "Traceback" not in ran.err


@pytest.mark.parametrize("form", ["csv", "json"])
def test_leads_are_exported_to_a_file_or_to_stdout(cli: Cli, tmp_path: Path, form: str) -> None:
    cli("leads", "add", "Acme Roofing", "--phone", "518-871-1647")
    cli("leads", "add", "Best Bakery")
    target = tmp_path / f"out.{form}"
    ran = cli("leads", "export", "acme", "--format", form, "-o", str(target), "--json")
    assert ran.json == {"written": 1, "path": str(target)}
    assert "+15188711647" in target.read_text(encoding="utf-8")
    assert "Best Bakery" in cli("leads", "export", "--format", form).out


def test_an_export_that_cannot_be_written_says_so(cli: Cli, tmp_path: Path) -> None:
    ran = cli("leads", "export", "-o", str(tmp_path / "no" / "folder.csv"))
    assert ran.code == 1
    assert str(tmp_path / "no") in ran.err


def test_a_hostile_name_reaches_the_terminal_as_visible_text(cli: Cli) -> None:
    cli("leads", "add", "\x1b]52;c;aGk=\x07[red]\u202eJoe")
    for arguments in (("leads", "list"), ("leads", "show", "1"), ("leads", "list", "--json")):
        ran = cli(*arguments)
        assert not {"\x1b", "\x07", "\u202e"} & set(ran.out + ran.err)
    assert cli("leads", "list", "--json").json["leads"][0]["name"].endswith("[red]\u202eJoe")


def test_columns_go_by_their_names_in_json_too(cli: Cli) -> None:
    for column in ("qualification_score", "-review_count", "created_at", "updated_at"):
        assert cli("leads", "list", "--sort", column, "--json").code == 0


def program(store: Path, redirect: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """The real program in a shell, with its output redirected."""
    command = f"{sys.executable} -m crm_tui --db {store} leads list --json {redirect}"
    return subprocess.run(
        ["sh", "-c", command],
        capture_output=True,
        check=False,
        env={**os.environ, **environment},
        text=True,
    )


def test_output_that_knows_only_ascii_gets_escapes(cli: Cli, store_path: Path) -> None:
    cli("leads", "add", "Ünï 😀")
    ran = program(store_path, "", PYTHONIOENCODING="ascii")
    assert ran.returncode == 0
    assert json.loads(ran.stdout)["leads"][0]["name"] == "Ünï 😀"


def test_output_that_cannot_be_written_ends_in_a_sentence(store_path: Path) -> None:
    full = program(store_path, ">/dev/full")
    assert full.returncode == 1
    assert "could not be written: No space left on device" in full.stderr
    assert "Traceback" not in program(store_path, ">&-").stderr
    assert "Traceback" not in program(store_path, "| head -1").stderr


@pytest.mark.parametrize("arguments", [["--version"], ["--help"], ["leads", "--help"]])
def test_version_and_help_import_neither_textual_nor_sqlalchemy(arguments: list[str]) -> None:
    program = (
        "import sys; from crm_tui.__main__ import main; sys.argv = ['crm-tui', *sys.argv[1:]]\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "assert not {'textual', 'sqlalchemy', 'jinja2', 'alembic'} & set(sys.modules)\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program, *arguments], capture_output=True, check=False
    )
    assert ran.returncode == 0, ran.stderr.decode()
    assert ran.stdout
