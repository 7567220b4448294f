"""A program that says which keys it is sent: run as `python -m tests.widgets.key_program`."""

from __future__ import annotations

from textual import events
from textual.app import ComposeResult
from textual.driver import Driver
from textual.widgets import Static

from crm_tui.widgets.keys import key_as_written
from crm_tui.widgets.ordered_keys import OrderedKeysApp
from crm_tui.widgets.terminal import LeanDriver


class KeyProgram(OrderedKeysApp, inherit_bindings=False):
    """Shows how many keys came, and the last one as the registry writes it."""

    ENABLE_COMMAND_PALETTE = False
    came = 0

    def get_driver_class(self) -> type[Driver]:
        """As the program has it."""
        return LeanDriver

    def compose(self) -> ComposeResult:
        """The words."""
        yield Static("0 ready", markup=False)

    def on_key(self, event: events.Key) -> None:
        """Say which key came."""
        self.came += 1
        self.query_one(Static).update(f"{self.came} {key_as_written(event)}")


if __name__ == "__main__":
    KeyProgram().run()
