"""Setting one field of many leads to one value."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Text, func, literal, select, true, update

from crm_tui.config import Settings
from crm_tui.db.engine import ReadSession, WriteSession
from crm_tui.db.models import Business
from crm_tui.db.types import listed
from crm_tui.errors import BadInput
from crm_tui.services import derived, events, leads, points, typed
from crm_tui.services.sites.gather import mark_out_of_date
from crm_tui.vocabulary import EventKind


@dataclass(frozen=True, slots=True)
class FieldChange:
    """A field and what it is to hold; nothing clears it.

    Attributes:
        name: one of `typed.EDITABLE`.
        text: the value in a line: as it is kept, or as it was typed where a lead keeps none.
        values: the columns that hold it, and with what.
    """

    name: str
    text: str
    values: dict[str, Any]

    @classmethod
    def read(cls, name: str, text: str, settings: Settings) -> FieldChange:
        """Read what was typed.

        Raises:
            BadInput: there is no such field, or it cannot hold that.
        """
        values = typed.read({name: text}, settings)
        return cls(name, typed.own_column(values[name]) or " ".join(text.split()), values)

    @property
    def is_contact(self) -> bool:
        """Whether it is a phone, e-mail or website."""
        return self.name in typed.CONTACTS

    @property
    def is_of_one(self) -> bool:
        """Whether it gives a phone, e-mail or website, which belongs to one lead alone."""
        return self.is_contact and self.values[self.name] is not None

    def admit(self, matched: int) -> None:
        """See that so many leads can share the value.

        Raises:
            BadInput: they cannot: it is a contact of one of them.
        """
        if self.is_of_one and matched > 1:
            raise BadInput(
                f"{matched:,} leads cannot share one {self.name}. Edit them one by one, "
                f"such as: leads edit 12 {self.name}=…"
            )


async def differing(
    session: ReadSession, business_ids: Collection[int], change: FieldChange
) -> list[int]:
    """Those of the leads that hold something else; leads that are gone are left out."""
    value = change.values[change.name]
    # A page on a network is no website of its own: it is added, and the column stays empty.
    differs = (
        true()
        if typed.is_social(value)
        else getattr(Business, change.name).is_distinct_from(typed.own_column(value))
    )
    found = await session.scalars(
        select(Business.id).where(
            Business.id.in_(listed(business_ids)), Business.erased_at.is_(None), differs
        )
    )
    return list(found)


async def set_field(
    session: WriteSession,
    business_ids: Sequence[int],
    change: FieldChange,
    *,
    settings: Settings,
    now: datetime,
) -> list[int]:
    """Set a field of leads, at most 500 at once; returns those that held something else.

    Where a phone, e-mail or website is cleared, the next one of the lead takes its place.

    Raises:
        BadInput: the leads cannot share the value.
    """
    change.admit(len(business_ids))
    if change.is_of_one:
        given = {change.name: change.text}
        return [
            lead
            for lead in await differing(session, business_ids, change)
            if await leads.edit(session, lead, given, settings=settings, now=now)
        ]
    changed = await differing(session, business_ids, change)
    if changed:
        name, after = change.name, change.values[change.name]
        both = func.json_array(getattr(Business, name), literal(after, Text))
        data = func.json_object("fields", func.json_object(name, both))
        summary = f"changed {name.replace('_', ' ')}"
        await events.tell(session, changed, EventKind.EDITED, summary, now=now, data=data)
        if change.is_contact:
            await points.remove_primaries(session, changed, typed.CONTACTS[name])
            await derived.renew(session, changed, score=settings.score, now=now)
        else:
            await session.execute(
                update(Business)
                .where(Business.id.in_(listed(changed)))
                .values(change.values)
                .execution_options(synchronize_session=None)
            )
            await derived.renew_after(session, changed, [name], score=settings.score, now=now)
        await mark_out_of_date(session, changed)
    return changed
