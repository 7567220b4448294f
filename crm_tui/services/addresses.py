"""One-line addresses taken apart, and the words for countries.

Countries write the postal code in different places: after the region (United States, Canada,
Australia), after the town (United Kingdom, Cyprus, Brazil) or before it (most of Europe). What a
line says decides; the country only settles what would be doubtful.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import cache, lru_cache

from phonenumbers import SUPPORTED_REGIONS

from crm_tui.text import fold


@dataclass(frozen=True, slots=True)
class Address:
    """The parts of a postal address; what it does not say is empty. Country is alpha-2."""

    street: str = ""
    city: str = ""
    region: str = ""
    postal_code: str = ""
    country: str = ""


# Countries ---------------------------------------------------------------------------------------

_COUNTRY_WORDS = {
    "US": "usa, u.s.a., u.s., united states, united states of america, america, vereinigte staaten",
    "GB": "uk, u.k., gbr, great britain, england, scotland, wales, northern ireland, united kingdom",
    "IE": "ireland, irl, republic of ireland, eire",
    "CA": "canada, can",
    "AU": "australia, aus",
    "NZ": "new zealand, nzl",
    "DE": "germany, deutschland, deu, brd, alemania, allemagne",
    "AT": "austria, osterreich, aut",
    "CH": "switzerland, schweiz, suisse, svizzera, che",
    "FR": "france, fra, frankreich, francia",
    "ES": "spain, espana, esp, spanien",
    "IT": "italy, italia, ita, italien",
    "PT": "portugal, prt",
    "NL": "netherlands, the netherlands, holland, nederland, nld",
    "BE": "belgium, belgie, belgique, bel",
    "LU": "luxembourg, lux",
    "DK": "denmark, danmark, dnk",
    "SE": "sweden, sverige, swe",
    "NO": "norway, norge, nor",
    "FI": "finland, suomi, fin",
    "PL": "poland, polska, pol",
    "CZ": "czech republic, czechia, cesko, cze",
    "GR": "greece, hellas, ελλαδα, ελλασ, grc",
    "CY": "cyprus, κυπροσ, kibris, zypern, cyp",
    "TR": "turkey, turkiye, tur",
    "MX": "mexico, mex",
    "BR": "brazil, brasil, bra",
    "IN": "india, ind",
    "ZA": "south africa, rsa, zaf",
    "AE": "united arab emirates, uae, u.a.e.",
}
_COUNTRY_OF_WORD = {
    word: code for code, words in _COUNTRY_WORDS.items() for word in words.split(", ")
}


@lru_cache(maxsize=1024)
def country_code(words: str) -> str:
    """The ISO 3166 alpha-2 code of a country's code or name in any language, or ""."""
    text = words.strip()
    if len(text) == 2 and text.isascii() and text.isalpha():
        code = text.upper()
        return "GB" if code == "UK" else code if code in SUPPORTED_REGIONS else ""
    folded = fold(text)
    if not folded or len(folded) > 60:
        return ""
    return _COUNTRY_OF_WORD.get(folded) or _country_names().get(folded, "")


@cache
def _country_names() -> dict[str, str]:
    """Folded names of all countries in all languages; half a second, so only when asked."""
    from phonenumbers.geodata.locale import LOCALE_DATA  # noqa: PLC0415 - 0.5 s to import

    return {
        fold(name): code
        for code, names in LOCALE_DATA.items()
        for name in names.values()
        if not name.startswith("*")
    }


# Addresses ---------------------------------------------------------------------------------------

US_STATES = frozenset(
    """AL AK AZ AR CA CO CT DE FL GA HI ID IL IN IA KS KY LA ME MD MA MI MN MS MO MT NE NV NH NJ NM
    NY NC ND OH OK OR PA RI SC SD TN TX UT VT VA WA WV WI WY DC PR VI GU""".split()
)
_CA_PROVINCES = frozenset("AB BC MB NB NL NS NT NU ON PE QC SK YT".split())
_US_STATE_NAMES = (
    "alabama|alaska|arizona|arkansas|california|colorado|connecticut|delaware|florida|georgia|"
    "hawaii|idaho|illinois|indiana|iowa|kansas|kentucky|louisiana|maine|maryland|massachusetts|"
    "michigan|minnesota|mississippi|missouri|montana|nebraska|nevada|new hampshire|new jersey|"
    "new mexico|new york|north carolina|north dakota|ohio|oklahoma|oregon|pennsylvania|"
    "rhode island|south carolina|south dakota|tennessee|texas|utah|vermont|virginia|washington|"
    "west virginia|wisconsin|wyoming|district of columbia|puerto rico"
)
_US_STATE_NAME = re.compile(rf"(?:{_US_STATE_NAMES})\Z")
_PLUS_CODE = re.compile(r"\b[23456789CFGHJMPQRVWX]{4,8}\+[23456789CFGHJMPQRVWX]{2,3}\b,?\s*")
_US = re.compile(
    rf"(?:(?P<city>.*?)[ ,]+)??(?P<region>[A-Z]{{2}}|{_US_STATE_NAMES})\.?"
    r"(?:\s+(?P<code>\d{5}(?:-\d{4})?))?\Z",
    re.IGNORECASE,
)
_US_CODE = re.compile(r"\d{5}(?:-\d{4})?\Z")
_CANADA = re.compile(
    r"(?:(?P<city>.*?)[ ,]+)??(?P<region>[A-Z]{2})[ ,]+(?P<code>[A-Z]\d[A-Z] ?\d[A-Z]\d)\Z"
)
_AUSTRALIA = re.compile(
    r"(?:(?P<city>.+?)\s+)?(?P<region>NSW|VIC|QLD|SA|WA|TAS|ACT|NT)\s+(?P<code>\d{4})\Z"
)
_BRITAIN = re.compile(r"(?:(?P<city>.+?)[ ,]+)?(?P<code>[A-Z]{1,2}\d[A-Z\d]? ?\d[A-Z]{2})\Z")
_IRELAND = re.compile(r"(?:(?P<city>.+?)[ ,]+)?(?P<code>[A-Z]\d[\dW] ?[A-Z\d]{4})\Z")
_NETHERLANDS = re.compile(r"(?P<code>\d{4} ?[A-Z]{2})\s+(?P<city>\D+)\Z")
_CODE_FIRST = re.compile(
    r"(?:[A-Z]{1,3}[- ])?(?P<code>\d{2}-\d{3}|\d{4}-\d{3}|\d{3} \d{2}|\d{4,6})\s+(?P<city>[^\d,]+)\Z"
)
_CODE_LAST = re.compile(r"(?:(?P<city>[^\d,]+?)\s+)?(?P<code>\d{5}-\d{3}|\d{4,6})\Z")
_STREET_ENDING = re.compile(
    r"\b(?:st|street|ave|avenue|rd|road|blvd|boulevard|dr|drive|ln|lane|way|ct|court|pl|place|hwy|"
    r"highway|pkwy|parkway|sq|square|ter|terrace|cir|circle|route|rte)\b\.?"
    r"(?:\s+(?:#\s?\w+|(?:suite|ste|unit|apt|fl)\.?\s+\w+|[nsew]{1,2})\b)?",
    re.IGNORECASE,
)
_STREET_WORD = re.compile(
    r"\b(?:st|street|str|ave?|avenue|rd|road|blvd|lane|drive|highway|hwy|jct|square|rue|calle|via|"
    r"avenida|plaza|leoforos|οδοσ|λεοφοροσ|λεωφοροσ|λεωφ)\b\.?|(?:strasse|str\.|weg|platz|allee)\b"
)
_DISTRICT = re.compile(r"[^\W\d]+ \d{1,2}\Z")  # "Dublin 2"
_MAX_LINE = 500


def split(line: str, *, country: str = "") -> Address:
    """Take a one-line address apart; what cannot be told apart stays in the street.

    Args:
        line: As written, parts separated by commas or line breaks.
        country: Alpha-2 where the row says it elsewhere; a country in the line itself wins.
    """
    cleaned = without_plus_code(" ".join(", ".join(line[:_MAX_LINE].splitlines()).split()))
    parts = [part for piece in cleaned.split(",") if (part := piece.strip(" ;"))]
    if not parts:
        return Address(country=country)
    parts, named = _take_country(parts, country)
    country = named or country
    for take in (_take_american, _take_code_with_letters, _take_code_first, _take_code_last):
        if found := take(parts, country):
            return found
    return _take_town(parts, country)


def without_plus_code(text: str) -> str:
    """An address without the Google plus code in it ("29RR+CPC, Main Street")."""
    return _PLUS_CODE.sub("", text).strip(" ,") if "+" in text else text


def clean_street(street: str, *, postal_code: str = "", country: str = "") -> tuple[str, str]:
    """A street without what does not belong there, and the postal code found in its place.

    Scraped streets carry plus codes, the country's code ("… Latchi CY") and postal codes as parts
    of their own ("5330, Nissi Ave 82").
    """
    parts = []
    for piece in without_plus_code(street).split(","):
        part = piece.strip()
        if country and part.endswith(f" {country}"):
            part = part.removesuffix(f" {country}").rstrip()
        if part.isdigit() and len(part) >= 4 and part in {postal_code, part[:6]}:
            if postal_code in {"", part}:
                postal_code = part
                continue
        elif not part or part == country:
            continue
        parts.append(part)
    return ", ".join(parts), postal_code


def _take_country(parts: list[str], country: str) -> tuple[list[str], str]:
    state = parts[-1] in US_STATES or (country == "US" and _US_STATE_NAME.match(fold(parts[-1])))
    if len(parts) > 1 and not state and (code := _whole_country(parts[-1], country)):
        return parts[:-1], code
    last, _, word = parts[-1].rpartition(" ")
    if last and fold(word) in _COUNTRY_OF_WORD and len(word) > 1:
        return [*parts[:-1], last.rstrip()], _COUNTRY_OF_WORD[fold(word)]
    return parts, ""


def _whole_country(part: str, known: str) -> str:
    if any(c.isdigit() for c in part) or len(part) > 40:
        return ""
    if len(part) == 2:
        return country_code(part) if part.isupper() else ""
    if known or " " in part or not part[:1].isupper():
        return _COUNTRY_OF_WORD.get(fold(part), "")
    return country_code(part)


def _take_american(parts: list[str], country: str) -> Address | None:
    if country not in {"", "US", "PR"}:
        return None
    before, last = parts[:-1], parts[-1]
    if _US_CODE.match(last) and before and (state := _US.match(before[-1])) and not state["code"]:
        before, last = before[:-1], f"{before[-1]} {last}"
    match = _US.match(last)
    if not match or (len(match["region"]) == 2 and match["region"] not in US_STATES):
        return None
    if not match["code"] and (not before or (len(match["region"]) > 2 and country != "US")):
        return None
    city = (match["city"] or "").strip()
    if not city and before:
        city = before.pop()
    street = ", ".join(before)
    if city and not before and (ending := _last(_STREET_ENDING, city)):
        street, city = city[: ending.end()].strip(), city[ending.end() :].strip()
    return Address(street, city, match["region"], match["code"] or "", "US")


def _last(pattern: re.Pattern[str], text: str) -> re.Match[str] | None:
    return next(iter([*pattern.finditer(text)][::-1]), None)


def _take_code_with_letters(parts: list[str], country: str) -> Address | None:
    for code, pattern in (
        ("CA", _CANADA),
        ("AU", _AUSTRALIA),
        ("GB", _BRITAIN),
        ("IE", _IRELAND),
        ("NL", _NETHERLANDS),
    ):
        if country not in {"", code}:
            continue
        match = pattern.match(parts[-1])
        if match:
            found = match.groupdict()
            if code == "CA" and found["region"] not in _CA_PROVINCES:
                continue
            return _with_town(
                parts[:-1], found["city"], found.get("region") or "", found["code"], code
            )
    return None


def _with_town(
    before: list[str], city: str | None, region: str, code: str, country: str
) -> Address:
    if not city and before and (not _is_street(before[-1]) or _DISTRICT.match(before[-1])):
        *before, city = before
    return Address(", ".join(before), city or "", region, code, country)


def _take_code_first(parts: list[str], country: str) -> Address | None:
    for at in range(len(parts) - 1, max(len(parts) - 4, -1), -1):
        match = _CODE_FIRST.match(parts[at])
        if not match or (at == 0 and len(parts) > 1 and _is_street(parts[at])):
            continue
        city = match["city"].strip()
        if _is_street(city):  # "4216 Main Road" is a house, not a town
            continue
        region = ", ".join(parts[at + 1 :])
        if country == "IT" and (province := re.search(r"\s+([A-Z]{2})\Z", city)):
            city, region = city[: province.start()], province[1]
        return Address(", ".join(parts[:at]), city, region, match["code"], country)
    return None


def _take_code_last(parts: list[str], country: str) -> Address | None:
    match = _CODE_LAST.match(parts[-1])
    if not match or (match["city"] and _is_street(match["city"])):
        return None
    if len(parts) == 1 and not (match["city"] and country):
        return None
    return _with_town(parts[:-1], match["city"], "", match["code"], country)


def _take_town(parts: list[str], country: str) -> Address:
    """No postal code: the last part is the town unless it reads like a street."""
    if len(parts) > 1 and not _is_street(parts[-1]):
        return Address(", ".join(parts[:-1]), parts[-1], country=country)
    return Address(street=", ".join(parts), country=country)


def _is_street(part: str) -> bool:
    return any(c.isdigit() for c in part) or _STREET_WORD.search(fold(part)) is not None


def complete(known: Address, line: str) -> Address:
    """Fill what a row's own columns leave empty from its one-line address."""
    if not line or (known.city and known.postal_code and known.street):
        return known
    if known.city and not known.street and fold(known.city) not in fold(line):
        read = Address(street=line)  # a street in a column that is called "address"
    else:
        read = split(line, country=known.country)
    if not known.city and not known.street:
        return replace(
            read,
            region=known.region or read.region,
            postal_code=known.postal_code or read.postal_code,
            country=known.country or read.country,
        )
    return replace(
        known,
        street=known.street or ("" if read.street == known.city else read.street),
        city=known.city or read.city,
        region=known.region or read.region,
        postal_code=known.postal_code or read.postal_code,
        country=known.country or read.country,
    )
