"""What is ours but nobody's waits until the operator says whose; linking tells it as if known."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from datetime import timedelta

import pytest

from crm_tui.db.models import RawRecord, Suppression, Unmatched
from crm_tui.errors import NotFound
from crm_tui.services import erase, merge, undo
from crm_tui.services.inbox import matching
from crm_tui.services.inbox.matching import Item
from crm_tui.vocabulary import (
    ContactState,
    ContactStatus,
    EventKind,
    MessageState,
    UnmatchedKind,
    UnmatchedState,
)
from tests.conftest import Cli, Ran
from tests.inbox.offline import keep
from tests.inbox.world import World, answer, report

ANN = "ann@plumber.example"
BO = "bo@plumber.example"


async def waiting(world: World) -> list[Item]:
    async with world.db.read() as session:
        return await matching.items(session)


async def link(world: World, item: int, lead: int) -> None:
    async with undo.action(world.db, "linked", now=world.now) as session:
        await matching.link(session, item, lead, settings=world.settings, now=world.now)


async def test_a_colleague_of_a_lead_waits_with_the_lead_suggested(world: World) -> None:
    lead, _ = await world.mailed("Ace", ANN)
    world.deliver(answer(sender=BO, text="Who are you?", subject="Your mail"))
    came = await world.collect()
    assert (came.applied, came.unmatched) == (0, 1)
    (item,) = await waiting(world)
    assert (item.kind, item.sender, item.summary) == (
        UnmatchedKind.REPLY,
        BO,
        "Your mail – Who are you?",
    )
    assert [(each.id, each.why) for each in item.suggestions] == [
        (lead, "has an address at plumber.example")
    ]


async def test_linking_tells_it_as_if_it_had_been_known(world: World) -> None:
    lead, mail = await world.mailed("Ace", ANN)
    world.deliver(answer(sender=BO, text="Who are you?"))
    await world.collect()
    (item,) = await waiting(world)
    await link(world, item.id, lead)
    assert await waiting(world) == []
    (event,) = await world.events(lead, EventKind.REPLIED)
    assert (event.body, event.message_id, event.data["link"]) == (
        "Who are you?",
        mail.id,
        "by hand",
    )
    assert (await world.business(lead)).contact_status is ContactStatus.REPLIED
    assert await world.states(lead) == [MessageState.SENT, MessageState.SKIPPED]
    # From now on Bo is known.
    world.deliver(answer(sender=BO, number=2))
    assert (await world.collect()).applied == 1


async def test_linking_is_undone_and_done_to_another_lead(world: World) -> None:
    lead, _ = await world.mailed("Ace", ANN)
    other = await world.lead("Bee", "cy@bee.example")
    world.deliver(answer(sender=BO))
    await world.collect()
    (item,) = await waiting(world)
    await link(world, item.id, lead)
    undone = await undo.undo(world.db, settings=world.settings, now=world.now)
    assert not undone.left
    assert [each.id for each in await waiting(world)] == [item.id]
    assert (await world.business(lead)).contact_status is ContactStatus.EMAILED
    assert (await world.states(lead))[1] is MessageState.QUEUED
    await link(world, item.id, other)
    assert (await world.business(other)).contact_status is ContactStatus.REPLIED
    assert (await world.business(lead)).contact_status is ContactStatus.EMAILED


async def test_linking_twice_is_refused(world: World) -> None:
    lead, _ = await world.mailed("Ace", ANN)
    world.deliver(answer(sender=BO))
    await world.collect()
    (item,) = await waiting(world)
    await link(world, item.id, lead)
    with pytest.raises(NotFound, match="Nothing with the number"):
        await link(world, item.id, lead)


async def test_a_lead_is_made_of_who_wrote(world: World) -> None:
    await world.mailed("Ace", ANN)
    world.deliver(answer(sender=BO))
    await world.collect()
    (item,) = await waiting(world)
    async with undo.action(world.db, "made", now=world.now) as session:
        made = await matching.create(
            session, item.id, "Bo's Drains", settings=world.settings, now=world.now
        )
    business = await world.business(made)
    assert (business.name, business.email, business.contact_status) == (
        "Bo's Drains",
        BO,
        ContactStatus.REPLIED,
    )
    await undo.undo(world.db, settings=world.settings, now=world.now)
    assert [each.id for each in await waiting(world)] == [item.id]


async def test_what_is_let_go_does_not_come_back_with_the_next_poll(world: World) -> None:
    await world.mailed("Ace", ANN)
    world.deliver(answer(sender=BO))
    await world.collect()
    (item,) = await waiting(world)
    async with undo.action(world.db, "let go", now=world.now) as session:
        await matching.dismiss(session, item.id, now=world.now)
    world.deliver(answer(sender=BO))
    await world.collect()
    assert await waiting(world) == []
    (row,) = await world.rows(Unmatched)
    assert row.state is UnmatchedState.DISMISSED
    await undo.undo(world.db, settings=world.settings, now=world.now)
    assert len(await waiting(world)) == 1


async def test_an_address_of_two_leads_does_not_say_which(world: World) -> None:
    one, _ = await world.mailed("Ace", ANN)
    two, _ = await world.mailed("Ace North", ANN)
    world.deliver(answer(text="Interesting."))
    assert (await world.collect()).unmatched == 1
    (item,) = await waiting(world)
    assert {each.id for each in item.suggestions} == {one, two}
    assert item.reason == "several leads have the address it comes from"


async def test_a_report_that_does_not_say_which_mail_waits(world: World) -> None:
    lead, mail = await world.mailed("Ace", ANN)
    world.deliver(report(mail, cites=False))
    assert (await world.collect()).unmatched == 1
    assert (await world.point(lead, ANN)).state is ContactState.UNKNOWN
    (item,) = await waiting(world)
    assert item.kind is UnmatchedKind.BOUNCE
    await link(world, item.id, lead)
    assert (await world.point(lead, ANN)).state is ContactState.BOUNCED
    assert (await world.messages(lead))[0].bounced_at is not None


async def test_who_opts_out_of_a_mail_this_store_does_not_know_gets_none_from_now(
    world: World,
) -> None:
    """As after a backup was restored that is older than the mail."""
    await world.lead("Ace", ANN)
    world.deliver(answer(text="unsubscribe", cites=f"<{'0a' * 16}@studio.example>"))
    assert (await world.collect()).unmatched == 1
    (item,) = await waiting(world)
    assert item.kind is UnmatchedKind.UNSUBSCRIBE
    assert item.reason == "it answers a mail of ours that is not in this store"
    assert [each.value for each in await world.rows(Suppression)] == [ANN]


async def test_of_an_erased_lead_nothing_stays_and_nothing_comes_back(world: World) -> None:
    lead, mail = await world.mailed("Ace", ANN)
    world.deliver(answer(mail, text="ZANZIBAR"), answer(sender=BO, text="ZANZIBAR", number=2))
    await world.collect()
    (item,) = await waiting(world)
    await link(world, item.id, lead)
    assert await world.count(RawRecord) == 2
    await erase.erase(world.db, lead, settings=world.settings, now=world.now)
    assert await world.count(RawRecord) == 0
    assert await world.count(Unmatched) == 0
    assert all("ZANZIBAR" not in (each.body or "") for each in await world.events(lead, *EventKind))
    # The mail is still in the mailbox, and another answer to ours comes.
    world.deliver(answer(mail, text="ZANZIBAR"), answer(mail, text="ZANZIBAR", number=9))
    assert (await world.collect()).applied == 0
    assert await world.count(RawRecord) == 0


async def test_merged_leads_take_their_mail_along(world: World) -> None:
    lead, mail = await world.mailed("Ace", ANN)
    kept = await world.lead("Ace Plumbing", "office@ace.example")
    world.deliver(answer(mail))
    await world.collect()
    async with undo.action(world.db, "merged", now=world.now) as session:
        await merge.merge(session, kept, [lead], score=world.settings.score, now=world.now)
    (raw,) = await world.rows(RawRecord)
    assert raw.business_id == kept
    assert (await world.business(kept)).contact_status is ContactStatus.REPLIED
    world.now += timedelta(hours=1)
    world.deliver(answer(mail, number=2, text="And another thing."))
    assert (await world.collect()).applied == 1
    assert len(await world.events(kept, EventKind.REPLIED)) == 2


async def test_the_command_line_lists_links_and_lets_go(offline: World, cli: Cli) -> None:
    def run(*arguments: str) -> Awaitable[Ran]:
        return asyncio.to_thread(cli, *arguments)  # which runs a loop of its own

    lead = await offline.lead("Ace", ANN)
    await keep(offline, sender=BO, text="Hello there", cited=(f"<{'0a' * 16}@studio.example>",))
    await keep(offline, sender=BO, text="Again", cited=(f"<{'0b' * 16}@studio.example>",), number=2)
    await offline.collect()
    await offline.db.close()
    first, second = (await run("inbox", "list", "--json")).json["items"]
    assert (first["kind"], first["from"], first["summary"]) == (
        "reply",
        BO,
        "Re: A site – Hello there",
    )
    assert [each["id"] for each in first["suggestions"]] == [lead]
    assert "Hello there" in (await run("inbox", "show", str(first["id"]))).out
    assert (await run("inbox", "link", str(first["id"]), str(lead))).code == 0
    assert (await run("inbox", "dismiss", str(second["id"]))).code == 0
    assert (await run("inbox", "list", "--json")).json == {"items": []}
    assert (await run("leads", "list", "status:replied", "--json")).json["leads"][0]["id"] == lead
    assert (await run("inbox", "link", "99", str(lead))).code == 1
