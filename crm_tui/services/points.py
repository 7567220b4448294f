"""Contact points: adding them, and which one of a kind is the primary."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import delete, exists, func, select, update
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.orm import aliased

from crm_tui.db.engine import ReadSession, WriteSession
from crm_tui.db.models import Business, ContactPoint
from crm_tui.db.types import listed
from crm_tui.vocabulary import ContactKind, ContactState

PRIMARY_COLUMNS = {
    ContactKind.EMAIL: "email",
    ContactKind.PHONE: "phone",
    ContactKind.WEBSITE: "website",
}
"""The column of a business that repeats its primary contact point of a kind."""


async def add(
    session: WriteSession,
    business_id: int,
    kind: ContactKind,
    value: str,
    *,
    now: datetime,
    raw: str | None = None,
    domain: str | None = None,
    person: str | None = None,
    label: str | None = None,
) -> bool:
    """Add a normalised contact point unless the business has it; returns whether it was new."""
    result = await session.execute(
        insert(ContactPoint)
        .values(
            business_id=business_id,
            kind=kind,
            value=value,
            raw=raw,
            domain=domain,
            person=person,
            label=label,
            created_at=now,
        )
        .on_conflict_do_nothing(index_elements=["business_id", "kind", "value"])
        .returning(ContactPoint.id)
    )
    return result.first() is not None


async def make_primary(
    session: WriteSession, business_id: int, kind: ContactKind, value: str | None
) -> None:
    """Make the point with this value the primary one of its kind; None leaves it without one."""
    of_kind = (ContactPoint.business_id == business_id, ContactPoint.kind == kind)
    await session.execute(
        update(ContactPoint)
        .where(*of_kind, ContactPoint.is_primary.is_(True))
        .values(is_primary=False)
    )
    await session.execute(
        update(ContactPoint).where(*of_kind, ContactPoint.value == value).values(is_primary=True)
    )


async def remove_primaries(
    session: WriteSession, business_ids: Collection[int], kind: ContactKind
) -> None:
    """Take away the primary points of a kind; `choose_primaries` finds others for their place."""
    await session.execute(
        delete(ContactPoint)
        .where(
            ContactPoint.business_id.in_(listed(business_ids)),
            ContactPoint.kind == kind,
            ContactPoint.is_primary.is_(True),
        )
        .execution_options(synchronize_session=None)
    )


async def usable_phones(session: ReadSession, business_id: int) -> list[str]:
    """The numbers of a business (E.164) that are not known to be wrong, the one to call first."""
    numbers = await session.scalars(
        select(ContactPoint.value)
        .where(
            ContactPoint.business_id == business_id,
            ContactPoint.kind == ContactKind.PHONE,
            ContactPoint.state != ContactState.INVALID,
        )
        .order_by(ContactPoint.is_primary.desc(), ContactPoint.id)
    )
    return list(numbers)


async def choose_primaries(session: WriteSession, business_ids: Sequence[int]) -> None:
    """Where a business has usable points of a kind but no primary, make the oldest it."""
    primary = aliased(ContactPoint)
    has_primary = exists().where(
        primary.business_id == ContactPoint.business_id,
        primary.kind == ContactPoint.kind,
        primary.is_primary.is_(True),
    )
    oldest = (
        select(func.min(ContactPoint.id))
        .where(
            ContactPoint.business_id.in_(listed(business_ids)),
            ContactPoint.kind.in_(PRIMARY_COLUMNS),
            ContactPoint.state != ContactState.INVALID,
            ~has_primary,
        )
        .group_by(ContactPoint.business_id, ContactPoint.kind)
    )
    await session.execute(
        update(ContactPoint)
        .where(ContactPoint.id.in_(oldest))
        .values(is_primary=True)
        .execution_options(synchronize_session=None)
    )


async def repeat_primaries(session: WriteSession, business_ids: Sequence[int]) -> None:
    """Write the primary points of businesses into their own columns."""
    primaries = {
        name: select(ContactPoint.value)
        .where(
            ContactPoint.business_id == Business.id,
            ContactPoint.kind == kind,
            ContactPoint.is_primary.is_(True),
        )
        .scalar_subquery()
        for kind, name in PRIMARY_COLUMNS.items()
    }
    await session.execute(
        update(Business)
        .where(Business.id.in_(listed(business_ids)))
        .values(primaries)
        .execution_options(synchronize_session=None)
    )
