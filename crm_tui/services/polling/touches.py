"""Judging the opens and clicks of messages anew, as soon as something bears on them."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import msgspec

from crm_tui.db.engine import WriteSession
from crm_tui.db.types import utc_text
from crm_tui.providers.events import Happening, ProviderEvent
from crm_tui.services.events import OPERATOR
from crm_tui.services.polling.concerning import Ours
from crm_tui.services.polling.judging import Touch, judge

_decode = msgspec.json.Decoder(dict[str, Any]).decode

TOUCHES = frozenset({Happening.OPENED, Happening.CLICKED})
_OPENED, _CLICKED = "opened_at", "clicked_at"
_BY_MACHINE = {_OPENED: "machine_opened_at", _CLICKED: "machine_clicked_at"}

_TOUCHES = (
    "SELECT e.message_id, e.key, e.business_id, e.kind, e.occurred_at, e.by_machine, e.source,"
    " e.data, m.delivered_at, m.opened_at, m.clicked_at, m.machine_opened_at,"
    " m.machine_clicked_at FROM json_each(?) AS g JOIN event AS e ON e.message_id = g.value"
    " AND e.message_id IS NOT NULL JOIN message AS m ON m.id = e.message_id"
    " WHERE e.kind IN ('opened', 'clicked') AND e.is_voided = 0"
)
_TURN = (
    "UPDATE event SET by_machine = ?, data = CASE WHEN ?2 = '' THEN json_remove(data, '$.machine')"
    " ELSE json_set(data, '$.machine', ?2) END WHERE key = ?3"
)
_TIMES = (
    "UPDATE message SET opened_at = ?, clicked_at = ?, machine_opened_at = ?,"
    " machine_clicked_at = ? WHERE id = ?"
)


class New(NamedTuple):
    """An open or a click that was just told, and whether by itself it is a machine's."""

    event: ProviderEvent
    message: Ours
    by_machine: bool


def reason_of(event: ProviderEvent, delivered_at: str | None) -> str:
    """Why an open or a click, looked at by itself, is a machine's; "" where nothing says so."""
    touch = Touch(
        key="",
        is_click=event.kind is Happening.CLICKED,
        at=event.occurred_at,
        seen=event.seen,
        agent=event.agent,
        flag=event.machine,
    )
    return judge([touch], _moment(delivered_at))[""]


async def settle(
    session: WriteSession, news: Iterable[New], delivered: Mapping[int, Ours]
) -> set[int]:
    """Note new opens and clicks with their messages; judge again where one bears on others.

    Args:
        session: the transaction; the events are written.
        news: the opens and clicks.
        delivered: messages whose delivery was just told, which bears on all their opens and clicks.

    Returns the leads of which some count differently than they were written.
    """
    by_message = defaultdict(list)
    for each in news:
        by_message[each.message.id].append(each)
    again = {number for number, message in delivered.items() if _is_touched(message)}
    again |= {
        number
        for number, those in by_message.items()
        if number in delivered or _has_several_clicks(those)
    }
    alone = [those for number, those in by_message.items() if number not in again]
    times = [
        (*now_known.values(), those[0].message.id)
        for those in alone
        if (now_known := _times(those))
    ]
    if times:
        connection = await session.connection()
        await connection.exec_driver_sql(_TIMES, times)
    return await judge_again(session, again)


def _is_touched(message: Ours) -> bool:
    return any(message.times[each] for pair in _BY_MACHINE.items() for each in pair)


def _has_several_clicks(those: Sequence[New]) -> bool:
    """Whether one of these is a click beside another, at the same time maybe."""
    clicks = sum(each.event.kind is Happening.CLICKED for each in those)
    known = those[0].message.times
    before = known[_CLICKED] or known[_BY_MACHINE[_CLICKED]]
    return clicks > 1 or bool(clicks and before)


def _times(those: Sequence[New]) -> dict[str, str | None] | None:
    """When a message was first opened and clicked, by whom; None where nothing is new."""
    known = those[0].message.times
    columns = (_OPENED, _CLICKED, *_BY_MACHINE.values())
    times = {each: known[each] for each in columns}
    for event, _, by_machine in those:
        column = _CLICKED if event.kind is Happening.CLICKED else _OPENED
        column = _BY_MACHINE[column] if by_machine else column
        at = utc_text(event.occurred_at)
        times[column] = min(times[column] or at, at)
    return None if all(times[each] == known[each] for each in columns) else times


async def judge_again(session: WriteSession, message_ids: Collection[int]) -> set[int]:
    """Judge the opens and clicks of messages; returns the leads of which some count differently.

    What the operator says was a person's stands.
    """
    if not message_ids:
        return set()
    connection = await session.connection()
    rows = await connection.exec_driver_sql(_TOUCHES, (json.dumps(sorted(message_ids)),))
    found: Sequence[Any] = rows.all()
    by_message = defaultdict(list)
    for row in found:
        by_message[row[0]].append(row)
    turned: list[tuple[int, str, str]] = []
    times: list[tuple[object, ...]] = []
    changed = set[int]()
    for message_id, those in by_message.items():
        reasons = judge([_touch(row) for row in those if row[6] != OPERATOR], _moment(those[0][8]))
        first: dict[tuple[str, bool], str] = {}
        for _, key, business_id, kind, at, by_machine, _source, data, *_known in those:
            reason = reasons.get(key, "")
            if bool(reason) != bool(by_machine) or reason != _decode(data).get("machine", ""):
                turned.append((int(bool(reason)), reason, key))
            if bool(reason) != bool(by_machine):
                changed.add(business_id)
            which = (kind, bool(reason))
            first[which] = min(first.get(which, at), at)
        now_known = (
            first.get(("opened", False)),
            first.get(("clicked", False)),
            first.get(("opened", True)),
            first.get(("clicked", True)),
        )
        if now_known != tuple(those[0][9:13]):
            times.append((*now_known, message_id))
    if turned:
        await connection.exec_driver_sql(_TURN, turned)
    if times:
        await connection.exec_driver_sql(_TIMES, times)
    return changed


def _touch(row: Any) -> Touch:
    _, key, _, kind, at, _, _, data, *_ = row
    facts = _decode(data)
    return Touch(
        key=key,
        is_click=kind == "clicked",
        at=datetime.fromisoformat(at),
        seen=bool(facts.get("seen")),
        url=facts.get("url", ""),
        agent=facts.get("agent", ""),
        flag=facts.get("flag", ""),
    )


def _moment(stored: str | None) -> datetime | None:
    return None if stored is None else datetime.fromisoformat(stored)
