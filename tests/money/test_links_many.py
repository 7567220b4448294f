"""Links for many leads, and those that need nothing more."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta

import pytest
from sqlalchemy import update

from crm_tui.config import Settings
from crm_tui.db.engine import Database
from crm_tui.db.models import Business
from crm_tui.errors import BadInput, NotFound
from crm_tui.providers.base import Unavailable, Unsendable
from crm_tui.services.money import links, plans, requests
from crm_tui.services.money.closing import Closed, close_stale
from crm_tui.services.money.links import LinkRow
from crm_tui.services.money.many_links import ManyLinks, make_many
from crm_tui.vocabulary import LinkState, Mode
from crm_tui.worker import Worker
from tests.conftest import AddLead
from tests.money.making import Till, add_plan, make, pay

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


async def many(
    db: Database, leads: list[int], plan: int, till: Till, now: datetime, **more: object
) -> ManyLinks:
    return await make_many(
        db,
        leads,
        plan,
        payments=till,
        mode=Mode.TEST,
        clock=lambda: now,
        apart=0,
        **more,  # type: ignore[arg-type]
    )


async def all_links(db: Database) -> list[LinkRow]:
    async with db.read() as session:
        return await links.listed(session)


async def states(db: Database) -> list[LinkState]:
    """Of all links, the oldest first."""
    return [each.state for each in reversed(await all_links(db))]


async def test_each_lead_gets_its_link_but_those_who_have_one_or_have_bought(
    db: Database, add_lead: AddLead, now: datetime
) -> None:
    till, plan = Till(), await add_plan(db, now)
    there, bought, new, erased = [await add_lead(each) for each in ("There", "Bought", "New", "No")]
    await make(db, there, plan, now, till)
    await pay(db, bought, now)
    async with db.write() as session:
        await session.execute(update(Business).where(Business.id == erased).values(erased_at=now))
    done: list[tuple[int, int]] = []
    report = await many(
        db, [there, bought, erased, new], plan, till, now, progress=lambda *at: done.append(at)
    )
    assert (report.made, report.found, report.bought) == (1, 1, 1)
    assert [lead for lead, _ in report.failures] == [erased]
    assert done == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert {each.business for each in await all_links(db)} == {"There", "New"}
    assert report.sentences[0] == "1 payment link made, 1 there already."


async def test_it_ends_where_the_provider_is_gone_and_goes_on_from_there(
    db: Database, add_lead: AddLead, now: datetime
) -> None:
    plan = await add_plan(db, now)
    leads = [await add_lead(each) for each in ("Ace", "Best", "Cut", "Dot")]
    till = Till()

    def breaks(done: int, _total: int) -> None:
        if done == 1:
            till.breaks["link"] = Unsendable("a name that is none")
        if done == 2:
            till.breaks["link"] = Unavailable("no network")

    report = await many(db, leads, plan, till, now, progress=breaks)
    assert (report.made, report.problem) == (1, "no network")
    assert report.failures == [(leads[1], "a name that is none")]
    assert report.sentences[-1] == "no network. Doing it again goes on from there."
    again = await many(db, leads, plan, till, now)
    assert (again.made, again.found) == (3, 1)
    stopped = await many(db, leads, plan, till, now, cancelled=lambda: True)
    assert stopped.cancelled


async def test_for_a_plan_that_is_not_sold_none_is_made(
    db: Database, add_lead: AddLead, now: datetime
) -> None:
    lead, plan = await add_lead("Ace"), await add_plan(db, now)
    async with db.write() as session:
        await plans.archive(session, plan, now=now)
    with pytest.raises(BadInput):
        await many(db, [lead], plan, Till(), now)
    with pytest.raises(NotFound):
        await many(db, [lead], 99, Till(), now)


# Closing


async def close(db: Database, till: Till, now: datetime, mode: Mode = Mode.TEST) -> Closed:
    @asynccontextmanager
    async def opened() -> AsyncIterator[Till]:
        yield till

    return await close_stale(db, payments=opened, mode=mode, clock=lambda: now)


async def test_links_close_when_their_lead_has_bought_or_their_plan_is_gone(
    db: Database, add_lead: AddLead, now: datetime
) -> None:
    till, plan, gone = Till(), await add_plan(db, now), await add_plan(db, now, "Gone")
    buys, stays, renews = [await add_lead(each) for each in ("Buys", "Stays", "Renews")]
    for lead in (buys, stays, renews):
        await make(db, lead, plan, now, till)
    await make(db, stays, gone, now, till)
    assert await close(db, till, now) == Closed(0, "")
    await pay(db, buys, now + HOUR)
    await pay(db, renews, now + HOUR, is_renewal=True)
    async with db.write() as session:
        await plans.archive(session, gone, now=now)
    closed = await close(db, till, now + DAY)
    assert (closed.words, closed.problem) == ("Closed 2 payment links.", "")
    assert till.closed == ["plink_1", "plink_4"]
    opened, shut = LinkState.OPEN, LinkState.CLOSED
    assert await states(db) == [shut, opened, opened, shut]
    assert await close(db, till, now + DAY) == Closed(0, "")
    later = await make(db, buys, plan, now + 3 * DAY, till)  # a customer may buy more
    assert await close(db, till, now + 3 * DAY) == Closed(0, "")
    assert later.new


async def test_one_that_cannot_be_closed_at_the_provider_is_closed_later(
    db: Database, add_lead: AddLead, now: datetime
) -> None:
    till, plan = Till(), await add_plan(db, now)
    lead = await add_lead("Ace")
    await make(db, lead, plan, now, till)
    await pay(db, lead, now)
    till.breaks["close"] = Unavailable("no network")
    closed = await close(db, till, now)
    assert closed == Closed(0, "Payment links could not be closed: no network")
    assert await states(db) == [LinkState.OPEN]
    assert (await close(db, till, now)).count == 1


async def test_play_money_and_real_money_do_not_stand_beside_each_other(
    db: Database, add_lead: AddLead, now: datetime
) -> None:
    till, plan = Till(), await add_plan(db, now)
    await make(db, await add_lead("Ace"), plan, now, till)
    assert (await close(db, till, now, Mode.LIVE)).count == 1
    assert till.closed == []  # the other key knows nothing of it
    assert await states(db) == [LinkState.CLOSED]


async def test_a_request_is_paid_when_a_payment_was_recorded(
    db: Database, add_lead: AddLead, now: datetime
) -> None:
    lead, plan = await add_lead("Ace"), await add_plan(db, now)
    settings = Settings()
    settings = Settings(money=type(settings.money)(bank_details="IBAN 1"))
    async with db.write() as session:
        await requests.ask(session, lead, plan, settings=settings, now=now)
    midnight = now.replace(hour=0, minute=0)  # it was written down with its day alone
    await pay(db, lead, midnight, mode=Mode.MANUAL)
    assert (await close(db, Till(), now)).count == 1
    assert await states(db) == [LinkState.PAID]


async def test_the_worker_closes_what_needs_no_provider(
    db: Database, add_lead: AddLead, now: datetime
) -> None:
    await make(db, await add_lead("Ace"), await add_plan(db, now), now)
    worker = Worker(db, Settings(), environment={}, now=lambda: now)  # real money, by default
    report = await worker.once()
    assert report.problems == []
    assert await states(db) == [LinkState.CLOSED]
