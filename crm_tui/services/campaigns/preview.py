"""A mail as a recipient will get it, before anything is sent, and when the last one goes."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, tzinfo

from sqlalchemy import select

from crm_tui.config import Settings
from crm_tui.db.engine import Database, ReadSession
from crm_tui.db.models import Business
from crm_tui.db.types import listed
from crm_tui.errors import BadInput, NotFound
from crm_tui.services.campaigns.cost import price, size_words
from crm_tui.services.campaigns.steps import Step
from crm_tui.services.consent import agreed
from crm_tui.services.leads import require
from crm_tui.services.sending import standing
from crm_tui.services.sending.account import Account, account, account_for
from crm_tui.services.sending.compose import NO_SITE, facts_of_leads, with_sender
from crm_tui.services.sending.hours import after, read_delay
from crm_tui.services.sending.pace import finish
from crm_tui.services.templating.facts import EXAMPLE, MailFacts
from crm_tui.services.templating.fields import FIELDS
from crm_tui.services.templating.files import Template
from crm_tui.services.templating.language import MissingField
from crm_tui.services.templating.rendering import Rendered, render, reply_subject
from crm_tui.services.texting import NO_CONSENT, STOP, size
from crm_tui.services.zones import zone_of
from crm_tui.text import visible
from crm_tui.vocabulary import Channel

_CHUNK = 500
TOKEN = "0" * 24
"""What stands for the mark of a message that is not there yet."""


@dataclass(frozen=True, slots=True)
class Shown:
    """One message. `missing` says what holds it; what is missing is then as in the examples.

    Attributes:
        size: of a text message, its segments and what they cost, in a line.
        segments: how many they are; None of a mail.
    """

    business_id: int
    to: str
    subject: str
    text: str
    html: str | None
    missing: str
    segments: int | None = None
    size: str = ""


async def mail(
    session: ReadSession,
    steps: Sequence[Step],
    position: int,
    business_id: int,
    *,
    settings: Settings,
) -> Shown:
    """What a step says to a lead; a follow-up under the subject of the first step.

    Raises:
        NotFound: there is no such lead or step.
        BadInput: the template cannot be used.
    """
    await require(session, business_id)
    facts = (await facts_of_leads(session, [business_id]))[business_id]
    step = step_at(steps, position)
    mine = account_for(settings, step.channel)
    known = with_examples(step, with_sender(facts, mine, TOKEN))
    made = in_thread(steps, position, known)
    if step.channel is Channel.SMS:
        return await _text(session, business_id, facts, made, lacks(step, facts, mine))
    return Shown(
        business_id,
        facts.business_email or "",
        made.subject,
        made.text,
        made.html,
        lacks(step, facts, mine),
    )


async def _text(
    session: ReadSession, business_id: int, facts: MailFacts, made: Rendered, missing: str
) -> Shown:
    number = facts.business_phone or ""
    if not await agreed(session, {business_id: number}):
        missing = NO_CONSENT
    return Shown(
        business_id,
        number,
        "",
        made.text,
        None,
        missing,
        segments=size(made.text).segments,
        size=size_words(made.text, await price(session)),
    )


def about_size(template: Template) -> str:
    """How long a text message is to somebody of whom everything is known, in a line."""
    try:
        made = render(template, replace(EXAMPLE, unsubscribe=STOP))
    except BadInput as error:
        return str(error)
    return f"About {size(made.text).words}, {len(made.text):,} characters."


def step_at(steps: Sequence[Step], position: int) -> Step:
    """The step at a position, from 1.

    Raises:
        NotFound: there is none.
    """
    if not 1 <= position <= len(steps):
        raise NotFound(f"There is no step {position}; there are {len(steps)}.")
    return steps[position - 1]


def saying(steps: Sequence[Step], position: int, letter: str) -> tuple[Step, ...]:
    """The steps with one of the texts of a step in its place, to be shown or tried.

    Raises:
        NotFound: there is no such step or text.
    """
    texts = step_at(steps, position).texts
    if letter not in texts:
        raise NotFound(f"Step {position} has no text {visible(letter, 20)}.")
    return (*steps[: position - 1], texts[letter], *steps[position:])


def in_thread(steps: Sequence[Step], position: int, facts: MailFacts) -> Rendered:
    """A step as it is sent: a follow-up answers the first step, under its subject.

    Raises:
        NotFound: there is no such step.
        BadInput: it cannot be rendered.
    """
    step = step_at(steps, position)
    made = render(step.read(), facts)
    before = [each for each in steps[: position - 1] if each.channel is Channel.EMAIL]
    if step.channel is Channel.SMS or not before:
        return made
    first = render(before[0].read(), with_examples(before[0], facts))
    return replace(made, subject=reply_subject(first.subject))


def lacks(step: Step, facts: MailFacts, mine: Account) -> str:
    """What holds a step for a lead, in words; "" where it can go."""
    if facts.site_url is None and step.uses_site:
        return NO_SITE
    try:
        render(step.read(), with_sender(facts, mine, TOKEN))
    except BadInput as error:
        return str(error).rstrip(".")
    return ""


def with_examples(step: Step, facts: MailFacts) -> MailFacts:
    """The facts, with an example in the place of what a step needs and is not known.

    Raises:
        BadInput: the step cannot be rendered with any facts.
    """
    if facts.site_url is None and step.uses_site:
        facts = replace(facts, site_url=EXAMPLE.site_url)
    template = step.read()
    for _ in FIELDS:
        try:
            render(template, facts)
        except MissingField as error:
            missing = FIELDS[error.field]
            facts = replace(facts, **{missing.attribute: missing.example})  # type: ignore[arg-type]
        else:
            break
    return facts


async def lacking(
    db: Database,
    steps: Sequence[Step],
    business_ids: Sequence[int],
    *,
    settings: Settings,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
    cancelled: Callable[[], bool] = lambda: False,
) -> dict[int, str]:
    """Which of the leads would be held at one of the steps, and for what."""
    mine = {channel: account_for(settings, channel) for channel in Channel}
    texts = any(step.channel is Channel.SMS for step in steps)
    found: dict[int, str] = {}
    for start in range(0, len(business_ids), _CHUNK):
        if cancelled():
            break
        chunk = list(business_ids[start : start + _CHUNK])
        async with db.read() as session:
            facts = await facts_of_leads(session, chunk)
            silent = await _silent(session, facts) if texts else {}
        found |= await asyncio.to_thread(_lacking, steps, facts, mine) | silent
        progress(start + len(chunk), len(business_ids))
    return found


async def _silent(session: ReadSession, facts: Mapping[int, MailFacts]) -> dict[int, str]:
    """Who of them has not agreed to text messages."""
    numbers = {business_id: known.business_phone or "" for business_id, known in facts.items()}
    there = await agreed(session, numbers)
    return {business_id: NO_CONSENT for business_id in numbers if business_id not in there}


def _lacking(
    steps: Sequence[Step], facts: Mapping[int, MailFacts], mine: Mapping[Channel, Account]
) -> dict[int, str]:
    texts = [text for step in steps for text in step.texts.values()]
    found = {
        business_id: next(
            filter(None, (lacks(text, known, mine[text.channel]) for text in texts)), ""
        )
        for business_id, known in facts.items()
    }
    return {business_id: why for business_id, why in found.items() if why}


async def finish_time(
    db: Database,
    steps: Sequence[Step],
    business_ids: Sequence[int],
    *,
    settings: Settings,
    now: datetime,
) -> datetime | None:
    """About when the last mail goes, by the limits and hours; None if that is years ahead.

    Nothing else is thought to be sent meanwhile, and nobody to answer.
    """
    mine = account(settings)
    zones: Counter[tzinfo | None] = Counter()
    for start in range(0, len(business_ids), _CHUNK):
        async with db.read() as session:
            rows = await session.execute(
                select(Business.timezone, Business.country, Business.region, Business.phone).where(
                    Business.id.in_(listed(business_ids[start : start + _CHUNK]))
                )
            )
            zones.update(zone_of(row._asdict(), mine.zone) for row in rows)
    begins = steps[0].channel if steps else Channel.EMAIL
    steps_by = Counter(step.channel for step in steps) or Counter({begins: 0})
    accounts = {channel: account_for(settings, channel) for channel in steps_by}
    async with db.read() as session:
        home = standing.home_of(db.path)
        known = {
            channel: await standing.read_standing(session, each.provider, home=home)
            for channel, each in accounts.items()
        }

    def all_gone(channel: Channel, times: int) -> datetime | None:
        counts = {zone: number * times for zone, number in zones.items()}
        each, bucket = accounts[channel], known[channel].bucket
        return finish(counts, now, each.limits, each.rules, bucket=bucket, zone=each.zone)

    def ends() -> list[datetime | None]:
        every = [all_gone(channel, times) for channel, times in steps_by.items()]
        return [all_gone(begins, 1), *every]

    first, *every = await asyncio.to_thread(ends)
    if first is None:
        return None
    for step in steps[1:]:
        first = after(first, read_delay(step.delay or "1d"), mine.zone, mine.rules)
    known_ends = [at for at in every if at is not None]
    return max(first, *known_ends) if len(known_ends) == len(every) else None
