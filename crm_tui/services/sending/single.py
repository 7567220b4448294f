"""A mail to one lead, written by hand or from a template, through the same queue as campaigns.

Its text is settled before it is queued: the operator sees what goes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import func, select

from crm_tui.db.engine import ReadSession, WriteSession
from crm_tui.db.models import Business, ContactPoint, Event, Message
from crm_tui.errors import BadInput, NotFound
from crm_tui.services import points
from crm_tui.services.contacts import email
from crm_tui.services.leads import require
from crm_tui.services.mailable import mailable
from crm_tui.services.sending.account import Account, Marks, new_marks
from crm_tui.services.sending.candidates import candidates
from crm_tui.services.sending.compose import NO_SITE, facts_of_leads, with_sender
from crm_tui.services.templating.checking import uses_site
from crm_tui.services.templating.files import Template
from crm_tui.services.templating.rendering import one_line, render, reply_subject, tidy
from crm_tui.text import visible
from crm_tui.vocabulary import Channel, ContactKind, EventKind, MessageState

TAKEN_BACK = "taken back by you"
_MOST_REFERENCES = 30
_MOST_QUOTED = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """A mail as it will go: what the operator sees and changes before it is queued.

    Attributes:
        to: the address.
        in_reply_to: the Message-ID of the mail it answers, whose thread `references` are; "" and
            () begin a new thread.
        marks: what its way to opt out names, where its text has one.
    """

    business_id: int
    to: str
    subject: str = ""
    text: str = ""
    html: str | None = None
    in_reply_to: str = ""
    references: tuple[str, ...] = ()
    marks: Marks | None = field(default=None, repr=False)


async def from_template(
    session: ReadSession, business_id: int, template: Template, mine: Account
) -> Letter:
    """What a template says to a lead.

    Raises:
        NotFound: there is no such lead.
        MissingField: something is not known of it that the template needs.
        BadInput: it has no address, its site is not published, or the template cannot be used.
    """
    if template.channel is Channel.SMS:
        raise BadInput(f"{visible(template.name, 60)} is a text message, which campaigns send.")
    letter = await blank(session, business_id)
    facts = (await facts_of_leads(session, [business_id]))[business_id]
    if facts.site_url is None and uses_site(template):
        raise BadInput(f"{visible(template.name, 60)} links to the lead's site, and {NO_SITE}.")
    marks = new_marks(mine.domain)
    made = render(template, with_sender(facts, mine, marks.token))
    return Letter(
        business_id=business_id,
        to=letter.to,
        subject=made.subject,
        text=made.text,
        html=made.html,
        marks=marks,
    )


async def blank(session: ReadSession, business_id: int) -> Letter:
    """An empty mail to a lead, at its primary address.

    Raises:
        NotFound: there is no such lead.
        BadInput: it has no address.
    """
    name = await require(session, business_id)
    to = await session.scalar(select(Business.email).where(Business.id == business_id))
    if to is None:
        raise BadInput(f"{visible(name, 60)} has no e-mail address.")
    return Letter(business_id=business_id, to=to)


async def reply(session: ReadSession, business_id: int, event_id: int | None = None) -> Letter:
    """An answer to the newest mail of a lead (or that of the event), in its thread.

    Raises:
        NotFound: there is no such lead, or it has not written.
    """
    name = await require(session, business_id)
    which = (Event.id == event_id,) if event_id is not None else ()
    event = (
        await session.execute(
            select(Event.data, Event.body, Event.summary)
            .where(
                *which,
                Event.business_id == business_id,
                Event.kind.in_((EventKind.REPLIED, EventKind.UNSUBSCRIBED)),
                func.json_extract(Event.data, "$.channel").is_distinct_from(Channel.SMS),
                Event.is_voided.is_(False),
            )
            .order_by(Event.occurred_at.desc(), Event.id.desc())
            .limit(1)
        )
    ).first()
    if event is None or not event.data.get("from"):
        raise NotFound(f"{visible(name, 60)} has written no mail that could be answered.")
    message_id = event.data.get("message_id") or ""
    references = [each for each in event.data.get("references", ()) if each != message_id]
    return Letter(
        business_id=business_id,
        to=event.data["from"],
        subject=reply_subject(one_line(event.data.get("subject") or "your mail")),
        text=_quoted(event.data["from"], event.body or ""),
        in_reply_to=message_id,
        references=(*references[-_MOST_REFERENCES:], message_id) if message_id else (),
    )


def _quoted(author: str, text: str) -> str:
    """What they wrote, below the place for the answer."""
    lines = text.strip().splitlines()
    if not lines:
        return ""
    quoted = "\n".join(f"> {line}".rstrip() for line in lines[:_MOST_QUOTED])
    return f"\n\n{author} wrote:\n{quoted}\n"


async def queue(session: WriteSession, letter: Letter, mine: Account, *, now: datetime) -> int:
    """Put a mail into the queue, due now; returns the number of its message.

    Raises:
        NotFound: there is no such lead.
        BadInput: nothing may be sent to it, or the mail says nothing; says why.
    """
    name = await require(session, letter.business_id)
    subject, text = one_line(letter.subject), tidy(letter.text)
    if not subject or not text.strip():
        raise BadInput(f"The mail has no {'subject' if not subject else 'text'}.")
    found = mailable(letter.to)
    if not found.is_address:
        raise BadInput(f"{visible(letter.to, 80)} cannot be written to: {found.problem}.")
    address = await _address(session, letter, now=now)
    marks = letter.marks or new_marks(mine.domain)
    headers = {}
    if letter.in_reply_to:
        headers["In-Reply-To"] = letter.in_reply_to
        headers["References"] = " ".join(letter.references)
    row = Message(
        key=marks.key,
        business_id=letter.business_id,
        origin_id=letter.business_id,
        address=address,
        message_id=marks.message_id,
        token=marks.token,
        created_at=now,
        due_at=now,
        subject=subject,
        body=text,
        html=letter.html,
        headers=headers,
    )
    session.add(row)
    await session.flush()
    (candidate,) = await candidates(session, [row.id], now=now)
    if why := candidate.why_not():
        raise BadInput(f"{visible(name, 60)} gets no mail: {why}.")
    return row.id


async def _address(session: WriteSession, letter: Letter, *, now: datetime) -> str:
    """The address as the lead has it; one they answered from becomes theirs.

    Raises:
        BadInput: it is none of theirs.
    """
    contact = email(letter.to)
    value = contact.value if contact is not None and contact.valid else letter.to.strip().lower()
    known = await session.scalar(
        select(ContactPoint.value).where(
            ContactPoint.business_id == letter.business_id,
            ContactPoint.kind == ContactKind.EMAIL,
            ContactPoint.value == value,
        )
    )
    if known is None:
        if not letter.in_reply_to:
            raise BadInput(
                f"{visible(letter.to, 80)} is no address of this lead's; add it first: "
                f"crm-tui leads edit {letter.business_id} email={visible(letter.to, 80)}"
            )
        domain = contact.domain if contact is not None else None
        await points.add(
            session, letter.business_id, ContactKind.EMAIL, value, now=now, domain=domain or None
        )
        await points.choose_primaries(session, [letter.business_id])
        await points.repeat_primaries(session, [letter.business_id])
    return value


async def take_back(session: WriteSession, message_id: int) -> None:
    """Have a single mail not be sent that waits.

    Raises:
        NotFound: there is no such mail.
        BadInput: it does not wait any more.
    """
    message = await session.get(Message, message_id)
    if message is None or message.campaign_id is not None:
        raise NotFound(f"There is no single mail {message_id}.")
    if message.state is not MessageState.QUEUED:
        raise BadInput(f"The mail is {message.state}; it cannot be taken back.")
    message.state, message.reason = MessageState.CANCELED, TAKEN_BACK
    await session.flush()
