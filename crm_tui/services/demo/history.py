"""What happened to the invented leads: calls, mails, replies, and who of them bought."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from random import Random
from typing import TypeVar

from sqlalchemy import update

from crm_tui.db.engine import WriteSession
from crm_tui.db.models import Business
from crm_tui.services import events, timeline
from crm_tui.services.demo.invent import Words
from crm_tui.services.demo.money import Bought
from crm_tui.services.events import OPERATOR, NewEvent
from crm_tui.vocabulary import CallOutcome, ContactStatus, EventKind, Outcome

MAIL = "mail"
"""The source of what a mail provider reports."""

# How a lead that was mailed went on: how many of a hundred, and how far.
_COURSES = (
    (30, ()),
    (28, (ContactStatus.OPENED,)),
    (14, (ContactStatus.OPENED, ContactStatus.CLICKED)),
    (14, (ContactStatus.OPENED, ContactStatus.CLICKED, ContactStatus.REPLIED)),
    (14, (ContactStatus.OPENED, ContactStatus.CLICKED, ContactStatus.REPLIED, ContactStatus.PURCHASED)),
)  # fmt: skip
_CALLS = (
    (36, CallOutcome.NO_ANSWER),
    (24, CallOutcome.VOICEMAIL),
    (22, CallOutcome.TALKED),
    (8, CallOutcome.LATER),
    (7, CallOutcome.NO),
    (3, CallOutcome.WRONG_NUMBER),
)
_KINDS = {
    ContactStatus.OPENED: EventKind.OPENED,
    ContactStatus.CLICKED: EventKind.CLICKED,
    ContactStatus.REPLIED: EventKind.REPLIED,
}
_SUMMARIES = {
    ContactStatus.OPENED: "opened the mail",
    ContactStatus.CLICKED: "clicked the preview",
    ContactStatus.REPLIED: "replied by mail",
}
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Known:
    """A lead as far as its story depends on it. `since` is when it was captured, aware UTC."""

    id: int
    name: str
    person: str
    phone: bool
    email: bool
    has_site: bool
    since: datetime


@dataclass(frozen=True, slots=True)
class Called:
    """A call to be logged: when, how it went, and what the operator wrote down."""

    lead: int
    at: datetime
    outcome: CallOutcome
    note: str


@dataclass(frozen=True, slots=True)
class Noted:
    """A note to be written."""

    lead: int
    at: datetime
    text: str


@dataclass(slots=True)
class Story:
    """Everything that happened to the leads between their capture and now."""

    events: list[NewEvent]
    calls: list[Called]
    notes: list[Noted]
    outcomes: dict[Outcome, list[int]]
    bought: list[Bought]


def tell(words: Words, random: Random, leads: Sequence[Known], *, now: datetime) -> Story:
    """Make up what happened to leads; the same story for the same random numbers."""
    teller = _Teller(words, random, now)
    for lead in leads:
        teller.mail_or_text(lead)
        teller.call(lead)
        teller.note(lead)
    return teller.story


async def write(session: WriteSession, story: Story, *, now: datetime) -> None:
    """Write a story through the services that write it in life."""
    await events.record(session, *story.events, now=now)
    for outcome, leads in story.outcomes.items():
        await session.execute(
            update(Business)
            .where(Business.id.in_(leads))
            .values(outcome=outcome)
            .execution_options(synchronize_session=None)
        )
    for call in story.calls:
        await timeline.log_call(session, call.lead, call.outcome, note=call.note, now=call.at)
    for note in story.notes:
        await timeline.add_note(session, note.lead, note.text, now=note.at)


class _Teller:
    def __init__(self, words: Words, random: Random, now: datetime) -> None:
        self._words = words
        self._random = random
        self._now = now
        self.story = Story([], [], [], {Outcome.INTERESTED: []}, [])

    def mail_or_text(self, lead: Known) -> None:
        """Perhaps a mail, and how far the lead went on; or a text."""
        likely = 0.8 if lead.has_site else 0.1
        if self._random.random() > likely:
            return
        if lead.email:
            self._mail(lead)
        elif lead.phone and self._random.random() < 0.4:
            text = self._line(self._words["mail"]["texts"], lead)
            at = self._working_time(lead.since)
            sent = NewEvent(lead.id, EventKind.SMS_SENT, at, "text sent", OPERATOR)
            self._tell(sent, ContactStatus.TEXTED, text)

    def call(self, lead: Known) -> None:
        """Perhaps a call, and another one after it where nobody answered."""
        if not lead.phone or self._random.random() > (0.5 if lead.has_site else 0.13):
            return
        at = self._working_time(lead.since)
        for _ in range(3):
            outcome = self._weighted(_CALLS)
            lines = self._words["calls"][outcome.value]
            self.story.calls.append(Called(lead.id, at, outcome, self._line(lines, lead)))
            at = self._working_time(at)
            silent = outcome in {CallOutcome.NO_ANSWER, CallOutcome.VOICEMAIL}
            if not silent or self._random.random() < 0.6:
                break

    def note(self, lead: Known) -> None:
        """Perhaps a note."""
        if self._random.random() < (0.35 if lead.has_site else 0.07):
            text = self._line(self._words["notes"]["any"], lead)
            self.story.notes.append(Noted(lead.id, self._working_time(lead.since), text))

    def _mail(self, lead: Known) -> None:
        subject = self._random.choice(self._words["mail"]["subjects"]).format(name=lead.name)
        at = self._working_time(lead.since)
        sent = NewEvent(lead.id, EventKind.EMAIL_SENT, at, f"mail sent: {subject}", OPERATOR)
        self._tell(sent, ContactStatus.EMAILED)
        if self._random.random() < 0.2:
            machine = at + timedelta(seconds=self._random.randint(2, 40))
            summary = "opened by a mail scanner"
            scanned = NewEvent(lead.id, EventKind.OPENED, machine, summary, MAIL, by_machine=True)
            self._tell(scanned, ContactStatus.OPENED)
        for status in self._weighted(_COURSES):
            at += timedelta(hours=self._random.expovariate(1 / 14), minutes=3)
            if at >= self._now:
                break
            self._went_on(lead, status, at)

    def _went_on(self, lead: Known, status: ContactStatus, at: datetime) -> None:
        if status is ContactStatus.PURCHASED:
            self.story.bought.append(Bought(lead.id, at))
            return
        summary, body = _SUMMARIES[status], None
        if status is ContactStatus.REPLIED:
            body = self._line(self._words["mail"]["replies"], lead)
            self.story.outcomes[Outcome.INTERESTED].append(lead.id)
        self._tell(NewEvent(lead.id, _KINDS[status], at, summary, MAIL), status, body)

    def _tell(self, event: NewEvent, status: ContactStatus, body: str | None = None) -> None:
        self.story.events.append(replace(event, moves_to=status, body=body))

    def _line(self, lines: Sequence[str], lead: Known) -> str:
        return self._random.choice(lines).format(first=lead.person)

    def _weighted(self, choices: Sequence[tuple[int, _T]]) -> _T:
        weights = [weight for weight, _ in choices]
        return self._random.choices([choice for _, choice in choices], weights)[0]

    def _working_time(self, since: datetime) -> datetime:
        """Some time between then and now, more often lately, in the operator's working hours."""
        at = since + (self._now - since) * self._random.betavariate(1.6, 1.1)
        working = at.replace(hour=self._random.randint(13, 21), minute=self._random.randint(0, 59))
        return working if since < working < self._now else at
