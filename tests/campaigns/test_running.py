"""Starting, pausing, going on, ending, mending."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from msgspec.structs import replace as with_settings
from sqlalchemy import select

from crm_tui.config import SenderSettings
from crm_tui.db.engine import Database
from crm_tui.db.models import CampaignStep, Event, Message
from crm_tui.errors import BadInput, NotFound
from crm_tui.services import undo
from crm_tui.services.campaigns import drafts, freezing, ledger, mending, running
from crm_tui.services.campaigns.audience import Audience
from crm_tui.services.campaigns.gate import Blocked
from crm_tui.services.sending.record import REFUSED_BEFORE
from crm_tui.vocabulary import CampaignState, EventKind, MessageState, Outcome
from tests.campaigns.making import (
    AGAIN,
    a_draft,
    a_frozen,
    a_running,
    a_step,
    add_leads,
    change_lead,
    change_messages,
    figures_of,
    ledger_of,
    marks,
    settings_to_send,
    state_of,
    states,
)

SETTINGS = settings_to_send()
TWO = (a_step(), a_step(AGAIN, delay="3d"))


async def timeline(db: Database, lead: int) -> list[tuple[EventKind, str]]:
    async with db.read() as session:
        found = await session.execute(
            select(Event.kind, Event.summary)
            .where(Event.business_id == lead, Event.kind != EventKind.CAPTURED)
            .order_by(Event.id)
        )
        return [(kind, summary) for kind, summary in found]


async def test_a_start_makes_the_first_step_due(db: Database, now: datetime) -> None:
    leads = await add_leads(db, 2, now)
    campaign, _ = await a_frozen(db, SETTINGS, now, steps=TWO)
    started = await running.start(db, campaign, settings=SETTINGS, now=now)
    assert (started.recipients, started.dropped) == (2, 0)
    assert await state_of(db, campaign) is CampaignState.RUNNING
    assert {(row.step, row.due_at) for row in await ledger_of(db, campaign)} == {
        (1, now),
        (2, None),
    }
    assert await timeline(db, leads[0]) == [(EventKind.CAMPAIGN_JOINED, "in the campaign Spring")]


async def test_a_draft_made_before_the_sender_was_set_sends_from_the_senders_domain(
    db: Database, now: datetime
) -> None:
    await add_leads(db, 2, now)
    nobody = with_settings(SETTINGS, sender=SenderSettings())
    campaign, _ = await a_frozen(db, nobody, now, steps=TWO)
    await running.start(db, campaign, settings=SETTINGS, now=now)
    domain = SETTINGS.sender.email.rpartition("@")[2]
    ids = [row.message_id for row in await ledger_of(db, campaign)]
    assert len(set(ids)) == 4
    assert all(each.endswith(f"@{domain}>") for each in ids)


async def test_a_start_takes_recipients_down_that_were_not(db: Database, now: datetime) -> None:
    await add_leads(db, 2, now)
    campaign = await a_draft(db, now)
    started = await running.start(db, campaign, settings=SETTINGS, now=now)
    assert started.recipients == 2


async def test_nothing_is_due_before_the_time_that_was_chosen(db: Database, now: datetime) -> None:
    await add_leads(db, 1, now)
    monday = now + timedelta(days=1)
    campaign = await a_running(db, SETTINGS, now, starts_at=monday)
    (row,) = await ledger_of(db, campaign)
    assert row.due_at == monday


async def test_a_start_looks_at_everybody_again(db: Database, now: datetime) -> None:
    first, second = await add_leads(db, 2, now)
    campaign, _ = await a_frozen(db, SETTINGS, now, steps=TWO)
    await change_lead(db, first, outcome=Outcome.LOST)
    started = await running.start(db, campaign, settings=SETTINGS, now=now + timedelta(days=1))
    assert (started.recipients, started.dropped) == (1, 1)
    assert await states(db, campaign) == {
        (first, 1): "skipped",
        (first, 2): "skipped",
        (second, 1): "queued",
        (second, 2): "queued",
    }
    assert {row.reason for row in await ledger_of(db, campaign, "state:skipped")} == {
        "the lead was lost"
    }


async def test_nobody_gets_it_who_was_not_agreed_to(db: Database, now: datetime) -> None:
    first, second, third = await add_leads(db, 3, now)
    campaign = await a_draft(db, now)
    agreed = [first, second]
    started = await running.start(db, campaign, settings=SETTINGS, now=now, agreed=agreed)
    assert (started.recipients, started.dropped) == (2, 0)
    assert set(await states(db, campaign)) == {(first, 1), (second, 1)}
    async with db.read() as session:
        (left,) = await ledger.left_out(session, campaign)
    assert left.business_id == third
    assert left.reason == "asked for only after it was agreed who gets it"


async def test_recipients_taken_down_earlier_are_those_agreed_to(
    db: Database, now: datetime
) -> None:
    first, second = await add_leads(db, 2, now)
    campaign, frozen = await a_frozen(db, SETTINGS, now)
    assert frozen.recipients == 2
    before = await marks(db)
    started = await running.start(db, campaign, settings=SETTINGS, now=now, agreed={first, second})
    assert started.recipients == 2
    assert await marks(db) == before
    other, _ = await a_frozen(db, SETTINGS, now)
    await running.start(db, other, settings=SETTINGS, now=now, agreed={second})
    assert set(await states(db, other)) == {(second, 1)}


async def test_a_campaign_with_nobody_left_does_not_start(db: Database, now: datetime) -> None:
    (lead,) = await add_leads(db, 1, now)
    campaign, _ = await a_frozen(db, SETTINGS, now)
    await change_lead(db, lead, outcome=Outcome.LOST)
    with pytest.raises(Blocked, match="Nobody is left to write to"):
        await running.start(db, campaign, settings=SETTINGS, now=now)
    assert await states(db, campaign) == {(lead, 1): "queued"}


async def test_a_start_that_is_refused_changes_nothing(db: Database, now: datetime) -> None:
    (lead,) = await add_leads(db, 1, now)
    campaign, _ = await a_frozen(db, SETTINGS, now)
    without = with_settings(SETTINGS, sender=with_settings(SETTINGS.sender, postal_address=""))
    with pytest.raises(Blocked, match="postal address") as refused:
        await running.start(db, campaign, settings=without, now=now)
    assert [each.check for each in refused.value.checks] == ["postal address"]
    assert await state_of(db, campaign) is CampaignState.DRAFT
    (row,) = await ledger_of(db, campaign)
    assert row.due_at is None
    assert await timeline(db, lead) == []


async def test_a_campaign_starts_once(db: Database, now: datetime) -> None:
    await add_leads(db, 1, now)
    campaign = await a_running(db, SETTINGS, now)
    with pytest.raises(BadInput, match="is running: it was started"):
        await running.start(db, campaign, settings=SETTINGS, now=now)
    with pytest.raises(NotFound):
        await running.start(db, 99, settings=SETTINGS, now=now)


async def test_pausing_and_going_on(db: Database, now: datetime) -> None:
    await add_leads(db, 1, now)
    campaign = await a_running(db, SETTINGS, now)
    async with db.write() as session:
        await running.pause(session, campaign, now=now)
        kept = await drafts.load(session, campaign)
    assert (kept.state, kept.pause_reason) == (CampaignState.PAUSED, "paused by you")
    with pytest.raises(BadInput, match="is paused; only one that runs"):
        async with db.write() as session:
            await running.pause(session, campaign, now=now)
    async with db.write() as session:
        await running.resume(session, campaign, now=now)
        kept = await drafts.load(session, campaign)
    assert (kept.state, kept.pause_reason) == (CampaignState.RUNNING, None)
    with pytest.raises(BadInput, match="is running; only one that is paused"):
        async with db.write() as session:
            await running.resume(session, campaign, now=now)


async def test_canceling_ends_what_was_not_sent(db: Database, now: datetime) -> None:
    first, second = await add_leads(db, 2, now)
    campaign = await a_running(db, SETTINGS, now, steps=TWO)
    await change_messages(
        db,
        Message.business_id == first,
        Message.due_at.is_not(None),
        state=MessageState.SENT,
        sent_at=now,
        body="Hello",
    )
    assert await running.cancel(db, campaign, now=now) == 3
    assert await states(db, campaign) == {
        (first, 1): "sent",
        (first, 2): "canceled",
        (second, 1): "canceled",
        (second, 2): "canceled",
    }
    assert await state_of(db, campaign) is CampaignState.CANCELED
    assert await running.cancel(db, campaign, now=now) == 0


async def test_a_draft_is_deleted_and_not_canceled(db: Database, now: datetime) -> None:
    campaign = await a_draft(db, now)
    with pytest.raises(BadInput, match="is a draft; delete it instead"):
        await running.cancel(db, campaign, now=now)


async def test_a_step_is_changed_while_the_campaign_is_paused(db: Database, now: datetime) -> None:
    await add_leads(db, 1, now)
    campaign = await a_running(db, SETTINGS, now, steps=TWO)
    new = replace(TWO[1], source=AGAIN.replace("there", "well"), delay="5d")
    with pytest.raises(BadInput, match="pause it before you change a step"):
        async with db.write() as session:
            await mending.edit_step(session, campaign, 2, new, now=now)
    async with db.write() as session:
        await running.pause(session, campaign, now=now)
        assert await mending.edit_step(session, campaign, 2, new, now=now) == 2
        with pytest.raises(NotFound, match="no step 3"):
            await mending.edit_step(session, campaign, 3, new, now=now)
        with pytest.raises(BadInput, match="first step has no delay"):
            await mending.edit_step(session, campaign, 1, new, now=now)
    async with db.read() as session:
        steps = await drafts.steps_of(session, campaign)
    assert steps[1] == replace(new, version=2)
    assert steps[0].version == 1


async def test_a_step_that_everybody_has_got_stays(db: Database, now: datetime) -> None:
    await add_leads(db, 1, now)
    campaign = await a_running(db, SETTINGS, now, steps=TWO)
    await change_messages(
        db, Message.due_at.is_not(None), state=MessageState.SENT, sent_at=now, body="Hello"
    )
    async with db.write() as session:
        await running.pause(session, campaign, now=now)
        with pytest.raises(BadInput, match="Nobody waits for step 1"):
            await mending.edit_step(session, campaign, 1, a_step(AGAIN), now=now)


async def test_a_changed_step_is_tried_for_those_it_held(db: Database, now: datetime) -> None:
    await add_leads(db, 1, now)
    campaign = await a_running(db, SETTINGS, now)
    await change_messages(db, due_at=None, reason="no city is known")
    async with db.write() as session:
        await running.pause(session, campaign, now=now)
        await mending.edit_step(session, campaign, 1, a_step(AGAIN), now=now)
    (row,) = await ledger_of(db, campaign)
    assert row.due_at == now


async def test_failed_and_held_messages_are_tried_again(db: Database, now: datetime) -> None:
    first, second = await add_leads(db, 2, now)
    campaign = await a_running(db, SETTINGS, now, steps=TWO)
    later = now + timedelta(days=1)
    await change_messages(
        db,
        Message.business_id == first,
        Message.due_at.is_not(None),
        state=MessageState.FAILED,
        reason="blocked as spam",
        attempts=5,
    )
    await change_messages(
        db,
        Message.business_id == first,
        Message.state == MessageState.QUEUED,
        state=MessageState.SKIPPED,
        reason=REFUSED_BEFORE,
    )
    await change_messages(
        db,
        Message.business_id == second,
        Message.due_at.is_not(None),
        due_at=None,
        reason="its site is not published",
    )
    async with db.write() as session:
        assert await mending.retry(session, campaign, now=later) == 2
    found = {(row.business_id, row.step): row for row in await ledger_of(db, campaign)}
    assert {row.state for row in found.values()} == {MessageState.QUEUED}
    assert (found[first, 1].due_at, found[first, 1].reason) == (later, None)
    assert (found[first, 2].due_at, found[first, 2].reason) == (None, None)
    assert found[second, 1].due_at == later


async def test_only_the_messages_that_are_named_are_tried_again(
    db: Database, now: datetime
) -> None:
    await add_leads(db, 2, now)
    campaign = await a_running(db, SETTINGS, now)
    await change_messages(db, state=MessageState.FAILED, reason="blocked")
    one, other = (row.id for row in await ledger_of(db, campaign))
    async with db.write() as session:
        assert await mending.retry(session, campaign, now=now, ids=[other]) == 1
    by_id = {row.id: row.state for row in await ledger_of(db, campaign)}
    assert by_id == {one: MessageState.FAILED, other: MessageState.QUEUED}


async def test_a_finished_campaign_runs_again_for_what_failed(db: Database, now: datetime) -> None:
    await add_leads(db, 1, now)
    campaign = await a_running(db, SETTINGS, now)
    await change_messages(db, state=MessageState.FAILED, reason="blocked")
    async with db.write() as session:
        await running.pause(session, campaign, now=now)
        await running.resume(session, campaign, now=now)
    assert await state_of(db, campaign) is CampaignState.FINISHED
    async with db.write() as session:
        assert await mending.retry(session, campaign, now=now) == 1
    assert await state_of(db, campaign) is CampaignState.RUNNING


async def test_what_never_started_or_was_canceled_sends_nothing_again(
    db: Database, now: datetime
) -> None:
    await add_leads(db, 1, now)
    campaign = await a_running(db, SETTINGS, now)
    await running.cancel(db, campaign, now=now)
    draft = await a_draft(db, now)
    for each in (campaign, draft):
        with pytest.raises(BadInput, match="sends nothing again"):
            async with db.write() as session:
                await mending.retry(session, each, now=now)


async def test_leads_are_taken_out_of_a_campaign(db: Database, now: datetime) -> None:
    first, second = await add_leads(db, 2, now)
    campaign = await a_running(db, SETTINGS, now, steps=TWO)
    async with db.write() as session:
        assert await mending.skip(session, campaign, [first], now=now) == 2
    assert (await figures_of(db, campaign)).counts.skipped == 2
    assert (await timeline(db, first))[-1] == (
        EventKind.CAMPAIGN_LEFT,
        "gets no more mail of the campaign: taken out by you",
    )
    async with db.write() as session:
        await mending.skip(session, campaign, [second], now=now)
    assert await state_of(db, campaign) is CampaignState.FINISHED


async def test_a_start_that_was_cut_off_is_a_draft_that_starts_again(
    db: Database, now: datetime
) -> None:
    (lead,) = await add_leads(db, 1, now)
    campaign, _ = await a_frozen(db, SETTINGS, now)

    def cut_off(_done: int, _total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        await running.start(db, campaign, settings=SETTINGS, now=now, progress=cut_off)
    assert await state_of(db, campaign) is CampaignState.DRAFT
    await running.start(db, campaign, settings=SETTINGS, now=now)
    assert await state_of(db, campaign) is CampaignState.RUNNING
    assert [kind for kind, _ in await timeline(db, lead)] == [EventKind.CAMPAIGN_JOINED]
    async with db.read() as session:
        assert len((await session.scalars(select(CampaignStep.id))).all()) == 1


async def test_undo_takes_out_who_was_added_and_got_nothing_yet(
    db: Database, now: datetime
) -> None:
    first, second, third = await add_leads(db, 3, now)
    campaign = await a_running(db, SETTINGS, now, steps=TWO, audience=Audience(ids=(first,)))
    more = Audience("")
    added = await freezing.add(db, campaign, more, settings=SETTINGS, now=now)
    assert added.recipients == 2
    at_second = (Message.campaign_id == campaign, Message.business_id == second)
    await change_messages(
        db, *at_second, Message.due_at.is_not(None), state=MessageState.SENT, sent_at=now, body="x"
    )
    await change_messages(db, Message.business_id == third, due_at=now + timedelta(days=1))
    done = await undo.undo(db, settings=SETTINGS, now=now)
    assert done.words == "added leads to the campaign Spring"
    assert [each.name for each in done.left] == ["Plumber 2"]
    assert await states(db, campaign) == {
        (first, 1): "queued",
        (first, 2): "queued",
        (second, 1): "sent",
    }
    await undo.redo(db, settings=SETTINGS, now=now)
    assert (await states(db, campaign))[third, 1] == "queued"


async def test_a_campaign_ends_when_undo_takes_the_last_out_who_waited(
    db: Database, now: datetime
) -> None:
    first, second = await add_leads(db, 2, now)
    campaign = await a_running(db, SETTINGS, now, audience=Audience(ids=(first,)))
    await freezing.add(db, campaign, Audience(ids=(second,)), settings=SETTINGS, now=now)
    await change_messages(
        db, Message.business_id == first, state=MessageState.SENT, sent_at=now, body="x"
    )
    await undo.undo(db, settings=SETTINGS, now=now)
    assert await state_of(db, campaign) is CampaignState.FINISHED
    await undo.redo(db, settings=SETTINGS, now=now)
    assert await state_of(db, campaign) is CampaignState.RUNNING
    assert await states(db, campaign) == {(first, 1): "sent", (second, 1): "queued"}


async def test_who_was_taken_out_waits_again_after_undo(db: Database, now: datetime) -> None:
    (lead,) = await add_leads(db, 1, now)
    campaign = await a_running(db, SETTINGS, now, steps=TWO)
    assert await mending.take_out(db, campaign, [lead], now=now) == 2
    assert await state_of(db, campaign) is CampaignState.FINISHED
    await undo.undo(db, settings=SETTINGS, now=now)
    assert await state_of(db, campaign) is CampaignState.RUNNING
    assert set((await states(db, campaign)).values()) == {"queued"}
