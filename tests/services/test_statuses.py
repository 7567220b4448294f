from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from sqlalchemy import insert, select, update

from crm_tui.db.engine import Database
from crm_tui.db.models import Business, Event, Site
from crm_tui.services import events, statuses, timeline, voiding
from crm_tui.services.events import NewEvent
from crm_tui.services.statuses import (
    BuildEvent,
    StatusEvent,
    fold_contact_status,
    fold_website_status,
)
from crm_tui.vocabulary import ContactStatus, EventKind, SiteStatus, WebsiteStatus

if TYPE_CHECKING:
    from tests.conftest import AddLead

START = datetime(2026, 11, 1, tzinfo=UTC)
REACHED = [status for status in ContactStatus if status is not ContactStatus.PENDING]


def at(hour: int) -> datetime:
    return START + timedelta(hours=hour)


def happened(key: str, hour: int, status: ContactStatus, *, origin: int = 1) -> StatusEvent:
    return StatusEvent(key, origin, at(hour), status)


def set_by_hand(
    key: str, hour: int, status: ContactStatus, *, knew: Sequence[StatusEvent] = (), origin: int = 1
) -> StatusEvent:
    overrules = frozenset(event.key for event in knew)
    return StatusEvent(key, origin, at(hour), status, by_hand=True, overrules=overrules)


def void(key: str, hour: int, *taken_out: str) -> StatusEvent:
    return StatusEvent(key, 1, at(hour), voids=frozenset(taken_out))


@st.composite
def histories(draw: st.DrawFn) -> list[StatusEvent]:
    """Any set of events that could stand together: what an event names came before it."""
    history: list[StatusEvent] = []
    for number in range(draw(st.integers(0, 12))):
        key = f"e{number}"
        hour = draw(st.integers(0, 20))
        origin = draw(st.integers(1, 2))
        known = [event.key for event in history]
        what = draw(st.sampled_from(["happened", "happened", "by hand", "void"]))
        if what == "void" and known:
            taken_out = draw(st.sets(st.sampled_from(known), min_size=1, max_size=3))
            history.append(StatusEvent(key, origin, at(100 + number), voids=frozenset(taken_out)))
        elif what == "by hand":
            overrules = draw(st.sets(st.sampled_from(known))) if known else set()
            status = draw(st.sampled_from(list(ContactStatus)))
            history.append(
                StatusEvent(
                    key, origin, at(hour), status, by_hand=True, overrules=frozenset(overrules)
                )
            )
        else:
            status = draw(st.sampled_from(REACHED))
            machine = draw(st.booleans())
            history.append(StatusEvent(key, origin, at(hour), status, by_machine=machine))
    return history


@given(histories(), st.data())
def test_any_order_and_any_repetition_give_the_same_status(
    history: list[StatusEvent], data: st.DataObject
) -> None:
    repeated = history + (data.draw(st.lists(st.sampled_from(history))) if history else [])
    shuffled = data.draw(st.permutations(repeated))
    assert fold_contact_status(shuffled) is fold_contact_status(history)


@given(histories(), st.data())
def test_what_is_undone_counts_as_if_it_had_never_happened(
    history: list[StatusEvent], data: st.DataObject
) -> None:
    happenings = [event for event in history if not event.voids]
    assume(happenings)
    undone = data.draw(st.sampled_from(happenings))
    without = [event for event in happenings if event is not undone]
    assert fold_contact_status([*happenings, void("undo", 200, undone.key)]) is (
        fold_contact_status(without)
    )


@given(histories(), st.data())
def test_redo_restores_and_undoing_the_redo_takes_it_out_again(
    history: list[StatusEvent], data: st.DataObject
) -> None:
    assume(history)
    undone = data.draw(st.sampled_from(history))
    undo = void("undo", 200, undone.key)
    redo = void("redo", 201, "undo")
    again = void("undo again", 202, "redo")
    assert fold_contact_status([*history, undo, redo]) is fold_contact_status(history)
    assert fold_contact_status([*history, undo, redo, again]) is (
        fold_contact_status([*history, undo])
    )


@given(histories())
def test_what_machines_did_moves_nothing(history: list[StatusEvent]) -> None:
    assert fold_contact_status(history) is fold_contact_status(
        [event for event in history if not event.by_machine]
    )


@given(histories(), histories())
def test_a_merge_keeps_the_highest_of_both_histories(
    ours: list[StatusEvent], theirs: list[StatusEvent]
) -> None:
    first = [replace(event, origin=1) for event in ours]
    second = [
        replace(
            event,
            key=f"t-{event.key}",
            origin=2,
            overrules=frozenset(f"t-{key}" for key in event.overrules),
            voids=frozenset(f"t-{key}" for key in event.voids),
        )
        for event in theirs
    ]
    merged = fold_contact_status([*first, *second])
    assert merged.rank == max(fold_contact_status(first).rank, fold_contact_status(second).rank)


@given(histories(), st.sampled_from(list(ContactStatus)), st.sampled_from(REACHED))
def test_a_status_set_by_hand_overrules_what_it_knew_and_nothing_else(
    history: list[StatusEvent], chosen: ContactStatus, unknown: ContactStatus
) -> None:
    known = [replace(event, origin=1) for event in history]
    by_hand = set_by_hand("hand", 300, chosen, knew=known)
    assert fold_contact_status([*known, by_hand]) is chosen
    late = happened("late", 1, unknown)
    status = fold_contact_status([*known, by_hand, late])
    assert status.rank == max(chosen.rank, unknown.rank)


@given(st.lists(st.sampled_from(REACHED), min_size=1))
def test_the_highest_rank_wins_and_the_latest_event_names_it(reached: list[ContactStatus]) -> None:
    history = [happened(f"e{hour}", hour, status) for hour, status in enumerate(reached)]
    top = max(status.rank for status in reached)
    assert fold_contact_status(history) is [s for s in reached if s.rank == top][-1]


def test_events_of_one_moment_are_told_apart_by_their_keys() -> None:
    called = happened("a", 1, ContactStatus.CALLED)
    texted = happened("b", 1, ContactStatus.TEXTED)
    assert fold_contact_status([texted, called]) is ContactStatus.TEXTED


def test_without_events_a_business_is_pending() -> None:
    assert fold_contact_status([]) is ContactStatus.PENDING


def test_the_latest_status_set_by_hand_is_the_base() -> None:
    first = set_by_hand("x", 1, ContactStatus.REPLIED)
    second = set_by_hand("y", 2, ContactStatus.PENDING, knew=[first])
    assert fold_contact_status([first, second]) is ContactStatus.PENDING


def test_a_reply_that_occurred_before_but_arrives_after_a_status_set_by_hand_counts() -> None:
    mailed = happened("m", 1, ContactStatus.EMAILED)
    by_hand = set_by_hand("h", 5, ContactStatus.PENDING, knew=[mailed])
    reply = happened("r", 2, ContactStatus.REPLIED)
    assert fold_contact_status([mailed, by_hand, reply]) is ContactStatus.REPLIED


def test_undoing_a_status_set_by_hand_brings_back_what_it_overruled() -> None:
    reply = happened("r", 1, ContactStatus.REPLIED)
    by_hand = set_by_hand("h", 2, ContactStatus.PENDING, knew=[reply])
    assert fold_contact_status([reply, by_hand]) is ContactStatus.PENDING
    assert fold_contact_status([reply, by_hand, void("u", 3, "h")]) is ContactStatus.REPLIED


builds = st.builds(
    lambda hour, key, kind: BuildEvent(at(hour), key, kind),
    st.integers(0, 50),
    st.text("abc", min_size=1),
    st.sampled_from(
        [
            EventKind.SITE_BUILDING,
            EventKind.SITE_BUILT,
            EventKind.SITE_FAILED,
            EventKind.SITE_ABANDONED,
        ]
    ),
)


@given(st.lists(st.sampled_from(SiteStatus)), st.lists(builds), st.data())
def test_the_website_status_depends_on_no_order(
    sites: list[SiteStatus], history: list[BuildEvent], data: st.DataObject
) -> None:
    assert fold_website_status(
        data.draw(st.permutations(sites)), data.draw(st.permutations(history * 2))
    ) is fold_website_status(sites, history)


@given(st.lists(st.sampled_from(SiteStatus)), st.lists(builds), builds)
def test_building_again_never_lowers_what_stands(
    sites: list[SiteStatus], history: list[BuildEvent], another: BuildEvent
) -> None:
    assume(set(sites) - {SiteStatus.ARCHIVED})
    assert fold_website_status(sites, [*history, another]) is fold_website_status(sites, history)


@pytest.mark.parametrize(
    ("sites", "history", "status"),
    [
        ([], [], WebsiteStatus.NONE),
        ([], [EventKind.SITE_BUILDING], WebsiteStatus.GENERATING),
        ([], [EventKind.SITE_BUILDING, EventKind.SITE_FAILED], WebsiteStatus.FAILED),
        ([], [EventKind.SITE_BUILDING, EventKind.SITE_ABANDONED], WebsiteStatus.NONE),
        ([SiteStatus.ARCHIVED], [], WebsiteStatus.ARCHIVED),
        ([SiteStatus.ARCHIVED], [EventKind.SITE_BUILT], WebsiteStatus.ARCHIVED),
        ([SiteStatus.ARCHIVED], [EventKind.SITE_BUILDING], WebsiteStatus.GENERATING),
        ([SiteStatus.PREVIEW], [EventKind.SITE_FAILED], WebsiteStatus.GENERATED),
        ([SiteStatus.PREVIEW, SiteStatus.PUBLISHED], [], WebsiteStatus.PUBLISHED),
        ([SiteStatus.PUBLISHED, SiteStatus.SOLD], [], WebsiteStatus.SOLD),
    ],
)
def test_the_website_status_of(
    sites: list[SiteStatus], history: list[EventKind], status: WebsiteStatus
) -> None:
    events_ = [BuildEvent(at(hour), "k", kind) for hour, kind in enumerate(history)]
    assert fold_website_status(sites, events_) is status


async def contact_status(db: Database, lead: int) -> ContactStatus | None:
    async with db.read() as session:
        return await session.scalar(select(Business.contact_status).where(Business.id == lead))


async def test_the_stored_status_is_the_fold_of_the_stored_events(
    db: Database, add_lead: AddLead, now: datetime
) -> None:
    lead = await add_lead("Ada")
    reply = NewEvent(
        lead, EventKind.REPLIED, at(1), "replied", "test", "r", moves_to=ContactStatus.REPLIED
    )
    opened = NewEvent(
        lead, EventKind.OPENED, at(2), "opened", "test", "o", moves_to=ContactStatus.OPENED
    )
    async with db.write() as session:
        await events.record(session, opened, now=now)
    assert await contact_status(db, lead) is ContactStatus.OPENED
    async with db.write() as session:
        await events.record(session, reply, opened, now=now)
    assert await contact_status(db, lead) is ContactStatus.REPLIED
    async with db.write() as session:
        await timeline.set_status(session, lead, ContactStatus.PENDING, now=now)
    assert await contact_status(db, lead) is ContactStatus.PENDING
    async with db.write() as session:
        undo = await voiding.void(session, lead, ["r"], why="undo", now=now + timedelta(hours=1))
    assert await contact_status(db, lead) is ContactStatus.PENDING
    async with db.write() as session:
        await voiding.void(session, lead, [undo], why="redo", now=now + timedelta(hours=2))
        keys = list(await session.scalars(select(Event.key).where(Event.kind == "status_set")))
        await voiding.void(session, lead, keys, why="undo", now=now + timedelta(hours=3))
    assert await contact_status(db, lead) is ContactStatus.REPLIED


async def test_the_same_event_twice_is_written_once(
    db: Database, add_lead: AddLead, now: datetime
) -> None:
    lead = await add_lead("Ada")
    for summary in ("first", "again"):
        async with db.write() as session:
            event = NewEvent(lead, EventKind.NOTE, at(1), summary, "test", "same")
            assert await events.record(session, event, now=now) == ["same"]
    async with db.read() as session:
        stored = await session.scalars(select(Event.summary).where(Event.key == "same"))
        assert list(stored) == ["first"]


async def test_a_fold_of_many_businesses_finds_those_that_drifted(
    db: Database, add_lead: AddLead, now: datetime
) -> None:
    leads = [await add_lead(f"Lead {number}") for number in range(5)]
    async with db.write() as session:
        await session.execute(
            insert(Site).values(
                business_id=leads[0],
                slug="one",
                theme="trades",
                status=SiteStatus.PUBLISHED,
                content_hash="x",
                created_at=now,
                built_at=now,
                html="<p>",
            )
        )
        await session.execute(
            update(Business).where(Business.id == leads[1]).values(contact_status="purchased")
        )
    async with db.read() as session:
        drifted = await statuses.differing(session, await statuses.fold(session, leads))
    assert drifted == {
        leads[0]: (ContactStatus.PENDING, WebsiteStatus.PUBLISHED),
        leads[1]: (ContactStatus.PENDING, WebsiteStatus.NONE),
    }
    async with db.write() as session:
        assert await statuses.refold(session, leads) == 2
    async with db.write() as session:
        assert await statuses.refold(session, leads) == 0
