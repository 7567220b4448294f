"""What providers tell becomes events, facts and statuses: once, whatever its order."""

from __future__ import annotations

import asyncio
import random
import tempfile
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select, text, update

from crm_tui.db.engine import Database
from crm_tui.db.models import (
    Business,
    Campaign,
    ContactPoint,
    Event,
    Message,
    RawRecord,
    Suppression,
)
from crm_tui.providers.events import RawEvent
from crm_tui.services.polling.collecting import Polled, Poller
from crm_tui.services.sending import worker_log
from crm_tui.services.store import prepare
from crm_tui.vocabulary import CampaignState, ContactState, EventKind, MessageState
from tests.conftest import NOW
from tests.polling.scripted import Scripted, raw
from tests.polling.sent import mine, reader, sent_campaign

SENT = NOW - timedelta(hours=2)
PERSON = "Mozilla/5.0 (Windows NT 10.0; Win64; x64)"


def at(minutes: float) -> datetime:
    """So many minutes after the mails were sent."""
    return SENT + timedelta(minutes=minutes)


async def poll(db: Database, records: Sequence[RawEvent], **facts: Any) -> Polled:
    """Have a provider tell, and listen."""
    stream = Scripted(records, **facts)
    return await Poller(db, stream, reader(), mine(), lambda: NOW).poll()


async def message(db: Database, name: str) -> Message:
    async with db.read() as session:
        return (await session.scalars(select(Message).where(Message.provider_id == name))).one()


async def lead(db: Database, name: str) -> Business:
    found = await message(db, name)
    async with db.read() as session:
        return await session.get_one(Business, found.business_id)


async def told(db: Database, *kinds: EventKind) -> list[Event]:
    async with db.read() as session:
        found = select(Event).where(Event.kind.in_(kinds)).order_by(Event.occurred_at, Event.key)
        return list(await session.scalars(found))


async def state_of(db: Database, address: str) -> ContactState:
    async with db.read() as session:
        return (
            await session.scalars(select(ContactPoint.state).where(ContactPoint.value == address))
        ).one()


async def log(db: Database) -> list[str]:
    async with db.read() as session:
        return [line.words for line in await worker_log.lines(session)]


async def test_a_delivery_an_open_and_a_click_are_told_and_move_the_lead(db: Database) -> None:
    (name,) = await sent_campaign(db, 1, at=SENT)
    polled = await poll(
        db,
        [
            raw("1", "delivered", at(0.1), name),
            raw("2", "opened", at(30), name, agent=PERSON),
            raw("3", "clicked", at(31), name, agent=PERSON, url="https://site.example/x"),
        ],
    )
    assert (polled.polled, polled.applied.events, polled.problem) == (3, 3, "")
    assert [each.summary for each in await told(db, *EventKind) if each.source == "mailgun"][
        1:
    ] == [
        "delivered to lead1@acme.example",
        "opened: Hello",
        "clicked https://site.example/x",
    ]
    mail = await message(db, name)
    assert (mail.delivered_at, mail.opened_at, mail.clicked_at) == (at(0.1), at(30), at(31))
    known = await lead(db, name)
    assert known.contact_status == "clicked"
    assert (known.last_activity_at, known.last_activity) == (
        at(31),
        "clicked https://site.example/x",
    )
    assert await state_of(db, "lead1@acme.example") is ContactState.OK


async def test_what_a_machine_did_is_shown_with_its_reason_and_moves_nothing(db: Database) -> None:
    (name,) = await sent_campaign(db, 1, at=SENT)
    await poll(
        db,
        [
            raw("1", "delivered", at(1), name),
            raw("2", "opened", at(40), name, agent="Mozilla/5.0"),
            raw("3", "clicked", at(41), name, machine="a link scanner", url="https://a.example"),
        ],
    )
    opened, clicked = await told(db, EventKind.OPENED, EventKind.CLICKED)
    assert (opened.by_machine, opened.data["machine"]) == (True, "Apple's mail privacy proxy")
    assert (clicked.by_machine, clicked.data["machine"]) == (True, "a link scanner")
    mail = await message(db, name)
    assert (mail.opened_at, mail.machine_opened_at) == (None, at(40))
    assert (mail.clicked_at, mail.machine_clicked_at) == (None, at(41))
    assert (await lead(db, name)).contact_status == "emailed"


async def test_a_delivery_that_is_told_late_shows_that_the_open_was_a_machines(
    db: Database,
) -> None:
    (name,) = await sent_campaign(db, 1, at=SENT)
    await poll(db, [raw("2", "opened", at(5), name, agent=PERSON)])
    assert (await lead(db, name)).contact_status == "opened"
    await poll(db, [raw("1", "delivered", at(4.9), name)], name="later")
    (opened,) = await told(db, EventKind.OPENED)
    assert (opened.by_machine, opened.data["machine"]) == (True, "within 10 seconds of delivery")
    known = await lead(db, name)
    assert (known.contact_status, known.last_activity) == ("emailed", "mail: Hello")
    assert (await message(db, name)).opened_at is None


async def test_a_page_told_again_changes_nothing_and_writes_nothing(db: Database) -> None:
    (name,) = await sent_campaign(db, 1, at=SENT)
    records = [raw(str(n), "opened", at(30 + n), name, agent=PERSON) for n in range(5)]
    stream = Scripted(records, again=True)
    poller = Poller(db, stream, reader(), mine(), lambda: NOW)
    await poller.poll()

    async def rows() -> dict[str, list[Any]]:
        async with db.read() as session:
            tables = ("event", "message", "business", "raw_record", "contact_point")
            return {
                each: list((await session.execute(text(f"SELECT * FROM {each}"))).all())
                for each in tables
            }

    before = await rows()
    again = await poller.poll()
    assert (again.polled, again.applied.events) == (0, 0)
    assert await rows() == before


async def test_a_hard_bounce_marks_the_address_and_ends_the_sequence(db: Database) -> None:
    (name,) = await sent_campaign(db, 1, at=SENT, steps=2)
    await poll(db, [raw("1", "bounced_hard", at(1), name, reason="no such user")])
    (bounced,) = await told(db, EventKind.BOUNCED)
    assert bounced.summary == "came back from lead1@acme.example: no such user"
    assert await state_of(db, "lead1@acme.example") is ContactState.BOUNCED
    assert (await message(db, name)).bounced_at == at(1)
    async with db.read() as session:
        follow_up = await session.scalar(select(Message).where(Message.provider_id.is_(None)))
        assert follow_up is not None
        assert follow_up.state is MessageState.SKIPPED
        assert follow_up.reason == "a mail to lead1@acme.example came back"


@pytest.mark.parametrize(
    ("kind", "state", "column"),
    [
        ("complained", ContactState.COMPLAINED, "complained_at"),
        ("unsubscribed", ContactState.UNSUBSCRIBED, "unsubscribed_at"),
    ],
)
async def test_who_wants_no_more_is_barred_everywhere(
    db: Database, kind: str, state: ContactState, column: str
) -> None:
    (name,) = await sent_campaign(db, 1, at=SENT, steps=2)
    await poll(db, [raw("1", kind, at(60), name)])
    assert await state_of(db, "lead1@acme.example") is state
    assert getattr(await message(db, name), column) == at(60)
    async with db.read() as session:
        barred = (await session.scalars(select(Suppression))).one()
        assert barred.value == "lead1@acme.example"
        waiting = select(Message.id).where(Message.state == MessageState.QUEUED)
        assert await session.scalar(waiting) is None
    assert (await lead(db, name)).contact_status == "emailed"


async def test_what_the_provider_does_not_pass_on_is_told_with_the_list_it_stands_on(
    db: Database,
) -> None:
    (name,) = await sent_campaign(db, 1, at=SENT)
    failed = raw("1", "failed", at(1), name, reason="suppressed", listed="complaint")
    await poll(db, [failed])
    (line,) = await told(db, EventKind.NOT_SENT)
    assert line.summary == "the provider did not pass the mail on: suppressed"
    assert await state_of(db, "lead1@acme.example") is ContactState.COMPLAINED


async def test_too_many_hard_bounces_pause_the_campaign(db: Database) -> None:
    names = await sent_campaign(db, 20, at=SENT, steps=2)
    await poll(db, [raw(name, "bounced_hard", at(1), name) for name in names[:10]])
    async with db.read() as session:
        campaign = (await session.scalars(select(Campaign))).one()
        assert campaign.state is CampaignState.PAUSED
        assert campaign.pause_reason


async def test_a_reason_to_send_no_more_pauses_the_campaign(db: Database) -> None:
    (name,) = await sent_campaign(db, 1, at=SENT, steps=2)
    await poll(db, [raw("1", "failed", at(1), name, pauses="the number is not registered")])
    async with db.read() as session:
        campaign = (await session.scalars(select(Campaign))).one()
        assert (campaign.state, campaign.pause_reason) == (
            CampaignState.PAUSED,
            "the number is not registered",
        )


async def test_what_a_message_cost_is_noted_though_it_is_told_after_the_rest(db: Database) -> None:
    (name,) = await sent_campaign(db, 1, at=SENT)
    delivered = raw("1", "delivered", at(5), name)
    priced = raw("1", "delivered", at(5), name, segments=2, cost=16600, currency="USD")
    await poll(db, [delivered])
    polled = await poll(db, [RawEvent("1:priced", priced.payload)], name="later")
    assert polled.applied.events == 0
    text = await message(db, name)
    assert (text.segments, text.cost, text.currency) == (2, 16600, "USD")
    assert len(await told(db, EventKind.DELIVERED)) == 1


async def test_an_uncertain_mail_is_proven_to_have_been_sent_by_its_key(db: Database) -> None:
    await sent_campaign(db, 1, at=SENT)
    async with db.write() as session:
        await session.execute(
            update(Message).values(
                state=MessageState.UNCERTAIN, reason="cut off", sent_at=None, provider_id=None
            )
        )
    await poll(db, [raw("1", "delivered", at(1), "mailgun-new", key="mailgun-1-1")])
    mail = await message(db, "mailgun-new")
    assert (mail.state, mail.sent_at, mail.delivered_at) == (MessageState.SENT, SENT, at(1))


async def test_other_peoples_mail_leaves_no_trace(db: Database) -> None:
    await sent_campaign(db, 1, at=SENT)
    polled = await poll(db, [raw("1", "opened", at(1), "someone-elses", to="a@other.example")])
    assert polled.polled == 0
    async with db.read() as session:
        assert await session.scalar(select(RawRecord.id)) is None


async def test_two_accounts_of_one_provider_do_not_mix(db: Database) -> None:
    names = await sent_campaign(db, 2, at=SENT)
    for account, name in zip(("one.example", "two.example"), names, strict=True):
        await poll(db, [raw("1", "opened", at(30), name, agent=PERSON)], account=account)
    assert len(await told(db, EventKind.OPENED)) == 2


async def test_what_nobody_can_read_is_kept_as_it_came_and_said(db: Database) -> None:
    (name,) = await sent_campaign(db, 1, at=SENT)
    strange = [
        raw("1", "levitated", at(1), name),
        RawEvent("2", {"name": "2", "kind": "opened"}),
        RawEvent("3", {"at": "whenever"}),
        raw("4", "opened", at(30), name, agent=PERSON, surplus={"of": ["every", "kind"]}),
    ]
    polled = await poll(db, strange)
    assert (polled.applied.events, polled.applied.unread, polled.problem) == (1, 3, "")
    async with db.read() as session:
        kept = list(await session.scalars(select(RawRecord).order_by(RawRecord.id)))
    assert [each.payload for each in kept] == [dict(each.payload) for each in strange]
    assert [each.problem for each in kept] == [
        "an unknown kind of event: levitated",
        "it cannot be read: it has no time",
        "it cannot be read: KeyError 'kind'",
        None,
    ]
    assert sum("was kept as it came" in line for line in await log(db)) == 3


async def test_of_an_erased_lead_nothing_is_kept(db: Database) -> None:
    (name,) = await sent_campaign(db, 1, at=SENT)
    async with db.write() as session:
        await session.execute(update(Business).values(erased_at=NOW))
    await poll(db, [raw("1", "opened", at(30), name, agent=PERSON, url="https://x.example")])
    assert await told(db, EventKind.OPENED) == []
    async with db.read() as session:
        assert await session.scalar(select(RawRecord.id)) is None


async def test_an_answer_by_text_message_is_told_of_the_lead_with_that_number(
    db: Database,
) -> None:
    (name,) = await sent_campaign(db, 1, at=SENT)
    known = await lead(db, name)
    async with db.write() as session:
        point = ContactPoint(
            business_id=known.id,
            kind="phone",
            value="+13105550100",
            is_primary=True,
            created_at=NOW,
        )
        session.add(point)
    answers = [
        raw("1", "replied", at(10), sender="+13105550100", text="Yes, please call"),
        raw("2", "replied", at(11), sender="+13105559999", text="Who is this?"),
    ]
    polled = await poll(db, answers, provider="twilio", account="AC1")
    assert polled.applied.events == 1
    (answer,) = await told(db, EventKind.REPLIED)
    assert (answer.body, answer.business_id) == ("Yes, please call", known.id)
    async with db.read() as session:
        assert [each.external_id for each in await session.scalars(select(RawRecord))] == ["1"]


KINDS = (
    "delivered",
    "opened",
    "clicked",
    "bounced_soft",
    "bounced_hard",
    "unsubscribed",
    "complained",
    "deferred",
    "failed",
    "sent",
)
happenings = st.lists(
    st.tuples(st.sampled_from(KINDS), st.integers(0, 2), st.integers(0, 40), st.integers(0, 3)),
    min_size=1,
    max_size=14,
)


@pytest.mark.parametrize("pages", [1, 3])
@given(happened=happenings, seed=st.integers(0, 10_000))
@settings(max_examples=12)
def test_any_order_and_any_repetition_come_to_the_same(
    happened: list[tuple[str, int, int, int]], seed: int, pages: int
) -> None:
    asyncio.run(_same_whatever_the_order(happened, seed, pages))


async def _same_whatever_the_order(
    happened: list[tuple[str, int, int, int]], seed: int, pages: int
) -> None:
    records = [
        raw(
            str(number),
            kind,
            at(minute / 4),
            f"mailgun-{who + 1}",
            agent=("", PERSON, "Mozilla/5.0", "curl/8")[what],
            url=f"https://{what % 2}.example",
        )
        for number, (kind, who, minute, what) in enumerate(happened)
    ]
    shuffled = [*records, *records[::2]]
    random.Random(seed).shuffle(shuffled)
    found = []
    for told_in, size in ((records, 100), (shuffled, pages)):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "crm.db"
            prepare(path, now=NOW)
            db = Database(path)
            try:
                await sent_campaign(db, 3, at=SENT, steps=2)
                await poll(db, told_in, size=size)
                found.append(await _picture(db))
            finally:
                await db.close()
    assert found[0] == found[1]


async def _picture(db: Database) -> list[Any]:
    async with db.read() as session:
        asked = {
            "event WHERE source = 'mailgun'": "key, kind, by_machine, occurred_at, summary",
            "business": "id, contact_status, last_activity_at",
            "contact_point": "value, state",
            "suppression": "kind, value",
            "message": "id, state, delivered_at, opened_at, clicked_at, machine_opened_at,"
            " machine_clicked_at, bounced_at, soft_bounced_at, complained_at, unsubscribed_at",
        }
        return [
            (await session.execute(text(f"SELECT {columns} FROM {table} ORDER BY 1, 2"))).all()
            for table, columns in asked.items()
        ]
