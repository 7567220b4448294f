"""The history a list brings along: notes, how far contact came, who must not be contacted."""

from __future__ import annotations

from datetime import datetime

from crm_tui.services.imports.captured import CapturedCall, CapturedLead
from crm_tui.services.imports.known import Known
from crm_tui.services.imports.merge import Filled
from crm_tui.services.imports.rows import Row, Rows
from crm_tui.services.timeline import CALL_WORDS
from crm_tui.vocabulary import ContactKind, ContactStatus, EventKind, SuppressionKind

_SUPPRESSED = {
    ContactKind.EMAIL: SuppressionKind.EMAIL,
    ContactKind.PHONE: SuppressionKind.PHONE,
}


def add_history(rows: Rows, known: Known, lead: CapturedLead, filled: Filled) -> list[str]:
    """Add what a lead brings of its past and future; returns what that was, in words."""
    at = min(lead.last_contacted or lead.created_at or rows.origin.now, rows.origin.now)
    words = ["note" for text in lead.notes if _note(rows, known, text.strip(), at)]
    words += ["call" for call in lead.calls if _call(rows, known, call)]
    if _status(rows, known, lead, at):
        words.append("status")
    if lead.do_not_contact and _stop(rows, known, lead.do_not_contact, at):
        filled["do_not_contact_reason"] = [None, lead.do_not_contact]
        words.append("do not contact")
    if lead.follow_up and _follow_up(rows, known, lead, lead.follow_up):
        words.append("follow-up")
    return words


def _note(rows: Rows, known: Known, text: str, at: datetime) -> bool:
    if not text or text in known.notes:
        return False
    known.notes.append(text)
    return rows.happened(known, EventKind.NOTE, at, "note", content=text, body=text)


def _call(rows: Rows, known: Known, call: CapturedCall) -> bool:
    """Record a call; how far contact came with it, the lead's status says."""
    at = min(call.at, rows.origin.now)
    if (at, call.outcome) in known.calls:
        return False
    known.calls.add((at, call.outcome))
    text = call.text.strip()
    if text:
        known.notes.append(text)
    return rows.happened(
        known,
        EventKind.CALL,
        at,
        f"call: {CALL_WORDS[call.outcome]}",
        content=f"{at} {call.outcome}",
        body=text or None,
        data={"outcome": call.outcome},
    )


def _status(rows: Rows, known: Known, lead: CapturedLead, at: datetime) -> bool:
    """Record how far contact had come, where that is further than what is known."""
    status = lead.status or ContactStatus.PENDING
    reached = known.values["contact_status"]
    if status.rank <= reached.rank:
        # That somebody was contacted, but not how, is worth a line where nothing more is known.
        return (
            lead.last_contacted is not None
            and not lead.calls
            and reached is ContactStatus.PENDING
            and rows.happened(
                known,
                EventKind.STATUS_IMPORTED,
                at,
                f"last contacted, says {rows.origin.file_name}",
                content=str(lead.last_contacted),
            )
        )
    new = rows.happened(
        known,
        EventKind.STATUS_IMPORTED,
        at,
        f"{status}, says {rows.origin.file_name}",
        content=f"{status} {lead.last_contacted}",
        moves_to=status,
    )
    if new:
        # Of a new business this is all there is to fold: each one recorded goes further.
        known.values["contact_status"] = status
        if not known.new:
            rows.moved.add(known.id)
    return new


def _stop(rows: Rows, known: Known, reason: str, at: datetime) -> bool:
    if known.values["do_not_contact"]:
        return False
    new = rows.happened(
        known, EventKind.DO_NOT_CONTACT, at, "must not be contacted", content=reason, body=reason
    )
    if new:
        known.values["do_not_contact"] = True
        known.values["do_not_contact_reason"] = reason
    return new


def _follow_up(rows: Rows, known: Known, lead: CapturedLead, due: datetime) -> bool:
    minute = due.replace(second=0, microsecond=0)
    if minute in known.due:
        return False
    known.due.add(minute)
    what = lead.follow_up_note or "Follow up"
    now = rows.origin.now
    rows.happened(known, EventKind.TASK_ADDED, now, f"follow-up: {what}", content=str(minute))
    rows.tasks.append(
        {
            "business_id": known.id,
            "what": what,
            "due_at": due,
            "created_at": now,
            "batch_id": rows.origin.batch_id,
        }
    )
    return True


def suppressions(rows: Rows, known: Known) -> list[Row]:
    """Bar a business that must not be contacted, and every address and number that reaches it."""
    if not known.values["do_not_contact"]:
        return []
    barred = [(SuppressionKind.BUSINESS, known.values["key"])]
    barred += [
        (_SUPPRESSED[point.kind], point.value)
        for point in known.points.values()
        if point.kind in _SUPPRESSED and point.usable
    ]
    return [
        {
            "kind": kind,
            "value": value,
            "reason": known.values["do_not_contact_reason"],
            "created_at": rows.origin.now,
            "batch_id": rows.origin.batch_id,
        }
        for kind, value in barred
    ]
