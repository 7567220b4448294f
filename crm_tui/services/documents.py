"""Leads as JSON documents, for the command line and for whoever reads them there."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import select

from crm_tui.db.engine import Database, ReadSession
from crm_tui.db.models import Business
from crm_tui.services import lead_rows, leads, search
from crm_tui.services.lead_query import LeadQuery
from crm_tui.services.leads import LeadPage
from crm_tui.services.timeline import TimelineEntry
from crm_tui.vocabulary import TaskState

_CHUNK = 500
_HIDDEN = frozenset({"sort_name", "building_by", "erased_at", *search.FOLDED.values()})
_COLUMNS = tuple(column for column in Business.__table__.columns if column.name not in _HIDDEN)


async def lead_documents(
    db: Database, query: LeadQuery, *, limit: int | None, threshold: int
) -> tuple[int, list[dict[str, Any]]]:
    """How many leads a query has, and the first `limit` of them (all when None) as documents."""
    ids = await lead_rows.order(db, query)
    wanted = ids if limit is None else ids[:limit]
    documents: list[dict[str, Any]] = []
    for start in range(0, len(wanted), _CHUNK):
        async with db.read() as session:
            chunk = wanted[start : start + _CHUNK]
            documents += await documents_of(session, chunk, threshold=threshold)
    return len(ids), documents


async def documents_of(
    session: ReadSession, lead_ids: Sequence[int], *, threshold: int
) -> list[dict[str, Any]]:
    """These leads as documents, in this order; those that are gone are left out."""
    rows = await session.execute(select(*_COLUMNS).where(Business.id.in_(lead_ids)))
    by_id = {row["id"]: row for row in rows.mappings()}
    tags = await leads.tags_of(session, lead_ids)
    return [
        lead_document(dict(by_id[lead_id]), tags.get(lead_id, ()), threshold=threshold)
        for lead_id in lead_ids
        if lead_id in by_id
    ]


def lead_document(
    business: dict[str, Any], tags: Sequence[str], *, threshold: int
) -> dict[str, Any]:
    """A business's columns as a document, with its tags and whether it is qualified."""
    document = {name: _plain(value) for name, value in business.items() if name not in _HIDDEN}
    document["qualified"] = business["qualification_score"] >= threshold
    document["tags"] = list(tags)
    return document


def page_document(
    page: LeadPage, timeline: Sequence[TimelineEntry], *, threshold: int
) -> dict[str, Any]:
    """Everything about one lead as one document."""
    return {
        "lead": {
            **lead_document(dict(page.business), page.tags, threshold=threshold),
            "contact_points": [
                {
                    "kind": point.kind,
                    "value": point.value,
                    "person": point.person or None,
                    "label": point.label or None,
                    "primary": point.is_primary,
                    "state": point.state,
                    "state_reason": point.state_reason or None,
                    "suppressed": point.barred or None,
                    "agreed_to_texts": point.agreed or None,
                }
                for point in page.points
            ],
        },
        "score": [
            {"factor": factor.factor, "points": factor.points, "why": factor.why}
            for factor in page.score.factors
        ],
        "sites": [
            {
                "slug": site.slug,
                "theme": site.theme,
                "status": site.status,
                "out_of_date": site.out_of_date,
                "built_at": _plain(site.built_at),
                "public": site.public.state,
                "published_url": site.public.url,
                "published_at": _plain(site.public.at),
                "publish_problem": site.public.problem,
            }
            for site in page.sites
        ],
        "tasks": [
            {
                "id": task.id,
                "what": task.what,
                "due_at": _plain(task.due_at),
                "done": task.state is TaskState.DONE,
            }
            for task in page.tasks
        ],
        "timeline": [
            {
                "id": entry.id,
                "at": _plain(entry.at),
                "kind": entry.kind,
                "summary": entry.summary,
                "text": entry.body or None,
                "source": entry.source,
                "machine": entry.machine,
            }
            for entry in timeline
        ],
    }


def erased_document(lead_id: int, erased_at: datetime) -> dict[str, Any]:
    """All there is to say about a lead that was erased; what its row keeps is for figures alone."""
    return {"lead": {"id": lead_id, "erased_at": _plain(erased_at)}}


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value
