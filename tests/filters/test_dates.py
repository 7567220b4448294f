"""The times of a query, in the operator's zone."""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm_tui.services.filters import dates
from crm_tui.services.filters.tree import When
from tests.filters.trees import AGES, TIMES

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 3, 30, 22, 30, tzinfo=UTC)
"""Just after midnight of Tuesday, March 31 in Berlin, whose clocks went forward on the 29th."""


@pytest.mark.parametrize(
    ("text", "first", "after"),
    [
        ("today", "2026-03-31 00:00", "2026-04-01 00:00"),
        ("yesterday", "2026-03-30 00:00", "2026-03-31 00:00"),
        ("this-week", "2026-03-30 00:00", "2026-04-06 00:00"),
        ("last-week", "2026-03-23 00:00", "2026-03-30 00:00"),
        ("this-month", "2026-03-01 00:00", "2026-04-01 00:00"),
        ("last-month", "2026-02-01 00:00", "2026-03-01 00:00"),
        ("this-year", "2026-01-01 00:00", "2027-01-01 00:00"),
        ("last-year", "2025-01-01 00:00", "2026-01-01 00:00"),
        ("2024", "2024-01-01 00:00", "2025-01-01 00:00"),
        ("2025-12", "2025-12-01 00:00", "2026-01-01 00:00"),
        ("2026-03-29", "2026-03-29 00:00", "2026-03-30 00:00"),
        ("2026-03-29T14:30", "2026-03-29 14:30", "2026-03-29 14:31"),
        ("1m", "2026-02-28 00:30", "2026-02-28 00:30"),
        ("2y", "2024-03-31 00:30", "2024-03-31 00:30"),
        ("24h", "2026-03-30 00:30", "2026-03-30 00:30"),
        ("1w", "2026-03-23 23:30", "2026-03-23 23:30"),
    ],
)
def test_a_time_begins_and_ends_where_the_operator_is(text: str, first: str, after: str) -> None:
    bounds = dates.bounds(When(text), NOW, BERLIN)
    assert [f"{time.astimezone(BERLIN):%Y-%m-%d %H:%M}" for time in bounds] == [first, after]


@pytest.mark.parametrize("zone", [UTC, BERLIN, None])
@given(when=TIMES | AGES, now=st.integers(0, 2**32).map(lambda at: datetime.fromtimestamp(at, UTC)))
def test_every_time_that_can_be_read_lies_somewhere(
    zone: tzinfo | None, when: When, now: datetime
) -> None:
    assert dates.read(when.text) == when
    first, after = dates.bounds(when, now, zone)
    assert datetime(1000, 1, 1, tzinfo=UTC) <= first <= after
    assert dates.is_age(when) == (first == after)


@pytest.mark.parametrize("text", ["9999y", "9999w", "9999m"])
def test_an_age_beyond_all_records_is_the_beginning_of_them(text: str) -> None:
    first, _ = dates.bounds(When(text), NOW, BERLIN)
    assert first >= datetime(1000, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    ["", "7", "7x", "-7d", "12345d", "2026-13", "2026-02-30", "0999", "9999", "2026-1-1T24:00"],
)
def test_what_is_no_time_is_not_read(text: str) -> None:
    assert dates.read(text) is None
