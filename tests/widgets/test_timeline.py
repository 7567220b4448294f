from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from textual.app import App, ComposeResult
from textual.geometry import Region

from crm_tui.vocabulary import EventKind
from crm_tui.widgets.heights import Heights
from crm_tui.widgets.look import THEMES
from crm_tui.widgets.timeline import BODY_LINES, EntryChosen, Timeline

NOW = datetime(2026, 11, 22, 14, 2, tzinfo=UTC)
TALK = "He said to call after nine because the boss is out until Monday, and the price is fine."


@dataclass(frozen=True)
class Made:
    id: int
    at: datetime
    kind: EventKind
    summary: str
    body: str
    source: str
    machine: bool


def entry(
    number: int,
    *,
    ago: timedelta = timedelta(0),
    kind: EventKind = EventKind.NOTE,
    summary: str = "",
    body: str = "",
    source: str = "you",
    machine: bool = False,
) -> Made:
    words = summary or f"entry {number}"
    return Made(number, NOW - ago, kind, words, body, source, machine)


def entries(count: int, *, body: str = "") -> list[Made]:
    return [
        entry(count - i, ago=timedelta(hours=i), body=body if i % 3 == 0 else "")
        for i in range(count)
    ]


class Host(App[None]):
    def __init__(self) -> None:
        super().__init__()
        self.chosen: list[int] = []
        self.repainted: list[Region] = []
        for theme in THEMES:
            self.register_theme(theme)
        self.theme = THEMES[0].name

    def compose(self) -> ComposeResult:
        yield Timeline[Made]()

    @property
    def timeline(self) -> Timeline[Made]:
        return self.query_one(Timeline)

    def lines(self) -> list[str]:
        return [
            self.timeline.render_line(y).text.rstrip() for y in range(self.timeline.size.height)
        ]

    def on_entry_chosen(self, message: EntryChosen) -> None:
        self.chosen.append(message.entry.id)


@pytest.fixture
def host() -> Host:
    return Host()


async def test_days_are_headed_once_and_times_are_relative_within_a_week(host: Host) -> None:
    async with host.run_test(size=(80, 10)):
        host.timeline.set_entries(
            [
                entry(5, ago=timedelta(minutes=5)),
                entry(4, ago=timedelta(hours=2)),
                entry(3, ago=timedelta(days=1)),
                entry(2, ago=timedelta(days=20)),
                entry(1, ago=timedelta(days=800), source="import 3"),
            ],
            now=NOW,
            zone=UTC,
        )
        lines = host.lines()
        assert lines[0].split()[:4] == ["▸", "Today", "5m", "■"]
        assert lines[1].split()[:3] == ["2h", "■", "entry"]
        assert lines[2].split()[:2] == ["Yesterday", "1d"]
        assert lines[3].split()[:4] == ["Mon", "2", "Nov", "14:02"]
        assert lines[4].split()[:2] == ["2024-09-13", "14:02"]
        assert lines[4].endswith("import 3")


async def test_days_begin_at_midnight_of_the_zone(host: Host) -> None:
    async with host.run_test(size=(80, 10)):
        host.timeline.set_entries(
            [entry(1, ago=timedelta(hours=10))], now=NOW, zone=ZoneInfo("America/New_York")
        )
        assert "Yesterday" in host.lines()[0]


async def test_a_narrow_timeline_gives_up_the_day_column_and_shows_dates(host: Host) -> None:
    async with host.run_test(size=(44, 10)):
        host.timeline.set_entries(
            [entry(2, ago=timedelta(hours=2)), entry(1, ago=timedelta(days=20))], now=NOW, zone=UTC
        )
        assert host.lines()[0].split() == ["▸", "2h", "■", "entry", "2"]
        assert host.lines()[1].split() == ["2026-11-02", "■", "entry", "1"]


async def test_an_empty_timeline_says_so(host: Host) -> None:
    async with host.run_test(size=(80, 10)) as pilot:
        host.timeline.set_entries([], now=NOW)
        assert host.lines()[0].strip() == "Nothing has happened yet."
        await pilot.press("j", "G", "enter", "pagedown", "g", "g")
        assert host.timeline.entry is None
        assert host.chosen == []


async def test_the_keys_move_by_entries_and_enter_chooses(host: Host) -> None:
    async with host.run_test(size=(80, 10)) as pilot:
        host.timeline.focus()
        host.timeline.set_entries(entries(200, body=TALK), now=NOW, zone=UTC)
        seen = []
        for key in ("j", "down", "k", "pagedown", "pageup", "ctrl+d", "ctrl+u", "G", "home", "end"):
            await pilot.press(key)
            assert host.timeline.entry is not None
            seen.append(host.timeline.entry.id)
        assert seen[:3] == [199, 198, 199]
        assert seen[3] < 199
        assert seen[-3:] == [1, 200, 1]
        await pilot.press("g", "g", "enter")
        await pilot.pause()
        assert host.chosen == [200]


async def test_the_entry_under_the_cursor_is_always_in_sight(host: Host) -> None:
    async with host.run_test(size=(70, 9)) as pilot:
        host.timeline.focus()
        host.timeline.set_entries(entries(60, body=TALK * 2), now=NOW, zone=UTC)
        for key in ["pagedown"] * 8 + ["pageup"] * 3 + ["j"] * 5 + ["ctrl+u"] * 4 + ["G", "g", "g"]:
            await pilot.press(key)
            assert any(line.startswith("▸") for line in host.lines())


async def test_moving_inside_the_window_repaints_two_entries_and_nothing_else(host: Host) -> None:
    async with host.run_test(size=(80, 20)) as pilot:
        host.timeline.focus()
        host.timeline.set_entries(entries(50), now=NOW, zone=UTC)
        await pilot.pause()
        painted: list[int] = []
        original = host.timeline.render_line

        def counted(y: int):  # type: ignore[no-untyped-def]  # noqa: ANN202
            painted.append(y)
            return original(y)

        host.timeline.render_line = counted  # type: ignore[method-assign]
        await pilot.press("j")
        await pilot.pause()
        assert sorted(set(painted)) == [0, 1]


async def test_text_wraps_again_when_the_width_changes_and_the_cursor_stays(host: Host) -> None:
    async with host.run_test(size=(120, 20)) as pilot:
        host.timeline.focus()
        host.timeline.set_entries(entries(100, body=TALK * 3), now=NOW, zone=UTC)
        await pilot.press(*["j"] * 40)
        before = host.timeline.entry
        await pilot.resize_terminal(64, 12)
        await pilot.pause()
        assert host.timeline.entry == before
        assert any(line.startswith("▸") for line in host.lines())
        words = " ".join(" ".join(host.lines()).split())
        assert all(len(line) <= 64 for line in host.lines())
        assert words


async def test_new_entries_leave_the_cursor_on_its_entry_and_its_line(host: Host) -> None:
    async with host.run_test(size=(80, 12)) as pilot:
        host.timeline.focus()
        host.timeline.set_entries(entries(100), now=NOW, zone=UTC)
        await pilot.press(*["j"] * 30)
        at = [line.startswith("▸") for line in host.lines()].index(True)
        more = [entry(900 + i) for i in range(5)] + entries(100)
        host.timeline.set_entries(more, now=NOW, zone=UTC)
        await pilot.pause()
        assert host.timeline.entry is not None
        assert host.timeline.entry.id == 70
        assert [line.startswith("▸") for line in host.lines()].index(True) == at


async def test_a_new_entry_is_in_sight_when_the_cursor_was_at_the_top(host: Host) -> None:
    async with host.run_test(size=(80, 12)):
        host.timeline.set_entries(entries(100), now=NOW, zone=UTC)
        host.timeline.set_entries([entry(999), *entries(100)], now=NOW, zone=UTC)
        assert "entry 999" in host.lines()[0]
        assert host.lines()[1].startswith("▸")


async def test_kinds_filter_what_is_shown_and_the_cursor_goes_to_the_next_older(host: Host) -> None:
    async with host.run_test(size=(80, 12)) as pilot:
        host.timeline.focus()
        kinds = [EventKind.NOTE, EventKind.SITE_BUILT]
        made = [entry(60 - i, ago=timedelta(hours=i), kind=kinds[i % 2]) for i in range(60)]
        host.timeline.set_entries(made, now=NOW, zone=UTC)
        await pilot.press("j")
        host.timeline.set_kinds({EventKind.NOTE})
        assert host.timeline.entry is not None
        assert host.timeline.entry.id == 58
        assert "entry 59" not in " ".join(host.lines())
        host.timeline.set_kinds(None)
        assert host.timeline.entry.id == 58
        host.timeline.set_kinds({EventKind.CALL})
        assert host.timeline.entry is None


async def test_a_long_text_is_shortened_in_place(host: Host) -> None:
    async with host.run_test(size=(80, 40)):
        host.timeline.set_entries([entry(2, body="word " * 4000), entry(1)], now=NOW, zone=UTC)
        assert host.lines()[BODY_LINES].strip() == "… enter shows the rest"
        assert "entry 1" in host.lines()[BODY_LINES + 1]


HOSTILE = "\x1b]52;c;aGk=\x07 [/] [red]red[/red] \u202eevil \x9b31m"


async def test_outside_text_is_shown_and_never_obeyed(host: Host) -> None:
    async with host.run_test(size=(160, 20)):
        host.timeline.set_entries(
            [
                entry(2, summary=HOSTILE, body=HOSTILE + "\r\nsecond\x00", source=HOSTILE),
                entry(1, summary="x" * 10_000, body="y" * 10_000),
            ],
            now=NOW,
            zone=UTC,
        )
        shown = "\n".join(host.lines())
        assert "[/] [red]red[/red]" in shown
        assert "⟨U+202E⟩" in shown
        assert not any(ord(c) < 32 or 0x7F <= ord(c) < 0xA0 for c in shown.replace("\n", ""))


async def test_fifty_thousand_entries_are_measured_only_where_looked_at(host: Host) -> None:
    async with host.run_test(size=(80, 24)) as pilot:
        host.timeline.focus()
        measured = 0
        original = host.timeline._body_lines

        def counted(body: str) -> list[str]:
            nonlocal measured
            measured += 1
            return original(body)

        host.timeline._body_lines = counted  # type: ignore[method-assign]
        host.timeline.set_entries(entries(50_000, body=TALK), now=NOW, zone=UTC)
        await pilot.press(*["pagedown"] * 5)
        assert measured < 500
        await pilot.press("G")
        assert host.timeline.entry is not None
        assert host.timeline.entry.id == 1


@given(
    st.lists(st.integers(min_value=1, max_value=9), max_size=60),
    st.lists(st.integers(min_value=0, max_value=700), max_size=8),
)
def test_heights_agree_with_counting_whatever_is_asked_first(
    heights: list[int], asked: list[int]
) -> None:
    lazy = Heights(len(heights), heights.__getitem__)
    owners = [i for i, height in enumerate(heights) for _ in range(height)]
    for line in asked:
        assert lazy.at(line) == (owners[line] if line < len(owners) else None)
    assert lazy.top(len(heights)) == len(owners) == lazy.total()
