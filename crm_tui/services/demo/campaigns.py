"""The demo's campaigns: one that is over, with answers in Today, one that runs, and a draft.

They go the way of any campaign, by a clock of their own; what comes back is the world's.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import or_, select

from crm_tui.config import Settings
from crm_tui.db.engine import Database
from crm_tui.db.locks import held
from crm_tui.db.models import Business, Message, Site
from crm_tui.providers.incoming import Kind
from crm_tui.services import rescoring
from crm_tui.services.campaigns import drafts, running
from crm_tui.services.campaigns.audience import Audience
from crm_tui.services.campaigns.drafts import Draft
from crm_tui.services.campaigns.steps import Step, step_of
from crm_tui.services.demo.world import World
from crm_tui.services.inbox.records import Kept
from crm_tui.services.publishing.choosing import to_publish
from crm_tui.services.publishing.publish import publish_sites
from crm_tui.services.publishing.publisher import open_publisher
from crm_tui.services.sending import standing
from crm_tui.services.sending.account import account
from crm_tui.services.sending.claim import Claimer
from crm_tui.services.sending.pump import Pump
from crm_tui.services.sending.senders import open_sender
from crm_tui.services.sites.build import build_sites
from crm_tui.services.sites.render import Renderer
from crm_tui.services.sites.themes import load_themes
from crm_tui.services.templating.files import Templates
from crm_tui.vocabulary import ContactStatus, MessageState, Outcome, SiteStatus

OVER = 24
RUNNING = 20
"""Recipients of the two campaigns."""

_OFFER = ("preview-1-offer", "preview-2-reminder", "preview-3-questions")


async def fill_campaigns(db: Database, settings: Settings, *, now: datetime) -> None:
    """Write campaigns into a demo's store; the same for the same store and `now`.

    Args:
        db: a store that make_demo made.
        settings: those of demo_settings.
        now: aware UTC; the history ends there, and the campaign that runs begins.
    """
    filling = _Filling(db, settings, now - timedelta(days=10))
    first = await filling.leads(OVER)
    await filling.build_and_publish(first)
    await filling.let_one_run_out(first)
    filling.now = now - timedelta(days=2)
    second = await filling.leads(RUNNING)
    await filling.build_and_publish(second)
    filling.now = now - timedelta(minutes=2)
    await filling.publish_what_is_said_to_be()
    await filling.receive_strangers()
    filling.now = now
    await filling.draft("Once more to those who looked", Audience("status:opened"), _OFFER[1:2])
    await filling.start("Preview websites", Audience(ids=tuple(second)), _OFFER)
    await rescoring.refresh(db, settings.score, now=now)


@dataclass(slots=True)
class _Filling:
    """Works at times that have passed; `now` is the time it has come to."""

    db: Database
    settings: Settings
    now: datetime
    _templates: Templates = field(
        default_factory=lambda: Templates(Path("no templates of one's own"))
    )

    async def leads(self, most: int) -> list[int]:
        """The best leads there are by now that nobody has written to and that can be."""
        async with self.db.read() as session:
            found = await session.scalars(
                select(Business.id)
                .where(
                    Business.email.is_not(None),
                    Business.captured_at <= self.now - timedelta(days=1),
                    Business.contact_status == ContactStatus.PENDING,
                    Business.outcome == Outcome.OPEN,
                    Business.archived_at.is_(None),
                    Business.do_not_contact.is_(False),
                )
                .order_by(Business.qualification_score.desc(), Business.sort_name, Business.id)
                .limit(most)
            )
            return list(found)

    async def build_and_publish(self, leads: Sequence[int]) -> None:
        """Build the sites of leads, and publish them an hour later."""
        renderer = Renderer(await asyncio.to_thread(load_themes))
        await build_sites(self.db, leads, renderer=renderer, clock=self._clock)
        async with self.db.read() as session:
            sites = await to_publish(session, leads)
        self.now += timedelta(hours=1)
        await self._publish(sites, self.now)

    async def publish_what_is_said_to_be(self) -> None:
        """Publish the sites that the history calls published or sold, those of a day at its end."""
        async with self.db.read() as session:
            rows = await session.execute(
                select(Site.id, Site.built_at).where(
                    or_(Site.status == SiteStatus.PUBLISHED, Site.status == SiteStatus.SOLD),
                    Site.published_url.is_(None),
                )
            )
            built = [(site, at) for site, at in rows]
        for at in sorted({each for _, each in built}):
            sites = [site for site, each in built if each == at]
            await self._publish(sites, min(at + timedelta(hours=5), self.now))

    async def _publish(self, sites: Sequence[int], at: datetime) -> None:
        publisher = open_publisher(self.settings.publishing)
        await publish_sites(self.db, sites, publisher=publisher, clock=lambda: at)

    def _clock(self) -> datetime:
        return self.now

    async def let_one_run_out(self, leads: Sequence[int]) -> None:
        """A campaign from its start to its end, with what came back meanwhile."""
        await self.start("Preview websites, the first", Audience(ids=tuple(leads)), _OFFER[:2])
        world = World(self.db, self.settings)
        for _ in range(6):
            await self._send()
            self.now += timedelta(days=1)
            await world.step(self.now)

    async def start(self, name: str, audience: Audience, templates: Sequence[str]) -> None:
        """Start a campaign."""
        campaign = await self.draft(name, audience, templates)
        await running.start(self.db, campaign, settings=self.settings, now=self.now)

    async def draft(self, name: str, audience: Audience, templates: Sequence[str]) -> int:
        """Put a campaign together; returns its number."""
        known = self._templates.all()
        steps: list[Step] = [
            step_of(known[each], delay="3d" if number else None)
            for number, each in enumerate(templates)
        ]
        draft = Draft(name=name, audience=audience, steps=tuple(steps))
        return await drafts.save(self.db, None, draft, now=self.now)

    async def _send(self) -> None:
        """Send what is due, all at once."""
        owner, home = uuid.uuid4().hex, standing.home_of(self.db.path)
        claimer = Claimer(account=account(self.settings), owner=owner, home=home, spread=False)
        with ExitStack() as stack:
            stack.enter_context(held(self.db.path, owner))
            async with open_sender(self.settings, store=self.db.path, environment={}) as sender:
                await Pump(self.db, claimer, sender, self._clock, asyncio.Event()).run()

    async def receive_strangers(self) -> None:
        """Answers of people nobody knows, which wait for the operator."""
        world = World(self.db, self.settings)
        async with self.db.read() as session:
            cited = await session.scalar(
                select(Message.message_id).where(Message.state == MessageState.SENT).limit(1)
            )
        domain = (cited or "").rpartition("@")[2].rstrip(">") or "demo.example"
        for number, text in enumerate(_STRANGERS, start=1):
            answer = Kept(
                kind=Kind.REPLY.value,
                message_id=f"<stranger.{number}@example.com>",
                sender=f"frontdesk{number}@example.com",
                sender_name="Front desk",
                subject="Re: A website to look at",
                cited=(f"<{number:032x}@{domain}>",),
                text=text,
                received=self.now,
                occurred_at=self.now,
            )
            async with self.db.write() as session:
                await world.receive(session, f"stranger {number}", answer, now=self.now)


_STRANGERS = (
    "My brother passed your mail on to me, I run the place now. What does it cost?",
    "You wrote to our old address. Send it here please.",
)
