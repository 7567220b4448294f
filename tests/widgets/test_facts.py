from __future__ import annotations

from textual.app import App, ComposeResult

from crm_tui.widgets.facts import Fact, Facts, styled
from crm_tui.widgets.look import Role


class Host(App[None]):
    def compose(self) -> ComposeResult:
        yield Facts()


async def shown(facts: list[Fact], width: int = 40) -> list[str]:
    app = Host()
    async with app.run_test(size=(width, 30)) as pilot:
        widget = app.query_one(Facts)
        widget.set_facts(facts)
        await pilot.pause()
        return [widget.render_line(y).text.rstrip() for y in range(widget.size.height)]


async def test_values_line_up_wrap_and_empty_ones_are_left_out() -> None:
    lines = await shown(
        [
            Fact("Phone", "+1 718-555-0199", "primary"),
            Fact("", "+1 212-555-0100"),
            Fact("Fax", ""),
            Fact("Address", "104-10 Rockaway Boulevard, Ozone Park, New York"),
        ]
    )
    assert lines == [
        "Phone    +1 718-555-0199  primary",
        "         +1 212-555-0100",
        "Address  104-10 Rockaway Boulevard,",
        "         Ozone Park, New York",
    ]


async def test_a_note_that_does_not_fit_stands_below_its_value() -> None:
    assert await shown([Fact("Mail", "office@woodhaven.example", "bounced last week")], 36) == [
        "Mail  office@woodhaven.example",
        "      bounced last week",
    ]


async def test_where_there_are_too_few_lines_the_last_one_says_that_more_was_cut() -> None:
    app = Host()
    async with app.run_test(size=(24, 30)) as pilot:
        widget = app.query_one(Facts)
        widget.styles.max_height = 2
        for address, cut in (
            ("104-10 Rockaway Boulevard, Ozone Park", "         Boulevard, …"),
            ("104-10 Rockaway Boulevard,Ozone Park", "         Boulevard,Ozo …"),
            ("104-10 Rockaway Boulevard", "         Boulevard"),
        ):
            widget.set_facts([Fact("Address", address)])
            await pilot.pause()
            lines = [widget.render_line(y).text.rstrip() for y in range(widget.size.height)]
            assert lines == ["Address  104-10 Rockaway", cut]


async def test_outside_text_is_shown_and_never_obeyed() -> None:
    hostile = "\x1b]52;c;aGk=\x07 [/] [red]x[/red] \u202e" + "long " * 3000
    lines = await shown([Fact("Name", hostile, hostile[:40])], 60)
    text = "\n".join(lines)
    assert "[/] [red]x[/red]" in text
    assert "⟨U+202E⟩" in text
    assert "\x1b" not in text


def test_a_link_that_could_carry_control_characters_is_left_out() -> None:
    assert "tel:+1" in repr(styled("call", Role.ACCENT, link="tel:+1").spans)
    assert "52;c" not in repr(styled("call", link="tel:\x1b]52;c").spans)
    assert "javascript" not in repr(styled("x", link="java script:").spans)
