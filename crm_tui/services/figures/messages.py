"""What was sent in a period, and how many businesses opened, clicked and answered it.

As of a campaign (services/campaigns/figures.py), but of all messages, and of those alone that were
sent: businesses are counted, and only as far as their provider can tell.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any, NamedTuple

from sqlalchemy import (
    ColumnElement,
    Integer,
    Select,
    Text,
    and_,
    case,
    func,
    literal_column,
    or_,
    select,
    type_coerce,
)

from crm_tui.db.engine import ReadSession
from crm_tui.db.models import Message
from crm_tui.services.campaigns.measured import CLICKS, DELIVERY, OPENS
from crm_tui.services.figures import among
from crm_tui.services.figures.base import Scope
from crm_tui.services.filters.stages import words

SENT: ColumnElement[bool] = Message.sent_at.is_not(None)
"""In the words of the index, which has all that is asked for here."""


class Reach(NamedTuple):
    """Messages that were sent, then businesses.

    Those reached in all; of those whose opens (clicks) are measured, how many were written to,
    were reached, did it, and did it or a machine in their place; how many answered.
    """

    messages: int
    reached: int
    opens_tried: int
    opens_reached: int
    opened: int
    opened_raw: int
    clicks_tried: int
    clicks_reached: int
    clicked: int
    clicked_raw: int
    replied: int


async def reach(session: ReadSession, scope: Scope) -> Reach:
    """Count what was sent in the period, and whom it reached."""
    each = _levels(Message.business_id, scope=scope).subquery().c
    tests = [each.answers >= 1]
    tests += [level >= least for level in (each.opens, each.clicks) for least in (1, 2, 4, 3)]
    tests.append(each.answers == 2)
    sums = (
        func.coalesce(func.sum(type_coerce(what, Integer)), 0) for what in (each.messages, *tests)
    )
    return Reach._make((await session.execute(select(*sums))).one())


def sent_in(scope: Scope) -> Iterator[ColumnElement[bool]]:
    """What a message must be to have been sent in the period to a lead the filter finds."""
    yield SENT
    yield from among.within(Message.sent_at, scope.period)
    yield from among.of_leads(Message.business_id, scope)


class Levels(NamedTuple):
    """How many messages a business got, and how far the best of them came; see `_levels`."""

    messages: int
    opens: int
    clicks: int
    answers: int


async def by_campaign(session: ReadSession, scope: Scope) -> list[tuple[int | None, Levels, int]]:
    """How many businesses came how far by what each campaign sent in the period.

    None is what was sent by no campaign. A business is counted for each campaign that wrote to it.
    """
    # In the order of the index. As one text of few different words: to sort them takes longer.
    each = _levels(Message.business_id, Message.campaign_id, scope=scope).subquery().c
    number = ((each.messages * 5 + each.opens) * 5 + each.clicks) * 3 + each.answers
    campaign = func.coalesce(each.campaign_id, 0).cast(Text)
    words_of = func.group_concat(campaign.concat(":").concat(number.cast(Text)))
    text = await session.scalar(select(words_of))
    found = []
    for word_of, businesses in Counter(text.split(",") if text else ()).items():
        sender, _, packed = word_of.partition(":")
        rest, answers = divmod(int(packed), 3)
        rest, clicks = divmod(rest, 5)
        levels = Levels(*divmod(rest, 5), clicks, answers)
        found.append((int(sender) or None, levels, businesses))
    return found


def _levels(*by: Any, scope: Scope) -> Select[Any]:
    """How many messages each business got, and how far the best of them came.

    What is told of opens is nested: who opened is among those who did so with machines in their
    place, these among those who were reached, these among those who were written to. So the highest
    of its messages' levels says all of a business.
    """
    of_opens = _level(by_opens(), opened(), opened_raw())
    of_clicks = _level(by_clicks(), clicked(), clicked_raw())
    return (
        select(
            *by,
            func.count().label("messages"),
            func.max(of_opens).label("opens"),
            func.max(of_clicks).label("clicks"),
            func.max(case((replied(), 2), (was_reached(), 1), else_=0)).label("answers"),
        )
        .where(*sent_in(scope))
        .group_by(*by)
    )


def _level(
    measured: ColumnElement[bool], people: ColumnElement[bool], machines_too: ColumnElement[bool]
) -> ColumnElement[int]:
    """0 where it is not measured, 1 written to, 2 reached, 3 done by anything, 4 by somebody."""
    return case((~measured, 0), (people, 4), (machines_too, 3), (was_reached(), 2), else_=1)


def was_reached() -> ColumnElement[bool]:
    """Whether a message got there: as the provider tells, or as far as nobody says otherwise."""
    told = _by(DELIVERY)
    delivered = and_(Message.delivered_at.is_not(None), Message.bounced_at.is_(None))
    # Who did something with it has got it, even where nobody said so.
    did = or_(
        opened_raw(),
        clicked_raw(),
        replied(),
        Message.unsubscribed_at.is_not(None),
        Message.complained_at.is_not(None),
    )
    return or_(delivered, ~told, did)


def by_opens() -> ColumnElement[bool]:
    """Whether opens of a message are measured."""
    return _by(OPENS)


def by_clicks() -> ColumnElement[bool]:
    """Whether clicks in a message are measured."""
    return _by(CLICKS)


def _by(providers: tuple[str, ...]) -> ColumnElement[bool]:
    # A list after IN would be looked through anew, as a table of its own, for every message.
    of_these: ColumnElement[int] = case(
        *((Message.provider == name, literal_column("1")) for name in words(providers)),
        else_=literal_column("0"),
    )
    return of_these == literal_column("1")


def opened() -> ColumnElement[bool]:
    """Whether somebody opened it."""
    return Message.opened_at.is_not(None)


def opened_raw() -> ColumnElement[bool]:
    """Whether somebody or a machine opened it."""
    return or_(opened(), Message.machine_opened_at.is_not(None))


def clicked() -> ColumnElement[bool]:
    """Whether somebody clicked in it."""
    return Message.clicked_at.is_not(None)


def clicked_raw() -> ColumnElement[bool]:
    """Whether somebody or a machine clicked in it."""
    return or_(clicked(), Message.machine_clicked_at.is_not(None))


def replied() -> ColumnElement[bool]:
    """Whether it was answered."""
    return Message.replied_at.is_not(None)
