"""Where each field is kept, and how a value is compared with it in the store."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, Text, and_, func, literal, literal_column, or_, select
from sqlalchemy.sql.elements import UnaryExpression
from sqlalchemy.sql.functions import Function
from sqlalchemy.sql.operators import custom_op

from crm_tui.db.models import (
    Business,
    BusinessTag,
    Campaign,
    ContactPoint,
    Event,
    ImportBatch,
    Message,
    Payment,
    Plan,
    Subscription,
    Suppression,
    Tag,
    Task,
)
from crm_tui.db.types import utc_text
from crm_tui.services.filters import tree
from crm_tui.services.filters.tree import How
from crm_tui.vocabulary import (
    ContactKind,
    ContactState,
    ContactStatus,
    Mode,
    Outcome,
    WebsiteStatus,
)

Test = ColumnElement[bool]
Ids = Select[int]

_LAST_CHARACTER = "\U0010ffff"

WORDS: dict[str, Any] = {
    "status": Business.contact_status,
    "site": Business.website_status,
    "outcome": Business.outcome,
}
NUMBERS: dict[str, Any] = {
    "score": Business.qualification_score,
    "rating": Business.rating,
    "reviews": Business.review_count,
    "photos": Business.photo_count,
    "id": Business.id,
}
TIMES: dict[str, Any] = {
    "activity": Business.last_activity_at,
    "created": Business.created_at,
    "captured": Business.captured_at,
    "updated": Business.updated_at,
}
TEXTS: dict[str, Any] = {
    "city": Business.city_folded,
    "category": Business.category_folded,
    "region": Business.region_folded,
    "source": Business.source_folded,
    "name": Business.name_folded,
    "postal": func.fold(Business.postal_code),
    "country": func.fold(Business.country),
    "email": func.fold(Business.email),
    "phone": func.substr(Business.phone, 2),
    "website": func.fold(Business.website),
}
INDEXED = frozenset({"city", "category", "region", "status", "site", "activity", "batch", "id"})
"""Fields whose columns have an index that finds their values."""

STATES = {"email_state": ContactKind.EMAIL, "phone_state": ContactKind.PHONE}


def no_index(column: Any) -> ColumnElement[Any]:
    """The column with a plus before it, by which SQLite knows not to use an index on it.

    Walking the index of a column means fetching each lead from another place of the file. With a
    million leads, reading all from front to back brings the first rows in an eighth of the time
    and the whole order in half of it.
    """
    return UnaryExpression(column, operator=custom_op("+"), type_=column.type)


def text_test(column: Any, how: How, keys: Sequence[str]) -> Test:
    """Whether a folded column is one of these texts, begins with one, or holds one."""
    if how is How.WHOLE:
        return _is_one(column, keys)
    if how is How.PART:
        return or_(*(func.instr(column, key) > 0 for key in keys))
    return or_(*(_begins(column, key) if key else column.is_not(None) for key in keys))


def _begins(column: Any, key: str) -> Test:
    if isinstance(column, Function):  # work that is not to be done twice
        return func.instr(column, key) == 1
    # A range finds its rows in an index, which LIKE does not.
    return and_(column >= _text(key), column < _text(key + _LAST_CHARACTER))


def phone_test(column: Any, how: How, keys: Sequence[str]) -> Test:
    """As `text_test`, of digits; ten of them may lack the 1 of North America."""
    if how is How.WHOLE:
        keys = [*keys, *(f"1{key}" for key in keys if len(key) == 10)]
    elif how is How.BEGINNING:
        keys = [*keys, *(f"1{key}" for key in keys if key)]
    return text_test(column, how, keys)


def website_test(column: Any, how: How, keys: Sequence[str]) -> Test:
    """As `text_test`, of addresses without what stands before and after the name."""
    if how is not How.PART:
        ends = ("", "/") if how is How.WHOLE else ("",)
        keys = [
            f"{scheme}{www}{key}{end}" if key else ""
            for key in keys
            for scheme in ("https://", "http://")
            for www in ("", "www.")
            for end in ends
        ]
    return text_test(column, how, list(dict.fromkeys(keys)))


TEXT_TESTS: dict[str, Callable[[Any, How, Sequence[str]], Test]] = {
    "phone": phone_test,
    "website": website_test,
}


def tagged(wanted: Sequence[tuple[How, Sequence[str]]]) -> Ids:
    """The leads that carry one of these tags."""
    tags = select(Tag.id).where(or_(*(text_test(Tag.folded, how, keys) for how, keys in wanted)))
    return select(BusinessTag.business_id).where(BusinessTag.tag_id.in_(tags))


def batches(how: How, keys: Sequence[str]) -> Ids:
    """The imports with such a number or file name."""
    number = ImportBatch.id.cast(Text)
    named = text_test(func.fold(ImportBatch.file_name), how, keys)
    return select(ImportBatch.id).where(or_(named, text_test(number, how, keys)))


def in_state(kind: ContactKind, states: Sequence[str]) -> Ids:
    """The leads whose primary e-mail or phone is in one of these states."""
    wanted = [ContactPoint.kind == kind, ContactPoint.is_primary.is_(True)]
    if ContactState.UNKNOWN not in states:
        # Word for word what the index says, or it is not used.
        wanted.append(ContactPoint.state != literal_column("'unknown'"))
    return select(ContactPoint.business_id).where(*wanted, _is_one(ContactPoint.state, states))


def called(low: datetime | None, high: datetime | None, *, after: bool, before: bool) -> Test:
    """Whether the last call was between two times; with `after` and `before`, not at the times.

    The last call is the one that no later call follows, which the index on calls tells quickly.
    """
    calls = select(Event.business_id).where(
        Event.kind == literal_column("'call'"), Event.is_voided.is_(False)
    )
    within, later = calls, None
    if low is not None:
        at = stored(low)
        within = within.where(Event.occurred_at > at if after else Event.occurred_at >= at)
    if high is not None:
        at = stored(high)
        within = within.where(Event.occurred_at < at if before else Event.occurred_at <= at)
        later = calls.where(Event.occurred_at >= at if before else Event.occurred_at > at)
    was = Business.id.in_(within)
    return was if later is None else and_(was, Business.id.not_in(later))


def mailed(low: datetime | None, high: datetime | None, *, after: bool, before: bool) -> Test:
    """Whether the last mail that went to a lead was between two times, as `called` has it.

    A campaign's and a single one; those the operator wrote elsewhere are lines of the timeline.
    """
    sent = select(Message.business_id).where(Message.state == literal_column("'sent'"))
    within, later = sent, None
    if low is not None:
        at = stored(low)
        within = within.where(Message.sent_at > at if after else Message.sent_at >= at)
    if high is not None:
        at = stored(high)
        within = within.where(Message.sent_at < at if before else Message.sent_at <= at)
        later = sent.where(Message.sent_at >= at if before else Message.sent_at > at)
    was = Business.id.in_(within)
    return was if later is None else and_(was, Business.id.not_in(later))


def never_mailed() -> Test:
    """Whether no mail ever went to a lead."""
    return Business.id.not_in(
        select(Message.business_id).where(Message.state == literal_column("'sent'"))
    )


def recipients(wanted: Sequence[tuple[How, Sequence[str]]]) -> Ids:
    """The recipients of campaigns with such a number or name."""
    number = Campaign.id.cast(Text)
    named = (
        or_(text_test(Campaign.name_folded, how, keys), text_test(number, how, keys))
        for how, keys in wanted
    )
    return select(Message.business_id).where(
        Message.campaign_id.in_(select(Campaign.id).where(or_(*named)))
    )


def payers(wanted: Sequence[tuple[How, Sequence[str]]], modes: Sequence[Mode]) -> Ids:
    """The leads that pay or paid by plans with such a name or number."""
    number = Plan.id.cast(Text)
    named = (
        or_(text_test(Plan.folded, how, keys), text_test(number, how, keys)) for how, keys in wanted
    )
    plans = select(Plan.id).where(or_(*named))
    paid = select(Payment.business_id).where(
        Payment.plan_id.in_(plans), Payment.paid_at.is_not(None), Payment.mode.in_(modes)
    )
    pays = select(Subscription.business_id).where(
        Subscription.plan_id.in_(plans), Subscription.mode.in_(modes)
    )
    return select(paid.union(pays).subquery().c.business_id)


def subscribed(states: Sequence[str], modes: Sequence[Mode]) -> Ids:
    """The leads one of whose subscriptions stands so."""
    return select(Subscription.business_id).where(
        _is_one(Subscription.state, states), Subscription.mode.in_(modes)
    )


def with_task(*, by: datetime | None = None, before: datetime | None = None) -> Ids:
    """The leads with an open follow-up; one that is due by a time, or before one."""
    found = select(Task.business_id).where(Task.state == literal_column("'open'"))
    if by is not None:
        found = found.where(Task.due_at <= stored(by))
    if before is not None:
        found = found.where(Task.due_at < stored(before))
    return found


def has(word: str) -> Test:
    """Whether a lead has what the word says."""
    if word in _KNOWN:
        known: Test = _KNOWN[word].is_not(None)
        return known
    if word in _RECORDS:
        return Business.id.in_(_RECORDS[word])
    if word == "site":
        standing = (WebsiteStatus.GENERATED, WebsiteStatus.PUBLISHED, WebsiteStatus.SOLD)
        return Business.website_status.in_(standing)
    return Business.website.is_not(None) | Business.id.in_(_points("website", "social"))


def _points(*kinds: str) -> Ids:
    return select(ContactPoint.business_id).where(ContactPoint.kind.in_(kinds))


def _events(kind: str) -> Ids:
    return select(Event.business_id).where(
        Event.kind == literal_column(f"'{kind}'"), Event.is_voided.is_(False)
    )


_KNOWN: dict[str, Any] = {
    "email": Business.email,
    "phone": Business.phone,
    "website": Business.website,
    "address": Business.street,
    "city": Business.city,
    "region": Business.region,
    "postal": Business.postal_code,
    "country": Business.country,
    "category": Business.category,
    "rating": Business.rating,
    "reviews": Business.review_count,
    "photos": Business.photo_count,
    "hours": Business.hours,
    "activity": Business.last_activity_at,
}
_RECORDS: dict[str, Ids] = {
    "tag": select(BusinessTag.business_id),
    "task": select(Task.business_id).where(Task.state == literal_column("'open'")),
    "social": _points("social"),
    "note": _events("note"),
    "call": _events("call"),
}


def is_(word: str) -> Test:
    """Whether a lead is what the word says."""
    match word:
        case "archived":
            return Business.archived_at.is_not(None)
        case "never":
            return Business.do_not_contact.is_(True)
        case "suppressed":
            return _suppressed()
        case _:
            bought = Business.contact_status == ContactStatus.PURCHASED
            return bought | (Business.outcome == Outcome.WON)


def _suppressed() -> Test:
    """Whether a lead, an address or number of it, or the domain of an address is on the list."""
    point = ContactPoint
    by_point = (
        select(point.business_id)
        .join(Suppression, Suppression.value == point.value)
        .where(
            or_(
                and_(Suppression.kind == _EMAIL, point.kind == _EMAIL),
                and_(Suppression.kind == _PHONE, point.kind == _PHONE),
            )
        )
    )
    domains = select(Suppression.value).where(Suppression.kind == literal_column("'domain'"))
    by_domain = select(point.business_id).where(
        domains.exists(),
        point.kind == _EMAIL,
        or_(*(host.in_(domains) for host in _hosts(point.value))),
    )
    by_key = select(Suppression.value).where(Suppression.kind == literal_column("'business'"))
    return or_(
        Business.do_not_contact.is_(True),
        Business.key.in_(by_key),
        Business.id.in_(by_point),
        Business.id.in_(by_domain),
    )


def _hosts(address: Any) -> list[ColumnElement[str]]:
    """Where an address is, and the domains above: of "joe@a.b.com" a.b.com, b.com and com."""
    hosts: list[ColumnElement[str]] = [func.substr(address, func.instr(address, "@") + 1)]
    for _ in range(_MOST_ABOVE):
        hosts.append(
            func.substr(hosts[-1], func.instr(hosts[-1], ".") + 1)
        )  # the last stays itself
    return hosts


_MOST_ABOVE = 4
"""Domains above a host that are looked at; hardly one has more parts."""

_EMAIL: ColumnElement[str] = literal_column("'email'")
_PHONE: ColumnElement[str] = literal_column("'phone'")


def stored(time: datetime) -> ColumnElement[str]:
    """A time as it is stored; as text, whose order is the order of the times."""
    return _text(utc_text(time))


def _text(value: str) -> ColumnElement[str]:
    return literal(value, Text())


def _is_one(column: Any, values: Sequence[str]) -> Test:
    test: Test = column == values[0] if len(values) == 1 else column.in_(values)
    return test


def compare(value: Any, operator: tree.Operator, bound: Any) -> Test:
    """The comparison as an expression."""
    test: Test
    match operator:
        case "<":
            test = value < bound
        case "<=":
            test = value <= bound
        case ">":
            test = value > bound
        case ">=":
            test = value >= bound
    return test
