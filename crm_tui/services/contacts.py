"""Phones, e-mails and web addresses as people write them, made comparable.

Everything here is pure and never raises on what a stranger wrote: what cannot be used comes back
with `valid` false and the problem in words.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache, lru_cache
from urllib.parse import parse_qs, quote, unquote, urlsplit

import phonenumbers

from crm_tui.services.hosts import (
    is_free_mail,
    is_site_builder_host,
    is_social_host,
    registrable_domain,
    without_reserved_ending,
)
from crm_tui.vocabulary import ContactKind


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


# A cell longer than this holds prose; what stands further back is not read.
_MAX_CELL = 4000
_MAX_RAW = 200


def _invalid(kind: ContactKind, raw: str, problem: str) -> Contact:
    kept = raw.strip()[:_MAX_RAW]
    return Contact(kind, kept, kept, valid=False, problem=problem)


# Phones ------------------------------------------------------------------------------------------

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
        return _invalid(ContactKind.PHONE, raw, "too short for a phone number")
    for attempt in _spellings(text, digits):
        try:
            number = phonenumbers.parse(attempt, region)
        except phonenumbers.NumberParseException:
            continue
        if phonenumbers.is_valid_number(number):
            e164 = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
            label = f"ext. {number.extension}" if number.extension else ""
            return Contact(ContactKind.PHONE, e164, raw, label=label)
    return _invalid(ContactKind.PHONE, raw, f"not a phone number in {region or 'any country'}")


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
    text = raw[:_MAX_CELL].strip()
    return _each_once(_split_phones(text, region, 0)) if text else []


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


def _each_once(contacts: list[Contact]) -> list[Contact]:
    if len(contacts) < 2:
        return contacts
    unique: dict[tuple[ContactKind, str], Contact] = {}
    for contact in contacts:
        unique.setdefault((contact.kind, contact.value), contact)
    return list(unique.values())


# E-mail ------------------------------------------------------------------------------------------

_WORD = re.compile(r"""[^\s<>(),;:"\[\]|/\\]+""")
_SIMPLE_EMAIL = re.compile(r"[a-z0-9]+(?:[._+-][a-z0-9]+)*@([a-z0-9-]+(?:\.[a-z0-9-]+)+)\Z")
_LOCAL_PART = re.compile(r"[^\x00-\x20\x7f.](?:\.?[^\x00-\x20\x7f.]+)*\Z")
_LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)\Z")
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
    words = [word for word in _WORD.finditer(text[:_MAX_CELL]) if "@" in word[0].strip("@")]
    if not words:
        return [_invalid(ContactKind.EMAIL, text, "not an e-mail address")]
    contacts = []
    for word in words:
        named = _PERSON_BEFORE.search(text, max(word.start() - 90, 0), word.start())
        person = named[1].strip() if named else ""
        if contact := _address(word[0].partition("?")[0], word[0], person):
            contacts.append(contact)
    return _each_once(contacts)


def _address(text: str, raw: str, person: str = "") -> Contact | None:
    local, _, host = text.rpartition("@")
    host = host.strip(".'-").lower()
    local = _SCRAPED_PREFIX.sub("", local.strip("'").lower(), count=1)
    ending = host.rpartition(".")[2]
    if ending in _FILE_ENDINGS:
        return None
    if not host.isascii():
        host = _ascii_host(host) or host
    labels = host.split(".")
    if not all(map(_LABEL.match, labels)) or len(labels) < 2 or len(host) > 253:
        return _invalid(ContactKind.EMAIL, raw, "the part after @ is not a domain")
    if ending.isdigit() or len(local) > 64 or not _LOCAL_PART.match(local):
        return _invalid(ContactKind.EMAIL, raw, "not an e-mail address")
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


# Web addresses -----------------------------------------------------------------------------------

_PLAIN_URL = re.compile(
    r"(https?)://([a-z0-9-]+(?:\.[a-z0-9-]+)*\.[a-z]{2,24})(/[\w./~-]*)?\Z", re.ASCII
)
_SCHEME = re.compile(r"([a-z][a-z0-9+.-]*):(?://)?", re.IGNORECASE)
_REDIRECTS = {"google.com": ("q", "url"), "facebook.com": ("u",), "instagram.com": ("u",)}
_REDIRECT_PATHS = frozenset({"/url", "/l.php", "/"})
_TRACKING = re.compile(
    r"(?:utm_\w*|gclid|gbraid|wbraid|dclid|fbclid|msclkid|yclid|igshid|igsh|mc_cid|mc_eid|_gl|_ga"
    r"|srsltid|y_source|cm_mmc|ref_src|__tn__|hsa_\w+|si)\Z",
    re.IGNORECASE,
)
_MAX_URL = 2000
_URL_SEPARATORS = re.compile(r"[\s;|]+|,(?=\s|https?:|www\.)")


def website(raw: str) -> Contact | None:
    """One web address as a canonical URL; None for an empty text.

    The kind is SOCIAL where the page stands on a network, a directory or a site builder's own
    name, and WEBSITE where the host is the owner's. The scheme is https where none was written,
    the host is in lower case and ASCII, tracking parameters and the fragment are gone, and links
    through Google's or Facebook's redirect lead where they point.
    """
    text = raw.strip().strip("<>\"'")
    if not text:
        return None
    plain = _PLAIN_URL.match(text)
    if plain:
        return _of_host(plain[2], text if plain[3] else text + "/", raw)
    return _website(text, raw, redirects=2)


def websites(raw: str) -> list[Contact]:
    """Every web address of a cell, in its order, each once."""
    pieces = [piece for piece in _URL_SEPARATORS.split(raw[:_MAX_CELL]) if piece]
    if len(pieces) > 1 and all("." in piece for piece in pieces):
        return _each_once([found for piece in pieces if (found := website(piece))])
    found = website(raw)
    return [found] if found else []


def _website(text: str, raw: str, *, redirects: int) -> Contact:
    scheme = _SCHEME.match(text)
    if scheme and not scheme[0].endswith("//") and "." in scheme[1]:
        scheme = None  # "acme.com:8080" has a port, not a scheme
    if scheme and scheme[1].lower() not in {"http", "https"}:
        return _invalid(ContactKind.WEBSITE, raw, f"{scheme[1]}: is not a web address")
    protocol = scheme[1].lower() if scheme else "https"
    rest = text[scheme.end() :] if scheme else text
    try:
        parts = urlsplit(f"{protocol}://{rest.lstrip('/')}")
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return _invalid(ContactKind.WEBSITE, raw, "not a web address")
    host = host.rstrip(".")
    host = host if host.isascii() else _ascii_host(host)
    labels = host.split(".")
    if not all(map(_LABEL.match, labels)) or len(labels) < 2 or len(text) > _MAX_URL:
        return _invalid(ContactKind.WEBSITE, raw, "not a web address")
    if "@" in parts.netloc:
        return _invalid(ContactKind.WEBSITE, raw, "an e-mail address, not a web address")
    path, query = _unescaped_query(parts.path, parts.query)
    target = _redirect_target(host, path, query) if redirects else ""
    if target:
        return _website(target, raw, redirects=redirects - 1)
    kept = "&".join(
        pair for pair in query.split("&") if pair and not _TRACKING.match(pair.partition("=")[0])
    )
    shown_port = f":{port}" if port not in {None, 80, 443} else ""
    safe_path = quote(path or "/", safe="/%:@!$&'()*+,;=~-._")
    safe_query = "?" + quote(kept, safe="/%:@!$&'()*+,;=~-._?") if kept else ""
    return _of_host(host, f"{protocol}://{host}{shown_port}{safe_path}{safe_query}", raw)


def _of_host(host: str, url: str, raw: str) -> Contact:
    if is_social_host(host) or is_site_builder_host(host):
        return Contact(ContactKind.SOCIAL, url, raw)
    return Contact(ContactKind.WEBSITE, url, raw, domain=registrable_domain(host))


def _unescaped_query(path: str, query: str) -> tuple[str, str]:
    """Undo what some listings do to "?utm_source=…": the question mark itself is escaped."""
    head, mark, tail = path.partition("%3F")
    if mark and not query and "%3D" in tail:
        return head, unquote(tail)
    return path, query


def _redirect_target(host: str, path: str, query: str) -> str:
    names = _REDIRECTS.get(registrable_domain(host), ())
    if not names or path not in _REDIRECT_PATHS:
        return ""
    parameters = parse_qs(query)
    for name in names:
        for target in parameters.get(name, ()):
            if target.startswith(("http://", "https://")):
                return target
    return ""


def _ascii_host(host: str) -> str:
    try:
        return host.encode("idna").decode("ascii").lower()
    except UnicodeError:
        return ""


def _host(url: str) -> str:
    try:
        return (urlsplit(url if "//" in url else f"//{url}").hostname or "").rstrip(".")
    except ValueError:
        return ""


def is_social(url: str) -> bool:
    """Whether a page belongs to a network, a directory or another platform."""
    return is_social_host(_host(url))


def is_site_builder(url: str) -> bool:
    """Whether a page stands under a site builder's own name."""
    return is_site_builder_host(_host(url))
