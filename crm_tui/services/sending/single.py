"""A mail to one lead, written by hand or from a template, through the same queue as campaigns."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from crm_tui.db.engine import ReadSession, WriteSession
from crm_tui.services.sending.account import Account
from crm_tui.services.templating.files import Template


@dataclass(frozen=True, slots=True)
class Letter:
    """A mail as it will go: what the operator sees and changes before it is queued.

    Attributes:
        to: the address.
        answers: the event of the answer it replies to; None begins a new thread.
        in_reply_to, references: the Message-IDs of the thread; "" and () without one.
    """

    business_id: int
    to: str
    subject: str
    text: str
    html: str | None = None
    answers: int | None = None
    in_reply_to: str = ""
    references: tuple[str, ...] = ()


async def from_template(
    session: ReadSession, business_id: int, template: Template, account: Account
) -> Letter:
    """What a template says to a lead.

    Raises:
        NotFound: there is no such lead.
        MissingField: something is not known of it that the template needs.
        BadInput: it has no address, or its site is not published.
    """
    raise NotImplementedError


async def blank(session: ReadSession, business_id: int) -> Letter:
    """An empty mail to a lead, at its primary address.

    Raises:
        NotFound: there is no such lead.
        BadInput: it has no address.
    """
    raise NotImplementedError


async def reply(session: ReadSession, business_id: int, event_id: int | None = None) -> Letter:
    """An answer to the newest mail of a lead (or that of the event), in its thread.

    Raises:
        NotFound: there is no such lead, or it has not written.
    """
    raise NotImplementedError


async def queue(session: WriteSession, letter: Letter, account: Account, *, now: datetime) -> int:
    """Put a mail into the queue, due now; returns the number of its message.

    Raises:
        NotFound: there is no such lead.
        BadInput: nothing may be sent to it, or the mail says nothing; says why.
    """
    raise NotImplementedError
