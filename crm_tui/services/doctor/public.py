"""Whether the public reads what the store says it reads, as far as can be seen from here."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import NamedTuple

from sqlalchemy import select

from crm_tui.db.models import Site
from crm_tui.errors import BadInput, StoreError, UserError
from crm_tui.services.doctor.findings import Check, Finding, Patient, Severity, named
from crm_tui.services.publishing import choosing, leftovers
from crm_tui.services.publishing.offers import is_of_preview, mark, offers
from crm_tui.services.publishing.pages import public_page
from crm_tui.services.publishing.publish import publish_sites
from crm_tui.services.publishing.publisher import Publisher, not_set_up, open_publisher
from crm_tui.services.publishing.takedown import unpublish_sites
from crm_tui.text import plural

CHUNK = 100


class _Published(NamedTuple):
    """A site the public should be able to read."""

    id: int
    slug: str
    url: str
    is_current: bool
    page: str


async def find_published(patient: Patient) -> list[Finding]:
    """Compare the published pages with the sites."""
    missing: list[str] = []
    unchecked, why = 0, ""
    async for sites in _published(patient):
        try:
            publisher = await _publisher(patient)
        except BadInput as error:
            unchecked, why = unchecked + len(sites), str(error)
        else:
            missing += [each.slug for each in await _missing(publisher, sites)]
    findings = []
    if unchecked:
        detail = f"published pages that could not be looked at: {why}"
        findings.append(Finding("published_pages", Severity.WARNING, unchecked, detail))
    if missing:
        detail = f"the published page is missing or differs: {named(missing)}"
        findings.append(Finding("published_pages", Severity.ERROR, len(missing), detail))
    return findings


async def repair_published(patient: Patient) -> str:
    """Publish again what the public cannot read, as the sites are now."""

    async def do(publisher: Publisher) -> str:
        missing: list[int] = []
        async for sites in _published(patient):
            missing += [each.id for each in await _missing(publisher, sites)]
        return await _publish(patient, publisher, missing)

    return await _as_far_as_it_can_be(patient, do)


async def find_moved(patient: Patient) -> list[Finding]:
    """Find sites that are public at another address than [publishing] names now."""
    if not_set_up(patient.settings.publishing):
        return []
    try:
        publisher = open_publisher(patient.settings.publishing)
    except BadInput:
        return []
    async with patient.db.read() as session:
        rows = await session.execute(
            select(Site.slug, Site.published_url)
            .where(Site.published_url.is_not(None))
            .order_by(Site.id)
        )
        moved = [url for slug, url in rows if url and url != publisher.url(slug)]
    if not moved:
        return []
    detail = (
        f"public at another address than [publishing] names now: {named(moved)}; "
        "`crm-tui sites publish` publishes them at the new one"
    )
    return [Finding("moved_pages", Severity.WARNING, len(moved), detail)]


async def find_unsettled(patient: Patient) -> list[Finding]:
    """Find sites that could not be published or taken down when that was last tried."""
    async with patient.db.read() as session:
        unsettled = await choosing.unsettled(session)
        half_down = await choosing.half_down(session)
        left = await leftovers.left(session)
    findings = []
    if unsettled:
        detail = "sites that could not be published; `crm-tui sites list` says why"
        findings.append(Finding("publishing", Severity.WARNING, len(unsettled), detail))
    if half_down:
        detail = "sites that were to be taken down and may still be public"
        findings.append(Finding("publishing", Severity.WARNING, len(half_down), detail))
    if left:
        detail = "published pages of erased leads that may still be public"
        findings.append(Finding("publishing", Severity.ERROR, len(left), detail))
    return findings


async def repair_unsettled(patient: Patient) -> str:
    """Try again what failed."""
    async with patient.db.read() as session:
        unsettled = await choosing.unsettled(session)
        half_down = await choosing.half_down(session)
        left = await leftovers.left(session)

    async def do(publisher: Publisher) -> str:
        done = []
        if left and not await leftovers.take_down(patient.db, publisher):
            done.append(f"{plural(len(left), 'page')} of erased leads taken down")
        if half_down:
            down = await unpublish_sites(
                patient.db, half_down, publisher=publisher, clock=lambda: patient.now
            )
            done += [f"{plural(len(down.sites), 'site')} taken down"] if down.sites else []
        done += filter(None, [await _publish(patient, publisher, unsettled)])
        return ", ".join(done)

    return await _as_far_as_it_can_be(patient, do)


async def find_older(patient: Patient) -> list[Finding]:
    """Find sites that were built again since they were published."""
    async with patient.db.read() as session:
        slugs = list(
            await session.scalars(
                select(Site.slug)
                .where(Site.published_url.is_not(None), ~is_of_preview())
                .order_by(Site.id)
            )
        )
    if not slugs:
        return []
    detail = (
        f"the public reads an older page than the preview: {named(slugs)}; "
        "`crm-tui sites publish` brings them up to date"
    )
    return [Finding("older_pages", Severity.WARNING, len(slugs), detail)]


async def _publisher(patient: Patient) -> Publisher:
    publisher = open_publisher(patient.settings.publishing)
    await publisher.check()
    return publisher


async def _as_far_as_it_can_be(patient: Patient, do: Callable[[Publisher], Awaitable[str]]) -> str:
    """Do something with the host; where that is refused, what was found is found again."""
    try:
        return await do(await _publisher(patient))
    except StoreError:
        raise
    except UserError:
        return ""


async def _publish(patient: Patient, publisher: Publisher, sites: Sequence[int]) -> str:
    if not sites:
        return ""
    report = await publish_sites(patient.db, sites, publisher=publisher, clock=lambda: patient.now)
    return f"{plural(report.published, 'site')} published" if report.published else ""


async def _published(patient: Patient) -> AsyncIterator[list[_Published]]:
    """The sites with a public address, by chunks."""
    last = 0
    while True:
        async with patient.db.read() as session:
            rows = await session.execute(
                select(
                    Site.id,
                    Site.slug,
                    Site.published_url,
                    Site.published_hash,
                    Site.content_hash,
                    Site.html,
                )
                .where(Site.id > last, Site.published_url.is_not(None))
                .order_by(Site.id)
                .limit(CHUNK)
            )
            found = rows.all()
            offered = await offers(session, [row.id for row in found])
        sites = [
            _Published(
                row.id,
                row.slug,
                row.published_url,
                row.published_hash == mark(row.content_hash, offered.get(row.id)),
                public_page(row.html, offered.get(row.id)),
            )
            for row in found
        ]
        if not sites:
            return
        yield sites
        last = sites[-1].id


async def _missing(publisher: Publisher, sites: Sequence[_Published]) -> list[_Published]:
    """Those whose page is not there, or is not what it was published as."""
    here = [each for each in sites if each.url == publisher.url(each.slug)]
    pages = {each.slug: each.page if each.is_current else None for each in here}
    there = await publisher.holds(pages)
    return [each for each in here if each.slug not in there]


CHECKS = (
    Check("published_pages", find_published, repair_published),
    Check("moved_pages", find_moved),
    Check("publishing", find_unsettled, repair_unsettled),
    Check("older_pages", find_older),
)
