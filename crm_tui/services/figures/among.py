"""Whose records count: what a scope says of leads and of times, as parts of a statement."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import ColumnElement, Select, select

from crm_tui.db.models import Business
from crm_tui.services.figures.base import Period, Scope
from crm_tui.services.filters import compile as compiled

Test = ColumnElement[bool]


def leads(scope: Scope) -> Iterator[Test]:
    """What a lead must be: captured in the period, and found by the filter."""
    yield from within(Business.captured_at, scope.period)
    yield from found(scope)


def found(scope: Scope) -> Iterator[Test]:
    """What a lead must be to be found by the filter, whenever it was captured."""
    if scope.where is not None:
        yield compiled.test(scope.where, scope.standpoint)


def of_leads(column: Any, scope: Scope) -> Iterator[Test]:
    """What a record must be to belong to a lead that the filter finds."""
    if scope.where is not None:
        yield column.in_(_ids(scope))


def _ids(scope: Scope) -> Select[int]:
    return select(Business.id).where(*found(scope))


def within(column: Any, period: Period) -> Iterator[Test]:
    """What a time must be to be in the period."""
    if period.since is not None:
        yield column >= period.since
    if period.until is not None:
        yield column < period.until
