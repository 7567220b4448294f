"""Mail in Today and on a lead's page: whose it is, whether it was sent, and answering it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest
from msgspec.structs import replace
from sqlalchemy import select, update
from textual.pilot import Pilot
from textual.screen import Screen
from textual.widgets import Static, TextArea

from crm_tui.app import CrmApp
from crm_tui.config import OperatorSettings
from crm_tui.db.models import Business, Message, SyncCursor, Unmatched
from crm_tui.screens.dialogs import Picker
from crm_tui.screens.lead import LeadScreen
from crm_tui.screens.lead_entry import EntryReader
from crm_tui.screens.today import TodayScreen
from crm_tui.vocabulary import ContactStatus, MessageState, UnmatchedState
from crm_tui.widgets.forms import Form
from crm_tui.widgets.frame import Footer
from tests.conftest import NOW
from tests.inbox.offline import keep
from tests.inbox.world import World, settings_of
from tests.screens.settling import settle

ANN = "ann@plumber.example"
BO = "bo@plumber.example"
UNKNOWN = (f"<{'0a' * 16}@studio.example>",)


class Desk:
    """The app in a test, on Today; its worker rests, as no account is set."""

    def __init__(self, pilot: Pilot[None], app: CrmApp) -> None:
        self.pilot = pilot
        self.app = app

    async def press(self, *keys: str) -> None:
        for key in keys:
            await self.pilot.press(key)
            await settle(self.pilot)

    @property
    def today(self) -> TodayScreen:
        return next(s for s in self.app.screen_stack if isinstance(s, TodayScreen))

    def lines(self) -> list[str]:
        table = self.today._table
        lines = (table.render_line(y).text for y in range(1, table.total + 1))
        return [" ".join(line[1:].split()) for line in lines if line.strip()]

    def in_front(self, kind: type[Screen[Any]]) -> bool:
        return isinstance(self.app.screen, kind)

    @property
    def said(self) -> str:
        return self.app.screen.query_one(Footer).words


@pytest.fixture
async def desk(offline: World) -> AsyncIterator[Desk]:
    settings = settings_of(None)
    settings = replace(
        settings,
        operator=OperatorSettings("UTC"),
        email=replace(settings.email, provider="smtp"),
    )
    app = CrmApp(offline.db.path, settings, now=lambda: NOW)
    async with app.run_test(size=(110, 30)) as pilot:
        desk = Desk(pilot, app)
        await settle(pilot)
        await desk.press("2")
        yield desk


async def show(desk: Desk) -> None:
    desk.today.data_changed()
    await settle(desk.pilot)


async def test_an_answer_stands_in_today_with_its_subject_and_text(
    offline: World, desk: Desk
) -> None:
    _, mail = await offline.mailed("Ace", ANN)
    await keep(offline, cited=(mail.message_id,), text="Yes, please.\nCall me.")
    await offline.collect()
    await show(desk)
    assert desk.lines() == ["Answers 1", "30m Ace Yes, please. Call me."]
    await desk.press("+")
    assert desk.today.has_class("-empty")


async def test_whose_a_mail_is_is_asked_and_said(offline: World, desk: Desk) -> None:
    lead = await offline.lead("Ace", ANN)
    await keep(offline, sender=BO, sender_name="Bo", text="Who is this?", cited=UNKNOWN)
    await offline.collect()
    await show(desk)
    assert desk.lines() == ["No lead 1", f"30m Bo <{BO}> Who is this?"]
    await desk.press("enter")
    assert isinstance(desk.app.screen, EntryReader)
    body = str(desk.app.screen.query("#entry-text Static").first(Static).content)
    assert body.startswith("Who is this?\n\nIt waits because it answers a mail of ours")
    await desk.press("escape", "r")
    assert isinstance(desk.app.screen, Picker)
    await desk.press("enter")
    assert desk.lines() == ["Answers 1", "30m Ace Who is this?"]
    assert desk.said == f"Linked a mail of Bo <{BO}> to Ace. u takes it back."
    assert (await offline.business(lead)).contact_status is ContactStatus.REPLIED
    await desk.press("u")
    assert desk.lines()[0] == "No lead 1"


async def test_escapes_and_turned_letters_of_a_stranger_are_not_written_to_the_screen(
    offline: World, desk: Desk
) -> None:
    ugly = "\u202eevil\u2066 \x1b]0;owned\x07\x1b[31m\x9b2J\u200f"
    await offline.lead("Ace", ANN)
    await keep(
        offline, sender=BO, sender_name=ugly, subject=ugly, text=f"{ugly}\n{ugly}", cited=UNKNOWN
    )
    await offline.collect()
    await show(desk)
    seen = [desk.app.export_screenshot()]
    for keys in (("enter",), ("escape", "r"), ("enter",)):  # reading it, saying whose it is
        await desk.press(*keys)
        seen.append(desk.app.export_screenshot())
    for picture in seen:
        assert "evil" in picture
        assert not set("\x1b\x07\x9b\u202e\u2066\u200f") & set(picture)


async def test_a_lead_is_made_by_typing_its_name(offline: World, desk: Desk) -> None:
    await keep(offline, sender=BO, text="Hello", cited=UNKNOWN)
    await offline.collect()
    await show(desk)
    await desk.press("r", *"Bee", "enter")
    async with offline.db.read() as session:
        (made,) = await session.scalars(select(Business))
    assert (made.name, made.email) == ("Bee", BO)


async def test_a_mail_that_is_nobodys_is_let_go(offline: World, desk: Desk) -> None:
    await keep(offline, sender=BO, text="Hello", cited=UNKNOWN)
    await offline.collect()
    await show(desk)
    await desk.press("x")
    assert desk.today.has_class("-empty")
    (row,) = await offline.rows(Unmatched)
    assert row.state is UnmatchedState.DISMISSED


@pytest.mark.parametrize(
    ("keys", "state", "said"),
    [
        (("r", "enter"), MessageState.SENT, "The mail to Ace was sent."),
        (("r", "down", "enter"), MessageState.QUEUED, "The mail to Ace will be sent again."),
    ],
)
async def test_an_uncertain_message_is_settled(
    offline: World, desk: Desk, keys: tuple[str, ...], state: MessageState, said: str
) -> None:
    lead, mail = await offline.mailed("Ace", ANN)
    async with offline.db.write() as session:
        await session.execute(
            update(Message)
            .where(Message.id == mail.id)
            .values(state=MessageState.UNCERTAIN, reason="it was cut off", sent_at=None)
        )
    await show(desk)
    assert desk.lines() == ["Sent or not 1", f"1h Ace a mail to {ANN}: it was cut off"]
    await desk.press(*keys)
    assert desk.today.has_class("-empty")
    assert desk.said == said
    assert (await offline.states(lead))[0] is state


async def test_a_mailbox_that_cannot_be_read_is_explained(offline: World, desk: Desk) -> None:
    async with offline.db.write() as session:
        session.add(
            SyncCursor(
                provider="imap",
                account="me@imap.example:993",
                stream="",
                cursor={},
                failed_at=datetime(2026, 11, 22, 9, 0, tzinfo=UTC),
                problem="The password was refused.",
            )
        )
    await show(desk)
    assert desk.lines() == ["Mailbox 1", "30m me@imap.example:993 The password was refused."]
    await desk.press("r")
    assert isinstance(desk.app.screen, EntryReader)
    said = [str(each.content) for each in desk.app.screen.query(Static)]
    assert said[:2] == ["The mailbox cannot be read", "2026-11-22 09:00   me@imap.example:993"]
    assert said[2].startswith("The password was refused.\n\nNothing is sent meanwhile")
    await desk.press("escape", "x")
    assert "dealt with otherwise" in desk.said


async def test_r_answers_the_newest_mail_in_its_thread(offline: World, desk: Desk) -> None:
    lead, mail = await offline.mailed("Ace", ANN)
    await keep(
        offline, cited=(mail.message_id,), references=(mail.message_id,), text="What does it cost?"
    )
    await offline.collect()
    await show(desk)
    await desk.press("enter", "r")
    assert desk.in_front(Form)
    text = desk.app.screen.query_one(TextArea)
    assert "> What does it cost?" in text.text
    text.insert("Nine hundred.", (0, 0))
    await desk.press("ctrl+s")
    assert desk.in_front(LeadScreen)
    *_, queued = await offline.messages(lead)
    assert (queued.state, queued.subject, queued.address) == (
        MessageState.QUEUED,
        "Re: A site",
        ANN,
    )
    assert (queued.body or "").startswith("Nine hundred.")
    assert queued.headers == {
        "In-Reply-To": "<mail-1@plumber.example>",
        "References": f"{mail.message_id} <mail-1@plumber.example>",
    }


async def test_without_a_mail_there_is_nothing_to_answer(offline: World, desk: Desk) -> None:
    lead = await offline.lead("Ace", ANN)
    desk.app.push_screen(LeadScreen(lead))
    await settle(desk.pilot)
    await desk.press("r")
    assert desk.said == "Nobody there has written a mail yet."
