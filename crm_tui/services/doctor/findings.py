"""What a check is handed, and what it reports."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from crm_tui.config import Settings
from crm_tui.db.engine import Database


class Severity(StrEnum):
    """How bad a finding is: an error is wrong data, a warning something to know."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was found.

    Args:
        check: the name of the check.
        severity: error or warning.
        count: how many records it concerns.
        detail: a sentence that names some of them and says what to do.
    """

    check: str
    severity: Severity
    count: int
    detail: str


@dataclass(frozen=True, slots=True)
class Patient:
    """The store that is checked, with what its derived values depend on."""

    db: Database
    settings: Settings
    now: datetime


@dataclass(frozen=True, slots=True)
class Check:
    """A check by its name, and what repairs its findings, if anything does safely.

    `repair` says what it did, or nothing where it found nothing to do.
    """

    name: str
    find: Callable[[Patient], Awaitable[list[Finding]]]
    repair: Callable[[Patient], Awaitable[str]] | None = None


NAMED = 5


def named(names: Sequence[str]) -> str:
    """The first few of some names, and that there are more."""
    return ", ".join(names[:NAMED]) + (", …" if len(names) > NAMED else "")
