"""Slugs: the name of a site in its address and of its file, from an allow-list."""

from __future__ import annotations

import hashlib
import re

LONGEST, LONGEST_KEPT = 60, 100
SUFFIX = 6

_ALPHABET = "abcdefghijkmnpqrstuvwxyz23456789"
_SAFE = re.compile(r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\Z")
_OTHER = re.compile(r"[^a-z0-9]+")

# Names that mean a device on Windows, or a place of their own in a folder of sites.
_DEVICES = {"aux", "con", "nul", "prn"} | {f"{p}{n}" for p in ("com", "lpt") for n in range(1, 10)}
_PLACES = {"admin", "api", "assets", "favicon", "index", "robots", "sitemap", "site", "sites"}
RESERVED = frozenset(_DEVICES | _PLACES | {"static", "www"})


def make_slug(name: str, city: str, key: str) -> str:
    """A new site's slug: name, city, and a suffix nobody can guess.

    The suffix comes from the business's key, a random UUID that is never shown, so the same
    business gets the same slug and a stranger cannot find previews by trying names.
    """
    suffix = token(key)
    words = _words(name)
    place = _words(city)
    if place and not f"-{words}-".endswith(f"-{place}-"):
        words = f"{words}-{place}".strip("-")
    return f"{_cut(words, LONGEST - SUFFIX - 1) or 'site'}-{suffix}"


def clean_slug(old: str) -> str:
    """A slug from elsewhere as a safe one; unchanged where it is safe already."""
    if is_safe(old):
        return old
    words = _cut(_words(old), LONGEST_KEPT)
    if words in RESERVED:
        words += "-page"
    return words if is_safe(words) else f"site-{token(old)}"


def is_safe(slug: str) -> bool:
    """Whether a slug can name a file and an address: a-z, 0-9 and hyphens within, up to 100."""
    return len(slug) <= LONGEST_KEPT and _SAFE.match(slug) is not None and slug not in RESERVED


def token(secret: str) -> str:
    """Six characters that depend on all of `secret`; none of them looks like another."""
    digest = hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()
    return "".join(_ALPHABET[byte % len(_ALPHABET)] for byte in digest[:SUFFIX])


def _words(text: str) -> str:
    if not text.isascii():
        from anyascii import anyascii  # noqa: PLC0415 - only names in other scripts need its tables

        text = anyascii(text)
    return _OTHER.sub("-", text.lower().replace("'", "")).strip("-")


def _cut(words: str, limit: int) -> str:
    if len(words) <= limit:
        return words
    whole, _, _ = words[: limit + 1].rpartition("-")
    return (whole or words[:limit]).strip("-")
