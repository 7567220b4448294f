"""What becomes of the records of a list, decided without touching the store."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import replace

from crm_tui.services import scoring, search
from crm_tui.services.erased import REASON
from crm_tui.services.imports import merge
from crm_tui.services.imports.captured import (
    CapturedLead,
    CapturedPoint,
    CapturedSite,
    RejectedRow,
)
from crm_tui.services.imports.history import add_history, suppressions
from crm_tui.services.imports.known import Known, KnownPoint
from crm_tui.services.imports.match import By, Found
from crm_tui.services.imports.old_sites import add_site
from crm_tui.services.imports.prepare import Prepared
from crm_tui.services.imports.rows import Before, Origin, Rows
from crm_tui.text import fold
from crm_tui.vocabulary import AliasKind, ContactState, EventKind, RowAction

Record = Prepared | RejectedRow | CapturedSite

_LONGEST_NAME = 80


def plan(records: Iterable[Record], before: Before, origin: Origin) -> Rows:
    """Decide what becomes of records, in their order; `before` changes along with them."""
    for known in before.known.values():
        before.index.add(known.id, known.identity())
    planner = _Planner(before, origin)
    for record in records:
        planner.add(record)
    return planner.finish()


class _Planner:
    def __init__(self, before: Before, origin: Origin) -> None:
        self._before = before
        self._rows = Rows(origin)
        self._new: list[Known] = []
        self._changed: dict[int, Known] = {}

    def add(self, record: Record) -> None:
        if isinstance(record, Prepared):
            self._lead(record)
        elif isinstance(record, CapturedSite):
            add_site(self._rows, self._before, record)
        else:
            self._report(record, RowAction.REJECTED, record.reason)
            self._rows.problems.append((record.row, record.reason))

    def finish(self) -> Rows:
        rows, origin = self._rows, self._rows.origin
        for known in self._new:
            captured_at = known.values["created_at"]
            rows.businesses.append(
                known.values
                | {
                    "id": known.id,
                    "qualification_score": self._score(known),
                    "updated_at": origin.now,
                    "last_activity_at": captured_at,
                    "last_activity": f"captured from {origin.file_name}",
                    "batch_id": origin.batch_id,
                }
            )
            points = [(point.kind, point.value, point.person) for point in known.points.values()]
            facts = known.values | {"id": known.id}
            rows.documents.append(search.document(facts, points, known.notes))
            rows.suppressions += suppressions(rows, known)
        for known in self._changed.values():
            rows.updated.append(
                known.values
                | {
                    "of_business": known.id,
                    "qualification_score": self._score(known),
                    "updated_at": origin.now,
                }
            )
            rows.suppressions += suppressions(rows, known)
        return rows

    def _lead(self, prepared: Prepared) -> None:
        lead = prepared.lead
        found = self._before.index.find(prepared.identity)
        if self._is_erased(prepared, found):
            # Not even the name of who was erased is kept with the row.
            self._report(replace(lead, name=""), RowAction.SKIPPED, REASON)
            return
        if lead.raw is not None and lead.raw.external_id not in self._before.raw:
            self._before.raw.add(lead.raw.external_id)
            self._rows.keep_raw(lead.raw)
        elif lead.raw is not None and found.same is None:
            self._report(lead, RowAction.SKIPPED, "imported before, and gone since")
            return
        if lead.warnings:
            self._rows.problems.append((lead.row, "; ".join(lead.warnings)))
        if found.same is None:
            self._create(prepared, found)
        else:
            self._merge(prepared, self._before.known[found.same], found.why)

    def _is_erased(self, prepared: Prepared, found: Found) -> bool:
        erased, identity = self._before.erased, prepared.identity
        return erased.is_known(identity) or (found.same is None and erased.may_be_known(identity))

    def _create(self, prepared: Prepared, found: Found) -> None:
        lead, before, values = prepared.lead, self._before, dict(prepared.values)
        if values["key"] is None or before.index.leads_to(By.KEY, values["key"]) is not None:
            values["key"] = str(uuid.uuid4())
        before.last_business += 1
        known = Known(before.last_business, values, new=True)
        before.known[known.id] = known
        before.index.add(known.id, prepared.identity)
        self._new.append(known)
        self._points(known, merge.add_points(known, lead))
        self._ids(known, prepared)
        self._tags(known, lead)
        summary = f"captured from {self._rows.origin.file_name}"
        self._rows.captured.append(
            self._rows.told(known, EventKind.CAPTURED, summary, row=lead.row)
        )
        add_history(self._rows, known, lead, {})
        alike = f"looks like {self._called(found.alike)}: {found.why}" if found.alike else ""
        reason = "; ".join(filter(None, (alike, *lead.warnings)))
        self._report(lead, RowAction.CREATED, reason, known)

    def _merge(self, prepared: Prepared, known: Known, why: str) -> None:
        lead = prepared.lead
        filled = merge.fill_fields(known, prepared)
        words = [name.partition(".")[0].replace("_", " ") for name in filled]
        for point, of_point in merge.fill_points(known, lead):
            self._fill_point(known, point)
            filled |= {f"{point.kind}:{point.value}:{n}": pair for n, pair in of_point.items()}
            words.append(f"who {point.value} reaches")
        points = merge.add_points(known, lead)
        self._points(known, points)
        words += [str(point.kind) for point, _ in points]
        words += self._ids(known, prepared)
        words += self._tags(known, lead)
        words += add_history(self._rows, known, lead, filled)
        self._before.index.add(known.id, known.identity())
        same = f"{self._called(known.id)}: {why}"
        if words:
            added = ", ".join(dict.fromkeys(words))
            reason = f"is {same}; added {added}"
            self._tell_merged(known, lead, added)
        else:
            reason = f"already there as {same}"
        action = RowAction.MERGED if words else RowAction.SKIPPED
        self._report(lead, action, "; ".join((reason, *lead.warnings)), known, filled)

    def _tell_merged(self, known: Known, lead: CapturedLead, added: str) -> None:
        if not known.new:
            self._changed[known.id] = known
        summary = f"merged from {self._rows.origin.file_name}: added {added}"
        self._rows.events.append(self._rows.told(known, EventKind.MERGED, summary, row=lead.row))

    def _points(self, known: Known, added: list[tuple[KnownPoint, CapturedPoint]]) -> None:
        origin = self._rows.origin
        for point, captured in added:
            state = captured.state or (
                ContactState.UNKNOWN if point.usable else ContactState.INVALID
            )
            is_invalid = state is ContactState.INVALID
            self._rows.points.append(
                {
                    "business_id": known.id,
                    "kind": point.kind,
                    "value": point.value,
                    "raw": captured.raw,
                    "domain": point.domain,
                    "person": point.person,
                    "title": point.title,
                    "label": point.label,
                    "is_primary": point.primary,
                    "state": state,
                    "state_reason": (captured.problem or None) if is_invalid else None,
                    "created_at": origin.now,
                    "batch_id": origin.batch_id,
                }
            )

    def _fill_point(self, known: Known, point: KnownPoint) -> None:
        self._rows.points_filled.append(
            {
                "person": point.person,
                "title": point.title,
                "label": point.label,
                "of_business": known.id,
                "of_kind": point.kind,
                "of_value": point.value,
            }
        )

    def _ids(self, known: Known, prepared: Prepared) -> list[str]:
        """Note the ids a source knows the business by; those of other businesses stay theirs."""
        lead, words = prepared.lead, []
        (row,) = prepared.identity.keys.get(By.ROW, (None,))
        for kind, by, value, told in (
            (AliasKind.PLACE_ID, By.PLACE_ID, lead.place_id, True),
            (AliasKind.GOOGLE_ID, By.GOOGLE_ID, lead.google_id, True),
            (AliasKind.KEY, By.KEY, lead.key, False),
            (AliasKind.LEGACY, By.LEGACY, lead.raw.external_id if lead.raw else None, False),
            (AliasKind.ROW, By.ROW, row, False),
        ):
            if not value or value == known.values.get(kind) or (kind, value) in known.aliases:
                continue
            if self._before.index.leads_to(by, value) not in {None, known.id}:
                continue
            known.aliases.add((kind, value))
            batch_id = self._rows.origin.batch_id
            self._rows.aliases.append(
                {"business_id": known.id, "kind": kind, "value": value, "batch_id": batch_id}
            )
            words += [str(by)] if told else []
        return words

    def _tags(self, known: Known, lead: CapturedLead) -> list[str]:
        origin = self._rows.origin
        if not lead.tags and not origin.tags:
            return []
        wanted = {fold(word): word for word in lead.tags} | dict(origin.tags)
        missing = {folded: word for folded, word in wanted.items() if folded not in known.tags}
        known.tags.update(missing)
        self._rows.words |= missing
        self._rows.tags += [
            {
                "business_id": known.id,
                "folded": folded,
                "created_at": origin.now,
                "batch_id": origin.batch_id,
            }
            for folded in missing
        ]
        return ["tag"] if missing else []

    def _score(self, known: Known) -> int:
        values = known.values
        facts = scoring.ScoreFacts(
            website=values["website"],
            rating=values["rating"],
            review_count=values["review_count"],
            photo_count=values["photo_count"],
            email=values["email"],
            phone=values["phone"],
            category=values["category"],
            captured_at=values["captured_at"],
        )
        return scoring.points(facts, self._rows.origin.score, now=self._rows.origin.now)

    def _called(self, business_id: int) -> str:
        return f"#{business_id} {self._before.index.name(business_id)[:_LONGEST_NAME]}"

    def _report(
        self,
        record: CapturedLead | RejectedRow,
        action: RowAction,
        reason: str,
        known: Known | None = None,
        filled: merge.Filled | None = None,
    ) -> None:
        self._rows.report.append(
            {
                "batch_id": self._rows.origin.batch_id,
                "row": record.row,
                "action": action,
                "name": record.name or None,
                "reason": reason or None,
                "business_id": known.id if known else None,
                "filled": filled or None,
            }
        )
