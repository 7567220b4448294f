"""What the names in an e-mail address tell: that it is nobody's, a desk's or a machine's."""

from __future__ import annotations

import re

from crm_tui.services.hosts import is_free_mail, under, without_reserved_ending

EXAMPLE_DOMAINS = frozenset({"example.com", "example.org", "example.net"})
FILE_ENDINGS = frozenset(
    "png jpg jpeg gif svg webp avif ico bmp css js json pdf mp4 mp3 woff woff2 ttf html".split()
)
"""What ends the name of a file rather than a domain ("logo@2x.png")."""

_PLACEHOLDER_NAMES = frozenset(
    """
    example user username name firstname lastname yourname your-name your.name you youremail
    your-email email e-mail mail mymail
    """.split()
)
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
# Names of a form's hint that stand for somebody at any domain.
_TEMPLATE_NAME = re.compile(
    r"(?:your?|my)[._-]?(?:e?-?mail|name|address|account)|your|"
    r"(?:first|last|sur|user|full)[._-]?name(?:[._-]?(?:last|sur)[._-]?name)?|vorname(?:[._-]nachname)?|"
    r"(?:some|any)(?:one|body)|example|sample|placeholder|name|user|"
    r"test(?:e?mail|ing|er|user)?|asdf+|x{3,9}|lorem|ipsum"
)
_PROVIDERS_IN_HINTS = frozenset({"email.com", "mail.com"})
_HASH = re.compile(r"[0-9a-f]{24,}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")

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
# Names that RFC 2142 and custom keep for machines, for those who run a network, and for complaints.
_MACHINE_NAME = re.compile(
    r"(?:no|do-?not|dont|never)[._-]?(?:reply|respond|answer)|keine?[._-]?antwort|nepasrepondre|"
    r"mailer[._-]?daemon|daemon|bounces|root|nobody|null|devnull|listserv|majordomo|mailman|"
    r"(?:auto|system)[._-]?(?:mail|reply|mailer)|notifications?|alerts?|unsubscribe|"
    r"abuse|postmaster|hostmaster|noc|usenet|uucp|ftp|spam|spamtrap|honeypot|phishing|dmarc|"
    r"privacy|gdpr|dpo|dsgvo|datenschutz|dmca"
)


def placeholder(local: str, host: str) -> str:
    """Why an address on a page is nobody's, in words; "" if it may be somebody's."""
    host = without_reserved_ending(host)
    if host in _PLACEHOLDER_DOMAINS or (host in EXAMPLE_DOMAINS and local in _PLACEHOLDER_NAMES):
        return "a placeholder, not somebody's address"
    if under(host, _FOREIGN_DOMAINS) or f"{local}@{host}" in _FOREIGN_ADDRESSES:
        return "left in the page by its tools, not the business's address"
    return ""


def is_template_name(local: str, host: str) -> bool:
    """Whether the name stands in a form's hint ("your-email@…", "name@email.com").

    Stricter than `placeholder`: what may be kept as an address is not for that written to.
    """
    if host in _PROVIDERS_IN_HINTS and local in _PLACEHOLDER_NAMES:
        return True
    return _TEMPLATE_NAME.fullmatch(local) is not None


def is_hash(local: str) -> bool:
    """Whether the name is a key of a program's, such as error trackers have for addresses."""
    return _HASH.fullmatch(local) is not None


def is_machine_name(local: str) -> bool:
    """Whether nobody reads the address for business: noreply@, abuse@, postmaster@."""
    return _MACHINE_NAME.fullmatch(local.partition("+")[0]) is not None


def is_role_address(address: str) -> bool:
    """Whether an address names a desk ("info@…"), which many businesses of one owner share."""
    return address.partition("@")[0] in _ROLE_NAMES


def is_role_or_shared_address(address: str) -> bool:
    """Whether an address says nothing about which business it belongs to."""
    return is_role_address(address) or is_free_mail(address.rpartition("@")[2])
