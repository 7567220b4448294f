from __future__ import annotations

from datetime import UTC, datetime, time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crm_tui.services import hours

NINE_TO_FIVE = [["09:00", "17:00"]]
WEEKDAYS = dict.fromkeys(hours.DAYS[:5], NINE_TO_FIVE)
ALWAYS = {day: [["00:00", "24:00"]] for day in hours.DAYS}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ('{"Sunday": "8AM-5PM"}', {"sun": [["08:00", "17:00"]]}),
        ({"Monday": "Closed", "Tuesday": "Open 24 hours"}, {"mon": [], "tue": ALWAYS["tue"]}),
        ({"Monday": "7:30AM-3:30PM"}, {"mon": [["07:30", "15:30"]]}),
        (
            {"Monday": "9AM-12PM,1-5PM"},
            {"mon": [["09:00", "12:00"], ["13:00", "17:00"]]},
        ),
        (
            {"Monday": "12AM-4PM,7PM-12AM"},
            {"mon": [["00:00", "16:00"], ["19:00", "00:00"]]},
        ),
        ({"Monday": ["8AM-5PM"], "Tuesday": []}, {"mon": [["08:00", "17:00"]], "tue": []}),
        ({"Friday": ["11\u202fam\u201311\u202fpm"]}, {"fri": [["11:00", "23:00"]]}),
        (
            {"Friday": ["12\u20132:30\u202fpm", "6:30\u202fpm\u20132\u202fam"]},
            {"fri": [["12:00", "14:30"], ["18:30", "02:00"]]},
        ),
        ({"Friday": ["1\u201311\u202fpm"]}, {"fri": [["13:00", "23:00"]]}),
        ({"Monday": "12AM-12AM"}, {"mon": [["00:00", "24:00"]]}),
        (
            ["Monday: 5:00\u2009\u2013\u200910:00\u202fPM", "Tuesday: Closed"],
            {"mon": [["17:00", "22:00"]], "tue": []},
        ),
        ("Sunday:Closed|Monday:8AM-5PM", {"mon": [["08:00", "17:00"]], "sun": []}),
        ("Mon-Fri 9-5", WEEKDAYS),
        ("Mo-Fr 9:00 bis 17.00 Uhr", WEEKDAYS),
        ("Mon - Fri: 9am - 5pm; Sat closed", {**WEEKDAYS, "sat": []}),
        ("24/7", ALWAYS),
        ("9am - 5pm", dict.fromkeys(hours.DAYS, NINE_TO_FIVE)),
        ("Fri-Mon 22:00-02:00", {d: [["22:00", "02:00"]] for d in ("mon", "fri", "sat", "sun")}),
        ("call us", None),
        ("", None),
        ("{}", None),
        ("{broken", None),
        (None, None),
        (17, None),
    ],
)
def test_hours_of_every_source_come_out_in_one_form(value: Any, expected: Any) -> None:
    assert hours.parse(value) == expected


def test_a_place_that_is_always_open_has_one_period_without_a_close() -> None:
    assert hours.from_periods([{"open": {"day": 0, "hour": 0, "minute": 0}}]) == ALWAYS


def test_periods_leave_the_other_days_closed_and_cross_midnight() -> None:
    found = hours.from_periods(
        [{"open": {"day": 6, "hour": 18, "minute": 0}, "close": {"day": 0, "hour": 2}}]
    )
    assert found is not None
    assert found["sat"] == [["18:00", "02:00"]]
    assert all(found[day] == [] for day in hours.DAYS if day != "sat")


def test_equal_days_are_shown_together() -> None:
    assert hours.lines({**WEEKDAYS, "sat": []}) == ["Mon–Fri 09:00–17:00", "Sat closed"]
    assert hours.lines(ALWAYS) == ["Every day open 24 hours"]
    assert hours.lines(None) == []


clock = st.times().map(lambda t: time(t.hour, t.minute).strftime("%H:%M"))
span = st.tuples(clock, clock).filter(lambda s: s[0] != s[1]).map(list)
day_hours = st.one_of(
    st.just([["00:00", "24:00"]]),
    st.lists(span, max_size=3),
)


@given(st.dictionaries(st.sampled_from(hours.DAYS), day_hours, min_size=1))
@settings(deadline=None)
def test_what_is_shown_reads_back_as_the_same_hours(days: dict[str, list[list[str]]]) -> None:
    in_order = {day: days[day] for day in hours.DAYS if day in days}
    assert hours.parse("; ".join(hours.lines(in_order))) == in_order
    assert hours.parse(in_order) == in_order


@given(st.one_of(st.text(), st.recursive(st.text() | st.integers(), st.lists)))
@settings(deadline=None)
def test_nothing_makes_it_raise(value: Any) -> None:
    hours.parse(value)


# Open now

WITH_A_BREAK = {day: [["08:00", "12:00"], ["13:00", "17:30"]] for day in hours.DAYS[:5]}


@pytest.mark.parametrize(
    ("times", "at", "said"),
    [
        (WITH_A_BREAK, "2026-11-23 08:00", "open until 12:00"),  # a Monday
        (WITH_A_BREAK, "2026-11-23 12:00", "closed, opens 13:00"),
        (WITH_A_BREAK, "2026-11-23 18:00", "closed, opens Tue 08:00"),
        (WITH_A_BREAK, "2026-11-22 09:00", None),  # what is known of Sundays is nothing
        (WITH_A_BREAK | {"sun": []}, "2026-11-22 09:00", "closed, opens Mon 08:00"),
        ({"mon": []}, "2026-11-23 09:00", "closed"),
        ({"sat": [["18:00", "02:00"]]}, "2026-11-22 01:59", "open until 02:00"),
        ({"sun": [["18:00", "02:00"]], "mon": []}, "2026-11-23 01:00", "open until 02:00"),
        ({day: [["00:00", "24:00"]] for day in hours.DAYS}, "2026-11-22 03:00", "open 24 hours"),
        ({"mon": [["00:00", "24:00"]]}, "2026-11-23 03:00", "open until 00:00"),
        (None, "2026-11-23 09:00", None),
    ],
)
def test_whether_a_place_is_open_is_said_with_until_when(
    times: hours.Hours | None, at: str, said: str | None
) -> None:
    opening = hours.opening(times, datetime.fromisoformat(at))
    assert (opening.words if opening else None) == said
    if opening is not None:
        assert opening.open is opening.words.startswith("open")


@given(
    times=st.dictionaries(
        st.sampled_from(hours.DAYS),
        st.lists(st.tuples(st.integers(0, 1439), st.integers(1, 1440)), max_size=3),
    ),
    day=st.integers(0, 6),
    minute=st.integers(0, 1439),
)
@settings(max_examples=200)
def test_open_is_open_minute_by_minute(
    times: dict[str, list[tuple[int, int]]], day: int, minute: int
) -> None:
    """Agrees with looking at the spans of the day, and at those of the day before past midnight."""
    known = {
        each: [[f"{a // 60:02}:{a % 60:02}", f"{b // 60:02}:{b % 60:02}"] for a, b in spans]
        for each, spans in times.items()
    }
    # 23 November 2026 is a Monday.
    found = hours.opening(
        known, datetime(2026, 11, 23 + day, minute // 60, minute % 60, tzinfo=UTC)
    )
    today = times.get(hours.DAYS[day], [])
    before = times.get(hours.DAYS[day - 1], [])
    is_open = any(a <= minute < (b if b > a else b + 1440) for a, b in today) or any(
        b <= a and minute < b for a, b in before
    )
    if is_open or hours.DAYS[day] in times:
        assert found is not None
        assert found.open is is_open
    else:
        assert found is None
