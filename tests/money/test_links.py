"""A payment link is made once for a lead and a plan, whatever is cut off meanwhile."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from sqlalchemy import func, select, update

from crm_tui.db.engine import Database
from crm_tui.db.models import Business, Event, PaymentLink, PlanPrice
from crm_tui.errors import BadInput, NotFound
from crm_tui.providers.base import Refused, Unavailable, Unclear
from crm_tui.services.money import links, plans
from crm_tui.services.money.offered import offered
from crm_tui.vocabulary import EventKind, LinkState, Mode
from tests.conftest import AddLead
from tests.money.making import Till, add_plan, make, pay

DAY = timedelta(days=1)


async def key_of(db: Database, lead: int) -> str | None:
    async with db.read() as session:
        return await session.scalar(select(Business.key).where(Business.id == lead))


async def test_a_link_is_made_once_and_found_again(
    db: Database, add_lead: AddLead, now: datetime
) -> None:
    till = Till()
    lead = await add_lead("Ace Plumbing", email="jo@ace.example")
    plan = await add_plan(db, now, setup_fee=9900)
    made = await make(db, lead, plan, now, till)
    key = await key_of(db, lead)

    assert made.new
    link = made.link
    assert (link.state, link.mode, link.reference) == (LinkState.OPEN, Mode.TEST, key)
    assert link.url == (
        f"https://buy.example.com/1?client_reference_id={key}&prefilled_email=jo%40ace.example"
    )
    assert (link.plan, link.first) == ("Care", 14800)
    again = await make(db, lead, plan, now + DAY, till)
    assert (again.new, again.link) == (False, link)
    assert till.asked == ["prices", "link"]
    async with db.read() as session:
        (told,) = await session.scalars(
            select(Event.summary).where(Event.kind == EventKind.PAYMENT_ASKED)
        )
    assert told == ("payment link made: Care, 49.00 USD a month, 99.00 USD at the beginning")


async def test_a_plan_is_made_known_to_the_provider_once_for_all_leads_in_each_mode(
    db: Database, add_lead: AddLead, now: datetime
) -> None:
    till = Till()
    plan = await add_plan(db, now)
    for name in ("Ace", "Best", "Cut"):
        await make(db, await add_lead(name), plan, now, till)
    assert till.asked == ["prices", "link", "link", "link"]
    async with db.read() as session:
        assert await session.scalar(select(func.count()).select_from(PlanPrice)) == 1
    other = await add_lead("Dot")
    await links.make(
        db,
        other,
        plan,
        payments=till,
        mode=Mode.LIVE,
        clock=lambda: now,
    )
    assert till.asked[4:] == ["prices", "link"]
    assert len(till.prices) == 2


@pytest.mark.parametrize("asked", ["prices", "link"])
@pytest.mark.parametrize("done", [False, True])
async def test_what_was_cut_off_goes_on_under_the_same_key(
    db: Database, add_lead: AddLead, now: datetime, asked: str, *, done: bool
) -> None:
    broken = {asked: Unclear("the connection was lost")}
    till = Till(breaks_after=dict(broken)) if done else Till(breaks=dict(broken))
    lead = await add_lead("Ace Plumbing", email="jo@ace.example")
    plan = await add_plan(db, now)
    with pytest.raises(Unclear):
        await make(db, lead, plan, now, till)
    async with db.read() as session:
        (half,) = await links.listed(session)
        assert await offered(session, [lead]) == {}
    assert (half.state, half.url) == (LinkState.CREATING, None)
    async with db.write() as session:  # what is asked for is the same all the same
        await session.execute(update(Business).values(key="another", email="al@ace.example"))

    made = await make(db, lead, plan, now + DAY, till)

    assert (made.new, made.link.id, made.link.reference) == (True, half.id, half.reference)
    assert len(till.prices) == len(till.pages) == 1


async def test_what_the_provider_refuses_for_good_is_asked_for_anew(
    db: Database, add_lead: AddLead, now: datetime
) -> None:
    till = Till(breaks={"link": Refused("no such price", hard=False)})
    lead, plan = await add_lead("Ace"), await add_plan(db, now)
    with pytest.raises(Refused):
        await make(db, lead, plan, now, till)
    assert (await make(db, lead, plan, now, till)).link.state is LinkState.OPEN
    async with db.read() as session:
        states = [link.state for link in await links.listed(session)]
    assert states == [LinkState.OPEN, LinkState.CLOSED]


async def test_a_link_that_was_closed_while_it_was_made_is_closed_at_the_provider(
    db: Database, add_lead: AddLead, now: datetime
) -> None:
    lead, plan = await add_lead("Ace"), await add_plan(db, now)

    class Slow(Till):
        async def close_meanwhile(self) -> None:
            async with db.write() as session:
                await links.close(session, [1], now=now)

        async def make_link(self, *args: object, **more: object) -> object:  # type: ignore[override]
            await self.close_meanwhile()
            return await super().make_link(*args, **more)  # type: ignore[arg-type]

    till = Slow()
    with pytest.raises(BadInput, match="closed while it was made"):
        await make(db, lead, plan, now, till)
    assert till.closed == ["plink_1"]


async def test_no_link_is_made_for_nobody_or_for_what_is_not_sold(
    db: Database, add_lead: AddLead, now: datetime
) -> None:
    till = Till()
    lead, plan = await add_lead("Ace"), await add_plan(db, now)
    with pytest.raises(NotFound):
        await make(db, 99, plan, now, till)
    with pytest.raises(NotFound):
        await make(db, lead, 99, now, till)
    async with db.write() as session:
        await plans.archive(session, plan, now=now)
    with pytest.raises(BadInput, match="archive"):
        await make(db, lead, plan, now, till)
    assert till.asked == []


async def test_the_newest_open_link_is_the_leads_own_until_it_buys(
    db: Database, add_lead: AddLead, now: datetime
) -> None:
    till = Till()
    lead, other = await add_lead("Ace"), await add_lead("Best")
    first, second = await add_plan(db, now), await add_plan(db, now, "Care plus", 9900)

    async def own() -> int | None:
        async with db.read() as session:
            found = (await offered(session, [lead, other])).get(lead)
        return found.plan_id if found else None

    await make(db, lead, first, now, till)
    assert await own() == first
    await make(db, lead, second, now + DAY, till)
    assert await own() == second
    async with db.write() as session:
        await plans.archive(session, second, now=now)
    assert await own() == first
    await pay(db, other, now + 2 * DAY)
    await pay(db, lead, now + 2 * DAY, is_renewal=True)
    assert await own() == first
    await pay(db, lead, now + 3 * DAY)
    assert await own() is None


async def test_a_provider_that_cannot_be_reached_leaves_nothing_but_the_row(
    db: Database, add_lead: AddLead, now: datetime
) -> None:
    till = Till(breaks={"prices": Unavailable("no network")})
    with pytest.raises(Unavailable):
        await make(db, await add_lead("Ace"), await add_plan(db, now), now, till)
    async with db.read() as session:
        assert await session.scalar(select(PaymentLink.state)) is LinkState.CREATING
        assert not (
            await session.scalars(select(Event.id).where(Event.moves_to.is_not(None)))
        ).all()
