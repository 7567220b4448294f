"""Starting a campaign, and everything that can be done to one that was started."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, func, select, update

from crm_tui.config import Settings
from crm_tui.db.engine import Database, WriteSession
from crm_tui.db.models import Campaign, CampaignStep, Message
from crm_tui.db.types import listed
from crm_tui.errors import BadInput
from crm_tui.providers.sender_policy import SenderPolicy
from crm_tui.services.campaigns import drafts, gate
from crm_tui.services.campaigns.audience import refused
from crm_tui.services.campaigns.drafts import Kept
from crm_tui.services.campaigns.freezing import freeze, tell_joined
from crm_tui.services.filters.columns import no_index
from crm_tui.services.sending import standing
from crm_tui.services.sending.account import NO_DOMAIN, account
from crm_tui.services.sending.ending import end_campaigns
from crm_tui.vocabulary import CampaignState, MessageState

PAUSED_BY_YOU = "paused by you"
CANCELED = "the campaign was canceled"

_CHUNK = 500


@dataclass(frozen=True, slots=True)
class Started:
    """A campaign that runs.

    Attributes:
        recipients: how many leads it writes to.
        dropped: how many were taken down for it and are left out after all, since something came
            between; each has its reason in the ledger.
    """

    id: int
    recipients: int
    dropped: int


async def start(
    db: Database,
    campaign_id: int,
    *,
    settings: Settings,
    now: datetime,
    policy: SenderPolicy | None = None,
    agreed: Collection[int] | None = None,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> Started:
    """Start a draft: freezes it if need be, looks at everybody again, and lets the queue have them.

    Args:
        db: the store.
        campaign_id: which.
        settings: who sends, and through what.
        now: aware UTC.
        policy: what the sender's domain says of itself; None where it was not looked up.
        agreed: the leads the operator saw and agreed to; nobody else gets it. None is whoever
            was taken down, else whoever is asked for now.
        progress: called with how many were dealt with, of how many.

    Raises:
        Blocked: something must be put in order first; carries what.
        NotFound: there is no such campaign.
        BadInput: it was started already.
    """
    async with db.read() as session:
        kept = await drafts.require_draft(session, campaign_id)
    if kept.draft.steps and not (kept.frozen and await _are_in(db, campaign_id, agreed)):
        await freeze(db, campaign_id, settings=settings, now=now, agreed=agreed, progress=progress)
    waiting = await _first_messages(db, campaign_id)
    dropped = await _look_again(db, kept, waiting, settings=settings, now=now)
    async with db.read() as session:
        checks = await gate.checks(
            session,
            kept.draft.steps,
            recipients=len(waiting) - len(dropped),
            settings=settings,
            store=db.path,
            policy=policy,
        )
    gate.refuse(checks)
    await _drop(db, campaign_id, dropped)
    await _name_domain(db, campaign_id, account(settings).domain)
    await _make_due(db, kept, waiting, now=now, progress=progress)
    home = standing.home_of(db.path)
    async with db.write(durable=True) as session:
        if not (await drafts.require_draft(session, campaign_id)).frozen:
            raise BadInput(f"Campaign {campaign_id} was changed meanwhile; start it again.")
        await _set(session, campaign_id, CampaignState.RUNNING, now=now, started_at=now)
        await standing.keep_home(session, home)  # a copy that is made from now on is known as one
        await end_campaigns(session, [campaign_id], now=now)
    return Started(campaign_id, len(waiting) - len(dropped), len(dropped))


async def _are_in(db: Database, campaign_id: int, agreed: Collection[int] | None) -> bool:
    """Whether those who were agreed to are those who were taken down."""
    if agreed is None:
        return True
    mine = Message.campaign_id == campaign_id
    there = await db.integers(select(Message.business_id).where(mine).distinct())
    return set(there) == set(agreed)


async def _first_messages(db: Database, campaign_id: int) -> array[int]:
    """The messages of the first step that wait."""
    first = (
        select(CampaignStep.id)
        .where(CampaignStep.campaign_id == campaign_id)
        .order_by(CampaignStep.position)
        .limit(1)
        .scalar_subquery()
    )
    return await db.integers(
        select(Message.id)
        .where(Message.step_id == first, Message.state == MessageState.QUEUED)
        .order_by(Message.id)
    )


async def _look_again(
    db: Database, kept: Kept, waiting: array[int], *, settings: Settings, now: datetime
) -> dict[int, str]:
    """The leads that must not be written to any more, and why."""
    found: dict[int, str] = {}
    for chunk in _chunks(waiting):
        async with db.read() as session:
            ids = await session.scalars(
                select(Message.business_id).where(Message.id.in_(listed(chunk)))
            )
            found |= await refused(
                session,
                ids.all(),
                audience=kept.draft.audience,
                settings=settings,
                now=now,
                campaign_id=kept.id,
                channels=kept.draft.channels,
            )
    return found


async def _drop(db: Database, campaign_id: int, dropped: dict[int, str]) -> None:
    for chunk in _chunks(array("q", dropped)):
        async with db.write() as session:
            await drafts.require_draft(session, campaign_id)
            for why in {dropped[each] for each in chunk}:
                those = [each for each in chunk if dropped[each] == why]
                await _end(
                    session,
                    no_index(Message.campaign_id) == campaign_id,
                    Message.business_id.in_(listed(those)),
                    state=MessageState.SKIPPED,
                    why=why,
                )


async def _name_domain(db: Database, campaign_id: int, domain: str) -> None:
    """Give the Message-IDs of a draft that was made before the sender was set their domain."""
    unnamed = await db.integers(
        select(Message.id).where(
            Message.campaign_id == campaign_id,
            Message.message_id.endswith(f"@{NO_DOMAIN}>"),
        )
    )
    for chunk in _chunks(unnamed):
        async with db.write() as session:
            await drafts.require_draft(session, campaign_id)
            await session.execute(
                update(Message)
                .where(Message.id.in_(listed(chunk)))
                .values(
                    message_id=func.replace(Message.message_id, f"@{NO_DOMAIN}>", f"@{domain}>")
                )
                .execution_options(synchronize_session=None)
            )


async def _make_due(
    db: Database,
    kept: Kept,
    waiting: array[int],
    *,
    now: datetime,
    progress: Callable[[int, int], None],
) -> None:
    """Give the first messages their time; nothing goes before the campaign runs."""
    starts_at = kept.draft.starts_at
    at = max(now, starts_at) if starts_at else now
    done = 0
    for chunk in _chunks(waiting):
        async with db.write() as session:
            await drafts.require_draft(session, kept.id)
            those = (Message.id.in_(listed(chunk)), Message.state == MessageState.QUEUED)
            # A start that was cut off has made some due and told of them already.
            new = await session.scalars(
                update(Message)
                .where(*those, Message.due_at.is_(None))
                .values(due_at=at)
                .returning(Message.business_id)
                .execution_options(synchronize_session=None)
            )
            await tell_joined(session, kept, new.all(), now=now)
            await session.execute(
                update(Message)
                .where(*those, Message.due_at != at)
                .values(due_at=at)
                .execution_options(synchronize_session=None)
            )
        done += len(chunk)
        progress(done, len(waiting))


def _chunks(ids: array[int]) -> Iterator[array[int]]:
    return (ids[start : start + _CHUNK] for start in range(0, len(ids), _CHUNK))


async def _set(
    session: WriteSession, campaign_id: int, state: CampaignState, *, now: datetime, **more: object
) -> None:
    await session.execute(
        update(Campaign)
        .where(Campaign.id == campaign_id)
        .values(state=state, updated_at=now, **more)
    )


async def _end(
    session: WriteSession, *where: ColumnElement[bool], state: MessageState, why: str
) -> int:
    """End messages that wait; returns how many they were."""
    found = await session.execute(
        update(Message)
        .where(Message.state == MessageState.QUEUED, *where)
        .values(state=state, reason=why)
        .returning(Message.id)
        .execution_options(synchronize_session=None)
    )
    return len(found.all())


# What can be done to one that was started ---------------------------------------------------------


async def pause(session: WriteSession, campaign_id: int, *, now: datetime) -> None:
    """Stop sending after what is on its way.

    Raises:
        NotFound: there is no such campaign.
        BadInput: it does not run.
    """
    kept = await drafts.load(session, campaign_id)
    _see(kept, CampaignState.RUNNING, instead="only one that runs can be paused")
    await _set(session, campaign_id, CampaignState.PAUSED, now=now, pause_reason=PAUSED_BY_YOU)


async def resume(session: WriteSession, campaign_id: int, *, now: datetime) -> None:
    """Go on with a campaign that is paused.

    Raises:
        NotFound: there is no such campaign.
        BadInput: it is not paused.
    """
    kept = await drafts.load(session, campaign_id)
    _see(kept, CampaignState.PAUSED, instead="only one that is paused can be resumed")
    await _set(session, campaign_id, CampaignState.RUNNING, now=now, pause_reason=None)
    await end_campaigns(session, [campaign_id], now=now)


def _see(kept: Kept, *states: CampaignState, instead: str) -> None:
    if kept.state not in states:
        raise BadInput(f"Campaign {kept.id} is {_words(kept.state)}; {instead}.")


def _words(state: CampaignState) -> str:
    return {CampaignState.DRAFT: "a draft"}.get(state, state.value)


async def cancel(db: Database, campaign_id: int, *, now: datetime) -> int:
    """End a campaign for good: what was not sent never will be. Returns how many mails that is.

    Where this was cut off, doing it again ends what is left.

    Raises:
        NotFound: there is no such campaign.
        BadInput: it is over, or a draft (delete that instead).
    """
    async with db.write(durable=True) as session:
        kept = await drafts.load(session, campaign_id)
        _see(
            kept,
            CampaignState.RUNNING,
            CampaignState.PAUSED,
            CampaignState.CANCELED,
            instead="delete it instead"
            if kept.state is CampaignState.DRAFT
            else "there is nothing left to cancel",
        )
        if kept.state is not CampaignState.CANCELED:
            await _set(
                session,
                campaign_id,
                CampaignState.CANCELED,
                now=now,
                ended_at=now,
                pause_reason=None,
            )
    left = await db.integers(
        select(Message.id).where(
            Message.campaign_id == campaign_id, Message.state == MessageState.QUEUED
        )
    )
    canceled = 0
    for chunk in _chunks(left):
        async with db.write() as session:
            canceled += await _end(
                session,
                Message.id.in_(listed(chunk)),
                state=MessageState.CANCELED,
                why=CANCELED,
            )
    return canceled
