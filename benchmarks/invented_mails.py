"""A campaign that is due at once, to invented businesses, written straight into a store."""

from __future__ import annotations

import sqlite3
import uuid
from contextlib import closing
from pathlib import Path

from crm_tui.clock import utc_now
from crm_tui.db.types import utc_text
from crm_tui.providers.base import OutgoingMail
from crm_tui.providers.message import build

_TEMPLATE = """---
subject: A website for {{ business.name }}
---
Hello {{ contact.first_name or "there" }},

I build websites for small businesses, and while I was looking at {{ business.name }} in
{{ business.city }} I noticed that it has none of its own. So I made one, to show you what it could
look like. It is yours to look at for as long as you want, and costs nothing.

If you like it, answer this mail, and I will put it online under an address of your own. If not,
tell me what is missing: I change it until you do.

{{ sender.name }}

{{ unsubscribe }}
"""


def add_campaign(store: Path, mails: int) -> list[tuple[str, bytes]]:
    """Add so many leads and a running campaign to them; returns mails of the same size, ready."""
    now = utc_text(utc_now())
    with closing(sqlite3.connect(store)) as connection, connection:
        connection.executemany(
            "INSERT INTO business (id, key, name, sort_name, city, country, email, source,"
            " created_at, captured_at, updated_at)"
            " VALUES (?, ?, ?, ?, 'Springfield', 'US', ?, 'invented', ?, ?, ?)",
            [
                (i, f"key-{i}", f"Plumber {i}", f"plumber {i}", _address(i), now, now, now)
                for i in range(1, mails + 1)
            ],
        )
        connection.executemany(
            "INSERT INTO contact_point (business_id, kind, value, is_primary, created_at)"
            " VALUES (?, 'email', ?, 1, ?)",
            [(i, _address(i), now) for i in range(1, mails + 1)],
        )
        connection.execute(
            "INSERT INTO campaign (id, key, name, name_folded, state, audience, created_at,"
            " updated_at) VALUES (1, 'c', 'Invented', 'invented', 'running', '{}', ?, ?)",
            (now, now),
        )
        connection.execute(
            "INSERT INTO campaign_step (id, campaign_id, position, template, source)"
            " VALUES (1, 1, 1, 'first', ?)",
            (_TEMPLATE,),
        )
        connection.executemany(
            "INSERT INTO message (key, business_id, origin_id, campaign_id, step_id, address,"
            " message_id, token, due_at, created_at) VALUES (?, ?, ?, 1, 1, ?, ?, ?, ?, ?)",
            [
                (
                    key := uuid.uuid4().hex,
                    i,
                    i,
                    _address(i),
                    f"<{key}@sender.example>",
                    key,
                    now,
                    now,
                )
                for i in range(1, mails + 1)
            ],
        )
    return [(_address(i), _ready(i)) for i in range(1, mails + 1)]


def _address(number: int) -> str:
    return f"plumber{number}@shop{number % 997}.example"


def _ready(number: int) -> bytes:
    key = uuid.uuid4().hex
    text = _TEMPLATE.partition("---\n")[2].partition("---\n")[2]
    return build(
        OutgoingMail(
            key=key,
            message_id=f"<{key}@sender.example>",
            date=utc_now(),
            sender_name="Anna Berg",
            sender="anna@sender.example",
            to=_address(number),
            subject=f"A website for Plumber {number}",
            text=text,
        )
    )
