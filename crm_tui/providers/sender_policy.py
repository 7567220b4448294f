"""What a domain's SPF, DKIM and DMARC records say, in words, and how to mend them.

RFC 7208, 6376 and 7489. The records were looked up by `dns`; everything here is pure.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from crm_tui.text import plain_line

_SHOWN = 200
_SPF = re.compile(r"v=spf1(?: |\Z)", re.IGNORECASE)
_SPF_LOOKUP = re.compile(
    r"[+?~-]?(?:include:|exists:|redirect=|(?:a|mx|ptr)(?:[:/]|\Z))", re.IGNORECASE
)
_MOST_LOOKUPS = 10
_SPF_OF_HOSTS = {
    ".google.com": "include:_spf.google.com",
    ".googlemail.com": "include:_spf.google.com",
    ".protection.outlook.com": "include:spf.protection.outlook.com",
    ".messagingengine.com": "include:spf.messagingengine.com",
    ".protonmail.ch": "include:_spf.protonmail.ch",
}
USUAL_SELECTORS = "google selector1 selector2 default mail dkim k1 s1 s2 fm1 protonmail zoho zmail mx key1".split()
_DMARC = re.compile(r"v\s*=\s*DMARC1\s*(?:;|\Z)", re.IGNORECASE)
_DMARC_POLICIES = {
    "none": "asks receivers to let everything through",
    "quarantine": "sends forged mail to the junk folder",
    "reject": "has forged mail refused",
}


@dataclass(frozen=True, slots=True)
class Line:
    """One finding about a sender's domain, in words; `ok` is None where nothing can be told."""

    check: str
    ok: bool | None
    says: str
    fix: str = ""


@dataclass(frozen=True, slots=True)
class SenderPolicy:
    """What receivers can find out about mail from a domain."""

    spf: Line
    dkim: Line
    dmarc: Line

    @property
    def lines(self) -> tuple[Line, Line, Line]:
        """The three of them, in the order they are read."""
        return self.spf, self.dkim, self.dmarc


def is_spf(text: str) -> bool:
    """Whether a TXT record is one of SPF."""
    return _SPF.match(text) is not None


def is_dmarc(text: str) -> bool:
    """Whether a TXT record is one of DMARC."""
    return _DMARC.match(text) is not None


def spf_include(hosts: Sequence[str]) -> str:
    """What the provider whose servers take the domain's mail asks to be named in SPF, or ""."""
    known = (part for end, part in _SPF_OF_HOSTS.items() if hosts and hosts[0].endswith(end))
    return next(known, "")


def not_looked_up(check: str) -> Line:
    """Nothing can be told."""
    return Line(
        check,
        ok=None,
        says=f"{check} could not be looked up.",
        fix="Look again when the network is back.",
    )


def spf_line(domain: str, records: Sequence[str], include: str) -> Line:
    """What the SPF records of a domain come to; `include` is what its provider asks for."""
    at = _shown(domain)
    record = f'"v=spf1 {include or "include:…"} ~all"'
    what = "" if include else ' (your mail provider\'s help says what stands for "…")'
    if not records:
        return Line(
            "SPF",
            ok=False,
            says=f"{at} does not say who may send its mail (no SPF record).",
            fix=f"Add a TXT record at {at}: {record}{what}.",
        )
    if len(records) > 1:
        return Line(
            "SPF",
            ok=False,
            says=f"{at} has {len(records)} SPF records, so receivers heed none.",
            fix=f"Make one TXT record at {at} of all that begin with v=spf1.",
        )
    terms = records[0].lower().split()[1:]
    lookups = sum(_SPF_LOOKUP.match(term) is not None for term in terms)
    if lookups > _MOST_LOOKUPS:
        return Line(
            "SPF",
            ok=False,
            says=f"The SPF record of {at} needs {lookups} lookups; receivers give up after"
            f" {_MOST_LOOKUPS}.",
            fix="Take out the includes of services that no longer send for you.",
        )
    closed = {"-all", "~all"} & set(terms) or any(term.startswith("redirect=") for term in terms)
    if not closed:
        return Line(
            "SPF",
            ok=False,
            says=f"The SPF record of {at} lets anybody send its mail: {_shown(records[0])}",
            fix='Let it end in "~all" (or "-all").',
        )
    return Line("SPF", ok=True, says=f"SPF is set: {_shown(records[0])}")


def dkim_line(domain: str, selector: str, keys: Mapping[str, str], *, none_at_all: bool) -> Line:
    """What the DKIM keys found come to.

    Args:
        domain: The sender's.
        selector: The key that was asked for, if one was.
        keys: The keys by their selectors; an empty one is revoked.
        none_at_all: Whether the domain is known to have none.
    """
    at = _shown(domain)
    valid = [name for name, key in keys.items() if key]
    if valid:
        return Line("DKIM", ok=True, says=f"DKIM is set: {at} has the key {_shown(valid[0])}.")
    switch_on = (
        "Switch DKIM signing on at your mail provider and add the TXT or CNAME record it names"
        f" below _domainkey.{at}."
    )
    if keys:
        name = _shown(next(iter(keys)))
        return Line(
            "DKIM", ok=False, says=f"The DKIM key {name} of {at} is revoked.", fix=switch_on
        )
    if selector:
        says = f"There is no DKIM key {_shown(selector)} at {at}."
        return Line("DKIM", ok=False, says=says, fix=switch_on)
    if none_at_all:
        return Line("DKIM", ok=False, says=f"{at} has no DKIM keys.", fix=switch_on)
    return Line(
        "DKIM",
        ok=None,
        says=f"{at} has none of the usual DKIM keys; there may be one of another name.",
        fix='Send yourself a mail and look in its source for "dkim=pass".',
    )


def dmarc_line(domain: str, found_at: str, records: Sequence[str]) -> Line:
    """What the DMARC records come to that were found at a domain or the one above it."""
    record = f'"v=DMARC1; p=none; rua=mailto:postmaster@{_shown(domain)}"'
    at = _shown(found_at)
    if not records:
        return Line(
            "DMARC",
            ok=False,
            says=f"{at} does not say what to do with forged mail (no DMARC record).",
            fix=f"Add a TXT record at _dmarc.{at}: {record}.",
        )
    if len(records) > 1:
        return Line(
            "DMARC",
            ok=False,
            says=f"_dmarc.{at} has {len(records)} DMARC records, so receivers heed none.",
            fix="Keep one of them.",
        )
    said = tags(records[0])
    policy = said.get("p", "").lower()
    if domain != found_at:
        policy = said.get("sp", policy).lower()
    if policy not in _DMARC_POLICIES:
        return Line(
            "DMARC",
            ok=False,
            says=f"The DMARC record of {at} has no policy that counts: {_shown(records[0])}",
            fix=f"Let it read {record}.",
        )
    return Line("DMARC", ok=True, says=f"DMARC is set: {at} {_DMARC_POLICIES[policy]}.")


def tags(record: str) -> dict[str, str]:
    """The tags of a DKIM or DMARC record (RFC 6376, 3.2)."""
    pairs = (part.partition("=") for part in record.split(";"))
    return {name.strip().lower(): value.strip() for name, equals, value in pairs if equals}


def _shown(text: str) -> str:
    line = plain_line(text)
    return line if len(line) <= _SHOWN else line[: _SHOWN - 1] + "…"
