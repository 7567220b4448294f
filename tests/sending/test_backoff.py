from __future__ import annotations

from datetime import UTC, datetime, timedelta
from statistics import mean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm_tui.services.sending.backoff import (
    MESSAGE,
    REQUEST,
    Backoff,
    Breaker,
    Circuit,
    failed,
    succeeded,
    too_many_bounces,
    trial,
)

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


@given(st.integers(-3, 10_000), st.text(max_size=20), st.sampled_from([MESSAGE, REQUEST]))
def test_a_delay_is_the_same_whenever_it_is_asked_and_never_beyond_its_cap(
    attempt: int, key: str, backoff: Backoff
) -> None:
    delay = backoff.delay(attempt, key)
    assert delay == backoff.delay(attempt, key)
    assert backoff.least <= delay <= backoff.cap


def test_delays_grow_and_are_spread_over_all_there_is() -> None:
    for attempt, minutes in enumerate((5, 20, 80, 240), start=1):
        delays = [MESSAGE.delay(attempt, f"key {n}") / MINUTE for n in range(500)]
        assert mean(delays) == pytest.approx(minutes, rel=0.15)
        assert min(delays) < minutes * 0.3
        assert max(delays) > minutes * 1.8


def test_a_message_is_given_up_after_its_last_attempt() -> None:
    assert [MESSAGE.gives_up(attempt) for attempt in (1, 4, 5, 6)] == [False, False, True, True]


def test_what_a_provider_asks_for_is_waited_at_least_but_not_for_years() -> None:
    asked = timedelta(hours=3)
    assert REQUEST.delay(1, "key", asked=asked) == asked
    assert MESSAGE.delay(1, "key", asked=timedelta(seconds=1)) == MESSAGE.delay(1, "key")
    assert REQUEST.delay(1, "key", asked=timedelta(days=900)) == timedelta(days=1)


def test_the_fifth_failure_in_a_row_leaves_the_provider_alone() -> None:
    breaker = Breaker()
    for _ in range(4):
        breaker = failed(breaker, NOW, key="smtp")
        assert breaker.state(NOW) is Circuit.CLOSED
    breaker = failed(breaker, NOW, key="smtp")
    assert breaker.state(NOW) is Circuit.OPEN
    assert timedelta(seconds=30) <= breaker.wait(NOW) <= MINUTE


def test_a_success_in_between_forgets_the_failures() -> None:
    breaker = Breaker()
    for turn in range(20):
        breaker = succeeded() if turn % 5 == 4 else failed(breaker, NOW, key="smtp")
        assert breaker.state(NOW) is Circuit.CLOSED


def test_after_the_pause_one_trial_decides() -> None:
    breaker = Breaker()
    for _ in range(5):
        breaker = failed(breaker, NOW, key="smtp")
    later = NOW + breaker.wait(NOW)
    assert breaker.state(later) is Circuit.HALF_OPEN
    trying = trial(breaker, later)
    assert trying.state(later) is Circuit.OPEN  # a second one does not go with it
    assert trying.state(later + 2 * MINUTE) is Circuit.HALF_OPEN  # the first one died
    assert failed(trying, later, key="smtp").state(later) is Circuit.OPEN
    assert succeeded().state(later) is Circuit.CLOSED


def test_pauses_grow_up_to_half_an_hour() -> None:
    breaker, pauses = Breaker(), []
    for _ in range(30):
        breaker = failed(breaker, NOW, key="smtp")
        pauses.append(breaker.wait(NOW))
    assert max(pauses[:6]) <= 2 * MINUTE
    assert 10 * MINUTE < max(pauses) <= 30 * MINUTE


def test_a_provider_that_says_for_how_long_is_left_alone_at_once() -> None:
    breaker = failed(Breaker(), NOW, key="smtp", asked=timedelta(hours=1))
    assert breaker.state(NOW) is Circuit.OPEN
    assert breaker.wait(NOW) == timedelta(hours=1)


@pytest.mark.parametrize(
    ("sent", "bounced", "pauses"),
    [
        (0, 0, False),
        (19, 19, False),  # too few to tell
        (20, 1, False),  # exactly 5 %
        (20, 2, True),
        (39, 2, True),
        (40, 2, False),  # exactly 5 %
        (49, 3, True),
        (50, 2, False),
        (50, 3, True),
    ],
)
def test_a_campaign_pauses_above_five_percent_of_hard_bounces(
    sent: int, bounced: int, pauses: bool
) -> None:
    assert bool(too_many_bounces([True] * bounced + [False] * (sent - bounced))) is pauses


def test_only_the_last_fifty_count_and_the_reason_says_how_many() -> None:
    assert not too_many_bounces([True] * 30 + [False] * 50)
    words = too_many_bounces([False] * 500 + [True] * 3)
    assert words.startswith("3 of the last 50 addresses do not exist (6 %;")
