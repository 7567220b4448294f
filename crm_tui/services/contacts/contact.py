"""What a phone, an e-mail or a web address comes to when it has been read."""

from __future__ import annotations

import re
from dataclasses import dataclass

from crm_tui.vocabulary import ContactKind

MAX_CELL = 4000
"""A cell longer than this holds prose; what stands further back is not read."""

LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)\Z")
"""One part of a host's name."""

_MAX_RAW = 200


@dataclass(frozen=True, slots=True)
class Contact:
    """One normalised phone, e-mail or web address.

    `value` is E.164, a lower-case address or a canonical URL; what was written where not `valid`,
    and then `problem` says why. `domain` is the registrable domain where it names an owner.
    """

    kind: ContactKind
    value: str
    raw: str
    valid: bool = True
    label: str = ""
    person: str = ""
    domain: str = ""
    problem: str = ""


def invalid(kind: ContactKind, raw: str, problem: str) -> Contact:
    """Something that cannot be used as a contact of this kind, and why."""
    kept = raw.strip()[:_MAX_RAW]
    return Contact(kind, kept, kept, valid=False, problem=problem)


def each_once(contacts: list[Contact]) -> list[Contact]:
    """The contacts in their order, the first of those that are equal."""
    if len(contacts) < 2:
        return contacts
    unique: dict[tuple[ContactKind, str], Contact] = {}
    for contact in contacts:
        unique.setdefault((contact.kind, contact.value), contact)
    return list(unique.values())


def ascii_host(host: str) -> str:
    """A host in the letters the DNS knows, in lower case; "" where it cannot be one."""
    from idna import IDNAError, encode  # noqa: PLC0415 - only for the few that need it

    try:
        return encode(host, uts46=True).decode("ascii")  # as browsers do: "straße" is no "strasse"
    except IDNAError:
        return ""
