"""Undo: every local action is recorded with what it wrote, and can be taken back and done again.

The whole of it, for those who write actions:

    async with undo.action(db, "note on Woodhaven Plumbing", now=now) as session:
        await timeline.add_note(session, lead_id, text, now=now)

One action is one transaction and one entry. A long one works in chunks, each a transaction that
extends the same entry:

    entry = undo.Entry()
    for ids in chunks:
        async with undo.action(db, f"tagged {done} leads vip", now=now, entry=entry) as session:
            ...

See docs/decisions/0022 for why triggers do the recording.
"""

from crm_tui.services.undo.history import KEPT, EntryLine, entries, next_redo, next_undo, prune
from crm_tui.services.undo.reversal import Left, Undone, redo, reverse, undo
from crm_tui.services.undo.writing import Entry, action, recorded_as, recording

__all__ = [
    "KEPT",
    "Entry",
    "EntryLine",
    "Left",
    "Undone",
    "action",
    "entries",
    "next_redo",
    "next_undo",
    "prune",
    "recorded_as",
    "recording",
    "redo",
    "reverse",
    "undo",
]
