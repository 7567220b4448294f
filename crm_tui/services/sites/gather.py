"""From the store to what sites are made from: facts of businesses, free slugs, what is outdated."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence

from sqlalchemy import select, update

from crm_tui.db.engine import ReadSession, WriteSession
from crm_tui.db.models import Business, ContactPoint, Site
from crm_tui.db.types import listed
from crm_tui.services.sites.facts import SiteFacts, canonical
from crm_tui.services.sites.slugs import LONGEST_KEPT
from crm_tui.vocabulary import ContactKind, ContactState, SiteStatus

CHUNK = 2_000

IMPORTED = "imported"
"""The theme of a site whose page came from elsewhere; such a page is never built again."""


async def site_facts(session: ReadSession, business_ids: Sequence[int]) -> dict[int, SiteFacts]:
    """The facts of businesses, as their sites show them; ids that do not exist are left out."""
    social: dict[int, list[str]] = {}
    for business_id, url in await session.execute(
        select(ContactPoint.business_id, ContactPoint.value)
        .where(
            ContactPoint.business_id.in_(listed(business_ids)),
            ContactPoint.kind == ContactKind.SOCIAL,
            ContactPoint.state != ContactState.INVALID,
        )
        .order_by(ContactPoint.id)
    ):
        social.setdefault(business_id, []).append(url)
    rows = await session.execute(
        select(
            Business.id,
            Business.key,
            Business.name,
            Business.category,
            Business.street,
            Business.city,
            Business.region,
            Business.postal_code,
            Business.country,
            Business.phone,
            Business.email,
            Business.website,
            Business.latitude,
            Business.longitude,
            Business.rating,
            Business.review_count,
            Business.hours,
        ).where(Business.id.in_(listed(business_ids)))
    )
    return {
        row.id: SiteFacts(
            key=row.key,
            name=row.name,
            category=row.category or "",
            street=row.street or "",
            city=row.city or "",
            region=row.region or "",
            postal_code=row.postal_code or "",
            country=row.country or "",
            phone=row.phone or "",
            email=row.email or "",
            links=tuple([row.website] if row.website else []) + tuple(social.get(row.id, ())),
            latitude=row.latitude,
            longitude=row.longitude,
            rating=row.rating,
            review_count=row.review_count,
            hours=row.hours or {},
        )
        for row in rows
    }


def facts_hash(facts: SiteFacts) -> str:
    """The SHA-256, in hex, of the facts alone; differs when a site made from them is outdated."""
    text = json.dumps(canonical(facts), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


async def mark_out_of_date(session: WriteSession, business_ids: Sequence[int]) -> int:
    """Mark the sites that say something else than their businesses' facts; returns how many.

    Call it in the transaction that changed facts or contact points.
    """
    marked = 0
    for start in range(0, len(business_ids), CHUNK):
        ids = business_ids[start : start + CHUNK]
        sites = (
            await session.execute(
                select(Site.id, Site.business_id, Site.facts_hash).where(
                    Site.business_id.in_(listed(ids)),
                    Site.facts_hash.is_not(None),
                    Site.out_of_date.is_(False),
                    Site.status != SiteStatus.ARCHIVED,
                )
            )
        ).all()
        if not sites:
            continue
        facts = await site_facts(session, sorted({business_id for _, business_id, _ in sites}))
        hashes = {business_id: facts_hash(known) for business_id, known in facts.items()}
        outdated = [site_id for site_id, owner, made_of in sites if hashes[owner] != made_of]
        if outdated:
            await session.execute(
                update(Site)
                .where(Site.id.in_(outdated))
                .values(out_of_date=True)
                .execution_options(synchronize_session=None)
            )
            marked += len(outdated)
    return marked


async def free_slugs(session: ReadSession, wanted: Sequence[str]) -> list[str]:
    """Each of these slugs, with a number added where it is taken by a site or an earlier one."""
    taken = await _taken(session, wanted)
    free = []
    for slug in wanted:
        number, candidate = 1, slug
        while candidate in taken:
            number += 1
            ending = f"-{number}"
            candidate = slug[: LONGEST_KEPT - len(ending)].rstrip("-") + ending
            taken |= await _taken(session, [candidate])
        taken.add(candidate)
        free.append(candidate)
    return free


async def _taken(session: ReadSession, slugs: Sequence[str]) -> set[str]:
    return set(await session.scalars(select(Site.slug).where(Site.slug.in_(slugs))))
