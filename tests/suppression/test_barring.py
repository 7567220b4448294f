"""Who is put on the list gets nothing more, from that moment; who is taken off may again."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from sqlalchemy import select, update

from crm_tui.config import Settings
from crm_tui.config.sections import EmailSettings, SenderSettings, SendingSettings
from crm_tui.db.engine import Database
from crm_tui.db.models import Business, ContactPoint, Event, Message, Suppression
from crm_tui.errors import BadInput, NotFound
from crm_tui.services import leads, suppression, undo
from crm_tui.services.suppression import Entry, read_value
from crm_tui.vocabulary import ContactState, EventKind, MessageState
from crm_tui.worker import Worker
from tests.conftest import AddLead
from tests.queue_rows import add_campaign, campaign_state, messages

WHY = "asked us to stop"


def value(typed: str) -> suppression.Value:
    return read_value(typed, region="US")


async def bar(db: Database, typed: str, now: datetime, why: str = WHY) -> suppression.Result:
    return await suppression.add(db, Entry(value(typed), why), now=now)


async def on_list(db: Database) -> list[tuple[str, str, str]]:
    async with db.read() as session:
        rows = await session.execute(
            select(Suppression.kind, Suppression.value, Suppression.reason).order_by(Suppression.id)
        )
        return [(kind.value, word, why) for kind, word, why in rows]


async def told(db: Database, lead: int, kind: EventKind) -> list[str]:
    async with db.read() as session:
        return list(
            await session.scalars(
                select(Event.summary).where(
                    Event.business_id == lead, Event.kind == kind, Event.is_voided.is_(False)
                )
            )
        )


async def test_an_address_is_barred_and_its_leads_say_so(
    db: Database, add_lead: AddLead, now: datetime
) -> None:
    joe = await add_lead("Joe", email="joe@plumbing.com")
    result = await bar(db, "Joe@Plumbing.com", now)
    assert (result.added, result.known, result.skipped) == (1, 0, 0)
    assert await on_list(db) == [("email", "joe@plumbing.com", WHY)]
    assert await told(db, joe, EventKind.DO_NOT_CONTACT) == [
        "nothing goes to joe@plumbing.com any more: asked us to stop"
    ]


async def test_what_is_barred_already_keeps_its_reason(db: Database, now: datetime) -> None:
    await bar(db, "joe@plumbing.com", now)
    again = await bar(db, "joe@plumbing.com", now, "competitor")
    assert (again.added, again.standing) == (0, WHY)
    assert await on_list(db) == [("email", "joe@plumbing.com", WHY)]
    async with db.read() as session:
        assert len(await undo.entries(session, limit=9)) == 1


@pytest.mark.parametrize(
    ("barred", "skipped"),
    [
        ("joe@plumbing.com", {"joe"}),
        ("plumbing.com", {"joe", "ann"}),
        ("mail.plumbing.com", {"ann"}),
        ("718-555-0142", set[str]()),
        ("bing.com", set[str]()),
    ],
)
async def test_what_waits_for_them_is_skipped_at_once_with_its_later_steps(
    db: Database, add_lead: AddLead, now: datetime, barred: str, skipped: set[str]
) -> None:
    ids = {
        "joe": await add_lead("Joe", email="joe@plumbing.com", phone="718-555-0142"),
        "ann": await add_lead("Ann", email="ann@mail.plumbing.com"),
        "bob": await add_lead("Bob", email="bob@roofing.com"),
    }
    campaign = await add_campaign(db, list(ids.values()), now=now, steps=2)
    result = await bar(db, barred, now)
    assert result.skipped == 2 * len(skipped)
    states = await messages(db, campaign)
    for name, lead in ids.items():
        for step in (1, 2):
            expected: tuple[str, str | None] = ("queued", None)
            if name in skipped:
                expected = ("skipped", f"on the list of those not to be written to: {WHY}")
            assert states[lead, step] == expected


async def test_a_lead_is_barred_with_everything_that_reaches_it(
    db: Database, add_lead: AddLead, now: datetime
) -> None:
    joe = await add_lead("Joe", email="joe@plumbing.com", phone="718-555-0142")
    campaign = await add_campaign(db, [joe], now=now, steps=2)
    result = await bar(db, f"lead:{joe}", now)
    assert (result.added, result.skipped) == (1, 2)
    assert {(kind, why) for kind, _, why in await on_list(db)} == {
        ("business", WHY),
        ("email", WHY),
        ("phone", WHY),
    }
    async with db.read() as session:
        assert await session.scalar(select(Business.do_not_contact))
    assert await campaign_state(db, campaign) == "finished"
    with pytest.raises(NotFound, match="There is no lead 99"):
        await bar(db, "lead:99", now)


async def test_a_campaign_that_has_nothing_left_is_over_and_goes_on_when_that_is_undone(
    db: Database, add_lead: AddLead, settings: Settings, now: datetime
) -> None:
    joe = await add_lead("Joe", email="joe@plumbing.com")
    campaign = await add_campaign(db, [joe], now=now, steps=2)
    await bar(db, "plumbing.com", now)
    assert await campaign_state(db, campaign) == "finished"
    undone = await undo.undo(db, settings=settings, now=now)
    assert undone.left == []
    assert await on_list(db) == []
    assert set((await messages(db, campaign)).values()) == {("queued", None)}
    assert await campaign_state(db, campaign) == "running"
    assert await told(db, joe, EventKind.DO_NOT_CONTACT) == []
    await undo.redo(db, settings=settings, now=now)
    assert await campaign_state(db, campaign) == "finished"
    assert len(await on_list(db)) == 1


async def test_who_is_barred_between_two_claims_gets_nothing(
    db: Database, add_lead: AddLead, now: datetime
) -> None:
    """Even where the rows of the queue are not told: the claim looks at the list itself."""
    ids = [
        await add_lead("Joe", email="joe@plumbing.com"),
        await add_lead("Ann", email="ann@mail.roofing.com"),
        await add_lead("Bob", email="bob@heating.com"),
        await add_lead("Eve", email="eve@painting.com"),
    ]
    campaign = await add_campaign(db, ids, now=now)
    async with db.write() as session:
        key = await session.scalar(select(Business.key).where(Business.id == ids[2]))
        for kind, word in (
            ("email", "joe@plumbing.com"),
            ("domain", "roofing.com"),
            ("business", key),
        ):
            session.add(Suppression(kind=kind, value=word, reason=WHY, created_at=now))
    settings = Settings(
        sender=SenderSettings(name="Ada", email="ada@sender.example", postal_address="1 Main St"),
        email=EmailSettings(provider="outbox"),
        sending=SendingSettings(quiet_hours="", weekdays_only=False),
    )
    report = await Worker(db, settings, environment={}, now=lambda: now).once()
    assert report.sent == 1
    states = await messages(db, campaign)
    assert states[ids[3], 1] == ("sent", None)
    for lead in ids[:3]:
        assert states[lead, 1] == ("skipped", f"on the list of those not to be written to: {WHY}")


async def test_a_mail_on_its_way_is_not_called_back(
    db: Database, add_lead: AddLead, now: datetime
) -> None:
    joe = await add_lead("Joe", email="joe@plumbing.com")
    campaign = await add_campaign(db, [joe], now=now)
    async with db.write() as session:
        await session.execute(
            update(Message).values(state=MessageState.SENDING, claimed_by="me", body="Hello")
        )
    assert (await bar(db, "joe@plumbing.com", now)).skipped == 0
    assert (await messages(db, campaign))[joe, 1] == ("sending", None)


# Taking off


async def test_who_is_taken_off_may_be_written_to_again_and_it_can_be_undone(
    db: Database, add_lead: AddLead, settings: Settings, now: datetime
) -> None:
    joe = await add_lead("Joe", email="joe@plumbing.com")
    await bar(db, "joe@plumbing.com", now)
    freed = await suppression.remove(db, value("joe@plumbing.com"), "a mistake", now=now)
    assert freed.was == WHY
    assert await on_list(db) == []
    assert await told(db, joe, EventKind.CONTACT_ALLOWED) == [
        "joe@plumbing.com may be used again: a mistake"
    ]
    await undo.undo(db, settings=settings, now=now)
    assert await on_list(db) == [("email", "joe@plumbing.com", WHY)]


async def test_what_is_not_on_the_list_cannot_be_taken_off(db: Database, now: datetime) -> None:
    await bar(db, "plumbing.com", now)
    with pytest.raises(NotFound, match=r"its domain is: plumbing\.com"):
        await suppression.remove(db, value("joe@mail.plumbing.com"), "why not", now=now)
    with pytest.raises(NotFound, match="is not on the list"):
        await suppression.remove(db, value("718-555-0142"), "why not", now=now)
    with pytest.raises(BadInput, match="Say why"):
        await suppression.remove(db, value("plumbing.com"), " ", now=now)


@pytest.mark.parametrize(
    ("state", "how"),
    [
        (ContactState.UNSUBSCRIBED, "unsubscribed"),
        (ContactState.COMPLAINED, "reported a mail as spam"),
    ],
)
async def test_what_people_asked_for_themselves_takes_force(
    db: Database, add_lead: AddLead, now: datetime, state: ContactState, how: str
) -> None:
    joe = await add_lead("Joe", email="joe@plumbing.com")
    await bar(db, "joe@plumbing.com", now)
    async with db.write() as session:
        await session.execute(update(ContactPoint).values(state=state, state_reason="a mail"))
    with pytest.raises(BadInput, match=rf"joe@plumbing.com {how}\. Only they"):
        await suppression.remove(db, value("joe@plumbing.com"), "a mistake", now=now)
    await suppression.remove(db, value("joe@plumbing.com"), "wrote on 3 May", force=True, now=now)
    async with db.read() as session:
        point = (
            await session.execute(
                select(ContactPoint.state, ContactPoint.state_reason).where(
                    ContactPoint.business_id == joe
                )
            )
        ).one()
    assert tuple(point) == (ContactState.UNKNOWN, "wrote on 3 May")


async def test_so_does_what_somebody_asked_who_is_no_lead(db: Database, now: datetime) -> None:
    from crm_tui.services.inbox.telling import UNSUBSCRIBED  # noqa: PLC0415

    await bar(db, "ann@elsewhere.com", now, UNSUBSCRIBED)
    with pytest.raises(BadInput, match="Only they can take that back"):
        await suppression.remove(db, value("ann@elsewhere.com"), "a mistake", now=now)


async def test_an_address_barred_with_its_lead_is_freed_with_it(
    db: Database, add_lead: AddLead, now: datetime
) -> None:
    joe = await add_lead("Joe", email="joe@plumbing.com", phone="718-555-0142")
    await bar(db, f"lead:{joe}", now)
    with pytest.raises(BadInput, match=f"barred with Joe, .* take lead:{joe} off"):
        await suppression.remove(db, value("joe@plumbing.com"), "a mistake", now=now)
    await suppression.remove(db, value(f"lead:{joe}"), "a mistake", now=now)
    assert await on_list(db) == []
    async with db.read() as session:
        assert not await session.scalar(select(Business.do_not_contact))


# Reading


async def test_the_list_is_read_newest_first_with_the_leads_and_can_be_searched(
    db: Database, add_lead: AddLead, settings: Settings, now: datetime
) -> None:
    joe = await add_lead("Joe's Plumbing", email="joe@plumbing.com")
    fields = {"name": "Another", "email": "joe@plumbing.com"}
    async with db.write() as session:
        await leads.add(session, fields, settings=settings, now=now, duplicate=True)
    await bar(db, "joe@plumbing.com", now)
    await bar(db, "roofing.com", now + timedelta(minutes=1), "competitor")

    async def found(words: str) -> list[tuple[str, int | None, str]]:
        ids = await suppression.order(db, words)
        async with db.read() as session:
            rows = {each.id: each for each in await suppression.rows_by_id(session, ids)}
        return [(rows[i].value, rows[i].lead_id, rows[i].name) for i in ids]

    both = [("roofing.com", None, ""), ("joe@plumbing.com", joe, "Joe's Plumbing")]
    assert await found("") == both
    assert await found("COMPET") == both[:1]
    assert await found("domain") == both[:1]
    assert await found("joe stop") == both[1:]
    assert await found("nobody") == []


async def test_the_points_of_a_lead_say_why_they_are_barred(
    db: Database, add_lead: AddLead, now: datetime
) -> None:
    joe = await add_lead("Joe", email="joe@mail.plumbing.com", phone="718-555-0142")
    await bar(db, "plumbing.com", now)
    async with db.read() as session:
        points = {each.value: each.barred for each in await leads.points_of(session, joe)}
    assert points == {"joe@mail.plumbing.com": WHY, "+17185550142": ""}
