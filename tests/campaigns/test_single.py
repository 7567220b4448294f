"""Mails to one lead: written, answered, queued, taken back."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from sqlalchemy import select

from crm_tui.db.engine import Database
from crm_tui.db.models import Business, ContactPoint, Message, Suppression
from crm_tui.errors import BadInput, NotFound
from crm_tui.services import events
from crm_tui.services.events import NewEvent
from crm_tui.services.sending import single
from crm_tui.services.sending.account import account
from crm_tui.services.sending.single import Letter
from crm_tui.services.templating.files import Kind, read_template
from crm_tui.services.templating.language import MissingField
from crm_tui.vocabulary import (
    ContactState,
    ContactStatus,
    EventKind,
    MessageState,
    SuppressionKind,
)
from crm_tui.worker import Worker
from tests.campaigns.making import (
    HELLO,
    WITH_CITY,
    WITH_SITE,
    add_leads,
    change_address,
    settings_to_send,
    through_smtp,
)
from tests.campaigns.test_whole_path import World
from tests.conftest import AddLead
from tests.providers.mail_server import mail_server

SETTINGS = settings_to_send()
MINE = account(SETTINGS)


async def queued(db: Database, letter: Letter, now: datetime) -> int:
    async with db.write() as session:
        return await single.queue(session, letter, MINE, now=now)


async def answered(db: Database, lead: int, now: datetime, sender: str) -> None:
    async with db.write() as session:
        await events.record(
            session,
            NewEvent(
                lead,
                EventKind.REPLIED,
                now,
                "answer: Your site",
                "mailbox",
                moves_to=ContactStatus.REPLIED,
                body="How much?\n\nJoe",
                data={
                    "from": sender,
                    "subject": "Re: Your site",
                    "message_id": "<theirs@plumber1.com>",
                    "references": ["<ours@berg-sites.com>"],
                },
            ),
            now=now,
        )


async def test_a_template_is_settled_before_it_is_queued(db: Database, now: datetime) -> None:
    (lead,) = await add_leads(db, 1, now)
    template = read_template(HELLO, name="hello", kind=Kind.TEXT)
    async with db.read() as session:
        letter = await single.from_template(session, lead, template, MINE)
    message = await queued(db, replace(letter, text=letter.text + "PS\n"), now)
    async with db.read() as session:
        row = await session.get_one(Message, message)
    assert (row.subject, row.address, row.due_at) == ("For Plumber 1", "joe@plumber1.com", now)
    assert row.body is not None
    assert row.body.endswith("PS\n")
    assert row.token in row.body
    assert row.campaign_id is None


@pytest.mark.parametrize(
    ("source", "error", "words"),
    [(WITH_CITY, MissingField, "city"), (WITH_SITE, BadInput, "site is not published")],
)
async def test_what_a_template_lacks_is_said(
    db: Database, now: datetime, source: str, error: type[Exception], words: str
) -> None:
    (lead,) = await add_leads(db, 1, now)
    template = read_template(source, name="bad", kind=Kind.TEXT)
    async with db.read() as session:
        with pytest.raises(error, match=words):
            await single.from_template(session, lead, template, MINE)


async def test_a_lead_without_an_address_gets_no_mail(db: Database, add_lead: AddLead) -> None:
    lead = await add_lead("Acme")
    async with db.read() as session:
        with pytest.raises(BadInput, match="Acme has no e-mail address"):
            await single.blank(session, lead)
        with pytest.raises(NotFound):
            await single.blank(session, 99)


async def test_an_answer_goes_on_in_their_thread(db: Database, now: datetime) -> None:
    (lead,) = await add_leads(db, 1, now)
    await answered(db, lead, now, "joe@plumber1.com")
    async with db.read() as session:
        letter = await single.reply(session, lead)
    assert (letter.to, letter.subject) == ("joe@plumber1.com", "Re: Your site")
    assert letter.text == "\n\njoe@plumber1.com wrote:\n> How much?\n>\n> Joe\n"
    await queued(db, replace(letter, text="500." + letter.text), now)
    async with mail_server() as post:
        settings = through_smtp(settings_to_send(quiet_hours="00:00-23:59"), post.port)
        world = World(db, post, settings, now)
        report = await world.work()
    assert report.sent == 1  # whoever wrote is answered at any hour
    (mail,) = world.mails()
    assert mail["In-Reply-To"] == "<theirs@plumber1.com>"
    assert mail["References"].split() == ["<ours@berg-sites.com>", "<theirs@plumber1.com>"]


async def test_an_address_they_answered_from_becomes_theirs(db: Database, now: datetime) -> None:
    (lead,) = await add_leads(db, 1, now)
    await answered(db, lead, now, "Joe.Private@Plumber-Home.com")
    async with db.read() as session:
        letter = await single.reply(session, lead)
    await queued(db, replace(letter, text="Yes."), now)
    async with db.read() as session:
        found = await session.scalars(
            select(ContactPoint.value).where(ContactPoint.business_id == lead)
        )
        primary = await session.scalar(select(Business.email).where(Business.id == lead))
    assert "joe.private@plumber-home.com" in found.all()
    assert primary == "joe@plumber1.com"


async def test_nobody_can_be_answered_who_has_not_written(db: Database, now: datetime) -> None:
    (lead,) = await add_leads(db, 1, now)
    async with db.read() as session:
        with pytest.raises(NotFound, match="has written no mail"):
            await single.reply(session, lead)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"text": " \n"}, "has no text"),
        ({"subject": "\n"}, "has no subject"),
        ({"to": "nonsense"}, "cannot be written to"),
        ({"to": "other@plumber1.com"}, "is no address of this lead's"),
    ],
)
async def test_a_mail_that_cannot_be_is_refused(
    db: Database, now: datetime, changed: dict[str, str], words: str
) -> None:
    (lead,) = await add_leads(db, 1, now)
    letter = Letter(business_id=lead, to="joe@plumber1.com", subject="Hi", text="Hello")
    with pytest.raises(BadInput, match=words):
        await queued(db, replace(letter, **changed), now)  # type: ignore[arg-type]


@pytest.mark.parametrize("how", ["suppressed", "unsubscribed"])
async def test_nothing_is_queued_for_whom_nothing_may_go_to(
    db: Database, now: datetime, how: str
) -> None:
    (lead,) = await add_leads(db, 1, now)
    if how == "suppressed":
        async with db.write() as session:
            session.add(
                Suppression(
                    kind=SuppressionKind.EMAIL,
                    value="joe@plumber1.com",
                    reason="no",
                    created_at=now,
                )
            )
    else:
        await change_address(db, lead, state=ContactState.UNSUBSCRIBED)
    letter = Letter(business_id=lead, to="joe@plumber1.com", subject="Hi", text="Hello")
    with pytest.raises(BadInput, match="Plumber 1 gets no mail"):
        await queued(db, letter, now)
    async with db.read() as session:
        assert (await session.scalars(select(Message.id))).all() == []


async def test_a_subject_is_one_line_whatever_is_typed(db: Database, now: datetime) -> None:
    (lead,) = await add_leads(db, 1, now)
    letter = Letter(
        business_id=lead, to="joe@plumber1.com", subject="Hi\r\nBcc: all@x.com", text="Hello"
    )
    message = await queued(db, letter, now)
    async with db.read() as session:
        assert (await session.get_one(Message, message)).subject == "Hi Bcc: all@x.com"


async def test_a_mail_that_waits_can_be_taken_back_and_one_that_went_cannot(
    db: Database,
) -> None:
    tuesday = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)
    (lead,) = await add_leads(db, 1, tuesday)
    letter = Letter(business_id=lead, to="joe@plumber1.com", subject="Hi", text="Hello")
    first, second = await queued(db, letter, tuesday), await queued(db, letter, tuesday)
    async with db.write() as session:
        await single.take_back(session, first)
        with pytest.raises(BadInput, match="is canceled; it cannot be taken back"):
            await single.take_back(session, first)
        with pytest.raises(NotFound):
            await single.take_back(session, 99)
    report = await Worker(db, SETTINGS, environment={}, now=lambda: tuesday).once()
    assert report.sent == 1
    async with db.read() as session:
        states = [(await session.get_one(Message, each)).state for each in (first, second)]
    assert states == [MessageState.CANCELED, MessageState.SENT]
