"""What an import is about to write: the rows, by table, and what the store held before."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from crm_tui.config import ScoreSettings
from crm_tui.services import events
from crm_tui.services.erased import NOBODY, Erased
from crm_tui.services.events import NewEvent
from crm_tui.services.imports.captured import RawRow
from crm_tui.services.imports.known import Known
from crm_tui.services.imports.match import Index
from crm_tui.vocabulary import ContactStatus, EventKind

SOURCE = "import"
"""The source of the events an import writes."""

LEGACY = "legacy"
"""The source of raw records of old stores."""

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Origin:
    """The batch that writes, the file its leads come from, and what their scores follow from.

    `tags` mark every lead of the batch: words by their folded form.
    """

    batch_id: int
    file_name: str
    score: ScoreSettings
    now: datetime
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Before:
    """What the store holds that may matter for some records; changes as they are planned.

    Attributes:
        known: The businesses the records may be.
        index: The same by what leads to them, filled by the plan.
        raw: External ids of raw records that are there.
        last_business: The highest id a business ever had.
        last_site: The highest id a site ever had.
        erased: Those who are not to come back.
    """

    known: dict[int, Known]
    index: Index = field(default_factory=Index)
    raw: set[str] = field(default_factory=set)
    last_business: int = 0
    last_site: int = 0
    erased: Erased = NOBODY


@dataclass(slots=True)
class Rows:
    """The rows to write, by table.

    Attributes:
        updated: Businesses that were there, with all their columns.
        points_filled: Points that were there, with who they reach.
        words: Of the tags that are put on businesses, by their folded form.
        captured: The first event of each new business; `events` are all others.
        documents: Of the search index, for new businesses.
        moved: Businesses whose statuses have to be folded.
    """

    origin: Origin
    businesses: list[Row] = field(default_factory=list)
    updated: list[Row] = field(default_factory=list)
    points: list[Row] = field(default_factory=list)
    points_filled: list[Row] = field(default_factory=list)
    aliases: list[Row] = field(default_factory=list)
    words: dict[str, str] = field(default_factory=dict)
    tags: list[Row] = field(default_factory=list)
    captured: list[Row] = field(default_factory=list)
    events: list[Row] = field(default_factory=list)
    tasks: list[Row] = field(default_factory=list)
    suppressions: list[Row] = field(default_factory=list)
    raw: list[Row] = field(default_factory=list)
    sites: list[Row] = field(default_factory=list)
    unmatched: list[Row] = field(default_factory=list)
    documents: list[Row] = field(default_factory=list)
    report: list[Row] = field(default_factory=list)
    moved: set[int] = field(default_factory=set)
    problems: list[tuple[int, str]] = field(default_factory=list)

    def told(self, known: Known, kind: EventKind, summary: str, *, row: int) -> Row:
        """An event about a row of the file."""
        # Batches and their rows count upwards, which keeps the index of the keys in order.
        key = f"import-{self.origin.batch_id:08}-{row:08}-{kind}"
        at = known.values["created_at"] if kind is EventKind.CAPTURED else self.origin.now
        return self._event(NewEvent(known.id, kind, at, summary, SOURCE, key))

    def happened(
        self,
        known: Known,
        kind: EventKind,
        at: datetime,
        summary: str,
        *,
        content: str,
        body: str | None = None,
        moves_to: ContactStatus | None = None,
        data: Mapping[str, Any] | None = None,
    ) -> bool:
        """Note something the file tells of, unless an import has told it of this business before.

        Returns whether it was new. `content` is what makes it the same when it is told again.
        """
        told = f"{known.values['key']}\0{kind}\0{content}"
        key = hashlib.sha256(told.encode()).hexdigest()[:32]
        if key in known.events:
            return False
        known.events.add(key)
        event = NewEvent(
            known.id,
            kind,
            at,
            summary,
            SOURCE,
            key,
            moves_to=moves_to,
            body=body,
            data=dict(data or {}),
        )
        self.events.append(self._event(event))
        return True

    def keep_raw(self, raw: RawRow) -> None:
        """Keep a record of an old store as it stood there."""
        self.raw.append(
            {
                "source": LEGACY,
                "external_id": raw.external_id,
                "received_at": self.origin.now,
                "batch_id": self.origin.batch_id,
                "payload": raw.payload,
            }
        )

    def _event(self, event: NewEvent) -> Row:
        return events.row(event, now=self.origin.now) | {"batch_id": self.origin.batch_id}
