"""The rows of built sites: which ones there are, and writing them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import insert, select, update

from crm_tui.db.engine import ReadSession, WriteSession
from crm_tui.db.models import Site
from crm_tui.services.events import OPERATOR, NewEvent
from crm_tui.services.sites import gather
from crm_tui.services.sites.plans import Page, Plan, Present
from crm_tui.services.sites.slugs import make_slug
from crm_tui.vocabulary import EventKind, SiteStatus

_PRESENT = (Site.id, Site.slug, Site.status, Site.texts, Site.content_hash, Site.out_of_date)


class Recorded(NamedTuple):
    """A site whose row is in the store, made from what was planned."""

    plan: Plan
    site: Present


async def present_sites(session: ReadSession, business_ids: Sequence[int]) -> dict[int, Present]:
    """The newest site of each business that stands and was built by us."""
    rows = await session.execute(
        select(Site.business_id, *_PRESENT)
        .where(
            Site.business_id.in_(business_ids),
            Site.theme != gather.IMPORTED,
            Site.status != SiteStatus.ARCHIVED,
        )
        .order_by(Site.id)
    )
    return {row.business_id: Present(*row[1:]) for row in rows}


async def store(session: WriteSession, pages: list[Page], *, now: datetime) -> list[Recorded]:
    """Write the sites' rows. What changed while they were rendered leaves them out of date."""
    ids = [page.plan.business_id for page in pages]
    facts = await gather.site_facts(session, ids)
    present = await present_sites(session, ids)
    first = [page.plan.facts for page in pages if page.plan.site is None]
    wanted = [make_slug(each.name, each.city, each.key) for each in first]
    slugs = iter(await gather.free_slugs(session, wanted))
    new, again = [], []
    for page in pages:
        plan, stored = page.plan, present.get(page.plan.business_id)
        made_of = gather.facts_hash(plan.facts)
        texts_kept = plan.site is None or stored is None or stored.texts == plan.site.texts
        facts_kept = gather.facts_hash(facts[plan.business_id]) == made_of
        row = {
            "theme": plan.theme,
            "out_of_date": not (texts_kept and facts_kept),
            "content_hash": plan.content_hash,
            "facts_hash": made_of,
            "built_at": now,
            "html": page.html,
        }
        if plan.site is None:
            origin = {"business_id": plan.business_id, "slug": next(slugs), "created_at": now}
            new.append(row | origin)
        else:
            again.append(row | {"id": plan.site.id})
    made = await _insert(session, new)
    if again:
        await session.execute(update(Site), again)
    return [Recorded(page.plan, page.plan.site or made[page.plan.business_id]) for page in pages]


async def _insert(session: WriteSession, rows: list[dict[str, Any]]) -> dict[int, Present]:
    if not rows:
        return {}
    # They come archived and are brought to life, which is what undo takes back: a row of a site is
    # never deleted.
    archived = [row | {"status": SiteStatus.ARCHIVED} for row in rows]
    made = await session.scalars(insert(Site).returning(Site.id), archived)
    found = await session.execute(
        update(Site)
        .where(Site.id.in_(made.all()))
        .values(status=SiteStatus.PREVIEW)
        .returning(Site.business_id, *_PRESENT)
        .execution_options(synchronize_session=None)
    )
    return {row.business_id: Present(*row[1:]) for row in found}


def built_event(recorded: Recorded, now: datetime) -> NewEvent:
    """That a site was built, for its business's timeline."""
    plan, site = recorded
    summary = "site built again" if plan.site else "site built"
    return NewEvent(
        plan.business_id,
        EventKind.SITE_BUILT,
        now,
        summary,
        OPERATOR,
        data={"slug": site.slug},
        site_id=site.id,
    )


def failed_event(page: Page, now: datetime) -> NewEvent:
    """That a site could not be built, and why."""
    return NewEvent(
        page.plan.business_id,
        EventKind.SITE_FAILED,
        now,
        "the site could not be built",
        OPERATOR,
        body=page.problem,
        site_id=page.plan.site.id if page.plan.site else None,
    )
