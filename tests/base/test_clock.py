from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from crm_tui.clock import ago, local_stamp, parse_time

NOW = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("past", "shown"),
    [
        (timedelta(seconds=20), "now"),
        (timedelta(seconds=-20), "now"),
        (timedelta(minutes=5), "5m"),
        (timedelta(hours=2, minutes=59), "2h"),
        (timedelta(days=3), "3d"),
        (timedelta(days=7), "2026-11-15"),
        (timedelta(days=-1), "2026-11-23"),
    ],
)
def test_times_are_relative_within_a_week_and_dates_otherwise(past: timedelta, shown: str) -> None:
    assert ago(NOW - past, NOW, zone=UTC) == shown


def test_a_time_that_is_not_there_shows_nothing() -> None:
    assert ago(None, NOW) == ""


def test_times_are_read_as_utc() -> None:
    assert parse_time("2026-01-02") == datetime(2026, 1, 2, tzinfo=UTC)
    assert parse_time("2026-01-02T10:00:00+02:00") == datetime(2026, 1, 2, 8, tzinfo=UTC)
    assert parse_time("2026-01-02 10:00", zone=ZoneInfo("Asia/Nicosia")) == datetime(
        2026, 1, 2, 8, tzinfo=UTC
    )
    assert parse_time("soon") is None
    assert parse_time("0001-01-01T00:00+14:00") is None


def test_a_stamp_is_local() -> None:
    assert local_stamp(NOW, zone=ZoneInfo("Asia/Nicosia")) == "2026-11-22 11:30"
