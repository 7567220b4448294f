"""From a message that may go to what goes: rendered, threaded, with its way to opt out."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache

from sqlalchemy import and_, bindparam, func, select
from sqlalchemy.orm import aliased

from crm_tui.db.engine import ReadSession
from crm_tui.db.models import CampaignStep, Message, Site
from crm_tui.errors import BadInput
from crm_tui.providers.base import OutgoingMail, OutgoingSms
from crm_tui.services.money.offered import offered
from crm_tui.services.sending.account import Account
from crm_tui.services.sending.candidates import Candidate
from crm_tui.services.templating.checking import uses_payment, uses_site
from crm_tui.services.templating.facts import MailFacts, first_name
from crm_tui.services.templating.files import Kind, Template, read_template
from crm_tui.services.templating.gathering import mail_facts
from crm_tui.services.templating.rendering import Rendered, render, reply_subject
from crm_tui.services.texting import NO_CONSENT, size
from crm_tui.vocabulary import Channel, MessageState, SiteStatus

NO_SITE = "its site is not published"


@dataclass(frozen=True, slots=True)
class Before:
    """What went to the same business before, in the same campaign: the thread a step goes on."""

    subject: str
    references: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Held:
    """A message that waits for something that is missing."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Text(OutgoingSms):
    """A text message, with what it is known by here and when it was claimed."""

    message_id: str
    date: datetime


@dataclass(frozen=True, slots=True)
class Composed:
    """A message ready to go, and what is kept of it; a mail has no `segments`."""

    mail: OutgoingMail | Text
    rendered: Rendered
    segments: int | None = None


async def facts_of(session: ReadSession, messages: Sequence[Candidate]) -> dict[int, MailFacts]:
    """What the mails of campaigns can say of their leads, by the lead.

    Where a mail shows it, with the public address of the newest site that is published, and with
    the page where it can pay.
    """
    rendered = [each for each in messages if each.source is not None]
    facts = await mail_facts(session, [each.business_id for each in rendered])
    showing = [each.business_id for each in rendered if uses_site(_template(each))]
    facts = await _with_sites(session, facts, showing)
    asking = [each.business_id for each in rendered if uses_payment(_template(each))]
    return await _with_payment(session, facts, asking)


async def facts_of_leads(session: ReadSession, business_ids: Sequence[int]) -> dict[int, MailFacts]:
    """What a mail can say of leads, with its newest published site, and the page to pay at."""
    facts = await _with_sites(session, await mail_facts(session, business_ids), business_ids)
    return await _with_payment(session, facts, business_ids)


async def _with_sites(
    session: ReadSession, facts: dict[int, MailFacts], showing: Sequence[int]
) -> dict[int, MailFacts]:
    if not showing:
        return facts
    connection = await session.connection()
    rows = await connection.execute(_PUBLISHED, {"ids": json.dumps(list(showing))})
    for business_id, url in rows:
        if business_id in facts:
            facts[business_id] = replace(facts[business_id], site_url=url)
    return facts


async def _with_payment(
    session: ReadSession, facts: dict[int, MailFacts], asking: Sequence[int]
) -> dict[int, MailFacts]:
    for business_id, link in (await offered(session, asking)).items():
        if business_id in facts:
            facts[business_id] = replace(facts[business_id], payment_url=link.url)
    return facts


async def threads(session: ReadSession, messages: Sequence[Candidate]) -> dict[int, Before]:
    """What went before each message of a campaign, by the message's id."""
    later = [each.id for each in messages if (each.position or 1) > 1]
    if not later:
        return {}
    connection = await session.connection()
    rows = await connection.execute(_EARLIER, {"ids": json.dumps(later)})
    found: dict[int, Before] = {}
    for each, message_id, subject in rows:
        before = found.get(each, Before(subject or "", ()))
        found[each] = replace(before, references=(*before.references, message_id))
    return found


_IDS = func.json_each(bindparam("ids")).table_valued("value")
_PUBLISHED = (
    select(Site.business_id, Site.published_url)
    .where(
        Site.business_id.in_(select(_IDS.c.value)),
        Site.status.in_((SiteStatus.PUBLISHED, SiteStatus.SOLD)),
        Site.published_url.is_not(None),
    )
    .order_by(Site.published_at, Site.id)
)
_EARLIER_STEP, _EARLIER_MESSAGE = aliased(CampaignStep), aliased(Message)
_EARLIER = (
    # By the step and the lead it was made for, which an index has: a campaign may be large.
    select(Message.id, _EARLIER_MESSAGE.message_id, _EARLIER_MESSAGE.subject)
    .join(CampaignStep, CampaignStep.id == Message.step_id)
    .join(
        _EARLIER_STEP,
        and_(
            _EARLIER_STEP.campaign_id == CampaignStep.campaign_id,
            _EARLIER_STEP.position < CampaignStep.position,
        ),
    )
    .join(
        _EARLIER_MESSAGE,
        and_(
            _EARLIER_MESSAGE.step_id == _EARLIER_STEP.id,
            _EARLIER_MESSAGE.origin_id == Message.origin_id,
        ),
    )
    .where(
        Message.id.in_(select(_IDS.c.value)),
        _EARLIER_MESSAGE.state == MessageState.SENT,
        _EARLIER_MESSAGE.channel == Channel.EMAIL,
    )
    .order_by(Message.id, _EARLIER_STEP.position)
)


def compose(
    message: Candidate, facts: MailFacts, before: Before | None, account: Account, *, now: datetime
) -> Composed | Held:
    """What a message says, or what it lacks.

    A step after the first goes on in the thread of the first, under its subject. What somebody
    wrote for one lead goes as it was written.
    """
    if account.channel is Channel.SMS:
        return _compose_text(message, facts, account, now=now)
    opt_out = account.opt_out(message.token)
    if message.source is None:
        rendered = Rendered(message.subject or "", message.body or "", message.html, ())
    else:
        template = _template(message)
        if facts.site_url is None and uses_site(template):
            return Held(NO_SITE)
        try:
            rendered = render(template, with_sender(_to(message, facts), account, message.token))
        except BadInput as error:
            return Held(str(error).rstrip("."))
        if before is not None:
            rendered = replace(rendered, subject=reply_subject(before.subject))
    references = before.references if before else ()
    answered = message.headers.get("In-Reply-To")
    if answered:
        references = tuple(message.headers.get("References", answered).split())
    mail = OutgoingMail(
        key=message.key,
        message_id=message.message_id,
        date=now.astimezone(account.zone),
        sender_name=account.name,
        sender=account.address,
        to=message.address,
        subject=rendered.subject,
        text=rendered.text,
        html=rendered.html,
        in_reply_to=answered or (references[-1] if references else None),
        references=references,
        list_unsubscribe=() if message.campaign_id is None else (opt_out,),
    )
    return Composed(mail, rendered)


def _compose_text(
    message: Candidate, facts: MailFacts, account: Account, *, now: datetime
) -> Composed | Held:
    """A text message; without consent it waits for that."""
    if not message.agreed:
        return Held(NO_CONSENT)
    template = _template(message)
    if facts.site_url is None and uses_site(template):
        return Held(NO_SITE)
    try:
        rendered = render(template, with_sender(_to(message, facts), account, message.token))
    except BadInput as error:
        return Held(str(error).rstrip("."))
    text = Text(
        key=message.key,
        sender=account.number,
        to=message.address,
        text=rendered.text,
        message_id=message.message_id,
        date=now,
    )
    return Composed(text, rendered, size(rendered.text).segments)


def _to(message: Candidate, facts: MailFacts) -> MailFacts:
    """The facts with the person behind the address that is written to, be it the main one or not."""
    return replace(
        facts, contact_name=message.person, contact_first_name=first_name(message.person)
    )


def _template(message: Candidate) -> Template:
    return step_template(
        message.template or "",
        message.source or "",
        html=bool(message.is_html),
        channel=message.channel,
    )


@lru_cache(maxsize=50)
def step_template(
    name: str, source: str, *, html: bool, channel: Channel = Channel.EMAIL
) -> Template:
    """The template of a step, as it was kept with the campaign."""
    mail = Kind.HTML if html else Kind.TEXT
    return read_template(source, name=name, kind=Kind.SMS if channel is Channel.SMS else mail)


def with_sender(facts: MailFacts, account: Account, token: str) -> MailFacts:
    """The facts with who sends, and the recipient's way to opt out."""
    return replace(
        facts,
        sender_name=account.name or None,
        sender_email=account.address or None,
        sender_postal_address=account.postal_address or None,
        unsubscribe=account.way_out(token),
    )
