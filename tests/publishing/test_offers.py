"""The public page names the way to keep the site while there is one, and never when it is sold."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select, update

from crm_tui.db.engine import Database
from crm_tui.db.models import Business, Event, Payment, Site
from crm_tui.services.money import links
from crm_tui.services.publishing import offers, retrying
from crm_tui.services.publishing.again import Again, try_again
from crm_tui.services.publishing.pages import Offer, public_page, with_offer
from crm_tui.services.sites.public import PublicState
from crm_tui.vocabulary import SiteStatus
from tests.money.making import add_plan, make, pay
from tests.publishing.conftest import Press

OFFER = Offer(
    7, "https://buy.example.com/1?client_reference_id=k&prefilled_email=jo%40a.example", "4 USD"
)


async def passes(press: Press) -> Again:
    """What a worker does that comes by."""
    return await try_again(press.db, press.publisher, clock=press.tick, cancelled=lambda: False)


async def sell(press: Press, lead: int) -> None:
    """What a payment does, as far as it matters here."""
    await pay(press.db, lead, press.tick())
    async with press.db.write() as session:
        await session.execute(
            update(Site).where(Site.business_id == lead).values(status=SiteStatus.SOLD)
        )


async def test_a_page_offers_the_site_only_while_a_link_is_open(press: Press, db: Database) -> None:
    lead = await press.lead_with_site("Ace Plumbing", email="jo@ace.example")
    plan = await add_plan(db, press.now)
    await press.publish(lead)
    bare = (await press.page(lead)).read_text()
    assert "crm-offer" not in bare
    assert await passes(press) == Again("", "")

    await make(db, lead, plan, press.now)
    said = await passes(press)
    assert said == Again("The way to pay on 1 public page was renewed.", "")
    page = (await press.page(lead)).read_text()
    assert "This is your site." in page
    assert f'href="https://buy.example.com/1?client_reference_id={await key(db, lead)}"' in page
    assert "jo%40ace" not in page.partition("</aside>")[0]
    assert "49.00 USD a month" in page
    site = await press.site(lead)
    assert "crm-offer" not in site.html
    assert (await press.public(lead)).state is PublicState.PUBLISHED
    assert await passes(press) == Again("", "")
    assert (await press.publish(lead)).published == 0

    await sell(press, lead)
    assert (await passes(press)).words
    assert (await press.page(lead)).read_text() == bare
    assert await passes(press) == Again("", "")


async def key(db: Database, lead: int) -> str | None:
    async with db.read() as session:
        return await session.scalar(select(Business.key).where(Business.id == lead))


async def test_a_site_published_after_its_link_was_made_has_the_offer_at_once(
    press: Press, db: Database
) -> None:
    lead = await press.lead_with_site()
    await make(db, lead, await add_plan(db, press.now), press.now)
    assert (await press.publish(lead)).published == 1
    assert "Keep it" in (await press.page(lead)).read_text()
    assert await passes(press) == Again("", "")


async def test_a_sold_site_is_published_without_an_offer_whatever_is_open(
    press: Press, db: Database
) -> None:
    lead = await press.lead_with_site()
    plan = await add_plan(db, press.now)
    await press.publish(lead)
    await sell(press, lead)
    press.now += timedelta(days=3)
    await make(db, lead, plan, press.now)  # another plan, for a customer
    assert await passes(press) == Again("", "")
    await press.publish(lead)
    assert "crm-offer" not in (await press.page(lead)).read_text()


async def test_what_was_sold_by_mistake_is_offered_again(press: Press, db: Database) -> None:
    lead = await press.lead_with_site()
    await make(db, lead, await add_plan(db, press.now), press.now)
    await press.publish(lead)
    await sell(press, lead)
    await passes(press)
    async with db.write() as session:  # as undo does it
        await session.delete(await session.scalar(select(Payment)))
        await session.execute(update(Site).values(status=SiteStatus.PUBLISHED))
    await passes(press)
    assert "Keep it" in (await press.page(lead)).read_text()


async def test_a_preview_that_is_newer_is_not_published_with_the_offer(
    press: Press, db: Database
) -> None:
    lead = await press.lead_with_site("Ace", category="Plumber")
    await press.publish(lead)
    bare = (await press.page(lead)).read_text()
    await press.change_texts(lead)
    await make(db, lead, await add_plan(db, press.now), press.now)
    await passes(press)
    page = (await press.page(lead)).read_text()
    assert "Keep it" in page
    assert with_offer(page, None) == bare
    assert (await press.public(lead)).state is PublicState.OLDER
    await sell(press, lead)
    await passes(press)
    assert (await press.page(lead)).read_text() == bare


async def test_an_offer_that_could_not_be_put_is_put_later_and_the_site_counts_as_published(
    press: Press, db: Database, tmp_path: Path
) -> None:
    lead = await press.lead_with_site()
    await press.publish(lead)
    await make(db, lead, await add_plan(db, press.now), press.now)
    script = tmp_path / "upload.py"
    press.run_before_the_public_sees_it(script, "print('no route'); raise SystemExit(1)")
    failed = await passes(press)
    assert "was not published again: python" in failed.problem
    assert "no route" in failed.problem
    assert (await press.public(lead)).problem is None
    async with db.read() as session:
        pause = await retrying.read(session)
        assert await offers.due(session)
    assert pause is not None
    press.command = ()
    assert await passes(press) == Again("", "")  # not yet
    press.now = pause.until
    assert (await passes(press)).words
    assert "Keep it" in (await press.page(lead)).read_text()
    async with db.read() as session:
        assert await retrying.read(session) is None


async def test_a_page_that_was_taken_down_or_removed_gets_no_offer(
    press: Press, db: Database
) -> None:
    down, gone = await press.lead_with_site("Down"), await press.lead_with_site("Gone")
    plan = await add_plan(db, press.now)
    for lead in (down, gone):
        await press.publish(lead)
    await press.take_down(down)
    await press.change_texts(gone)
    (await press.page(gone)).unlink()
    for lead in (down, gone):
        await make(db, lead, plan, press.now)
    await passes(press)
    assert not (await press.page(down)).exists()
    assert not (await press.page(gone)).exists()
    assert await passes(press) == Again("", "")


async def test_only_the_operators_own_publishing_is_on_the_timeline(
    press: Press, db: Database
) -> None:
    lead = await press.lead_with_site()
    await press.publish(lead)
    await make(db, lead, await add_plan(db, press.now), press.now)
    await passes(press)
    assert await press.told(lead) == ["site published"]
    async with db.read() as session:
        (asked,) = await session.scalars(select(Event.body).where(Event.summary.contains("link")))
    assert asked is not None


async def test_a_closed_link_is_offered_no_more(press: Press, db: Database) -> None:
    lead = await press.lead_with_site()
    made = await make(db, lead, await add_plan(db, press.now), press.now)
    await press.publish(lead)
    async with db.write() as session:
        assert await links.close(session, [made.link.id], now=press.now) == 1
        assert await links.close(session, [made.link.id], now=press.now) == 0
    await passes(press)
    assert "crm-offer" not in (await press.page(lead)).read_text()


@pytest.mark.parametrize(
    ("html", "stands"),
    [
        (
            "<html><head></head><body class='a'><p>Hi</p></body></html>",
            "<body class='a'><!-- offer",
        ),
        ("<p>Hi", "<p>Hi<!-- offer"),
        ('<body><a class="skip"></a><aside class="notice">x</aside>', "</a><!-- offer"),
    ],
)
def test_any_page_can_say_it_and_be_rid_of_it(html: str, stands: str) -> None:
    page = public_page(html, OFFER)
    assert stands in page
    assert with_offer(page, None) == public_page(html)
    assert with_offer(page, OFFER) == page


def test_what_a_price_or_an_address_says_is_no_markup() -> None:
    page = with_offer("<body>", Offer(1, 'https://x.example/?a="><b>', "<i>1</i>"))
    assert "<b>" not in page
    assert "<i>" not in page
    assert "prefilled" not in with_offer("<body>", OFFER)
    assert "client_reference_id=k" in with_offer("<body>", OFFER)
