"""Whether the queue is what it should be: mails on their way, steps, campaigns, answers."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, Select, and_, exists, func, literal, or_, select
from sqlalchemy.orm import aliased

from crm_tui.db.locks import is_held
from crm_tui.db.models import Business, Campaign, CampaignStep, Event, Message, RawRecord
from crm_tui.services.doctor.findings import Check, Finding, Patient, Severity, named
from crm_tui.services.inbox import applying
from crm_tui.services.inbox.concerning import Reader
from crm_tui.services.sending.account import account, outbox_folder
from crm_tui.services.sending.ending import OPEN, leave_out
from crm_tui.services.sending.record import queue_next, tell_sent
from crm_tui.services.sending.recover import recover
from crm_tui.services.sending.settling import settle
from crm_tui.text import plural
from crm_tui.vocabulary import CampaignState, EventKind, MessageState

_CHUNK = 200
_NOBODY = "nobody"
_NOT_SENT = "the mail before it was not sent"


async def find_stuck_mail(patient: Patient) -> list[Finding]:
    """Find mails that are on their way for a process that is gone."""
    stuck = await _stuck(patient)
    if not stuck:
        return []
    detail = (
        "mails were on their way when what sent them was ended; the worker looks into them when it"
        " begins, before it sends anything"
    )
    return [Finding("stuck_mail", Severity.ERROR, len(stuck), detail)]


async def repair_stuck_mail(patient: Patient) -> str:
    """Note of each that nobody knows what became of it, or what the outbox tells."""
    if not await _stuck(patient):
        return ""
    found = await recover(
        patient.db,
        account(patient.settings),
        owner=_NOBODY,
        outbox=outbox_folder(patient.settings, patient.db.path),
        now=patient.now,
    )
    said = f"{plural(found.told, 'mail')} settled"
    if found.uncertain:
        said += f", {found.uncertain:,} marked as uncertain: `crm-tui campaigns show` names them"
    return said


async def _stuck(patient: Patient) -> list[int]:
    async with patient.db.read() as session:
        rows = await session.execute(
            select(Message.id, Message.claimed_by).where(
                Message.state == MessageState.SENDING, Message.state.in_(OPEN[1:])
            )
        )
        claims = [(each, owner) for each, owner in rows if owner is not None]
    alive = {o for o in {owner for _, owner in claims} if is_held(patient.db.path, o)}
    return [each for each, owner in claims if owner not in alive]


async def find_untold_mail(patient: Patient) -> list[Finding]:
    """Find mails that were sent and are not on the timeline."""
    untold = await patient.db.integers(_UNTOLD)
    if not untold:
        return []
    detail = "mails that were sent are missing on the timelines, and from the statuses"
    return [Finding("untold_mail", Severity.ERROR, len(untold), detail)]


async def repair_untold_mail(patient: Patient) -> str:
    """Write them there."""
    untold = await patient.db.integers(_UNTOLD)
    for start in range(0, len(untold), _CHUNK):
        async with patient.db.write() as session:
            chunk = list(untold[start : start + _CHUNK])
            for message in await session.scalars(select(Message).where(Message.id.in_(chunk))):
                if message.sent_at is not None:
                    await tell_sent(session, message, at=message.sent_at, now=patient.now)
    return f"{plural(len(untold), 'mail')} written on the timelines" if untold else ""


_UNTOLD = (
    select(Message.id)
    .join(Business, Business.id == Message.business_id)
    .where(
        Message.state == MessageState.SENT,
        Business.erased_at.is_(None),
        ~exists().where(
            Event.message_id == Message.id,
            Event.message_id.is_not(None),  # in the words of the index
            Event.kind.in_((EventKind.EMAIL_SENT, EventKind.SMS_SENT)),
        ),
    )
)


async def find_lost_steps(patient: Patient) -> list[Finding]:
    """Find messages that wait for a step before them that has come to its end without them."""
    lost = [*await patient.db.integers(_lost(SENT)), *await patient.db.integers(_lost(OVER))]
    if not lost:
        return []
    detail = "mails wait for one before them that is over; they would never be sent"
    return [Finding("lost_steps", Severity.ERROR, len(lost), detail)]


async def repair_lost_steps(patient: Patient) -> str:
    """Give those after a mail that was sent their time, and skip the others."""
    after_sent = await patient.db.integers(_lost(SENT))
    after_over = await patient.db.integers(_lost(OVER))
    mine = account(patient.settings)
    for start in range(0, len(after_sent), _CHUNK):
        async with patient.db.write() as session:
            chunk = list(after_sent[start : start + _CHUNK])
            before = await session.execute(_sent_before(chunk))
            for message_id, at in before.all():
                if at is not None:
                    await queue_next(session, message_id, mine, at=at)
    for start in range(0, len(after_over), _CHUNK):
        async with patient.db.write() as session:
            chunk = list(after_over[start : start + _CHUNK])
            rows = await session.scalars(select(Message).where(Message.id.in_(chunk)))
            await leave_out(session, rows.all(), _NOT_SENT, now=patient.now)
            await settle(session, chunk, now=patient.now)
    done = [f"{plural(len(after_sent), 'mail')} given a time"] if after_sent else []
    done += [f"{plural(len(after_over), 'mail')} skipped"] if after_over else []
    return ", ".join(done)


SENT = (MessageState.SENT,)
OVER = (MessageState.FAILED, MessageState.SKIPPED, MessageState.CANCELED)
_before, _own_step, _step_before = aliased(Message), aliased(CampaignStep), aliased(CampaignStep)


def _is_before() -> ColumnElement[bool]:
    """Whether `_before` is the step right before a message, for the same lead."""
    return and_(
        _before.campaign_id == Message.campaign_id,
        _before.origin_id == Message.origin_id,
        _step_before.id == _before.step_id,
        _step_before.position == _own_step.position - 1,
    )


def _lost(states: Sequence[MessageState]) -> Select[int]:
    """Messages that wait without a time after one in such a state."""
    ended = select(literal(1)).where(_is_before(), _before.state.in_(states))
    return (
        select(Message.id)
        .join(_own_step, _own_step.id == Message.step_id)
        .where(
            Message.state == MessageState.QUEUED,
            Message.due_at.is_(None),
            Message.reason.is_(None),
            ended.correlate(Message, _own_step).exists(),
        )
    )


def _sent_before(ids: Sequence[int]) -> Select[int, datetime | None]:
    """The messages right before these, and when they were sent."""
    return (
        select(_before.id, _before.sent_at)
        .select_from(Message)
        .join(_own_step, _own_step.id == Message.step_id)
        .join(_before, _before.campaign_id == Message.campaign_id)
        .join(_step_before, _step_before.id == _before.step_id)
        .where(Message.id.in_(ids), _is_before())
    )


async def find_campaigns(patient: Patient) -> list[Finding]:
    """See that campaigns are over when, and only when, nothing of them waits."""
    findings = []
    async with patient.db.read() as session:
        wrong = list(await session.scalars(select(Campaign.name).where(_WRONG)))
        astray = list(await session.scalars(_ASTRAY))
    if wrong:
        detail = f"over although mails of them wait, or the other way round: {named(wrong)}"
        findings.append(Finding("campaigns", Severity.ERROR, len(wrong), detail))
    if astray:
        detail = "mails are counted to another campaign than their step; see a backup"
        findings.append(Finding("campaigns", Severity.ERROR, len(astray), detail))
    return findings


async def repair_campaigns(patient: Patient) -> str:
    """Have campaigns go on whose mails wait, and end those that have nothing left."""
    async with patient.db.read() as session:
        wrong = list(await session.scalars(select(Campaign.id).where(_WRONG)))
    for campaign in wrong:
        messages = await patient.db.integers(
            select(Message.id).where(Message.campaign_id == campaign)
        )
        async with patient.db.write() as session:
            await settle(session, list(messages), now=patient.now)
    return f"{plural(len(wrong), 'campaign')} set right" if wrong else ""


_WAITS = exists().where(Message.campaign_id == Campaign.id, Message.state.in_(OPEN))
_QUEUED = exists().where(Message.campaign_id == Campaign.id, Message.state == MessageState.QUEUED)
_HAS_MESSAGES = exists().where(Message.campaign_id == Campaign.id)
_WRONG = or_(
    and_(Campaign.state == CampaignState.FINISHED, _WAITS),
    and_(Campaign.state == CampaignState.CANCELED, _QUEUED),
    and_(Campaign.state == CampaignState.RUNNING, ~_WAITS, _HAS_MESSAGES),
)
_ASTRAY = (
    select(Message.id)
    .join(CampaignStep, CampaignStep.id == Message.step_id)
    .where(CampaignStep.campaign_id != Message.campaign_id)
)


async def find_unapplied(patient: Patient) -> list[Finding]:
    """Count what came in and was not looked at yet."""
    async with patient.db.read() as session:
        waiting = len(await applying.waiting(session))
        failed = (
            await session.execute(
                select(func.count()).select_from(RawRecord).where(RawRecord.problem.is_not(None))
            )
        ).scalar_one()
    findings = []
    if waiting:
        detail = "mails came in and are not on the timelines yet; the worker does that"
        findings.append(Finding("unapplied", Severity.WARNING, waiting, detail))
    if failed:
        detail = "mails came in that could not be understood; they are kept"
        findings.append(Finding("unapplied", Severity.WARNING, failed, detail))
    return findings


async def repair_unapplied(patient: Patient) -> str:
    """Apply it, each record in a transaction of its own."""
    async with patient.db.read() as session:
        waiting = await applying.waiting(session)
    mine = account(patient.settings)
    reader = Reader.of(mine, patient.settings)
    for raw_id in waiting:
        async with patient.db.write() as session:
            await applying.apply(session, raw_id, reader, mine, now=patient.now)
    return f"{plural(len(waiting), 'mail')} applied" if waiting else ""


CHECKS = (
    Check("stuck_mail", find_stuck_mail, repair_stuck_mail),
    Check("untold_mail", find_untold_mail, repair_untold_mail),
    Check("lost_steps", find_lost_steps, repair_lost_steps),
    Check("campaigns", find_campaigns, repair_campaigns),
    Check("unapplied", find_unapplied, repair_unapplied),
)
