"""`crm-tui funnel` and `crm-tui kpis`: the contract's documents, and tables for people."""

from __future__ import annotations

import pytest

from crm_tui.services.figures.kpis import FORMULAS
from crm_tui.vocabulary import Stage
from tests.conftest import Cli

STAGES = [stage.value for stage in Stage]


@pytest.fixture
def sold(cli: Cli) -> Cli:
    """Three leads: one that paid, one that was called, one nobody spoke to."""
    for name, city in (("Woodhaven", "Queens"), ("Tavella", "Queens"), ("Acme", "Bronx")):
        assert cli("leads", "add", name, "--city", city).code == 0
    assert cli("leads", "call", "1", "--outcome", "talked").code == 0
    assert cli("leads", "call", "2", "--outcome", "no_answer").code == 0
    assert cli("plans", "add", "Basic", "--amount", "49.00").code == 0
    assert cli("payments", "add", "1", "--plan", "Basic").code == 0
    assert cli("spend", "add", "--amount", "90.00", "--currency", "USD", "--kind", "ads").code == 0
    return cli


def test_the_funnel_has_every_stage_in_order(sold: Cli) -> None:
    document = sold("funnel", "--json").json
    assert [each["stage"] for each in document["stages"]] == STAGES
    assert [each["count"] for each in document["stages"]] == [3, 2, 2, 2, 1, 1, 1, 1, 1]
    contacted = document["stages"][3]
    assert contacted == {
        "stage": "contacted",
        "count": 2,
        "rate_from_previous": 1.0,
        "rate_from_first": 2 / 3,
    }


def test_an_empty_store_has_no_figures_and_says_why(cli: Cli) -> None:
    assert [each["count"] for each in cli("funnel", "--json").json["stages"]] == [0] * 9
    figures = cli("kpis", "--json").json["figures"]
    assert [each["name"] for each in figures] == list(FORMULAS)
    keys = "name value unit currency numerator denominator formula note"
    assert all(list(each) == keys.split() for each in figures)
    known = {each["name"]: each["value"] for each in figures if each["value"] is not None}
    assert known == {"messages_sent": 0, "mrr": 0.0}
    assert all(each["note"] for each in figures if each["value"] is None)
    assert cli("kpis").code == cli("funnel").code == 0


def test_a_payment_and_what_was_spent_come_to_mrr_and_cac(sold: Cli) -> None:
    figures = {each["name"]: each for each in sold("kpis", "--json").json["figures"]}
    assert (figures["mrr"]["value"], figures["mrr"]["currency"]) == (49.0, "USD")
    assert (figures["cac"]["value"], figures["cac"]["numerator"]) == (90.0, 90.0)
    assert figures["lead_to_customer"]["value"] == 1 / 3
    assert figures["open_rate"]["value"] is None
    assert figures["ltv"]["value"] is None
    assert figures["ltv"]["note"].startswith("not enough data")


def test_a_filter_leaves_out_other_leads(sold: Cli) -> None:
    stages = sold("funnel", "--where", "city:Bronx", "--json").json["stages"]
    assert [each["count"] for each in stages] == [1, 0, 0, 0, 0, 0, 0, 0, 0]
    figures = {
        each["name"]: each
        for each in sold("kpis", "--where", "city:Bronx", "--json").json["figures"]
    }
    assert figures["mrr"]["value"] == 0
    assert figures["cac"]["value"] is None


def test_a_period_has_the_leads_captured_in_it(sold: Cli) -> None:
    assert sold("funnel", "--to", "2020-12-31", "--json").json["stages"][0]["count"] == 0
    assert (
        sold("funnel", "--from", "today", "--to", "today", "--json").json["stages"][0]["count"] == 3
    )


def test_the_leads_behind_a_stage_are_those_the_list_finds(sold: Cli) -> None:
    for stage in STAGES:
        records = sold("funnel", "--stage", stage, "--list", "--json").json["records"]
        listed = sold("leads", "list", f"stage:{stage}", "--json").json["leads"]
        assert {each["business_id"] for each in records} == {each["id"] for each in listed}


def test_every_figure_opens_its_records(sold: Cli) -> None:
    nothing = {"lead_capture_rate", "site_generation_rate", "messages_sent", "churn_rate"}
    nothing |= {"open_rate", "click_rate", "reply_rate"}
    for name in FORMULAS:
        records = sold("kpis", name, "--records", "--json").json["records"]
        assert all(each["part"] in {"numerator", "denominator", "both"} for each in records)
        assert bool(records) == (name not in nothing), name
    assert "Woodhaven" in sold("kpis", "cac", "--records").out


def test_people_get_bars_and_formulas(sold: Cli) -> None:
    said = sold("funnel").out
    assert "active client" in said
    assert "█" in said
    assert "█" not in sold("--ascii", "funnel").out
    assert FORMULAS["churn_rate"] in sold("kpis", "--explain").out
    assert "49.00 USD" in sold("kpis", "mrr").out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("kpis", "--from", "soon"), "write a day, such as 2026-01-31"),
        (("kpis", "--from", "2026-02-30"), "write a day"),
        (("funnel", "--from", "2026-02-01", "--to", "2026-01-31"), "ends before it begins"),
        (("funnel", "--where", "citty:Queens"), "column 1"),
        (("kpis", "profit"), "There is no figure"),
        (("kpis", "--records"), "Name the figure"),
        (("funnel", "--stage", "opened"), "together"),
    ],
)
def test_what_cannot_be_read_is_said_in_a_sentence(
    cli: Cli, arguments: tuple[str, ...], words: str
) -> None:
    ran = cli(*arguments)
    assert ran.code == 2
    assert ran.out == ""
    assert words in ran.err
    assert len(ran.err.strip().splitlines()) == 1
