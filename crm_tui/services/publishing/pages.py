"""The page the public gets: the preview, unlisted, and with the way to keep it while it is offered.

The preview itself knows nothing of an offer: it is made of facts and texts alone. What is put into
the public page stands between two comments, so that it can be taken out again.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from html import escape
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

_ROBOTS = re.compile(r"<meta\b[^>]*\bname\s*=\s*[\"']?robots\b", re.IGNORECASE)
_HEAD = re.compile(r"<head(?:\s[^>]*)?>", re.IGNORECASE)
_BEFORE = re.compile(r"\s*(?:<!doctype[^>]*>)?\s*(?:<html(?:\s[^>]*)?>)?", re.IGNORECASE)
"""What may stand before a head that was left out: perhaps nothing."""

_UNLISTED = '<meta name="robots" content="noindex, nofollow">'

_BEGIN, _END = "<!-- offer -->", "<!-- /offer -->"
_OFFER = re.compile(re.escape(_BEGIN) + ".*?" + re.escape(_END) + r"\n?", re.DOTALL)
_NOTICE = re.compile(r'<aside class="notice"')
_BODY = re.compile(r"<body(?:\s[^>]*)?>", re.IGNORECASE)
_STYLE = """<style>
.crm-offer { display: flex; flex-wrap: wrap; gap: .35rem 1rem; align-items: center;
  justify-content: center; padding: .45rem 1.25rem; text-align: center;
  background: var(--page, #fff); color: var(--ink, #1a1a1a);
  border-bottom: 1px solid var(--line, #d5d5d5);
  font: 500 .9375rem/1.4 -apple-system, "Segoe UI", Roboto, "Helvetica Neue", "Liberation Sans",
    Arial, sans-serif; }
.crm-offer p { margin: 0; }
.crm-offer a { display: inline-block; padding: .65rem 1.1rem; border-radius: .4rem;
  background: var(--deep, #1f2933); color: var(--on-deep, #fff); text-decoration: none;
  font-weight: 600; }
.crm-offer a:hover { text-decoration: underline; }
.crm-offer a:focus-visible { outline: 3px solid currentColor; outline-offset: 3px; }
.crm-offer small { font-size: inherit; font-weight: 400; color: var(--muted, #555); }
@media print { .crm-offer { display: none !important; } }
</style>"""
_PRIVATE = frozenset({"prefilled_email"})
"""What an address says that is nobody else's business."""


@dataclass(frozen=True, slots=True)
class Offer:
    """The way to keep a site.

    Attributes:
        link_id: the payment link.
        url: where it can be paid.
        price: what it costs, in words.
    """

    link_id: int
    url: str
    price: str


def public_page(html: str, offer: Offer | None = None) -> str:
    """A site's page as it is published.

    Pages made here say themselves that they are a preview and not to be listed. One that was
    imported gets the latter where it says nothing of it: nobody has agreed yet to be found there.
    """
    if not _ROBOTS.search(html):
        before = _HEAD.search(html) or _BEFORE.match(html)
        place = before.end() if before else 0
        html = f"{html[:place]}\n{_UNLISTED}{html[place:]}"
    return html if offer is None else with_offer(html, offer)


def with_offer(html: str, offer: Offer | None) -> str:
    """A public page with this offer in the place of the one it has; None takes it out."""
    html = _OFFER.sub("", html)
    if offer is None:
        return html
    bar = (
        f'{_BEGIN}{_STYLE}\n<aside class="crm-offer" lang="en" aria-label="Your website">'
        "<p>This is your site.</p> "
        f'<a href="{escape(_for_everybody(offer.url))}" rel="nofollow noopener">Keep it</a> '
        f"<small>{escape(offer.price)}</small></aside>{_END}\n"
    )
    if notice := _NOTICE.search(html):
        place = notice.start()
    elif body := _BODY.search(html):
        place = body.end()
    else:
        return html + bar
    return f"{html[:place]}{bar}{html[place:]}"


def _for_everybody(url: str) -> str:
    """An address without what it says of the payer."""
    parts = urlsplit(url)
    said = parse_qsl(parts.query, keep_blank_values=True)
    return urlunsplit(parts._replace(query=urlencode([s for s in said if s[0] not in _PRIVATE])))
