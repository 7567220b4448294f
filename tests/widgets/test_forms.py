from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest
from textual import events
from textual.app import App
from textual.content import Content
from textual.widgets import Static

from crm_tui.errors import BadInput
from crm_tui.widgets.choice import Choice, Option
from crm_tui.widgets.facts import styled
from crm_tui.widgets.forms import ChoiceField, Field, Form, LineField, TextBox, TextField
from crm_tui.widgets.look import Role

OUTCOMES = [Option("no_answer", "no answer"), Option("talked", "talked"), Option("no", "no")]
FIELDS: Sequence[Field] = (
    ChoiceField("outcome", "Outcome", OUTCOMES, "no_answer"),
    LineField("words", "Note"),
    TextField("text", "More", "as it was"),
)


class Host(App[None]):
    def __init__(self, fields: Sequence[Field] = FIELDS, about: Content | None = None) -> None:
        super().__init__()
        self.fields = fields
        self.about = about
        self.saved: list[Mapping[str, str]] = []
        self.results: list[bool | None] = []
        self.refusal = ""

    def on_mount(self) -> None:
        form = Form("A call", self.fields, save=self.save, verb="Save call", about=self.about)
        self.push_screen(form, self.results.append)

    async def save(self, values: Mapping[str, str]) -> None:
        if self.refusal:
            raise BadInput(self.refusal)
        self.saved.append(values)

    @property
    def words(self) -> str:
        return str(self.screen.query_one("#form-words", Static).content)


async def test_a_form_is_filled_and_saved_without_the_mouse() -> None:
    app = Host()
    async with app.run_test() as pilot:
        await pilot.press("2", "tab", *"he is away", "tab", "!", "ctrl+s")
        await pilot.pause()
    assert app.saved == [{"outcome": "talked", "words": "he is away", "text": "as it was!"}]
    assert app.results == [True]


@pytest.mark.parametrize("keys", [("enter",), ("tab", "enter"), ("tab", "tab", "tab", "enter")])
async def test_enter_saves_from_a_choice_a_line_and_the_button(keys: tuple[str, ...]) -> None:
    app = Host()
    async with app.run_test() as pilot:
        await pilot.press(*keys)
        await pilot.pause()
    assert len(app.saved) == 1


async def test_of_a_choice_only_what_is_picked_stands_out_and_only_while_it_has_the_keys() -> None:
    app = Host()
    async with app.run_test() as pilot:
        await pilot.press("2")
        choice = app.screen.query_one(Choice)
        shown = choice.render()
        grounds = [span for span in shown.spans if "on $panel" in str(span.style)]
        assert [shown.plain[each.start : each.end].rstrip() for each in grounds] == ["2  ● talked"]
        await pilot.press("tab")
        assert not [span for span in choice.render().spans if "on $panel" in str(span.style)]


async def test_what_was_refused_is_taken_back_by_typing_on() -> None:
    app = Host()
    app.refusal = "There is no such thing."
    async with app.run_test() as pilot:
        await pilot.press("tab", "enter")
        await pilot.pause()
        assert app.words == app.refusal
        await pilot.press("x")
        await pilot.pause()
        assert app.words == ""


async def test_enter_in_a_text_is_a_new_line() -> None:
    app = Host()
    async with app.run_test() as pilot:
        await pilot.press("tab", "tab", "enter", "x", "ctrl+s")
        await pilot.pause()
    assert app.saved[0]["text"] == "as it was\nx"


async def test_leaving_asks_only_when_typed_text_would_be_lost() -> None:
    app = Host()
    async with app.run_test() as pilot:
        await pilot.press("3", "escape")
        await pilot.pause()
        assert app.results == [False]
    app = Host()
    async with app.run_test() as pilot:
        await pilot.press("tab", "x", "escape")
        await pilot.pause()
        assert app.results == []
        assert "not saved" in app.words
        await pilot.press("y")
        await pilot.pause()
        assert app.words == ""
        await pilot.press("escape", "escape")
        await pilot.pause()
        assert app.results == [False]
    assert app.saved == []


async def test_a_refusal_is_shown_and_what_was_typed_stays() -> None:
    app = Host()
    app.refusal = "There is no such day: 2026-02-31. [red]Write[/red] another."
    async with app.run_test() as pilot:
        await pilot.press("tab", *"words", "ctrl+s")
        await pilot.pause()
        assert app.words == app.refusal
        assert app.results == []
        app.refusal = ""
        await pilot.press("ctrl+s")
        await pilot.pause()
    assert app.saved[0]["words"] == "words"


async def test_readline_keys_work_in_a_line() -> None:
    app = Host([LineField("words", "Note", "one two three")])
    async with app.run_test() as pilot:
        await pilot.press(
            "ctrl+w", "ctrl+a", "X", "ctrl+f", "alt+d", "ctrl+b", "ctrl+f", "ctrl+e", "Z", "ctrl+s"
        )
        await pilot.pause()
    assert app.saved == [{"words": "Xotwo Z"}]


async def test_up_and_down_go_to_the_lines_around() -> None:
    app = Host([LineField("a", "A"), LineField("b", "B")])
    async with app.run_test() as pilot:
        await pilot.press("down", "b", "up", "a", "ctrl+s")
        await pilot.pause()
    assert app.saved == [{"a": "a", "b": "b"}]


async def test_an_editor_that_is_missing_is_named_and_the_text_is_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("VISUAL", raising=False)
    monkeypatch.setenv("EDITOR", "no-such-editor --wait")
    app = Host()
    async with app.run_test() as pilot:
        await pilot.press("tab", "tab", "!", "ctrl+e")
        assert "no-such-editor" in app.words
        assert app.screen.query_one(TextBox).text == "as it was!"


async def test_a_small_terminal_scrolls_the_fields_and_keeps_the_keys_in_sight() -> None:
    app = Host([LineField(f"f{n}", f"Field {n}") for n in range(30)])
    async with app.run_test(size=(50, 14)) as pilot:
        await pilot.press(*["tab"] * 29)
        await pilot.pause()
        assert app.focused is not None
        assert app.focused.id == "f29"
        assert app.screen.query_one("#save").region.bottom <= 14
        assert app.focused.region.bottom <= app.screen.query_one("#save").region.y
        await pilot.resize_terminal(80, 24)
        await pilot.pause()
        assert app.focused.id == "f29"
        assert app.screen.query_one("#form").region.right <= 80


async def test_outside_text_in_a_field_is_shown_and_never_obeyed() -> None:
    hostile = "\x1b]52;c;aGk=\x07 [/] [red]x[/red] \u202e"
    app = Host([LineField("words", "Name", hostile), TextField("text", "Note", hostile)])
    async with app.run_test() as pilot:
        app.post_message(events.Paste(hostile))
        await pilot.pause()
        await pilot.press("tab")
        app.post_message(events.Paste(hostile + "\nsecond"))
        await pilot.pause()
        await pilot.press("ctrl+s")
        await pilot.pause()
    saved = app.saved[0]["words"] + app.saved[0]["text"].replace("\n", "")
    assert saved.count("[red]x[/red]") == 4
    assert saved.isprintable()
    assert "second" in saved


WHEN = (
    LineField(
        "when",
        "When",
        "tomorrow",
        picks=("tomorrow", "next week"),
        reading=lambda text: (f"read: {text}", Role.GOOD),
    ),
    LineField("what", "What"),
)


def reading(app: Host) -> str:
    return str(app.screen.query_one(".reading", Static).content)


async def test_a_line_tells_what_is_understood_while_it_is_typed() -> None:
    app = Host(WHEN)
    async with app.run_test() as pilot:
        assert reading(app) == "read: tomorrow"
        await pilot.press(*"noon")
        assert reading(app) == "read: noon"
        await pilot.press("enter")
        await pilot.pause()
    assert app.saved == [{"when": "noon", "what": ""}]


async def test_the_arrows_go_through_the_picks_and_then_on() -> None:
    app = Host(WHEN)
    async with app.run_test() as pilot:
        await pilot.press("down")
        assert reading(app) == "read: next week"
        await pilot.press("up", "down", "down")
        assert app.focused is app.screen.query_one("#what")
        await pilot.press("up", *"mon", "down", "enter")
        await pilot.pause()
    assert app.saved == [{"when": "mon", "what": ""}]


async def test_twelve_lines_have_room_for_a_field_and_for_why_it_was_refused() -> None:
    about = styled("What this form is about takes more lines than there are here. " * 3)
    app = Host([LineField(f"f{n}", f"Field {n}") for n in range(30)], about=about)
    async with app.run_test(size=(40, 12)) as pilot:
        form = app.screen
        assert isinstance(form, Form)
        await pilot.press(*["tab"] * 29)
        form._say("It cannot be saved as it is. " * 2, Role.BAD)
        await pilot.pause()
        assert app.focused is not None
        assert app.focused.id == "f29"
        words, keys = form.query_one("#form-words"), form.query_one("#form-keys")
        assert app.focused.region.bottom <= words.region.y
        assert words.region.height == 2
        assert words.region.bottom <= keys.region.y < keys.region.bottom <= 12


async def test_an_option_without_room_is_cut_and_hides_none_below_it() -> None:
    options = [Option("a", "Website care: 49.00 USD a month, 99.00 USD"), Option("b", "no plan")]
    app = Host([ChoiceField("plan", "For", options)])
    async with app.run_test(size=(40, 12)):
        choice = app.screen.query_one(Choice)
        lines = [choice.render_line(y).text.rstrip() for y in range(choice.size.height)]
        assert len(lines) == 2
        assert lines[0].startswith("1  ● Website")
        assert lines[0].endswith("…")
        assert lines[1] == "2  ○ no plan"
