"""Judging the opens and clicks of messages anew, as soon as something bears on them."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

import msgspec

from crm_tui.db.engine import WriteSession
from crm_tui.providers.events import Happening
from crm_tui.services.events import OPERATOR
from crm_tui.services.polling.judging import Touch, judge

_decode = msgspec.json.Decoder(dict[str, Any]).decode

BEARS_ON = frozenset({Happening.OPENED, Happening.CLICKED, Happening.DELIVERED})
"""What makes the opens and clicks of a message be judged anew."""

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
