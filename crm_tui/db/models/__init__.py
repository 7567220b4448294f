"""All tables, by area."""

from crm_tui.db.models.business import (
    Business,
    BusinessAlias,
    BusinessTag,
    ContactPoint,
    SearchDoc,
    Suppression,
    Tag,
)
from crm_tui.db.models.capture import ImportBatch, ImportMapping, ImportRow, RawRecord, Unmatched
from crm_tui.db.models.site import Site
from crm_tui.db.models.timeline import Event, Setting, Task

__all__ = [
    "Business",
    "BusinessAlias",
    "BusinessTag",
    "ContactPoint",
    "Event",
    "ImportBatch",
    "ImportMapping",
    "ImportRow",
    "RawRecord",
    "SearchDoc",
    "Setting",
    "Site",
    "Suppression",
    "Tag",
    "Task",
    "Unmatched",
]
