"""Web addresses as people and listings write them."""

from __future__ import annotations

import re
from urllib.parse import parse_qs, quote, unquote, urlsplit

from crm_tui.services.contacts.contact import (
    LABEL,
    MAX_CELL,
    Contact,
    ascii_host,
    each_once,
    invalid,
)
from crm_tui.services.hosts import is_site_builder_host, is_social_host, registrable_domain
from crm_tui.vocabulary import ContactKind

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
    pieces = [piece for piece in _URL_SEPARATORS.split(raw[:MAX_CELL]) if piece]
    if len(pieces) > 1 and all("." in piece for piece in pieces):
        return each_once([found for piece in pieces if (found := website(piece))])
    found = website(raw)
    return [found] if found else []


def _website(text: str, raw: str, *, redirects: int) -> Contact:
    scheme = _SCHEME.match(text)
    if scheme and not scheme[0].endswith("//") and "." in scheme[1]:
        scheme = None  # "acme.com:8080" has a port, not a scheme
    if scheme and scheme[1].lower() not in {"http", "https"}:
        return invalid(ContactKind.WEBSITE, raw, f"{scheme[1]}: is not a web address")
    protocol = scheme[1].lower() if scheme else "https"
    rest = text[scheme.end() :] if scheme else text
    try:
        parts = urlsplit(f"{protocol}://{rest.lstrip('/')}")
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return invalid(ContactKind.WEBSITE, raw, "not a web address")
    host = host.rstrip(".")
    host = host if host.isascii() else ascii_host(host)
    labels = host.split(".")
    if not all(map(LABEL.match, labels)) or len(labels) < 2 or len(text) > _MAX_URL:
        return invalid(ContactKind.WEBSITE, raw, "not a web address")
    if "@" in parts.netloc:
        return invalid(ContactKind.WEBSITE, raw, "an e-mail address, not a web address")
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
