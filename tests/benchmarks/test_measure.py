from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.measure import Measure, Verdict, number, percentile, table


@pytest.mark.parametrize(
    ("value", "at_least", "verdict"),
    [
        (1.0, False, Verdict.PASS),
        (1.01, False, Verdict.MISS),
        (1.0, True, Verdict.PASS),
        (0.99, True, Verdict.MISS),
        (None, False, Verdict.NONE),
    ],
)
def test_a_limit_is_a_ceiling_or_a_floor(
    value: float | None, at_least: bool, verdict: Verdict
) -> None:
    assert Measure("x", "", value, "s", 1.0, at_least=at_least).verdict is verdict


def test_what_has_no_limit_neither_passes_nor_misses() -> None:
    assert Measure("x", "", 1.0, "s").verdict is Verdict.NONE


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0.28391, "0.284"), (12.345, "12.3"), (4120.4, "4,120"), (0, "0"), (30, "30"), (99.96, "100")],
)
def test_numbers_show_three_digits(value: float, shown: str) -> None:
    assert number(value) == shown


@given(st.lists(st.floats(0, 1e9), min_size=1), st.integers(1, 100))
def test_a_percentile_is_a_value_that_so_many_do_not_exceed(
    values: list[float], percent: int
) -> None:
    found = percentile(values, percent)
    assert found in values
    assert sum(value <= found for value in values) * 100 >= percent * len(values)


def test_the_table_lines_up_and_says_what_was_not_measured() -> None:
    lines = table(
        [
            Measure("start", "1,000 leads", 1.5, "s", 0.9),
            Measure("peer", "", None, "s", note="absent"),
        ]
    ).splitlines()
    assert len({len(line) for line in lines}) == 1
    assert "1.5 s" in lines[2]
    assert "≤ 0.9 s" in lines[2]
    assert "MISS" in lines[2]
    assert "not measured" in lines[3]
