"""Sites without a business get one: proposed, linked or created, told on the timeline."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import func, select

from crm_tui.config import Settings
from crm_tui.db.engine import Database
from crm_tui.db.models import Business, ContactPoint, Event, Site, Unmatched
from crm_tui.errors import NotFound
from crm_tui.services import statuses
from crm_tui.services.sites import repair
from crm_tui.services.sites.build import build_sites
from crm_tui.services.sites.files import page_path
from crm_tui.services.sites.render import Renderer
from crm_tui.services.sites.themes import load_themes
from crm_tui.vocabulary import (
    ContactStatus,
    EventKind,
    SiteStatus,
    UnmatchedKind,
    UnmatchedState,
    WebsiteStatus,
)
from tests.conftest import NOW, AddLead

PAGE = """<title>Ace Plumbing | Queens</title><h1>Ace Plumbing</h1>
<a href="tel:+1 718 555 0101">Call</a><a href="tel:+17185550102">or</a>
<a href="mailto:joe@aceplumbing.com">Write</a>
<address>12 Main St, Queens, NY 11416, USA</address>"""


async def orphan(db: Database, html: str = PAGE, *, slug: str = "ace-plumbing", **more: Any) -> int:
    """Put a site without a business into the store, as the import of an old store does."""
    async with db.write() as session:
        row = Unmatched(
            key=f"legacy-site-{slug}-{len(html)}",
            kind=UnmatchedKind.SITE,
            title=more.pop("title", slug),
            reason="it named no business",
            created_at=NOW,
            payload={"slug": slug, "html": html, "css": "", "js": "", "status": "preview"} | more,
        )
        session.add(row)
        await session.flush()
        return row.id


async def accept_all(db: Database, settings: Settings) -> repair.RepairReport:
    return await repair.accept_all(db, settings=settings, clock=lambda: NOW)


async def business(db: Database, business_id: int) -> Business:
    async with db.read() as session:
        found = await session.get(Business, business_id)
    assert found is not None
    return found


async def test_a_proposal_says_what_the_page_says_and_changes_nothing(db: Database) -> None:
    unmatched = await orphan(db)
    before = await db.data_version()
    (proposal,) = await repair.proposals(db, region="US")
    assert (proposal.unmatched_id, proposal.slug) == (unmatched, "ace-plumbing")
    assert (proposal.business_id, proposal.why) == (None, "")
    assert proposal.candidate.fields == {
        "name": "Ace Plumbing",
        "category": "",
        "street": "12 Main St",
        "city": "Queens",
        "region": "NY",
        "postal_code": "11416",
        "country": "US",
        "phone": "+17185550101",
        "email": "joe@aceplumbing.com",
    }
    assert await db.data_version() == before


async def test_accepting_creates_the_lead_with_its_site_statuses_and_story(
    db: Database, settings: Settings
) -> None:
    unmatched = await orphan(db, created_at="2024-05-06T07:08:09")
    repaired = await repair.accept(db, unmatched, settings=settings, now=NOW)
    lead = await business(db, repaired.business_id)
    assert repaired.created
    assert (lead.name, lead.source, lead.phone) == ("Ace Plumbing", "repair", "+17185550101")
    assert (lead.email, lead.city, lead.country) == ("joe@aceplumbing.com", "Queens", "US")
    assert lead.contact_status is ContactStatus.PENDING
    assert lead.website_status is WebsiteStatus.GENERATED
    assert lead.qualification_score > 0
    async with db.read() as session:
        site = (await session.scalars(select(Site))).one()
        row = (await session.scalars(select(Unmatched))).one()
        points = set(await session.scalars(select(ContactPoint.value)))
        events = (await session.scalars(select(Event).order_by(Event.id))).all()
    assert (site.slug, site.status, site.business_id) == ("ace-plumbing", "preview", lead.id)
    assert site.built_at == datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC)
    assert PAGE in site.html
    assert page_path(db.site_folder, site.slug).read_text(encoding="utf-8") == site.html
    assert (row.state, row.business_id, row.site_id) == ("created", lead.id, site.id)
    assert points == {"+17185550101", "+17185550102", "joe@aceplumbing.com"}
    assert [event.kind for event in events] == [EventKind.CAPTURED, EventKind.SITE_LINKED]
    assert "ace-plumbing" in events[0].summary
    assert "has its business again" in events[1].summary
    assert "phone: +17185550101" in (events[1].body or "")
    assert events[1].site_id == site.id


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"name": "Somebody Else", "phone": "(718) 555-0101"}, "same phone"),
        ({"name": "Ace Plumbing LLC", "email": "joe@aceplumbing.com"}, "same e-mail"),
        ({"name": "Ace Plumbing Inc", "website": "https://www.aceplumbing.com"}, "same domain"),
        ({"name": "Other", "website": "aceplumbing.com", "postal_code": "11416"}, "postcode"),
    ],
)
async def test_a_key_that_matches_links_the_site_to_the_lead_that_is_there(
    db: Database, settings: Settings, add_lead: AddLead, fields: dict[str, str], why: str
) -> None:
    lead = await add_lead(**fields)
    await orphan(db)
    (proposal,) = await repair.proposals(db, region="US")
    assert (proposal.business_id, proposal.business) == (lead, fields["name"])
    assert why in proposal.why
    report = await accept_all(db, settings)
    assert (report.created, report.linked, report.left) == (0, 1, 0)
    after = await business(db, lead)
    assert after.name == fields["name"]
    assert after.website_status is WebsiteStatus.GENERATED
    async with db.read() as session:
        assert await session.scalar(select(func.count(Business.id))) == 1
        assert await session.scalar(select(Unmatched.state)) is UnmatchedState.LINKED
        summary = await session.scalar(
            select(Event.summary).where(Event.kind == EventKind.SITE_LINKED)
        )
    assert why in (summary or "")


async def test_a_lead_that_only_looks_like_it_is_named_and_not_linked(
    db: Database, settings: Settings, add_lead: AddLead
) -> None:
    lead = await add_lead("Ace Plumbing", postal_code="11416")
    await orphan(db, "<h1>Ace Plumbing</h1><address>12 Main St, Queens, NY 11416</address>")
    (proposal,) = await repair.proposals(db, region="US")
    assert proposal.business_id is None
    assert proposal.why == f"looks like lead {lead}, Ace Plumbing: same name and postcode"
    assert (await accept_all(db, settings)).created == 1


async def test_two_sites_of_one_unknown_business_end_at_the_same_lead(
    db: Database, settings: Settings
) -> None:
    await orphan(db, slug="ace-one")
    await orphan(db, slug="ace-two")
    report = await accept_all(db, settings)
    assert (report.created, report.linked, report.left) == (1, 1, 0)
    assert len({each.business_id for each in report.repaired}) == 1


async def test_accepting_again_changes_nothing(db: Database, settings: Settings) -> None:
    unmatched = await orphan(db)
    await accept_all(db, settings)
    before = await db.data_version()
    again = await accept_all(db, settings)
    assert (again.repaired, again.problems, again.left) == ([], [], 0)
    with pytest.raises(NotFound, match="No site 1 waits"):
        await repair.accept(db, unmatched, settings=settings, now=NOW)
    assert await db.data_version() == before
    assert await repair.proposals(db, region="US") == []


@pytest.mark.parametrize(
    ("slug", "kept"),
    [("Ace Plumbing!", "ace-plumbing"), ("../../etc/passwd", "etc-passwd"), ("", None)],
)
async def test_a_slug_is_kept_where_it_is_safe_and_made_safe_where_not(
    db: Database, settings: Settings, slug: str, kept: str | None
) -> None:
    await orphan(db, slug=slug, title="An old site")
    (repaired,) = (await accept_all(db, settings)).repaired
    assert kept is None or repaired.slug == kept
    assert page_path(db.site_folder, repaired.slug).is_file()


async def test_a_slug_that_is_taken_gets_a_number(db: Database, settings: Settings) -> None:
    await orphan(db)
    await orphan(db, "<h1>Best Pipes</h1>")
    report = await accept_all(db, settings)
    assert [each.slug for each in report.repaired] == ["ace-plumbing", "ace-plumbing-2"]


@pytest.mark.parametrize(
    ("word", "status", "website"),
    [
        ("published", SiteStatus.PUBLISHED, WebsiteStatus.PUBLISHED),
        ("of another kind", SiteStatus.PREVIEW, WebsiteStatus.GENERATED),
        ("archived", SiteStatus.ARCHIVED, WebsiteStatus.ARCHIVED),
        ("", SiteStatus.PREVIEW, WebsiteStatus.GENERATED),
    ],
)
async def test_the_status_of_the_old_site_is_understood(
    db: Database, settings: Settings, word: str, status: SiteStatus, website: WebsiteStatus
) -> None:
    await orphan(db, status=word)
    (repaired,) = (await accept_all(db, settings)).repaired
    async with db.read() as session:
        assert await session.scalar(select(Site.status)) is status
    assert (await business(db, repaired.business_id)).website_status is website


@pytest.mark.parametrize(
    "html",
    ["", "<", "\x00\x1b[31m", "<title>" + "x" * 100_000, "<h1>[red]\u202eevil[/]</h1>",
     '<script type="application/ld+json">{"name": ["a"], "telephone": {}}</script>',
     "<a href='tel:not a number'>x</a><a href='mailto:'>y</a>"],
)  # fmt: skip
async def test_a_page_that_says_nothing_useful_still_gets_a_lead_of_its_own(
    db: Database, settings: Settings, html: str
) -> None:
    await orphan(db, html, slug="old-one", title="Old one")
    report = await accept_all(db, settings)
    assert (report.created, report.problems, report.left) == (1, [], 0)
    lead = await business(db, report.repaired[0].business_id)
    assert lead.name.strip()
    assert (lead.phone, lead.email) == (None, None)


async def test_missing_pieces_of_the_old_site_are_tolerated(
    db: Database, settings: Settings
) -> None:
    await orphan(db, slug="ace", html="", css=None, js=None, created_at="not a time", old_id=7)
    report = await accept_all(db, settings)
    assert report.created == 1


async def test_statuses_after_repair_are_what_the_events_say(
    db: Database, settings: Settings
) -> None:
    await orphan(db)
    (repaired,) = (await accept_all(db, settings)).repaired
    async with db.read() as session:
        folded = await statuses.fold(session, [repaired.business_id])
        assert await statuses.differing(session, folded) == {}


async def test_a_repaired_lead_can_be_built_a_site_of_its_own(
    db: Database, settings: Settings
) -> None:
    await orphan(db)
    (repaired,) = (await accept_all(db, settings)).repaired
    report = await build_sites(
        db, [repaired.business_id], renderer=Renderer(load_themes()), clock=lambda: NOW
    )
    assert report.built == 1
    assert report.sites[0].slug != repaired.slug
