"""The store finds what the oracle says: random queries on random leads, in a real file."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from crm_tui.db.engine import Database, WriteSession
from crm_tui.db.models import (
    Business,
    BusinessTag,
    Campaign,
    CampaignStep,
    ContactPoint,
    Event,
    ImportBatch,
    Message,
    Payment,
    Plan,
    SearchDoc,
    Subscription,
    SubscriptionChange,
    Suppression,
    Tag,
    Task,
)
from crm_tui.services import lead_rows, search
from crm_tui.services.filters import Standpoint, render
from crm_tui.services.filters.fields import FIELDS, Field, Kind
from crm_tui.services.filters.tree import Node
from crm_tui.services.lead_query import LeadQuery
from crm_tui.text import fold
from crm_tui.vocabulary import (
    BatchState,
    ContactKind,
    ContactState,
    ContactStatus,
    EventKind,
    Interval,
    MessageState,
    Mode,
    Outcome,
    PaymentState,
    SubscriptionState,
    TaskState,
    WebsiteStatus,
)
from tests.filters.oracle import BARRED, CAMPAIGNS, PLANS, Lead, finds
from tests.filters.trees import leaves, queries

NOW = datetime(2026, 3, 31, 15, 30, tzinfo=UTC)
ZONE = timezone(timedelta(hours=-5))
AT = Standpoint(NOW, ZONE, 60)

VALUES = (
    "Queens", "queens", "QUÉENS", "Que", "New York", "Café", "cafe au lait", "50%", "a_b", 'say "hi"',
    "O'Neil", "x*", "~x", "1..5", "3", "true", "[1]", "7185550142", "(718) 555", "+1", "2",
    "acme.example", "https://www.acme.example/", "joe@acme.example", "US", "ßtrasse", "\U0001f600",
)  # fmt: skip
SEARCHED = (
    "joe",
    "Joe's",
    "café",
    "plumb",
    "Plumbing",
    "queens",
    "718",
    "5550142",
    "acme",
    "late",
    "1",
)
OWN = ("floors", "Floors", "Our id", "x:y", 'a"b')
BATCHES = ("spring.csv", "Café.csv")

value = st.sampled_from(VALUES)
maybe = st.none() | value
times = st.one_of(
    st.integers(-2, 900).map(lambda days: NOW - timedelta(days=days)),
    st.integers(-3_000, 100_000).map(lambda minutes: NOW - timedelta(minutes=minutes)),
    st.integers(-2, 60).map(
        lambda days: datetime(2026, 3, 31, tzinfo=ZONE).astimezone(UTC) - timedelta(days=days)
    ),
)
states = st.sampled_from(ContactState)
odd_json = st.one_of(
    value, st.booleans(), st.none(), st.integers(-5, 5), st.just(""), st.just(10**30),
    st.sampled_from([3.0, 2.5, " 3 ", "4.0", [1, "Queens"], {"a": None}]),
)  # fmt: skip
leads = st.builds(
    Lead,
    name=value,
    score=st.integers(0, 100),
    created=times,
    source=value,
    status=st.sampled_from(ContactStatus),
    site=st.sampled_from(WebsiteStatus),
    outcome=st.sampled_from(Outcome),
    city=maybe,
    category=maybe,
    region=maybe,
    postal=maybe,
    country=st.sampled_from([None, "US", "DE"]),
    street=maybe,
    website=st.sampled_from([None, "https://www.acme.example/", "http://queens.example/a/"]),
    social=st.sampled_from([None, "https://facebook.com/joe"]),
    rating=st.none() | st.integers(0, 50).map(lambda tenths: tenths / 10),
    reviews=st.none() | st.integers(0, 100),
    photos=st.none() | st.integers(0, 100),
    hours=st.sampled_from([None, {}, {"mon": []}]),
    activity=st.none() | times,
    never=st.booleans(),
    archived=st.sampled_from([False, False, False, True]),
    emails=st.lists(
        st.tuples(st.sampled_from(["joe@mail.acme.example", "josé@café.example", "joe@acme.example"]), states),
        max_size=2, unique_by=lambda point: point[0],
    ),
    phones=st.lists(
        st.tuples(st.sampled_from(["+17185550142", "+35722123456"]), states),
        max_size=2, unique_by=lambda point: point[0],
    ),
    tags=st.lists(st.sampled_from(["VIP", "Queens", "Café", "a_b"]), max_size=2, unique=True),
    tasks=st.lists(st.tuples(times, st.booleans()), max_size=2),
    calls=st.lists(st.tuples(times, st.booleans()), max_size=3),
    notes=st.lists(st.tuples(st.sampled_from(["late plumber", "Joe's café"]), st.booleans()), max_size=2),
    custom=st.dictionaries(st.sampled_from(OWN), odd_json, max_size=2),
    batch=st.sampled_from([None, (1, BATCHES[0]), (2, BATCHES[1])]),
    campaigns=st.lists(st.sampled_from(range(len(CAMPAIGNS))), max_size=2, unique=True),
    mails=st.lists(times, max_size=3),
    payments=st.lists(
        st.tuples(st.sampled_from(Mode), st.booleans(), st.sampled_from([None, 0, 1, 2])), max_size=2
    ),
    subscriptions=st.lists(
        st.tuples(
            st.sampled_from(Mode),
            st.lists(st.sampled_from(SubscriptionState), min_size=1, max_size=3),
        ),
        max_size=2,
    ),
    barred=st.sampled_from([False, False, True]),
)  # fmt: skip


one_of_each_field = st.tuples(
    *(leaves(field, value) for field in FIELDS.values()),
    leaves(Field("custom.floors", Kind.OWN, ""), value),
    leaves(Field("custom.our ID", Kind.OWN, ""), value),
)


@given(st.lists(leads, min_size=2, max_size=6), one_of_each_field)
@settings(max_examples=12, suppress_health_check=[HealthCheck.too_slow])
def test_each_field_finds_what_the_oracle_says(
    empty_store: Path, known: list[Lead], asked: tuple[Node, ...]
) -> None:
    _compare(empty_store, known, asked)


@given(
    st.lists(leads, min_size=1, max_size=6),
    st.lists(
        queries(value, st.sampled_from(SEARCHED), st.sampled_from(OWN)), min_size=4, max_size=12
    ),
)
@settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow])
def test_whole_queries_find_what_the_oracle_says(
    empty_store: Path, known: list[Lead], asked: list[Node]
) -> None:
    _compare(empty_store, known, asked)


def _compare(empty_store: Path, known: Sequence[Lead], asked: Sequence[Node]) -> None:
    for number, lead in enumerate(known, start=1):
        lead.id = number
        lead.erased = lead.archived and number % 2 == 0
    with TemporaryDirectory() as folder:
        store = Path(shutil.copy(empty_store, folder))
        found = asyncio.run(_found_in(store, known, asked))
    for query, ids in zip(asked, found, strict=True):
        assert ids == [lead.id for lead in known if finds(query, lead, AT)], render(query)


async def _found_in(store: Path, known: Sequence[Lead], asked: Sequence[Node]) -> list[list[int]]:
    db = Database(store)
    try:
        async with db.write() as session:
            await _write(session, known)
        found = []
        for node in asked:
            query = LeadQuery(render(node), standpoint=AT)
            async with db.read() as session:
                ids = await session.scalars(select(Business.id).where(query.condition()))
                found.append(sorted(ids))
                assert await lead_rows.count(session, query) == len(found[-1])
                rows = await lead_rows.first_rows(session, query, limit=100)
            assert list(await lead_rows.order(db, query)) == [row.id for row in rows]
            assert sorted(row.id for row in rows) == found[-1]
    finally:
        await db.close()
    return found


async def _write(session: WriteSession, known: Sequence[Lead]) -> None:
    session.add_all(
        ImportBatch(file_name=name, format="csv", state=BatchState.DONE, started_at=NOW)
        for name in BATCHES
    )
    await _write_campaigns(session)
    tags = {name: Tag(name=name, folded=fold(name)) for lead in known for name in lead.tags}
    session.add_all(tags.values())
    await session.flush()
    for lead in known:
        business = _business(lead)
        session.add(business)
        await session.flush()
        session.add_all(
            BusinessTag(business_id=lead.id, tag_id=tags[name].id, created_at=NOW)
            for name in lead.tags
        )
        session.add_all(_points(lead))
        session.add_all(_messages(lead))
        session.add_all(_payments(lead))
        await _add_subscriptions(session, lead)
        if lead.barred:
            session.add(_barred("business", business.key))
        session.add_all(_happened(lead))
        session.add_all(
            Task(
                business_id=lead.id,
                what="call",
                due_at=due,
                state=TaskState.DONE if done else TaskState.OPEN,
                created_at=NOW,
                done_at=NOW if done else None,
            )
            for due, done in lead.tasks
        )
        if not lead.erased:
            session.add(_searched(lead, business))
    await session.flush()


async def _write_campaigns(session: WriteSession) -> None:
    session.add_all(_barred(kind, word) for kind, word in BARRED)
    session.add_all(
        Plan(
            id=number,
            name=name,
            folded=fold(name),
            amount=1,
            currency="USD",
            interval=Interval.MONTH,
            created_at=NOW,
        )
        for number, name in enumerate(PLANS, start=1)
    )
    for number, name in enumerate(CAMPAIGNS, start=1):
        campaign = Campaign(
            id=number,
            key=f"campaign {number}",
            name=name,
            name_folded=fold(name),
            audience={},
            created_at=NOW,
            updated_at=NOW,
        )
        session.add(campaign)
    await session.flush()
    session.add_all(
        CampaignStep(id=number, campaign_id=number, position=1, template="hello", source="")
        for number in range(1, len(CAMPAIGNS) + 1)
    )
    await session.flush()


def _barred(kind: str, value: str) -> Suppression:
    return Suppression(kind=kind, value=value, reason="asked", created_at=NOW)


def _messages(lead: Lead) -> list[Message]:
    """A message that waits for each campaign, and single ones that were sent."""
    marks: list[dict[str, Any]] = [
        {"campaign_id": at + 1, "step_id": at + 1, "state": MessageState.QUEUED}
        for at in lead.campaigns
    ]
    marks += [{"state": MessageState.SENT, "sent_at": time, "body": ""} for time in lead.mails]
    return [
        Message(
            **each,
            business_id=lead.id,
            origin_id=lead.id,
            key=f"message {lead.id}-{number}",
            message_id=f"<{lead.id}-{number}@acme.example>",
            token=f"{lead.id}-{number}",
            address=f"{lead.id}@acme.example",
            created_at=NOW,
        )
        for number, each in enumerate(marks)
    ]


def _payments(lead: Lead) -> list[Payment]:
    return [
        Payment(
            key=f"payment {lead.id}-{number}",
            business_id=lead.id,
            provider="stripe",
            mode=mode,
            method="card",
            state=PaymentState.SUCCEEDED if came else PaymentState.FAILED,
            amount=4900,
            currency="USD",
            created_at=NOW,
            paid_at=NOW if came else None,
            plan_id=None if plan is None else plan + 1,
        )
        for number, (mode, came, plan) in enumerate(lead.payments)
    ]


async def _add_subscriptions(session: WriteSession, lead: Lead) -> None:
    for number, (mode, states) in enumerate(lead.subscriptions):
        terms = {"amount": 4900, "currency": "USD", "interval": Interval.MONTH}
        key = f"subscription {lead.id}-{number}"
        subscription = Subscription(
            **terms,
            key=key,
            business_id=lead.id,
            provider="stripe",
            mode=mode,
            state=states[-1],
            started_at=NOW,
            ended_at=NOW if states[-1] is SubscriptionState.ENDED else None,
        )
        session.add(subscription)
        await session.flush()
        session.add_all(
            SubscriptionChange(
                **terms,
                key=f"{key} change {at}",
                subscription_id=subscription.id,
                occurred_at=NOW + timedelta(minutes=at),
                state=state,
            )
            for at, state in enumerate(states)
        )


def _business(lead: Lead) -> Business:
    texts = {
        "name": lead.name,
        "category": lead.category,
        "city": lead.city,
        "region": lead.region,
        "source": lead.source,
    }
    return Business(
        **texts,
        **search.folded(texts),
        id=lead.id,
        key=str(lead.id),
        sort_name=search.sort_name(lead.name),
        street=lead.street,
        postal_code=lead.postal,
        country=lead.country,
        email=lead.emails[0][0] if lead.emails else None,
        phone=lead.phones[0][0] if lead.phones else None,
        website=lead.website,
        rating=lead.rating,
        review_count=lead.reviews,
        photo_count=lead.photos,
        hours=lead.hours,
        qualification_score=lead.score,
        contact_status=lead.status,
        website_status=lead.site,
        outcome=lead.outcome,
        do_not_contact=lead.never,
        do_not_contact_reason="asked" if lead.never else None,
        created_at=lead.created,
        captured_at=lead.created,
        updated_at=lead.created,
        last_activity_at=lead.activity,
        archived_at=NOW if lead.archived else None,
        erased_at=NOW if lead.erased else None,
        batch_id=lead.batch[0] if lead.batch else None,
        custom=lead.custom,
    )


def _points(lead: Lead) -> list[ContactPoint]:
    unknown = ContactState.UNKNOWN
    known = [
        *((ContactKind.EMAIL, value, state) for value, state in lead.emails),
        *((ContactKind.PHONE, value, state) for value, state in lead.phones),
        *((ContactKind.WEBSITE, value, unknown) for value in [lead.website] if value),
        *((ContactKind.SOCIAL, value, unknown) for value in [lead.social] if value),
    ]
    primary = {lead.emails[0][0] if lead.emails else "", lead.phones[0][0] if lead.phones else ""}
    return [
        ContactPoint(
            business_id=lead.id,
            kind=kind,
            value=value,
            is_primary=value in primary or kind is ContactKind.WEBSITE,
            state=state,
            created_at=NOW,
        )
        for kind, value, state in known
    ]


def _happened(lead: Lead) -> list[Event]:
    known = [
        *((EventKind.CALL, time, None, voided) for time, voided in lead.calls),
        *((EventKind.NOTE, NOW, text, voided) for text, voided in lead.notes),
    ]
    return [
        Event(
            key=f"{lead.id}-{number}",
            business_id=lead.id,
            origin_id=lead.id,
            occurred_at=time,
            recorded_at=NOW,
            kind=kind,
            source="you",
            summary=kind.value,
            body=body,
            is_voided=voided,
        )
        for number, (kind, time, body, voided) in enumerate(known)
    ]


_IN_DOCUMENT = ("id", "name", "street", "postal_code", "region", "country", "city", "category")


def _searched(lead: Lead, business: Business) -> SearchDoc:
    columns = {name: getattr(business, name) for name in _IN_DOCUMENT}
    points = [(point.kind, point.value, None) for point in _points(lead)]
    notes = [text for text, voided in lead.notes if not voided]
    document = search.document(columns, points, notes)
    lead.searched = tuple(text for name, text in document.items() if name != "business_id")
    return SearchDoc(**document)
