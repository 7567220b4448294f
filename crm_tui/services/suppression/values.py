"""What is meant by a value that is to be barred: an address, a number, a domain or a lead."""

from __future__ import annotations

import re
from typing import NamedTuple

from crm_tui.errors import BadInput
from crm_tui.services import contacts
from crm_tui.services.contacts.contact import LABEL, ascii_host
from crm_tui.services.hosts import registrable_domain
from crm_tui.text import plain_line, visible
from crm_tui.vocabulary import SuppressionKind

LONGEST = 320
"""Characters of a value: more than the longest address has."""

_LEAD = re.compile(r"(?:lead|business|id)?\s*[:#]?\s*([0-9]{1,18})", re.IGNORECASE)
_NUMBER = re.compile(r"[0-9]{1,18}")
_BARE = re.compile(r"[0-9]{1,6}")
_KEY = re.compile(r"[0-9a-f]{8}-?(?:[0-9a-f]{4}-?){3}[0-9a-f]{12}", re.IGNORECASE)
_SIMPLE_ADDRESS = re.compile(r"[a-z0-9][a-z0-9._+-]*@[a-z0-9-]+(?:\.[a-z0-9-]+)*\.[a-z]{2,24}")
_ADDRESS = re.compile(r"[^\s@<>]+@[^\s@<>]+")
_HOST = re.compile(
    r"(?:[a-z][a-z0-9+.-]*://)?(?:\*\.|@)?(?:www\.)?([^/\s:?#]+)(?::\d+)?(?:[/?#]\S*)?"
)
_ENDING = re.compile(r"[a-z]{2,63}|xn--[a-z0-9-]{1,59}")
_LIKE_A_NUMBER = re.compile(
    r"(?:tel:)?[+(]?[\d\s().\u00a0/-]{5,}(?:(?:ext|x)\.?\s*\d+)?", re.IGNORECASE
)


class Value(NamedTuple):
    """What is barred, as it is kept: a lower-case address or domain, E.164, a lead's number or key."""

    kind: SuppressionKind
    value: str

    @property
    def lead_id(self) -> int | None:
        """The lead that is named by its number, if one is."""
        return (
            int(self.value)
            if self.kind is SuppressionKind.BUSINESS and self.value.isdigit()
            else None
        )


def read_value(typed: str, *, region: str, kind: SuppressionKind | None = None) -> Value:
    """What a value means.

    Args:
        typed: an address, a number, a domain (also as "@acme.com" or a web address), or a lead by
            its number ("lead:12"; up to six digits are one as they are) or key.
        region: ISO 3166 of numbers without a country.
        kind: what it has to be; None where the value tells.

    Raises:
        BadInput: it is none of these, or not of that kind.
    """
    text = plain_line(typed)
    if not text:
        raise BadInput("Name what is barred: an address, a number, a domain, or lead:12.")
    if len(text) > LONGEST:
        raise BadInput(f"“{visible(text, 40)}” is too long for an address, a number or a domain.")
    if kind is SuppressionKind.BUSINESS and _NUMBER.fullmatch(text):
        return Value(kind, str(int(text)))
    found = value_in(text, region)
    if found is None:
        raise BadInput(
            f"“{visible(text, 60)}” is no address, no number (with + and its country) and no domain;"
            " a lead is named by its number: lead:12."
        )
    if kind is not None and found.kind is not kind:
        raise BadInput(f"“{visible(text, 60)}” is {_A[found.kind]}, not {_A[kind]}.")
    return found


_A = {
    SuppressionKind.EMAIL: "an e-mail address",
    SuppressionKind.PHONE: "a number",
    SuppressionKind.DOMAIN: "a domain",
    SuppressionKind.BUSINESS: "a lead",
}


def value_in(text: str, region: str) -> Value | None:
    """What a text means that may be anything; None where it is no value."""
    lower = text.lower()
    if _SIMPLE_ADDRESS.fullmatch(lower):
        return Value(SuppressionKind.EMAIL, lower)
    if "@" in lower.lstrip("@"):
        return _address(text)
    if lead := _lead(lower):
        return Value(SuppressionKind.BUSINESS, lead)
    if _LIKE_A_NUMBER.fullmatch(lower):
        number = contacts.phone(text, region)
        return Value(SuppressionKind.PHONE, number.value) if number.valid else None
    host = domain_of(lower)
    return Value(SuppressionKind.DOMAIN, host) if host else None


def _address(text: str) -> Value | None:
    """One address, also of "Joe <joe@acme.com>"; a placeholder may be barred like any other."""
    found = [each.value for each in contacts.emails(text) if _ADDRESS.fullmatch(each.value)]
    if len(found) != 1:
        return None
    host = found[0].rpartition("@")[2]
    return Value(SuppressionKind.EMAIL, found[0]) if _is_host(host) else None


def _lead(lower: str) -> str:
    if _KEY.fullmatch(lower):
        return lower
    if _BARE.fullmatch(lower):
        return str(int(lower))
    named = _LEAD.fullmatch(lower)
    if named is None or lower.isdigit():
        return ""
    return str(int(named[1]))


def domain_of(lower: str) -> str:
    """The domain in a text such as "@acme.com" or "https://www.acme.com/"; "" where there is none.

    What many owners share, such as "com" or "co.uk", is none.
    """
    found = _HOST.fullmatch(lower)
    if found is None:
        return ""
    host = found[1].rstrip(".")
    host = host if host.isascii() else ascii_host(host)
    return host if _is_host(host) and not _is_shared(host) else ""


def _is_host(host: str) -> bool:
    labels = host.split(".")
    is_name = len(labels) > 1 and len(host) <= 253 and all(map(LABEL.match, labels))
    return is_name and _ENDING.fullmatch(labels[-1]) is not None


def _is_shared(host: str) -> bool:
    """Whether others can register names right below it: of such, a name below has one more part."""
    return registrable_domain(f"a.{host}") == f"a.{host}"
