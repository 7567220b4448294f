from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from crm_tui.errors import BadInput
from crm_tui.services.when import QUICK, end_of_day, read_when, say_date, say_reading, say_when

SUNDAY = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
NEW_YORK = ZoneInfo("America/New_York")
ZONES = [
    ZoneInfo(name)
    for name in (
        "America/New_York",
        "America/St_Johns",
        "Asia/Nicosia",
        "Asia/Kolkata",
        "Australia/Lord_Howe",
        "Pacific/Apia",
        "Europe/London",
        "UTC",
    )
]


def read(text: str, now: datetime = SUNDAY, zone: tzinfo = UTC) -> str:
    """What a text names, as local time to the minute."""
    return read_when(text, now=now, zone=zone).astimezone(zone).strftime("%a %Y-%m-%d %H:%M")


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("tomorrow", "Mon 2026-11-23 09:00"),
        ("Tomorrow 9", "Mon 2026-11-23 09:00"),
        ("tomorrow at 9am", "Mon 2026-11-23 09:00"),
        ("9 am tomorrow", "Mon 2026-11-23 09:00"),
        ("tomorrow, 2:30pm", "Mon 2026-11-23 14:30"),
        ("tomorrow 12am", "Mon 2026-11-23 00:00"),
        ("tomorrow noon", "Mon 2026-11-23 12:00"),
        ("tomorrow in the morning", "Mon 2026-11-23 09:00"),
        ("day after tomorrow", "Tue 2026-11-24 09:00"),
        ("today", "Sun 2026-11-22 10:00"),
        ("today 17:00", "Sun 2026-11-22 17:00"),
        ("tonight", "Sun 2026-11-22 18:00"),
        ("this afternoon", "Sun 2026-11-22 14:00"),
        ("noon", "Sun 2026-11-22 12:00"),
        ("14:30", "Sun 2026-11-22 14:30"),
        ("at 9", "Mon 2026-11-23 09:00"),
        ("9:30", "Mon 2026-11-23 09:30"),
        ("in 2 weeks", "Sun 2026-12-06 09:00"),
        ("in 2 weeks at 10", "Sun 2026-12-06 10:00"),
        ("2w", "Sun 2026-12-06 09:00"),
        ("3d", "Wed 2026-11-25 09:00"),
        ("in three days", "Wed 2026-11-25 09:00"),
        ("in a week", "Sun 2026-11-29 09:00"),
        ("in 2 hours", "Sun 2026-11-22 11:30"),
        ("in an hour", "Sun 2026-11-22 10:30"),
        ("90m", "Sun 2026-11-22 11:00"),
        ("in 3 months", "Mon 2027-02-22 09:00"),
        ("in 1 year", "Mon 2027-11-22 09:00"),
        ("mon 14:30", "Mon 2026-11-23 14:30"),
        ("friday", "Fri 2026-11-27 09:00"),
        ("by Thurs", "Thu 2026-11-26 09:00"),
        ("sunday", "Sun 2026-11-29 09:00"),
        ("sunday 9", "Sun 2026-11-29 09:00"),
        ("sunday 18:00", "Sun 2026-11-22 18:00"),
        ("next monday", "Mon 2026-11-23 09:00"),
        ("next sunday", "Sun 2026-11-29 09:00"),
        ("tuesday next week 8:15", "Tue 2026-11-24 08:15"),
        ("next week", "Mon 2026-11-23 09:00"),
        ("next month", "Tue 2026-12-01 09:00"),
        ("next year", "Fri 2027-01-01 09:00"),
        ("end of week", "Fri 2026-11-27 09:00"),
        ("end of the month", "Mon 2026-11-30 09:00"),
        ("2026-12-01", "Tue 2026-12-01 09:00"),
        ("2026-12-01 10:00", "Tue 2026-12-01 10:00"),
        ("2026-12-01T10:00", "Tue 2026-12-01 10:00"),
        ("2026-12-01T10:00:00+02:00", "Tue 2026-12-01 08:00"),
        ("2026-12-01T10:00:00Z", "Tue 2026-12-01 10:00"),
        ("2026-11-22", "Sun 2026-11-22 10:00"),
        ("1 dec", "Tue 2026-12-01 09:00"),
        ("Dec 1 9:30", "Tue 2026-12-01 09:30"),
        ("1st of December", "Tue 2026-12-01 09:00"),
        ("dec 1, 2027", "Wed 2027-12-01 09:00"),
        ("1 nov", "Mon 2027-11-01 09:00"),
        ("29 feb", "Tue 2028-02-29 09:00"),
        ("on the 15th", "Tue 2026-12-15 09:00"),
        ("the 31st 8pm", "Thu 2026-12-31 20:00"),
        ("Tue 1 Dec 9:00", "Tue 2026-12-01 09:00"),
        ("Fri, 1 Jan 2027", "Fri 2027-01-01 09:00"),
    ],
)
def test_a_time_is_read_as_a_person_says_it(text: str, named: str) -> None:
    assert read(text) == named


def test_next_friday_is_the_one_of_the_next_week() -> None:
    wednesday = SUNDAY + timedelta(days=3)
    assert read("friday", wednesday) == "Fri 2026-11-27 09:00"
    assert read("this friday", wednesday) == "Fri 2026-11-27 09:00"
    assert read("next friday", wednesday) == "Fri 2026-12-04 09:00"


def test_a_month_without_that_day_ends_on_its_last() -> None:
    assert read("in 1 month", datetime(2027, 1, 31, 8, tzinfo=UTC)) == "Sun 2027-02-28 09:00"
    assert read("end of month", datetime(2027, 1, 31, 20, tzinfo=UTC)) == "Sun 2027-01-31 21:00"


def test_the_hour_of_a_day_named_without_one_can_be_set() -> None:
    assert read_when("friday", now=SUNDAY, zone=UTC, hour=7).hour == 7


def test_days_begin_at_midnight_where_the_operator_is() -> None:
    late = datetime(2026, 11, 23, 3, 30, tzinfo=UTC)
    assert read("tomorrow 9", late, NEW_YORK) == "Mon 2026-11-23 09:00"
    assert read_when("tomorrow 9", now=late, zone=NEW_YORK).hour == 14


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "Say when"),
        ("soon", '"soon" is no time'),
        ("tomorrow 25", "is no time"),
        ("13pm", "is no time"),
        ("mon tue", "is no time"),
        ("today 9:00", "is past"),
        ("yesterday", "is past"),
        ("2026-01-01", "is past (Thu 1 Jan 9:00)"),
        ("1/12", "two ways"),
        ("1.12.2026", "two ways"),
        ("2026-02-30", "no day 2026-02-30"),
        ("mon 1 dec", "Dec 1 is a Tuesday"),
        ("31 nov", "No such month has a day 31"),
        ("dec 1 2062", "more than 10 years"),
        ("in 9999 years", "more than 10 years"),
    ],
)
def test_what_is_no_time_ahead_is_refused_in_one_sentence(text: str, said: str) -> None:
    with pytest.raises(BadInput) as refused:
        read(text)
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


def test_an_hour_the_clocks_leave_out_moves_on() -> None:
    march = datetime(2027, 3, 13, 12, tzinfo=UTC)
    assert read("tomorrow 2:30", march, NEW_YORK) == "Sun 2027-03-14 03:30"


def test_of_an_hour_the_clocks_repeat_the_first_is_meant() -> None:
    november = datetime(2027, 11, 6, 12, tzinfo=UTC)
    assert read_when("tomorrow 1:30", now=november, zone=NEW_YORK) == datetime(
        2027, 11, 7, 5, 30, tzinfo=UTC
    )


@pytest.fixture
def machine_in_new_york(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.usefixtures("machine_in_new_york")
@pytest.mark.parametrize("text", ["tomorrow 9", "14 mar 2:30", "7 nov 2027 1:30", "in 5 months"])
def test_without_a_zone_the_machines_own_holds(text: str) -> None:
    assert os.environ["TZ"] == "America/New_York"
    assert read_when(text, now=SUNDAY) == read_when(text, now=SUNDAY, zone=NEW_YORK)


MOMENTS = st.integers(0, 15 * 365 * 86400).map(
    lambda seconds: datetime(2020, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
)
HOURS = st.integers(0, 23)
DAYS = st.sampled_from(
    (
        "mon|tuesday|next wed|thu|fri|sat next week|sunday|tomorrow|next week|next month|"
        "end of month|end of week|in 5 days|in 2 weeks|in 7 months|1 dec|feb 28|29 feb|31st|"
        "noon||today"
    ).split("|")
)


@settings(max_examples=300)
@given(now=MOMENTS, zone=st.sampled_from(ZONES), day=DAYS, hour=HOURS, minute=st.integers(0, 59))
@example(datetime(2027, 3, 13, 12, tzinfo=UTC), NEW_YORK, "tomorrow", 2, 30)
@example(datetime(2027, 11, 7, 5, 45, tzinfo=UTC), NEW_YORK, "", 1, 30)
@example(datetime(2011, 12, 29, 12, tzinfo=UTC), ZoneInfo("Pacific/Apia"), "tomorrow", 9, 0)
def test_what_is_read_is_ahead_and_at_the_hour_that_was_said(
    now: datetime, zone: ZoneInfo, day: str, hour: int, minute: int
) -> None:
    text = f"{day} {hour}:{minute:02}" if day != "noon" else day
    try:
        found = read_when(text, now=now, zone=zone)
    except BadInput:
        assert day == "today"
        return
    assert found > now
    assert found.tzinfo is UTC
    local = found.astimezone(zone)
    wall = local.replace(tzinfo=None)
    said = (
        wall.replace(hour=12, minute=0) if day == "noon" else wall.replace(hour=hour, minute=minute)
    )
    exists = said.replace(tzinfo=zone).astimezone(UTC).astimezone(zone).replace(tzinfo=None) == said
    if exists:
        assert wall == said
        assert local.fold == 0
    else:
        assert timedelta(0) < wall - said <= timedelta(hours=24)


@given(now=MOMENTS, zone=st.sampled_from(ZONES), day=DAYS, hour=HOURS)
def test_a_day_without_a_time_is_at_the_usual_hour(
    now: datetime, zone: ZoneInfo, day: str, hour: int
) -> None:
    text = day or "tomorrow"
    try:
        local = read_when(text, now=now, zone=zone, hour=hour).astimezone(zone)
    except BadInput:
        assert day == "today"
        return
    today = now.astimezone(zone)
    assert local > now
    if day == "today":
        assert local.date() == today.date()
    elif day != "noon" and local.date() != today.date():
        assert local.hour in {hour, hour + 1}


@given(now=MOMENTS, number=st.integers(1, 5000), unit=st.sampled_from(["m", "h"]))
def test_minutes_and_hours_are_real_time_whatever_the_clocks_do(
    now: datetime, number: int, unit: str
) -> None:
    span = timedelta(**{{"m": "minutes", "h": "hours"}[unit]: number})
    found = read_when(f"in {number}{unit}", now=now, zone=NEW_YORK)
    assert found == now.replace(second=0, microsecond=0) + span


@given(st.text(max_size=20) | st.from_regex(r"[a-z0-9:./ -]{0,12}", fullmatch=True))
def test_any_text_is_a_time_ahead_or_a_clear_refusal(text: str) -> None:
    try:
        assert read_when(text, now=SUNDAY, zone=NEW_YORK) > SUNDAY
    except BadInput as refused:
        assert str(refused).endswith(".")  # noqa: PT017 - it may also be a time


@pytest.mark.parametrize(
    ("ahead", "said", "reading"),
    [
        (timedelta(hours=5), "today 14:30", "Sun 22 Nov 14:30, in 5 hours"),
        (timedelta(minutes=40), "today 10:10", "Sun 22 Nov 10:10, in 40 minutes"),
        (timedelta(minutes=61), "today 10:31", "Sun 22 Nov 10:31, in 1 hour 1 minute"),
        (timedelta(hours=23, minutes=30), "tomorrow 9:00", "Mon 23 Nov 9:00, in 1 day"),
        (timedelta(days=8, minutes=-30), "Mon 30 Nov 9:00", "Mon 30 Nov 9:00, in 8 days"),
        (timedelta(days=40), "Fri 1 Jan 2027 9:30", "Fri 1 Jan 2027 9:30, in 40 days"),
    ],
)
def test_a_time_ahead_is_said_in_a_few_words(ahead: timedelta, said: str, reading: str) -> None:
    assert say_when(SUNDAY + ahead, now=SUNDAY, zone=UTC) == said
    assert say_reading(SUNDAY + ahead, now=SUNDAY, zone=UTC) == reading


@pytest.mark.parametrize(
    ("past", "said"),
    [
        (timedelta(0), "now"),
        (timedelta(minutes=5), "overdue 5m"),
        (timedelta(hours=3), "overdue 3h"),
        (timedelta(days=2, hours=5), "overdue 2d"),
    ],
)
def test_what_was_due_is_overdue(past: timedelta, said: str) -> None:
    assert say_when(SUNDAY - past, now=SUNDAY, zone=UTC) == said


def test_the_quick_times_are_times() -> None:
    times = [read_when(text, now=SUNDAY, zone=UTC) for text in QUICK]
    assert len(times) == len(QUICK)


@given(now=MOMENTS, zone=st.sampled_from(ZONES))
def test_a_day_ends_just_before_the_next_one_begins(now: datetime, zone: ZoneInfo) -> None:
    end = end_of_day(now, zone=zone)
    today = now.astimezone(zone).date()
    assert end >= now
    assert end.astimezone(zone).date() == today
    assert (end + timedelta(microseconds=1)).astimezone(zone).date() > today


@given(
    now=MOMENTS,
    zone=st.sampled_from(ZONES),
    minutes=st.integers(1, 9 * 365 * 24 * 60),
    say=st.sampled_from([say_date, say_when]),
)
def test_what_is_said_can_be_read(
    now: datetime, zone: ZoneInfo, minutes: int, say: Callable[..., str]
) -> None:
    at = now.replace(second=0) + timedelta(minutes=minutes)
    if at.astimezone(zone).fold:
        return  # the second of an hour that comes twice has no words of its own
    assert read_when(say(at, now=now, zone=zone), now=now, zone=zone) == at
