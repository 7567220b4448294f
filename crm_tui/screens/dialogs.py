"""Small dialogs: yes or no, and one of many by typing a part of its name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar, NamedTuple

from rich.cells import cell_len
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Button, Input, OptionList, Static
from textual.widgets.option_list import Option

from crm_tui.errors import UserError
from crm_tui.text import fold, visible
from crm_tui.widgets.facts import styled
from crm_tui.widgets.look import Role


class Confirm(ModalScreen[bool]):
    """Asks before something is done. The button says what it does; esc leaves everything as it is.

    Args:
        question: What is about to happen, in a sentence or two.
        verb: What the button that does it says: "Build 148 sites".
        leave: What the other one says.
        careful: Start on the other button, where there is no way back.
    """

    DEFAULT_CSS = """
    Confirm {
        align: center middle;
        background: $background 60%;
        & > Vertical {
            width: 60; max-width: 100%; height: auto;
            padding: 1 2;
            background: $surface;
            border-left: outer $accent;
        }
        & Horizontal { height: 1; margin-top: 1; }
        & #do, & #leave {
            min-width: 0; padding: 0 1; margin-right: 2;
            background: $surface; color: $text-muted; text-style: none;
            &:focus { background: $panel; color: $text-accent; text-style: bold; }
            &:hover { background: $panel; }
        }
    }
    """

    AUTO_FOCUS = ""
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "Leave", show=False),
        Binding("left,h,up,k", "app.focus_previous", "Previous", show=False),
        Binding("right,l,down,j", "app.focus_next", "Next", show=False),
    ]

    def __init__(
        self, question: str, *, verb: str, leave: str = "Leave it", careful: bool = False
    ) -> None:
        super().__init__()
        self._question = question
        self._verb = verb
        self._leave = leave
        self._first = "#leave" if careful else "#do"

    def compose(self) -> ComposeResult:
        """The question and two buttons."""
        with Vertical():
            yield Static(styled(self._question))
            with Horizontal():
                yield Button(Content(visible(self._verb)), id="do", compact=True)
                yield Button(Content(visible(self._leave)), id="leave", compact=True)

    def on_mount(self) -> None:
        """Start on the button that is safe to press."""
        self.query_one(self._first).focus()

    @on(Button.Pressed, "#do")
    def _do(self) -> None:
        self.dismiss(result=True)

    @on(Button.Pressed, "#leave")
    def action_leave(self) -> None:
        """Leave everything as it is."""
        self.dismiss(result=False)


class Pick(NamedTuple):
    """What can be picked: the value handed back, its name, and a remark at the right."""

    value: str
    name: str
    remark: str = ""


class Picker(ModalScreen[str | None]):
    """One of many: type a part of a name, or go there with the arrows; enter picks.

    Args:
        hint: What the empty line says.
        picks: What there is.
        current: The value the cursor starts on.
        preview: Called with the value the cursor comes to.
        new: The remark beside what is typed and is not there, where that can be picked too.
        admit: Given what is new and picked; a UserError of it is shown, and nothing is picked.
    """

    DEFAULT_CSS = """
    Picker {
        align-horizontal: center;
        background: $background 60%;
        & > Vertical {
            width: 60; max-width: 100%; height: auto; max-height: 100%;
            margin-top: 2;
            padding: 1 0;
            background: $surface;
            border-left: outer $accent;
        }
        & Input, & Input:focus {
            height: 1; border: none; padding: 0 2; background: $surface;
            background-tint: $surface 0%;
        }
        & OptionList, & OptionList:focus {
            height: auto; max-height: 14; margin-top: 1; padding: 0 1;
            border: none; background: $surface; scrollbar-size-vertical: 1;
            & > .option-list--option { padding: 0 1; }
            & > .option-list--option-highlighted { background: $panel; color: $foreground; }
        }
        & #nothing, & #refused { padding: 0 2; margin-top: 1; display: none; }
        & #nothing { color: $text-muted; }
        &.-nothing #nothing, &.-refused #refused { display: block; }
        &.-nothing OptionList { display: none; }
    }
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "Leave", show=False),
        Binding("down,ctrl+n", "step('down')", "Next", show=False),
        Binding("up,ctrl+p", "step('up')", "Previous", show=False),
        Binding("pagedown", "step('page_down')", "Page down", show=False),
        Binding("pageup", "step('page_up')", "Page up", show=False),
    ]

    AUTO_FOCUS = "Input"

    def __init__(
        self,
        hint: str,
        picks: Sequence[Pick],
        *,
        current: str = "",
        preview: Callable[[str], None] | None = None,
        new: str = "",
        admit: Callable[[str], object] | None = None,
    ) -> None:
        super().__init__()
        self._new = new
        self._admit = admit
        self._preview = preview
        self._hint = hint
        self._picks = picks
        self._current = current

    def compose(self) -> ComposeResult:
        """A line to type in, and what matches."""
        with Vertical():
            line = Input(placeholder=self._hint, compact=True)
            line.cursor_blink = False
            yield line
            yield OptionList(markup=False)
            nothing = "Nothing is called that."
            if self._new and not self._picks:
                nothing = f"Type a {self._new}, and enter."
            yield Static(nothing, id="nothing")
            yield Static(id="refused")

    def on_mount(self) -> None:
        """Show all."""
        self._list("")
        values = [pick.value for pick in self._picks]
        if self._current in values:
            self.query_one(OptionList).highlighted = values.index(self._current)

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        self.remove_class("-refused")
        self._list(event.value)

    @on(Input.Submitted)
    def _entered(self) -> None:
        # At once: a key typed ahead must not come to this line while it goes away.
        option = self.query_one(OptionList).highlighted_option
        if option is not None:
            self._pick(option.id)

    @on(OptionList.OptionSelected)
    def _picked(self, event: OptionList.OptionSelected) -> None:
        self._pick(event.option_id)

    def _pick(self, option_id: str | None) -> None:
        is_new = option_id not in {pick.value for pick in self._picks}
        if is_new and self._admit is not None:
            try:
                self._admit(option_id or "")
            except UserError as error:
                self.query_one("#refused", Static).update(styled(str(error), Role.BAD))
                self.add_class("-refused")
                return
        self.dismiss(option_id)

    @on(OptionList.OptionHighlighted)
    def _came_to(self, event: OptionList.OptionHighlighted) -> None:
        if self._preview is not None and event.option_id is not None:
            self._preview(event.option_id)

    def action_step(self, way: str) -> None:
        """Move in the list while the cursor stays in the line."""
        options = self.query_one(OptionList)
        getattr(options, f"action_{'cursor_' if way in {'up', 'down'} else ''}{way}")()

    def action_leave(self) -> None:
        """Pick nothing."""
        self.dismiss(None)

    def _list(self, typed: str) -> None:
        words = fold(typed).split()
        matching = [pick for pick in self._picks if all(w in fold(pick.name) for w in words)]
        if self._new and words and fold(typed) not in {fold(pick.value) for pick in self._picks}:
            # What goes on from what is typed was more likely meant than something new.
            matching.sort(key=lambda pick: not fold(pick.name).startswith(fold(typed)))
            begun = sum(fold(pick.name).startswith(fold(typed)) for pick in matching)
            matching.insert(begun, Pick(typed, visible(typed), self._new))
        options = self.query_one(OptionList)
        options.clear_options()
        options.add_options([Option(self._line(pick), id=pick.value) for pick in matching])
        options.highlighted = 0 if matching else None
        self.set_class(not matching, "-nothing")

    def _line(self, pick: Pick) -> Content:
        """A name and its remark, all remarks beginning at one column; what has no room is cut."""
        room = min(self.app.size.width - _BESIDE, _ROOM)
        longest = max((cell_len(each.remark) for each in self._picks), default=0)
        column = min(_REMARKS_AT, max(room - longest, room // 2))
        name = styled(pick.name).truncate(column - 2 if pick.remark else room, ellipsis=True)
        if not pick.remark:
            return name
        remark = styled(pick.remark, Role.QUIET).truncate(room - column, ellipsis=True)
        return name + " " * (column - name.cell_length) + remark


_BESIDE = 6
"""Cells of a picker that its lines do not have: border, padding and scrollbar."""

_ROOM = 60 - _BESIDE
"""Cells of a line of a picker, where the terminal is as wide as a picker gets."""

_REMARKS_AT = 40
"""The column remarks begin at, where they are short enough."""
