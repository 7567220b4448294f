"""A process that sends and polls through a fake provider, to be killed by a test.

    python -m tests.crash.polling_worker STORE SETTINGS NOW

SETTINGS is a JSON document, NOW the time by the world's clock. Keys are in the environment. It says
when it is at work, and what one pass came to.
"""

from __future__ import annotations

import asyncio
import os
import sys
from datetime import datetime
from pathlib import Path

import msgspec

from crm_tui.config import Settings
from crm_tui.db.engine import Database
from crm_tui.worker import Worker
from tests.world.quick import in_no_time


async def run(store: Path, settings: Settings, now: datetime) -> None:
    """One pass."""
    db = Database(store)
    worker = Worker(db, settings, environment=os.environ, now=lambda: now)
    sys.stdout.write("begun\n")
    sys.stdout.flush()
    report = await worker.once()
    await db.close()
    sys.stdout.write(f"{report.sent} {report.uncertain} {report.polled} {report.applied}\n")


if __name__ == "__main__":
    with in_no_time():
        asyncio.run(
            run(
                Path(sys.argv[1]),
                msgspec.json.decode(sys.argv[2], type=Settings),
                datetime.fromisoformat(sys.argv[3]),
            )
        )
