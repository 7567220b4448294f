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
from crm_tui.services.campaigns.drafts import Draft, Step, step_of
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
    leads = await filling.leads()
    await filling.publish(leads)
    await filling.let_one_run_out(leads[:OVER])
    filling.now = now - timedelta(minutes=2)
    await filling.receive_strangers()
    filling.now = now
    await filling.draft("Once more to those who looked", Audience("status:opened"), _OFFER[1:2])
    await filling.start("Preview websites", Audience(ids=tuple(leads[OVER:])), _OFFER)
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

    async def leads(self) -> list[int]:
        """The best leads nobody has written to that can be."""
        async with self.db.read() as session:
            found = await session.scalars(
                select(Business.id)
                .where(
                    Business.email.is_not(None),
                    Business.contact_status == ContactStatus.PENDING,
                    Business.outcome == Outcome.OPEN,
                    Business.archived_at.is_(None),
                    Business.do_not_contact.is_(False),
                )
                .order_by(Business.qualification_score.desc(), Business.sort_name, Business.id)
                .limit(OVER + RUNNING)
            )
            return list(found)

    async def publish(self, leads: Sequence[int]) -> None:
        """Build sites for leads, and publish them and all that are said to be published."""
        renderer = Renderer(await asyncio.to_thread(load_themes))
        await build_sites(self.db, leads, renderer=renderer, clock=self._clock)
        async with self.db.read() as session:
            sites = await to_publish(session, leads)
            sites += await session.scalars(
                select(Site.id).where(
                    or_(Site.status == SiteStatus.PUBLISHED, Site.status == SiteStatus.SOLD),
                    Site.id.not_in(sites),
                )
            )
        public = Path(self.settings.publishing.path)
        await asyncio.to_thread(public.mkdir, parents=True, exist_ok=True)
        publisher = open_publisher(self.settings.publishing)
        await publish_sites(self.db, sites, publisher=publisher, clock=self._clock)

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
