"""The funnel screen: its numbers are those of the services, and each opens what is behind it."""

from __future__ import annotations

import asyncio
import csv
import json
import re
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

import pytest
from sqlalchemy import select, update
from textual.pilot import Pilot
from textual.screen import Screen
from textual.strip import Strip
from textual.widgets import Input, Static

from crm_tui.app import CrmApp
from crm_tui.config import Settings
from crm_tui.db.engine import Database, ReadSession
from crm_tui.db.models import Business, Spend
from crm_tui.screens import funnel_counting
from crm_tui.screens.dialogs import Confirm, Picker
from crm_tui.screens.figure import FigureScreen
from crm_tui.screens.funnel import FunnelScreen
from crm_tui.screens.funnel_sheet import Sheet
from crm_tui.screens.funnel_views import VIEWS, View
from crm_tui.screens.lead import LeadScreen
from crm_tui.screens.leads import LeadsScreen
from crm_tui.services.figures.asking import scope_of
from crm_tui.services.figures.base import Scope, StageCount
from crm_tui.services.figures.cohorts import Cohort, cohorts
from crm_tui.services.figures.funnel import funnel
from crm_tui.services.figures.kpis import kpis
from crm_tui.widgets.chart import ChartArea
from crm_tui.widgets.facts import Facts
from crm_tui.widgets.forms import Form
from crm_tui.widgets.frame import Footer
from crm_tui.widgets.row_list import RowList
from crm_tui.widgets.view_line import ViewLine
from tests.conftest import NOW
from tests.screens.settling import press, settle

ScreenT = TypeVar("ScreenT", bound=Screen[Any])


class Desk:
    """The app in a test, on the funnel."""

    def __init__(self, pilot: Pilot[None], db: Database) -> None:
        self.pilot = pilot
        self.db = db
        assert isinstance(pilot.app, CrmApp)
        self.app = pilot.app

    async def press(self, *keys: str) -> None:
        await press(self.pilot, keys)

    async def write(self, text: str) -> None:
        await press(self.pilot, ["space" if each == " " else each for each in text])

    async def fill(self, **fields: str) -> None:
        """Write into the fields of a form."""
        for name, value in fields.items():
            self.app.screen.query_one(f"#{name}", Input).value = value
        await settle(self.pilot)

    async def choose(self, text: str) -> None:
        """Type into the line of a dialog, and take what it comes to."""
        self.app.screen.query_one(Input).value = text
        await settle(self.pilot)
        await self.press("enter")

    @property
    def funnel(self) -> FunnelScreen:
        screen = self.app.screen_stack[0]
        assert isinstance(screen, FunnelScreen)
        return screen

    def front(self, kind: type[ScreenT]) -> ScreenT:
        """The screen in front, which is of this kind."""
        screen = self.app.screen
        assert isinstance(screen, kind)
        return screen

    @property
    def said(self) -> str:
        return self.app._front().query_one(Footer).words

    def table(self) -> RowList[Any]:
        return self.app._front().query_one(RowList)

    def lines(self) -> list[str]:
        table = self.table()
        shown = (table._look_of(y + 1) for y in range(table.total))
        painted = (table._painter.row(look, NOW).text for look in shown if look.row is not None)
        return [" ".join(line[3:].replace("▐", "").split()) for line in painted]

    def line(self, begins: str) -> str:
        return next(line for line in self.lines() if line.startswith(begins))

    def words(self, name: str) -> str:
        return str(self.app._front().query_one(f"#{name}", Static).render())

    async def stages(self, **asked: str | None) -> list[StageCount]:
        async with self.db.read() as session:
            return await funnel(session, scope(**asked))


def scope(since: str | None = None, until: str | None = None, query: str | None = None) -> Scope:
    return scope_of(Settings(), since=since, until=until, query=query, now=NOW)


def app_on(store: Path) -> CrmApp:
    return CrmApp(store, Settings(), now=lambda: NOW)


@pytest.fixture(autouse=True)
def _nothing_is_sent_and_nothing_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("crm_tui.app._MAIL_AFTER", 3600.0)
    monkeypatch.setattr(funnel_counting, "_REST", 0)  # however slow the machine is


@pytest.fixture
async def desk(demo: Path, list_folder: Path) -> AsyncIterator[Desk]:
    db = Database(demo)
    async with app_on(demo).run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        await press(pilot, ["4"])
        yield Desk(pilot, db)
    await db.close()


# The funnel and the figures


async def test_the_bars_are_the_stages_with_their_counts_and_rates(desk: Desk) -> None:
    counted = await desk.stages()
    shown = desk.lines()[: len(counted)]
    for line, stage in zip(shown, counted, strict=True):
        words = line.split()
        assert line.startswith(stage.stage.value.replace("_", " ").capitalize())
        assert f"{stage.count:,}" in words
        if stage.rate_from_previous is not None:
            assert any(word.endswith("%") for word in words)
    assert f"{counted[0].count:,} leads" in desk.words("count")
    bars = [line.count("█") for line in shown]
    assert bars == sorted(bars, reverse=True)
    assert bars[0] > 20


async def test_every_figure_has_a_line_and_what_cannot_be_told_says_so(desk: Desk) -> None:
    async with desk.db.read() as session:
        figures = await kpis(session, scope())
    below = desk.lines()[-len(figures) :]
    for line, figure in zip(below, figures, strict=True):
        assert any(each in line for each in ("not enough data", "not measured")) is (
            figure.value is None
        )
    money = next(each for each in figures if each.name == "mrr" and each.value)
    assert f"{money.value:,} {money.currency}" in desk.line("MRR")


async def test_a_bar_opens_its_leads_in_the_list(desk: Desk) -> None:
    (_, qualified, *_) = await desk.stages()
    await desk.press("j", "enter")
    screen = desk.front(LeadsScreen)
    assert screen.asked.text.startswith("stage:qualified")
    assert screen.table.total == qualified.count


async def test_the_leads_of_a_bar_are_of_its_time_and_filter_and_those_archived_since_are_with_them(
    desk: Desk,
) -> None:
    async with desk.db.write() as session:
        some = select(Business.id).order_by(Business.captured_at.desc()).limit(3)
        await session.execute(update(Business).where(Business.id.in_(some)).values(archived_at=NOW))
    await desk.press("p")
    await desk.choose("last 90 days")
    await desk.press("slash")
    await desk.write("score>=70")
    await desk.press("enter")
    since = (NOW - timedelta(days=89)).date().isoformat()
    captured, *_ = await desk.stages(since=since, query="score>=70")
    assert 0 < captured.count < 500
    await desk.press("g", "g", "enter")
    screen = desk.front(LeadsScreen)
    assert screen.asked.text.startswith(f"stage:captured captured>={since} score>=70")
    assert screen.table.total == captured.count


async def test_a_figure_opens_its_formula_and_records_and_they_open_their_leads(desk: Desk) -> None:
    await desk.press("G")
    while not desk.lines()[desk.table().cursor].startswith("Lead to customer"):
        await desk.press("k")
    await desk.press("enter")
    facts = str(desk.front(FigureScreen).query_one(Facts).render())
    for label in ("Formula", "Numerator", "Denominator"):
        assert label in facts
    assert "Lead to customer" in desk.words("figure-title")
    assert len(desk.lines()) >= 2
    await desk.press("enter")
    first = desk.front(LeadScreen).lead_id
    await desk.press("]")
    assert desk.front(LeadScreen).lead_id != first
    await desk.press("q", "h")
    desk.front(FunnelScreen)


async def test_with_a_period_it_stands_beside_the_one_before(desk: Desk) -> None:
    assert "Before" not in desk.table().render_line(0).text
    await desk.press("p")
    await desk.choose("Last 30 days")
    assert "Before" in desk.table().render_line(0).text
    now = await desk.stages(since=(NOW - timedelta(days=29)).date().isoformat())
    assert f"{now[0].count:,}" in desk.line("Captured").split()
    assert any(mark in desk.line("Captured") for mark in ("↑", "↓", "as before"))


async def test_days_are_typed_and_what_is_none_is_said_at_the_line(desk: Desk) -> None:
    await desk.press("p")
    await desk.choose("never")
    picker = desk.front(Picker)
    assert "no time that figures can be of" in str(picker.query_one("#refused", Static).render())
    await desk.choose("2020-01 to 2020-02")
    assert "1 Jan – 29 Feb 2020" in str(desk.funnel.query_one(ViewLine).render())
    assert desk.line("Captured").split()[1] == "0"


async def test_a_filter_that_cannot_be_read_leaves_the_numbers_and_says_where(desk: Desk) -> None:
    before = desk.lines()
    await desk.press("slash")
    await desk.write("score>")
    await desk.press("enter")
    assert desk.words("problem")
    assert desk.lines() == before
    await desk.press("escape", "escape")
    assert desk.funnel.asked.text == ""


# The other views


@pytest.mark.parametrize(
    ("key", "first"),
    [("c", "Campaign"), ("r", "Campaign"), ("w", "Week"), ("t", "Over time"), ("s", "Day")],
)
async def test_every_view_has_its_key_and_something_of_the_demo(
    desk: Desk, key: str, first: str
) -> None:
    await desk.press(key)
    assert desk.table().render_line(0).text.split("  ")[1].strip() == first
    assert desk.lines()
    assert not desk.app.screen.has_class("-empty")


async def test_the_views_are_gone_through_in_a_circle(desk: Desk) -> None:
    seen = []
    for _ in VIEWS:
        seen.append(VIEWS[desk.funnel.asked.place].name)
        await desk.press("]")
    assert seen == [view.name for view in VIEWS]
    assert desk.funnel.asked.place == 0
    await desk.press("[")
    assert VIEWS[desk.funnel.asked.place].name == "spend"


async def test_the_chart_of_the_line_under_the_cursor_is_drawn(desk: Desk) -> None:
    await desk.press("t")
    drawn = str(desk.app.screen.query_one(ChartArea).render())
    assert "█" in drawn
    await desk.press("j")
    assert str(desk.app.screen.query_one(ChartArea).render()) != drawn


async def test_a_week_opens_the_leads_found_in_it(desk: Desk) -> None:
    await desk.press("w")
    leads = desk.lines()[0].split()[4]
    await desk.press("enter")
    assert f"{desk.front(LeadsScreen).table.total:,}" == leads


# Spend


async def test_spend_is_written_down_counted_taken_out_and_brought_back(desk: Desk) -> None:
    await desk.press("s")
    before = len(desk.lines())
    await desk.press("a")
    desk.front(Form)
    await desk.write("49,90")
    await desk.fill(kind="flyers")
    await desk.press("ctrl+s")
    assert "49.90 USD on flyers" in desk.said
    assert len(desk.lines()) == before + 1
    assert "flyers 49.90 USD" in desk.line(NOW.date().isoformat())
    await desk.press("g", "g", "x")
    desk.front(Confirm)
    await desk.press("enter")
    assert "Removed: 49.90 USD on flyers" in desk.said
    assert len(desk.lines()) == before
    await desk.press("u")
    assert len(desk.lines()) == before + 1


async def test_spend_that_cannot_be_understood_stays_in_the_form(desk: Desk) -> None:
    async with desk.db.read() as session:
        before = len((await session.scalars(select(Spend.id))).all())
    await desk.press("a")
    await desk.write("much")
    form = desk.app.screen
    await desk.fill(kind="ads")
    await desk.press("ctrl+s")
    assert "is not an amount" in str(form.query_one("#form-words", Static).render())
    await desk.fill(amount="5")
    await desk.fill(campaign="no such")
    await desk.press("ctrl+s")
    assert 'no campaign "no such"' in str(form.query_one("#form-words", Static).render())
    async with desk.db.read() as session:
        assert len((await session.scalars(select(Spend.id))).all()) == before


async def test_spend_is_removed_only_where_it_is_listed(desk: Desk) -> None:
    await desk.press("x")
    assert "s shows it" in desk.said


# Export


def written(name: str) -> str:
    return Path(name).read_text(encoding="utf-8")


async def test_what_is_shown_is_exported_as_csv_and_json(desk: Desk) -> None:
    counted = await desk.stages()
    await desk.press("E")
    await desk.fill(path="funnel.csv")
    await desk.press("ctrl+s")
    rows = list(csv.reader(written("funnel.csv").splitlines()))
    assert rows[0] == ["stage", "count", "rate_from_previous", "rate_from_first"]
    assert [row[:2] for row in rows[1:10]] == [[str(e.stage), str(e.count)] for e in counted]
    await desk.press("E", "2")
    await desk.fill(path="funnel.json")
    await desk.press("ctrl+s")
    document = json.loads(written("funnel.json"))
    assert [each["count"] for each in document["stages"]] == [each.count for each in counted]
    names = {each["name"] for each in document["figures"]}
    assert {"mrr", "cac", "lead_to_customer"} <= names


async def test_the_report_is_a_page_of_what_the_period_and_the_filter_say(desk: Desk) -> None:
    await desk.press("slash")
    await desk.write("city:Tampa")
    await desk.press("enter", "E", "3")
    await desk.fill(path="report.html")
    await desk.press("ctrl+s")
    page = written("report.html")
    assert page.lstrip().lower().startswith("<!doctype html")
    assert "city:Tampa" in page


async def test_the_smallest_terminal_shows_records_below_a_figure(demo: Path) -> None:
    async with app_on(demo).run_test(size=(40, 12)) as pilot:
        await settle(pilot)
        await press(pilot, ["4", "G", "k", "k", "enter"])
        assert isinstance(pilot.app.screen, FigureScreen)
        records = pilot.app.screen.query_one("#records", RowList)
        footer = pilot.app.screen.query_one(Footer)
        assert records.region.height >= 4
        assert records.region.bottom <= footer.region.y < 12
        assert "Formula" in str(pilot.app.screen.query_one(Facts).render())


@pytest.mark.parametrize("view", [*"crwts"])
async def test_the_smallest_terminal_shows_lines_of_every_view_and_which_it_is(
    view: str, demo: Path
) -> None:
    async with app_on(demo).run_test(size=(40, 12)) as pilot:
        await settle(pilot)
        await press(pilot, ["4", view])
        screen = pilot.app.screen
        assert isinstance(screen, FunnelScreen)
        table = screen.query_one("#figures", RowList)
        assert table.region.height >= 3
        assert table.region.bottom <= screen.query_one(Footer).region.y < 12
        line = screen.query_one(ViewLine)
        shown = line.render_line(0).text
        title = VIEWS[screen.asked.place].title
        assert title in shown
        other = next(each.title for each in VIEWS if each.title in shown and each.title != title)
        await pilot.click(line, offset=(line.styles.padding.left + shown.index(other), 0))
        await settle(pilot)
        assert VIEWS[screen.asked.place].title == other


async def test_a_report_says_how_far_it_is_and_can_be_stopped(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    reached, go_on = threading.Event(), threading.Event()

    async def slow_cohorts(session: ReadSession, asked: Scope) -> Sequence[Cohort]:
        reached.set()
        await asyncio.to_thread(go_on.wait, 60)
        return await cohorts(session, asked)

    monkeypatch.setattr("crm_tui.services.report.gathering.cohorts", slow_cohorts)
    await desk.press("E", "3")
    await desk.fill(path="report.html")
    await desk.pilot.press("ctrl+s")
    await until(reached.is_set)
    said = re.compile(r"Report [1-8] of 9  ctrl\+c cancels")
    await until(lambda: said.fullmatch(desk.app.status()[0]) is not None)
    await until(lambda: desk.app.screen is desk.funnel)
    await desk.pilot.press("j")
    await until(lambda: desk.table().cursor == 1)
    await desk.pilot.press("ctrl+c")
    await until(lambda: desk.app.status()[0].startswith("Report: stopping"))
    go_on.set()
    await settle(desk.pilot)
    assert desk.said == "The report was stopped; no file was written."
    with pytest.raises(FileNotFoundError):
        written("report.html")


@pytest.fixture
def mine(list_folder: Path) -> None:
    (list_folder / "mine.csv").write_text("mine")


@pytest.mark.usefixtures("mine")
async def test_a_file_that_is_there_is_replaced_only_when_that_was_said_twice(desk: Desk) -> None:
    await desk.press("E")
    await desk.fill(path="mine.csv")
    await desk.press("ctrl+s")
    assert written("mine.csv") == "mine"
    await desk.press("ctrl+s")
    assert written("mine.csv").startswith("stage,")


# The store changes, and counting takes its time


@pytest.fixture
def counts(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The filters that the stages were counted for, one after the other."""
    counted: list[str] = []
    first = VIEWS[0]

    async def read(db: Database, scope: Scope) -> Sheet:
        counted.append(scope.query)
        return await first.read(db, scope)

    monkeypatch.setattr(
        "crm_tui.screens.funnel.VIEWS", (View(first.name, first.title, read), *VIEWS[1:])
    )
    return counted


async def test_what_was_counted_is_not_counted_again_until_the_store_changes(
    counts: list[str], desk: Desk
) -> None:
    assert counts == [""]
    await desk.press("s", "f")
    await desk.press("1", "4")
    await desk.app.look_for_changes()
    await settle(desk.pilot)
    assert counts == [""]
    async with desk.db.write() as session:
        await session.execute(update(Business).values(name=Business.name + " & Co"))
    await desk.app.look_for_changes()
    await settle(desk.pilot)
    assert counts == ["", ""]


async def test_a_change_that_changes_no_number_paints_nothing(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    painted: list[int] = []
    table = desk.table()
    paint = table.render_line

    def render_line(y: int) -> Strip:
        painted.append(y)
        return paint(y)

    monkeypatch.setattr(table, "render_line", render_line)
    await desk.press("j")
    assert painted
    painted.clear()
    desk.funnel.data_changed()
    await settle(desk.pilot)
    assert painted == []
    assert desk.table().cursor == 1


class Slow:
    """Stages that are counted when the test says so."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.given_up: list[str] = []
        self.go_on = threading.Event()

    async def read(self, db: Database, scope: Scope) -> Sheet:
        self.asked.append(scope.query)
        try:
            while not self.go_on.is_set():  # noqa: ASYNC110 - set on another thread
                await asyncio.sleep(0.005)
        except asyncio.CancelledError:
            self.given_up.append(scope.query)
            raise
        return await VIEWS[0].read(db, scope)


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> Slow:
    slow = Slow()
    slow.go_on.set()
    monkeypatch.setattr(
        "crm_tui.screens.funnel.VIEWS", (View("stages", "Funnel", slow.read), *VIEWS[1:])
    )
    monkeypatch.setattr(funnel_counting, "_SAY_SO_AFTER", 0.01)
    return slow


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not true():  # noqa: ASYNC110 - what is waited for says nothing when it is so
            await asyncio.sleep(0.005)


async def test_the_numbers_before_stay_while_new_ones_are_counted_and_another_filter_stops_that(
    slow: Slow, desk: Desk
) -> None:
    before = desk.lines()
    slow.go_on.clear()
    desk.funnel._show_filtered("city:Tampa")
    await until(lambda: desk.funnel.has_class("-counting"))
    assert "counting" in desk.words("count")
    assert desk.lines() == before
    desk.funnel._show_filtered("city:Boise")
    await until(lambda: slow.asked[-1] == "city:Boise")
    assert slow.given_up == ["city:Tampa"]
    slow.go_on.set()
    await settle(desk.pilot)
    assert desk.lines() != before
    assert not desk.funnel.has_class("-counting")


async def test_changes_while_it_is_counted_do_not_begin_it_anew_every_time(
    slow: Slow, desk: Desk
) -> None:
    slow.go_on.clear()
    desk.funnel.data_changed()
    await until(lambda: len(slow.asked) == 2)
    for _ in range(5):
        desk.funnel.data_changed()
    slow.go_on.set()
    await settle(desk.pilot)
    assert slow.given_up == []
    assert len(slow.asked) == 3


# Without anything, and at the next start


async def test_an_empty_store_says_what_to_do(store_path: Path) -> None:
    async with app_on(store_path).run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await press(pilot, ["4"])
        empty = pilot.app.screen.query_one("#empty", Static)
        assert empty.display
        assert "There are no leads yet" in str(empty.render())
        await press(pilot, ["s"])
        assert not empty.display


async def test_view_time_and_filter_are_there_at_the_next_start(demo: Path) -> None:
    first = app_on(demo)
    async with first.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        await press(pilot, ["4", "w", "p"])
        first.screen.query_one(Input).value = "last 90 days"
        await press(pilot, ["enter", "slash", *"score>10", "enter"])
        first.exit()
    second = app_on(demo)
    async with second.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        screen = second.screen
        assert isinstance(screen, FunnelScreen)
        assert VIEWS[screen.asked.place].name == "cohorts"
        assert (screen.asked.span.text, screen.asked.text) == ("90d", "score>10")
