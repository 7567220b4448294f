"""What the demo says of itself, and that it says nothing over what the operator was told."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.pilot import Pilot

from crm_tui.app import CrmApp
from crm_tui.keymap import Keymap
from crm_tui.screens.demo_guide import begins, tells
from crm_tui.services.demo.world import Came, Reaction, World
from crm_tui.widgets.frame import Footer
from tests.conftest import NOW
from tests.screens.mailings import SETTINGS
from tests.screens.settling import press, settle

ANSWERED = "Demo: Ace Plumbing answered: 2 shows it."


def test_it_begins_with_what_to_look_at_in_one_line_of_a_small_terminal() -> None:
    words = begins(Keymap())
    assert words == "Demo: a campaign runs by itself. 3 shows it, 2 what comes back, o a site."
    assert len(words) < 78
    assert begins(Keymap({"everywhere.today": ("ctrl+t",)})).count("ctrl+t what comes back") == 1


def test_who_answered_is_told_before_others_and_a_machine_is_nobody() -> None:
    away, gone = Came("Far Away", Reaction.AWAY), Came("Gone", Reaction.BOUNCES)
    stop, ace = Came("Stop", Reaction.OPTS_OUT), Came("Ace Plumbing", Reaction.ANSWERS)
    assert tells([], Keymap()) == tells([away], Keymap()) == ""
    assert tells([away, gone], Keymap()) == (
        "Demo: the mail to Gone came back; no other goes there."
    )
    assert tells([gone, stop], Keymap()) == "Demo: Stop wants no more mail and gets none."
    assert tells([gone, stop, ace], Keymap()) == ANSWERED
    assert "\x1b" not in tells([Came("\x1b[31m{}", Reaction.ANSWERS)], Keymap())


async def told(app: CrmApp, pilot: Pilot[None], words: str) -> bool:
    for _ in range(500):
        await settle(pilot)
        if app.screen.query_one(Footer).words == words:
            return True
        await pilot.pause(0.02)
    return False


async def test_it_tells_what_came_until_a_key_and_not_over_what_the_operator_was_told(
    store_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("crm_tui.app._MAIL_AFTER", 0.01)
    monkeypatch.setattr("crm_tui.app._WATCH_EVERY", 0.05)
    coming: list[Came] = []

    async def step(_world: World, _now: object) -> list[Came]:
        came, coming[:] = list(coming), []
        return came

    monkeypatch.setattr(World, "step", step)
    app = CrmApp(store_path, SETTINGS, now=lambda: NOW, throw_away=True)
    async with app.run_test(size=(120, 30)) as pilot:
        assert await told(app, pilot, begins(app.keymap))
        coming.append(Came("Ace Plumbing", Reaction.ANSWERS))
        assert await told(app, pilot, ANSWERED)
        await press(pilot, ("j",))
        assert await told(app, pilot, "")
        app.say("Saved.")
        coming.append(Came("Gone", Reaction.BOUNCES))
        while coming:
            await pilot.pause(0.02)
        await settle(pilot)
        assert app.screen.query_one(Footer).words == "Saved."
