"""Phone numbers as people write them."""

from __future__ import annotations

import re
from functools import cache, lru_cache

import phonenumbers

from crm_tui.services.contacts.contact import MAX_CELL, Contact, each_once, invalid
from crm_tui.vocabulary import ContactKind

# The everyday ways to write a number of the North American plan. phonenumbers decides whether it
# is valid; only its slow reading of the text is skipped.
_NORTH_AMERICAN = re.compile(
    r"(?:\+?1[ .-]?)?\(?([2-9]\d\d)\)?[ .\u00a0-]{0,2}([2-9]\d\d)[ .\u00a0-]?(\d{4})\Z"
)
_NORTH_AMERICAN_REGIONS = frozenset(phonenumbers.COUNTRY_CODE_TO_REGION_CODE[1])
_PHONE_SEPARATORS = (
    re.compile(r"[;|\n]"),
    re.compile(r",|\s/\s|\s+(?:or|oder|and|und|&)\s+"),
    re.compile(r"/"),
)
_SPREADSHEET_NUMBER = re.compile(r"(\d{7,15})\.0+\Z")
_PHONE_PREFIX = re.compile(r"(?:tel|phone|callto|whatsapp)\s*[:.]\s*", re.IGNORECASE)


def phone(raw: str, region: str) -> Contact:
    """One phone number as E.164.

    Args:
        raw: As written: national or international, with or without the plus, with an extension
            ("ext. 5", kept in the label).
        region: ISO 3166 alpha-2 of the country whose national form is meant without a plus.
    """
    text = raw.strip().lstrip("'").strip()
    match = _NORTH_AMERICAN.match(text)
    if match and (text[0] == "+" or region in _NORTH_AMERICAN_REGIONS):
        national = match[1] + match[2] + match[3]
        if _valid_north_american(national):
            return Contact(ContactKind.PHONE, "+1" + national, raw)
    return _phone(text, raw, region)


def _valid_north_american(national: str) -> bool:
    # Nearly all are ordinary numbers of the United States, which one pattern tells; phonenumbers
    # would try every region of the plan.
    return _ordinary_us_number().fullmatch(national) is not None or phonenumbers.is_valid_number(
        phonenumbers.PhoneNumber(country_code=1, national_number=int(national))
    )


@cache
def _ordinary_us_number() -> re.Pattern[str]:
    metadata = phonenumbers.PhoneMetadata.metadata_for_region("US")
    assert metadata is not None
    assert metadata.fixed_line is not None
    return re.compile(metadata.fixed_line.national_number_pattern or "")


@lru_cache(maxsize=4096)
def _phone(text: str, raw: str, region: str) -> Contact:
    text = _PHONE_PREFIX.sub("", text)
    if spreadsheet := _SPREADSHEET_NUMBER.match(text):
        text = spreadsheet[1]
    digits = sum(c.isdigit() for c in text)
    letters = sum(c.isalpha() for c in text)
    if digits + letters < 5 or digits < 3:
        return invalid(ContactKind.PHONE, raw, "too short for a phone number")
    for attempt in _spellings(text, digits):
        try:
            number = phonenumbers.parse(attempt, region)
        except phonenumbers.NumberParseException:
            continue
        if phonenumbers.is_valid_number(number):
            e164 = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
            label = f"ext. {number.extension}" if number.extension else ""
            return Contact(ContactKind.PHONE, e164, raw, label=label)
    return invalid(ContactKind.PHONE, raw, f"not a phone number in {region or 'any country'}")


def _spellings(text: str, digits: int) -> list[str]:
    """The text as it is, then as an international number that lost its plus."""
    spellings = [text]
    if not text.startswith("+"):
        if text.startswith("00"):
            spellings.append("+" + text[2:])
        elif digits >= 11:
            spellings.append("+" + text)
    return spellings


def phones(raw: str, region: str) -> list[Contact]:
    """Every phone number of a cell, in its order, each once; empty for an empty cell.

    Separators are tried from the clearest to the doubtful one, so that a number that contains a
    slash itself ("0221/123456") stays whole.
    """
    text = raw[:MAX_CELL].strip()
    return each_once(_split_phones(text, region, 0)) if text else []


def _split_phones(raw: str, region: str, level: int) -> list[Contact]:
    whole = phone(raw, region)
    if whole.valid:
        return [whole]
    for deeper in range(level, len(_PHONE_SEPARATORS)):
        pieces = [piece for piece in _PHONE_SEPARATORS[deeper].split(raw) if piece.strip()]
        if len(pieces) > 1:
            found = [c for piece in pieces for c in _split_phones(piece, region, deeper + 1)]
            if any(contact.valid for contact in found):
                return found
    return [whole]


_NO_TEXTS = {
    phonenumbers.PhoneNumberType.FIXED_LINE: "a fixed line, which gets no text messages",
    phonenumbers.PhoneNumberType.TOLL_FREE: "a toll-free number, which gets no text messages",
    phonenumbers.PhoneNumberType.PREMIUM_RATE: "a premium number, which gets no text messages",
    phonenumbers.PhoneNumberType.SHARED_COST: "a service number, which gets no text messages",
    phonenumbers.PhoneNumberType.UAN: "a service number, which gets no text messages",
    phonenumbers.PhoneNumberType.PAGER: "a pager, which gets no text messages",
    phonenumbers.PhoneNumberType.VOICEMAIL: "a voicemail, which gets no text messages",
}


@lru_cache(maxsize=10_000)
def why_no_texts(e164: str) -> str:
    """Why a number cannot be sent text messages, as far as its plan tells; "" where it may be.

    Many plans, that of North America among them, do not tell a mobile from a fixed line.
    """
    try:
        number = phonenumbers.parse(e164)
    except phonenumbers.NumberParseException:
        return "not a phone number with its country"
    return _NO_TEXTS.get(phonenumbers.number_type(number), "")


def phone_words(e164: str, home: str = "") -> str:
    """A number as it is read out: "+1 718-555-0142"; what is no number comes back as it is.

    Args:
        e164: The number.
        home: The region (ISO 3166) whose numbers are read out as they are dialled there:
            "(718) 555-0142".
    """
    try:
        number = phonenumbers.parse(e164)
    except phonenumbers.NumberParseException:
        return e164
    form = phonenumbers.PhoneNumberFormat.INTERNATIONAL
    if home and number.country_code == phonenumbers.country_code_for_region(home):
        form = phonenumbers.PhoneNumberFormat.NATIONAL
    return phonenumbers.format_number(number, form)
