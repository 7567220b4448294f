"""An address no browser was opened for: shown as a link, and sent to the clipboard."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, cast

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Static

from crm_tui.errors import UserError
from crm_tui.widgets.facts import styled
from crm_tui.widgets.look import Role

if TYPE_CHECKING:
    from crm_tui.screens.base import Host
    from crm_tui.services.sites.browser import Shown


class AddressScreen(ModalScreen[None]):
    """Why no browser was opened, how to reach the page from the operator's machine, and where.

    Args:
        shown: What there is to say of the preview.
        public: Where the public reads the same site, if it does.
    """

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

    def __init__(self, shown: Shown, *, public: str | None = None) -> None:
        super().__init__()
        self._shown = shown
        self._public = public

    def compose(self) -> ComposeResult:
        """The reason, the command where one is needed, the address, and what was copied."""
        with Vertical():
            yield Static(styled(self._shown.words))
            if self._shown.tunnel:
                yield Static(styled(self._shown.tunnel, Role.STRONG))
            yield Static(styled(self._shown.url, Role.ACCENT, link=self._shown.url))
            yield Static(id="copied")
            if self._public:
                yield Static("The public reads it at:")
                yield Static(styled(self._public, Role.ACCENT, link=self._public), id="public")
            yield Static(styled("Back ") + styled("esc", Role.QUIET), id="keys")

    def on_mount(self) -> None:
        """Copy the address, and say what is known of that."""
        self.run_worker(self._copy(), group="copy", exit_on_error=False)

    async def _copy(self) -> None:
        try:
            words = await cast("Host", self.app).copied(self._shown.url, "Address")
        except UserError as error:
            words = str(error)
        self.query_one("#copied", Static).update(styled(words, Role.QUIET))
