from __future__ import annotations

from array import array

import pytest
from textual.events import MouseScrollDown

from crm_tui.widgets.row_paint import Sort
from tests.widgets.table_program import TableProgram, made_up

SIZES = [(80, 24), (120, 40)]
SMALL = (80, 11)
"""Ten rows under the header."""


def lines(program: TableProgram) -> list[str]:
    table = program.table
    return [table.render_line(y).text for y in range(table.size.height)]


def selected(program: TableProgram) -> list[int]:
    return list(program.table.selected_ids())


@pytest.mark.parametrize("size", SIZES)
async def test_the_rows_stand_under_their_columns(size: tuple[int, int]) -> None:
    program = TableProgram(500)
    async with program.run_test(size=size):
        header, first, *_ = lines(program)
        assert {len(line) for line in lines(program)} == {size[0]}
        for title, text in (("Name", "Hair"), ("Contact", "● purchased")):
            assert header.index(title) == first.index(text)
        assert header.index("Score↓") + len("Score↓") == first.index("98") + len("98")


async def test_columns_are_left_out_by_rank_as_the_window_narrows() -> None:
    program = TableProgram(500)
    async with program.run_test(size=(120, 20)) as pilot:
        assert lines(program)[0].split() == ["Score↓", "Name", "City", "Contact", "Site", "Last"]
        for width, titles in (
            (80, ["Score↓", "Name", "City", "Contact", "Site"]),
            (65, ["Score↓", "Name", "Contact", "Site"]),
            (50, ["Score↓", "Name", "Contact"]),
            (37, ["Score↓", "Name"]),
            (20, ["Name"]),
        ):
            await pilot.resize_terminal(width, 20)
            await pilot.pause()
            assert lines(program)[0].split() == titles


@pytest.mark.parametrize("size", SIZES)
async def test_every_movement_goes_where_it_says(size: tuple[int, int]) -> None:
    program = TableProgram(1_000_000)
    async with program.run_test(size=size) as pilot:
        table, page = program.table, size[1] - 1
        for keys, cursor, top in (
            (["j", "down", "k"], 1, 0),
            (["k", "k", "up"], 0, 0),
            (["pagedown"], page - 1, page - 1),
            (["pageup"], 0, 0),
            (["ctrl+d"], page // 2, page // 2),
            (["ctrl+u"], 0, 0),
            (["G"], 999_999, 1_000_000 - page),
            (["g", "g"], 0, 0),
            (["end"], 999_999, 1_000_000 - page),
            (["home"], 0, 0),
            (["j"] * page, page, 1),
            (["g", "j"], page + 1, 2),
            (["g", "g"], 0, 0),
        ):
            await pilot.press(*keys)
            assert (table.cursor, table.top) == (cursor, top), keys


async def test_rows_are_fetched_before_they_are_seen_and_not_with_every_line() -> None:
    program = TableProgram(1_000_000)
    async with program.run_test(size=SMALL) as pilot:
        await pilot.press(*["j"] * 60)
        assert len(program.asked) < 60 / 8
        assert max(len(ids) for ids in program.asked) <= 50
        program.asked.clear()
        await pilot.press("G")
        await pilot.pause()
        assert set(range(999_991, 1_000_001)) <= {id_ for ids in program.asked for id_ in ids}
        assert "number 1000000" in lines(program)[-1]


async def test_rows_that_are_not_here_yet_have_a_quiet_place() -> None:
    program = TableProgram(1_000)
    program.answering = False
    async with program.run_test(size=SMALL) as pilot:
        await pilot.press("G")
        assert [line.split() for line in lines(program)[1:4]] == [["…"]] * 3
        program.table.put_rows([made_up(row_id) for row_id in range(991, 1_001)])
        assert "number 991" in lines(program)[1]


async def test_few_rows_are_held_however_many_are_seen() -> None:
    program = TableProgram(100_000)
    async with program.run_test(size=(80, 50)) as pilot:
        await pilot.press(*["pagedown"] * 25)
        assert len(program.table._window._rows) <= 1_000
        assert "…" not in "".join(lines(program))


async def test_enter_l_and_a_double_click_open_the_row() -> None:
    program = TableProgram(100)
    async with program.run_test(size=SMALL) as pilot:
        await pilot.press("enter", "j", "l")
        await pilot.click(program.table, offset=(20, 6), times=2)
        assert program.opened == [1, 2, 6]


async def test_a_click_moves_the_cursor_and_a_click_on_a_header_asks_to_sort() -> None:
    program = TableProgram(100)
    async with program.run_test(size=SMALL) as pilot:
        await pilot.click(program.table, offset=(20, 4))
        assert program.table.cursor == 3
        await pilot.click(program.table, offset=(14, 0))
        await pilot.click(program.table, offset=(4, 0))
        assert program.sorts == ["name", "score"]


async def test_the_wheel_scrolls_and_takes_the_cursor_along() -> None:
    program = TableProgram(100)
    async with program.run_test(size=SMALL) as pilot:
        table = program.table
        await pilot._post_mouse_events([MouseScrollDown], table, offset=(20, 4))
        assert (table.top, table.cursor) == (3, 3)


async def test_dragging_the_scrollbar_goes_through_the_whole_list() -> None:
    program = TableProgram(1_000_000)
    async with program.run_test(size=SMALL) as pilot:
        table = program.table
        await pilot.mouse_down(table, offset=(79, 1))
        await pilot.hover(table, offset=(79, 10))
        assert table.top == 1_000_000 - 10
        assert table.cursor == table.top
        await pilot.mouse_up(table, offset=(79, 10))
        await pilot.hover(table, offset=(79, 3))
        assert table.top == 1_000_000 - 10


def thumb(program: TableProgram) -> list[int]:
    return [y for y, line in enumerate(lines(program)) if line.endswith("▐")]


async def test_the_scrollbar_shows_where_the_window_is_and_none_where_all_fits() -> None:
    program = TableProgram(40)
    async with program.run_test(size=SMALL) as pilot:
        assert thumb(program) == [1, 2]
        await pilot.press("G")
        assert thumb(program) == [9, 10]
    program = TableProgram(10)
    async with program.run_test(size=SMALL):
        assert thumb(program) == []


async def test_space_selects_and_moves_on() -> None:
    program = TableProgram(100)
    async with program.run_test(size=SMALL) as pilot:
        await pilot.press("space", "j", "space", "k", "space")
        assert selected(program) == [1]
        assert [line[1] for line in lines(program)[1:4]] == ["*", " ", " "]


async def test_a_range_follows_the_cursor_until_it_is_taken() -> None:
    program = TableProgram(100)
    async with program.run_test(size=SMALL) as pilot:
        await pilot.press("j", "V", "j", "j", "j", "k")
        assert [line[1] for line in lines(program)[1:6]] == [" ", "*", "*", "*", " "]
        await pilot.press("V", "j", "j")
        assert selected(program) == [2, 3, 4]
        await pilot.press("V", "k", "space")
        assert selected(program) == [2, 3, 4, 5, 6]


async def test_selecting_a_million_is_one_flag_and_inverting_it_another() -> None:
    program = TableProgram(1_000_000)
    async with program.run_test(size=SMALL) as pilot:
        table = program.table
        await pilot.press("*")
        assert table.selected_count == 1_000_000
        await pilot.press("space")
        assert table.selected_count == 999_999
        await pilot.press("~")
        assert selected(program) == [1]
        assert table.clear_selection()
        assert not table.clear_selection()
        assert selected(program) == []


async def test_reading_the_list_again_keeps_cursor_scroll_and_selection() -> None:
    program = TableProgram(1_000)
    async with program.run_test(size=SMALL) as pilot:
        table = program.table
        await pilot.press("space", *["j"] * 20, "k")
        was = (table.cursor_id, table.cursor - table.top)
        order = array("q", range(1_000, 0, -1))
        table.show(order, keep="place", sort=Sort("name"))
        await pilot.pause()
        assert (table.cursor_id, table.cursor - table.top) == was
        assert selected(program) == [1]
        assert f"number {was[0]} " in lines(program)[was[1] + 1]


async def test_a_row_that_is_gone_leaves_the_cursor_at_its_place() -> None:
    program = TableProgram(10)
    async with program.run_test(size=SMALL) as pilot:
        table = program.table
        await pilot.press("G")
        table.show(array("q", range(1, 10)), keep="place")
        assert table.cursor_id == 9
        table.show(array("q"), keep="place")
        assert (table.cursor, table.total, table.cursor_row) == (0, 0, None)
        await pilot.press("j", "G", "enter", "space", "V", "V")
        assert program.opened == []


async def test_another_question_starts_at_the_top_and_lets_all_go_but_not_single_rows() -> None:
    program = TableProgram(100)
    async with program.run_test(size=SMALL) as pilot:
        table = program.table
        await pilot.press("space", "G")
        table.show(array("q", range(1, 51)), keep="nothing")
        assert (table.cursor, table.top, table.selected_count) == (0, 0, 1)
        await pilot.press("*")
        table.show(array("q", range(1, 91)), keep="nothing")
        assert table.selected_count == 0


async def test_the_first_page_is_usable_before_all_ids_are_known() -> None:
    program = TableProgram(0)
    async with program.run_test(size=SMALL) as pilot:
        table = program.table
        rows = [made_up(row_id) for row_id in range(1, 101)]
        table.show(array("q", range(1, 101)), rows, total=5_000)
        await pilot.press("G")
        assert (table.cursor, table.cursor_row) == (4_999, None)
        await pilot.press("enter", "space", "k")
        table.complete(array("q", range(1, 5_001)))
        await pilot.pause()
        assert (table.cursor, table.cursor_id) == (4_998, 4_999)
        assert program.opened == []
        assert "number 4999 " in lines(program)[-2]


async def test_a_name_from_a_stranger_is_only_text() -> None:
    name = "\x1b]52;c;eA==\x07[red]\u202e[/]" + "x" * 10_000
    program = TableProgram(3, first_name=name)
    async with program.run_test(size=(120, 10)):
        shown = lines(program)[1]
        assert "␛]52;c;eA==␇[red]⟨U+202E⟩[/]xx" in shown
        assert shown.isprintable()
        assert len(shown) == 120
