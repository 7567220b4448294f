"""The doctor: what is wrong with a store, and what of it can be put right safely."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy.exc import DatabaseError

from crm_tui.config import Settings
from crm_tui.db import migrate, snapshot
from crm_tui.db.engine import Database
from crm_tui.errors import StoreError
from crm_tui.services import store
from crm_tui.services.doctor import (
    derived,
    drawn,
    money,
    public,
    queue,
    schema,
    texts,
    traces,
    work,
)
from crm_tui.services.doctor.findings import Check, Finding, Patient, Severity
from crm_tui.text import visible

__all__ = ["CHECKS", "Finding", "Report", "Severity", "examine"]

_DRIVER_ERRORS = (DatabaseError, sqlite3.DatabaseError)

# The schema first: the other checks need it. Statuses before stuck sites: a fold may free them.
CHECKS: tuple[Check, ...] = (
    *schema.CHECKS,
    *derived.CHECKS,
    *work.CHECKS,
    *queue.CHECKS,
    *money.CHECKS,
    *drawn.CHECKS,
    *texts.CHECKS,
    *public.CHECKS,
    *traces.CHECKS,
)


@dataclass(frozen=True, slots=True)
class Report:
    """What was found, what was fixed included; `ok` means that no error is left."""

    findings: tuple[Finding, ...]

    @property
    def ok(self) -> bool:
        """Whether no error was found, or none is left."""
        return not any(finding.severity is Severity.ERROR for finding in self.findings)


async def examine(
    path: Path,
    *,
    settings: Settings,
    now: datetime,
    fix: bool = False,
    progress: Callable[[str], None] = lambda _check: None,
) -> Report:
    """Check a store; with `fix`, repair what can be repaired safely and check again.

    Args:
        path: the store. One that is not there is not made.
        settings: what the scores should follow from.
        now: aware UTC.
        fix: repair. A store that is damaged is left alone.
        progress: called with the name of each check before it begins.

    Raises:
        StoreError: there is no store, it is not one of ours or a newer one, or it is locked.
    """
    unusable = await asyncio.to_thread(_admit, path, now=now, fix=fix)
    if unusable is not None:
        return Report((unusable,))
    db = Database(path)
    try:
        patient = Patient(db, settings, now)
        found = await _find(patient, progress)
        if fix and found and not any(finding.check == "integrity" for finding in found):
            fixed = await _repair(patient, found)
            found = (*fixed, *await _find(patient, progress))
        return Report(found)
    finally:
        await db.close()


def _admit(path: Path, *, now: datetime, fix: bool) -> Finding | None:
    """See that the checks can begin; a finding where the store is too old or damaged for that."""
    try:
        found = migrate.revision(path)
    except StoreError as error:
        if snapshot.is_damage(error):
            return schema.damaged([str(error.__cause__)])
        raise
    if found is None:
        raise StoreError(f"There is no store {path}; nothing was checked.")
    if found == migrate.HEAD:
        return None
    if fix or migrate.is_newer(found):
        store.prepare(path, now=now)
        return None
    detail = f"written by an older version (revision {found}); opening it in the app updates it"
    return Finding("schema", Severity.ERROR, 1, detail)


async def _find(patient: Patient, progress: Callable[[str], None]) -> tuple[Finding, ...]:
    findings: list[Finding] = []
    for check in CHECKS:
        progress(check.name)
        try:
            findings += await check.find(patient)
        except StoreError as error:
            if not snapshot.is_damage(error):
                raise
            # What a damaged file says about anything else is worth nothing.
            return (*findings, schema.damaged([str(error.__cause__)]))
        except _DRIVER_ERRORS as error:
            # A table that another check needs is missing or changed; the schema's finding says so.
            findings.append(Finding(check.name, Severity.ERROR, 1, f"not checked: {_words(error)}"))
        if any(finding.check == "integrity" for finding in findings):
            break
    return tuple(findings)


async def _repair(patient: Patient, found: Sequence[Finding]) -> list[Finding]:
    """Repair what was found; says what was done."""
    fixed = []
    for check in CHECKS:
        count = sum(finding.count for finding in found if finding.check == check.name)
        if not count or check.repair is None:
            continue
        try:
            done = await check.repair(patient)
        except _DRIVER_ERRORS as error:
            said = f"could not be repaired: {_words(error)}"
            fixed.append(Finding(check.name, Severity.ERROR, count, said))
            continue
        if done:
            fixed.append(Finding(check.name, Severity.WARNING, count, f"fixed: {done}"))
    return fixed


def _words(error: Exception) -> str:
    return visible(str(getattr(error, "orig", error)), 200)
