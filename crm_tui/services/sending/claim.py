"""Claiming: a transaction that decides of every due message whether it goes now, and marks it.

What was claimed is on the disk before anything is sent. Everything that can speak against a
message is looked at here, at the last moment: suppression, answers, quiet hours, limits.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from sqlalchemy import (
    and_,
    bindparam,
    exists,
    func,
    literal_column,
    or_,
    select,
    update,
)

from crm_tui.db.engine import ReadSession, WriteSession
from crm_tui.db.models import (
    Business,
    CampaignStep,
    CampaignVariant,
    Consent,
    Message,
    PaymentLink,
    Plan,
    Site,
)
from crm_tui.db.types import listed, utc_text
from crm_tui.providers.base import OutgoingMail
from crm_tui.services.money.offered import is_offered
from crm_tui.services.sending.account import Account
from crm_tui.services.sending.ahead import Ahead, Prepared
from crm_tui.services.sending.backoff import Circuit, trial
from crm_tui.services.sending.candidates import Candidate
from crm_tui.services.sending.compose import NO_SITE, Composed, Held
from crm_tui.services.sending.ending import leave_out
from crm_tui.services.sending.pace import Bucket, next_slot, take
from crm_tui.services.sending.standing import Standing
from crm_tui.services.templating.fields import NO_LINK
from crm_tui.services.texting import NO_CONSENT
from crm_tui.vocabulary import MessageState, SiteStatus

HELD_CHUNK = 500
"""How many held messages one transaction releases."""


@dataclass(frozen=True, slots=True)
class Claimed:
    """A message that is ours to send, and the mail it is.

    `last` is when the one before it was claimed, for the pace. `mail` is an OutgoingMail, or a Text
    of an account that sends text messages: whoever sends knows which.
    """

    id: int
    business_id: int
    origin_id: int
    campaign_id: int | None
    mail: Any
    provider: str
    claimed_at: datetime
    last: datetime | None


@dataclass(slots=True)
class Claims:
    """What one transaction came to.

    Attributes:
        messages: what is to be sent now.
        skipped: how many will not be sent, each with its reason in its row.
        wait_until: nothing goes before, because of the pace or the provider.
        problem: what is wrong with a provider that is left alone; "" where none is.
        stopped: why nothing is sent from this store; "" while it may be.
        untouched: messages that were not decided on, in their order.
        left: campaigns of which somebody was left out.
    """

    messages: list[Claimed] = field(default_factory=list)
    skipped: int = 0
    wait_until: datetime | None = None
    problem: str = ""
    stopped: str = ""
    untouched: list[int] = field(default_factory=list)
    left: set[int | None] = field(default_factory=set)


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimer:
    """Who claims.

    Attributes:
        owner: the name of the lock that lives as long as the claims are good for.
        spread: whether messages keep their distance over the day; one run that then ends sends
            all that the limits allow.
    """

    account: Account
    owner: str
    home: str
    spread: bool


async def claim(
    session: WriteSession,
    claimer: Claimer,
    known: Standing,
    ids: Sequence[int],
    *,
    most: int,
    ahead: Ahead,
    now: datetime,
    insist: bool = False,
) -> tuple[Claims, Standing]:
    """Decide on messages that were due, and claim up to `most`; the transaction must be durable.

    Returns what is remembered from now on too, which is the caller's to keep.

    Args:
        session: the transaction.
        claimer: who claims.
        known: what the store remembers of its sending.
        ids: the messages; a few dozen at most, for the transaction to be over at once.
        most: how many to claim.
        ahead: what was looked up of them before.
        now: aware UTC.
        insist: whether a provider that is left alone is tried once all the same.
    """
    claims = Claims()
    circuit = known.breaker.state(now)
    if circuit is Circuit.OPEN and insist:
        circuit = Circuit.HALF_OPEN
    if known.stopped or circuit is Circuit.OPEN:
        claims.untouched, claims.stopped = list(ids), known.stopped
        if not known.stopped:
            claims.wait_until, claims.problem = known.breaker.until, known.problem
        return claims, known
    if circuit is Circuit.HALF_OPEN:
        most = min(most, 1)
    there = await ahead.those(session, ids, claimer.account, now=now)
    ready = await _sort_out(session, there, claimer.account, claims, now=now)
    if ready and most:
        known, marked = await _mark(session, ready, known, claimer, claims, most=most, now=now)
        ahead.claimed(marked)
    else:
        claims.untouched += [each.message.id for each in ready]
    untouched = set(claims.untouched)
    ahead.decided(each.message.business_id for each in there if each.message.id not in untouched)
    if claims.messages:
        known = replace(known, has_home=True)
        if circuit is Circuit.HALF_OPEN:
            known = replace(known, breaker=trial(known.breaker, now))
    return claims, known


async def _sort_out(
    session: WriteSession,
    there: Sequence[Prepared],
    account: Account,
    claims: Claims,
    *,
    now: datetime,
) -> list[Prepared]:
    """Leave out whom nothing may go to, and put off what comes at a bad hour; the rest may go."""
    ready: list[Prepared] = []
    out: dict[str, list[Candidate]] = {}
    later: list[dict[str, object]] = []
    taken: set[tuple[int, int]] = set()
    for prepared in there:
        each = prepared.message
        if prepared.why:
            out.setdefault(prepared.why, []).append(each)
            continue
        if each.step_id is not None:
            if (each.step_id, each.business_id) in taken:
                claims.untouched.append(each.id)  # of two that were merged, the other goes first
                continue
            taken.add((each.step_id, each.business_id))
        # One that had to wait as it was looked up has no mail yet, though its time has come since.
        at = prepared.later or each.not_before(now, account.rules, account.zone)
        if prepared.later or at > now:
            later.append({"message": each.id, "at": at})
        else:
            ready.append(prepared)
    for why, those in out.items():
        claims.skipped += await leave_out(session, those, why, now=now)
        claims.left |= {each.campaign_id for each in those}
    if later:
        connection = await session.connection()
        await connection.execute(_PUT_OFF, later)
    return ready


async def _mark(
    session: WriteSession,
    ready: Sequence[Prepared],
    known: Standing,
    claimer: Claimer,
    claims: Claims,
    *,
    most: int,
    now: datetime,
) -> tuple[Standing, list[Prepared]]:
    """Mark what goes as on its way, and return it; what lacks something is held."""
    account, bucket = claimer.account, known.bucket
    held: list[dict[str, object]] = []
    going: list[Prepared] = []
    marked: list[tuple[object, ...]] = []
    date, stored = now.astimezone(account.zone), utc_text(now)
    for at, prepared in enumerate(ready):
        if len(going) >= most or claims.wait_until:
            claims.untouched += [one.message.id for one in ready[at:]]
            break
        each, made = prepared.message, prepared.made
        assert made is not None
        if isinstance(made, Held):
            why = made.reason
            held.append({"message": each.id, "why": why, "version_": each.version, "at": now})
            continue
        last = bucket.last
        bucket, claims.wait_until = _token(bucket, each, claimer, now)
        if claims.wait_until:
            claims.untouched.append(each.id)
            continue
        going.append(prepared)
        marked.append(_as_kept(each, made, claimer, stored))
        claims.messages.append(
            Claimed(
                each.id,
                each.business_id,
                each.origin_id,
                each.campaign_id,
                replace(made.mail, date=date),
                account.provider,
                now,
                last,
            )
        )
    connection = await session.connection()
    if held:
        await connection.execute(_HELD, held)
    if marked:
        await connection.exec_driver_sql(_MARKED, marked)
    return replace(known, bucket=bucket), going


def _token(
    bucket: Bucket, message: Candidate, claimer: Claimer, now: datetime
) -> tuple[Bucket, datetime | None]:
    """Take a token for a message, or say from when on there may be one."""
    account = claimer.account
    if claimer.spread and not message.is_answer:
        slot = next_slot(
            bucket,
            now,
            account.limits,
            key=message.key,
            rules=account.rules,
            recipient=message.zone(account.zone),
            zone=account.zone,
        )
        if slot > now:
            return bucket, slot
    bucket, wait = take(bucket, now, account.limits, zone=account.zone)
    return bucket, now + wait if wait else None


def _as_kept(message: Candidate, made: Composed, claimer: Claimer, now: str) -> tuple[object, ...]:
    """What is kept of a mail that goes, in the order of `_MARKED`."""
    mail, rendered = made.mail, made.rendered
    headers = "{}"
    if isinstance(mail, OutgoingMail) and mail.in_reply_to:
        references = " ".join(mail.references)
        headers = json.dumps({"In-Reply-To": mail.in_reply_to, "References": references})
    return (
        claimer.owner,
        now,
        claimer.account.provider,
        rendered.subject,
        rendered.text,
        rendered.html,
        headers,
        message.version,
        made.segments,
        message.id,
    )


_PUT_OFF = update(Message).where(Message.id == bindparam("message")).values(due_at=bindparam("at"))
_HELD = (
    update(Message)
    .where(Message.id == bindparam("message"))
    .values(
        reason=bindparam("why"),
        due_at=None,
        claimed_at=bindparam("at"),
        version=bindparam("version_"),
    )
)
_MARKED = (  # plain SQL: hundreds a second
    "UPDATE message SET state = 'sending', reason = NULL, claimed_by = ?, claimed_at = ?,"
    " provider = ?, subject = ?, body = ?, html = ?, headers = ?, version = ?, segments = ?"
    " WHERE id = ?"
)


async def release_held(session: WriteSession, *, now: datetime, ids: Iterable[int] = ()) -> int:
    """Have messages that lack something looked at again; all of them where none are named."""
    asked = list(ids)
    waits = (
        Message.state == MessageState.QUEUED,
        Message.due_at.is_(None),
        Message.reason.is_not(None),
    )
    where = (*waits, Message.id.in_(listed(asked))) if asked else waits
    found = await session.execute(
        update(Message)
        .where(*where)
        .values(due_at=now)
        .returning(Message.id)
        .execution_options(synchronize_session=None)
    )
    return len(found.all())


async def to_release(session: ReadSession, *, everything: bool) -> list[int]:
    """Held messages that may not lack what they lacked: something of theirs was changed since.

    Their lead, the template of their step, a site that was published, or a link to pay. With `everything` also
    those that lack something of the sender's, which is in the settings.
    """
    held_at = func.coalesce(Message.claimed_at, Message.created_at)
    published = exists().where(
        Site.business_id == Message.business_id,
        Site.published_url.is_not(None),
        Site.status.in_((SiteStatus.PUBLISHED, SiteStatus.SOLD)),
    )
    agreed = exists().where(
        Consent.business_id == Message.business_id,
        Consent.channel == Message.channel,
        Consent.value == Message.address,
        Consent.withdrawn_at.is_(None),
    )
    payable = (
        select(PaymentLink.id)
        .join(Plan, Plan.id == PaymentLink.plan_id)
        .where(PaymentLink.business_id == Message.business_id, is_offered())
        .exists()
    )
    changed = [
        and_(Message.reason == NO_SITE, published),
        and_(Message.reason == NO_CONSENT, agreed),
        and_(Message.reason.contains(NO_LINK), payable),
        and_(Message.reason.not_in((NO_SITE, NO_CONSENT)), Business.updated_at > held_at),
        func.coalesce(CampaignVariant.version, CampaignStep.version) > Message.version,
    ]
    if everything:
        changed.append(Message.reason.contains("{{ sender."))
    rows = await session.scalars(
        select(Message.id)
        .join(Business, Business.id == Message.business_id)
        .outerjoin(CampaignStep, CampaignStep.id == Message.step_id)
        .outerjoin(
            CampaignVariant,
            and_(
                CampaignVariant.step_id == Message.step_id,
                CampaignVariant.letter == Message.variant,
            ),
        )
        .where(
            Message.state == literal_column(f"'{MessageState.QUEUED}'"),  # as the index says it
            Message.due_at.is_(None),
            Message.reason.is_not(None),
            or_(*changed),
        )
    )
    return list(rows)
