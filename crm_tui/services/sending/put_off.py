"""What was put off to a better hour is looked at again where the operator changes the hours."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import and_, literal_column, or_, select, update

from crm_tui.db.engine import ReadSession, WriteSession
from crm_tui.db.models import Campaign, CampaignStep, Message, Setting
from crm_tui.db.types import listed
from crm_tui.services.sending import standing
from crm_tui.services.sending.account import Account
from crm_tui.vocabulary import MessageState

HOURS = "sending_hours"
"""The setting that says by which hours messages were put off."""

_QUEUED = Message.state == literal_column(f"'{MessageState.QUEUED}'")
"""In the words of the index."""


def hours_of(account: Account) -> str:
    """The hours an account keeps to, to tell whether they were changed."""
    rules = account.rules
    days = "weekdays" if rules.weekdays_only else "every day"
    return f"{rules.quiet_from}-{rules.quiet_until} {days} {account.zone or ''}"


async def kept_hours(session: ReadSession) -> str | None:
    """The hours that messages were put off by so far; None where nothing was sent yet."""
    kept: str | None = await session.scalar(select(Setting.value).where(Setting.name == HOURS))
    return kept


async def put_off(session: ReadSession, *, now: datetime) -> list[int]:
    """Single and first mails that wait for a better hour.

    They have no other reason to wait once their campaign runs and its time has come. A mail that
    follows has a delay to wait for, which was read by the hours of then.
    """
    found = await session.scalars(
        select(Message.id)
        .outerjoin(CampaignStep, CampaignStep.id == Message.step_id)
        .outerjoin(Campaign, Campaign.id == CampaignStep.campaign_id)
        .where(
            _QUEUED,
            Message.due_at > now,
            Message.attempts == 0,
            or_(
                Message.step_id.is_(None),
                and_(
                    CampaignStep.position == 1,
                    or_(Campaign.starts_at.is_(None), Campaign.starts_at <= now),
                ),
            ),
        )
    )
    return list(found)


async def look_again(session: WriteSession, ids: Sequence[int], *, now: datetime) -> None:
    """Make messages due, so that they are put off by the hours of now or sent."""
    await session.execute(
        update(Message)
        .where(Message.id.in_(listed(ids)), _QUEUED, Message.due_at > now)
        .values(due_at=now)
        .execution_options(synchronize_session=None)
    )


async def keep_hours(session: WriteSession, account: Account) -> None:
    """Remember the hours that messages are put off by from now on."""
    await standing.put(session, HOURS, hours_of(account))
