"""The same change to many leads: in chunks, with progress, as one entry of undo.

    result = await bulk.run(db, ids, bulk.add_tag("vip"), now=now)

What can be done to many leads is in changes.py; whatever else can is another `Change`.
"""

from crm_tui.services.bulk.changes import (
    Change,
    add_follow_up,
    add_tag,
    allow_contact,
    archive,
    give_consent,
    never_contact,
    remove_tag,
    rescore,
    set_field,
    set_outcome,
    set_status,
    unarchive,
)
from crm_tui.services.bulk.run import CHUNK, BulkResult, foresee, run

__all__ = [
    "CHUNK",
    "BulkResult",
    "Change",
    "add_follow_up",
    "add_tag",
    "allow_contact",
    "archive",
    "foresee",
    "give_consent",
    "never_contact",
    "remove_tag",
    "rescore",
    "run",
    "set_field",
    "set_outcome",
    "set_status",
    "unarchive",
]
