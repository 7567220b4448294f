"""Building sites in a real store, with the shipped themes."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import event, select, update

from crm_tui.config import Settings
from crm_tui.db.engine import Database
from crm_tui.db.models import Business, Event, Site
from crm_tui.errors import BadInput, UserError
from crm_tui.services import leads
from crm_tui.services.sites import build, claims, editing, gather
from crm_tui.services.sites.build import BuildReport, build_sites
from crm_tui.services.sites.facts import SiteFacts
from crm_tui.services.sites.files import page_path, write_page
from crm_tui.services.sites.render import Renderer
from crm_tui.services.sites.texts import SiteTexts
from crm_tui.services.sites.themes import load_themes
from crm_tui.vocabulary import EventKind, SiteStatus, WebsiteStatus
from tests.conftest import NOW, AddLead


@pytest.fixture(scope="module")
def renderer() -> Renderer:
    return Renderer(load_themes())


class Probe(Renderer):
    """Renders as always, but tells a test about every page first."""

    def __init__(self, on_render: Callable[[SiteFacts], None]) -> None:
        super().__init__(load_themes())
        self._on_render = on_render

    def render(
        self, facts: SiteFacts, texts: SiteTexts, theme: str, *, palette: str | None = None
    ) -> str:
        self._on_render(facts)
        return super().render(facts, texts, theme, palette=palette)


async def built(
    db: Database, ids: Sequence[int], renderer: Renderer, now: datetime = NOW
) -> BuildReport:
    return await build_sites(db, ids, renderer=renderer, clock=lambda: now)


async def site_of(db: Database, business_id: int) -> Site:
    async with db.read() as session:
        return (
            await session.execute(select(Site).where(Site.business_id == business_id))
        ).scalar_one()


async def status_of(db: Database, business_id: int) -> WebsiteStatus:
    async with db.read() as session:
        status = await session.scalar(
            select(Business.website_status).where(Business.id == business_id)
        )
    assert status is not None
    return status


async def kinds_of(db: Database, business_id: int) -> list[EventKind]:
    async with db.read() as session:
        kinds = await session.scalars(
            select(Event.kind)
            .where(Event.business_id == business_id, Event.kind != EventKind.CAPTURED)
            .order_by(Event.occurred_at, Event.id)
        )
        return list(kinds)


async def test_a_build_stores_the_site_with_its_business_and_writes_its_file(
    db: Database, add_lead: AddLead, renderer: Renderer
) -> None:
    lead = await add_lead("Ace Plumbing", category="Plumber", city="Queens", country="US")
    report = await built(db, [lead], renderer)
    site = await site_of(db, lead)
    assert (report.built, report.unchanged, report.failures) == (1, 0, [])
    assert report.sites[0].path == page_path(db.site_folder, site.slug)
    assert report.sites[0].path.read_text(encoding="utf-8") == site.html
    assert "Ace Plumbing" in site.html
    assert site.slug.startswith("ace-plumbing-queens-")
    assert (site.theme, site.status, site.out_of_date) == ("trades", SiteStatus.PREVIEW, False)
    assert await status_of(db, lead) is WebsiteStatus.GENERATED
    assert await kinds_of(db, lead) == [EventKind.SITE_BUILDING, EventKind.SITE_BUILT]


async def test_the_business_is_generating_while_its_page_is_made(
    db: Database, add_lead: AddLead
) -> None:
    lead = await add_lead("Ace Plumbing")
    seen: list[tuple[str, bool]] = []

    def look(_facts: SiteFacts) -> None:
        other = sqlite3.connect(db.path)
        row = other.execute("SELECT website_status, building_by FROM business").fetchone()
        other.close()
        seen.append((row[0], bool(row[1])))

    await built(db, [lead], Probe(look))
    assert seen == [("generating", True)]
    async with db.read() as session:
        assert await session.scalar(select(Business.building_by)) is None


async def test_building_unchanged_data_again_writes_nothing(
    db: Database, add_lead: AddLead, renderer: Renderer
) -> None:
    leads_added = [await add_lead(f"Business {number}") for number in range(3)]
    first = await built(db, leads_added, renderer)
    before = [site.path.stat() for site in first.sites]
    watching = await db.data_version()
    again = await built(db, leads_added, renderer, NOW + timedelta(days=30))
    assert (again.built, again.unchanged) == (0, 3)
    assert [site.slug for site in again.sites] == [site.slug for site in first.sites]
    assert await db.data_version() == watching
    after = [site.path.stat() for site in again.sites]
    assert [(s.st_ino, s.st_mtime_ns) for s in after] == [(s.st_ino, s.st_mtime_ns) for s in before]
    assert len(await kinds_of(db, leads_added[0])) == 2


async def test_a_missing_or_stale_file_is_restored_from_the_store(
    db: Database, add_lead: AddLead, renderer: Renderer
) -> None:
    leads_added = [await add_lead("Gone"), await add_lead("Stale")]
    first = await built(db, leads_added, renderer)
    first.sites[0].path.unlink()
    first.sites[0].path.parent.rmdir()
    first.sites[1].path.write_text("half a pa")
    again = await built(db, leads_added, renderer)
    assert (again.built, again.unchanged) == (0, 2)
    for lead, site in zip(leads_added, again.sites, strict=True):
        assert site.path.read_text(encoding="utf-8") == (await site_of(db, lead)).html


async def test_changed_facts_mark_the_site_and_building_again_keeps_its_slug(
    db: Database, add_lead: AddLead, renderer: Renderer, settings: Settings
) -> None:
    lead = await add_lead("Ace Plumbing", city="Queens")
    await built(db, [lead], renderer)
    first = await site_of(db, lead)
    async with db.write() as session:
        await leads.edit(session, lead, {"name": "Best Pipes"}, settings=settings, now=NOW)
        marked = await gather.mark_out_of_date(session, [lead])
    assert (await site_of(db, lead)).out_of_date
    report = await built(db, [lead], renderer, NOW + timedelta(hours=1))
    second = await site_of(db, lead)
    assert marked <= 1
    assert report.built == 1
    assert "Best Pipes" in second.html
    assert (second.id, second.slug, second.created_at) == (first.id, first.slug, first.created_at)
    assert second.built_at > first.built_at
    assert not second.out_of_date
    assert report.sites[0].path.read_text(encoding="utf-8") == second.html


async def test_a_change_that_no_page_shows_does_not_mark_the_site(
    db: Database, add_lead: AddLead, renderer: Renderer
) -> None:
    lead = await add_lead("Ace Plumbing")
    await built(db, [lead], renderer)
    async with db.write() as session:
        await session.execute(update(Business).values(qualification_score=99, photo_count=7))
        assert await gather.mark_out_of_date(session, [lead]) == 0


async def test_a_mark_that_was_not_needed_after_all_is_taken_back(
    db: Database, add_lead: AddLead, renderer: Renderer
) -> None:
    lead = await add_lead("Ace Plumbing")
    await built(db, [lead], renderer)
    async with db.write() as session:
        await session.execute(update(Site).values(out_of_date=True))
    assert (await built(db, [lead], renderer)).unchanged == 1
    assert not (await site_of(db, lead)).out_of_date


@pytest.mark.parametrize("status", [SiteStatus.PUBLISHED, SiteStatus.SOLD])
async def test_building_again_never_lowers_the_status(
    db: Database, add_lead: AddLead, renderer: Renderer, status: SiteStatus
) -> None:
    lead = await add_lead("Ace Plumbing")
    await built(db, [lead], renderer)
    seen: list[str] = []
    async with db.write() as session:
        await session.execute(update(Site).values(status=status))
        await session.execute(update(Business).values(city="Ozone Park"))

    def look(_facts: SiteFacts) -> None:
        other = sqlite3.connect(db.path)
        seen.append(other.execute("SELECT website_status FROM business").fetchone()[0])
        other.close()

    report = await built(db, [lead], Probe(look))
    assert report.sites[0].status is status
    assert (await site_of(db, lead)).status is status
    assert seen == [str(status)]
    assert await status_of(db, lead) == str(status)


async def test_one_page_that_cannot_be_made_fails_alone_with_its_reason(
    db: Database, add_lead: AddLead
) -> None:
    good, bad = await add_lead("Good"), await add_lead("Bad")

    def refuse(facts: SiteFacts) -> None:
        if facts.name == "Bad":
            raise BadInput("The theme trades cannot be used: page.html, line 3: no.")

    report = await built(db, [good, bad], Probe(refuse))
    assert [site.business_id for site in report.sites] == [good]
    assert [(each.business_id, each.name) for each in report.failures] == [(bad, "Bad")]
    assert "line 3" in report.failures[0].reason
    assert await status_of(db, good) is WebsiteStatus.GENERATED
    assert await status_of(db, bad) is WebsiteStatus.FAILED
    assert await kinds_of(db, bad) == [EventKind.SITE_BUILDING, EventKind.SITE_FAILED]
    async with db.read() as session:
        body = await session.scalar(select(Event.body).where(Event.kind == EventKind.SITE_FAILED))
        assert "line 3" in (body or "")


async def test_a_failure_leaves_the_earlier_good_site_standing(
    db: Database, add_lead: AddLead, renderer: Renderer
) -> None:
    lead = await add_lead("Ace Plumbing")
    await built(db, [lead], renderer)
    before = await site_of(db, lead)
    async with db.write() as session:
        await session.execute(update(Business).values(city="Ozone Park"))

    def defect(_facts: SiteFacts) -> None:
        raise ZeroDivisionError("boom")

    report = await built(db, [lead], Probe(defect))
    after = await site_of(db, lead)
    assert "ZeroDivisionError" in report.failures[0].reason
    assert (after.html, after.content_hash) == (before.html, before.content_hash)
    assert await status_of(db, lead) is WebsiteStatus.GENERATED
    assert (await kinds_of(db, lead))[-1] is EventKind.SITE_FAILED


async def test_an_unknown_lead_is_named(db: Database, renderer: Renderer) -> None:
    report = await built(db, [77], renderer)
    assert [(each.business_id, each.reason) for each in report.failures] == [
        (77, "there is no such lead")
    ]


async def test_a_file_that_cannot_be_written_is_reported_and_the_row_stays(
    db: Database, add_lead: AddLead, renderer: Renderer
) -> None:
    lead = await add_lead("Ace Plumbing")
    db.site_folder.write_text("a file where the folder should be")
    report = await built(db, [lead], renderer)
    assert report.sites == []
    assert "it is stored, but" in report.failures[0].reason
    assert await status_of(db, lead) is WebsiteStatus.GENERATED
    db.site_folder.unlink()
    again = await built(db, [lead], renderer)
    assert (again.unchanged, again.sites[0].path.exists()) == (1, True)


async def test_what_a_killed_writer_left_is_written_over(
    db: Database, add_lead: AddLead, renderer: Renderer
) -> None:
    lead = await add_lead("Ace Plumbing")
    report = await built(db, [lead], renderer)
    folder = report.sites[0].path.parent
    (folder / ".index.html.draft").write_text("x" * 100_000)
    report.sites[0].path.unlink()
    await built(db, [lead], renderer)
    assert [entry.name for entry in folder.iterdir()] == ["index.html"]


async def test_facts_that_change_while_the_page_is_made_leave_it_out_of_date(
    db: Database, add_lead: AddLead
) -> None:
    lead = await add_lead("Ace Plumbing")

    def meanwhile(_facts: SiteFacts) -> None:
        other = sqlite3.connect(db.path)
        other.execute("UPDATE business SET city = 'Ozone Park'")
        other.commit()
        other.close()

    await built(db, [lead], Probe(meanwhile))
    site = await site_of(db, lead)
    assert "Ozone Park" not in site.html
    assert site.out_of_date


async def test_two_businesses_never_share_a_slug(
    db: Database, add_lead: AddLead, renderer: Renderer
) -> None:
    lead, twin = await add_lead("Ace"), await add_lead("Best")
    await built(db, [lead], renderer)
    taken = (await site_of(db, lead)).slug
    async with db.read() as session:
        assert await gather.free_slugs(session, [taken, taken, "new"]) == [
            f"{taken}-2",
            f"{taken}-3",
            "new",
        ]
        (cut,) = await gather.free_slugs(session, ["a" * 60])
        assert cut == "a" * 60
    await built(db, [twin], renderer)
    assert (await site_of(db, twin)).slug != taken


async def test_an_imported_page_is_left_alone_and_a_site_is_built_beside_it(
    db: Database, add_lead: AddLead, renderer: Renderer
) -> None:
    lead = await add_lead("Ace Plumbing")
    async with db.write() as session:
        session.add(
            Site(
                business_id=lead,
                slug="old-ace",
                theme=gather.IMPORTED,
                content_hash="x",
                created_at=NOW,
                built_at=NOW,
                html="<p>old",
            )
        )
    report = await built(db, [lead], renderer)
    async with db.read() as session:
        rows = await session.execute(select(Site.slug, Site.html))
        pages = {row.slug: row.html for row in rows}
    assert pages["old-ace"] == "<p>old"
    assert report.sites[0].slug != "old-ace"


# Cancelling


async def test_a_cancelled_build_stops_between_chunks_and_says_how_far_it_came(
    db: Database, add_lead: AddLead, renderer: Renderer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(build, "CHUNK", 2)
    ids = [await add_lead(f"Business {number}") for number in range(5)]
    seen: list[tuple[int, int]] = []
    report = await build_sites(
        db,
        ids,
        renderer=renderer,
        clock=lambda: NOW,
        progress=lambda done, total: seen.append((done, total)),
        cancelled=lambda: len(seen) == 2,
    )
    assert (report.cancelled, report.built, seen) == (True, 4, [(2, 5), (4, 5)])
    assert await status_of(db, ids[4]) is WebsiteStatus.NONE


async def test_a_cancelled_task_finishes_its_chunk_and_leaves_nothing_claimed(
    db: Database, add_lead: AddLead
) -> None:
    lead = await add_lead("Ace Plumbing")
    loop = asyncio.get_running_loop()

    def cancel(_facts: SiteFacts) -> None:
        loop.call_soon_threadsafe(task.cancel)

    task = asyncio.ensure_future(built(db, [lead], Probe(cancel)))
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await status_of(db, lead) is WebsiteStatus.GENERATED
    async with db.read() as session:
        assert await session.scalar(select(Business.building_by)) is None


# Claims


async def test_what_a_dead_builder_claimed_is_given_back_and_the_timeline_says_so(
    db: Database, add_lead: AddLead, renderer: Renderer
) -> None:
    lead = await add_lead("Ace Plumbing")
    with claims.builder(db.path) as name:
        async with db.write() as session:
            assert await claims.claim(session, db.path, [lead], name, now=NOW) == {lead}
        assert await status_of(db, lead) is WebsiteStatus.GENERATING
        assert await claims.repair_stuck(db, now=NOW) == 0
    # The clock was set back meanwhile: the repair must still be the later event.
    assert await claims.repair_stuck(db, now=NOW - timedelta(days=1)) == 1
    assert await status_of(db, lead) is WebsiteStatus.NONE
    assert await kinds_of(db, lead) == [EventKind.SITE_BUILDING, EventKind.SITE_ABANDONED]
    assert await claims.repair_stuck(db, now=NOW) == 0
    assert (await built(db, [lead], renderer)).built == 1


async def test_a_dead_builder_of_a_lead_with_a_site_leaves_the_site_standing(
    db: Database, add_lead: AddLead, renderer: Renderer
) -> None:
    lead = await add_lead("Ace Plumbing")
    await built(db, [lead], renderer)
    with claims.builder(db.path) as name:
        async with db.write() as session:
            await claims.claim(session, db.path, [lead], name, now=NOW)
    assert await claims.repair_stuck(db, now=NOW) == 1
    assert await status_of(db, lead) is WebsiteStatus.GENERATED


async def test_a_business_that_another_builder_keeps_is_reported_in_the_end(
    db: Database, add_lead: AddLead, renderer: Renderer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(build, "PATIENCE", timedelta(0))
    kept, free = await add_lead("Kept"), await add_lead("Free")
    with claims.builder(db.path) as name:
        async with db.write() as session:
            await claims.claim(session, db.path, [kept], name, now=NOW)
        report = await built(db, [kept, free], renderer)
    assert [site.business_id for site in report.sites] == [free]
    assert [each.business_id for each in report.failures] == [kept]
    assert "another crm-tui" in report.failures[0].reason


async def test_a_business_that_another_builder_finishes_is_waited_for(
    db: Database, add_lead: AddLead, renderer: Renderer
) -> None:
    lead = await add_lead("Ace Plumbing")
    with claims.builder(db.path) as name:
        async with db.write() as session:
            await claims.claim(session, db.path, [lead], name, now=NOW)
        waiting = asyncio.ensure_future(built(db, [lead], renderer))
        await asyncio.sleep(0)
        async with db.write() as session:
            await claims.release(session, [lead], name)
        report = await waiting
    assert (report.built, report.failures) == (1, [])


async def test_a_builder_that_lost_its_claim_does_not_store_its_page(
    db: Database, add_lead: AddLead
) -> None:
    lead = await add_lead("Ace Plumbing")

    def take_over(_facts: SiteFacts) -> None:
        other = sqlite3.connect(db.path)
        other.execute("UPDATE business SET building_by = 'somebody else'")
        other.commit()
        other.close()

    report = await built(db, [lead], Probe(take_over))
    assert report.sites == []
    assert "another crm-tui" in report.failures[0].reason
    async with db.read() as session:
        assert (await session.scalars(select(Site.id))).all() == []
        assert await session.scalar(select(Business.building_by)) == "somebody else"


# Texts


async def test_edited_texts_are_kept_over_rebuilds(
    db: Database, add_lead: AddLead, renderer: Renderer
) -> None:
    lead = await add_lead("Ace Plumbing", category="Plumber")
    await built(db, [lead], renderer)
    site = await site_of(db, lead)
    async with db.write() as session:
        text = await editing.read_texts(session, site.id, themes=renderer.themes)
        lines = text.splitlines()
        at = next(i for i, line in enumerate(lines) if line.startswith("headline = "))
        lines[at] = 'headline = "Pipes, at last"'
        edited = "\n".join(lines)
        changed = await editing.save_texts(
            session, site.id, edited, themes=renderer.themes, now=NOW
        )
    assert changed
    assert (await site_of(db, lead)).out_of_date
    assert (await built(db, [lead], renderer)).built == 1
    async with db.write() as session:
        await session.execute(update(Business).values(city="Ozone Park"))
    await built(db, [lead], renderer)
    after = await site_of(db, lead)
    assert "Pipes, at last" in after.html
    assert (after.texts, after.out_of_date) == (edited, False)
    async with db.read() as session:
        assert await editing.read_texts(session, site.id, themes=renderer.themes) == edited


async def test_texts_saved_as_they_were_go_on_following_the_facts(
    db: Database, add_lead: AddLead, renderer: Renderer
) -> None:
    lead = await add_lead("Ace Plumbing", category="Plumber")
    await built(db, [lead], renderer)
    site = await site_of(db, lead)
    async with db.write() as session:
        text = await editing.read_texts(session, site.id, themes=renderer.themes)
        saved = await editing.save_texts(session, site.id, text, themes=renderer.themes, now=NOW)
    assert not saved
    assert (await site_of(db, lead)).texts is None


async def test_texts_that_cannot_be_used_are_refused_and_nothing_changes(
    db: Database, add_lead: AddLead, renderer: Renderer
) -> None:
    lead = await add_lead("Ace Plumbing")
    await built(db, [lead], renderer)
    site = await site_of(db, lead)
    with pytest.raises(BadInput, match="line 1, field headline"):
        async with db.write() as session:
            await editing.save_texts(
                session, site.id, 'headline = "{nam}"', themes=renderer.themes, now=NOW
            )
    assert not (await site_of(db, lead)).out_of_date


async def test_an_imported_page_has_no_texts(
    db: Database, add_lead: AddLead, renderer: Renderer
) -> None:
    lead = await add_lead("Ace Plumbing")
    await built(db, [lead], renderer)
    site = await site_of(db, lead)
    async with db.write() as session:
        await session.execute(update(Site).values(theme=gather.IMPORTED))
    async with db.read() as session:
        with pytest.raises(UserError, match="was imported as it is"):
            await editing.read_texts(session, site.id, themes=renderer.themes)


async def test_the_statements_of_a_build_do_not_grow_with_its_chunk(
    db: Database, add_lead: AddLead, renderer: Renderer
) -> None:
    """So that the write transactions stay short whatever the chunk."""
    ids = [await add_lead(f"Business {number}") for number in range(30)]
    counts: list[int] = []

    def count(*_arguments: object) -> None:
        counts[-1] += 1

    event.listen(db._writer.sync_engine, "before_cursor_execute", count)
    for chunk in (ids[:5], ids[5:]):
        counts.append(0)
        await built(db, chunk, renderer)
    assert counts[0] == counts[1] > 0


def test_the_folder_of_a_site_holds_nothing_but_its_page(tmp_path: Path) -> None:
    write_page(tmp_path, "ace", "<p>é")
    assert [entry.name for entry in (tmp_path / "ace").iterdir()] == ["index.html"]
    assert (tmp_path / "ace" / "index.html").read_bytes() == "<p>é".encode()
