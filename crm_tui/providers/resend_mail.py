"""A mail that came in at Resend, put together again from what its API tells of it (RFC 5322)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

_CONTENT = ("content-", "mime-version")


def rebuild(received: Mapping[str, Any]) -> bytes:
    """A mail that came in, put together again from its headers and its texts (RFC 5322)."""
    headers = _headers(received)
    text, html = received.get("text"), received.get("html")
    parts = [
        f'Content-Type: text/{kind}; charset="utf-8"\r\nContent-Transfer-Encoding: 8bit\r\n\r\n'
        + "\r\n".join(re.split(r"\r\n|\r|\n", content))
        for kind, content in (("plain", text), ("html", html))
        if isinstance(content, str) and content
    ]
    lines = [f"{name}: {value}" for name, value in headers]
    lines.append("MIME-Version: 1.0")
    if len(parts) == 2:
        edge = "=_crm-tui"
        while any(edge in part for part in parts):
            edge += "_"
        lines += [f'Content-Type: multipart/alternative; boundary="{edge}"', ""]
        lines += [f"--{edge}\r\n{part}" for part in parts]
        lines.append(f"--{edge}--")
    else:
        lines += parts or [""]
    return ("\r\n".join(lines) + "\r\n").encode("utf-8", "replace")


def _headers(received: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The headers that came, without those of its parts; what is missing from what is told besides."""
    given = received.get("headers")
    found: list[tuple[str, str]] = []
    for name, values in given.items() if isinstance(given, dict) else ():
        if name.lower().startswith(_CONTENT) or not re.fullmatch(r"[!-9;-~]+", name):
            continue
        each = values if isinstance(values, list) else [values]
        found += [(name, " ".join(str(value).split())) for value in each]
    there = {name.lower() for name, _ in found}
    to = received.get("to")
    told = {
        "From": received.get("from"),
        "To": ", ".join(map(str, to)) if isinstance(to, list) else to,
        "Subject": received.get("subject"),
        "Message-ID": received.get("message_id"),
    }
    found += [
        (name, " ".join(str(value).split()))
        for name, value in told.items()
        if value and name.lower() not in there
    ]
    return found
