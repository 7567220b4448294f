"""Sending a campaign to a server on loopback, and the bare client library doing the same.

The server is a process of its own, the same for both. With limits and quiet hours off, all that
counts is what the queue costs: what is due is found, decided on, rendered, claimed and recorded,
with everything on the disk before and after each mail. The library gets mails that are ready.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import aiosmtplib
import msgspec

from benchmarks.invented_mails import add_campaign
from benchmarks.measure import Measure
from benchmarks.scale import Scale, alone, own_places
from crm_tui.clock import utc_now
from crm_tui.config import Settings
from crm_tui.db.engine import Database
from crm_tui.services.store import prepare
from crm_tui.worker import Worker

_RATIO = {10: 0.7, 1: 0.25}
_GROWTH = 10.0
"""Megabytes more that a process may have at its end than after the first tenth."""


def run(scale: Scale) -> list[Measure]:
    mails = scale.bulk
    measures = []
    with own_places() as (folder, _), mail_server() as port:
        for connections, least in _RATIO.items():
            store = folder / f"{connections}.db"
            prepare(store, now=utc_now())
            ready = add_campaign(store, mails)
            settings = _settings(port, connections)
            before = asyncio.run(_bare(ready, port, connections))
            ours = asyncio.run(_ours(store, settings, mails))
            bare = max(before, asyncio.run(_bare(ready, port, connections)))
            at = f"{mails:,} mails, {connections} at once"
            note = f"{ours.rate:,.0f} mails a second, the library alone {bare:,.0f}"
            ratio = ours.rate / bare
            measures.append(
                Measure(
                    "sending: share of the library's rate",
                    at,
                    ratio,
                    "",
                    least,
                    at_least=True,
                    note=note,
                )
            )
            measures.append(Measure("sending: memory gained", at, ours.gained, "MB", _GROWTH))
    return measures


@contextmanager
def mail_server() -> Iterator[int]:
    """A server in a process of its own that takes every mail; gives its port on loopback."""
    command = [sys.executable, "-m", "benchmarks.mail_sink"]
    folder = Path(__file__).parent.parent
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=folder) as process:
        assert process.stdout is not None
        try:
            yield int(process.stdout.readline())
        finally:
            process.kill()


def _settings(port: int, connections: int) -> Settings:
    given = {
        "sender": {"name": "Anna Berg", "email": "anna@sender.example"},
        "providers": {
            "smtp": {
                "host": "127.0.0.1",
                "port": port,
                "security": "none",
                "connections": connections,
            }
        },
        "sending": {"per_hour": 0, "per_day": 0, "quiet_hours": "", "weekdays_only": False},
    }
    return msgspec.convert(given, Settings)


async def _bare(mails: list[tuple[str, bytes]], port: int, connections: int) -> float:
    """Mails a second of the library, given what is to be sent, over so many connections."""
    waiting = iter(mails)

    async def send() -> None:
        async with aiosmtplib.SMTP(hostname="127.0.0.1", port=port, start_tls=False) as client:
            for to, content in waiting:
                await client.sendmail("anna@sender.example", [to], content)

    began = time.perf_counter()
    await asyncio.gather(*(send() for _ in range(connections)))
    return len(mails) / (time.perf_counter() - began)


@dataclass(frozen=True, slots=True)
class _Sent:
    """Mails a second, and megabytes that were gained after the first tenth."""

    rate: float
    gained: float


async def _ours(store: Path, settings: Settings, mails: int) -> _Sent:
    db = Database(store)
    early: list[float] = []

    async def look() -> None:
        for _ in count():
            if await sent(db) >= mails // 10:
                break
            await asyncio.sleep(0.2)
        early.append(_megabytes())

    try:
        looking = asyncio.create_task(look())
        began = time.perf_counter()
        report = await Worker(db, settings, environment={}, now=utc_now).once()
        took = time.perf_counter() - began
        if report.sent != mails:
            raise RuntimeError(f"Only {report.sent:,} of {mails:,} mails were sent.")
        await looking
    finally:
        await db.close()
    return _Sent(mails / took, _megabytes() - early[0])


async def sent(db: Database) -> int:
    """How many mails were sent."""
    async with db.read() as session:
        connection = await session.connection()
        found = await connection.exec_driver_sql(
            "SELECT count(*) FROM message WHERE state = 'sent'"
        )
        return int(found.scalar_one())


def _megabytes() -> float:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return 0.0


if __name__ == "__main__":
    alone(run)
