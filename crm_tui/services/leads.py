"""Leads one by one: finding, adding, editing, and everything a lead's page shows."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import select, update

from crm_tui.clock import local_stamp
from crm_tui.config import Settings
from crm_tui.db.engine import ReadSession, WriteSession
from crm_tui.db.models import Business, BusinessTag, Consent, ContactPoint, Site, Tag, Task
from crm_tui.errors import BadInput, NotFound
from crm_tui.services import contacts, derived, events, points, scoring, typed
from crm_tui.services.barred import why_barred
from crm_tui.services.erased import refuse_erased
from crm_tui.services.events import OPERATOR, NewEvent
from crm_tui.services.merged import why_missing
from crm_tui.services.money import listing
from crm_tui.services.money.rows import NO_MONEY, LeadMoney
from crm_tui.services.sites.gather import mark_out_of_date
from crm_tui.services.sites.public import PUBLIC, Public
from crm_tui.text import fold
from crm_tui.vocabulary import ContactKind, ContactState, EventKind, SiteStatus, TaskState

EDITABLE = typed.EDITABLE
"""The fields the operator can set, in the order a form shows them."""


@dataclass(frozen=True, slots=True)
class PointRow:
    """A contact point as a lead's page shows it."""

    id: int
    kind: ContactKind
    value: str
    person: str
    label: str
    is_primary: bool
    state: ContactState
    state_reason: str
    barred: str = ""
    """Why it is on the list of those not to be contacted, itself or by its domain; else ""."""
    agreed: str = ""
    """Of a number, how and when they agreed to text messages to it; else ""."""


@dataclass(frozen=True, slots=True)
class SiteRow:
    """A site as a lead's page shows it; times are aware UTC."""

    id: int
    slug: str
    theme: str
    status: SiteStatus
    out_of_date: bool
    built_at: datetime
    public: Public


@dataclass(frozen=True, slots=True)
class TaskRow:
    """A follow-up as a lead's page shows it; times are aware UTC."""

    id: int
    what: str
    due_at: datetime
    state: TaskState


@dataclass(frozen=True, slots=True)
class LeadPage:
    """All a lead's page shows beside the timeline. `business` holds the columns by name."""

    business: Mapping[str, Any]
    score: scoring.Score
    tags: tuple[str, ...]
    points: tuple[PointRow, ...]
    sites: tuple[SiteRow, ...]
    tasks: tuple[TaskRow, ...]
    money: LeadMoney = NO_MONEY


async def page(
    session: ReadSession, lead_id: int, *, settings: Settings, now: datetime
) -> LeadPage:
    """Everything about one lead but its timeline.

    Raises:
        NotFound: there is no such lead.
    """
    columns = Business.__table__.columns
    row = (await session.execute(select(*columns).where(Business.id == lead_id))).mappings().first()
    if row is None:
        raise NotFound(await why_missing(session, lead_id))
    facts = await derived.score_facts(session, [lead_id])
    return LeadPage(
        business=dict(row),
        score=scoring.explain(facts[lead_id], settings.score, now=now),
        tags=(await tags_of(session, [lead_id])).get(lead_id, ()),
        points=await points_of(session, lead_id),
        sites=await _sites(session, lead_id),
        tasks=await _tasks(session, lead_id),
        money=await listing.of_lead(session, lead_id, modes=listing.counted(settings)),
    )


async def require(session: ReadSession, lead_id: int) -> str:
    """See that there is such a lead; returns its name.

    Raises:
        NotFound: there is not, or it was erased.
    """
    name = await session.scalar(
        select(Business.name).where(Business.id == lead_id, Business.erased_at.is_(None))
    )
    if name is None:
        raise NotFound(await why_missing(session, lead_id))
    return name


async def add(
    session: WriteSession,
    fields: Mapping[str, str],
    *,
    settings: Settings,
    now: datetime,
    source: str = OPERATOR,
    summary: str = "captured by hand",
    duplicate: bool = False,
) -> int:
    """Add a lead by hand; returns its id.

    Args:
        session: the transaction.
        fields: values by the names in EDITABLE; "name" is needed.
        settings: for the default region of phones and for the score.
        now: the time of the capture.
        source: where the lead comes from.
        summary: how it was captured, for the timeline.
        duplicate: add it even though another lead has the same phone or e-mail.

    Raises:
        BadInput: a value cannot be used, or the lead is there already.
    """
    values = typed.read({"name": "", **fields}, settings)
    if not duplicate:
        await _refuse_twin(session, values)
        await _refuse_erased(session, values)
    own = {name: value for name, value in values.items() if name not in typed.CONTACTS}
    business = Business(
        **own,
        key=str(uuid.uuid4()),
        source=source,
        source_folded=fold(source),
        created_at=now,
        captured_at=now,
        updated_at=now,
        custom={},
    )
    session.add(business)
    await session.flush()
    lead_id = business.id
    for name, kind in typed.CONTACTS.items():
        if contact := values.get(name):
            await _set_point(session, lead_id, kind, contact, now=now)
    await events.record(
        session,
        NewEvent(lead_id, EventKind.CAPTURED, now, summary, source),
        now=now,
    )
    await derived.renew(session, [lead_id], score=settings.score, now=now)
    return lead_id


async def edit(
    session: WriteSession,
    lead_id: int,
    changes: Mapping[str, str],
    *,
    settings: Settings,
    now: datetime,
    duplicate: bool = False,
) -> tuple[str, ...]:
    """Change fields of a lead; empty text clears one. Returns the names that really changed.

    With `duplicate`, a phone or e-mail is taken even though it is one of somebody erased.

    Raises:
        NotFound: there is no such lead, or it was erased.
        BadInput: a value cannot be used; nothing was changed.
    """
    columns = [getattr(Business, name) for name in (*EDITABLE, "erased_at")]
    row = (await session.execute(select(*columns).where(Business.id == lead_id))).mappings().first()
    if row is None:
        raise NotFound(await why_missing(session, lead_id))
    if row["erased_at"] is not None:
        raise NotFound(await why_missing(session, lead_id))
    country = changes.get("country", row["country"] or "")
    values = typed.read(changes, settings, country=country)
    before = {name: row[name] for name in values if name in EDITABLE}
    after = {name: typed.own_column(values[name]) for name in before}
    changed = tuple(
        name
        for name in EDITABLE
        if name in after and (after[name] != before[name] or typed.is_social(values[name]))
    )
    if not changed:
        return ()
    if not duplicate:
        await _refuse_erased(session, {name: values[name] for name in changed})
    own = {name: value for name, value in values.items() if name not in typed.CONTACTS}
    await session.execute(
        update(Business).where(Business.id == lead_id).values(**own, updated_at=now)
    )
    for name in changed:
        if name in typed.CONTACTS:
            await _set_point(session, lead_id, typed.CONTACTS[name], values[name], now=now)
    await events.record(
        session,
        NewEvent(
            lead_id,
            EventKind.EDITED,
            now,
            f"changed {', '.join(name.replace('_', ' ') for name in changed)}",
            OPERATOR,
            data={"fields": {name: [before[name], after[name]] for name in changed}},
        ),
        now=now,
    )
    await derived.renew(session, [lead_id], score=settings.score, now=now)
    await mark_out_of_date(session, [lead_id])
    return changed


async def tags_of(session: ReadSession, lead_ids: Sequence[int]) -> dict[int, tuple[str, ...]]:
    """The tags of leads, sorted; leads without one are left out."""
    rows = await session.execute(
        select(BusinessTag.business_id, Tag.name)
        .join(Tag, Tag.id == BusinessTag.tag_id)
        .where(BusinessTag.business_id.in_(lead_ids))
        .order_by(Tag.folded)
    )
    tags: dict[int, list[str]] = {}
    for lead_id, name in rows:
        tags.setdefault(lead_id, []).append(name)
    return {lead_id: tuple(names) for lead_id, names in tags.items()}


async def points_of(session: ReadSession, lead_id: int) -> tuple[PointRow, ...]:
    """The contact points of a lead, the primary one of each kind first."""
    rows = await session.execute(
        select(
            ContactPoint.id,
            ContactPoint.kind,
            ContactPoint.value,
            ContactPoint.person,
            ContactPoint.label,
            ContactPoint.is_primary,
            ContactPoint.state,
            ContactPoint.state_reason,
        )
        .where(ContactPoint.business_id == lead_id)
        .order_by(ContactPoint.kind, ContactPoint.is_primary.desc(), ContactPoint.id)
    )
    found = [
        PointRow(id_, kind, value, person or "", label or "", primary, state, reason or "")
        for id_, kind, value, person, label, primary, state, reason in rows
    ]
    reached = (ContactKind.EMAIL, ContactKind.PHONE)
    barred = await why_barred(session, [each.value for each in found if each.kind in reached])
    given = await _agreed(session, lead_id)
    return tuple(
        replace(each, barred=barred.get(each.value, ""), agreed=given.get(each.value, ""))
        for each in found
    )


async def _agreed(session: ReadSession, lead_id: int) -> dict[str, str]:
    """How and when a lead agreed to text messages, by the number."""
    rows = await session.execute(
        select(Consent.value, Consent.how, Consent.given_at).where(
            Consent.business_id == lead_id, Consent.withdrawn_at.is_(None)
        )
    )
    return {value: f"{how}, {local_stamp(at)[:10]}" for value, how, at in rows}


async def _set_point(
    session: WriteSession,
    lead_id: int,
    kind: ContactKind,
    contact: contacts.Contact | None,
    *,
    now: datetime,
) -> None:
    """Make this contact the primary one of its kind; None removes the one there was."""
    if contact is None:
        await points.remove_primaries(session, [lead_id], kind)
        return
    await points.add(
        session,
        lead_id,
        contact.kind,
        contact.value,
        raw=contact.raw,
        domain=contact.domain or None,
        person=contact.person or None,
        label=contact.label or None,
        now=now,
    )
    if contact.kind is kind:
        await points.make_primary(session, lead_id, kind, contact.value)


async def _refuse_erased(session: ReadSession, values: Mapping[str, Any]) -> None:
    for contact in values.values():
        if isinstance(contact, contacts.Contact):
            await refuse_erased(session, contact)


async def _refuse_twin(session: ReadSession, values: Mapping[str, Any]) -> None:
    for name in ("phone", "email"):
        contact = values.get(name)
        if contact is None:
            continue
        twin = (
            await session.execute(
                select(Business.id, Business.name)
                .join(ContactPoint, ContactPoint.business_id == Business.id)
                .where(ContactPoint.value == contact.value, ContactPoint.kind == contact.kind)
            )
        ).first()
        if twin is not None:
            raise BadInput(
                f"{twin.name} (lead {twin.id}) has the same {name}. If this is another "
                "business, add it with --duplicate."
            )


async def _sites(session: ReadSession, lead_id: int) -> tuple[SiteRow, ...]:
    rows = await session.execute(
        select(
            Site.id, Site.slug, Site.theme, Site.status, Site.out_of_date, Site.built_at, *PUBLIC
        )
        .where(Site.business_id == lead_id)
        .order_by(Site.id)
    )
    return tuple(
        SiteRow(id_, slug, theme, status, stale, built_at, Public.of(*public))
        for id_, slug, theme, status, stale, built_at, *public in rows
    )


async def _tasks(session: ReadSession, lead_id: int) -> tuple[TaskRow, ...]:
    rows = await session.execute(
        select(Task.id, Task.what, Task.due_at, Task.state)
        .where(Task.business_id == lead_id)
        .order_by(Task.due_at, Task.id)
    )
    return tuple(TaskRow(*row) for row in rows)
