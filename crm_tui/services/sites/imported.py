"""Pages that came from elsewhere: kept as they are, in one file."""

from __future__ import annotations

import hashlib
import html as markup
import re

_HEAD_END = re.compile(r"</head\s*>", re.IGNORECASE)
_BODY_END = re.compile(r"</body\s*>", re.IGNORECASE)
_DOCUMENT = re.compile(r"<(?:!doctype|html|head|body)\b", re.IGNORECASE)
_START = re.compile(r"<(?:body|/html)\b", re.IGNORECASE)


def whole_page(html: str, css: str, js: str, *, title: str) -> str:
    """One self-contained page from the pieces an old list kept apart.

    Args:
        html: A document, or what stands in the body of one.
        css: Goes into the head.
        js: Goes to the end of the body. Previews run no scripts; it is kept for the page's sake.
        title: The title of the document where `html` is not one itself.
    """
    style, script = _element("style", css), _element("script", js)
    if not _DOCUMENT.search(html[:2000]):
        return (
            '<!doctype html>\n<html>\n<head>\n<meta charset="utf-8">\n'
            '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
            f"<title>{markup.escape(title)}</title>\n{style}</head>\n<body>\n{html}\n{script}</body>\n"
            "</html>\n"
        )
    html = _put(style, html, _HEAD_END.search(html) or _START.search(html))
    ends = list(_BODY_END.finditer(html))
    return _put(script, html, ends[-1] if ends else None)


def page_hash(html: str) -> str:
    """The content hash of a page that was not made here: of the page itself."""
    return hashlib.sha256(html.encode("utf-8", "replace")).hexdigest()


def _element(name: str, text: str) -> str:
    """An element with this text, which cannot end it early; nothing for no text."""
    if not text.strip():
        return ""
    held = re.sub(rf"</(?={name})", r"<\\/", text, flags=re.IGNORECASE)
    return f"<{name}>\n{held}\n</{name}>\n"


def _put(piece: str, html: str, before: re.Match[str] | None) -> str:
    """A page with a piece put before a match, or at its end."""
    place = before.start() if before else len(html)
    return html[:place] + piece + html[place:]
