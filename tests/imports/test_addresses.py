from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crm_tui.services.addresses import Address, clean_street, complete, country_code, split


@pytest.mark.parametrize(
    ("line", "country", "expected"),
    [
        (
            "211 Maple Ave, Saratoga Springs, NY 12866",
            "",
            Address("211 Maple Ave", "Saratoga Springs", "NY", "12866", "US"),
        ),
        (
            "4216 28th Ave # C, Long Island City, NY 11103",
            "",
            Address("4216 28th Ave # C", "Long Island City", "NY", "11103", "US"),
        ),
        (
            "1600 Main St Springfield IL 62701",
            "",
            Address("1600 Main St", "Springfield", "IL", "62701", "US"),
        ),
        ("123 Main St, Springfield, IL", "", Address("123 Main St", "Springfield", "IL", "", "US")),
        ("New York, NY", "", Address("", "New York", "NY", "", "US")),
        (
            "67 Kingsway, London WC2B 6TD, UK",
            "",
            Address("67 Kingsway", "London", "", "WC2B 6TD", "GB"),
        ),
        (
            "Street 5, Poli Crysochous 8840",
            "CY",
            Address("Street 5", "Poli Crysochous", "", "8840", "CY"),
        ),
        ("Larnaca 6026", "CY", Address("", "Larnaca", "", "6026", "CY")),
        ("Λεοφόρος Ακάμαντος, Latsi", "CY", Address("Λεοφόρος Ακάμαντος", "Latsi", "", "", "CY")),
        (
            "Λεοφόρος Ακάμαντος Λατσί, 8830",
            "CY",
            Address("Λεοφόρος Ακάμαντος Λατσί", "", "", "8830", "CY"),
        ),
        (
            "29RR+CPC, Akamantos, Poli Crysochous",
            "CY",
            Address("Akamantos", "Poli Crysochous", "", "", "CY"),
        ),
        ("Straße 1, 12345 Berlin", "", Address("Straße 1", "Berlin", "", "12345", "")),
        (
            "Hauptstr. 12\n10115 Berlin\nDeutschland",
            "",
            Address("Hauptstr. 12", "Berlin", "", "10115", "DE"),
        ),
        (
            "12 Rue de la Paix, 75002 Paris, France",
            "",
            Address("12 Rue de la Paix", "Paris", "", "75002", "FR"),
        ),
        (
            "Via Roma 1, 00184 Roma RM, Italy",
            "",
            Address("Via Roma 1", "Roma", "RM", "00184", "IT"),
        ),
        (
            "Gracht 1, 1015 DX Amsterdam, Netherlands",
            "",
            Address("Gracht 1", "Amsterdam", "", "1015 DX", "NL"),
        ),
        (
            "1 George St, Sydney NSW 2000, Australia",
            "",
            Address("1 George St", "Sydney", "NSW", "2000", "AU"),
        ),
        (
            "1 King St W, Toronto, ON M5H 1A1",
            "",
            Address("1 King St W", "Toronto", "ON", "M5H 1A1", "CA"),
        ),
        (
            "5 Main St, Dublin 2, D02 X285, Ireland",
            "",
            Address("5 Main St", "Dublin 2", "", "D02 X285", "IE"),
        ),
        (
            "Peach St 1, Atlanta, Georgia",
            "US",
            Address("Peach St 1", "Atlanta", "Georgia", "", "US"),
        ),
        ("Rustaveli 5, Tbilisi, Georgia", "", Address("Rustaveli 5", "Tbilisi", "", "", "GE")),
        ("12866", "", Address("12866")),
        ("", "US", Address(country="US")),
    ],
)
def test_a_line_is_taken_apart(line: str, country: str, expected: Address) -> None:
    assert split(line, country=country) == expected


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ("US", "US"),
        ("uk", "GB"),
        ("United States of America", "US"),
        ("Deutschland", "DE"),
        ("Κύπρος", "CY"),
        ("Österreich", "AT"),
        ("Uruguay", "UY"),
        ("Atlantis", ""),
        ("ZZ", ""),
        ("", ""),
    ],
)
def test_country_words_become_alpha_2(words: str, code: str) -> None:
    assert country_code(words) == code


@pytest.mark.parametrize(
    ("street", "cleaned"),
    [
        ("29RR+CPC, Akamantos", ("Akamantos", "")),
        ("Porto Latchi, Akamantos Avenue Latchi CY", ("Porto Latchi, Akamantos Avenue Latchi", "")),
        ("5330, Nissi Ave 82", ("Nissi Ave 82", "5330")),
        ("50 A, CY, 8042, Poseidonos", ("50 A, Poseidonos", "8042")),
        ("29QX+R3V", ("", "")),
    ],
)
def test_a_scraped_street_loses_what_is_not_street(street: str, cleaned: tuple[str, str]) -> None:
    assert clean_street(street, country="CY") == cleaned


def test_a_line_fills_only_what_the_columns_leave_empty() -> None:
    known = Address(street="Ayiou Nikolaou 6", city="Poli Crysochous", country="CY")
    assert complete(known, "Ayiou Nikolaou 6, Poli 8820") == Address(
        "Ayiou Nikolaou 6", "Poli Crysochous", "", "8820", "CY"
    )


@given(st.text(max_size=200), st.sampled_from(["", "US", "CY", "DE", "GB"]))
@settings(deadline=None)
def test_no_line_makes_it_raise(line: str, country: str) -> None:
    found = split(line, country=country)
    assert found.country == "" or len(found.country) == 2
