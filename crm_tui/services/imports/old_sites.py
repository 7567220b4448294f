"""Sites of old stores: to their business, or into the inbox of what is unmatched."""

from __future__ import annotations

from crm_tui.services import events
from crm_tui.services.events import NewEvent
from crm_tui.services.imports.captured import CapturedSite
from crm_tui.services.imports.match import By
from crm_tui.services.imports.rows import LEGACY, SOURCE, Before, Row, Rows
from crm_tui.services.sites.gather import IMPORTED
from crm_tui.services.sites.imported import page_hash, whole_page
from crm_tui.services.sites.slugs import clean_slug
from crm_tui.vocabulary import EventKind, UnmatchedKind


def add_site(rows: Rows, before: Before, site: CapturedSite) -> None:
    """Keep a site, unless an import has done so before, or its business was erased."""
    if site.raw.external_id in before.raw:
        return
    if site.owner and before.erased.has_legacy(site.owner):
        return
    before.raw.add(site.raw.external_id)
    rows.keep_raw(site.raw)
    owner = before.index.leads_to(By.LEGACY, site.owner) if site.owner else None
    if owner is None:
        rows.unmatched.append(_orphan(rows, site))
        return
    before.last_site += 1
    _add(rows, site, owner, before.last_site)


def _add(rows: Rows, site: CapturedSite, business_id: int, site_id: int) -> None:
    origin = rows.origin
    at = min(site.created_at or origin.now, origin.now)
    html = whole_page(site.html, site.css, site.js, title=site.title)
    slug = clean_slug(site.slug)
    rows.sites.append(
        {
            "id": site_id,
            "business_id": business_id,
            "slug": slug,
            "theme": IMPORTED,
            "status": site.status,
            "content_hash": page_hash(html),
            "created_at": at,
            "built_at": at,
            "batch_id": origin.batch_id,
            "html": html,
        }
    )
    event = NewEvent(
        business_id,
        EventKind.SITE_IMPORTED,
        at,
        f"site imported from {origin.file_name}",
        SOURCE,
        _key(site),
        data={"slug": slug},
        site_id=site_id,
        batch_id=origin.batch_id,
    )
    rows.events.append(events.row(event, now=origin.now))
    rows.moved.add(business_id)


def _orphan(rows: Rows, site: CapturedSite) -> Row:
    old = site.raw.payload
    return {
        "key": _key(site),
        "kind": UnmatchedKind.SITE,
        "title": site.title,
        "reason": site.reason or "its business could not be imported",
        "created_at": rows.origin.now,
        "batch_id": rows.origin.batch_id,
        "payload": {
            "slug": site.slug,
            "status": site.status,
            "html": site.html,
            "css": site.css,
            "js": site.js,
            "created_at": site.created_at.isoformat() if site.created_at else None,
            "old_id": old.get("id"),
            "old_business_id": old.get("business_id"),
        },
    }


def _key(site: CapturedSite) -> str:
    return f"{LEGACY}:{site.raw.external_id}"
