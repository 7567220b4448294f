"""Taking events out of timelines, folds and figures: they stay, and a void says why they do not count."""

from __future__ import annotations

import json
import secrets
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Integer,
    Select,
    Text,
    bindparam,
    case,
    cast,
    func,
    literal,
    select,
    true,
    type_coerce,
    update,
)
from sqlalchemy.dialects.sqlite import Insert, insert
from sqlalchemy.orm import aliased
from sqlalchemy.sql.dml import ReturningUpdate

from crm_tui.db.engine import WriteSession
from crm_tui.db.models import Event
from crm_tui.services import statuses
from crm_tui.services.activity import QUIET, renew_activity
from crm_tui.services.events import BUILDS, OPERATOR, moment
from crm_tui.vocabulary import EventKind


async def void(
    session: WriteSession, business_id: int, keys: Sequence[str], *, why: str, now: datetime
) -> str:
    """Take events out of the timeline, the fold and the figures, and say why.

    Returns the key of the voided event; voiding that one brings the others back.
    """
    given = func.json_each(json.dumps(keys)).table_valued("value")
    named = select(literal(business_id).label("business_id"), given.c.value.label("key"))
    voiding = await void_named(session, named, why=why, now=now)
    return f"{voiding}{business_id}"


async def void_named(
    session: WriteSession, named: Select[int, str], *, why: str, now: datetime
) -> str:
    """Take out the events that a statement names, with one voided event for each business.

    Args:
        session: the transaction.
        named: each event's `business_id` and `key`.
        why: what they were taken out for.
        now: aware UTC.

    Returns how the keys of the voided events begin; the number of the business follows.
    """
    beginning = f"{moment(now)}{secrets.token_hex(8)}-"
    each = named.distinct().subquery().c
    connection = await session.connection()
    await session.flush()
    found = await connection.execute(
        select(func.json_group_array(func.json_array(each.business_id, each.key)))
    )
    pairs = found.scalar_one()
    await connection.execute(
        _ADD_VOIDED, {"beginning": beginning, "named": pairs, "now": now, "why": why}
    )
    await _take_out(session, [key for _, key in json.loads(pairs)])
    return beginning


async def _take_out(session: WriteSession, keys: Sequence[str]) -> None:
    """Mark events that a new voided event names, and bring up to date what follows from them.

    Where a voided event goes, what it named may come back, and so on: a void can only name what
    was written before it, so this comes to an end.
    """
    connection = await session.connection()
    loud: set[int] = set()
    moved: set[int] = set()
    built: set[int] = set()
    mark, named = _MARK_OUT, keys
    while named:
        turned = await connection.execute(mark, {"named": json.dumps(named)})
        further: list[str] = []
        for business_id, is_loud, moves, builds, voids in turned.all():
            if is_loud:
                loud.add(business_id)
            if moves is not None:
                moved.add(business_id)
            if builds:
                built.add(business_id)
            if voids is not None:
                further += json.loads(voids)
        mark, named = _MARK_AS_NAMED, further
    await renew_activity(session, loud)
    await statuses.refold(session, sorted(moved - built), sites=False)
    await statuses.refold(session, sorted(built))


def _is_named() -> ColumnElement[bool]:
    """Whether a voided event that stands names the event at hand."""
    void = aliased(Event)
    names = func.json_each(void.data, "$.voids").table_valued("value")
    return (
        select(literal(1))
        .select_from(void)
        .join(names, names.c.value == Event.key)
        .where(
            void.business_id == Event.business_id,
            void.kind == EventKind.VOIDED,
            void.is_voided.is_(False),
        )
        .correlate(Event)
        .exists()
    )


_FOLLOWED = (
    Event.business_id,
    type_coerce(Event.kind.not_in(QUIET) & Event.by_machine.is_(False), Integer),
    type_coerce(Event.moves_to, Text),  # SQLite 3.40 returns IS NOT NULL of it as always true
    type_coerce(Event.kind.in_(BUILDS), Integer),
    case((Event.kind == EventKind.VOIDED, func.json_extract(Event.data, "$.voids"))),
)


def _add_voided() -> Insert:
    """Write a voided event for each business of `named`, a JSON array of [business_id, key]."""
    given = func.json_each(bindparam("named", type_=Text)).table_valued("value").c.value
    each = (
        select(
            func.json_extract(given, "$[0]", type_=Integer).label("business_id"),
            func.json_extract(given, "$[1]", type_=Text).label("key"),
        )
        .order_by("key")
        .subquery()
        .c
    )
    now = bindparam("now", type_=Event.occurred_at.type)
    values = {
        Event.key: bindparam("beginning", type_=Text) + cast(each.business_id, Text),
        Event.business_id: each.business_id,
        Event.origin_id: each.business_id,
        Event.occurred_at: now,
        Event.recorded_at: now,
        Event.kind: literal(EventKind.VOIDED, Event.kind.type),
        Event.source: literal(OPERATOR),
        Event.summary: bindparam("why", type_=Text),
        Event.data: func.json_object("voids", func.json_group_array(each.key)),
    }
    return insert(Event).from_select(
        list(values), select(*values.values()).group_by(each.business_id)
    )


def _mark(out: ColumnElement[bool]) -> ReturningUpdate[Any]:
    """Say of the events whose keys `named` has whether they are out; returns what changed."""
    keys = func.json_each(bindparam("named", type_=Text)).table_valued("value").c.value
    return (
        update(Event)
        .where(Event.key.in_(select(keys)), Event.is_voided.is_distinct_from(out))
        .values(is_voided=out)
        .returning(*_FOLLOWED)
    )


_ADD_VOIDED = _add_voided()
_MARK_OUT = _mark(true())
_MARK_AS_NAMED = _mark(_is_named())
