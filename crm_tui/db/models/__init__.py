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
from crm_tui.db.models.outreach import (
    Campaign,
    CampaignExclusion,
    CampaignStep,
    CampaignVariant,
    Consent,
    DomainCheck,
    Message,
    StreamGap,
    SyncCursor,
    WorkerLog,
)
from crm_tui.db.models.site import Site
from crm_tui.db.models.timeline import Event, Setting, Task
from crm_tui.db.models.work import Distinct, ErasedKey, Merge, SavedView, UndoChange, UndoEntry

__all__ = [
    "Business",
    "BusinessAlias",
    "BusinessTag",
    "Campaign",
    "CampaignExclusion",
    "CampaignStep",
    "CampaignVariant",
    "Consent",
    "ContactPoint",
    "Distinct",
    "DomainCheck",
    "ErasedKey",
    "Event",
    "ImportBatch",
    "ImportMapping",
    "ImportRow",
    "Merge",
    "Message",
    "RawRecord",
    "SavedView",
    "SearchDoc",
    "Setting",
    "Site",
    "StreamGap",
    "Suppression",
    "SyncCursor",
    "Tag",
    "Task",
    "UndoChange",
    "UndoEntry",
    "Unmatched",
    "WorkerLog",
]
