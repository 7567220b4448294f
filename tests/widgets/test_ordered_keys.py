from __future__ import annotations

import asyncio
from collections.abc import Iterable

import pytest
from textual import events
from textual.message import Message
from textual.screen import ModalScreen
from textual.widget import Widget
from textual.widgets import Input, TextArea

from crm_tui.widgets.ordered_keys import OrderedKeysApp


class Slow(Widget, can_focus=True):
    """Takes longer over its first key than a lost one is waited for, and tells of it in a message."""

    class Told(Message):
        def __init__(self, key: str) -> None:
            super().__init__()
            self.key = key

    async def on_key(self, event: events.Key) -> None:
        if event.key == "a":
            app = self.app
            assert isinstance(app, Host)
            await app.over_the_first()
        self.post_message(self.Told(event.key))


class Host(OrderedKeysApp):
    def __init__(self) -> None:
        super().__init__()
        self.told: list[str] = []
        self.in_hand = 0

    async def over_the_first(self) -> None:
        """As long as its first key takes."""
        await asyncio.sleep(0.4)

    def compose(self) -> Iterable[Widget]:
        yield Slow()

    def key_arrives(self) -> None:
        self.told.append("key")

    def on_slow_told(self, message: Slow.Told) -> None:
        self.told.append(message.key)


async def test_keys_wait_for_a_slow_one_and_stay_in_step_after_it() -> None:
    app = Host()
    async with app.run_test() as pilot:
        for key in "abcd":
            app.post_message(events.Key(key, key))
        while len(app.told) < 8:
            await pilot.pause(0.05)
    assert app.told == ["key", "a", "key", "b", "key", "c", "key", "d"]


class Urgent(Host):
    def is_urgent(self, key: events.Key) -> bool:
        return key.key == "c"


@pytest.mark.parametrize("patience", [None, 60.0], ids=["the usual patience", "more of it"])
async def test_keys_wait_for_what_they_mean_before_the_first_of_them_is_done(
    monkeypatch: pytest.MonkeyPatch, patience: float | None
) -> None:
    monkeypatch.setattr("crm_tui.widgets.ordered_keys._PATIENCE", 0.02 if patience else 60.0)
    app, ready = Host(), asyncio.Event()
    async with app.run_test() as pilot:
        app.keys_wait_for(ready, at_most=patience)
        app.post_message(events.Key("b", "b"))
        await pilot.pause(0.1)
        assert app.told == []
        ready.set()
        while "b" not in app.told:
            await pilot.pause(0.05)


async def test_keys_do_not_wait_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("crm_tui.widgets.ordered_keys._PATIENCE", 0.02)
    app = Host()
    async with app.run_test() as pilot:
        app.keys_wait_for(asyncio.Event())
        app.post_message(events.Key("b", "b"))
        while "b" not in app.told:
            await pilot.pause(0.01)


async def test_an_urgent_key_does_not_wait_for_those_before_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("crm_tui.widgets.ordered_keys._PATIENCE", 60.0)
    app, never = Urgent(), asyncio.Event()
    async with app.run_test() as pilot:
        app.keys_wait_for(never)
        for key in "bdc":
            app.post_message(events.Key(key, key))
        while "c" not in app.told:
            await pilot.pause(0.05)
        assert app.told == ["c"]
        never.set()
        while "d" not in app.told:
            await pilot.pause(0.05)
    assert app.told == ["c", "key", "b", "key", "d"]


async def test_a_key_whose_widget_is_gone_holds_up_no_others() -> None:
    app = Host()
    async with app.run_test() as pilot:
        slow = app.query_one(Slow)
        app.post_message(events.Key("a", "a"))
        app.post_message(events.Key("b", "b"))
        await slow.remove()
        while app.told.count("key") < 2:
            await pilot.pause(0.01)


class Asking(ModalScreen[str]):
    """Goes away at the first key, as a form does that is saved."""

    AUTO_FOCUS = "Slow"

    def compose(self) -> Iterable[Widget]:
        yield Slow()

    def on_slow_told(self, message: Slow.Told) -> None:
        message.stop()
        self.dismiss(message.key)


async def test_what_a_dialog_begins_as_it_closes_is_done_before_the_next_key() -> None:
    app = Host()
    async with app.run_test() as pilot:

        async def answered(key: str | None) -> None:
            await asyncio.sleep(0.05)
            app.told.append(f"answered {key}")

        await app.push_screen(Asking(), answered)
        app.post_message(events.Key("x", "x"))
        app.post_message(events.Key("b", "b"))
        while "b" not in app.told:
            await pilot.pause(0.005)
    assert app.told == ["key", "answered x", "key", "b"]


class Typed(OrderedKeysApp):
    """A line and a text, and how often the line changed."""

    changes = 0

    def compose(self) -> Iterable[Widget]:
        yield Input()
        yield TextArea()

    def on_input_changed(self) -> None:
        self.changes += 1


async def test_letters_that_pile_up_go_into_a_text_together_and_keys_between_them_in_order() -> (
    None
):
    app, ready = Typed(), asyncio.Event()
    words = "Best Roofing" * 800
    async with app.run_test() as pilot:
        app.keys_wait_for(ready)
        for letter in words:
            app.post_message(events.Key(letter, letter))
        for key in ("left", "!", "tab"):
            app.post_message(events.Key(key, key if len(key) == 1 else None))
        app.post_message(events.Paste("one\ntwo"))
        app.post_message(events.Key(".", "."))
        ready.set()
        while app.query_one(TextArea).text != "one\ntwo.":
            await pilot.pause(0.01)
        assert app.query_one(Input).value == f"{words[:-1]}!{words[-1:]}"
    assert app.changes == 2


class Hanging(Host):
    """Remembers how many keys were given up; the first one takes until then."""

    lost = 0

    async def over_the_first(self) -> None:
        while not self.lost:  # noqa: ASYNC110 - a moment
            await asyncio.sleep(0.01)

    def keys_are_lost(self, number: int) -> None:
        self.lost += number


async def test_keys_behind_one_that_never_ends_are_dropped_and_counted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("crm_tui.widgets.ordered_keys._LONGEST", 0.1)
    app = Hanging()
    async with app.run_test() as pilot:
        for key in "abc":
            app.post_message(events.Key(key, key))
        while not app.lost:
            await pilot.pause(0.01)
        assert app.lost == 2
        while "a" not in app.told:
            await pilot.pause(0.01)
        app.post_message(events.Key("d", "d"))
        while "d" not in app.told:
            await pilot.pause(0.01)
    assert app.told == ["key", "a", "key", "d"]
