"""In which time zone a lead lives, as well as can be told from what is known of it.

The lead's own zone decides, then its state or province, then the area code of its phone, then its
country. Where a state lies in two zones, the area code tells which; else it is the one in which
most of its people live, and a lead may be an hour off. The zones of area codes and of countries
with a single zone are those of phonenumbers (CLDR); the tables here are what it cannot tell.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import tzinfo
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import phonenumbers

from crm_tui.text import fold

# For each state or province its zones, the one with most people first.
_STATES = {
    "US": {
        "America/New_York": "CT DC DE GA MA MD ME NC NH NJ NY OH PA RI SC VA VT WV",
        "America/Chicago": "AL AR IA IL LA MN MO MS OK WI",
        "America/Denver": "CO MT NM UT WY",
        "America/Los_Angeles": "CA NV WA",
        "America/Phoenix": "AZ",
        "America/Anchorage": "AK",
        "Pacific/Honolulu": "HI",
        "America/Puerto_Rico": "PR",
        "America/St_Thomas": "VI",
        "Pacific/Guam": "GU",
        "America/New_York America/Chicago": "FL IN MI KY",
        "America/Chicago America/New_York": "TN",
        "America/Chicago America/Denver": "KS ND NE SD TX",
        "America/Boise America/Los_Angeles": "ID",
        "America/Los_Angeles America/Boise": "OR",
    },
    "CA": {
        "America/Toronto": "QC",
        "America/Toronto America/Winnipeg": "ON",
        "America/Winnipeg": "MB",
        "America/Regina": "SK",
        "America/Edmonton": "AB NT",
        "America/Vancouver America/Edmonton": "BC",
        "America/Whitehorse": "YT",
        "America/Halifax": "NS PE NB",
        "America/St_Johns America/Halifax": "NL",
        "America/Iqaluit": "NU",
    },
    "AU": {
        "Australia/Sydney": "NSW ACT",
        "Australia/Melbourne": "VIC",
        "Australia/Brisbane": "QLD",
        "Australia/Adelaide": "SA",
        "Australia/Perth": "WA",
        "Australia/Hobart": "TAS",
        "Australia/Darwin": "NT",
    },
}
_ZONES_OF_STATE = {
    (country, state): tuple(zones.split())
    for country, table in _STATES.items()
    for zones, states in table.items()
    for state in states.split()
}
_STATE_NAMES = {
    "US": """AL alabama|AK alaska|AZ arizona|AR arkansas|CA california|CO colorado|CT connecticut
    |DE delaware|DC district of columbia|FL florida|GA georgia|HI hawaii|ID idaho|IL illinois
    |IN indiana|IA iowa|KS kansas|KY kentucky|LA louisiana|ME maine|MD maryland|MA massachusetts
    |MI michigan|MN minnesota|MS mississippi|MO missouri|MT montana|NE nebraska|NV nevada
    |NH new hampshire|NJ new jersey|NM new mexico|NY new york|NC north carolina|ND north dakota
    |OH ohio|OK oklahoma|OR oregon|PA pennsylvania|PR puerto rico|RI rhode island
    |SC south carolina|SD south dakota|TN tennessee|TX texas|UT utah|VT vermont|VA virginia
    |WA washington|WV west virginia|WI wisconsin|WY wyoming""",
    "CA": """AB alberta|BC british columbia|MB manitoba|NB new brunswick|NL newfoundland
    |NL newfoundland and labrador|NS nova scotia|NT northwest territories|NU nunavut|ON ontario
    |PE prince edward island|QC quebec|SK saskatchewan|YT yukon""",
    "AU": """NSW new south wales|VIC victoria|QLD queensland|SA south australia
    |WA western australia|TAS tasmania|ACT australian capital territory|NT northern territory""",
}
_STATE_OF_NAME = {
    (country, name): state
    for country, names in _STATE_NAMES.items()
    for state, _, name in (entry.strip().partition(" ") for entry in names.split("|"))
}

# The zone in which most people of a country live, where it has several, or where its calling code
# is another country's too.
_MAIN = {
    country: zone
    for entry in """US America/New_York|CA America/Toronto|AU Australia/Sydney|GB Europe/London
    |IE Europe/Dublin|ES Europe/Madrid|PT Europe/Lisbon|IT Europe/Rome|VA Europe/Rome
    |NO Europe/Oslo|SJ Europe/Oslo|FI Europe/Helsinki|AX Europe/Helsinki|GG Europe/London
    |JE Europe/London|IM Europe/London|NZ Pacific/Auckland|MX America/Mexico_City
    |BR America/Sao_Paulo|RU Europe/Moscow|KZ Asia/Almaty|ID Asia/Jakarta|MN Asia/Ulaanbaatar
    |CD Africa/Kinshasa|EC America/Guayaquil|GL America/Nuuk|PF Pacific/Tahiti|RE Indian/Reunion
    |YT Indian/Mayotte|CW America/Curacao|BQ America/Curacao|PR America/Puerto_Rico
    |DO America/Santo_Domingo|JM America/Jamaica|BS America/Nassau|BB America/Barbados
    |TT America/Port_of_Spain|BM Atlantic/Bermuda|KY America/Cayman|VI America/St_Thomas
    |GU Pacific/Guam|IN Asia/Kolkata|AR America/Argentina/Buenos_Aires|NP Asia/Kathmandu
    |MM Asia/Yangon""".split("|")
    for country, _, zone in [entry.strip().partition(" ")]
}


def zone_of(business: Mapping[str, Any], operator: tzinfo | None = None) -> tzinfo | None:
    """The zone a lead lives in; the operator's where nothing tells.

    Args:
        business: Its `timezone`, `country` (alpha-2), `region` and `phone` (E.164), as far as
            they are known.
        operator: The operator's own zone; None is the machine's.
    """
    facts = (business.get(name) or "" for name in ("timezone", "country", "region", "phone"))
    return _zone(*facts) or operator


@lru_cache(maxsize=4096)
def _zone(own: str, country: str, region: str, phone: str) -> ZoneInfo | None:
    if own and (zone := _known(own)):
        return zone
    country = country.upper()
    by_phone = _of_phone(phone, country)
    of_state = _of_state(country, region)
    if of_state:
        return _known(by_phone if by_phone in of_state else of_state[0])
    return _known(by_phone) or _known(_of_country(country))


def _known(name: str) -> ZoneInfo | None:
    try:
        return ZoneInfo(name) if name else None
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None


def _of_state(country: str, region: str) -> tuple[str, ...]:
    word = region.strip()
    state = _STATE_OF_NAME.get((country, fold(word)), word.upper())
    return _ZONES_OF_STATE.get((country, state), ())


def _of_phone(phone: str, country: str) -> str:
    """The one zone a number's area code lies in; "" where it may be several or another country's."""
    from phonenumbers.timezone import time_zones_for_number  # noqa: PLC0415 - 50 ms to import

    try:
        number = phonenumbers.parse(phone)
    except phonenumbers.NumberParseException:
        return ""
    if country and phonenumbers.region_code_for_number(number) != country:
        return ""
    zones = time_zones_for_number(number)
    return zones[0] if len(zones) == 1 and zones[0] != "Etc/Unknown" else ""


def _of_country(country: str) -> str:
    from phonenumbers.tzdata import TIMEZONE_DATA  # noqa: PLC0415 - 50 ms to import

    if country in _MAIN:
        return _MAIN[country]
    zones = TIMEZONE_DATA.get(str(phonenumbers.country_code_for_region(country)), ())
    return zones[0] if len(zones) == 1 else ""
