"""Applying what a provider told: deliveries, opens and clicks of a campaign, as Mailgun sends them.

The records wait in the store, as after a crash between page and cursor; what is measured is reading
them, judging opens and clicks, timelines, facts, states of addresses and statuses. Then all of it is
told again.
"""

from __future__ import annotations

import asyncio
import json
import random
import sqlite3
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Self

from benchmarks.invented_mails import add_campaign
from benchmarks.measure import Measure
from benchmarks.scale import Scale, alone, own_places
from crm_tui.clock import utc_now
from crm_tui.config import Settings
from crm_tui.db.engine import Database
from crm_tui.db.types import utc_text
from crm_tui.providers.events import Asked, Cursor, Page, ProviderEvent, RawEvent
from crm_tui.providers.mailgun_events import parse_event, raw_event
from crm_tui.services.inbox.concerning import Reader
from crm_tui.services.polling.collecting import Poller
from crm_tui.services.sending.account import account
from crm_tui.services.store import prepare

_DOMAIN = "mg.example.com"
_LEAST = 5_000
_PAGE = 300
_AGENTS = (
    "Mozilla/5.0",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/130.0 Safari/537.36",
    "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)",
)


class _Told:
    """A stream that tells the same records at every poll."""

    provider = "mailgun"
    account = _DOMAIN
    name = "logs"
    every = timedelta(minutes=1)
    keeps = None

    def __init__(self, records: Sequence[RawEvent]) -> None:
        self.records = records

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_error: object) -> None:
        """Nothing was opened."""

    async def fetch_events(self, cursor: Cursor, asked: Asked) -> Page:  # noqa: ARG002 - as streams are asked
        at = int(cursor.get("at", 0))
        more = at + _PAGE < len(self.records)
        after = at + _PAGE if more else 0
        return Page(events=self.records[at : at + _PAGE], cursor={"at": after}, more=more)

    async def reconcile(self, asked: Asked, since: datetime) -> Sequence[RawEvent]:  # noqa: ARG002 - likewise
        return ()

    def parse_event(self, raw: Mapping[str, Any]) -> Sequence[ProviderEvent]:
        return parse_event(raw)


def run(scale: Scale) -> list[Measure]:
    events = scale.bulk * 10
    with own_places() as (folder, _):
        store = folder / "polled.db"
        prepare(store, now=utc_now())
        add_campaign(store, scale.bulk)
        records = list(_records(_sent(store), events))
        applied, again, written = asyncio.run(_measure(store, records))
    at = f"{events:,} events"
    return [
        Measure("polling: events applied", at, applied, "/s", _LEAST, at_least=True),
        Measure("polling: events told again", at, again, "/s", _LEAST, at_least=True),
        Measure("polling: rows written by them", at, written, "rows", 0),
    ]


def _sent(store: Path) -> list[str]:
    """Have all mails of the campaign be sent; the provider's names of them."""
    at = utc_text(utc_now() - timedelta(days=1))
    with closing(sqlite3.connect(store)) as connection, connection:
        connection.execute(
            "UPDATE message SET state = 'sent', sent_at = ?1, claimed_at = ?1, body = 'Hello',"
            " subject = 'A website', provider = 'mailgun', provider_id = key || '@mg.example.com'",
            (at,),
        )
        connection.execute(
            "INSERT INTO event (key, business_id, origin_id, occurred_at, recorded_at, kind,"
            " moves_to, source, summary, message_id) SELECT 'sent:' || id, business_id, business_id,"
            " ?1, ?1, 'email_sent', 'emailed', 'mailgun', 'mail: A website', id FROM message",
            (at,),
        )
        return [name for (name,) in connection.execute("SELECT provider_id FROM message")]


def _records(names: Sequence[str], events: int) -> Iterator[RawEvent]:
    """A delivery of each mail, then opens and clicks, in an order of their own."""
    dice = random.Random(7)
    begin = utc_now() - timedelta(days=1)
    told = [("delivered", name, begin + timedelta(seconds=5)) for name in names]
    while len(told) < events:
        kind = dice.choice(("opened", "opened", "clicked"))
        at = begin + timedelta(seconds=dice.randint(6, 80_000))
        told.append((kind, dice.choice(names), at))
    dice.shuffle(told)
    for number, (kind, name, at) in enumerate(told):
        item = {
            "id": f"event-{number}",
            "event": kind,
            "@timestamp": at.isoformat(),
            "recipient": f"{name.partition('@')[0]}@shop.example",
            "message": {"headers": {"message-id": name, "subject": "A website"}},
            "domain": {"name": _DOMAIN},
            "user-variables": json.dumps({"outbox_id": name.partition("@")[0]}),
            "tags": [],
        }
        if kind != "delivered":
            item["client-info"] = {"user-agent": dice.choice(_AGENTS), "client-type": "browser"}
        if kind == "clicked":
            item["url"] = "https://previews.example.com/plumber"
        yield raw_event(item)


async def _measure(store: Path, records: Sequence[RawEvent]) -> tuple[float, float, float]:
    """Events a second when they are new, and again; rows that are written when they are told again."""
    _wait_in(store, records)
    db = Database(store)
    settings = Settings()
    mine = account(settings)
    poller = Poller(db, _Told(records), Reader.of(mine, settings), mine, utc_now)
    try:
        began = time.perf_counter()
        applied = await poller.apply_waiting()
        first = len(records) / (time.perf_counter() - began)
        if applied.events != len(records):
            raise RuntimeError(f"Only {applied.events:,} of {len(records):,} events were applied.")
        await poller.poll()
        before = _rows(store)
        began = time.perf_counter()
        await poller.poll()
        again = len(records) / (time.perf_counter() - began)
    finally:
        await db.close()
    return first, again, float(sum(a != b for a, b in zip(before, _rows(store), strict=True)))


def _wait_in(store: Path, records: Sequence[RawEvent]) -> None:
    at = utc_text(utc_now())
    with closing(sqlite3.connect(store)) as connection, connection:
        connection.executemany(
            "INSERT INTO raw_record (source, external_id, received_at, payload)"
            " VALUES (?, ?, ?, ?)",
            [
                (f"mailgun:{_DOMAIN}", each.external_id, at, json.dumps(each.payload))
                for each in records
            ],
        )


def _rows(store: Path) -> list[Any]:
    """Everything that polling may write, but for when the stream was last read."""
    with closing(sqlite3.connect(store)) as connection:
        return [
            row
            for table in ("event", "message", "business", "contact_point", "raw_record")
            for row in connection.execute(f"SELECT * FROM {table} ORDER BY id")
        ]


if __name__ == "__main__":
    alone(run)
