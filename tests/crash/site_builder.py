"""A process that builds a site for every lead of a store, to be killed by a test."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from sqlalchemy import select

from crm_tui.clock import utc_now
from crm_tui.db.engine import Database
from crm_tui.db.models import Business
from crm_tui.services.sites import build
from crm_tui.services.sites.build import build_sites
from crm_tui.services.sites.render import Renderer
from crm_tui.services.sites.themes import load_themes


async def run(store: Path, chunk: int) -> None:
    """Build, and say how many were built, unchanged and failed."""
    build.CHUNK = chunk
    db = Database(store)
    ids = await db.integers(select(Business.id).order_by(Business.id))
    report = await build_sites(db, ids, renderer=Renderer(load_themes()), clock=utc_now)
    await db.close()
    sys.stdout.write(f"{report.built} {report.unchanged} {len(report.failures)}\n")


if __name__ == "__main__":
    asyncio.run(run(Path(sys.argv[1]), int(sys.argv[2])))
