"""What was put off to a better hour gets another time where the operator changes the hours."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import and_, bindparam, func, literal_column, select, update
from sqlalchemy.orm import aliased

from crm_tui.db.engine import Database, ReadSession, WriteSession
from crm_tui.db.models import Business, Campaign, CampaignStep, Message, Setting
from crm_tui.db.types import listed
from crm_tui.services.sending import standing
from crm_tui.services.sending.account import Account
from crm_tui.services.sending.hours import after, read_delay
from crm_tui.services.zones import zone_of
from crm_tui.vocabulary import MessageState

HOURS = "sending_hours"
"""The setting that says by which hours messages were put off."""

_AT_ONCE = 200
"""How many messages one transaction gives another time."""

_QUEUED = Message.state == literal_column(f"'{MessageState.QUEUED}'")
"""In the words of the index."""


def hours_of(account: Account) -> str:
    """The hours an account keeps to, to tell whether they were changed."""
    rules = account.rules
    days = "weekdays" if rules.weekdays_only else "every day"
    return f"{rules.quiet_from}-{rules.quiet_until} {days} {account.zone or ''}"


async def keep_hours(db: Database, account: Account, *, now: datetime) -> None:
    """Give what waits for a better hour the time it has by the hours of now, where others were.

    Single and first mails become due, to be put off again when they are claimed. A mail that follows
    has its delay to wait for, which is counted again from when the one before it went. What is
    tried again after a refusal keeps its time.
    """
    async with db.read() as session:
        kept = await session.scalar(select(Setting.value).where(Setting.name == HOURS))
        if kept == hours_of(account):
            return
        ids = [] if kept is None else await _put_off(session, now=now)
    for start in range(0, len(ids), _AT_ONCE):
        async with db.read() as session:
            waiting = await _waiting(session, ids[start : start + _AT_ONCE])
        moved = [
            {"message": each.id, "was": each.due_at, "at": at}
            for each in waiting
            if (at := each.due_by(account, now)) != each.due_at
        ]
        if moved:
            async with db.write() as session:
                await _move(session, moved)
    async with db.write() as session:
        await standing.put(session, HOURS, hours_of(account))


async def _put_off(session: ReadSession, *, now: datetime) -> Sequence[int]:
    rows = await session.scalars(
        select(Message.id).where(_QUEUED, Message.due_at > now, Message.attempts == 0)
    )
    return rows.all()


class _Waiting(NamedTuple):
    """A message that waits for its time, and what that is counted from."""

    id: int
    due_at: datetime
    position: int | None
    delay: str | None
    starts_at: datetime | None
    before_at: datetime | None
    timezone: str | None
    country: str | None
    region: str | None
    phone: str | None

    def due_by(self, account: Account, now: datetime) -> datetime:
        """When it is due by the hours of the account."""
        if self.position is None or self.position == 1:
            return max(now, self.starts_at or now)
        if self.before_at is None:
            return self.due_at
        if self.delay is None:
            return now
        known = {
            "timezone": self.timezone,
            "country": self.country,
            "region": self.region,
            "phone": self.phone,
        }
        zone = zone_of(known, account.zone)
        return max(now, after(self.before_at, read_delay(self.delay), zone, account.rules))


_STEP, _BEFORE, _BETWEEN = aliased(CampaignStep), aliased(CampaignStep), aliased(CampaignStep)
_SENT = aliased(Message)


async def _waiting(session: ReadSession, ids: Sequence[int]) -> list[_Waiting]:
    last_before = (
        select(func.max(_BETWEEN.position))
        .where(_BETWEEN.campaign_id == _STEP.campaign_id, _BETWEEN.position < _STEP.position)
        .correlate(_STEP)
        .scalar_subquery()
    )
    rows = await session.execute(
        select(
            Message.id,
            Message.due_at,
            _STEP.position,
            _STEP.delay,
            Campaign.starts_at,
            _SENT.sent_at,
            Business.timezone,
            Business.country,
            Business.region,
            Business.phone,
        )
        .join(Business, Business.id == Message.business_id)
        .outerjoin(_STEP, _STEP.id == Message.step_id)
        .outerjoin(Campaign, Campaign.id == _STEP.campaign_id)
        .outerjoin(
            _BEFORE,
            and_(_BEFORE.campaign_id == _STEP.campaign_id, _BEFORE.position == last_before),
        )
        .outerjoin(_SENT, and_(_SENT.step_id == _BEFORE.id, _SENT.origin_id == Message.origin_id))
        .where(Message.id.in_(listed(ids)))
    )
    return [_Waiting._make(row) for row in rows]


_MOVE = (
    update(Message)
    .where(
        Message.id == bindparam("message"),
        Message.state == MessageState.QUEUED,
        Message.due_at == bindparam("was"),
    )
    .values(due_at=bindparam("at"))
)


async def _move(session: WriteSession, moved: list[dict[str, object]]) -> None:
    """Write other times, unless something else gave a message one meanwhile."""
    connection = await session.connection()
    await connection.execute(_MOVE, moved)
