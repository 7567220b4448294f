"""Times that are typed, bars and charts: what the funnel screen is made of, without the screen."""

from __future__ import annotations

from datetime import date

import pytest
from textual.content import Content

from crm_tui.errors import BadInput
from crm_tui.screens.funnel_campaigns import groups_sheet, revenue_sheet
from crm_tui.screens.funnel_leads import leads_query
from crm_tui.screens.funnel_period import EVERYTHING, read_span
from crm_tui.screens.funnel_sheet import bar, percent
from crm_tui.screens.funnel_stages import stages_sheet
from crm_tui.services.campaigns.figures import Rate
from crm_tui.services.figures.base import Figure, Unit
from crm_tui.services.figures.by_group import OfCampaign
from crm_tui.widgets.chart import Chart, draw, nice_top
from crm_tui.widgets.shapes import plain_shapes

TODAY = date(2026, 3, 15)


@pytest.mark.parametrize(
    ("text", "since", "until"),
    [
        ("all", None, None),
        ("", None, None),
        ("7d", date(2026, 3, 9), None),
        ("Last 30 days", date(2026, 2, 14), None),
        ("45 days", date(2026, 1, 30), None),
        ("45", date(2026, 1, 30), None),
        ("month", date(2026, 3, 1), None),
        ("last month", date(2026, 2, 1), date(2026, 2, 28)),
        ("year", date(2026, 1, 1), None),
        ("2026-02-03", date(2026, 2, 3), date(2026, 2, 3)),
        ("2024-02", date(2024, 2, 1), date(2024, 2, 29)),
        ("2025", date(2025, 1, 1), date(2025, 12, 31)),
        ("2025-12-24 to 2026-01-06", date(2025, 12, 24), date(2026, 1, 6)),
        ("2025-12..2026-01", date(2025, 12, 1), date(2026, 1, 31)),
        ("2026-02-03..", date(2026, 2, 3), None),
        ("..2026-02-03", None, date(2026, 2, 3)),
    ],
)
def test_a_time_is_understood_as_it_is_typed(
    text: str, since: date | None, until: date | None
) -> None:
    span = read_span(text, TODAY)
    assert (span.since, span.until) == (since, until)


@pytest.mark.parametrize(
    "text",
    ["soon", "0d", "2026-02-30", "2026-13", "..", "2026..2025", "1..2..3", "99999d", "0000-01-01"],
)
def test_what_is_no_time_says_how_to_write_one(text: str) -> None:
    with pytest.raises(BadInput, match=r"write"):
        read_span(text, TODAY)


@pytest.mark.parametrize("text", ["7d", "last month", "2025-12..2026-01", "2026-02-03..", "all"])
def test_a_time_that_was_kept_is_the_same_at_the_next_start(text: str) -> None:
    span = read_span(text, TODAY)
    assert read_span(span.text, TODAY) == span


@pytest.mark.parametrize("text", ["7d", "30d", "90d", "month", "last month", "year", "all"])
def test_a_time_is_called_by_its_title_too(text: str) -> None:
    span = read_span(text, TODAY)
    assert read_span(span.title.upper(), TODAY) == span


def test_the_days_of_a_time_are_said_with_their_years() -> None:
    assert read_span("2025-12..2026-01", TODAY).days == "1 Dec 2025 – 31 Jan 2026"
    assert read_span("last month", TODAY).days == "1 Feb – 28 Feb 2026"
    assert read_span("30d", TODAY).days == "since 14 Feb 2026"


def test_the_leads_of_a_bar_are_those_of_its_time_and_filter() -> None:
    assert leads_query("stage:opened", EVERYTHING, "") == "stage:opened"
    assert (
        leads_query("stage:opened", read_span("last month", TODAY), "city:Queens or city:Bronx")
        == "stage:opened captured>=2026-02-01 captured<=2026-02-28 (city:Queens or city:Bronx)"
    )


def test_a_bar_is_exact_to_an_eighth_and_shows_the_least_there_is() -> None:
    assert bar(1.0, 4) == "████"
    assert bar(0.5, 3) == "█▌"
    assert bar(0.0001, 10) == "▏"
    assert bar(0.0, 10) == ""


def test_small_rates_keep_a_digit() -> None:
    assert [percent(each) for each in (None, 0.0, 0.004, 0.63, 1.0)] == [
        "",
        "0%",
        "0.4%",
        "63%",
        "100%",
    ]


# Charts


def text_of(lines: list[Content]) -> list[str]:
    return [line.plain.rstrip() for line in lines]


def test_a_chart_is_drawn_to_scale_with_its_times_below() -> None:
    chart = Chart(("Jan", "Feb", "Mar"), (50.0, 0.0, 100.0), unit="USD")
    assert text_of(draw(chart, 21, 5)) == [
        "100 USD          ███",
        "                 ███",
        "         ███     ███",
        "      0  ███     ███",
        "         Jan     Mar",
    ]


def test_where_there_is_less_room_than_values_they_are_gathered_and_none_is_lost() -> None:
    values = tuple(float(each) for each in range(1, 11))
    labels = tuple(f"{each}" for each in range(1, 11))
    # Four cells beside the numbers: 1, then 2 to 4, 5 to 7 and 8 to 10 as one each.
    assert draw(Chart(labels, values, adds=True), 8, 3)[0].plain == "50     ▁"
    assert draw(Chart(labels, values), 8, 3)[0].plain == "10    ▃█"


def test_a_chart_never_leaves_the_room_it_has() -> None:
    chart = Chart(tuple(f"{each} Nov" for each in range(1, 31)), (3.0,) * 29 + (1e9,))
    for width in range(40):
        for height in (0, 1, 2, 5, 30):
            lines = draw(chart, width, height)
            assert len(lines) <= height
            assert all(line.cell_length <= width for line in lines)


def test_a_chart_has_no_shape_that_letters_cannot_stand_for() -> None:
    lines = draw(Chart(("a", "b", "c"), (1.0, 2.0, 7.0)), 30, 9)
    assert all(plain_shapes(line.plain).isascii() for line in lines)


def test_a_chart_of_nothing_is_empty_and_one_of_zeros_is_flat() -> None:
    assert draw(Chart((), ()), 30, 9) == []
    assert "█" not in "".join(text_of(draw(Chart(("a",), (0.0,)), 30, 9)))


@pytest.mark.parametrize(
    ("highest", "top"), [(0, 1), (1, 1), (3, 5), (23, 25), (99, 100), (100, 100), (101, 200)]
)
def test_the_scale_ends_in_a_round_number(highest: float, top: float) -> None:
    assert nice_top(highest) == top


def test_what_no_provider_tells_is_not_measured_and_not_too_little_data() -> None:
    """It does not come by waiting; the line above says why first."""

    def said(note: str) -> tuple[str, str]:
        rate = Figure(
            name="open_rate", value=None, unit=Unit.RATIO, formula="opens ÷ reached", note=note
        )
        line = stages_sheet([], [rate], [], []).lines[-1]
        return line.cells[1].text, line.about

    unmeasured = said("not measured: the providers in use do not tell")
    assert unmeasured == (
        "not measured",
        "Not measured: the providers in use do not tell. Opens ÷ reached.",
    )
    assert said("not enough data: nothing was sent")[0] == "not enough data"


def test_the_dashes_of_a_campaign_are_explained() -> None:
    def rule(opens: int | None) -> str:
        campaign = OfCampaign(
            campaign_id=1,
            name="Spring",
            sent=5,
            opens=Rate("opened", opens, 4),
            clicks=Rate("clicked", None, 4),
            replies=Rate("answered", 1, 4),
            customers=0,
            money=(),
        )
        return groups_sheet([campaign], []).lines[0].rule

    assert rule(None).startswith("Its opens and clicks are not measured. ")
    assert rule(2).startswith("Its clicks are not measured. ")


def test_customers_by_touch_are_shown_where_their_heading_fits() -> None:
    """In a narrow window "last" and "linear" alone would be read as money."""
    columns = {each.key: each.rank for each in revenue_sheet([]).columns(80)}
    ranks = [columns[key] for key in ("first_customers", "last_customers", "linear_customers")]
    assert ranks == sorted(ranks)
