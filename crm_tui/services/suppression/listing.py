"""Reading the list of those not to be contacted."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import ColumnElement, and_, func, or_, select, true

from crm_tui.db.engine import Database, ReadSession
from crm_tui.db.models import Business, ContactPoint, Suppression
from crm_tui.db.types import listed
from crm_tui.services.suppression.barring import POINTS
from crm_tui.text import fold
from crm_tui.vocabulary import SuppressionKind


class Line(NamedTuple):
    """One line of the list; `name` is the lead that has the value, "" where none has."""

    id: int
    kind: SuppressionKind
    value: str
    reason: str
    created_at: datetime
    lead_id: int | None = None
    name: str = ""


async def order(db: Database, typed: str = "") -> array[int]:
    """The numbers of the lines that hold all words that are typed, the newest first."""
    return await db.integers(
        select(Suppression.id).where(_matches(typed)).order_by(Suppression.id.desc())
    )


async def rows_by_id(session: ReadSession, ids: Sequence[int]) -> list[Line]:
    """These lines, in any order; those that are gone are left out."""
    rows = await session.execute(
        select(
            Suppression.id,
            Suppression.kind,
            Suppression.value,
            Suppression.reason,
            Suppression.created_at,
        ).where(Suppression.id.in_(listed(ids)))
    )
    lines = [Line(*row) for row in rows]
    named = await _leads_of(session, lines)
    return [
        line._replace(lead_id=named[line.id][0], name=named[line.id][1])
        if line.id in named
        else line
        for line in lines
    ]


async def _leads_of(session: ReadSession, lines: Sequence[Line]) -> dict[int, tuple[int, str]]:
    """The first lead that has each value, by the number of the line."""
    asked = Suppression.id.in_(listed([line.id for line in lines]))
    found: dict[int, tuple[int, str]] = {}
    by_key = select(Suppression.id, Business.id, Business.name).join(
        Business,
        and_(Suppression.kind == SuppressionKind.BUSINESS, Business.key == Suppression.value),
    )
    for line, lead, name in await session.execute(by_key.where(asked)):
        found[line] = (lead, name)
    for kind, point in POINTS.items():
        by_point = (
            select(Suppression.id, Business.id, Business.name)
            .join(
                ContactPoint,
                and_(
                    Suppression.kind == kind,
                    ContactPoint.kind == point,
                    ContactPoint.value == Suppression.value,
                ),
            )
            .join(Business, Business.id == ContactPoint.business_id)
            .where(asked)
            .order_by(Business.id.desc())
        )
        for line, lead, name in await session.execute(by_point):
            found[line] = (lead, name)
    return found


def _matches(typed: str) -> ColumnElement[bool]:
    named = select(Business.id).where(Business.key == Suppression.value).correlate(Suppression)
    return and_(
        true(),
        *(
            or_(
                func.instr(func.fold(Suppression.value), word) > 0,
                func.instr(func.fold(Suppression.reason), word) > 0,
                Suppression.kind == _kind(word),
                named.where(func.instr(Business.name_folded, word) > 0).exists(),
            )
            for word in fold(typed).split()
        ),
    )


def _kind(word: str) -> SuppressionKind | None:
    return SuppressionKind(word) if word in set(SuppressionKind) else None
