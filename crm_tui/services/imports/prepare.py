"""A captured lead as the store would hold it: all that can be worked out before looking there."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b
from typing import Any

from crm_tui.services.imports.captured import CapturedLead
from crm_tui.services.imports.match import Identity, identity
from crm_tui.services.search import folded, sort_name
from crm_tui.text import fold
from crm_tui.vocabulary import ContactKind, ContactStatus, Outcome, WebsiteStatus


@dataclass(frozen=True, slots=True)
class Prepared:
    """A lead, the columns of the business it would become, and what leads to it."""

    lead: CapturedLead
    values: dict[str, Any]
    identity: Identity

    @property
    def has_history(self) -> bool:
        """Whether it brings anything that may be on a timeline already."""
        lead = self.lead
        return bool(
            lead.notes
            or lead.calls
            or lead.status
            or lead.last_contacted
            or lead.do_not_contact
            or lead.follow_up
        )


def prepare(lead: CapturedLead, *, source: str, now: datetime) -> Prepared:
    """Work out the columns and the identity of a lead.

    Args:
        lead: As read.
        source: The format it was read from.
        now: Aware UTC; a lead that was not created yet by then is created now.
    """
    sorted_as = sort_name(lead.name)
    created_at = min(lead.created_at or now, now)
    values = {
        "key": lead.key,
        "name": lead.name,
        "sort_name": sorted_as,
        "category": lead.category,
        "street": lead.street,
        "city": lead.city,
        "region": lead.region,
        "postal_code": lead.postal_code,
        "country": lead.country,
        "email": None,
        "phone": None,
        "website": None,
        "place_id": lead.place_id,
        "source": source,
        "latitude": lead.latitude,
        "longitude": lead.longitude,
        "timezone": lead.timezone,
        "rating": lead.rating,
        "review_count": lead.review_count,
        "photo_count": lead.photo_count,
        "hours": lead.hours,
        "contact_status": ContactStatus.PENDING,
        "website_status": WebsiteStatus.NONE,
        "outcome": lead.outcome or Outcome.OPEN,
        "outcome_reason": lead.outcome_reason,
        "do_not_contact": False,
        "do_not_contact_reason": None,
        "created_at": created_at,
        "captured_at": created_at,
        "archived_at": lead.archived_at,
        "custom": lead.custom,
    }
    values |= folded(values)
    found = identity(
        lead.name,
        sorted_as,
        lead.postal_code,
        points=[(each.kind, each.value, each.domain) for each in lead.points if each.valid],
        place_ids=(lead.place_id,),
        google_ids=(lead.google_id,),
        own_keys=(lead.key,),
        legacy=(lead.raw.external_id,) if lead.raw else (),
        rows=(lead_row(lead),),
    )
    return Prepared(lead, values, found)


def lead_row(lead: CapturedLead) -> str | None:
    """What a row says of who it is, short; None where an id or a phone leads back to its business.

    A row that is imported again is known by it, even where nothing else in it could tell.
    """
    if lead.place_id or lead.google_id or lead.key or lead.raw:
        return None
    if any(point.valid and point.kind is ContactKind.PHONE for point in lead.points):
        return None
    place = (lead.street, lead.city, lead.region, lead.postal_code, lead.country)
    points = sorted(f"{point.kind}:{point.value}" for point in lead.points)
    said = "\0".join(fold(part or "") for part in (lead.name, *place, *points))
    return blake2b(said.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
