"""Claiming: a transaction that decides of every due message whether it goes now, and marks it.

What was claimed is on the disk before anything is sent. Everything that can speak against a
message is looked at here, at the last moment: suppression, answers, quiet hours, limits.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import bindparam, update

from crm_tui.db.engine import WriteSession
from crm_tui.db.models import Message
from crm_tui.providers.base import OutgoingMail
from crm_tui.services.sending import standing
from crm_tui.services.sending.account import Account
from crm_tui.services.sending.backoff import Circuit, trial
from crm_tui.services.sending.candidates import Candidate, due
from crm_tui.services.sending.compose import Composed, Held, compose, facts_of, threads
from crm_tui.services.sending.ending import end_campaigns, leave_out
from crm_tui.services.sending.pace import next_slot, take
from crm_tui.services.sending.standing import Standing
from crm_tui.vocabulary import MessageState

_LOOKED_AT = 50
"""How many due messages one transaction looks at, to be over in a few milliseconds."""


@dataclass(frozen=True, slots=True)
class Claimed:
    """A message that is ours to send, and the mail it is."""

    id: int
    business_id: int
    origin_id: int
    campaign_id: int | None
    step_id: int | None
    attempts: int
    mail: OutgoingMail
    provider: str


@dataclass(slots=True)
class Claims:
    """What one transaction came to.

    Attributes:
        messages: what is to be sent now.
        skipped: how many will not be sent, each with its reason in its row.
        wait_until: nothing goes before, because of the pace or the provider; None if more is due.
        more: whether other messages were due that were not looked at.
    """

    messages: list[Claimed] = field(default_factory=list)
    skipped: int = 0
    wait_until: datetime | None = None
    more: bool = False


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


async def claim(session: WriteSession, claimer: Claimer, *, most: int, now: datetime) -> Claims:
    """Claim messages that are due; the transaction must be a durable one."""
    account = claimer.account
    known = await standing.read_standing(session, account.provider, home=claimer.home)
    claims = Claims()
    circuit = known.breaker.state(now)
    if known.stopped or circuit is Circuit.OPEN:
        claims.wait_until = None if known.stopped else known.breaker.until
        return claims
    if circuit is Circuit.HALF_OPEN:
        most = 1
    candidates = await due(session, now=now, most=_LOOKED_AT)
    claims.more = len(candidates) == _LOOKED_AT
    ready = await _sort_out(session, candidates, account, claims, now=now)
    if ready and most:
        await _mark(session, ready, known, claimer, claims, most=most, now=now)
    if claims.messages:
        await standing.keep_home(session, claimer.home)
        if circuit is Circuit.HALF_OPEN:
            await standing.keep_breaker(
                session, account.provider, trial(known.breaker, now), known.problem
            )
    return claims


async def _sort_out(
    session: WriteSession,
    candidates: Sequence[Candidate],
    account: Account,
    claims: Claims,
    *,
    now: datetime,
) -> list[Candidate]:
    """Leave out whom nothing may go to, and put off what comes at a bad hour; the rest may go."""
    ready: list[Candidate] = []
    out: dict[str, list[Candidate]] = {}
    later: list[dict[str, object]] = []
    for each in candidates:
        if why := each.why_not():
            out.setdefault(why, []).append(each)
            continue
        at = each.not_before(now, account.rules, account.zone)
        if at > now:
            later.append({"message": each.id, "at": at})
        else:
            ready.append(each)
    for why, those in out.items():
        claims.skipped += await leave_out(session, those, why, now=now)
    if later:
        connection = await session.connection()
        await connection.execute(
            update(Message)
            .where(Message.id == bindparam("message"))
            .values(due_at=bindparam("at")),
            later,
        )
    await end_campaigns(
        session, {each.campaign_id for those in out.values() for each in those}, now=now
    )
    return ready


async def _mark(
    session: WriteSession,
    ready: Sequence[Candidate],
    known: Standing,
    claimer: Claimer,
    claims: Claims,
    *,
    most: int,
    now: datetime,
) -> None:
    """Render what goes and mark it as on its way; what lacks something is held."""
    account, bucket = claimer.account, known.bucket
    facts = await facts_of(session, [each.business_id for each in ready])
    before = await threads(session, list(ready))
    held: list[dict[str, object]] = []
    marked: list[dict[str, object]] = []
    for each in ready:
        if len(claims.messages) >= most:
            claims.more = True
            break
        made = compose(each, facts[each.business_id], before.get(each.id), account, now=now)
        if isinstance(made, Held):
            held.append({"message": each.id, "why": made.reason})
            continue
        if claimer.spread and not each.is_answer:
            slot = next_slot(
                bucket,
                now,
                account.limits,
                key=each.key,
                rules=account.rules,
                recipient=each.zone(account.zone),
                zone=account.zone,
            )
            if slot > now:
                claims.wait_until = slot
                break
        bucket, wait = take(bucket, now, account.limits, zone=account.zone)
        if wait:
            claims.wait_until = now + wait
            break
        marked.append(_as_kept(each, made))
        claims.messages.append(
            Claimed(
                each.id,
                each.business_id,
                each.origin_id,
                each.campaign_id,
                each.step_id,
                each.attempts,
                made.mail,
                account.provider,
            )
        )
    await _write(session, held, marked, claimer, now=now)
    if marked:
        await standing.keep_bucket(session, bucket)


def _as_kept(message: Candidate, made: Composed) -> dict[str, object]:
    mail = made.mail
    headers = {}
    if mail.in_reply_to:
        headers = {"In-Reply-To": mail.in_reply_to, "References": " ".join(mail.references)}
    return {
        "message": message.id,
        "subject_": made.rendered.subject,
        "body_": made.rendered.text,
        "html_": made.rendered.html,
        "headers_": headers,
        "version_": message.version,
    }


async def _write(
    session: WriteSession,
    held: list[dict[str, object]],
    marked: list[dict[str, object]],
    claimer: Claimer,
    *,
    now: datetime,
) -> None:
    connection = await session.connection()
    if held:
        await connection.execute(
            update(Message)
            .where(Message.id == bindparam("message"))
            .values(reason=bindparam("why"), due_at=None),
            held,
        )
    if marked:
        await connection.execute(
            update(Message)
            .where(Message.id == bindparam("message"))
            .values(
                state=MessageState.SENDING,
                reason=None,
                claimed_by=claimer.owner,
                claimed_at=now,
                provider=claimer.account.provider,
                subject=bindparam("subject_"),
                body=bindparam("body_"),
                html=bindparam("html_"),
                headers=bindparam("headers_"),
                version=bindparam("version_"),
            ),
            marked,
        )


async def release_held(session: WriteSession, *, now: datetime, ids: Iterable[int] = ()) -> int:
    """Have messages that lack something looked at again; all of them where none are named."""
    asked = list(ids)
    waits = (
        Message.state == MessageState.QUEUED,
        Message.due_at.is_(None),
        Message.reason.is_not(None),
    )
    where = (*waits, Message.id.in_(asked)) if asked else waits
    found = await session.execute(
        update(Message)
        .where(*where)
        .values(due_at=now)
        .returning(Message.id)
        .execution_options(synchronize_session=None)
    )
    return len(found.all())
