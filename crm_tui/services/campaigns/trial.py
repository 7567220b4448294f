"""A test mail to the operator: through the same account, at once, and in no campaign's figures.

It leaves no row of the queue and no line on a timeline: nobody was contacted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from crm_tui.config import Settings
from crm_tui.db.engine import Database
from crm_tui.errors import BadInput
from crm_tui.providers.base import OutgoingMail
from crm_tui.services.campaigns import preview
from crm_tui.services.campaigns.steps import Step
from crm_tui.services.leads import require
from crm_tui.services.mailable import mailable
from crm_tui.services.sending.account import account, new_marks
from crm_tui.services.sending.compose import facts_of_leads, with_sender
from crm_tui.services.sending.senders import open_sender
from crm_tui.services.templating.facts import EXAMPLE
from crm_tui.text import visible
from crm_tui.vocabulary import Channel


@dataclass(frozen=True, slots=True)
class Tried:
    """A test mail that went out; `example` says whether facts of nobody's were put in."""

    to: str
    subject: str
    message_id: str
    example: bool


async def send(
    db: Database,
    steps: Sequence[Step],
    position: int,
    to: str,
    *,
    business_id: int | None,
    settings: Settings,
    environment: Mapping[str, str],
    now: datetime,
) -> Tried:
    """Send a step as this lead would get it (with nobody's facts without one) to an address.

    Raises:
        NotFound: there is no such lead or step.
        BadInput: that is no address, no sender is set, or the step cannot be sent.
        ProviderError: it could not be sent; says why.
    """
    found = mailable(to)
    if not found.is_address:
        raise BadInput(f"{visible(to, 80)} cannot be written to: {found.problem}.")
    if preview.step_at(steps, position).channel is Channel.SMS:
        raise BadInput(
            "A text message cannot be tried by mail; `crm-tui campaigns preview` shows it."
        )
    mine = account(settings)
    if not mine.address:
        raise BadInput("No sender is set: set name and email under [sender] in config.toml.")
    known = EXAMPLE
    if business_id is not None:
        async with db.read() as session:
            await require(session, business_id)
            known = (await facts_of_leads(session, [business_id]))[business_id]
    marks = new_marks(mine.domain)
    known = with_sender(known, mine, marks.token)
    facts = preview.with_examples(preview.step_at(steps, position), known)
    made = preview.in_thread(steps, position, facts)
    mail = OutgoingMail(
        key=marks.key,
        message_id=marks.message_id,
        date=now.astimezone(mine.zone),
        sender_name=mine.name,
        sender=mine.address,
        to=found.address,
        subject=made.subject,
        text=made.text,
        html=made.html,
        list_unsubscribe=(mine.opt_out(marks.token),),
    )
    async with open_sender(settings, store=db.path, environment=environment) as sender:
        await sender.send(mail)
    return Tried(
        found.address, made.subject, marks.message_id, example=business_id is None or facts != known
    )
