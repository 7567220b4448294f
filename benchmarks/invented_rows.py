"""Invented leads as the rows of the store's tables, as the services would have written them."""

from __future__ import annotations

import json
import marshal
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random

from benchmarks import invented, invented_money
from benchmarks.invented import Happening, Lead
from crm_tui.config import ScoreSettings
from crm_tui.db.types import utc_text
from crm_tui.services import activity, scoring, search, statuses
from crm_tui.services.sites.slugs import make_slug
from crm_tui.text import fold
from crm_tui.vocabulary import (
    BatchState,
    ContactKind,
    EventKind,
    Outcome,
    RowAction,
    SiteStatus,
    SuppressionKind,
    WebsiteStatus,
)

PER_CHUNK = 10_000
SITE_EVERY = 250
"""One lead in so many has a site."""

COLUMNS = {
    "import_batch": (
        "id", "file_name", "format", "state", "seen", "created", "started_at", "finished_at",
    ),
    "tag": ("id", "name", "folded"),
    "business": (
        "id", "key", "name", "name_folded", "sort_name", "category", "category_folded", "street", "city",
        "city_folded", "region", "region_folded", "postal_code", "country", "email", "phone", "website", "place_id",
        "source", "source_folded", "latitude", "longitude", "rating", "review_count", "photo_count", "hours",
        "qualification_score", "contact_status", "website_status", "outcome", "do_not_contact",
        "do_not_contact_reason", "created_at", "captured_at", "updated_at", "last_activity_at",
        "last_activity", "archived_at", "batch_id",
    ),
    "contact_point": (
        "business_id", "kind", "value", "raw", "domain", "is_primary", "created_at", "batch_id",
    ),
    "site": (
        "id", "business_id", "slug", "theme", "status", "content_hash", "created_at", "built_at",
        "html",
    ),
    **invented_money.COLUMNS,
    "event": (
        "key", "business_id", "origin_id", "occurred_at", "recorded_at", "kind", "moves_to",
        "by_machine", "source", "summary", "body", "data", "site_id", "batch_id", "message_id",
    ),
    "search_doc": (
        "business_id", "name", "phone", "email", "address", "city", "category", "notes",
    ),
    "business_tag": ("business_id", "tag_id", "created_at", "batch_id"),
    "import_row": ("batch_id", "row", "action", "name", "business_id"),
    "suppression": ("kind", "value", "reason", "created_at"),
}  # fmt: skip
"""The columns that are written, in the order of the rows; all others have their default."""

_SITE_STATUSES = {
    WebsiteStatus.GENERATED: SiteStatus.PREVIEW,
    WebsiteStatus.PUBLISHED: SiteStatus.PUBLISHED,
    WebsiteStatus.SOLD: SiteStatus.SOLD,
    WebsiteStatus.ARCHIVED: SiteStatus.ARCHIVED,
}
_WEBSITES = (
    *[WebsiteStatus.GENERATED] * 6,
    WebsiteStatus.PUBLISHED,
    WebsiteStatus.SOLD,
    WebsiteStatus.ARCHIVED,
    WebsiteStatus.FAILED,
)
"""What becomes of a site, as often as it does. None is being built: nobody is building."""

_WITH_DOMAIN = frozenset({ContactKind.EMAIL, ContactKind.WEBSITE})
_SCORE = ScoreSettings()
_NOW = utc_text(invented.NOW)

Row = tuple[object, ...]
Rows = dict[str, list[Row]]


@dataclass(frozen=True, slots=True)
class Recipe:
    """What a store is made from; the same recipe makes the same store."""

    seed: int
    leads: int
    going_on: float


def batches(recipe: Recipe) -> Iterator[Row]:
    """The imports the leads came with."""
    for first in range(1, recipe.leads + 1, invented.PER_BATCH):
        batch = invented.batch_of(first)
        size = min(invented.PER_BATCH, recipe.leads + 1 - first)
        began = invented.captured_at(batch)
        yield (
            batch, invented.file_of(batch), "csv", BatchState.DONE.value, size, size,
            _stamp(began), _stamp(began + timedelta(seconds=15)),
        )  # fmt: skip


def tags() -> Iterator[Row]:
    """The tags the operator made."""
    for number, name in enumerate(invented.TAGS, start=1):
        yield number, name, fold(name)


def rows_of_chunk(recipe: Recipe, start: int) -> bytes:
    """The rows of the leads from number `start`, by table, packed for the way to another process."""
    random = Random(recipe.seed * 1_000_003 + start)
    rows: Rows = {table: [] for table in COLUMNS if table not in {"import_batch", "tag"}}
    for number in range(start, min(start + PER_CHUNK, recipe.leads + 1)):
        lead = invented.invent(number, random)
        _add(rows, lead, random, recipe.going_on)
    return marshal.dumps(rows)


def _add(rows: Rows, lead: Lead, random: Random, going_on: float) -> None:
    happenings = [_capture(lead), *invented.history(lead, random, going_on)]
    website = _add_site(rows, lead, happenings, random)
    fate = random.random()
    stopped = "asked not to be contacted" if fate < 0.005 else None
    archived = _NOW if 0.005 <= fate < 0.015 else None
    if stopped:
        happenings.append(
            Happening(EventKind.DO_NOT_CONTACT, invented.NOW, f"do not contact: {stopped}")
        )
        rows["suppression"].append((SuppressionKind.BUSINESS.value, lead.key, stopped, _NOW))
    if archived:
        happenings.append(Happening(EventKind.ARCHIVED, invented.NOW, "archived"))
    rows["message"].extend(invented_money.messages(lead, happenings, random))
    for table, row in invented_money.money(lead, happenings, random):
        rows[table].append(row)
    contact_status = _add_events(rows, lead, happenings, random)
    batch, captured = invented.batch_of(lead.id), _stamp(lead.captured_at)
    primary = lead.phones[0] if lead.phones else None
    latest = _latest(happenings)
    bought = any(happening.kind is EventKind.PURCHASED for happening in happenings)
    score = scoring.points(
        scoring.ScoreFacts(
            website=lead.website,
            rating=lead.rating,
            review_count=lead.review_count,
            photo_count=lead.photo_count,
            email=lead.email,
            phone=primary,
            category=lead.category,
            captured_at=lead.captured_at,
        ),
        _SCORE,
        now=invented.NOW,
    )
    rows["business"].append((
        lead.id, lead.key, lead.name, fold(lead.name), search.sort_name(lead.name), lead.category,
        lead.category_folded, lead.street, lead.city, lead.city_folded, lead.region,
        lead.region.casefold(), lead.postal_code, "US", lead.email, primary, lead.website,
        lead.place_id, "csv", "csv",
        lead.latitude, lead.longitude, lead.rating, lead.review_count, lead.photo_count, lead.hours,
        score, contact_status, website.value, (Outcome.WON if bought else Outcome.OPEN).value,
        int(stopped is not None), stopped, captured, captured, _stamp(latest.at),
        _stamp(latest.at), latest.summary, archived, batch,
    ))  # fmt: skip
    points = _add_points(rows, lead, captured, batch)
    rows["business_tag"].extend((lead.id, tag, captured, batch) for tag in lead.tags)
    facts = {
        "id": lead.id, "name": lead.name, "street": lead.street, "city": lead.city,
        "region": lead.region, "postal_code": lead.postal_code, "country": "US",
        "category": lead.category,
    }  # fmt: skip
    notes = [h.body for h in happenings if h.body and h.kind is EventKind.NOTE]
    document = search.document(facts, points, notes)
    rows["search_doc"].append(tuple(document[column] for column in COLUMNS["search_doc"]))
    place = (lead.id - 1) % invented.PER_BATCH + 1
    rows["import_row"].append((batch, place, RowAction.CREATED.value, lead.name, lead.id))


def _stop(rows: Rows, lead: Lead, happenings: list[Happening], reason: str) -> None:
    """Bar a lead, and whatever reaches it, from being contacted."""
    happenings.append(
        Happening(EventKind.DO_NOT_CONTACT, invented.NOW, "must not be contacted", body=reason)
    )
    barred = [(SuppressionKind.BUSINESS, lead.key)]
    barred += [(SuppressionKind.PHONE, phone) for phone in lead.phones]
    if lead.email:
        barred.append((SuppressionKind.EMAIL, lead.email))
    rows["suppression"].extend((kind.value, value, reason, _NOW) for kind, value in barred)


def _capture(lead: Lead) -> Happening:
    summary = f"captured from {invented.file_of(invented.batch_of(lead.id))}"
    return Happening(EventKind.CAPTURED, lead.captured_at, summary, "import")


def _add_points(
    rows: Rows, lead: Lead, captured: str, batch: int
) -> list[tuple[ContactKind, str, None]]:
    points: list[tuple[ContactKind, str, None]] = [
        (ContactKind.PHONE, phone, None) for phone in lead.phones
    ]
    for kind, value in (
        (ContactKind.EMAIL, lead.email),
        (ContactKind.WEBSITE, lead.website),
        (ContactKind.SOCIAL, lead.social),
    ):
        if value is not None:
            points.append((kind, value, None))
    primaries = {lead.phones[0] if lead.phones else None, lead.email, lead.website}
    rows["contact_point"].extend(
        (
            lead.id, kind.value, value, value,
            lead.domain if kind in _WITH_DOMAIN else None, int(value in primaries), captured, batch,
        )
        for kind, value, _ in points
    )  # fmt: skip
    return points


def _add_site(rows: Rows, lead: Lead, happenings: list[Happening], random: Random) -> WebsiteStatus:
    if lead.id % SITE_EVERY:
        return WebsiteStatus.NONE
    website = _WEBSITES[int(random.random() * len(_WEBSITES))]
    began = invented.NOW - timedelta(days=10, minutes=random.random() * 10_000)
    ended = began + timedelta(seconds=1)
    happenings.append(Happening(EventKind.SITE_BUILDING, began, "building a site"))
    if website is WebsiteStatus.FAILED:
        happenings.append(Happening(EventKind.SITE_FAILED, ended, "the site could not be built"))
        return website
    number = lead.id // SITE_EVERY
    happenings.append(Happening(EventKind.SITE_BUILT, ended, "site built", site_id=number))
    slug = make_slug(lead.name, lead.city, lead.key)
    html = f"<!doctype html><html lang=en><title>{slug}</title><h1>{slug}</h1></html>"
    rows["site"].append((
        number, lead.id, slug, "trades", _SITE_STATUSES[website].value, f"{number:064x}",
        _stamp(ended), _stamp(ended), html,
    ))  # fmt: skip
    return website


def _add_events(rows: Rows, lead: Lead, happenings: list[Happening], random: Random) -> str:
    """Write the events; returns the contact status they add up to."""
    spoken: list[statuses.StatusEvent] = []
    batch = invented.batch_of(lead.id)
    for happening in happenings:
        captured = happening.kind is EventKind.CAPTURED
        key = _import_key(lead.id) if captured else invented.uuid_hex(random)
        by_hand = happening.kind is EventKind.STATUS_SET
        data: dict[str, object] = dict(happening.data)
        if by_hand:
            data["overrules"] = sorted(event.key for event in spoken)
        if happening.moves_to is not None:
            spoken.append(
                statuses.StatusEvent(
                    key=key,
                    origin=lead.id,
                    occurred_at=happening.at,
                    status=happening.moves_to,
                    by_hand=by_hand,
                    by_machine=happening.by_machine,
                    overrules=frozenset(event.key for event in spoken) if by_hand else frozenset(),
                )
            )
        at = _stamp(happening.at)
        rows["event"].append((
            key, lead.id, lead.id, at, at, happening.kind.value,
            happening.moves_to and happening.moves_to.value, int(happening.by_machine),
            happening.source, happening.summary, happening.body,
            json.dumps(data, ensure_ascii=False) if data else "{}", happening.site_id,
            batch if captured else None, happening.message_id,
        ))  # fmt: skip
    return statuses.fold_contact_status(spoken).value


def _import_key(number: int) -> str:
    """The key an import gives to the capture."""
    row = (number - 1) % invented.PER_BATCH + 1
    return f"import-{invented.batch_of(number):08}-{row:08}-{EventKind.CAPTURED}"


def _latest(happenings: list[Happening]) -> Happening:
    """What counts as the last activity."""
    return max(
        (h for h in happenings if h.kind not in activity.QUIET and not h.by_machine),
        key=lambda happening: happening.at,
    )


def _stamp(at: datetime) -> str:
    """`utc_text` of a time that is in UTC already, in a third of the time."""
    return at.isoformat(timespec="microseconds")[:26] + "Z"
