from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.screen import Screen
from textual.widgets import OptionList, Static

from crm_tui.app import CrmApp
from crm_tui.config import Settings
from crm_tui.db.engine import Database
from crm_tui.screens.import_columns import ColumnsScreen
from crm_tui.screens.import_file import FileDialog
from crm_tui.screens.import_report import ReportScreen
from crm_tui.screens.importer import ImportScreen
from crm_tui.screens.jobs import RunningJob
from crm_tui.screens.lead import LeadScreen
from crm_tui.services import lead_rows, leads
from crm_tui.services.imports import finding
from crm_tui.services.lead_query import LeadQuery
from crm_tui.widgets.forms import Line
from crm_tui.widgets.frame import Footer
from crm_tui.widgets.row_list import RowList
from tests.screens.settling import settle

NOW = datetime(2026, 11, 22, 14, 2, tzinfo=UTC)
SIZES = ((80, 24), (120, 40))
LIST = """\
Firma;Ansprechpartner;Telefon;E-Mail;Ort;Bemerkung;Schuhgröße
Tavella Plumbing;Marco Tavella;718 555 0142;marco@tavella.example;Queens;Called once;43
Woodhaven Heating;;718 555 0143;office@woodhaven.example;Ozone Park;;
Best Roofing;Ann Bee;718 555 0144;;Jamaica;;38
"Broken Bakery;;;
"""


class Desk:
    """The app in a test, in a folder with lists."""

    def __init__(self, pilot: Pilot[None]) -> None:
        self.pilot = pilot
        assert isinstance(pilot.app, CrmApp)
        self.app = pilot.app

    async def settle(self) -> None:
        await settle(self.pilot)

    async def press(self, *keys: str) -> None:
        for key in keys:
            await self.pilot.press(key)
            await self.settle()

    async def write(self, words: str) -> None:
        names = {"/": "slash", ".": "full_stop", "-": "minus", "~": "tilde", "_": "underscore"}
        await self.pilot.press(*(names.get(letter, letter) for letter in words))
        await self.settle()

    def shows(self, screen: type[Screen[Any]]) -> bool:
        return isinstance(self.app.screen, screen)

    def text(self, selector: str) -> str:
        return str(self.app.screen.query_one(selector, Static).render()).strip()

    def lines(self) -> list[str]:
        table = self.app.screen.query_one(RowList)
        return [table.render_line(y).text.strip(" ▸▐") for y in range(1, table.total + 1)]

    def said(self) -> str:
        return self.app.screen.query_one(Footer).words

    async def leads(self) -> list[str]:
        db = await self.app.store()
        async with db.read() as session:
            rows = await lead_rows.first_rows(session, LeadQuery(), limit=100)
        return sorted(row.name for row in rows)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder the app is started in."""
    path = tmp_path / "lists"
    (path / "old").mkdir(parents=True)
    (path / "leads.csv").write_text(LIST)
    (path / "letter.pdf").write_bytes(b"%PDF")
    (path / "old" / "broken.json").write_text('[{"name": "Ace"')
    monkeypatch.chdir(path)
    return path


@pytest.fixture
async def desk(folder: Path, store_path: Path, settings: Settings) -> AsyncIterator[Desk]:
    assert folder.name == "lists"
    app = CrmApp(store_path, settings, now=lambda: NOW)
    async with app.run_test(size=(80, 24)) as pilot:
        desk = Desk(pilot)
        await desk.settle()
        yield desk


async def test_a_path_is_completed_as_it_is_typed(desk: Desk) -> None:
    await desk.press("I")
    assert desk.shows(FileDialog)
    options = desk.app.screen.query_one(OptionList)
    assert [str(each.prompt).split()[0] for each in options.options] == ["old/", "leads.csv"]
    await desk.write("ol")
    await desk.press("tab")
    assert desk.app.screen.query_one(Line).value == "old/"
    assert [str(each.prompt).split()[0] for each in options.options] == ["broken.json"]
    await desk.write("x")
    assert desk.text("#file-words") == "No list begins like that here."
    await desk.press("enter")
    assert desk.text("#file-words") == "There is no file old/x."
    await desk.press("escape")
    assert not desk.shows(FileDialog)


async def test_a_list_is_looked_at_tried_imported_and_taken_back(desk: Desk) -> None:
    await desk.press("I")
    await desk.write("leads.csv")
    await desk.press("enter")
    assert desk.shows(ImportScreen)
    assert desk.text("#import-facts") == (
        "A table with columns of its own · UTF-8, semicolons · 287 bytes"
    )
    assert desk.text("#import-mapping").startswith("Columns  Firma is business name")
    assert [line.split("  ")[0] for line in desk.lines()] == [
        "Tavella Plumbing",
        "Woodhaven Heating",
        "Best Roofing",
        "▲ a quote that is never cl…",
    ]
    assert "+1 718-555-0142" in desk.lines()[0]
    await desk.press("d")
    assert desk.text("#import-words").startswith("It would be: 3 new, 1 rejected. 1 problem")
    assert desk.text("#import-words").endswith("Nothing was changed.")
    assert await desk.leads() == []
    await desk.press("t")
    await desk.write("q" * 61)
    await desk.press("enter")
    assert desk.text("#form-words").startswith("A tag has 60 characters at most")
    await desk.press("ctrl+u")
    await desk.write("queens")
    await desk.press("enter", "i", "enter")
    assert desk.shows(ReportScreen)
    assert desk.text("#report-counts") == "3 new, 1 rejected"
    assert desk.said() == "Imported leads.csv: 3 new, 1 rejected."
    assert await desk.leads() == ["Best Roofing", "Tavella Plumbing", "Woodhaven Heating"]
    db = await desk.app.store()
    async with db.read() as session:
        assert set((await leads.tags_of(session, [1, 2, 3])).values()) == {("queens",)}
        assert await finding.recent_files(session) == [Path.cwd() / "leads.csv"]
    await desk.press("u", "left", "enter")
    assert desk.said() == "Taken back: 3 leads deleted."
    assert await desk.leads() == []


async def test_the_report_shows_rows_of_one_kind_and_opens_leads(desk: Desk) -> None:
    await desk.press("I", "down", "enter", "i", "enter")
    assert len(desk.lines()) == 4
    await desk.press("slash")
    assert [line.split()[:3] for line in desk.lines()] == [["4", "▲", "rejected"]]
    await desk.press("enter")
    assert desk.said() == "Row 4 made no lead: a quote that is never closed."
    await desk.press("slash", "enter")
    assert desk.shows(LeadScreen)


async def test_a_column_is_given_another_meaning_for_this_list_and_the_next(desk: Desk) -> None:
    await desk.press("I", "down", "enter", "m")
    assert desk.shows(ColumnsScreen)
    assert desk.lines()[6].split("  ")[0] == "Schuhgröße"
    await desk.press("G", "enter")
    await desk.write("tags")
    await desk.press("enter")
    assert "Tags" in desk.lines()[6]
    await desk.press("h")
    assert "Schuhgröße is tags" in desk.text("#import-mapping")
    await desk.press("i", "enter", "escape", "I", "enter")
    assert "Schuhgröße is tags" in desk.text("#import-mapping")


async def test_a_meaning_that_only_one_column_can_have_moves_to_the_new_one(desk: Desk) -> None:
    await desk.press("I", "down", "enter", "m", "j", "enter")
    await desk.write("business")
    await desk.press("enter")
    meanings = [line.split("  ") for line in desk.lines()[:2]]
    assert [words[-1] or words for words in meanings]
    assert "Keep under its own name" in desk.lines()[0]
    assert "Business name" in desk.lines()[1]


async def test_a_table_that_nothing_names_asks_for_the_name_first(desk: Desk, folder: Path) -> None:
    (folder / "numbers.csv").write_text("a,b\n1,2\n3,4\n")
    await desk.press("I")
    await desk.write("num")
    await desk.press("enter")
    assert desk.text("#import-words") == "Say which column is the business's name: m."
    await desk.press("i")
    assert desk.said() == "Nothing names the rows yet. m says which column is the name."
    await desk.press("m", "enter")
    await desk.write("business")
    await desk.press("enter", "h")
    assert desk.text("#import-words") == ""
    assert len(desk.lines()) == 2


async def test_what_cannot_be_imported_says_why(desk: Desk) -> None:
    await desk.press("I")
    await desk.write("letter.pdf")
    await desk.press("enter")
    assert "is a PDF, which cannot be imported" in desk.text("#import-facts")
    await desk.press("i", "d", "m", "f", "escape", "I")
    await desk.write("old/b")
    await desk.press("enter")
    assert "is cut off" in desk.text("#import-facts")


async def test_another_format_can_be_chosen_where_it_fits(desk: Desk) -> None:
    await desk.press("I", "down", "enter", "f")
    await desk.write("places")
    await desk.press("enter")
    assert "cannot be read as places: it is a table" in desk.said()
    assert desk.text("#import-facts").startswith("A table with columns of its own")
    await desk.press("f")
    await desk.write("outscraper")
    await desk.press("enter")
    assert desk.text("#import-facts").startswith("Outscraper")
    await desk.press("m")
    assert desk.said() == "What the columns of this list mean is known: Outscraper."


async def test_an_import_that_is_cancelled_keeps_what_it_has_and_says_so(
    desk: Desk, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = "".join(f"Lead {at},{at}\n" for at in range(5_000))
    (folder / "many.csv").write_text(f"name,number\n{rows}")
    progress = RunningJob.progress

    def cancel_after_the_first_chunk(job: RunningJob, done: int, total: int) -> None:
        progress(job, done, total)
        job.cancel()

    monkeypatch.setattr(RunningJob, "progress", cancel_after_the_first_chunk)
    await desk.press("I")
    await desk.write("many")
    await desk.press("enter", "i", "enter")
    assert desk.said().startswith("Stopped. Imported many.csv: ")
    found = desk.text("#report-counts")
    assert 0 < int(found.partition(" ")[0].replace(",", "")) < 5_000


async def test_several_places_and_their_names_are_found(tmp_path: Path) -> None:
    (tmp_path / "A.csv").touch()
    (tmp_path / "b.JSON").touch()
    (tmp_path / "c.exe").touch()
    (tmp_path / ".hidden").mkdir()
    assert [e.path.name for e in finding.entries("", start=tmp_path)] == ["A.csv", "b.JSON"]
    assert [e.path.name for e in finding.entries("a", start=tmp_path)] == ["A.csv"]
    assert [e.path.name for e in finding.entries(".h", start=tmp_path)] == [".hidden"]
    assert finding.entries("none/x", start=tmp_path) == []
    assert finding.file_at("c.exe", start=tmp_path) == tmp_path / "c.exe"
    assert finding.file_at("nothing", start=tmp_path) is None


async def test_the_last_file_imported_comes_first(db: Database) -> None:
    for name in ("a", "b", "a", *"cdefghij"):
        async with db.write() as session:
            await finding.remember_file(session, Path("/lists") / name)
    async with db.read() as session:
        recent = await finding.recent_files(session)
    assert "".join(path.name for path in recent) == "jihgfedc"


def shown(*keys: str, theme: str = "dark") -> Callable[[Pilot[None]], object]:
    """Choose the list, then press keys."""

    async def run(pilot: Pilot[None]) -> None:
        desk = Desk(pilot)
        await desk.settle()
        pilot.app.theme = theme
        await desk.press("I", *keys)

    return run


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize(
    "keys",
    [
        (),
        ("down", "enter"),
        ("down", "enter", "d"),
        ("down", "enter", "m"),
        ("down", "enter", "i", "enter"),
    ],
    ids=["file", "look", "tried", "columns", "report"],
)
def test_the_import_screens_look_as_agreed(
    folder: Path,
    store_path: Path,
    settings: Settings,
    snap_compare: Callable[..., bool],
    keys: tuple[str, ...],
    size: tuple[int, int],
) -> None:
    app = CrmApp(store_path, settings, now=lambda: NOW)
    assert snap_compare(app, terminal_size=size, run_before=shown(*keys))


def test_the_light_import_screen_looks_as_agreed(
    folder: Path, store_path: Path, settings: Settings, snap_compare: Callable[..., bool]
) -> None:
    app = CrmApp(store_path, settings, now=lambda: NOW)
    run = shown("down", "enter", theme="light")
    assert snap_compare(app, terminal_size=(120, 40), run_before=run)
