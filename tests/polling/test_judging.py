from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm_tui.services.polling.judging import Touch, judge

DELIVERED = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
PERSON = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15"


def touch(seconds: float, *, key: str = "t", **facts: object) -> Touch:
    at = DELIVERED + timedelta(seconds=seconds)
    return Touch(**{"key": key, "is_click": False, "at": at, "agent": PERSON} | facts)  # type: ignore[arg-type]


def reason(touched: Touch, delivered_at: datetime | None = DELIVERED) -> str:
    return judge([touched], delivered_at)[touched.key]


def test_an_open_an_hour_after_delivery_is_a_persons() -> None:
    assert reason(touch(3600)) == ""


@pytest.mark.parametrize("seconds", [0, 9.99])
def test_within_ten_seconds_of_delivery_nobody_reads(seconds: float) -> None:
    assert reason(touch(seconds)) == "within 10 seconds of delivery"


def test_ten_seconds_are_enough_for_a_person() -> None:
    assert reason(touch(10)) == ""


def test_an_open_before_the_delivery_is_a_machines() -> None:
    assert reason(touch(-3)) == "within 10 seconds of delivery"


def test_without_a_delivery_the_time_says_nothing() -> None:
    assert reason(touch(0), None) == ""


def test_a_time_that_is_only_when_it_was_seen_says_nothing() -> None:
    assert reason(touch(0, seen=True)) == ""


def test_the_providers_own_flag_goes_before_all_else() -> None:
    assert reason(touch(0, flag="a link scanner")) == "a link scanner"


def test_apples_proxy_is_known_by_its_bare_name() -> None:
    assert reason(touch(3600, agent="Mozilla/5.0")) == "Apple's mail privacy proxy"
    assert reason(touch(3600, agent="Mozilla/5.0 (iPhone)")) == ""


def test_googles_image_proxy_fetches_for_a_person() -> None:
    agent = "Mozilla/5.0 (Windows NT 5.1) Firefox/11.0 (via ggpht.com GoogleImageProxy)"
    assert reason(touch(3600, agent=agent)) == ""


@pytest.mark.parametrize(
    "agent",
    [
        "Barracuda Sentinel",
        "curl/8.5",
        "python-requests/2.32",
        "HeadlessChrome/120",
        "Slackbot/1 bot/1",
    ],
)
def test_scanners_are_known_by_what_they_call_themselves(agent: str) -> None:
    assert "scanner" in reason(touch(3600, agent=agent, is_click=True, url="https://a.example"))


def test_several_links_within_two_seconds_are_a_scanners() -> None:
    clicks = [
        touch(100, key="a", is_click=True, url="https://a.example"),
        touch(102, key="b", is_click=True, url="https://b.example"),
        touch(300, key="c", is_click=True, url="https://a.example"),
    ]
    assert judge(clicks, DELIVERED) == {
        "a": "several links within 2 seconds",
        "b": "several links within 2 seconds",
        "c": "",
    }


def test_the_same_link_twice_is_a_double_click() -> None:
    clicks = [touch(at, key=str(at), is_click=True, url="https://a.example") for at in (100, 101)]
    assert set(judge(clicks, DELIVERED).values()) == {""}


touches = st.lists(
    st.builds(
        touch,
        st.integers(-5, 120),
        key=st.uuids().map(str),
        is_click=st.booleans(),
        url=st.sampled_from(["https://a.example", "https://b.example"]),
        agent=st.sampled_from(["", PERSON, "Mozilla/5.0", "curl/8"]),
        seen=st.booleans(),
    ),
    max_size=5,
    unique_by=lambda each: each.key,
)


@given(touches, st.sampled_from([None, DELIVERED]))
def test_the_order_in_which_they_came_does_not_matter(
    those: list[Touch], delivered_at: datetime | None
) -> None:
    judged = judge(those, delivered_at)
    for other in permutations(those):
        assert judge(other, delivered_at) == judged
