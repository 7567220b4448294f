"""How sending stands, for whoever shows it: what waits, what keeps it, when the mailbox was read."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import and_, func, or_, select
from sqlalchemy.sql.functions import coalesce

from crm_tui.db.engine import ReadSession
from crm_tui.db.models import Campaign, Message, SyncCursor
from crm_tui.providers.catalog import POLLED, TITLES
from crm_tui.services.sending.standing import read_standing
from crm_tui.vocabulary import CampaignState, MessageState


@dataclass(frozen=True, slots=True)
class Overview:
    """How sending stands.

    Attributes:
        queued: messages that wait for their time, or for the step before them.
        held: messages that wait for what is missing.
        on_way: messages that are being sent.
        uncertain: messages of which nobody knows whether they were sent.
        stopped: why nothing is sent at all; "" while it may be.
        problem: what is wrong with the provider; "" where it works.
        read_at: when the mailbox was read, or a provider polled, last; None where none ever was.
        unread_since: since when the mailbox cannot be read, or a provider polled; None where all can.
        unread_why: and why.
        unread: which provider it is; "" for the mailbox.
    """

    queued: int = 0
    held: int = 0
    on_way: int = 0
    uncertain: int = 0
    stopped: str = ""
    problem: str = ""
    read_at: datetime | None = None
    unread_since: datetime | None = None
    unread_why: str = ""
    unread: str = ""


async def overview(session: ReadSession, provider: str, *, home: str) -> Overview:
    """How sending through a provider stands in the store at this place (`standing.home_of`)."""
    known = await read_standing(session, provider, home=home)
    counted = await session.execute(
        select(
            Message.state,
            and_(Message.due_at.is_(None), Message.reason.is_not(None)).label("held"),
            func.count(),
        )
        .outerjoin(Campaign, Campaign.id == Message.campaign_id)
        .where(
            or_(
                Message.state.in_((MessageState.SENDING, MessageState.UNCERTAIN)),
                and_(
                    Message.state == MessageState.QUEUED,
                    coalesce(Campaign.state, CampaignState.RUNNING) == CampaignState.RUNNING,
                ),
            )
        )
        .group_by(Message.state, "held")
    )
    counts = {(state, bool(held)): number for state, held, number in counted}
    cursors = (await session.execute(select(SyncCursor))).scalars().all()
    failing = sorted(
        (each.provider in POLLED, each.failed_at, each.problem, each.provider)
        for each in cursors
        if each.problem and each.failed_at
    )
    of_provider, since, why, name = failing[0] if failing else (False, None, "", "")
    return Overview(
        queued=counts.get((MessageState.QUEUED, False), 0),
        held=counts.get((MessageState.QUEUED, True), 0),
        on_way=sum(n for (state, _), n in counts.items() if state is MessageState.SENDING),
        uncertain=sum(n for (state, _), n in counts.items() if state is MessageState.UNCERTAIN),
        stopped=known.stopped,
        problem=known.problem,
        read_at=max((each.last_ok_at for each in cursors if each.last_ok_at), default=None),
        unread_since=since,
        unread_why=why,
        unread=TITLES[name] if of_provider else "",
    )
