"""What can be put right in a campaign: a step, messages that failed, leads that are not wanted."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.orm import aliased

from crm_tui.db.engine import Database, WriteSession
from crm_tui.db.models import Campaign, CampaignStep, Message
from crm_tui.db.types import listed
from crm_tui.errors import BadInput, NotFound
from crm_tui.services import events, undo
from crm_tui.services.campaigns import drafts, variants
from crm_tui.services.campaigns.steps import Step, sendable
from crm_tui.services.campaigns.variants import OWN
from crm_tui.services.events import NewEvent
from crm_tui.services.filters.columns import no_index
from crm_tui.services.sending.ending import end_campaigns
from crm_tui.services.sending.record import REFUSED_BEFORE
from crm_tui.text import plural, visible
from crm_tui.vocabulary import CampaignState, EventKind, MessageState

SKIPPED_BY_YOU = "taken out by you"

_AT_ONCE = 300
"""Leads that are taken out in one transaction."""


async def edit_step(
    session: WriteSession,
    campaign_id: int,
    position: int,
    step: Step,
    *,
    letter: str = OWN,
    now: datetime,
) -> int:
    """Change what a step says to those who have not got it yet; returns the text's new version.

    A delay counts for those of whom the step before is sent from now on. Who was held by what the
    step lacked is looked at again. Where two texts are tried, one is changed; who gets it was
    drawn, and stays.

    Raises:
        NotFound: there is no such campaign, step or text of it.
        BadInput: the campaign runs or is over, everybody has got the step, or it cannot be sent.
    """
    kept = await drafts.load(session, campaign_id)
    if kept.state not in (CampaignState.DRAFT, CampaignState.PAUSED):
        raise BadInput(
            f"Campaign {campaign_id} is {kept.state}; "
            + (
                "pause it before you change a step."
                if kept.state is CampaignState.RUNNING
                else "its steps stay as they are."
            )
        )
    known = await session.scalar(
        select(CampaignStep).where(
            CampaignStep.campaign_id == campaign_id, CampaignStep.position == position
        )
    )
    if known is None:
        raise NotFound(f"Campaign {campaign_id} has no step {position}.")
    if (step.delay is None) != (position == 1):
        raise BadInput("The first step has no delay, and every other one has.")
    texts = kept.draft.steps[position - 1].texts
    if letter not in texts:
        raise NotFound(f"Step {position} of campaign {campaign_id} has no text {visible(letter)}.")
    if step.channel is not texts[letter].channel:
        raise BadInput(f"Step {position} stays what it is: a mail, or a text message.")
    sendable(step)
    waiting = [Message.step_id == known.id, Message.state == MessageState.QUEUED]
    if len(texts) > 1:
        waiting.append(Message.variant == letter)
    if kept.frozen and await session.scalar(select(Message.id).where(*waiting).limit(1)) is None:
        raise BadInput(f"Nobody waits for step {position} any more; it stays as it was sent.")
    version = texts[letter].version + 1
    if letter == OWN:
        known.template, known.source, known.is_html = step.template, step.source, step.is_html
        known.version = version
    else:
        await variants.change(session, known.id, step, version=version)
    known.delay = step.delay
    await session.flush()
    await session.execute(
        update(Message)
        .where(*waiting, Message.due_at.is_(None), Message.reason.is_not(None))
        .values(due_at=now)
        .execution_options(synchronize_session=None)
    )
    return version


async def retry(
    session: WriteSession, campaign_id: int, *, now: datetime, ids: Collection[int] = ()
) -> int:
    """Send failed messages again, and look at held ones again; all where none are named.

    The steps that were given up with them wait again, too. A campaign that was finished runs
    again. Returns how many messages it is.

    Raises:
        NotFound: there is no such campaign.
        BadInput: it was canceled, or never started.
    """
    kept = await drafts.load(session, campaign_id)
    if kept.state in (CampaignState.DRAFT, CampaignState.CANCELED):
        raise BadInput(f"Campaign {campaign_id} is {kept.state}: it sends nothing again.")
    named = (Message.campaign_id == campaign_id, *((Message.id.in_(listed(ids)),) if ids else ()))
    failed = (
        (
            await session.execute(
                update(Message)
                .where(*named, Message.state == MessageState.FAILED)
                .values(
                    state=MessageState.QUEUED, reason=None, due_at=now, attempts=0, bounced_at=None
                )
                .returning(Message.id)
                .execution_options(synchronize_session=None)
            )
        )
        .scalars()
        .all()
    )
    if failed:
        await _wait_again(session, failed)
    held = await session.execute(
        update(Message)
        .where(
            *named,
            Message.state == MessageState.QUEUED,
            Message.due_at.is_(None),
            Message.reason.is_not(None),
        )
        .values(due_at=now)
        .returning(Message.id)
        .execution_options(synchronize_session=None)
    )
    if failed and kept.state is CampaignState.FINISHED:
        await session.execute(
            update(Campaign)
            .where(Campaign.id == campaign_id)
            .values(state=CampaignState.RUNNING, ended_at=None, updated_at=now)
        )
    return len(failed) + len(held.all())


async def _wait_again(session: WriteSession, failed: Collection[int]) -> None:
    """Let the steps wait again that were given up because these messages failed."""
    before = aliased(Message)
    after = (
        select(before.id)
        .where(
            before.id.in_(listed(failed)),
            before.campaign_id == Message.campaign_id,
            before.origin_id == Message.origin_id,
        )
        .correlate(Message)
    )
    campaigns = select(Message.campaign_id).where(Message.id.in_(listed(failed)))
    await session.execute(
        update(Message)
        .where(
            Message.campaign_id.in_(campaigns),
            Message.state == MessageState.SKIPPED,
            Message.reason == REFUSED_BEFORE,
            after.exists(),
        )
        .values(state=MessageState.QUEUED, reason=None, due_at=None)
        .execution_options(synchronize_session=None)
    )


async def take_out(
    db: Database, campaign_id: int, business_ids: Collection[int], *, now: datetime
) -> int:
    """Take leads out of a campaign as an action that can be undone; how many mails are skipped.

    Raises:
        NotFound: there is no such campaign.
    """
    async with db.read() as session:
        name = (await drafts.load(session, campaign_id)).draft.name
    words = f"took {plural(len(business_ids), 'lead')} out of the campaign {visible(name, 50)}"
    skipped = 0
    entry = undo.Entry()
    for chunk in _chunks(business_ids):
        async with undo.action(db, words, now=now, entry=entry) as session:
            skipped += await skip(session, campaign_id, chunk, now=now)
    return skipped


def _chunks(ids: Collection[int]) -> Iterator[Sequence[int]]:
    those = list(dict.fromkeys(ids))
    return (those[start : start + _AT_ONCE] for start in range(0, len(those), _AT_ONCE))


async def skip(
    session: WriteSession, campaign_id: int, business_ids: Collection[int], *, now: datetime
) -> int:
    """Take leads out of a campaign: what was not sent to them is skipped. Returns how many mails.

    Raises:
        NotFound: there is no such campaign.
    """
    kept = await drafts.load(session, campaign_id)
    found = await session.execute(
        update(Message)
        .where(
            no_index(Message.campaign_id) == campaign_id,
            Message.business_id.in_(listed(business_ids)),
            Message.state == MessageState.QUEUED,
        )
        .values(state=MessageState.SKIPPED, reason=SKIPPED_BY_YOU)
        .returning(Message.business_id)
        .execution_options(synchronize_session=None)
    )
    skipped = found.scalars().all()
    if kept.state is not CampaignState.DRAFT:
        await events.record(
            session,
            *(
                NewEvent(
                    business_id,
                    EventKind.CAMPAIGN_LEFT,
                    now,
                    f"gets no more mail of the campaign: {SKIPPED_BY_YOU}",
                    events.OPERATOR,
                    key=f"left:{kept.key}:{business_id}",
                )
                for business_id in dict.fromkeys(skipped)
            ),
            now=now,
        )
    await end_campaigns(session, [campaign_id], now=now)
    return len(skipped)
