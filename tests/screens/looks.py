"""Every screen in every look: one line in the test of a screen takes its picture in each.

    @in_every_look
    def test_the_list_looks_as_agreed(look: Look, store: Path, snap_compare: SnapCompare) -> None:
        assert look.compare(snap_compare, store, run_before=pressed("j"))

A look is a size of the terminal and what it can show. What differs between looks is the app's
business (crm_tui/widgets/appearance.py): a screen only has to be readable in each of them.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import pytest
from textual.pilot import Pilot

from crm_tui.app import CrmApp
from crm_tui.config import AppearanceSettings, Settings
from tests.conftest import NOW
from tests.screens.settling import press, settle

RunBefore = Callable[[Pilot[None]], Awaitable[None] | object]


class SnapCompare(Protocol):
    """The fixture of pytest-textual-snapshot."""

    def __call__(
        self,
        app: CrmApp,
        press: Sequence[str] = ...,
        terminal_size: tuple[int, int] = ...,
        run_before: RunBefore | None = ...,
    ) -> bool: ...


@dataclass(frozen=True, slots=True)
class Look:
    """A terminal: how large it is, and whether it has colour and shapes."""

    width: int
    height: int
    colour: bool = True
    shapes: bool = True

    def __str__(self) -> str:
        limits = ("" if self.colour else "-no-colour") + ("" if self.shapes else "-ascii")
        return f"{self.width}x{self.height}{limits}"

    def app(self, store: Path, *, theme: str = "dark") -> CrmApp:
        """The app on a store as this terminal shows it."""
        appearance = AppearanceSettings(theme=theme, ascii=not self.shapes)
        environ = {} if self.colour else {"NO_COLOR": "1"}
        settings = Settings(appearance=appearance)
        return CrmApp(store, settings, now=lambda: NOW, environ=environ)

    def compare(
        self, snap_compare: SnapCompare, store: Path, *, run_before: RunBefore, theme: str = "dark"
    ) -> bool:
        """Whether the app on this store looks as it did when its picture was accepted."""
        app, size = self.app(store, theme=theme), (self.width, self.height)
        return snap_compare(app, terminal_size=size, run_before=run_before)


LOOKS = (
    Look(80, 24),
    Look(120, 40),
    Look(80, 24, colour=False),
    Look(80, 24, shapes=False),
)

in_every_look = pytest.mark.parametrize("look", LOOKS, ids=str)
"""Runs a test once for every look; it is given the look as `look`."""


def pressed(*keys: str) -> RunBefore:
    """Wait for the first screen to be filled, press these keys, and wait for what they began."""

    async def run(pilot: Pilot[None]) -> None:
        await settle(pilot)
        await press(pilot, keys)

    return run
