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
from crm_tui.services.campaigns.drafts import Step
from crm_tui.services.leads import require
from crm_tui.services.sending import standing
from crm_tui.services.sending.account import Account, account
from crm_tui.services.sending.compose import NO_SITE, facts_of_leads, with_sender
from crm_tui.services.sending.hours import after, read_delay
from crm_tui.services.sending.pace import finish
from crm_tui.services.templating.facts import EXAMPLE, MailFacts
from crm_tui.services.templating.fields import FIELDS
from crm_tui.services.templating.language import MissingField
from crm_tui.services.templating.rendering import Rendered, render, reply_subject
from crm_tui.services.zones import zone_of
from crm_tui.text import visible

_CHUNK = 500
TOKEN = "0" * 24
"""What stands for the mark of a message that is not there yet."""


@dataclass(frozen=True, slots=True)
class Shown:
    """One mail. `missing` says what holds it; what is missing is then as in the examples."""

    business_id: int
    to: str
    subject: str
    text: str
    html: str | None
    missing: str


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
    mine = account(settings)
    step = step_at(steps, position)
    known = with_examples(step, with_sender(facts, mine, TOKEN))
    made = in_thread(steps, position, known)
    return Shown(
        business_id,
        facts.business_email or "",
        made.subject,
        made.text,
        made.html,
        lacks(step, facts, mine),
    )


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
    made = render(step_at(steps, position).read(), facts)
    if position == 1:
        return made
    first = render(steps[0].read(), with_examples(steps[0], facts))
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
    mine = account(settings)
    found: dict[int, str] = {}
    for start in range(0, len(business_ids), _CHUNK):
        if cancelled():
            break
        chunk = list(business_ids[start : start + _CHUNK])
        async with db.read() as session:
            facts = await facts_of_leads(session, chunk)
        found |= await asyncio.to_thread(_lacking, steps, facts, mine)
        progress(start + len(chunk), len(business_ids))
    return found


def _lacking(
    steps: Sequence[Step], facts: Mapping[int, MailFacts], mine: Account
) -> dict[int, str]:
    texts = [text for step in steps for text in step.texts.values()]
    found = {
        business_id: next(filter(None, (lacks(text, known, mine) for text in texts)), "")
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
    async with db.read() as session:
        home = standing.home_of(db.path)
        known = await standing.read_standing(session, mine.provider, home=home)

    def all_gone(times: int) -> datetime | None:
        counts = {zone: number * times for zone, number in zones.items()}
        return finish(counts, now, mine.limits, mine.rules, bucket=known.bucket, zone=mine.zone)

    first, every = await asyncio.to_thread(lambda: (all_gone(1), all_gone(len(steps))))
    if first is None or every is None:
        return None
    for step in steps[1:]:
        first = after(first, read_delay(step.delay or "1d"), mine.zone, mine.rules)
    return max(first, every)
