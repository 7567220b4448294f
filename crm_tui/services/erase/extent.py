"""How far an erasure reaches: all that the store holds of a lead, and of what was merged into it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import ColumnElement, Text, false, func, or_, select

from crm_tui.db.engine import Database, ReadSession
from crm_tui.db.models import (
    Business,
    BusinessAlias,
    Consent,
    ContactPoint,
    Customer,
    Event,
    ImportRow,
    Merge,
    Message,
    Payment,
    RawRecord,
    Site,
    Suppression,
    Task,
    UndoChange,
    UndoEntry,
    Unmatched,
    WorkerLog,
)
from crm_tui.errors import BadInput, NotFound
from crm_tui.services import backup
from crm_tui.services.hosts import is_free_mail
from crm_tui.services.imports.rows import LEGACY
from crm_tui.services.merged import why_missing
from crm_tui.services.sites.public import IS_OUT
from crm_tui.text import fold, plural
from crm_tui.vocabulary import AliasKind, EventKind, SuppressionKind

_TELL_OF_OTHERS = (EventKind.MERGED, EventKind.SPLIT, EventKind.VOIDED)
"""Lines on the timelines of other leads that may carry its name."""

_MANY = {
    "line of the timeline": "lines of the timeline",
    "record of the inbox": "records of the inbox",
    "row of an import": "rows of imports",
    "action that can be undone": "actions that can be undone",
    "name on a payment": "names on payments",
}
_SHORTEST = 7


@dataclass(slots=True)
class Extent:
    """What an erasure takes away, by the ids of the records.

    Attributes:
        lead_id: the lead.
        ids: its id, and those of the leads that were merged into it.
        name: its name.
        names: every name it ever had.
        contacts: every phone and e-mail address it ever had.
        own: those of them no other lead has.
        domains: of its addresses and website, where they are its alone.
        counts: how many records of each sort go, by the sort as it is called.
        slugs: of its sites.
        published: where the public could read those, by slug, as far as is known.
        backups: the names of the backups that still hold it.
        mentioned: leads whose notes mention its phone or address.
    """

    lead_id: int
    name: str
    ids: list[int]
    names: set[str] = field(default_factory=set)
    contacts: set[str] = field(default_factory=set)
    own: set[str] = field(default_factory=set)
    domains: set[str] = field(default_factory=set)
    counts: dict[str, int] = field(default_factory=dict)
    slugs: list[str] = field(default_factory=list)
    published: dict[str, str] = field(default_factory=dict)
    backups: list[str] = field(default_factory=list)
    mentioned: list[int] = field(default_factory=list)
    raw: list[int] = field(default_factory=list)
    unmatched: list[int] = field(default_factory=list)
    rows: list[tuple[int, int]] = field(default_factory=list)
    lines: dict[int, str] = field(default_factory=dict)
    told: set[int] = field(default_factory=set)
    entries: list[int] = field(default_factory=list)
    changes: list[int] = field(default_factory=list)
    suppressions: list[int] = field(default_factory=list)
    logged: list[int] = field(default_factory=list)

    @property
    def invoices(self) -> str:
        """What is to be known before names and addresses of payments go; "" where there are none."""
        if not self.counts.get("name on a payment"):
            return ""
        return (
            "The names and addresses of its invoices go too. If your tax adviser needs them, write "
            "them to a file before: crm-tui payments export --year YEAR -o FILE."
        )

    def words(self) -> list[str]:
        """What goes, each in a few words: "3 contact points"."""
        return [
            plural(count, sort, _MANY.get(sort)) for sort, count in self.counts.items() if count
        ]


async def extent(db: Database, lead_id: int) -> Extent:
    """Find everything the store holds of a lead.

    Raises:
        NotFound: there is no such lead.
        BadInput: it was erased before, or its site is being built.
    """
    async with db.read() as session:
        found = await _begin(session, lead_id)
        await _names(session, found)
        await _own(session, found)
        await _sites(session, found)
        await _imports(session, found)
        await _other_timelines(session, found)
        await _book(session, found)
        await _suppressions(session, found)
        await _worker(session, found)
        found.counts = await _counts(session, found)
    found.backups = [made.name for made in backup.existing(db.path)]
    return found


async def _begin(session: ReadSession, lead_id: int) -> Extent:
    row = (
        await session.execute(
            select(Business.name, Business.erased_at, Business.building_by).where(
                Business.id == lead_id
            )
        )
    ).first()
    if row is None:
        raise NotFound(await why_missing(session, lead_id))
    if row.erased_at is not None:
        raise BadInput(f"Lead {lead_id} was erased on {row.erased_at:%Y-%m-%d} already.")
    if row.building_by is not None:
        raise BadInput(f"The site of {row.name} is being built. Erase it when that is done.")
    merged = await session.scalars(select(Merge.merged_id).where(Merge.kept_id == lead_id))
    return Extent(lead_id, row.name, [lead_id, *merged])


async def _names(session: ReadSession, found: Extent) -> None:
    """Its names and contacts, those it once had included."""
    found.names |= {found.name}
    merged = await session.scalars(select(Merge.merged_name).where(Merge.kept_id == found.lead_id))
    found.names |= set(merged)
    points = await session.scalars(
        select(ContactPoint.value).where(
            ContactPoint.business_id.in_(found.ids), ContactPoint.kind.in_(("phone", "email"))
        )
    )
    found.contacts |= set(points)
    for model in (Customer, Payment):
        paid_with = await session.scalars(
            select(model.email).where(model.business_id.in_(found.ids), model.email.is_not(None))
        )
        found.contacts |= {each.lower() for each in paid_with if each}
    written_to = await session.scalars(
        select(Message.address).where(Message.business_id.in_(found.ids))
    )
    found.contacts |= set(written_to)
    edits = await session.scalars(
        select(Event.data).where(Event.business_id.in_(found.ids), Event.kind == EventKind.EDITED)
    )
    for data in edits:
        for name, pair in data.get("fields", {}).items():
            said = {value for value in pair if isinstance(value, str) and value}
            if name == "name":
                found.names |= said
            elif name in {"phone", "email"}:
                found.contacts |= said
    # What a list wrote that is no number may be anything: it tells nobody from others.
    found.contacts = {
        each
        for each in found.contacts
        if len(each) >= _SHORTEST and (each.startswith("+") or "@" in each)
    }


async def _own(session: ReadSession, found: Extent) -> None:
    """Which of its contacts and domains no other lead has: those of others stay theirs."""
    others = ContactPoint.business_id.not_in(found.ids)
    held = await session.scalars(
        select(ContactPoint.value).where(ContactPoint.value.in_(found.contacts), others)
    )
    found.own = found.contacts - set(held)
    known = await session.scalars(
        select(ContactPoint.domain).where(
            ContactPoint.business_id.in_(found.ids), ContactPoint.domain.is_not(None)
        )
    )
    domains = {each for each in known if each}
    domains |= {each.rpartition("@")[2] for each in found.contacts if "@" in each}
    used = await session.scalars(
        select(ContactPoint.domain).where(ContactPoint.domain.in_(domains), others)
    )
    found.domains = {each for each in domains - set(used) if not is_free_mail(each)}


async def _sites(session: ReadSession, found: Extent) -> None:
    rows = await session.execute(
        select(Site.slug, Site.published_url, IS_OUT).where(Site.business_id.in_(found.ids))
    )
    for slug, url, is_out in rows:
        found.slugs.append(slug)
        if is_out:
            found.published[slug] = url or slug


async def _imports(session: ReadSession, found: Extent) -> None:
    """What imports kept: raw records, what waits in the inbox, and what was said of rows."""
    legacy = set(
        await session.scalars(
            select(BusinessAlias.value).where(
                BusinessAlias.business_id.in_(found.ids), BusinessAlias.kind == AliasKind.LEGACY
            )
        )
    )
    marks = await session.scalars(
        select(Event.key).where(
            Event.business_id.in_(found.ids), Event.key.startswith(f"{LEGACY}:")
        )
    )
    own = ImportRow.business_id.in_(found.ids)
    named = ImportRow.business_id.is_(None) & ImportRow.name.in_(found.names)
    told = or_(*(func.instr(ImportRow.reason, f"#{lead} ") > 0 for lead in found.ids))
    rows = await session.execute(
        select(ImportRow.batch_id, ImportRow.row).where(or_(own, named, told))
    )
    found.rows = [(batch, row) for batch, row in rows]
    waiting = await session.execute(
        select(
            Unmatched.id, Unmatched.key, Unmatched.title, Unmatched.business_id, Unmatched.payload
        )
    )
    keys = set(marks)
    folded = {fold(name) for name in found.names}
    for record, key, title, owner, payload in waiting:
        if owner in found.ids or (owner is None and _names_it(found, folded, title, payload)):
            found.unmatched.append(record)
            keys.add(key)
    legacy |= {key.partition(":")[2] for key in keys if key.startswith(f"{LEGACY}:")}
    read_from = select(Unmatched.raw_id).where(Unmatched.id.in_(found.unmatched))
    # Of what nobody could read nobody knows whose it is, either.
    unread = RawRecord.problem.is_not(None) & RawRecord.business_id.is_(None)
    waits = (RawRecord.applied_at.is_(None) | unread) & RawRecord.batch_id.is_(None)
    found.raw = list(
        await session.scalars(
            select(RawRecord.id).where(
                or_(
                    (RawRecord.source == LEGACY) & RawRecord.external_id.in_(legacy),
                    RawRecord.business_id.in_(found.ids),
                    RawRecord.id.in_(read_from),
                    waits & _holds(func.lower(RawRecord.payload.cast(Text)), found.contacts),
                )
            )
        )
    )


def _names_it(found: Extent, folded: set[str], title: str, payload: Any) -> bool:
    """Whether a record without a business is about the one that is erased."""
    if fold(title) in folded:
        return True
    text = json.dumps(payload, ensure_ascii=False).lower()
    digits = "".join(filter(str.isdigit, text))
    return any(
        (contact in text) if "@" in contact else (contact[-10:].lstrip("+") in digits)
        for contact in found.contacts
    )


async def _other_timelines(session: ReadSession, found: Extent) -> None:
    """Lines of other leads that we wrote and that carry its name; notes that mention it."""
    others = Event.business_id.not_in(found.ids)
    rows = await session.execute(
        select(Event.id, Event.business_id, Event.summary).where(
            others, Event.kind.in_(_TELL_OF_OTHERS), _holds(Event.summary, found.names)
        )
    )
    for line, owner, summary in rows:
        found.lines[line] = without_names(summary, found.names)
        found.told.add(owner)
    if found.contacts:
        mentioned = await session.scalars(
            select(Event.business_id)
            .where(others, Event.body.is_not(None), _holds(Event.body, found.contacts))
            .distinct()
        )
        found.mentioned = sorted(mentioned)


async def _book(session: ReadSession, found: Extent) -> None:
    """Actions that wrote something of it: their changes go, and with merges the whole entry.

    A merge that was split again has left its values among the changes of the other lead.
    """
    merged = func.json_extract(func.coalesce(UndoChange.after, UndoChange.before), "$.merged_id")
    found.entries = list(
        await session.scalars(
            select(UndoChange.entry_id)
            .where(
                UndoChange.table_name == "merge",
                or_(UndoChange.business_id.in_(found.ids), merged.in_(found.ids)),
            )
            .distinct()
        )
    )
    own = UndoChange.business_id.in_(found.ids) | UndoChange.entry_id.in_(found.entries)
    keys = await session.scalars(select(Business.key).where(Business.id.in_(found.ids)))
    needles = {*keys, *found.own, *found.domains}
    held = or_(_holds(UndoChange.before, needles), _holds(UndoChange.after, needles))
    found.changes = list(await session.scalars(select(UndoChange.id).where(or_(own, held))))


async def _suppressions(session: ReadSession, found: Extent) -> None:
    """What is barred of it; hashes do that from now on."""
    keys = select(Business.key).where(Business.id.in_(found.ids))
    aliases = select(BusinessAlias.value).where(BusinessAlias.business_id.in_(found.ids))
    domain = Suppression.kind == SuppressionKind.DOMAIN
    below = or_(false(), *(Suppression.value.endswith(f".{each}") for each in found.domains))
    found.suppressions = list(
        await session.scalars(
            select(Suppression.id).where(
                or_(
                    Suppression.value.in_(keys),
                    Suppression.value.in_(aliases),
                    Suppression.value.in_(found.own),
                    domain & (Suppression.value.in_(found.domains) | below),
                )
            )
        )
    )


async def _worker(session: ReadSession, found: Extent) -> None:
    """Lines of the worker's log that name it."""
    named = _holds(WorkerLog.words, {*found.own, *found.names, *found.domains})
    found.logged = list(await session.scalars(select(WorkerLog.id).where(named)))


async def _counts(session: ReadSession, found: Extent) -> dict[str, int]:
    counts = {"merged lead": len(found.ids) - 1}
    for sort, model, where in (
        ("contact point", ContactPoint, ()),
        ("consent", Consent, ()),
        ("line of the timeline", Event, (Event.body.is_not(None),)),
        ("follow-up", Task, ()),
        ("mail", Message, ()),
        ("site", Site, ()),
        ("name on a payment", Payment, ()),
    ):
        owned: list[ColumnElement[bool]] = [model.business_id.in_(found.ids), *where]
        counts[sort] = (
            await session.execute(select(func.count()).select_from(model).where(*owned))
        ).scalar_one()
    counts["raw record"] = len(found.raw)
    counts["record of the inbox"] = len(found.unmatched)
    counts["row of an import"] = len(found.rows)
    counts["action that can be undone"] = await _actions(session, found.changes)
    return counts


async def _actions(session: ReadSession, changes: Sequence[int]) -> int:
    asked = func.json_each(json.dumps(list(changes))).table_valued("value")
    touched = select(UndoChange.entry_id).where(UndoChange.id.in_(select(asked.c.value)))
    counted = select(func.count()).select_from(UndoEntry).where(UndoEntry.id.in_(touched))
    return (await session.execute(counted)).scalar_one()


def _holds(column: Any, needles: Iterable[str]) -> ColumnElement[bool]:
    return or_(false(), *(func.instr(column, needle) > 0 for needle in sorted(needles)))


def without_names(words: str, names: Iterable[str]) -> str:
    """A sentence of ours without these names."""
    for name in sorted(names, key=len, reverse=True):
        words = re.sub(rf"(?<!\w){re.escape(name)}(?!\w)", "an erased lead", words)
    return words
