"""Text messages that come in: answers, STOP in several languages, and what is nobody's."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from sqlalchemy import func, select

from crm_tui.config import Settings
from crm_tui.db.engine import Database
from crm_tui.db.models import Business, ContactPoint, Event, Message, Suppression, Unmatched
from crm_tui.errors import BadInput
from crm_tui.services import consent, undo
from crm_tui.services.inbox import matching
from crm_tui.services.suppression import barring, freeing
from crm_tui.services.suppression.values import Value
from crm_tui.services.texts_in import (
    STOPPED,
    Answered,
    Concern,
    TextIn,
    tell_answer,
    wants_no_more,
    wants_them_again,
)
from crm_tui.vocabulary import (
    ContactKind,
    ContactState,
    EventKind,
    MessageState,
    SuppressionKind,
    UnmatchedKind,
)
from tests.campaigns.making import a_running
from tests.texts.texting import (
    Desk,
    a_desk,
    a_text,
    add_called,
    agree,
    rows,
    settings_to_text,
    told,
)

SETTINGS = settings_to_text()
NUMBER = "+17185550201"


@pytest.mark.parametrize(
    "text",
    [
        *("STOP", "stop", " Stop. ", "Stop please", "STOP!!! who is this", "“STOP”", "stopall"),
        *("Stop all", "UNSUBSCRIBE", "Cancel", "END", "quit", "Revoke", "OPTOUT", "Opt-out", "opt out"),
        *("Stopp", "Abmelden bitte", "aufhören", "AUFHÖREN", "Ende", "Arrêt", "ARRET", "Arrêter svp"),
        *("Désabonner", "BAJA", "Parar", "Cancelar suscripción", "do not text me", "Don't text me again"),
        *("remove me", "stop\nmy mother has this number", "🛑 STOP"),
    ],
)  # fmt: skip
def test_any_first_word_of_stopping_is_one(text: str) -> None:
    assert wants_no_more(text)


@pytest.mark.parametrize(
    "text",
    [
        *("", "   ", "🙂", "Yes please", "No", "Please do not stop", "I will stop by on Monday"),
        *(
            "End of March works for me",
            "Ende des Monats",
            "Endive salad",
            "stopwatch",
            "Quite nice",
        ),
        *("Remove the second picture", "Para mí sí", "Start", "?"),
    ],
)
def test_other_words_are_none(text: str) -> None:
    assert not wants_no_more(text)


@pytest.mark.parametrize(
    ("text", "again"),
    [("START", True), ("Unstop.", True), ("Start on Monday", False), ("yes", False), ("", False)],
)
def test_start_is_known_where_it_stands_alone(text: str, again: bool) -> None:
    assert wants_them_again(text) is again


def a_text_in(text: str, at: datetime, *, sender: str = NUMBER, key: str = "SM900") -> TextIn:
    return TextIn(sender=sender, text=text, occurred_at=at, key=key, provider="twilio")


async def answer(db: Database, text: str, at: datetime, **more: str) -> Answered:
    async with db.write() as session:
        return await tell_answer(session, a_text_in(text, at, **more), now=at)


async def a_texted_lead(
    db: Database, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> tuple[int, Desk]:
    """A lead that got the first of two texts."""
    desk = a_desk(db, SETTINGS, monkeypatch)
    (lead,) = await add_called(db, 1, now)
    await agree(db, [lead], now)
    await a_running(db, SETTINGS, now, steps=(a_text(), a_text(delay="1d")))
    assert (await desk.at(now)).sent == 1
    return lead, desk


async def test_an_answer_stands_on_the_timeline_and_ends_the_sequence(
    db: Database, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    lead, desk = await a_texted_lead(db, now, monkeypatch)
    at = now + timedelta(hours=1)
    assert await answer(db, "Looks good, call me", at) == Answered(Concern.TOLD, lead)
    assert (EventKind.REPLIED, "answer by text message: Looks good, call me") in await told(
        db, lead
    )
    assert await rows(db, Message.state, Message.reason, Message.replied_at) == [
        (MessageState.SENT, None, at),
        (MessageState.SKIPPED, "they answered", None),
    ]
    before = await told(db, lead)
    assert await answer(db, "Looks good, call me", at) == Answered(Concern.KNOWN, lead)
    assert await told(db, lead) == before
    assert (await desk.at(now + timedelta(days=3))).sent == 0


async def test_stop_bars_the_number_and_takes_the_consent_back(
    db: Database, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    lead, _ = await a_texted_lead(db, now, monkeypatch)
    at = now + timedelta(hours=1)
    assert await answer(db, "Stop please", at) == Answered(Concern.TOLD, lead)
    async with db.read() as session:
        barred = (await session.execute(select(Suppression.kind, Suppression.value))).all()
        state = await session.scalar(select(ContactPoint.state))
        standing = await consent.standing(session, lead)
        (given,) = await consent.of_lead(session, lead)
    assert [tuple(each) for each in barred] == [(SuppressionKind.PHONE, NUMBER)]
    assert state is ContactState.STOPPED
    assert (standing, given.withdrawn_at) == (None, at)
    assert await rows(db, Message.state, Message.reason, Message.unsubscribed_at) == [
        (MessageState.SENT, None, at),
        (MessageState.SKIPPED, STOPPED, None),
    ]
    assert (EventKind.UNSUBSCRIBED, "wants no more text messages: Stop please") in await told(
        db, lead
    )


async def test_start_is_told_and_frees_nobody(
    db: Database, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    lead, _ = await a_texted_lead(db, now, monkeypatch)
    await answer(db, "STOP", now + timedelta(hours=1))
    await answer(db, "START", now + timedelta(hours=2), key="SM901")
    async with db.read() as session:
        assert await session.scalar(select(func.count(Suppression.id))) == 1
        assert await session.scalar(select(ContactPoint.state)) is ContactState.STOPPED
    assert "take the number off the list to allow it" in (await told(db, lead))[-1][1]


async def test_who_was_never_texted_and_is_no_lead_does_not_concern_us(
    db: Database, now: datetime
) -> None:
    assert await answer(db, "STOP", now, sender="+17185550999") == Answered(Concern.NOT_OURS)
    async with db.read() as session:
        assert await session.scalar(select(func.count(Suppression.id))) == 0


async def test_a_lead_that_texts_first_is_told_of(db: Database, now: datetime) -> None:
    (lead,) = await add_called(db, 1, now)
    assert await answer(db, "Are you open?", now) == Answered(Concern.TOLD, lead)


async def test_a_number_that_no_lead_has_any_more_waits_and_is_barred_all_the_same(
    db: Database, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    lead, _ = await a_texted_lead(db, now, monkeypatch)
    async with db.write() as session:
        point = (await session.scalars(select(ContactPoint))).one()
        await session.delete(point)
        (await session.get_one(Business, lead)).phone = None
    at = now + timedelta(hours=1)
    assert (await answer(db, "Stop", at)).concern is Concern.WAITS
    assert (await answer(db, "Stop", at)).concern is Concern.KNOWN
    async with db.read() as session:
        (item,) = await matching.items(session)
        barred = await session.scalar(select(Suppression.value))
    assert (item.kind, item.sender, item.text) == (UnmatchedKind.UNSUBSCRIBE, NUMBER, "Stop")
    assert barred == NUMBER
    async with undo.action(db, "linked it", now=at) as session:
        await matching.link(session, item.id, lead, settings=Settings(), now=at)
    async with db.read() as session:
        assert await session.scalar(select(ContactPoint.value)) == NUMBER
        assert await session.scalar(select(func.count(Unmatched.id))) == 1
        kinds = list(await session.scalars(select(Event.kind).order_by(Event.id)))
    assert EventKind.UNSUBSCRIBED in kinds


async def test_somebody_unknown_who_answers_can_become_a_lead(
    db: Database, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    lead, _ = await a_texted_lead(db, now, monkeypatch)
    async with db.write() as session:
        await session.delete((await session.scalars(select(ContactPoint))).one())
        (await session.get_one(Business, lead)).phone = None
    await answer(db, "Wrong shop, but interested", now)
    async with db.read() as session:
        (item,) = await matching.items(session)
    async with undo.action(db, "made a lead", now=now) as session:
        new = await matching.create(session, item.id, "Marsh", settings=Settings(), now=now)
    async with db.read() as session:
        found = await session.execute(
            select(ContactPoint.kind, ContactPoint.value).where(ContactPoint.business_id == new)
        )
        assert [tuple(each) for each in found] == [(ContactKind.PHONE, NUMBER)]


async def test_of_two_leads_with_the_number_the_one_we_texted_is_meant(
    db: Database, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    lead, _ = await a_texted_lead(db, now, monkeypatch)
    (other,) = await add_called(db, 1, now, name="Another", phone="+17185550300")
    async with db.write() as session:
        point = await session.scalar(select(ContactPoint).where(ContactPoint.business_id == other))
        assert point is not None
        point.value = NUMBER
    assert await answer(db, "Hello", now + timedelta(hours=1)) == Answered(Concern.TOLD, lead)


async def test_a_number_put_on_the_list_by_hand_skips_what_waits_and_start_lets_it_be_taken_off(
    db: Database, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    await a_texted_lead(db, now, monkeypatch)
    value = Value(SuppressionKind.PHONE, NUMBER)
    async with db.read() as session:
        waiting = await barring.waiting_for(session, [barring.Entry(value, "a wrong number")])
    assert [why for why, _ in waiting] == [f"{barring.SKIPPED}: a wrong number"]
    await answer(db, "STOP", now + timedelta(hours=1))
    async with db.write() as session:
        with pytest.raises(BadInput, match="asked to stop"):
            await freeing.free(session, value, "mine to say", now=now)
        await freeing.free(session, value, "they texted START", force=True, now=now)
    async with db.read() as session:
        assert await session.scalar(select(ContactPoint.state)) is ContactState.UNKNOWN


async def test_a_stop_that_is_told_again_bars_nobody_who_was_freed_since(
    db: Database, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a provider tells a message again once it knows its price."""
    lead, _ = await a_texted_lead(db, now, monkeypatch)
    at = now + timedelta(hours=1)
    await answer(db, "STOP", at)
    async with db.write() as session:
        value = Value(SuppressionKind.PHONE, NUMBER)
        await freeing.free(session, value, "they texted START", force=True, now=at)
    await agree(db, [lead], at)
    assert await answer(db, "STOP", at) == Answered(Concern.KNOWN, lead)
    async with db.read() as session:
        assert await session.scalar(select(func.count(Suppression.id))) == 0
        assert await consent.standing(session, lead) is not None


async def test_an_answer_that_was_linked_is_not_told_again(
    db: Database, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    lead, _ = await a_texted_lead(db, now, monkeypatch)
    async with db.write() as session:
        await session.delete((await session.scalars(select(ContactPoint))).one())
        (await session.get_one(Business, lead)).phone = None
    await answer(db, "Call me", now)
    async with db.read() as session:
        (item,) = await matching.items(session)
    async with undo.action(db, "linked it", now=now) as session:
        await matching.link(session, item.id, lead, settings=Settings(), now=now)
    assert await answer(db, "Call me", now) == Answered(Concern.KNOWN, lead)
    async with db.read() as session:
        kinds = list(await session.scalars(select(Event.kind)))
    assert kinds.count(EventKind.REPLIED) == 1
