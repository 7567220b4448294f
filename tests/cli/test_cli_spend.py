"""`crm-tui spend …`: what was spent, by hand and from real tables."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import Cli


def _amounts(cli: Cli) -> list[tuple[str, float, str, str]]:
    listed = cli("spend", "list", "--json").json["spend"]
    return [(each["date"], each["amount"], each["currency"], each["kind"]) for each in listed]


def test_what_was_spent_is_listed_removed_and_brought_back(cli: Cli) -> None:
    ran = cli(
        "spend", "add", "--amount", "90.00", "--currency", "usd", "--kind", "Ads", "--on",
        "2026-11-02", "--source", "Google Maps", "--note", "first try", "--json",
    )  # fmt: skip
    assert ran.code == 0
    assert ran.json == {
        "id": 1,
        "date": "2026-11-02",
        "amount": 90.0,
        "currency": "USD",
        "kind": "ads",
        "campaign": None,
        "campaign_name": None,
        "source": "Google Maps",
        "note": "first try",
    }
    assert "90.00 USD on ads, 2026-11-02" in ran.err
    assert cli("spend", "remove", "1").code == 0
    assert _amounts(cli) == []
    assert cli("undo").code == 0
    assert _amounts(cli) == [("2026-11-02", 90.0, "USD", "ads")]
    assert cli("undo").code == 0
    assert _amounts(cli) == []


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--amount", "0", "--kind", "ads"], "more than 0"),
        (["--amount", "9.999", "--kind", "ads"], "finer than USD"),
        (["--amount", "9", "--kind", " "], "Name a kind"),
        (["--amount", "9", "--kind", "ads", "--on", "2999-01-01"], "lies ahead"),
        (["--amount", "9", "--kind", "ads", "--on", "soon"], "not a day"),
        (["--amount", "9", "--kind", "ads", "--campaign", "7"], "no campaign 7"),
        (["--amount", "9", "--kind", "ads", "--campaign", "7", "--source", "x"], "not for both"),
        (["--amount", "9", "--kind", "ads", "--currency", "dollars"], "not a currency"),
        (["--amount", "9", "--kind", "ads", "--currency", "ABC"], "not a currency"),
    ],
)
def test_what_cannot_be_is_refused_in_a_sentence(cli: Cli, options: list[str], said: str) -> None:
    ran = cli("spend", "add", *options)
    assert ran.code == 1
    assert said in ran.err
    assert _amounts(cli) == []


def test_yen_have_no_digits_after_the_point(cli: Cli) -> None:
    assert cli("spend", "add", "--amount", "9000", "--currency", "JPY", "--kind", "ads").code == 0
    assert [each[1:3] for each in _amounts(cli)] == [(9000.0, "JPY")]


def test_a_german_table_is_read_as_it_is(cli: Cli, tmp_path: Path) -> None:
    path = tmp_path / "ausgaben.csv"
    path.write_bytes(
        "Datum;Betrag;Währung;Art;Quelle;Notiz\r\n"
        '02.11.2026;"1.290,50";EUR;Anzeigen;Google;"für ""Herbst"""\r\n'
        "03.11.2026;90,00 €;EUR;Anzeigen;Google;\r\n"
        "03.11.2026;1.200;EUR;Druck;;\r\n".encode("cp1252")
    )
    assert cli("spend", "import", str(path), "--json").json == {
        "seen": 3,
        "added": 3,
        "known": 0,
        "rejected": 0,
        "totals": {"EUR": 2580.5},
        "problems": [],
    }
    assert _amounts(cli) == [
        ("2026-11-03", 1200.0, "EUR", "druck"),
        ("2026-11-03", 90.0, "EUR", "anzeigen"),
        ("2026-11-02", 1290.5, "EUR", "anzeigen"),
    ]


def test_the_same_file_twice_adds_nothing_and_a_line_twice_in_it_counts_twice(
    cli: Cli, tmp_path: Path
) -> None:
    path = tmp_path / "ads.csv"
    path.write_text(
        "date,amount,kind\n2026-11-01,5.00,ads\n2026-11-01,5.00,ads\n2026-11-02,7.00,ads\n"
    )
    first = cli("spend", "import", str(path), "--json").json
    assert (first["added"], first["known"]) == (3, 0)
    again = cli("spend", "import", str(path), "--json")
    assert (again.code, again.json["added"], again.json["known"]) == (0, 0, 3)
    longer = tmp_path / "later.csv"
    longer.write_text(
        "Amount\tDay\tType\n5\t2026-11-01\tAds\n7\t2026-11-02\tads\n8\t2026-11-03\tads\n"
    )
    assert cli("spend", "import", str(longer), "--json").json["added"] == 1
    assert cli("undo").code == 0
    assert cli("undo").code == 0
    assert _amounts(cli) == []
    assert cli("spend", "import", str(path), "--json").json["added"] == 3


def test_each_bad_line_is_named_and_the_good_ones_count(cli: Cli, tmp_path: Path) -> None:
    cli(
        "campaigns", "create", "--name", "Autumn", "--audience", "", "--template", "preview-1-offer"
    )
    path = tmp_path / "spend.csv"
    path.write_text(
        "date,amount,currency,kind,campaign,source,note\n"
        "2026-11-01,5.00,USD,ads,Autumn,,\n"
        "2026-13-01,5.00,USD,ads,,,\n"
        "\n"
        "2026-11-01,-5.00,USD,ads,,,\n"
        "2026-11-01,five,USD,ads,,,\n"
        "2026-11-01,5.00,XX,ads,,,\n"
        "2026-11-01,5.00,USD,,,,\n"
        "2026-11-01,5.00,USD,ads,Winter,,\n"
        "2026-11-01,5.00,USD,ads,Autumn,maps,\n"
        '2026-11-01,5.00,USD,ads,,,"not closed\n'
        '2026-11-01,6.00,USD,ads,,,"two\nlines"\n'
        "2026-11-01,5.00,USD,ads,,,,,too many\n"
        "2026-11-01,$7.00,,ads,,maps,\n"
    )
    ran = cli("spend", "import", str(path), "--json")
    assert ran.code == 3
    assert [each["line"] for each in ran.json["problems"]] == [3, 5, 6, 7, 8, 9, 10, 11, 14]
    assert ran.json["added"] == 3
    assert sorted(each[1] for each in _amounts(cli)) == [5.0, 6.0, 7.0]


def test_a_dry_run_changes_nothing_and_says_the_same(cli: Cli, tmp_path: Path) -> None:
    path = tmp_path / "ads.csv"
    path.write_text("date,amount\n2026-11-01,5.00\n2026-11-02,5.00\n")
    told = cli("spend", "import", str(path), "--kind", "ads", "--dry-run", "--json")
    assert _amounts(cli) == []
    assert "Nothing was changed." in told.err
    done = cli("spend", "import", str(path), "--kind", "ads", "--currency", "EUR", "--json")
    assert done.json["added"] == told.json["added"] == 2
    assert {each[2] for each in _amounts(cli)} == {"EUR"}


def test_a_file_that_is_no_such_table_is_refused(cli: Cli, tmp_path: Path) -> None:
    path = tmp_path / "other.csv"
    path.write_text("name,phone\nJoe,718-555-0142\n")
    ran = cli("spend", "import", str(path))
    assert ran.code == 1
    assert "has no column “date”" in ran.err
    assert cli("spend", "import", str(tmp_path / "none.csv")).code == 1
    (tmp_path / "empty.csv").write_text("")
    assert cli("spend", "import", str(tmp_path / "empty.csv")).code == 1
