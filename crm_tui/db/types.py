"""Column types for STRICT tables, and the base all models share."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, date, datetime
from enum import StrEnum
from typing import Any, ClassVar

from sqlalchemy import REAL, CheckConstraint, Dialect, Integer, MetaData, Select, Text, func, select
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.types import TypeDecorator

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}


class Base(DeclarativeBase):
    """The declarative base; every table is STRICT and names its constraints."""

    metadata = MetaData(naming_convention=NAMING)
    type_annotation_map: ClassVar[dict[Any, Any]] = {str: Text(), float: REAL()}


class UtcDateTime(TypeDecorator[datetime]):
    """An aware UTC time, kept as text of fixed width that sorts as the times do."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> str | None:
        """Refuse naive times; write microseconds always, so that text order is time order."""
        return None if value is None else utc_text(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> datetime | None:
        """Read what was written."""
        return None if value is None else datetime.fromisoformat(value)


def utc_text(value: datetime) -> str:
    """The stored form of a time: 2026-11-22T14:02:00.000000Z.

    Raises:
        ValueError: the time is naive.
    """
    if value.tzinfo is None:
        raise ValueError("a naive time cannot be stored")
    # Half the time of strftime, which the store asks for by the thousand.
    at = value if value.tzinfo is UTC else value.astimezone(UTC)
    return at.replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


class Day(TypeDecorator[date]):
    """A day of the calendar, kept as text: 2026-11-22."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: date | None, dialect: Dialect) -> str | None:
        """Write the day."""
        return None if value is None else value.isoformat()

    def process_result_value(self, value: str | None, dialect: Dialect) -> date | None:
        """Read it back."""
        return None if value is None else date.fromisoformat(value)


class Json(TypeDecorator[Any]):
    """A JSON value kept as text."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        """Write compact JSON; None is NULL."""
        return None if value is None else json.dumps(value, ensure_ascii=False)

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:
        """Read JSON back."""
        return None if value is None else json.loads(value)


class Flag(TypeDecorator[bool]):
    """A truth value kept as 0 or 1."""

    impl = Integer
    cache_ok = True

    def process_bind_param(self, value: bool | None, dialect: Dialect) -> int | None:  # noqa: FBT001 - SQLAlchemy's own signature
        """Write 0 or 1."""
        return None if value is None else int(value)

    def process_result_value(self, value: int | None, dialect: Dialect) -> bool | None:
        """Read a bool back."""
        return None if value is None else bool(value)


class Word(TypeDecorator[StrEnum]):
    """A member of one enumeration, kept as its text; give the column `one_of` beside it."""

    impl = Text
    cache_ok = True

    def __init__(self, words: type[StrEnum]) -> None:
        super().__init__()
        self.words = words

    def process_bind_param(self, value: StrEnum | str | None, dialect: Dialect) -> str | None:
        """Write the text of a member; anything else is a ValueError."""
        return None if value is None else self.words(value).value

    def process_result_value(self, value: str | None, dialect: Dialect) -> StrEnum | None:
        """Read the member back."""
        return None if value is None else self.words(value)


def one_of(column: str, words: type[StrEnum]) -> CheckConstraint:
    """A CHECK that `column` holds a word of the enumeration (or NULL where that is allowed)."""
    listed = ", ".join(f"'{word.value}'" for word in words)
    return CheckConstraint(f"{column} IN ({listed})", name=column)


def flag_check(column: str) -> CheckConstraint:
    """A CHECK that `column` holds 0 or 1."""
    return CheckConstraint(f"{column} IN (0, 1)", name=column)


def json_check(column: str) -> CheckConstraint:
    """A CHECK that `column` holds JSON (or NULL where that is allowed)."""
    return CheckConstraint(f"{column} IS NULL OR json_valid({column})", name=column)


def listed(values: Iterable[int] | Iterable[str]) -> Select[Any]:
    """Any number of values as one parameter, to stand after IN: as many parameters take longer."""
    given = func.json_each(json.dumps(list(values))).table_valued("value")
    return select(given.c.value)
