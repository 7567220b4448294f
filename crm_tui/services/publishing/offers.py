"""The way to keep a site, on its public page: there while a link is open, gone when it is sold.

What the public reads is known by `published_hash`: the hash of the preview it was made of and,
after a slash, the number of the payment link it names. So a page that names another link than it
should is found by comparing, however that came: a link that was made or closed, a payment, its
undo. It is put again by itself, and nothing but the offer changes in it: a preview that is newer
than the public page is not published by that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import (
    ColumnElement,
    Text,
    bindparam,
    case,
    cast,
    exists,
    func,
    literal,
    or_,
    select,
    update,
)

from crm_tui.db.engine import Database, ReadSession
from crm_tui.db.models import Business, PaymentLink, Plan, Site
from crm_tui.db.types import listed
from crm_tui.services.money import plans
from crm_tui.services.money.offered import Offered, is_offered, offered
from crm_tui.services.publishing.alone import alone
from crm_tui.services.publishing.batch import Batch, Failure, Named, Report
from crm_tui.services.publishing.pages import Offer, public_page, with_offer
from crm_tui.services.publishing.publisher import Publisher
from crm_tui.services.sites.public import SLASH, preview_of
from crm_tui.vocabulary import SiteStatus

_OFFERING = (SiteStatus.PREVIEW, SiteStatus.PUBLISHED)


def mark(content_hash: str, offer: Offer | None) -> str:
    """What a public page is known by that is made of this preview and names this offer."""
    return content_hash if offer is None else f"{content_hash}{SLASH}{offer.link_id}"


def is_of_preview() -> ColumnElement[bool]:
    """That the public page was made of the preview as it is now."""
    return or_(
        Site.published_hash == Site.content_hash,
        func.substr(Site.published_hash, 1, func.length(Site.content_hash) + 1)
        == Site.content_hash + SLASH,
    )


async def offers(session: ReadSession, site_ids: Sequence[int]) -> dict[int, Offer]:
    """What the public pages of these sites offer; a site that is sold offers nothing."""
    rows = await session.execute(
        select(Site.id, Site.business_id).where(
            Site.id.in_(listed(site_ids)),
            Site.status.in_(_OFFERING),
            exists().where(PaymentLink.business_id == Site.business_id),
        )
    )
    owners = {row.id: row.business_id for row in rows}
    found = await offered(session, list(set(owners.values())))
    prices = await _prices(session, found.values())
    return {
        site_id: Offer(link.link_id, link.url, prices[link.plan_id])
        for site_id, owner in owners.items()
        if (link := found.get(owner))
    }


async def _prices(session: ReadSession, links: Iterable[Offered]) -> Mapping[int, str]:
    needed = {each.plan_id for each in links}
    return {each: (await plans.required(session, each)).price for each in sorted(needed)}


async def due(session: ReadSession) -> list[int]:
    """Public sites whose page names another offer than it should."""
    preview = func.substr(
        Site.published_hash, 1, func.instr(Site.published_hash.concat(SLASH), SLASH) - 1
    )
    own = (
        select(literal(SLASH).concat(cast(func.max(PaymentLink.id), Text)))
        .join(Plan, Plan.id == PaymentLink.plan_id)
        .where(PaymentLink.business_id == Site.business_id, is_offered())
        .scalar_subquery()
    )
    named = case((Site.status.in_(_OFFERING), func.coalesce(own, "")), else_="")
    rows = await session.scalars(
        select(Site.id)
        .where(
            Site.business_id.in_(select(PaymentLink.business_id)),
            Site.published_url.is_not(None),
            Site.status.in_((SiteStatus.PUBLISHED, SiteStatus.SOLD)),
            Site.published_hash != preview.concat(named),
        )
        .order_by(Site.id)
    )
    return list(rows)


# Putting them again


@dataclass(frozen=True, slots=True)
class _Put(Named):
    before: str
    after: str


@dataclass(slots=True)
class OfferReport(Report):
    """What putting offers came to: the slugs of the pages that name what they should now."""

    pages: list[str] = field(default_factory=list)


class _Row(NamedTuple):
    site_id: int
    business_id: int
    business: str
    slug: str
    html: str
    content_hash: str
    published_hash: str

    @property
    def is_newer(self) -> bool:
        """Whether the preview is newer than what the public reads."""
        return preview_of(self.published_hash) != self.content_hash


async def renew(
    db: Database,
    site_ids: Sequence[int],
    *,
    publisher: Publisher,
    clock: Callable[[], datetime],
    progress: Callable[[int, int], None] = lambda _done, _total: None,
    cancelled: Callable[[], bool] = lambda: False,
    by_itself: bool = False,
) -> OfferReport:
    """Have public pages name the offer they should; all else in them stays as it is.

    Raises:
        UserError: as in publish_sites.
    """
    await publisher.check()
    async with alone(db.path, cancelled=cancelled):
        run = _Renewing(db, publisher, clock, OfferReport(), by_itself=by_itself)
        await run.run(site_ids, progress=progress, cancelled=cancelled)
        return run.report


class _Renewing(Batch[_Put, OfferReport]):
    STOPPED = "putting the offer was stopped before it had finished"

    async def prepare(self, site_ids: Sequence[int]) -> None:
        """Put the pages of some sites with the offer they should name."""
        async with self.db.read() as session:
            rows = [_Row._make(row) for row in await session.execute(_public(site_ids))]
            wanted = await offers(session, site_ids)
        there = await self.publisher.read([row.slug for row in rows if row.is_newer])
        pages = {}
        for row in rows:
            offer = wanted.get(row.site_id)
            if not row.is_newer:
                pages[row.slug] = public_page(row.html, offer)
            elif row.slug in there:
                pages[row.slug] = with_offer(there[row.slug], offer)
        problems = await self.publisher.put(pages)
        failed = []
        for row in rows:
            put = _Put(
                *row[:4],
                row.published_hash,
                mark(preview_of(row.published_hash), wanted.get(row.site_id)),
            )
            # A page that is not there offers nothing; that it is missing is told elsewhere.
            if problem := problems.get(row.slug):
                failed.append((put, problem))
            else:
                self.waiting.append(put)
        if failed:
            await self.fail(failed)

    async def record(self, sites: Sequence[_Put]) -> None:
        """Write what the pages name now."""
        async with self.db.write() as session:
            connection = await session.connection()
            await connection.execute(
                update(Site)
                .where(Site.id == bindparam("site"), Site.published_hash == bindparam("before"))
                .values(published_hash=bindparam("after")),
                [
                    {"site": each.site_id, "before": each.before, "after": each.after}
                    for each in sites
                ],
            )
        self.report.pages += [each.slug for each in sites]

    async def fail(self, failed: Sequence[tuple[_Put, str]]) -> None:
        """Have it be tried again; the site itself is published as it was."""
        async with self.db.write() as session:
            await self.fails(session)
        self.report.failures += [Failure.of(site, why) for site, why in failed]


def _public(site_ids: Sequence[int]) -> Any:
    return (
        select(
            Site.id,
            Site.business_id,
            Business.name,
            Site.slug,
            Site.html,
            Site.content_hash,
            Site.published_hash,
        )
        .join(Business, Business.id == Site.business_id)
        .where(
            Site.id.in_(site_ids), Site.published_url.is_not(None), Site.published_hash.is_not(None)
        )
        .order_by(Site.id)
    )
