"""A process that sends what is due in a store, to be killed, stopped or asked to end by a test.

    python -m tests.crash.sending_worker STORE PORT CONNECTIONS

It says when it is at work, and what one pass came to.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path

import msgspec

from crm_tui.clock import utc_now
from crm_tui.config import Settings
from crm_tui.db.engine import Database
from crm_tui.worker import AtWork, Worker


def settings_for(port: int, connections: int) -> Settings:
    """Settings without limits and quiet hours."""
    smtp = {"host": "127.0.0.1", "port": port, "security": "none", "connections": connections}
    given = {
        "sender": {"name": "Anna Berg", "email": "anna@sender.example"},
        "providers": {"smtp": smtp},
        "sending": {"per_hour": 0, "per_day": 0, "quiet_hours": "", "weekdays_only": False},
    }
    return msgspec.convert(given, Settings)


async def run(store: Path, port: int, connections: int) -> int:
    """One pass; 7 where another worker is at work."""
    db = Database(store)
    worker = Worker(db, settings_for(port, connections), environment={}, now=utc_now)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, worker.stop)
    sys.stdout.write("begun\n")
    sys.stdout.flush()
    try:
        report = await worker.once()
    except AtWork as error:
        sys.stdout.write(f"{error}\n")
        return 7
    finally:
        await db.close()
    sys.stdout.write(f"{report.sent} {report.uncertain} {report.stopped or '-'}\n")
    return 0


if __name__ == "__main__":
    sys.exit(asyncio.run(run(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))))
