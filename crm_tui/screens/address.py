"""An address no browser was opened for: shown as a link, and sent to the clipboard."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Static

from crm_tui.services.sites.browser import clipboard_sequence, clipboard_words
from crm_tui.widgets.facts import styled
from crm_tui.widgets.look import Role

if TYPE_CHECKING:
    from crm_tui.services.sites.browser import Shown


class AddressScreen(ModalScreen[None]):
    """Why no browser was opened, how to reach the page from the operator's machine, and where."""

    DEFAULT_CSS = """
    AddressScreen {
        align: center middle;
        background: $background 60%;

        & > Vertical {
            width: 76;
            max-width: 100%;
            height: auto;
            max-height: 100%;
            padding: 1 2;
            background: $surface;
            border-left: outer $accent;
        }
        & Static { margin-bottom: 1; }
        & #keys { margin-bottom: 0; }
    }
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,enter,q,h", "dismiss", "Back", show=False),
    ]

    def __init__(self, shown: Shown, *, environ: Mapping[str, str]) -> None:
        super().__init__()
        self._shown = shown
        self._copy = clipboard_sequence(shown.url, environ)

    def compose(self) -> ComposeResult:
        """The reason, the command where one is needed, the address, and what was copied."""
        with Vertical():
            yield Static(styled(self._shown.words))
            if self._shown.tunnel:
                yield Static(styled(self._shown.tunnel, Role.STRONG))
            yield Static(styled(self._shown.url, Role.ACCENT, link=self._shown.url))
            yield Static(styled(clipboard_words("The address was", self._copy) + ".", Role.QUIET))
            yield Static(styled("Back ") + styled("esc", Role.QUIET), id="keys")

    def on_mount(self) -> None:
        """Ask the terminal to take the address."""
        driver = self.app._driver  # noqa: SLF001 - Textual's own copying does not know tmux
        if driver is not None and self._copy:
            driver.write(self._copy)
            driver.flush()
