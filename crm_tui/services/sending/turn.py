"""One turn of sending: what came back is recorded and what goes next is claimed, in one go."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from crm_tui.db.engine import WriteSession
from crm_tui.services.sending import standing
from crm_tui.services.sending.ahead import Ahead
from crm_tui.services.sending.claim import Claimer, Claims, claim
from crm_tui.services.sending.ending import end_campaigns
from crm_tui.services.sending.record import Result, Tally, record


@dataclass(frozen=True, slots=True)
class Turn:
    """What a turn came to."""

    tally: Tally
    claims: Claims


async def take_turn(
    session: WriteSession,
    claimer: Claimer,
    results: Sequence[Result],
    due: Sequence[int],
    *,
    most: int,
    ahead: Ahead,
    now: datetime,
    insist: bool = False,
) -> Turn:
    """Record what came back and claim what goes; the transaction must be a durable one.

    Args:
        session: the transaction.
        claimer: who sends.
        results: what became of messages that were claimed.
        due: messages that may be claimed, in their order.
        most: how many of them to claim.
        ahead: what was looked up before; brought up to date.
        now: aware UTC.
        insist: whether a provider that is left alone is tried once all the same.
    """
    provider, home = claimer.account.provider, claimer.home
    await ahead.see(session)
    before = await ahead.standing(session, provider, home=home)
    tally, known = await record(session, results, claimer, before, ahead=ahead, now=now)
    claims = Claims(untouched=list(due))
    if most:
        claims, known = await claim(
            session, claimer, known, due, most=most, ahead=ahead, now=now, insist=insist
        )
    await standing.keep(session, provider, known, before, home=home)
    ahead.remember(known)
    # Of a campaign that something more is sent of, something is left.
    going = {each.campaign_id for each in claims.messages}
    await end_campaigns(session, (tally.ended | claims.left) - going, now=now)
    return Turn(tally, claims)
