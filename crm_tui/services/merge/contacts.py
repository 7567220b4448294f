"""The contact points of merged leads: each once, who they reach filled in, the worst state kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import bindparam, delete, select, update

from crm_tui.db.engine import WriteSession
from crm_tui.db.models import ContactPoint
from crm_tui.vocabulary import ContactKind, ContactState

_WORSE = (
    ContactState.UNKNOWN,
    ContactState.OK,
    ContactState.SOFT_BOUNCED,
    ContactState.BOUNCED,
    ContactState.INVALID,
    ContactState.UNSUBSCRIBED,
    ContactState.STOPPED,
    ContactState.COMPLAINED,
)
"""What is known of reaching somebody, the worst last: what a person said outweighs a machine."""

_FILLED = ("raw", "domain", "person", "title", "label")

Row = dict[str, Any]


@dataclass(slots=True)
class _Points:
    """The points that stay, as they will be, and the ids of those that go."""

    stay: list[Row]
    gone: list[int]


def worse(one: ContactState, other: ContactState) -> ContactState:
    """The worse of two states."""
    return max(one, other, key=_WORSE.index)


async def unite_points(
    session: WriteSession,
    keep_id: int,
    other_ids: Sequence[int],
    primaries: Mapping[ContactKind, int],
) -> None:
    """Give the kept lead the others' contact points.

    Args:
        session: the transaction.
        keep_id: the lead that is kept.
        other_ids: the others, whose points come after its own in this order.
        primaries: the lead whose primary point of a kind is to be the primary one, where it is not
            the kept lead's own.
    """
    ids = [keep_id, *other_ids]
    columns = ContactPoint.__table__.columns
    found = await session.execute(select(*columns).where(ContactPoint.business_id.in_(ids)))
    rows = [dict(row) for row in found.mappings()]
    rows.sort(key=lambda row: (ids.index(row["business_id"]), row["id"]))
    before = {row["id"]: dict(row) for row in rows}
    chosen = {kind: _primary(rows, ids, kind, primaries.get(kind)) for kind in ContactKind}
    points = _each_once(rows)
    for row in points.stay:
        row["business_id"] = keep_id
        row["is_primary"] = row["value"] == chosen[row["kind"]]
    await _write(session, points, before)


def _primary(
    rows: Sequence[Row], ids: Sequence[int], kind: ContactKind, wanted: int | None
) -> str | None:
    """The value of the point that becomes the primary one of its kind."""
    own = {
        row["business_id"]: row["value"]
        for row in rows
        if row["kind"] is kind and row["is_primary"]
    }
    order = ([wanted] if wanted is not None else []) + list(ids)
    return next((own[each] for each in order if each in own), None)


def _each_once(rows: Sequence[Row]) -> _Points:
    known: dict[tuple[ContactKind, str], Row] = {}
    gone = []
    for row in rows:
        stays = known.setdefault((row["kind"], row["value"]), row)
        if stays is row:
            continue
        gone.append(row["id"])
        stays |= {name: row[name] for name in _FILLED if stays[name] is None}
        if worse(stays["state"], row["state"]) is not stays["state"]:
            stays |= {name: row[name] for name in ("state", "state_reason")}
    return _Points(list(known.values()), gone)


async def _write(session: WriteSession, points: _Points, before: Mapping[int, Row]) -> None:
    """Write what changed; no lead ever has two primary points of a kind on the way."""
    connection = await session.connection()
    await connection.execute(delete(ContactPoint).where(ContactPoint.id.in_(points.gone)))
    changed = [row for row in points.stay if row != before[row["id"]]]
    demoted = [r["id"] for r in changed if before[r["id"]]["is_primary"] and not r["is_primary"]]
    await connection.execute(
        update(ContactPoint).where(ContactPoint.id.in_(demoted)).values(is_primary=False)
    )
    if changed:
        names = ("business_id", "is_primary", "state", "state_reason", *_FILLED)
        await connection.execute(
            update(ContactPoint)
            .where(ContactPoint.id == bindparam("point"))
            .values({name: bindparam(f"new_{name}") for name in names}),
            [{"point": row["id"], **{f"new_{n}": row[n] for n in names}} for row in changed],
        )
