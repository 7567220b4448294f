"""Recipients become rows of the queue: one for every step, with its marks, when they are added."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeVar

from sqlalchemy import delete, func, select, update
from sqlalchemy.dialects.sqlite import insert

from crm_tui.config import Settings
from crm_tui.db.engine import Database, ReadSession, WriteSession
from crm_tui.db.models import Business, Campaign, CampaignExclusion, CampaignStep, Message
from crm_tui.db.types import listed
from crm_tui.errors import BadInput
from crm_tui.services import events, undo
from crm_tui.services.campaigns import drafts, variants
from crm_tui.services.campaigns.audience import (
    Audience,
    LeftOut,
    Looked,
    ReasonCount,
    Recipient,
    counted,
    inside,
    look,
)
from crm_tui.services.campaigns.drafts import Kept
from crm_tui.services.campaigns.reasons import ALREADY_IN, LATE
from crm_tui.services.campaigns.variants import Variant, letter_of
from crm_tui.services.sending.account import account, new_marks
from crm_tui.text import visible
from crm_tui.vocabulary import CampaignState, Channel, EventKind

_ROWS = 500
"""Rows of the queue that one transaction writes, about: it is over in a twentieth of a second."""
T = TypeVar("T")
_OPEN = (CampaignState.DRAFT, CampaignState.RUNNING, CampaignState.PAUSED)


@dataclass(frozen=True, slots=True)
class Frozen:
    """Who was added.

    Attributes:
        recipients: how many leads.
        held: how many of them wait until their site is published.
        recent: how many of them were written to lately, or wait in another campaign.
        no_consent: how many wait with their text messages until they agree to them.
        without_link: how many have no payment link, though a message names it.
        excluded: how many were left out, for each reason.
        stopped: whether it was cancelled before the end; a draft is then not frozen.
    """

    recipients: int
    held: int
    recent: int
    excluded: list[ReasonCount]
    stopped: bool = False
    no_consent: int = 0
    without_link: int = 0


async def freeze(
    db: Database,
    campaign_id: int,
    *,
    settings: Settings,
    now: datetime,
    agreed: Collection[int] | None = None,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
    cancelled: Callable[[], bool] = lambda: False,
) -> Frozen:
    """Take down the recipients of a draft, in place of those taken down before.

    Where it was agreed to some leads, whoever else is asked for by now is left out.

    Raises:
        NotFound: there is no such campaign.
        BadInput: it is no draft, or has no steps.
        QueryError: its filter cannot be read.
    """
    async with db.read() as session:
        kept = await drafts.require_draft(session, campaign_id)
    if not kept.draft.steps:
        raise BadInput(f"Campaign {campaign_id} has no message yet: choose a template.")
    await drafts.thaw(db, campaign_id)
    frozen, _ = await _take_in(
        db,
        kept,
        kept.draft.audience,
        settings=settings,
        now=now,
        agreed=agreed,
        progress=progress,
        cancelled=cancelled,
    )
    if not frozen.stopped:
        async with db.write() as session:
            await drafts.keep_frozen(
                session, await drafts.require_draft(session, campaign_id), frozen=True
            )
    return frozen


async def add(
    db: Database,
    campaign_id: int,
    audience: Audience,
    *,
    settings: Settings,
    now: datetime,
    agreed: Collection[int] | None = None,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
    cancelled: Callable[[], bool] = lambda: False,
) -> Frozen:
    """Add more recipients to a campaign whose first ones were taken down, and that is not over.

    Where it was agreed to some leads, whoever else is asked for by now is left out. A draft has
    those who joined among its audience from then on; undo takes them out of one that was started,
    as far as nothing was sent to them.

    Raises:
        NotFound: there is no such campaign.
        BadInput: it is over, or its recipients were not taken down yet.
        QueryError: the filter cannot be read.
    """
    async with db.read() as session:
        kept = await drafts.load(session, campaign_id)
    _see_open(kept)
    if not kept.frozen:
        raise BadInput(f"Campaign {campaign_id} is not finished: choose its recipients there.")
    frozen, joined = await _take_in(
        db,
        kept,
        audience,
        settings=settings,
        now=now,
        agreed=agreed,
        progress=progress,
        cancelled=cancelled,
    )
    if kept.state is CampaignState.DRAFT and joined:
        async with db.write() as session:
            await _ask_for_too(session, campaign_id, joined)
    return frozen


async def _ask_for_too(session: WriteSession, campaign_id: int, joined: Sequence[int]) -> None:
    """Have a draft ask for leads beside those it asks for already."""
    known = (await drafts.require_draft(session, campaign_id)).draft.audience
    wanted = replace(known, ids=tuple(dict.fromkeys((*known.ids, *joined))))
    await session.execute(
        update(Campaign).where(Campaign.id == campaign_id).values(audience=wanted.plain())
    )


def _see_open(kept: Kept) -> None:
    if kept.state not in _OPEN:
        raise BadInput(f"Campaign {kept.id} is {kept.state}: nobody can be added to it any more.")


async def _take_in(
    db: Database,
    kept: Kept,
    audience: Audience,
    *,
    settings: Settings,
    now: datetime,
    agreed: Collection[int] | None,
    progress: Callable[[int, int], None],
    cancelled: Callable[[], bool],
) -> tuple[Frozen, list[int]]:
    """Look at an audience and write who is in, and who is left out; also who joined.

    In a campaign that was started this is one entry of undo.
    """
    looked = await look(
        db,
        audience,
        settings=settings,
        now=now,
        campaign_id=kept.id,
        uses_site=kept.draft.uses_site,
        uses_payment=kept.draft.uses_payment,
        channels=kept.draft.channels,
        progress=progress,
        cancelled=cancelled,
    )
    if agreed is not None:
        _leave_out_late(looked, agreed)
    domain = account(settings).domain
    at_once = max(_ROWS // len(kept.draft.steps), 25)
    joined, late = list[int](), list[str]()
    entry = None if kept.state is CampaignState.DRAFT else undo.Entry()

    def writing() -> AbstractAsyncContextManager[WriteSession]:
        if entry is None:
            return db.write()
        words = f"added leads to the campaign {visible(kept.draft.name, 50)}"
        return undo.action(db, words, now=now, entry=entry)

    for some in _chunks(looked.recipients, at_once):
        if cancelled():
            break
        async with writing() as session:
            some_joined, refused = await _join(session, kept.id, some, domain, now=now)
        joined += some_joined
        late += refused
        progress(len(joined) + len(late), len(looked.recipients))
    for left in _chunks(looked.left_out, _ROWS):
        async with writing() as session:
            await _leave_out(session, kept.id, left)
    frozen = Frozen(
        len(joined),
        looked.held,
        looked.recent,
        counted([*(each.reason for each in looked.left_out), *late]),
        stopped=cancelled(),
        no_consent=looked.no_consent,
        without_link=looked.without_link,
    )
    return frozen, joined


def _leave_out_late(looked: Looked, agreed: Collection[int]) -> None:
    """Leave out who was not among those that were agreed to."""
    wanted, asked = frozenset(agreed), looked.recipients
    looked.recipients = [each for each in asked if each.business_id in wanted]
    looked.left_out += [
        LeftOut(each.business_id, each.name, each.address, LATE)
        for each in asked
        if each.business_id not in wanted
    ]


def _chunks(rows: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    return (rows[start : start + size] for start in range(0, len(rows), size))


async def _join(
    session: WriteSession,
    campaign_id: int,
    recipients: Sequence[Recipient],
    domain: str,
    *,
    now: datetime,
) -> tuple[list[int], list[str]]:
    """Write the rows of recipients; who joined, and why others no longer could."""
    kept = await drafts.load(session, campaign_id)
    _see_open(kept)
    there = await _there(session, recipients)
    taken = await inside(session, campaign_id, recipients)
    late = list(taken.values())
    joining = [
        each for each in recipients if each.business_id in there and each.business_id not in taken
    ]
    found = await session.execute(
        select(CampaignStep.id, CampaignStep.channel)
        .where(CampaignStep.campaign_id == campaign_id)
        .order_by(CampaignStep.position)
    )
    steps = found.all()
    second = await variants.of_steps(session, campaign_id)
    due_at = first_due(kept, now)
    connection = await session.connection()
    together = secrets.token_hex(4)
    rows = [
        _row(
            each,
            channel,
            domain=domain,
            together=together,
            now=now,
            second=second.get(step_id),
        )
        | {
            "campaign_id": campaign_id,
            "step_id": step_id,
            "due_at": due_at if number == 0 else None,
        }
        for number, (step_id, channel) in enumerate(steps)
        for each in joining
    ]
    if rows:
        await connection.execute(insert(Message), rows)
        await session.execute(
            delete(CampaignExclusion)
            .where(
                CampaignExclusion.campaign_id == campaign_id,
                CampaignExclusion.business_id.in_(listed(each.business_id for each in joining)),
            )
            .execution_options(synchronize_session=None)
        )
    if kept.state is not CampaignState.DRAFT:
        await tell_joined(session, kept, [each.business_id for each in joining], now=now)
    return [each.business_id for each in joining], late


def first_due(kept: Kept, now: datetime) -> datetime | None:
    """When the first step of a campaign is due for whoever joins now; None in a draft."""
    if kept.state is CampaignState.DRAFT:
        return None
    starts_at = kept.draft.starts_at
    return max(now, starts_at) if starts_at else now


def _row(
    recipient: Recipient,
    channel: Channel,
    *,
    domain: str,
    together: str,
    now: datetime,
    second: Variant | None,
) -> dict[str, object]:
    address, person = recipient.at(channel)
    marks = new_marks(domain, together=together)
    return {
        "key": marks.key,
        "variant": None if second is None else letter_of(marks.key, second.share),
        "business_id": recipient.business_id,
        "origin_id": recipient.business_id,
        "channel": channel,
        "address": address,
        "person": person,
        "message_id": marks.message_id,
        "token": marks.token,
        "created_at": now,
    }


async def _there(session: ReadSession, recipients: Sequence[Recipient]) -> set[int]:
    """Which of the leads are there still."""
    found = await session.scalars(
        select(Business.id).where(
            Business.id.in_(listed(each.business_id for each in recipients)),
            Business.erased_at.is_(None),
        )
    )
    return set(found)


async def tell_joined(
    session: WriteSession, kept: Kept, business_ids: Collection[int], *, now: datetime
) -> None:
    """Write on the timelines of leads that a campaign writes to them; at most 500 at once."""
    await events.tell(
        session,
        business_ids,
        EventKind.CAMPAIGN_JOINED,
        f"in the campaign {kept.draft.name}",
        now=now,
        data=func.json_object("campaign", kept.id),
    )


async def _leave_out(session: WriteSession, campaign_id: int, left: Sequence[LeftOut]) -> None:
    found = await session.scalars(
        select(Business.id).where(Business.id.in_(listed(each.business_id for each in left)))
    )
    there = set(found)
    rows = [
        {"campaign_id": campaign_id, "business_id": each.business_id, "reason": each.reason}
        for each in left
        if each.reason != ALREADY_IN and each.business_id in there
    ]
    if rows:
        statement = insert(CampaignExclusion)
        connection = await session.connection()
        await connection.execute(
            statement.on_conflict_do_update(
                index_elements=["campaign_id", "business_id"],
                set_={"reason": statement.excluded.reason},
            ),
            rows,
        )
