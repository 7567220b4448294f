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
from crm_tui.services.hosts import is_free_mail, registrable_domain, without_reserved_ending
from crm_tui.vocabulary import ContactKind

_WORD = re.compile(r"""[^\s<>(),;:"\[\]|/\\]+""")
_SIMPLE_EMAIL = re.compile(r"[a-z0-9]+(?:[._+-][a-z0-9]+)*@([a-z0-9-]+(?:\.[a-z0-9-]+)+)\Z")
_LOCAL_PART = re.compile(r"[^\x00-\x20\x7f.](?:\.?[^\x00-\x20\x7f.]+)*\Z")
_PERSON_BEFORE = re.compile(r'([^"<>@,;]{1,80})"?\s{0,3}<\Z')
_MAILTO = re.compile(r"mailto:", re.IGNORECASE)
# Scrapers keep what stood before the address in the page's source.
_SCRAPED_PREFIX = re.compile(r"(?:%20|%22|%3c|\\?u003[ce]|&lt;)+", re.IGNORECASE)
_FILE_ENDINGS = frozenset(
    "png jpg jpeg gif svg webp avif ico bmp css js json pdf mp4 mp3 woff woff2 ttf html".split()
)
_PLACEHOLDER_NAMES = frozenset(
    """
    example user username name firstname lastname yourname your-name your.name you youremail
    your-email email e-mail mail mymail
    """.split()
)
_EXAMPLE_DOMAINS = frozenset({"example.com", "example.org", "example.net"})
_PLACEHOLDER_DOMAINS = frozenset(
    """
    domain.com domain.tld mydomain.com yourdomain.com your-domain.com yoursite.com mysite.com
    yourwebsite.com website.com site.com company.com yourcompany.com mycompany.com email.tld
    demo.com test.com address.com mailservice.com
    """.split()
)
# What page builders, error trackers and typefaces leave in the source of a page.
_FOREIGN_DOMAINS = frozenset(
    """
    sentry.io ingest.sentry.io sentry.wixpress.com sentry-next.wixpress.com wixpress.com
    latofonts.com rfuenzalida.com indiantypefoundry.com sansoxygen.com astigmatic.com eyebytes.com
    pixelspread.com
    """.split()
)
_FOREIGN_ADDRESSES = frozenset(
    """
    impallari@gmail.com jonpinhorn.typedesign@gmail.com amkryukov@gmail.com
    milenabbrandao@gmail.com filler@godaddy.com business@support.com
    """.split()
)
_ROLE_NAMES = frozenset(
    """
    info information office contact contactus contact-us hello hi mail email admin administrator
    webmaster postmaster hostmaster sales support service services customerservice help helpdesk
    enquiries enquiry inquiries inquiry team staff billing accounts accounting booking bookings
    reservations reservation reception frontdesk orders order shop store jobs careers hr press
    marketing media news newsletter feedback general kontakt buero anfrage verkauf rezeption
    contacto ventas ayuda reservas accueil contactez commande ufficio prenotazioni noreply no-reply
    """.split()
)


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
    if ending in _FILE_ENDINGS:
        return None
    if not host.isascii():
        host = ascii_host(host) or host
    labels = host.split(".")
    if not all(map(LABEL.match, labels)) or len(labels) < 2 or len(host) > 253:
        return invalid(ContactKind.EMAIL, raw, "the part after @ is not a domain")
    if ending.isdigit() or len(local) > 64 or not _LOCAL_PART.match(local):
        return invalid(ContactKind.EMAIL, raw, "not an e-mail address")
    address = f"{local}@{host}"
    if problem := _placeholder(local, host):
        return Contact(ContactKind.EMAIL, address, raw, valid=False, person=person, problem=problem)
    names_nobody = is_free_mail(host) or host in _EXAMPLE_DOMAINS
    domain = "" if names_nobody else registrable_domain(host)
    return Contact(ContactKind.EMAIL, address, raw, person=person, domain=domain)


def _placeholder(local: str, host: str) -> str:
    host = without_reserved_ending(host)
    if host in _PLACEHOLDER_DOMAINS or (host in _EXAMPLE_DOMAINS and local in _PLACEHOLDER_NAMES):
        return "a placeholder, not somebody's address"
    if host in _FOREIGN_DOMAINS or f"{local}@{host}" in _FOREIGN_ADDRESSES:
        return "left in the page by its tools, not the business's address"
    return ""


def is_role_address(address: str) -> bool:
    """Whether an address names a desk ("info@…"), which many businesses of one owner share."""
    return address.partition("@")[0] in _ROLE_NAMES


def is_role_or_shared_address(address: str) -> bool:
    """Whether an address says nothing about which business it belongs to."""
    return is_role_address(address) or is_free_mail(address.rpartition("@")[2])
