from __future__ import annotations

from datetime import UTC, datetime, time
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crm_tui.services.imports import cells
from crm_tui.vocabulary import ContactStatus, Outcome


@pytest.mark.parametrize("blank", ["", " ", "None", "null", "N/A", "-", "{}", "[]", None, {}, []])
def test_what_stands_in_for_nothing_is_nothing(blank: Any) -> None:
    assert cells.text(blank) == ""
    assert cells.number(blank) is None


@pytest.mark.parametrize(
    ("written", "number"),
    [("4.6", 4.6), ("4,6", 4.6), ("4.6 stars", 4.6), ("5", 5), (4, 4), ("6", None), ("x", None)],
)
def test_a_rating_is_a_number_from_0_to_5(written: Any, number: float | None) -> None:
    assert cells.number(written, least=0, most=5) == number


@pytest.mark.parametrize(
    ("written", "count"),
    [
        ("1,056", 1056),
        ("1.056", 1056),
        ("(353)", 353),
        ("12 reviews", 12),
        ("4.0", 4),
        (7, 7),
        ("-3", None),
        ("many", None),
        (True, None),
        ("9" * 40, None),
    ],
)
def test_a_count_may_have_marks_for_the_thousands(written: Any, count: int | None) -> None:
    assert cells.count(written) == count


@pytest.mark.parametrize(
    ("written", "order", "day"),
    [
        ("2026-04-03", "month", (2026, 4, 3)),
        ("2026-04-03T10:00:00Z", "month", (2026, 4, 3)),
        ("2026/04/03", "day", (2026, 4, 3)),
        ("03/04/2026", "day", (2026, 4, 3)),
        ("03/04/2026", "month", (2026, 3, 4)),
        ("3/4/26", "month", (2026, 3, 4)),
        ("13/04/2026", "month", (2026, 4, 13)),
        ("04/13/2026", "day", (2026, 4, 13)),
        ("3.4.2026", "month", (2026, 4, 3)),
        ("03-04-2026", "day", (2026, 4, 3)),
        ("3 Apr 2026", "day", (2026, 4, 3)),
        ("3rd April 2026", "day", (2026, 4, 3)),
        ("April 3, 2026", "day", (2026, 4, 3)),
        ("3. März 2026", "day", (2026, 3, 3)),
        ("3 de abril de 2026", "day", (2026, 4, 3)),
        ("31/31/2026", "day", None),
        ("soon", "day", None),
        ("12", "day", None),
        ("0001-01-01", "day", None),
    ],
)
def test_a_date_is_read_in_every_usual_style(
    written: str, order: cells.DateOrder, day: tuple[int, int, int] | None
) -> None:
    found = cells.moment(written, order=order, zone=UTC)
    assert (found and (found.year, found.month, found.day)) == day


def test_a_time_of_day_and_a_zone_are_respected() -> None:
    athens = ZoneInfo("Europe/Athens")
    assert cells.moment("03/04/2026 2:30 PM", order="day", zone=athens) == datetime(
        2026, 4, 3, 11, 30, tzinfo=UTC
    )
    assert cells.moment("2026-04-03", order="day", zone=athens, at=time(9)) == datetime(
        2026, 4, 3, 6, 0, tzinfo=UTC
    )


def test_a_column_of_dates_tells_its_own_order() -> None:
    assert cells.date_order(["03/04/2026", "13/04/2026", ""]) == "day"
    assert cells.date_order(["03/04/2026", "04/13/2026"]) == "month"
    assert cells.date_order(["03/04/2026", "2026-04-13"]) is None
    assert cells.usual_date_order("US") == "month"
    assert cells.usual_date_order("GB") == "day"


@pytest.mark.parametrize(
    ("written", "meaning"),
    [
        ("New", (ContactStatus.PENDING, None, False)),
        ("contacted", (ContactStatus.EMAILED, None, False)),
        ("Left voicemail", (ContactStatus.CALLED, None, False)),
        ("REPLIED", (ContactStatus.REPLIED, None, False)),
        ("customer", (ContactStatus.PURCHASED, Outcome.WON, False)),
        ("Sold!", (ContactStatus.PURCHASED, Outcome.WON, False)),
        ("not interested", (ContactStatus.REPLIED, Outcome.LOST, False)),
        ("call_back", (ContactStatus.CALLED, Outcome.LATER, False)),
        ("wrong number", (ContactStatus.CALLED, Outcome.WRONG_CONTACT, False)),
        ("Kein Interesse", (ContactStatus.REPLIED, Outcome.LOST, False)),
        ("Do not contact", (None, None, True)),
        ("unsubscribed", (None, None, True)),
        ("purple", (None, None, False)),
    ],
)
def test_the_words_of_a_status_column_are_understood(
    written: str, meaning: tuple[ContactStatus | None, Outcome | None, bool]
) -> None:
    assert cells.status(written) == meaning


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        ("yes", "marked in the imported list"),
        ("x", "marked in the imported list"),
        ("asked us to stop", "asked us to stop"),
        ("no", None),
        ("FALSE", None),
        ("0", None),
        ("", None),
    ],
)
def test_anything_but_a_no_means_do_not_contact(written: str, reason: str | None) -> None:
    assert cells.do_not_contact(written) == reason


def test_tags_are_words_between_commas_each_once() -> None:
    assert cells.words("Hot, vip; VIP|cold\n") == ("Hot", "vip", "cold")
    assert cells.words(["a, b", "c"]) == ("a, b", "c")


def test_the_apostrophe_that_guards_a_formula_is_taken_off_again() -> None:
    assert cells.unprotected("'=1+1") == "=1+1"
    assert cells.unprotected("'+357 97") == "+357 97"
    assert cells.unprotected("'t Hoekje") == "'t Hoekje"


scalars = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text())


@given(st.recursive(scalars, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)))
@settings(deadline=None)
def test_no_value_makes_a_cell_raise(value: Any) -> None:
    cells.text(value)
    cells.lines(value)
    cells.number(value)
    cells.count(value)
    cells.flag(value)
    cells.words(value)
    cells.moment(value, order="day")
    cells.status(value)
    cells.do_not_contact(value)
    str(cells.plain_json(value)).encode()
