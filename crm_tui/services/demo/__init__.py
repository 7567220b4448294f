"""The demo: a throw-away store full of invented businesses with a lively history."""

from __future__ import annotations

import asyncio
import csv
import sqlite3
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import closing
from datetime import datetime, timedelta
from functools import partial
from itertools import chain
from pathlib import Path
from random import Random

from sqlalchemy import func, select, update

from crm_tui.config import Settings
from crm_tui.db.engine import Database, WriteSession
from crm_tui.db.models import Business, Site
from crm_tui.errors import BadInput
from crm_tui.services import events, leads, rescoring, statuses, timeline
from crm_tui.services.demo import history
from crm_tui.services.demo.history import Known, Story
from crm_tui.services.demo.invent import Invented, Row, Words, invent, load_words
from crm_tui.services.demo.money import fill_money
from crm_tui.services.events import OPERATOR, NewEvent
from crm_tui.services.imports.readers.own import COLUMNS
from crm_tui.services.imports.run import import_file
from crm_tui.services.sites.build import build_sites
from crm_tui.services.sites.render import Renderer
from crm_tui.services.sites.themes import load_themes
from crm_tui.services.store import open_store
from crm_tui.vocabulary import ContactStatus, EventKind, SiteStatus

LEADS = 500
SITES = 60
_TWINS = 2
DAYS = 60
"""How many days ago the story begins."""


async def make_demo(
    path: Path, *, now: datetime, settings: Settings | None = None, seed: int = 7
) -> None:
    """Make a store with 500 invented businesses: captured, called, mailed, built sites for.

    What it shows is the same for the same `now` and `seed`. Everything goes through the services
    that write it in life.

    Args:
        path: where the store goes; nothing may be there.
        now: aware UTC; the history ends there.
        settings: for the scores.
        seed: another number, other businesses.

    Raises:
        BadInput: there is something at `path` already.
    """
    if await asyncio.to_thread(path.exists):
        raise BadInput(f"{path} is there already; the demo makes a new store.")
    db = await open_store(path, now=now)
    try:
        await _Demo(db, settings or Settings(), Random(seed), now).make()  # noqa: S311 - a demo
    finally:
        await db.close()


async def open_world(folder: Path, settings: Settings, *, now: datetime) -> tuple[Path, Settings]:
    """Make a demo with campaigns in a folder; returns its store, and the settings it works with.

    Args:
        folder: an empty folder, which mails and pages of the demo stay in as well.
        settings: the operator's, of which those for looks, scores and keys are kept.
        now: aware UTC.
    """
    from crm_tui.services.demo.account import demo_settings  # noqa: PLC0415 - with all of sending
    from crm_tui.services.demo.campaigns import fill_campaigns  # noqa: PLC0415 - likewise

    path, own = folder / "demo.db", demo_settings(settings, folder)
    await make_demo(path, now=now, settings=own)
    db = Database(path)
    try:
        await fill_campaigns(db, own, now=now)
    finally:
        await db.close()
    return path, own


class _Demo:
    def __init__(self, db: Database, settings: Settings, random: Random, now: datetime) -> None:
        self._db = db
        self._settings = settings
        self._random = random
        self._now = now
        self._words: Words = load_words()

    async def make(self) -> None:
        """Tell the whole story, in its order where that matters."""
        people = await self._capture()
        built = await self._build()
        story = history.tell(
            self._words, self._random, await self._known(people, built), now=self._now
        )
        async with self._db.write() as session:
            await history.write(session, story, now=self._now)
        await fill_money(self._db, story.bought, self._random, now=self._now)
        async with self._db.write() as session:
            await self._shelve(session, story, built)
            await self._fail_one(session, built)
            await self._work_by_hand(session, built)
        await rescoring.refresh(self._db, self._settings.score, now=self._now)

    async def _capture(self) -> dict[str, str]:
        """Import one list a city, and two old pages nobody knows the business of.

        Returns who answers the phone, by the key of the business.
        """
        lists = invent(self._words, self._random, LEADS)
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            for number, (city, invented) in enumerate(lists.items()):
                path = folder / f"{city.lower()}.csv"
                await asyncio.to_thread(_write_list, path, self._with_past(invented))
                at = self._now - timedelta(days=DAYS * (1 - number / len(lists)) - 3, hours=2)
                await import_file(self._db, path, settings=self._settings, now=at)
            old = folder / "old-sites.db"
            await asyncio.to_thread(_write_old_sites, old, self._words["old_sites"])
            at = self._now - timedelta(days=DAYS / 2)
            await import_file(self._db, old, settings=self._settings, now=at)
        return {each.row["key"]: each.person for each in chain.from_iterable(lists.values())}

    def _with_past(self, invented: Sequence[Invented]) -> list[Row]:
        """The rows of a list, some with tags, a follow-up, or a reason not to call again."""
        rows = [each.row for each in invented]
        for row in rows:
            if self._random.random() < 0.12:
                row["tags"] = self._random.choice(self._words["tags"]["words"])
            if self._random.random() < 0.04:
                due = self._now + timedelta(days=self._random.uniform(-2, 12))
                row["follow_up"] = due.replace(minute=0, second=0, microsecond=0).isoformat()
                row["follow_up_note"] = self._random.choice(self._words["follow_ups"]["what"])
        shy, closed = self._random.sample(rows, 2)
        if self._random.random() < 0.5:
            shy["do_not_contact"] = self._random.choice(self._words["stop"]["reasons"])
        if self._random.random() < 0.5:
            closed["archived_at"] = (self._now - timedelta(days=2)).isoformat()
        return rows

    async def _build(self) -> list[int]:
        """Build sites for the best leads, those of a list the day after it came."""
        async with self._db.read() as session:
            best = (
                await session.execute(
                    select(Business.id, Business.captured_at)
                    .where(Business.archived_at.is_(None), Business.do_not_contact.is_(False))
                    .order_by(Business.qualification_score.desc(), Business.sort_name, Business.id)
                    .limit(SITES)
                )
            ).all()
        renderer = Renderer(await asyncio.to_thread(load_themes))
        for captured_at in sorted({each for _, each in best}):
            built_at = min(captured_at + timedelta(hours=20), self._now)
            ids = [lead for lead, each in best if each == captured_at]
            await build_sites(self._db, ids, renderer=renderer, clock=partial(_always, built_at))
        return [lead for lead, _ in best]

    async def _known(self, people: Mapping[str, str], built: Sequence[int]) -> list[Known]:
        async with self._db.read() as session:
            rows = await session.execute(
                select(
                    Business.id,
                    Business.key,
                    Business.name,
                    Business.phone,
                    Business.email,
                    func.coalesce(Business.last_activity_at, Business.captured_at),
                )
                .where(Business.archived_at.is_(None), Business.do_not_contact.is_(False))
                .order_by(Business.id)
            )
        return [
            Known(
                id=lead,
                name=name,
                person=people[key],
                phone=phone is not None,
                email=email is not None,
                has_site=lead in set(built),
                since=since,
            )
            for lead, key, name, phone, email, since in rows
        ]

    async def _shelve(self, session: WriteSession, story: Story, built: Sequence[int]) -> None:
        """Published and archived sites, beside those that were sold."""
        sold = {each.lead for each in story.bought}
        others = [lead for lead in built if lead not in sold]
        for status, of in (
            (SiteStatus.PUBLISHED, others[1:9:3]),
            (SiteStatus.ARCHIVED, others[-1:]),
        ):
            await session.execute(
                update(Site)
                .where(Site.business_id.in_(of))
                .values(status=status)
                .execution_options(synchronize_session=None)
            )
        await statuses.refold(session, list(built))

    async def _fail_one(self, session: WriteSession, built: Sequence[int]) -> None:
        """A site that could not be built: the next best lead has none."""
        lead = await session.scalar(
            select(Business.id)
            .where(Business.id.not_in(built), Business.archived_at.is_(None))
            .order_by(Business.qualification_score.desc(), Business.sort_name, Business.id)
        )
        assert lead is not None
        at = self._now - timedelta(days=1, hours=3)
        await events.record(
            session,
            NewEvent(lead, EventKind.SITE_BUILDING, at, "building a site", OPERATOR),
            NewEvent(
                lead,
                EventKind.SITE_FAILED,
                at + timedelta(seconds=1),
                "the site could not be built",
                OPERATOR,
                body="the disk was full",
            ),
            now=at,
        )

    async def _work_by_hand(self, session: WriteSession, built: Sequence[int]) -> None:
        """What the operator did today: looked at sites, moved one lead, corrected another."""
        looked_at, moved, corrected = built[0], built[5], built[3]
        now = self._now
        hours = [now - timedelta(hours=ago) for ago in (5, 3, 1)]
        await events.record(
            session,
            NewEvent(looked_at, EventKind.PREVIEWED, hours[0], "looked at the preview", OPERATOR),
            now=hours[0],
        )
        await timeline.set_status(session, moved, ContactStatus.REPLIED, now=hours[1])
        await leads.edit(
            session,
            corrected,
            {"street": "12 Harbor Way"},
            settings=self._settings,
            now=hours[2],
        )
        await self._find_out_about_twins(session)

    async def _find_out_about_twins(self, session: WriteSession) -> None:
        """Two leads turn out to be listed under another name too: duplicates to merge."""
        rows = await session.execute(
            select(Business.id, Business.name, Business.phone)
            .where(Business.archived_at.is_(None), Business.phone.is_not(None))
            .order_by(Business.qualification_score, Business.sort_name, Business.id)
            .limit(2 * _TWINS)
        )
        leads_and_twins = rows.all()
        for lead, twin in zip(leads_and_twins[:_TWINS], leads_and_twins[_TWINS:], strict=True):
            changes = {"name": f"{lead.name} LLC", "phone": lead.phone}
            at = self._now - timedelta(minutes=50)
            await leads.edit(session, twin.id, changes, settings=self._settings, now=at)


def _always(moment: datetime) -> datetime:
    return moment


def _write_list(path: Path, rows: Sequence[Row]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)


def _write_old_sites(path: Path, sites: Sequence[Mapping[str, str]]) -> None:
    """A store of an older program: pages, and no business for any of them."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute(
            "CREATE TABLE businesses (id INTEGER PRIMARY KEY, name TEXT, category TEXT, city TEXT,"
            " state TEXT, phone TEXT, email TEXT, website_url TEXT, rating REAL,"
            " review_count INTEGER, contact_status TEXT, website_status TEXT,"
            " qualification_score INTEGER, created_at TEXT)"
        )
        connection.execute(
            "CREATE TABLE sites (id INTEGER PRIMARY KEY, slug TEXT, business_id INTEGER, status TEXT,"
            " html_content TEXT, css_content TEXT, js_content TEXT, created_at TEXT)"
        )
        connection.executemany(
            "INSERT INTO sites (slug, status, html_content, css_content, js_content, created_at)"
            " VALUES (?, 'generated', ?, ?, '', '2026-01-15 10:00:00')",
            [(site["slug"], site["html"], site["css"]) for site in sites],
        )
