"""What is looked up ahead of claiming: which messages are due, what speaks against them, the mails.

All of it is believed for as long as nobody else writes to the store: the transaction that claims
asks SQLite first whether another connection has, and looks everything up anew if so. What a turn
changes itself, it has forgotten here. So a decision is as good as one made at the last moment, and
the work for it is done for many messages at once, outside of any transaction that writes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from crm_tui.db.engine import ReadSession, version_of
from crm_tui.services.sending.account import Account
from crm_tui.services.sending.bounces import Ends, learn
from crm_tui.services.sending.candidates import Candidate, candidates, due
from crm_tui.services.sending.compose import Composed, Held, compose, facts_of, threads
from crm_tui.services.sending.returned import NextStep, Returned, returned, steps_after
from crm_tui.services.sending.standing import Standing, read_standing
from crm_tui.services.templating.facts import MailFacts
from crm_tui.vocabulary import Channel


@dataclass(frozen=True, slots=True)
class Prepared:
    """A message that is due, decided on as far as one can ahead of time.

    Attributes:
        why: what speaks against it, in words; "" where nothing does.
        later: when it may go by the clock on the recipient's wall; None where that is now.
        made: the mail, or what it lacks; None where it does not go.
        next_step: the step after it, if there is one.
    """

    message: Candidate
    why: str
    later: datetime | None
    made: Composed | Held | None
    next_step: NextStep | None

    def on_way(self) -> Returned:
        """What will be known of the message as it comes back, if nothing changes meanwhile."""
        each = self.message
        next_id, next_delay = self.next_step or (None, None)
        return Returned(
            id=each.id,
            business_id=each.business_id,
            origin_id=each.origin_id,
            campaign_id=each.campaign_id,
            address=each.address,
            attempts=each.attempts,
            canceled=False,
            erased=False,
            timezone=each.timezone,
            country=each.country,
            region=each.region,
            phone=each.phone,
            next_id=next_id,
            next_delay=next_delay,
        )


class Ahead:
    """What was looked up, of one who sends.

    Attributes:
        ends: how the last mails of campaigns ended.
    """

    def __init__(self) -> None:
        self.ends: Ends = {}
        self._version: int | None = None
        self._standing: Standing | None = None
        self._prepared: dict[int, Prepared] = {}
        self._of_lead: dict[int, list[int]] = {}
        self._on_way: dict[int, Returned] = {}

    async def look(
        self, session: ReadSession, account: Account, *, most: int, now: datetime
    ) -> list[int]:
        """Look up what is due next, and prepare it; returns the messages in their order."""
        await self.see(session)
        found = await due(session, now=now, most=most, channel=account.channel)
        await learn(session, {each.campaign_id for each in found}, self.ends)
        self._prepared, self._of_lead = {}, {}
        for each in await prepare(session, [each.id for each in found], account, now=now):
            self._prepared[each.message.id] = each
            self._of_lead.setdefault(each.message.business_id, []).append(each.message.id)
        return [each.id for each in found]

    async def see(self, session: ReadSession) -> None:
        """Forget what was looked up if another connection has changed the store since.

        Sessions of one connection only; its versions say nothing of another's.
        """
        version = await version_of(session)
        if version != self._version:
            self.forget()
            self._version = version

    def forget(self) -> None:
        """Believe nothing any more, but how the last mails of campaigns ended."""
        self._version = self._standing = None
        self._prepared, self._of_lead, self._on_way = {}, {}, {}

    async def standing(self, session: ReadSession, provider: str, *, home: str) -> Standing:
        """What the store remembers of its sending."""
        if self._standing is None:
            self._standing = await read_standing(session, provider, home=home)
        return self._standing

    def remember(self, standing: Standing) -> None:
        """Note what the store remembers from now on."""
        self._standing = standing

    async def those(
        self, session: ReadSession, ids: Sequence[int], account: Account, *, now: datetime
    ) -> list[Prepared]:
        """Those of these messages that are due still, in the same order."""
        unknown = [each for each in ids if each not in self._prepared]
        made = await prepare(session, unknown, account, now=now) if unknown else ()
        anew = {each.message.id: each for each in made}
        known = (self._prepared.get(each) or anew.get(each) for each in ids)
        return [each for each in known if each is not None]

    def decided(self, business_ids: Iterable[int]) -> None:
        """Forget what was prepared for these leads: one decision may bear on their other mails."""
        for business_id in business_ids:
            for each in self._of_lead.pop(business_id, ()):
                self._prepared.pop(each, None)

    def claimed(self, messages: Iterable[Prepared]) -> None:
        """Note what is on its way now."""
        self._on_way |= {each.message.id: each.on_way() for each in messages}

    async def returned(
        self, session: ReadSession, ids: Sequence[int], *, owner: str
    ) -> Mapping[int, Returned]:
        """What is known of messages that came back, if this sender still answers for them."""
        known = {each: self._on_way.pop(each) for each in ids if each in self._on_way}
        unknown = [each for each in ids if each not in known]
        return known | await returned(session, unknown, owner=owner) if unknown else known


async def prepare(
    session: ReadSession, ids: Sequence[int], account: Account, *, now: datetime
) -> list[Prepared]:
    """Those of these messages that are due still, in the same order, with the mails they are."""
    there = await candidates(session, ids, now=now, channel=account.channel)
    against = {each.id: each.why_not() for each in there}
    waits = {each.id: _later(each, account, now) for each in there if not against[each.id]}
    going = [each for each in there if waits.get(each.id, now) is None]
    facts = await facts_of(session, going)
    before = await threads(session, going) if account.channel is Channel.EMAIL else {}
    after = await steps_after(session, {each.step_id for each in going})
    made = {
        each.id: compose(
            each, facts.get(each.business_id, MailFacts()), before.get(each.id), account, now=now
        )
        for each in going
    }
    return [
        Prepared(
            message=each,
            why=against[each.id],
            later=waits.get(each.id),
            made=made.get(each.id),
            next_step=after.get(each.step_id),
        )
        for each in there
    ]


def _later(message: Candidate, account: Account, now: datetime) -> datetime | None:
    at = message.not_before(now, account.rules, account.zone)
    return at if at > now else None
