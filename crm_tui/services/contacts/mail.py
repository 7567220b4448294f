"""E-mail addresses as people and pages write them."""

from __future__ import annotations

import re

from crm_tui.services.contacts.contact import (
    LABEL,
    MAX_CELL,
    Contact,
    ascii_host,
    each_once,
    invalid,
)
from crm_tui.services.contacts.mail_names import EXAMPLE_DOMAINS, FILE_ENDINGS, placeholder
from crm_tui.services.hosts import is_free_mail, registrable_domain
from crm_tui.vocabulary import ContactKind

_WORD = re.compile(r"""[^\s<>(),;:"\[\]|/\\]+""")
_SIMPLE_EMAIL = re.compile(r"[a-z0-9]+(?:[._+-][a-z0-9]+)*@([a-z0-9-]+(?:\.[a-z0-9-]+)+)\Z")
_LOCAL_PART = re.compile(r"[^\x00-\x20\x7f.](?:\.?[^\x00-\x20\x7f.]+)*\Z")
_PERSON_BEFORE = re.compile(r'([^"<>@,;]{1,80})"?\s{0,3}<\Z')
_MAILTO = re.compile(r"mailto:", re.IGNORECASE)
# Scrapers keep what stood before the address in the page's source.
_SCRAPED_PREFIX = re.compile(r"(?:%20|%22|%3c|\\?u003[ce]|&lt;)+", re.IGNORECASE)


def email(raw: str) -> Contact | None:
    """One e-mail address; None where the text is empty or only looks like one (a picture's name).

    A name before the address ("Joe Doe <joe@acme.com>") becomes the person.
    """
    found = emails(raw)
    return found[0] if found else None


def emails(raw: str) -> list[Contact]:
    """Every e-mail address of a cell, in its order, each once; empty for an empty cell."""
    text = raw.strip()
    if not text:
        return []
    simple = _SIMPLE_EMAIL.match(text)
    if simple:
        contact = _address(text, text)
        return [contact] if contact else []
    text = _MAILTO.sub("", text)
    words = [word for word in _WORD.finditer(text[:MAX_CELL]) if "@" in word[0].strip("@")]
    if not words:
        return [invalid(ContactKind.EMAIL, text, "not an e-mail address")]
    contacts = []
    for word in words:
        named = _PERSON_BEFORE.search(text, max(word.start() - 90, 0), word.start())
        person = named[1].strip() if named else ""
        if contact := _address(word[0].partition("?")[0], word[0], person):
            contacts.append(contact)
    return each_once(contacts)


def _address(text: str, raw: str, person: str = "") -> Contact | None:
    local, _, host = text.rpartition("@")
    host = host.strip(".'-").lower()
    local = _SCRAPED_PREFIX.sub("", local.strip("'").lower(), count=1)
    ending = host.rpartition(".")[2]
    if ending in FILE_ENDINGS:
        return None
    if not host.isascii():
        host = ascii_host(host) or host
    labels = host.split(".")
    if not all(map(LABEL.match, labels)) or len(labels) < 2 or len(host) > 253:
        return invalid(ContactKind.EMAIL, raw, "the part after @ is not a domain")
    if ending.isdigit() or len(local) > 64 or not _LOCAL_PART.match(local):
        return invalid(ContactKind.EMAIL, raw, "not an e-mail address")
    address = f"{local}@{host}"
    if problem := placeholder(local, host):
        return Contact(ContactKind.EMAIL, address, raw, valid=False, person=person, problem=problem)
    names_nobody = is_free_mail(host) or host in EXAMPLE_DOMAINS
    domain = "" if names_nobody else registrable_domain(host)
    return Contact(ContactKind.EMAIL, address, raw, person=person, domain=domain)
