"""Moving through the list while the app sends a campaign: from the key to the cursor on its row."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

from benchmarks.invented_mails import add_campaign
from benchmarks.measure import Measure, percentile
from benchmarks.scale import PROGRAM, Scale, alone, own_places
from benchmarks.sending import mail_server, sent
from benchmarks.terminal import Terminal
from crm_tui.clock import utc_now
from crm_tui.db.engine import Database
from crm_tui.services.store import prepare

PAINT_MS = 50
CONNECTIONS = 10
_CURSOR = "\u25b8"
_EVERY = 0.1
_CONFIG = """\
[sender]
name = "Anna Berg"
email = "anna@sender.example"

[providers.smtp]
host = "127.0.0.1"
port = {port}
security = "none"
connections = {connections}

[sending]
per_hour = 0
per_day = 0
quiet_hours = ""
weekdays_only = false
"""


def run(scale: Scale) -> list[Measure]:
    mails = scale.bulk
    with own_places() as (folder, env), mail_server() as port:
        config = Path(env["XDG_CONFIG_HOME"]) / "crm-tui" / "config.toml"
        config.parent.mkdir(parents=True)
        config.write_text(_CONFIG.format(port=port, connections=CONNECTIONS))
        store = folder / "crm.db"
        prepare(store, now=utc_now())
        add_campaign(store, mails)
        with Terminal([PROGRAM, "--db", str(store)], env=env) as terminal:
            terminal.shown("Plumber 1")
            before, began = _wait_until_it_sends(store), time.perf_counter()
            times = [_pressed(terminal, key) for key in ("j", "k") * (2 * scale.keys)]
            rate = (_sent(store) - before) / (time.perf_counter() - began)
    return [
        Measure(
            "key to paint while a campaign is sent, p95",
            f"{mails:,} mails, {CONNECTIONS} at once",
            percentile(times, 95),
            "ms",
            PAINT_MS,
            note=f"median {percentile(times, 50):.1f} ms, {len(times)} keys; "
            f"{rate:,.0f} mails a second meanwhile",
        )
    ]


def _wait_until_it_sends(store: Path) -> int:
    while (number := _sent(store)) < CONNECTIONS:
        time.sleep(_EVERY)
    return number


def _sent(store: Path) -> int:
    return asyncio.run(_count(store))


async def _count(store: Path) -> int:
    db = Database(store)
    try:
        return await sent(db)
    finally:
        await db.close()


def _pressed(terminal: Terminal, key: str) -> float:
    """Milliseconds from a key to the cursor on another row."""
    while terminal.read(0)[0]:
        pass
    row, pressed = _cursor(terminal), time.perf_counter()
    terminal.send(key)
    moment = pressed
    while _cursor(terminal) == row:
        output, moment = terminal.read(2.0)
        if not output:
            raise RuntimeError("A key moved nothing: the campaign may be over already.")
    time.sleep(_EVERY)
    return 1000 * (moment - pressed)


def _cursor(terminal: Terminal) -> int:
    lines = terminal.text.splitlines()
    return next((number for number, line in enumerate(lines) if line.startswith(_CURSOR)), -1)


if __name__ == "__main__":
    alone(run)
