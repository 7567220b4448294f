from __future__ import annotations

import time as clock
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from crm_tui.errors import BadInput
from crm_tui.services.sending.hours import (
    Rules,
    after,
    allowed_since,
    allowed_until,
    is_allowed,
    next_allowed,
    read_delay,
    read_rules,
)

NIGHTS = read_rules("20:00-08:00", weekdays_only=True)
MINUTE = timedelta(minutes=1)
ZONES = [
    ZoneInfo(name)
    for name in (
        "America/New_York",
        "America/Santiago",  # the clocks change at midnight
        "America/St_Johns",
        "Asia/Kolkata",
        "Australia/Lord_Howe",  # by half an hour
        "Europe/Berlin",
        "Pacific/Auckland",  # up to 13 hours ahead
        "Pacific/Chatham",  # by 45 minutes, and at 2:45
        "Pacific/Kiritimati",  # 14 hours ahead
        "Pacific/Pago_Pago",  # 11 hours behind
        "UTC",
    )
]


def wall(text: str, zone: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)


def shown(at: datetime, zone: str) -> str:
    return f"{at.astimezone(ZoneInfo(zone)):%a %Y-%m-%d %H:%M %z}"


@pytest.mark.parametrize(
    ("zone", "at", "goes"),
    [
        ("America/New_York", "2026-11-24 12:00", "Tue 2026-11-24 12:00 -0500"),
        ("America/New_York", "2026-11-24 07:59:59.9", "Tue 2026-11-24 08:00 -0500"),
        ("America/New_York", "2026-11-24 20:00", "Wed 2026-11-25 08:00 -0500"),
        ("America/New_York", "2026-11-27 20:00", "Mon 2026-11-30 08:00 -0500"),
        # Friday evening before the clocks go forward, and back
        ("America/New_York", "2026-03-06 21:00", "Mon 2026-03-09 08:00 -0400"),
        ("America/New_York", "2026-10-30 21:00", "Mon 2026-11-02 08:00 -0500"),
        ("Europe/Berlin", "2026-03-27 20:00", "Mon 2026-03-30 08:00 +0200"),
        ("Europe/Berlin", "2026-10-24 12:00", "Mon 2026-10-26 08:00 +0100"),
        ("Australia/Lord_Howe", "2026-10-02 23:00", "Mon 2026-10-05 08:00 +1100"),
        ("Asia/Kolkata", "2026-11-22 09:00", "Mon 2026-11-23 08:00 +0530"),
        # as far from each other as days can be
        ("Pacific/Auckland", "2026-09-25 20:00", "Mon 2026-09-28 08:00 +1300"),
        ("Pacific/Chatham", "2026-04-04 12:00", "Mon 2026-04-06 08:00 +1245"),
        ("Pacific/Kiritimati", "2026-11-27 20:00", "Mon 2026-11-30 08:00 +1400"),
        ("Pacific/Pago_Pago", "2026-11-27 20:00", "Mon 2026-11-30 08:00 -1100"),
    ],
)
def test_mail_waits_for_the_morning_of_a_working_day(zone: str, at: str, goes: str) -> None:
    assert shown(next_allowed(wall(at, zone), ZoneInfo(zone), NIGHTS), zone) == goes


@pytest.mark.parametrize(
    ("quiet", "zone", "at", "goes"),
    [
        # 2:30 is left out: quiet hours end with the jump from 2:00 to 3:00
        ("22:00-02:30", "America/New_York", "2026-03-08 01:00", "Sun 2026-03-08 03:00 -0400"),
        # the only hour there is falls into the jump: nothing goes that day
        ("03:00-02:00", "America/New_York", "2026-03-07 23:00", "Mon 2026-03-09 02:00 -0400"),
        ("02:30-02:00", "Australia/Lord_Howe", "2026-10-03 23:00", "Mon 2026-10-05 02:00 +1100"),
        # midnight itself is left out in Santiago
        ("20:00-00:00", "America/Santiago", "2026-09-05 21:00", "Sun 2026-09-06 01:00 -0300"),
        # of the hour that comes twice the first counts
        ("22:00-01:30", "America/New_York", "2026-11-01 00:10", "Sun 2026-11-01 01:30 -0400"),
        # the clocks jump from quiet back into an hour that is not
        ("01:50-06:00", "America/New_York", "2026-11-01 01:55", "Sun 2026-11-01 01:00 -0500"),
        ("12:00-13:00", "Europe/Berlin", "2026-11-24 12:30", "Tue 2026-11-24 13:00 +0100"),
    ],
)
def test_quiet_hours_follow_the_wall_when_the_clocks_change(
    quiet: str, zone: str, at: str, goes: str
) -> None:
    rules = read_rules(quiet, weekdays_only=False)
    assert shown(next_allowed(wall(at, zone), ZoneInfo(zone), rules), zone) == goes


def times_near_clock_changes() -> st.SearchStrategy[datetime]:
    changes = st.sampled_from(
        "2026-03-08 2026-03-29 2026-04-05 2026-09-06 2026-10-04 2026-10-25 2026-11-01".split()
    ).map(lambda day: datetime.fromisoformat(day).replace(tzinfo=UTC))
    near = st.timedeltas(min_value=timedelta(days=-3), max_value=timedelta(days=3))
    return st.builds(lambda day, off: day + off, changes, near)


RULES = st.builds(
    lambda first, end, weekdays_only: Rules(
        time(*divmod(first * 15, 60)), time(*divmod(end * 15, 60)), weekdays_only
    ),
    st.integers(0, 95),
    st.integers(0, 95),
    st.booleans(),
)


@given(at=times_near_clock_changes(), zone=st.sampled_from(ZONES), rules=RULES)
@example(
    at=datetime(2026, 3, 8, 6, 59, tzinfo=UTC),
    zone=ZONES[0],
    rules=Rules(time(3), time(2, 30), weekdays_only=False),
)
@example(  # in the second of two hours, the end of the quiet ones comes a second time
    at=datetime(2026, 11, 1, 6, 10, tzinfo=UTC),
    zone=ZONES[0],
    rules=Rules(time(22), time(1, 30), weekdays_only=False),
)
def test_the_next_time_is_the_first_one(at: datetime, zone: ZoneInfo, rules: Rules) -> None:
    found = next_allowed(at, zone, rules)
    assert found >= at
    assert is_allowed(found, zone, rules)
    step = at
    while step < found:  # quarter hours are all that can matter here
        assert not is_allowed(step, zone, rules)
        step = step - timedelta(
            minutes=step.minute % 5, seconds=step.second, microseconds=step.microsecond
        )
        step += 5 * MINUTE


@given(at=times_near_clock_changes(), zone=st.sampled_from(ZONES), rules=RULES)
@example(  # Newfoundland's clocks went back from 0:01 to 23:01 of the day before
    at=datetime(2010, 11, 7, 2, 15, tzinfo=UTC),
    zone=ZoneInfo("America/St_Johns"),
    rules=Rules(time(), time(23, 5), weekdays_only=False),
)
def test_a_time_to_send_in_begins_and_ends_where_it_does(
    at: datetime, zone: ZoneInfo, rules: Rules
) -> None:
    first, end = allowed_since(at, zone, rules), allowed_until(at, zone, rules)
    if rules.never_quiet:
        assert first is None
        assert end is None
        return
    assert first is not None
    assert end is not None
    assert first <= at <= end
    if not is_allowed(at, zone, rules):
        assert first == at == end
        return
    assert not is_allowed(first - timedelta(microseconds=1), zone, rules)
    assert not is_allowed(end, zone, rules)
    step = first
    while step < end:
        assert is_allowed(step, zone, rules)
        step += 5 * MINUTE


def test_equal_ends_and_no_hours_are_never_quiet() -> None:
    sunday = datetime(2026, 11, 22, 3, tzinfo=UTC)
    for text in ("", "  ", "08:00-08:00", "00:00-24:00"):
        rules = read_rules(text, weekdays_only=False)
        assert next_allowed(sunday, UTC, rules) == sunday
        assert allowed_until(sunday, UTC, rules) is None


def test_the_machines_own_zone_serves_where_none_is_known(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TZ", "America/New_York")
    clock.tzset()
    try:
        for hours in range(-60, 60, 7):
            for change in (
                datetime(2026, 3, 8, 7, tzinfo=UTC),
                datetime(2026, 11, 1, 6, tzinfo=UTC),
            ):
                at = change + timedelta(hours=hours, minutes=10)
                for rules in (NIGHTS, read_rules("22:00-01:30", weekdays_only=False)):
                    assert next_allowed(at, None, rules) == next_allowed(at, ZONES[0], rules)
                    assert allowed_until(at, None, rules) == allowed_until(at, ZONES[0], rules)
    finally:
        monkeypatch.undo()
        clock.tzset()


@pytest.mark.parametrize(
    "text", ["8-20", "20:00", "25:00-08:00", "20:60-08:00", "24:30-08:00", "x"]
)
def test_hours_that_cannot_be_read_are_refused_with_an_example(text: str) -> None:
    with pytest.raises(BadInput, match="20:00-08:00"):
        read_rules(text, weekdays_only=True)


@pytest.mark.parametrize(
    ("text", "read", "words"),
    [
        ("3d", "3d", "3 days"),
        (" 2 Days ", "2d", "2 days"),
        ("1day", "1d", "1 day"),
        ("4h", "4h", "4 hours"),
        ("4 business hours", "4bh", "4 business hours"),
        ("1bh", "1bh", "1 business hour"),
        ("3bd", "3bd", "3 business days"),
        ("5 working days", "5bd", "5 business days"),
        ("2 weeks", "2w", "2 weeks"),
    ],
)
def test_delays_as_people_write_them(text: str, read: str, words: str) -> None:
    delay = read_delay(text)
    assert (str(delay), delay.words) == (read, words)
    assert read_delay(str(delay)) == delay
    assert read_delay(delay.words) == delay


@pytest.mark.parametrize("text", ["", "3", "d", "-3d", "0d", "1.5d", "3 moons", "9999d", "3d 4h"])
def test_what_is_no_delay_is_refused(text: str) -> None:
    with pytest.raises(BadInput):
        read_delay(text)


@pytest.mark.parametrize(
    ("zone", "at", "delay", "goes"),
    [
        ("America/New_York", "2026-11-24 10:30", "3d", "Fri 2026-11-27 10:30 -0500"),
        ("America/New_York", "2026-11-24 10:30", "4d", "Mon 2026-11-30 08:00 -0500"),
        ("America/New_York", "2026-11-26 10:30", "3bd", "Tue 2026-12-01 10:30 -0500"),
        ("America/New_York", "2026-11-28 10:30", "1bd", "Mon 2026-11-30 10:30 -0500"),
        ("America/New_York", "2026-11-24 18:00", "4h", "Wed 2026-11-25 08:00 -0500"),
        ("America/New_York", "2026-11-24 18:00", "4bh", "Wed 2026-11-25 10:00 -0500"),
        ("America/New_York", "2026-11-27 18:00", "26bh", "Wed 2026-12-02 08:00 -0500"),
        ("America/New_York", "2026-11-28 18:00", "1bh", "Mon 2026-11-30 09:00 -0500"),
        # the hour on the wall stays over a change of the clocks
        ("America/New_York", "2026-03-06 10:30", "1w", "Fri 2026-03-13 10:30 -0400"),
        ("Europe/Berlin", "2026-10-23 10:30", "1bd", "Mon 2026-10-26 10:30 +0100"),
        ("Australia/Lord_Howe", "2026-10-02 10:30", "3d", "Mon 2026-10-05 10:30 +1100"),
        ("Asia/Kolkata", "2026-11-24 10:30", "1d", "Wed 2026-11-25 10:30 +0530"),
    ],
)
def test_a_step_comes_after_its_delay(zone: str, at: str, delay: str, goes: str) -> None:
    moved = after(wall(at, zone), read_delay(delay), ZoneInfo(zone), NIGHTS)
    # Twelve hours of a day are open: 26 of them from Friday 18:00 end with Tuesday, at 20:00.
    assert shown(moved, zone) == goes


def test_a_wall_hour_that_is_left_out_moves_on() -> None:
    always = read_rules("", weekdays_only=False)
    zone = "America/New_York"
    moved = after(wall("2026-03-07 02:30", zone), read_delay("1d"), ZoneInfo(zone), always)
    assert shown(moved, zone) == "Sun 2026-03-08 03:30 -0400"


@given(
    at=times_near_clock_changes(),
    zone=st.sampled_from(ZONES),
    rules=RULES,
    number=st.integers(1, 30),
    unit=st.sampled_from(["h", "bh", "d", "bd", "w"]),
)
def test_a_step_is_never_early_and_always_at_an_hour_that_is_allowed(
    at: datetime, zone: ZoneInfo, rules: Rules, number: int, unit: str
) -> None:
    moved = after(at, read_delay(f"{number}{unit}"), zone, rules)
    assert is_allowed(moved, zone, rules)
    # a day of a change of the clocks may be an hour short
    hours = {"h": 1, "bh": 1, "d": 24, "bd": 24, "w": 168}[unit] * number
    assert moved - at >= timedelta(hours=hours - (unit not in {"h", "bh"}))
