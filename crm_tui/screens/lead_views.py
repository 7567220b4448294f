"""Saved views on the screen: which one the list shows, and the dialog that keeps them in order."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from textual import on
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from crm_tui.screens.dialogs import Confirm
from crm_tui.text import visible
from crm_tui.widgets.columns import fit
from crm_tui.widgets.facts import styled
from crm_tui.widgets.lines import Lines
from crm_tui.widgets.look import Role

if TYPE_CHECKING:
    from crm_tui.db.engine import WriteSession
    from crm_tui.screens.base import Host
    from crm_tui.screens.lead_arrangement import Arrangement
    from crm_tui.screens.lead_listing import Asked, LeadListing
    from crm_tui.services.views import View
    from crm_tui.widgets.forms import Form, Save

SHOW_ALL = "v"
"""The letter after `v` that shows all views instead of one."""

_HELP = (
    "enter  show         s  save the list as a view",
    "e  name and letter  J K  down, up in the order",
    "c  count            D  delete",
)


async def learn_views(shows: ShowsViews) -> None:
    """Read which views there are, so that their letters can be told."""
    db = await shows.host.store()
    await shows.listing.shown.wait()
    from crm_tui.services import views

    async with db.read() as session:
        shows.arrangement.views = await views.listed(session)


async def choose_view(shows: ShowsViews, letter: str) -> None:
    """Show the view of a letter; all views where that is the one for it."""
    db = await shows.host.store()
    from crm_tui.services import views

    async with db.read() as session:
        found = await views.listed(session)
    if letter == SHOW_ALL:
        await shows.app.push_screen(ViewsDialog(shows, found))
        return
    view = next((view for view in found if view.letter == letter), None)
    if view is None:
        shows.host.say(f"No view has the letter {letter}. v v shows all views.")
    else:
        shows.show_view(view)


class ShowsViews(Protocol):
    """The list that views are shown in."""

    @property
    def app(self) -> App[Any]:
        """Where the dialog is shown."""

    @property
    def host(self) -> Host:
        """The app."""

    asked: Asked
    """What the list shows now."""

    listing: LeadListing
    """What reads it."""

    arrangement: Arrangement
    """Its columns, and the view it shows."""

    def show_view(self, view: View) -> None:
        """Show a view."""

    def show_counts(self) -> None:
        """Say what the list and its view are called now."""


class ViewsDialog(ModalScreen[None]):
    """The views, and what can be done to them; every change can be undone.

    Args:
        shows: The list they are shown in.
        views: What there is.
    """

    DEFAULT_CSS = """
    ViewsDialog {
        align-horizontal: center;
        background: $background 60%;
        & > Vertical {
            width: 64; max-width: 100%; height: auto; max-height: 100%;
            margin-top: 2;
            padding: 1 2;
            background: $surface;
            border-left: outer $accent;
        }
        & #title { text-style: bold; margin-bottom: 1; }
        & #help { margin-top: 1; color: $text-muted; }
    }
    """

    AUTO_FOCUS = "Lines"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q", "leave", "Leave", show=False),
        Binding("enter,l", "show", "Show", show=False),
        Binding("s,plus", "save", "Save the list as a view", show=False),
        Binding("e", "edit", "Name and letter", show=False),
        Binding("J,greater_than_sign", "move(1)", "Down", show=False),
        Binding("K,less_than_sign", "move(-1)", "Up", show=False),
        Binding("c", "count", "Count", show=False),
        Binding("D,delete", "remove", "Delete", show=False),
    ]

    def __init__(self, shows: ShowsViews, views: list[View]) -> None:
        super().__init__()
        self._shows = shows
        self._views = views
        self._counts: dict[int, int | None] = {}

    def compose(self) -> ComposeResult:
        """The views, and the keys."""
        with Vertical():
            yield Static("Saved views", id="title")
            yield Lines()
            yield Static("\n".join(_HELP), id="help", markup=False)

    def on_mount(self) -> None:
        """Begin with the view that is shown."""
        current = self._shows.arrangement.view
        ids = [view.id for view in self._views]
        cursor = ids.index(current.id) if current is not None and current.id in ids else 0
        self._show_all(cursor)

    def on_resize(self) -> None:
        """Let the views scroll where they do not fit, so that the keys stay in sight."""
        self.query_one(Lines).styles.max_height = max(self.size.height - len(_HELP) - 8, 3)

    def _show_all(self, cursor: int | None = None) -> None:
        none = [styled(" There is no view yet. s saves the list as one.", Role.QUIET)]
        self.query_one(Lines).show([*map(self._line, self._views)] or none, cursor)

    def _line(self, view: View) -> Content:
        counted = self._counts.get(view.id)
        count = f"{counted:>9,}" if counted is not None else " " * 9
        if view.id not in self._counts:
            count = ""
        name = fit(view.name, 22)
        return (
            styled(f" {view.letter or ' '}  ", Role.ACCENT)
            + styled(f"{name}{count}  ", Role.STRONG if self._is_shown(view) else Role.TEXT)
            + styled(visible(view.query, 200), Role.QUIET)
        )

    @property
    def _view(self) -> View | None:
        cursor = self.query_one(Lines).cursor
        return self._views[cursor] if cursor < len(self._views) else None

    @on(Lines.Clicked)
    def _clicked(self, message: Lines.Clicked) -> None:
        if message.twice:
            self.action_show()

    def action_show(self) -> None:
        """Show the view."""
        if (view := self._view) is not None:
            self.dismiss()
            self._shows.show_view(view)

    def action_leave(self) -> None:
        """Leave the list as it is."""
        self.dismiss()

    def _is_shown(self, view: View) -> bool:
        shown = self._shows.arrangement.view
        return shown is not None and shown.id == view.id

    def _is_now(self, view: View | None) -> None:
        self._shows.arrangement.view = view
        self._shows.show_counts()

    # Changing them

    async def _action(self, words: str) -> AbstractAsyncContextManager[WriteSession]:
        db = await self._shows.host.store()
        from crm_tui.services import undo

        return undo.action(db, words, now=self._shows.host.now())

    async def _read(self, on: View | None = None) -> None:
        db = await self._shows.host.store()
        from crm_tui.services import views

        async with db.read() as session:
            self._views = await views.listed(session)
        ids = [view.id for view in self._views]
        self._show_all(ids.index(on.id) if on is not None and on.id in ids else None)

    def action_save(self) -> None:
        """Save the list as it is now, as a view."""
        current = self._shows.arrangement.view

        async def save(values: Mapping[str, str]) -> None:
            from crm_tui.services import views

            asked, name = self._shows.asked, " ".join(values["name"].split())
            async with await self._action(f"saved the view {visible(name, 40)}") as session:
                view = await views.save(
                    session,
                    name,
                    asked.text,
                    sort=asked.sort_text,
                    columns=self._shows.arrangement.columns,
                    letter=values["letter"],
                    now=self._shows.host.now(),
                )
            self._is_now(view)
            self._shows.host.say(f"Saved the view {visible(view.name)}. Undo takes it back.")
            await self._read(view)

        name, letter = (current.name, current.letter) if current else ("", None)
        self.app.push_screen(_form("Save the list as a view", name, letter, save))

    def action_edit(self) -> None:
        """Give the view another name or letter."""
        view = self._view
        if view is None:
            return

        async def save(values: Mapping[str, str]) -> None:
            from crm_tui.services import views

            async with await self._action(f"renamed the view {visible(view.name)}") as session:
                renamed = await views.rename(
                    session,
                    view.id,
                    values["name"],
                    values["letter"],
                    now=self._shows.host.now(),
                )
            if self._is_shown(view):
                self._is_now(renamed)
            await self._read(renamed)

        title = f"Name and letter of {visible(view.name)}"
        self.app.push_screen(_form(title, view.name, view.letter, save))

    async def action_move(self, by: int) -> None:
        """Move the view in the order, the cursor with it."""
        place = self.query_one(Lines).cursor
        if self._view is None or not 0 <= place + by < len(self._views):
            return
        from crm_tui.services import views

        moved = self._views.pop(place)
        self._views.insert(place + by, moved)
        async with await self._action(f"moved the view {visible(moved.name)}") as session:
            await views.reorder(
                session, [view.id for view in self._views], now=self._shows.host.now()
            )
        await self._read(moved)

    def action_remove(self) -> None:
        """Delete the view after asking; its leads stay."""
        view = self._view
        if view is None:
            return

        async def remove(wanted: bool | None) -> None:  # noqa: FBT001 - Textual's callback
            if not wanted:
                return
            from crm_tui.services import views

            async with await self._action(f"deleted the view {visible(view.name)}") as session:
                await views.delete(session, view.id)
            if self._is_shown(view):
                self._is_now(None)
            await self._read()

        question = f"Delete the view {visible(view.name)}? Its leads stay."
        self.app.push_screen(Confirm(question, verb="Delete the view"), remove)

    def action_count(self) -> None:
        """Count the leads of every view, one after the other."""
        self.run_worker(
            self._shows.host.guarded(self._count()),
            group="count",
            exclusive=True,
            exit_on_error=False,
        )

    async def _count(self) -> None:
        db = await self._shows.host.store()
        from crm_tui.services import views
        from crm_tui.services.filters import Standpoint

        standpoint = Standpoint.of(self._shows.host.settings, self._shows.host.now())
        for view in list(self._views):
            async with db.read() as session:
                self._counts[view.id] = await views.count(session, view, standpoint)
            self._show_all()


def _form(title: str, name: str, letter: str | None, save: Save) -> Form:
    from crm_tui.widgets.forms import Form, LineField

    fields = [
        LineField("name", "Name", name),
        LineField("letter", "Letter after v", letter or "", hint="none"),
    ]
    return Form(title, fields, save=save)
