"""`crm-tui import` and `crm-tui imports`, as a script meets them."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from crm_tui.__main__ import main

if TYPE_CHECKING:
    from tests.conftest import Cli

KEYS = [
    "batch",
    "format",
    "seen",
    "created",
    "merged",
    "skipped",
    "rejected",
    "unmatched",
    "problems",
]


@pytest.fixture
def leads_csv(tmp_path: Path) -> Path:
    path = tmp_path / "leads.csv"
    path.write_text("Company,Phone,City\nAcme,518-871-1647,Albany\nZed,518-871-1648,Troy\n")
    return path


@pytest.fixture
def bad_csv(tmp_path: Path) -> Path:
    path = tmp_path / "bad.csv"
    path.write_text("Company,Phone,City\nMo,518-871-1649,Albany\nToo,many,cells,here\n")
    return path


def test_the_document_of_one_list(cli: Cli, leads_csv: Path) -> None:
    ran = cli("import", str(leads_csv), "--json")
    assert ran.code == 0
    assert list(ran.json) == KEYS
    assert ran.json == {
        "batch": 1,
        "format": "csv",
        "seen": 2,
        "created": 2,
        "merged": 0,
        "skipped": 0,
        "rejected": 0,
        "unmatched": 0,
        "problems": [],
    }
    assert ran.err.startswith("leads.csv (csv): 2 leads seen: 2 created, 0 merged")


def test_rejected_rows_are_named_and_the_rest_is_imported(cli: Cli, bad_csv: Path) -> None:
    ran = cli("import", str(bad_csv), "--json")
    assert ran.code == 3
    assert (ran.json["seen"], ran.json["created"], ran.json["rejected"]) == (2, 1, 1)
    assert ran.json["problems"] == [{"row": 2, "reason": "4 cells in a table of 3 columns"}]
    assert "row 2: 4 cells in a table of 3 columns" in ran.err


def test_several_lists_and_one_that_fails(cli: Cli, leads_csv: Path, tmp_path: Path) -> None:
    missing = str(tmp_path / "missing.csv")
    ran = cli("import", str(leads_csv), missing, "--json")
    assert ran.code == 3
    first, second = ran.json["imports"]
    assert (first["created"], second["created"], second["batch"]) == (2, 0, None)
    assert "missing.csv does not exist" in second["problems"][0]["reason"]
    assert "missing.csv does not exist" in ran.err
    assert cli("import", missing, missing).code == 1


def test_a_list_that_cannot_be_imported_is_one_sentence(cli: Cli, tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    path.write_bytes(b"%PDF-1.7 not a list")
    ran = cli("import", str(path), "--json")
    assert (ran.code, ran.out) == (1, "")
    assert len(ran.err.splitlines()) == 1
    assert "list.csv is a PDF, which cannot be imported." in ran.err
    assert cli("imports", "list", "--json").json == {"imports": []}


def test_a_dry_run_makes_no_store(
    leads_csv: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    store = tmp_path / "new" / "crm.db"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            "sys.argv", ["crm-tui", "--db", str(store), "import", str(leads_csv), "--dry-run"]
        )
        with pytest.raises(SystemExit) as ended:
            main()
    assert ended.value.code in {0, None}
    assert (
        "2 created, 0 merged, 0 skipped, 0 rejected. Nothing was changed." in capfd.readouterr().err
    )
    assert not store.parent.exists()


def test_a_dry_run_of_several_lists_says_what_importing_them_does(
    cli: Cli, leads_csv: Path, bad_csv: Path, tmp_path: Path
) -> None:
    cut = tmp_path / "cut.csv"
    cut.write_bytes(leads_csv.read_bytes() + bad_csv.read_bytes())
    empty = tmp_path / "empty.csv"
    empty.write_text("Company,Phone,City\n")
    files = [str(path) for path in (leads_csv, empty, cut, leads_csv, bad_csv)]
    tried = cli("import", *files, "--dry-run", "--json")
    assert cli("leads", "list", "--json").json["total"] == 0
    done = cli("import", *files, "--json")
    assert tried.code == done.code == 3
    for one, other in zip(tried.json["imports"], done.json["imports"], strict=True):
        assert one | {"batch": None} == other | {"batch": None}
    assert tried.json["imports"][3]["skipped"] == 2


def test_a_dry_run_changes_no_store(cli: Cli, leads_csv: Path, store_path: Path) -> None:
    cli("import", str(leads_csv))
    before = store_path.read_bytes()
    ran = cli("import", str(leads_csv), "--dry-run", "--tag", "hot", "--json")
    assert (ran.code, ran.json["batch"], ran.json["merged"]) == (0, None, 2)
    assert store_path.read_bytes() == before
    assert len(cli("imports", "list", "--json").json["imports"]) == 1


def test_options_reach_the_import(cli: Cli, tmp_path: Path) -> None:
    path = tmp_path / "odd.csv"
    path.write_text("A,B\nAcme,22 123456\n")
    ran = cli(
        "import", str(path), "--map", "A=name", "--map", "B=phone", "--tag", "hot", "--tag",
        "autumn", "--region", "cy", "--format", "csv",
    )  # fmt: skip
    assert ran.code == 0
    (lead,) = cli("leads", "list", "--json").json["leads"]
    assert (lead["name"], lead["phone"], lead["tags"]) == (
        "Acme",
        "+35722123456",
        ["autumn", "hot"],
    )


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (["--region", "Cyprus"], 2, "is not a country"),
        (["--map", "nothing"], 2, "is not a mapping"),
        (["--map", "Company=nofield"], 2, "There is no field “nofield”"),
        (["--map", "Nowhere=name"], 1, "The list has no column “Nowhere”"),
        (["--format", "excel"], 2, "There is no format “excel”"),
        (["--format", "legacy"], 1, "cannot be read as legacy"),
    ],
)
def test_wrong_options_are_told(
    cli: Cli, leads_csv: Path, options: list[str], code: int, said: str
) -> None:
    ran = cli("import", str(leads_csv), *options)
    assert ran.code == code
    assert said in ran.err


def test_no_file_is_wrong_usage(cli: Cli) -> None:
    assert cli("import").code == 2


def test_imports_are_listed_and_shown(cli: Cli, leads_csv: Path, bad_csv: Path) -> None:
    cli("import", str(leads_csv))
    cli("import", str(bad_csv))
    listed = cli("imports", "list", "--json").json["imports"]
    assert [(line["batch"], line["file"], line["state"]) for line in listed] == [
        (2, "bad.csv", "done"),
        (1, "leads.csv", "done"),
    ]
    assert "leads.csv" in cli("imports", "list").out
    shown = cli("imports", "show", "2", "--json").json["import"]
    assert [(row["row"], row["action"]) for row in shown["rows"]] == [
        (1, "created"),
        (2, "rejected"),
    ]
    only = cli("imports", "show", "2", "--only", "rejected")
    assert "4 cells in a table of 3 columns" in only.out
    assert "created" not in only.out
    assert cli("imports", "show", "9").code == 1


def test_undo_names_what_was_worked_on_since(cli: Cli, leads_csv: Path) -> None:
    cli("import", str(leads_csv))
    cli("leads", "note", "1", "spoke to them")
    ran = cli("imports", "undo", "1", "--json")
    assert ran.code == 3
    assert ran.json == {
        "batch": 1,
        "deleted": 1,
        "restored": 0,
        "left": [{"id": 1, "name": "Acme", "reason": "worked on since: note"}],
    }
    assert "Left: Acme (lead 1): worked on since: note" in ran.err
    assert cli("imports", "undo", "1").code == 1
    assert cli("import", str(leads_csv), "--json").json["created"] == 1


def test_undo_of_all_is_done(cli: Cli, leads_csv: Path) -> None:
    cli("import", str(leads_csv))
    ran = cli("imports", "undo", "1")
    assert ran.code == 0
    assert "Import 1 taken back: 2 leads deleted, 0 restored, 0 left." in ran.err


def test_sites_without_a_lead_are_no_failure(cli: Cli, tmp_path: Path) -> None:
    path = tmp_path / "old.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(
            "CREATE TABLE sites (id INTEGER PRIMARY KEY, slug TEXT, business_id INTEGER, "
            "html_content TEXT);"
            "INSERT INTO sites VALUES (1, 'lost', NULL, '<h1>Lost Cafe</h1>');"
        )
    ran = cli("import", str(path), "--json")
    assert ran.code == 0
    assert (ran.json["format"], ran.json["seen"], ran.json["unmatched"]) == ("legacy", 0, 1)
    assert "crm-tui sites repair" in ran.err


def test_what_a_list_says_reaches_the_terminal_as_text(cli: Cli, tmp_path: Path) -> None:
    path = tmp_path / "evil.csv"
    path.write_text("Company,Phone\n\x1b]52;c;x\x07,\u202ecall\nA,b,c\n")
    ran = cli("import", str(path))
    shown = cli("imports", "show", "1")
    for text in (ran.err, shown.out, cli("imports", "list").out):
        assert "\x1b" not in text
        assert "\u202e" not in text
