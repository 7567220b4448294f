"""Whether the file is whole, and its tables, indexes and triggers those of this version."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

from crm_tui.db import migrate, snapshot
from crm_tui.services.doctor.findings import Check, Finding, Patient, Severity, named
from crm_tui.text import visible

_OBJECTS = """
    SELECT name, type, sql FROM sqlite_master
    WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'
"""
_REBUILDABLE = frozenset({"index", "trigger"})
_SEARCH_INDEX = "search_index"

Schema = dict[str, tuple[str, str]]
"""The objects of a schema: by name, the type and the statement that makes it."""


async def find_schema(patient: Patient) -> list[Finding]:
    """Compare the store's schema with a fresh one."""
    fresh, own = await _both(patient)
    wrong = _wrong(fresh, own)
    strange = sorted(name for name in own if name not in fresh)
    findings = []
    if wrong:
        detail = f"missing or changed: {named(wrong)}"
        if not all(_can_be_rebuilt(name, fresh) for name in wrong):
            detail += "; restore a backup with `crm-tui restore FILE`"
        findings.append(Finding("schema", Severity.ERROR, len(wrong), detail))
    if strange:
        detail = f"not of this program: {visible(named(strange), 200)}"
        findings.append(Finding("schema", Severity.WARNING, len(strange), detail))
    return findings


async def repair_schema(patient: Patient) -> str:
    """Make missing or changed indexes, triggers and the search index again; tables are left."""
    fresh, own = await _both(patient)
    wrong = [name for name in _wrong(fresh, own) if _can_be_rebuilt(name, fresh)]
    if not wrong:
        return ""
    async with patient.db.write() as session:
        connection = await session.connection()
        # The search index first: the triggers write to it.
        for name in sorted(wrong, key=lambda name: name != _SEARCH_INDEX):
            kind, statement = fresh[name]
            if name in own:
                await connection.exec_driver_sql(f'DROP {own[name][0]} "{name}"')
            await connection.exec_driver_sql(statement)
            if kind == "table":
                await connection.exec_driver_sql(
                    "INSERT INTO search_index (search_index) VALUES ('rebuild')"
                )
    return f"made again: {named(wrong)}"


async def find_integrity(patient: Patient) -> list[Finding]:
    """Have SQLite check the file and the references between rows."""
    problems = await asyncio.to_thread(snapshot.problems, patient.db.path)
    return [damaged(problems)] if problems else []


def damaged(problems: list[str]) -> Finding:
    """The finding for a file that SQLite finds something wrong with."""
    listed = visible("; ".join(problems), 300)
    return Finding(
        "integrity",
        Severity.ERROR,
        len(problems),
        f"{listed}. Restore a backup with `crm-tui restore FILE`",
    )


def _wrong(fresh: Schema, own: Schema) -> list[str]:
    """What is missing or changed; the tables the search index is kept in count as itself."""
    names = {name for name in fresh if own.get(name) != fresh[name]}
    return sorted({_SEARCH_INDEX if name.startswith(_SEARCH_INDEX) else name for name in names})


def _can_be_rebuilt(name: str, fresh: Schema) -> bool:
    return fresh[name][0] in _REBUILDABLE or name == _SEARCH_INDEX


async def _both(patient: Patient) -> tuple[Schema, Schema]:
    fresh = await asyncio.to_thread(_fresh)
    return fresh, await asyncio.to_thread(_schema, patient.db.path)


def _fresh() -> Schema:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "fresh.db"
        migrate.upgrade(path)
        return _schema(path)


def _schema(path: Path) -> Schema:
    with snapshot.opened(path, read_only=True) as connection:
        return {name: (kind, sql) for name, kind, sql in connection.execute(_OBJECTS)}


CHECKS = (
    Check("schema", find_schema, repair_schema),
    Check("integrity", find_integrity),
)
