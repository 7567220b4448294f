"""The page the public gets: the preview as it is, and never one that search engines list."""

from __future__ import annotations

import re

_ROBOTS = re.compile(r"<meta\b[^>]*\bname\s*=\s*[\"']?robots\b", re.IGNORECASE)
_HEAD = re.compile(r"<head(?:\s[^>]*)?>", re.IGNORECASE)
_BEFORE = re.compile(r"\s*(?:<!doctype[^>]*>)?\s*(?:<html(?:\s[^>]*)?>)?", re.IGNORECASE)
"""What may stand before a head that was left out: perhaps nothing."""

_UNLISTED = '<meta name="robots" content="noindex, nofollow">'


def public_page(html: str) -> str:
    """A site's page as it is published.

    Pages made here say themselves that they are a preview and not to be listed. One that was
    imported gets the latter where it says nothing of it: nobody has agreed yet to be found there.
    """
    if _ROBOTS.search(html):
        return html
    before = _HEAD.search(html) or _BEFORE.match(html)
    place = before.end() if before else 0
    return f"{html[:place]}\n{_UNLISTED}{html[place:]}"
