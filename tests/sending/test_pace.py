from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, tzinfo
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crm_tui.services.sending.hours import Rules, is_allowed, read_rules
from crm_tui.services.sending.pace import Bucket, Limits, finish, next_slot, read_bucket, take

NEW_YORK = ZoneInfo("America/New_York")
BERLIN = ZoneInfo("Europe/Berlin")
HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)
ALWAYS = Rules()
DAYTIME = read_rules("20:00-08:00", weekdays_only=True)
MONDAY = datetime(2026, 11, 23, 8, tzinfo=NEW_YORK).astimezone(UTC)
CAREFUL = Limits(per_hour=10, per_day=40, warm_up=True)


def sends(
    number: int,
    now: datetime,
    limits: Limits,
    *,
    rules: Rules = ALWAYS,
    recipient: tzinfo = NEW_YORK,
    zone: tzinfo = NEW_YORK,
    spread: bool = True,
    bucket: Bucket | None = None,
) -> Iterator[datetime]:
    """When a worker that does what the two functions say sends so many messages."""
    bucket = bucket or Bucket()
    for message in range(number):
        taken = False
        while not taken:
            if spread:
                slot = next_slot(
                    bucket,
                    now,
                    limits,
                    key=f"message {message}",
                    rules=rules,
                    recipient=recipient,
                    zone=zone,
                )
                assert slot >= now
                now = slot
            bucket, wait = take(bucket, now, limits, zone=zone)
            taken = not wait
            now += wait
        yield now


def busiest(times: list[datetime], span: timedelta) -> int:
    """The most times in any span, its beginning not counted."""
    most = first = 0
    for last, time in enumerate(times):
        while time - times[first] >= span:
            first += 1
        most = max(most, last - first + 1)
    return most


def by_day(times: list[datetime], zone: tzinfo = NEW_YORK) -> list[int]:
    return list(Counter(time.astimezone(zone).date() for time in times).values())


def test_a_burst_takes_the_hours_tokens_and_then_waits_for_the_first_to_come_back() -> None:
    limits = Limits(per_hour=3)
    bucket, now = Bucket(), MONDAY + timedelta(seconds=30)
    for _ in range(3):
        bucket, wait = take(bucket, now, limits)
        assert not wait
    kept, wait = take(bucket, now, limits)
    assert kept == bucket
    assert HOUR <= wait <= HOUR + MINUTE
    assert take(bucket, now + wait, limits)[1] == timedelta()
    assert take(bucket, now + wait - timedelta(seconds=1), limits)[1] == timedelta(seconds=1)


@settings(deadline=None, max_examples=60)
@given(
    waits=st.lists(st.integers(0, 4000), min_size=1, max_size=150),
    per_hour=st.integers(0, 12),
    per_day=st.integers(0, 30),
    warm_up=st.booleans(),
    start=st.integers(0, 3 * 86400),
)
def test_no_hour_and_no_day_sees_more_than_its_limit_however_often_one_asks(
    waits: list[int], per_hour: int, per_day: int, warm_up: bool, start: int
) -> None:
    limits = Limits(per_hour, per_day, warm_up)
    # over the end of summer time, when the day in Berlin has 25 hours
    now = datetime(2026, 10, 23, 22, tzinfo=UTC) + timedelta(seconds=start)
    bucket, times = Bucket(), []
    for seconds in waits:
        now += timedelta(seconds=seconds)
        before = bucket
        bucket, wait = take(bucket, now, limits, zone=BERLIN)
        if wait:
            # waiting that long is enough, and asking changes nothing
            assert take(before, now + wait, limits, zone=BERLIN)[1] == timedelta()
        else:
            times.append(now)
        bucket = read_bucket(json.loads(json.dumps(bucket.plain())))
    if per_hour:
        assert busiest(times, HOUR) <= per_hour
    if per_day:
        assert max(by_day(times, BERLIN)) <= per_day
    if not per_hour and not per_day:
        assert len(times) == len(waits)


@settings(deadline=None, max_examples=40)
@given(
    number=st.integers(1, 80),
    per_hour=st.integers(0, 20),
    per_day=st.integers(0, 50),
    warm_up=st.booleans(),
    start=st.integers(0, 8 * 86400),
    recipient=st.sampled_from([NEW_YORK, BERLIN, ZoneInfo("Australia/Lord_Howe")]),
    zone=st.sampled_from([NEW_YORK, BERLIN, ZoneInfo("Asia/Kolkata")]),
    rules=st.sampled_from([ALWAYS, DAYTIME, read_rules("12:00-13:00", weekdays_only=False)]),
)
def test_a_spread_campaign_comes_to_its_end_in_order_within_its_limits_and_hours(
    number: int,
    per_hour: int,
    per_day: int,
    warm_up: bool,
    start: int,
    recipient: tzinfo,
    zone: tzinfo,
    rules: Rules,
) -> None:
    limits = Limits(per_hour, per_day, warm_up)
    now = datetime(2026, 10, 22, tzinfo=UTC) + timedelta(seconds=start)
    times = list(sends(number, now, limits, rules=rules, recipient=recipient, zone=zone))
    assert times == sorted(times)
    if per_hour:
        assert busiest(times, HOUR) <= per_hour
    if per_day:
        assert max(by_day(times, zone)) <= per_day
    ends = finish({recipient: number}, now, limits, rules, zone=zone)
    assert ends is not None
    # Weekends, the spread and the jitter of the last day: an estimate is days off at most.
    assert abs(ends - times[-1]) <= timedelta(days=4)


def test_a_days_mail_is_spread_over_the_whole_window_and_all_of_it_goes() -> None:
    limits = Limits(per_hour=10, per_day=40)
    times = list(sends(120, MONDAY - HOUR, limits, rules=DAYTIME))
    assert by_day(times) == [40, 40, 40]
    first_day = times[:40]
    assert first_day[0] - MONDAY >= 5 * MINUTE  # not on the stroke of eight
    for hours in range(0, 12, 2):
        part = [t for t in first_day if MONDAY + hours * HOUR <= t < MONDAY + (hours + 2) * HOUR]
        assert 4 <= len(part) <= 10
    gaps = [later - earlier for earlier, later in pairwise(first_day)]
    assert len({gap // MINUTE for gap in gaps}) > 5  # and not like clockwork


def test_who_starts_late_spreads_what_is_left_of_the_day() -> None:
    limits = Limits(per_hour=60, per_day=40)
    afternoon = MONDAY + 8 * HOUR
    times = list(sends(40, afternoon, limits, rules=DAYTIME))
    assert times[0] == afternoon
    assert times[-1] < MONDAY + 12 * HOUR
    assert busiest(times, HOUR) <= 14


def test_a_slot_stays_where_it_is_while_one_waits_for_it() -> None:
    bucket, _ = take(Bucket(), MONDAY, CAREFUL, zone=NEW_YORK)
    asked = [
        next_slot(
            bucket,
            MONDAY + minutes * MINUTE,
            CAREFUL,
            key="a",
            rules=DAYTIME,
            recipient=NEW_YORK,
            zone=NEW_YORK,
        )
        for minutes in (1, 5, 20)
    ]
    assert len(set(asked)) == 1


def test_a_new_mailbox_begins_with_ten_a_day_and_grows_by_days_with_mail() -> None:
    times = list(sends(200, MONDAY, CAREFUL, rules=DAYTIME))
    assert by_day(times)[:6] == [10, 20, 30, 40, 40, 40]
    assert [CAREFUL.today(days) for days in range(5)] == [10, 20, 30, 40, 40]
    assert Limits(per_day=5, warm_up=True).today(0) == 5
    assert Limits(per_day=0, warm_up=True).today(0) == 0  # no limit: nothing to warm up to


def test_a_day_without_mail_does_not_warm_up() -> None:
    bucket, _ = take(Bucket(), MONDAY, CAREFUL, zone=NEW_YORK)
    for days in range(1, 20):
        bucket, _ = take(bucket, MONDAY, CAREFUL, zone=NEW_YORK)
        asked = next_slot(
            bucket, MONDAY + timedelta(days=days), CAREFUL, key="a", rules=ALWAYS, zone=NEW_YORK
        )
        assert asked >= MONDAY + timedelta(days=days)
    bucket, _ = take(bucket, MONDAY + timedelta(days=30), CAREFUL, zone=NEW_YORK)
    assert bucket.days == 1


def test_without_limits_everything_goes_at_once() -> None:
    times = list(sends(500, MONDAY, Limits()))
    assert set(times) == {MONDAY}
    assert finish({NEW_YORK: 500}, MONDAY, Limits(), DAYTIME, zone=NEW_YORK) == MONDAY


def test_a_worker_that_runs_once_an_hour_sends_what_the_hour_allows() -> None:
    sent = 0
    bucket = Bucket()
    for hour in range(4):
        for _ in range(15):
            now = MONDAY + hour * (HOUR + MINUTE)
            bucket, wait = take(bucket, now, Limits(per_hour=10, per_day=35), zone=NEW_YORK)
            sent += not wait
    assert sent == 35


@pytest.mark.parametrize("back", [MINUTE, HOUR, 20 * HOUR])
def test_a_clock_that_is_set_back_gives_no_tokens_again(back: timedelta) -> None:
    limits = Limits(per_hour=2, per_day=2)
    bucket = Bucket()
    for _ in range(2):
        bucket, _ = take(bucket, MONDAY, limits, zone=NEW_YORK)
    assert take(bucket, MONDAY - back, limits, zone=NEW_YORK)[1] > timedelta()


def test_a_clock_that_had_been_years_ahead_does_not_stop_the_mail_until_then() -> None:
    limits = Limits(per_hour=2, per_day=2)
    bucket = Bucket()
    for _ in range(2):
        bucket, _ = take(bucket, MONDAY + timedelta(days=1000), limits, zone=NEW_YORK)
    bucket, wait = take(bucket, MONDAY, limits, zone=NEW_YORK)
    assert not wait
    assert bucket.today == 1


def test_limits_that_were_lowered_hold_at_once() -> None:
    bucket = Bucket()
    for _ in range(50):
        bucket, _ = take(bucket, MONDAY, Limits(per_hour=100), zone=NEW_YORK)
    assert take(bucket, MONDAY, Limits(per_hour=10), zone=NEW_YORK)[1] >= HOUR
    assert take(bucket, MONDAY, Limits(per_day=50), zone=NEW_YORK)[1] > 10 * HOUR


def test_the_day_is_the_operators_even_where_midnight_does_not_exist() -> None:
    santiago = ZoneInfo("America/Santiago")
    evening = datetime(2026, 9, 5, 23, tzinfo=santiago).astimezone(UTC)
    bucket, _ = take(Bucket(), evening, Limits(per_day=1), zone=santiago)
    assert take(bucket, evening, Limits(per_day=1), zone=santiago)[1] == HOUR
    assert take(bucket, evening + HOUR, Limits(per_day=1), zone=santiago)[1] == timedelta()


def test_the_end_of_a_campaign_in_several_zones() -> None:
    los_angeles = ZoneInfo("America/Los_Angeles")
    limits = Limits(per_hour=10, per_day=40)
    counts: dict[tzinfo | None, int] = {NEW_YORK: 60, los_angeles: 60, BERLIN: 0}
    ends = finish(counts, MONDAY, limits, DAYTIME, zone=NEW_YORK)
    assert ends is not None
    assert MONDAY + timedelta(days=2) <= ends <= MONDAY + timedelta(days=3)
    assert is_allowed(ends, los_angeles, DAYTIME)
    assert finish({}, MONDAY, limits, DAYTIME) == MONDAY
    assert finish({NEW_YORK: 10**6}, MONDAY, Limits(per_day=1), DAYTIME, zone=NEW_YORK) is None


def test_the_end_counts_what_went_today() -> None:
    limits = Limits(per_day=10)
    bucket = Bucket()
    for _ in range(10):
        bucket, _ = take(bucket, MONDAY, limits, zone=NEW_YORK)
    ends = finish({NEW_YORK: 1}, MONDAY, limits, DAYTIME, bucket=bucket, zone=NEW_YORK)
    assert ends is not None
    assert ends.astimezone(NEW_YORK).day == 24
