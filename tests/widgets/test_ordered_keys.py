from __future__ import annotations

import asyncio
from collections.abc import Iterable

from textual import events
from textual.message import Message
from textual.widget import Widget

from crm_tui.widgets.ordered_keys import OrderedKeysApp


class Slow(Widget, can_focus=True):
    """Takes longer over its first key than a lost one is waited for, and tells of it in a message."""

    class Told(Message):
        def __init__(self, key: str) -> None:
            super().__init__()
            self.key = key

    async def on_key(self, event: events.Key) -> None:
        if event.key == "a":
            await asyncio.sleep(0.4)
        self.post_message(self.Told(event.key))


class Host(OrderedKeysApp):
    def __init__(self) -> None:
        super().__init__()
        self.told: list[str] = []
        self.in_hand = 0

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


async def test_keys_wait_for_what_they_mean_before_the_first_of_them_is_done() -> None:
    app, ready = Host(), asyncio.Event()
    async with app.run_test() as pilot:
        app.keys_wait_for(ready)
        app.post_message(events.Key("b", "b"))
        await pilot.pause(0.1)
        assert app.told == []
        ready.set()
        while "b" not in app.told:
            await pilot.pause(0.05)


async def test_an_urgent_key_does_not_wait_for_those_before_it() -> None:
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
            await pilot.pause(0.05)
