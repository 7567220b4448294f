"""Which answers wait to be sorted, and what was said in them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    case,
    exists,
    func,
    literal_column,
    or_,
    select,
)
from sqlalchemy.orm import aliased

from crm_tui.db.engine import ReadSession
from crm_tui.db.models import Business, Event
from crm_tui.services.events import OPERATOR
from crm_tui.vocabulary import ContactStatus, EventKind, Outcome

_LONGEST = 500
"""Characters of a text that stand in a line."""

ANSWERED = (
    Event.moves_to.is_not(None),  # as the index says it
    Event.moves_to == ContactStatus.REPLIED,
    Event.is_voided.is_(False),
)
"""Events of which an answer is one: a mail, or a call in which somebody talked."""

_OURS = re.compile(r"\s*(?:re|aw|antw|sv|vs|odp|rv|res|ré|rif?|ynt)\b[^:]{0,5}:", re.IGNORECASE)
"""How the subject of an answer begins, in the languages of those who write the programs."""

WROTE = (EventKind.REPLIED, EventKind.UNSUBSCRIBED)
_SORTED = (EventKind.OUTCOME_SET, EventKind.STATUS_SET)


def unsorted() -> tuple[ColumnElement[bool], ...]:
    """Leads that answered and are neither sorted nor customers; in the words of the index."""
    return (
        is_word(Business.__table__.c.contact_status, ContactStatus.REPLIED),
        is_word(Business.__table__.c.outcome, Outcome.OPEN),
        Business.archived_at.is_(None),
        Business.do_not_contact == literal_column("0"),
    )


def customers_who_wrote() -> tuple[ColumnElement[bool], ...]:
    """Customers who wrote something since the operator last said what came of them.

    Who bought stays won, so that it is no status that tells. Since means as it came to be known: a
    mail that arrives late was not known either.
    """
    wrote, said = aliased(Event), aliased(Event)
    since = exists().where(
        said.business_id == wrote.business_id,
        said.id + 0 > wrote.id,  # by the index of the lead, not from there to the last event of all
        said.kind.in_(_SORTED),
        said.source == OPERATOR,
        said.is_voided.is_(False),
    )
    waits = exists().where(
        wrote.business_id == Business.id,
        wrote.moves_to.is_not(None),  # as the index says it
        wrote.moves_to == ContactStatus.REPLIED,
        wrote.kind.in_(WROTE),
        wrote.is_voided.is_(False),
        ~since,
    )
    status = Business.contact_status
    return (
        or_(
            status == ContactStatus.PURCHASED,
            (status == ContactStatus.REPLIED) & (Business.outcome == Outcome.WON),
        ),
        Business.archived_at.is_(None),
        Business.do_not_contact.is_(False),
        waits,
    )


def is_word(column: ColumnElement[Any], word: str) -> ColumnElement[bool]:
    """That a column holds a word, which stands in the statement itself.

    A partial index is only used where the words of its condition do.
    """
    return column == literal_column(f"'{word}'")


async def latest(
    session: ReadSession, leads: Sequence[int], *which: ColumnElement[bool]
) -> dict[int, tuple[datetime, str]]:
    """When the latest of these events of each lead was, and its text, else its summary."""
    rows = await session.execute(
        select(
            Event.business_id,
            Event.occurred_at,
            case((Event.kind == EventKind.REPLIED, func.json_extract(Event.data, "$.subject"))),
            func.substr(Event.body, 1, _LONGEST),
            Event.summary,
        )
        .where(Event.business_id.in_(leads), *which, Event.is_voided.is_(False))
        .order_by(Event.occurred_at, Event.id)
    )
    return {
        lead: (at, summary if text is None else in_a_line(subject, text))
        for lead, at, subject, text, summary in rows
    }


def in_a_line(subject: str | None, text: str | None) -> str:
    """What somebody wrote; its subject comes first unless that only repeats ours."""
    if text and subject and _OURS.match(subject):
        return text
    return " – ".join(filter(None, (subject, text)))
