"""What one mail is made from, and how words of strangers are made safe to write in it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from crm_tui.services.templating.fields import FIELDS
from crm_tui.text import plain_line

LONGEST = 200
LONGEST_URL = 900
_MOST_LINES = 8
_WEB = re.compile(r"https?://[!-~]+\Z", re.IGNORECASE)
_NONCHARACTERS = re.compile("[\ufdd0-\ufdef\ufffe\uffff]")
_URLS = frozenset({"business.website", "site.url", "payment_url"})

_TITLES = frozenset("dr prof mr mrs ms miss sir herr frau ing dipl mag med dott".split())
_NO_NAMES = frozenset(
    "owner manager director info office sales contact admin reception team the unknown n/a none "
    "inhaber chef mail e-mail email webmaster support service hello company business".split()
)
_SEVERAL = re.compile(r"[&/+;|]|\b(?:and|und|or|et|y)\b", re.IGNORECASE)
_GIVEN_NAME = re.compile(r"[^\W\d_]+(?:['\u2019-][^\W\d_]+)*\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class MailFacts:
    """What one mail may say, as it is known; None or empty is not known.

    The names are those of the merge fields with an underscore for the dot. Nothing here is ever
    read as a template: a business named "{{ 7*7 }}" is called that.

    Attributes:
        business_phone: E.164.
        business_rating: 0 to 5.
        site_url: The public address of its published site, over http or https.
        payment_url: The page where it can pay, over http or https.
        sender_postal_address: Its lines by newlines.
        unsubscribe: A sentence with the link to opt out; see `unsubscribe_sentence`.
    """

    business_name: str | None = None
    business_category: str | None = None
    business_street: str | None = None
    business_city: str | None = None
    business_region: str | None = None
    business_postal_code: str | None = None
    business_country: str | None = None
    business_phone: str | None = None
    business_email: str | None = None
    business_website: str | None = None
    business_rating: float | None = None
    business_review_count: int | None = None
    contact_first_name: str | None = None
    contact_name: str | None = None
    site_url: str | None = None
    payment_url: str | None = None
    sender_name: str | None = None
    sender_email: str | None = None
    sender_postal_address: str | None = None
    unsubscribe: str | None = None


EXAMPLE = MailFacts(**{field.attribute: field.example for field in FIELDS.values()})  # type: ignore[arg-type]
"""A recipient of whom everything is known, for trying templates out."""


def value_of(facts: MailFacts, name: str) -> str | float | None:
    """What a merge field says, fit to stand in a mail; None where it is not known.

    One line without control, bidirectional and invisible characters, cut where it is endless; the
    postal address keeps its lines. An address on the web that is none is not known.
    """
    value: str | float | None = getattr(facts, FIELDS[name].attribute)
    if not isinstance(value, str):
        return value
    if name in _URLS:
        value = value.strip()
        return value if len(value) <= LONGEST_URL and _WEB.match(value) else None
    if name == "sender.postal_address":
        lines = [_one_line(line, LONGEST) for line in value.splitlines()]
        return "\n".join([line for line in lines if line][:_MOST_LINES]) or None
    return _one_line(value, LONGEST_URL if name == "unsubscribe" else LONGEST) or None


def _one_line(text: str, limit: int) -> str:
    # What is endless is cut first: nobody waits for a megabyte to be looked through.
    text = plain_line(_NONCHARACTERS.sub("", text[: 4 * limit]))
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"


def first_name(person: str | None) -> str | None:
    """The first name in a contact's name, where one can be told; None rather than a wrong one.

    "Dr. Anna Berg" and "Berg, Anna" are Anna; "J. Marsh", "Owner" and "Jo & Al" are nobody.
    """
    text = plain_line((person or "")[:LONGEST])
    if _SEVERAL.search(text):
        return None
    family, comma, rest = text.partition(",")
    if comma:
        text = rest if " " not in family.strip() else family
    words = [word.rstrip(".,") for word in text.split()]
    while words and words[0].casefold() in _TITLES:
        words.pop(0)
    if not words or len(words[0]) < 2 or not _GIVEN_NAME.match(words[0]):
        return None
    if any(word.casefold() in _NO_NAMES for word in words):
        return None
    given = words[0]
    return given.title() if given.isupper() or given.islower() else given


def unsubscribe_sentence(link: str) -> str:
    """The sentence that offers to opt out.

    Args:
        link: A mailto address, with everything in it that tells whose opt-out it is.
    """
    return f"If you do not want mail from me, tell me here and I will not write again: {link}"
