"""Reading back from a page whose it is: name, phone, e-mail and address, as far as it says.

The pages come from elsewhere and may be broken, huge or hostile. What is read is plain text of
bounded length, not yet normalised, and never trusted to be more than a proposal.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any
from urllib.parse import unquote

from crm_tui.services.sites.facts import LONGEST_NAME, plain
from crm_tui.text import fold

# Enough for any real page once its inlined images and styles are left out; parsing time on
# hostile markup grows with the square of the length.
READ_MAX = 200_000
_NODES_MAX = 2_000
_SPAN_MAX = 4_000

_INLINED = re.compile(r"data:[\w.+-]{1,40}/[\w.+-]{1,40};base64,[A-Za-z0-9+/=\s]+")
_STYLES = re.compile(r"<style\b[^>]{0,200}>[^<]*</style>", re.IGNORECASE)
_TITLE_SEPARATORS = re.compile(r"\s+[|\u2013\u2014\u00b7\u2022:-]\s+|\s*[|\u2022\u00bb]\s*")
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")
_GENERIC_TITLES = {
    "", "contact", "document", "home", "home page", "homepage", "index", "my site", "new page",
    "preview", "site", "start", "title", "untitled", "untitled document", "website", "welcome",
}  # fmt: skip
_GENERIC_TYPES = {"business", "corporation", "local business", "organization", "place", "thing"}
_BREAKS = {"br", "div", "li", "p"}


@dataclass(frozen=True, slots=True)
class PageFacts:
    """What a page says about its business; what it does not say is empty.

    Attributes:
        phones: As written, the first one first.
        address: In words, where the page has it in one piece; the parts where it tells them apart.
        country: As written: a name or a code.
    """

    name: str = ""
    category: str = ""
    phones: tuple[str, ...] = ()
    emails: tuple[str, ...] = ()
    address: str = ""
    street: str = ""
    city: str = ""
    region: str = ""
    postal_code: str = ""
    country: str = ""


def read_page(html: str, slug: str = "") -> PageFacts:
    """The business a page is about, from JSON-LD, headings, links and the address element.

    Args:
        html: The page, however broken.
        slug: The last part of its address, which settles between possible names and is the last
            resort for one.
    """
    reader = _Reader()
    text = _STYLES.sub("", _INLINED.sub("data:", html))[:READ_MAX]
    # The parser looks for the end of every tag; after the last ">" it would look in vain.
    reader.feed(text[: text.rfind(">") + 1])
    reader.close()
    found = reader.found
    business = next(_businesses(found.scripts), {})
    address = business.get("address")
    parts = address if isinstance(address, dict) else {}
    country = parts.get("addressCountry")
    return PageFacts(
        name=_line(business.get("name")) or _name(found, slug),
        category=_category(business.get("@type")),
        phones=_unique([*_texts(business.get("telephone")), *found.phones]),
        emails=_unique([*_texts(business.get("email")), *found.emails]),
        address=_line(address) or ("" if parts else _first(found.addresses)),
        street=_line(parts.get("streetAddress")),
        city=_line(parts.get("addressLocality")),
        region=_line(parts.get("addressRegion")),
        postal_code=_line(parts.get("postalCode")),
        country=_line(country.get("name") if isinstance(country, dict) else country),
    )


@dataclass(slots=True)
class _Found:
    titles: list[str] = field(default_factory=list)
    headings: list[str] = field(default_factory=list)
    addresses: list[str] = field(default_factory=list)
    scripts: list[str] = field(default_factory=list)
    site_names: list[str] = field(default_factory=list)
    phones: list[str] = field(default_factory=list)
    emails: list[str] = field(default_factory=list)


class _Reader(HTMLParser):
    """Collects the few elements that name a business."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found = _Found()
        self._wanted = {
            "title": self.found.titles,
            "h1": self.found.headings,
            "address": self.found.addresses,
        }
        self._inside = ""
        self._into: list[str] = []
        self._text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note a link or a name, or begin to collect an element's text."""
        values = {name: value or "" for name, value in attrs}
        if self._inside and tag in _BREAKS:
            self._break()
        elif tag == "a":
            scheme, _, target = values.get("href", "").strip().partition(":")
            target = unquote(target.partition("?")[0])
            if scheme.lower() == "tel":
                self.found.phones.append(target)
            elif scheme.lower() == "mailto":
                self.found.emails.append(target)
        elif tag == "meta" and values.get("property") == "og:site_name":
            self.found.site_names.append(values.get("content", ""))
        elif tag == "script" and values.get("type", "").strip().lower() == "application/ld+json":
            self._begin(tag, self.found.scripts)
        elif tag in self._wanted and not self._inside:
            self._begin(tag, self._wanted[tag])

    def handle_endtag(self, tag: str) -> None:
        """End the collecting of an element's text."""
        if self._inside and tag == self._inside:
            self._end()
        elif self._inside and tag in _BREAKS:
            self._break()

    def handle_data(self, data: str) -> None:
        """Collect text inside a wanted element."""
        if self._inside:
            self._text.append(data)

    def close(self) -> None:
        """Take what an element that never ended has collected."""
        super().close()
        if self._inside:
            self._end()

    def _begin(self, tag: str, into: list[str]) -> None:
        self._inside, self._into, self._text = tag, into, []

    def _break(self) -> None:
        self._text.append(", " if self._inside == "address" else " ")

    def _end(self) -> None:
        self._into.append("".join(self._text))
        self._inside = ""


def _businesses(scripts: list[str]) -> Iterator[dict[str, Any]]:
    """The objects in JSON-LD that read like a business, in the order of the page."""
    for script in scripts:
        try:
            waiting = [json.loads(script)]
        except (ValueError, RecursionError):
            continue
        for _ in range(_NODES_MAX):
            if not waiting:
                break
            node = waiting.pop(0)
            if isinstance(node, list):
                waiting[:0] = node[:_NODES_MAX]
            elif isinstance(node, dict):
                kinds = " ".join(_texts(node.get("@type")))
                reachable = node.get("telephone") or node.get("address") or node.get("email")
                if _line(node.get("name")) and (reachable or "Business" in kinds):
                    yield node
                waiting += [value for value in node.values() if isinstance(value, dict | list)]


def _name(found: _Found, slug: str) -> str:
    """The likeliest name among site name, title and heading: the one most like the slug."""
    named = [_line(name) for name in found.site_names[:1]]
    pieces = _TITLE_SEPARATORS.split(_first(found.titles))
    named += [_line(piece) for piece in [*pieces[:20], _first(found.headings)]]
    named = [name for name in named if fold(name) not in _GENERIC_TITLES]
    words = set(slug.lower().split("-"))
    if named:
        return max(named, key=lambda name: len(words & set(re.findall(r"[a-z0-9]+", fold(name)))))
    return _line(slug.replace("-", " ").replace("_", " ").title())


def _category(kinds: Any) -> str:
    """A schema.org type in words: HairSalon → "Hair salon"; empty for one that says nothing."""
    for kind in _texts(kinds):
        words = _CAMEL.sub(" ", _line(kind).rpartition("/")[2]).capitalize()
        if words.lower() not in _GENERIC_TYPES:
            return words
    return ""


def _texts(value: Any) -> list[str]:
    values = value[:20] if isinstance(value, list) else [value]
    return [text for each in values if (text := _line(each))]


def _line(value: Any) -> str:
    return plain(value[:_SPAN_MAX], LONGEST_NAME) if isinstance(value, str) else ""


def _first(texts: list[str]) -> str:
    return next((line for text in texts[:20] if (line := _line(text).strip(" ,"))), "")


def _unique(texts: list[str]) -> tuple[str, ...]:
    lines = (_line(text).removeprefix("tel:").removeprefix("mailto:") for text in texts[:40])
    return tuple(dict.fromkeys(line for line in lines if line))
