"""A campaign while it is put together: what was chosen, who gets it, and keeping that as a draft."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from crm_tui.services.campaigns import audience, domains, drafts, preview
from crm_tui.services.campaigns.audience import Audience, Looked
from crm_tui.services.campaigns.drafts import Draft
from crm_tui.services.campaigns.steps import Step
from crm_tui.vocabulary import Channel

if TYPE_CHECKING:
    from crm_tui.screens.base import Host

CHANNEL = "channel"
"""What it keeps of what the first message goes through, while there is none."""
PAGE = "page"
"""What the wizard keeps in a draft: the page it was left on, by its name."""


class Whom:
    """Whom mails are for, and who of them gets one.

    Args:
        host: The app.
        asked: Whom they are for, to begin with.
        name: What the campaign is called.
        joins: The campaign that they are to join; None while it was not started.
        uses_site: Whether its mails name the public address of the site.
        uses_payment: Whether its messages name the page to pay at.
        channels: What its messages go through.

    Attributes:
        looked: Who gets it and who is left out; None while that is not known.
        is_offline: Whether domains could not be looked up.
    """

    def __init__(
        self,
        host: Host,
        asked: Audience,
        *,
        name: str = "",
        joins: int | None = None,
        uses_site: bool = False,
        uses_payment: bool = False,
        channels: Sequence[Channel] = (Channel.EMAIL,),
    ) -> None:
        self._channels = channels
        self._host = host
        self._asked = asked
        self._name = name
        self._joins = joins
        self._uses_site = uses_site
        self._uses_payment = uses_payment
        self.looked: Looked | None = None
        self.is_offline = False
        self._looked_up: set[str] = set()
        self._looking_up = asyncio.Lock()

    @property
    def audience(self) -> Audience:
        """Whom they are for."""
        return self._asked

    @property
    def name(self) -> str:
        """What the campaign is called."""
        return self._name

    @property
    def uses_site(self) -> bool:
        """Whether a message names the public address of the site."""
        return self._uses_site

    @property
    def uses_payment(self) -> bool:
        """Whether a message names the page to pay at."""
        return self._uses_payment

    @property
    def channels(self) -> Sequence[Channel]:
        """What the messages go through."""
        return self._channels

    def go_through(self, channel: Channel) -> None:
        """Choose what the first message goes through, while there is none."""
        self._channels, self.looked = (channel,), None

    @property
    def has_messages(self) -> bool:
        """Whether what it says is chosen already."""
        return self.joins

    @property
    def joins(self) -> bool:
        """Whether they join a campaign that was started."""
        return self._joins is not None

    def ask_for(self, asked: Audience) -> None:
        """Have it be for others."""
        self._asked = asked
        self.looked = None

    async def look(self, progress: Callable[[int, int], None]) -> Looked:
        """Look at everybody who is asked for.

        Raises:
            QueryError: The filter cannot be read.
        """
        db = await self._host.store()
        asked, channels = self.audience, self.channels
        looked = await audience.look(
            db,
            asked,
            settings=self._host.settings,
            now=self._host.now(),
            campaign_id=self._joins,
            uses_site=self.uses_site,
            uses_payment=self.uses_payment,
            channels=channels,
            progress=progress,
        )
        if (asked, channels) == (self.audience, self.channels):
            self.looked = looked
        return looked

    async def look_up_domains(self, progress: Callable[[int, int], None]) -> bool:
        """Look up which of their domains take mail; whether more is known of them now.

        Each is asked for once; what could not be looked up is, once that is forgotten.
        """
        lookup = domains.lookup_for(self._host.settings)
        if lookup is None:
            return False
        db = await self._host.store()
        async with self._looking_up:
            addresses = [each.address for each in self.looked.recipients] if self.looked else []
            unknown = await domains.to_look_up(db, addresses, now=self._host.now())
            asked = [each for each in unknown if each not in self._looked_up]
            if not asked:
                return False
            progress(0, len(asked))
            self._looked_up.update(asked)
            self.is_offline = not await domains.look_up(
                db, lookup, asked, now=self._host.now(), progress=progress
            )
        return True

    def forget_offline(self) -> None:
        """Have what could not be looked up be asked for again."""
        if self.is_offline:
            self._looked_up.clear()
            self.is_offline = False


class Plan(Whom):
    """What was chosen so far.

    Args:
        host: The app.
        chosen: Whom it is for, to begin with.
        campaign_id: The draft to go on with; None for a new one.

    Attributes:
        draft: All that is kept of it.
        lacking: Which of the recipients would be held, and for what; None while not known.
    """

    def __init__(
        self, host: Host, chosen: Audience | None = None, campaign_id: int | None = None
    ) -> None:
        super().__init__(host, chosen or Audience(query=""))
        self.id = campaign_id
        self.draft = Draft(audience=self._asked)
        self.lacking: dict[int, str] | None = None
        self._saved: Draft | None = None

    async def load(self) -> str:
        """Read the draft, if it is one to go on with; the page it was left on.

        Raises:
            NotFound: It is gone.
            BadInput: It was started.
        """
        if self.id is None:
            return ""
        db = await self._host.store()
        async with db.read() as session:
            self.draft = (await drafts.require_draft(session, self.id)).draft
        if self.draft.name == drafts.UNTITLED:
            self.draft = replace(self.draft, name="")
        self._saved = self.draft
        return str(self.draft.wizard.get(PAGE, ""))

    async def save(self, page: str) -> None:
        """Keep what was chosen, and the page one is on; a draft that is as it was is left alone.

        Raises:
            BadInput: It was started elsewhere, or something of it cannot be.
        """
        draft = replace(self.draft, wizard={**self.draft.wizard, PAGE: page})
        if draft == self._saved:
            return
        db = await self._host.store()
        self.id = await drafts.save(db, self.id, draft, now=self._host.now())
        self.draft = self._saved = draft

    def choose(self, **chosen: Any) -> None:
        """Choose something else; what was found out about it is not known any more."""
        before = self.channels
        self.draft = replace(self.draft, **chosen)
        if "audience" in chosen or "steps" in chosen:
            self.lacking = None
        if "audience" in chosen or self.channels != before:
            self.looked = None

    # What follows from it

    @property
    def steps(self) -> Sequence[Step]:
        """The messages."""
        return self.draft.steps

    @property
    def audience(self) -> Audience:
        """Whom it is for."""
        return self.draft.audience

    @property
    def name(self) -> str:
        """What it is called."""
        return self.draft.name

    @property
    def has_messages(self) -> bool:
        """Whether what it says is chosen already."""
        return bool(self.steps)

    @property
    def uses_site(self) -> bool:
        """Whether a message names the public address of the site."""
        return self.draft.uses_site

    @property
    def uses_payment(self) -> bool:
        """Whether a message names the page to pay at."""
        return self.draft.uses_payment

    @property
    def channels(self) -> Sequence[Channel]:
        """What the messages go through; while there is none, what was chosen for the first."""
        if self.steps:
            return self.draft.channels
        return (Channel(self.draft.wizard.get(CHANNEL, Channel.EMAIL)),)

    def go_through(self, channel: Channel) -> None:
        """Choose what the first message goes through, while there is none."""
        self.choose(wizard={**self.draft.wizard, CHANNEL: channel.value})

    def ask_for(self, asked: Audience) -> None:
        """Have it be for others."""
        self.choose(audience=asked)

    @property
    def recipients(self) -> list[int]:
        """The leads that get it, those that lack something first."""
        if self.looked is None:
            return []
        ids = [each.business_id for each in self.looked.recipients]
        lacking = self.lacking or {}
        return sorted(ids, key=lambda each: each not in lacking)

    async def find_lacking(self) -> dict[int, str]:
        """Which of the recipients lack something, and what."""
        db = await self._host.store()
        steps = self.steps
        found = await preview.lacking(db, steps, self.recipients, settings=self._host.settings)
        if steps == self.steps:
            self.lacking = found
        return found

    async def finish(self) -> datetime | None:
        """About when the last mail goes; None if that is years ahead."""
        db = await self._host.store()
        begins = max(self.draft.starts_at or self._host.now(), self._host.now())
        return await preview.finish_time(
            db, self.steps, self.recipients, settings=self._host.settings, now=begins
        )
