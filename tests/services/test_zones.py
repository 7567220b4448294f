from __future__ import annotations

from datetime import UTC
from zoneinfo import ZoneInfo, available_timezones

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm_tui.services.addresses import US_STATES
from crm_tui.services.zones import _MAIN, _ZONES_OF_STATE, zone_of


def zone(country: str = "", region: str = "", phone: str = "", timezone: str = "") -> str:
    business = {"timezone": timezone, "country": country, "region": region, "phone": phone}
    return str(zone_of(business, UTC))


@pytest.mark.parametrize(
    ("country", "region", "phone", "named"),
    [
        ("US", "NY", "", "America/New_York"),
        ("US", "ca", "", "America/Los_Angeles"),
        ("US", "New Mexico", "", "America/Denver"),
        ("US", "TX", "", "America/Chicago"),
        ("US", "TX", "+19155551234", "America/Denver"),  # El Paso
        ("US", "TN", "+18655550142", "America/New_York"),  # Knoxville
        ("US", "TN", "+16155550142", "America/Chicago"),
        ("US", "AZ", "+17185550142", "America/Phoenix"),  # a number taken along from New York
        ("US", "", "+15203335555", "America/Phoenix"),
        ("US", "", "+18005551234", "America/New_York"),  # free of charge, from anywhere
        ("US", "", "", "America/New_York"),
        ("CA", "British Columbia", "", "America/Vancouver"),
        ("CA", "Québec", "", "America/Toronto"),
        ("AU", "WA", "", "Australia/Perth"),
        ("AU", "", "", "Australia/Sydney"),
        ("GB", "", "+447911123456", "Europe/London"),
        ("ES", "", "+34922123456", "Atlantic/Canary"),
        ("ES", "", "+34600123456", "Europe/Madrid"),
        ("DE", "Bayern", "", "Europe/Berlin"),
        ("de", "", "+493012345678", "Europe/Berlin"),
        ("CY", "", "", "Asia/Nicosia"),
        ("IN", "", "", "Asia/Kolkata"),
        ("IE", "", "", "Europe/Dublin"),
        ("", "", "+4930123456", "Europe/Berlin"),
        ("", "NY", "", "UTC"),  # a region of which country?
        ("", "", "", "UTC"),
        ("ZZ", "", "not a number", "UTC"),
    ],
)
def test_what_is_known_of_a_lead_tells_its_zone(
    country: str, region: str, phone: str, named: str
) -> None:
    assert zone(country, region, phone) == named


def test_its_own_zone_wins_and_one_that_does_not_exist_is_passed_over() -> None:
    assert zone("US", "NY", timezone="America/Denver") == "America/Denver"
    assert zone("US", "NY", timezone="Mars/Olympus") == "America/New_York"
    assert zone("US", "NY", timezone="../../etc/passwd") == "America/New_York"
    assert zone_of({"timezone": None, "country": None, "region": None, "phone": None}) is None


def test_the_tables_name_zones_that_exist_and_every_state() -> None:
    named = {zone for zones in _ZONES_OF_STATE.values() for zone in zones} | set(_MAIN.values())
    assert named <= available_timezones()
    assert {state for country, state in _ZONES_OF_STATE if country == "US"} >= US_STATES
    assert set(_MAIN) <= phonenumbers.SUPPORTED_REGIONS


def test_nearly_every_country_has_its_zone() -> None:
    without = {country for country in phonenumbers.SUPPORTED_REGIONS if zone(country) == "UTC"}
    assert len(without) < 25, sorted(without)


@given(st.text(max_size=12), st.text(max_size=12), st.text(max_size=12), st.text(max_size=12))
def test_nothing_that_stands_in_a_list_breaks_it(
    own: str, country: str, region: str, phone: str
) -> None:
    found = zone_of({"timezone": own, "country": country, "region": region, "phone": phone}, UTC)
    assert found is UTC or isinstance(found, ZoneInfo)
