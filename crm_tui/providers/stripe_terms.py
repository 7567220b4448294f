"""What a subscription of Stripe is: its state, what it costs, and until when."""

from __future__ import annotations

from datetime import datetime
from fractions import Fraction

from crm_tui.providers.events import Unreadable
from crm_tui.providers.money import SubscriptionTold
from crm_tui.providers.stripe_objects import (
    NOTHING,
    Object,
    currency_of,
    id_of,
    moment,
    need_id,
    number_of,
    thing,
    things,
    to_minor,
    whole,
    within,
    word,
)
from crm_tui.vocabulary import Interval, SubscriptionState

_STATES = {
    "incomplete": SubscriptionState.INCOMPLETE,
    "incomplete_expired": SubscriptionState.ENDED,
    "trialing": SubscriptionState.TRIALING,
    "active": SubscriptionState.ACTIVE,
    "past_due": SubscriptionState.PAST_DUE,
    "unpaid": SubscriptionState.UNPAID,
    "paused": SubscriptionState.PAUSED,
    "canceled": SubscriptionState.ENDED,
}
_INTERVALS = {
    "day": Interval.DAY,
    "week": Interval.WEEK,
    "month": Interval.MONTH,
    "year": Interval.YEAR,
}
_A_YEAR = {Interval.DAY: 365, Interval.WEEK: 52, Interval.MONTH: 12, Interval.YEAR: 1}
_MOST = 10**15


def state_of(subscription: Object) -> SubscriptionState | None:
    """Where it stands; None where Stripe has a word for it that is not known.

    One whose collection is paused goes on at Stripe, and brings nothing.
    """
    state = _STATES.get(word(subscription.get("status")))
    is_paused = bool(thing(subscription.get("pause_collection")))
    if is_paused and state not in {None, SubscriptionState.INCOMPLETE, SubscriptionState.ENDED}:
        return SubscriptionState.PAUSED
    return state


def has_terms(subscription: Object) -> bool:
    """Whether it says what it costs, and how often."""
    return any(_every(each) is not None for each in _items(subscription))


def told(
    subscription: Object,
    state: SubscriptionState,
    *,
    at: datetime,
    terms: Object = NOTHING,
) -> SubscriptionTold:
    """What it is.

    Args:
        subscription: as it was.
        state: where it stood.
        at: when that was; what is not told of the begin and the end was then.
        terms: the same subscription read later, where this one does not say what it costs.

    Raises:
        Unreadable: neither does.
    """
    name = need_id(subscription)
    source = subscription if has_terms(subscription) else terms
    amount, currency, interval, count = _cost(source, name)
    end = moment(subscription.get("current_period_end")) or min(
        (
            e
            for i in things(subscription.get("items"))
            if (e := moment(i.get("current_period_end")))
        ),
        default=None,
    )
    ended_at = None
    if state is SubscriptionState.ENDED:
        ended_at = moment(subscription.get("ended_at")) or at
    cancel_at = moment(subscription.get("cancel_at"))
    if cancel_at is None and subscription.get("cancel_at_period_end") is True:
        cancel_at = end
    return SubscriptionTold(
        id=name,
        state=state,
        amount=amount,
        currency=currency,
        interval=interval,
        interval_count=count,
        price=next((p for each in _items(source) if (p := id_of(_price(each)))), None),
        started_at=moment(subscription.get("start_date"))
        or moment(subscription.get("created"))
        or at,
        current_period_end=end,
        cancel_at=cancel_at,
        ended_at=ended_at,
    )


def _items(subscription: Object) -> list[Object]:
    """What it consists of; one with a plan of its own, as very old versions have it, is its item."""
    items = list(things(subscription.get("items")))
    return items or ([subscription] if thing(subscription.get("plan")) else [])


def _price(item: Object) -> Object:
    return thing(item.get("price")) or thing(item.get("plan"))


def _every(item: Object) -> tuple[Interval, int] | None:
    """How often a price is due."""
    price = _price(item)
    recurring = thing(price.get("recurring")) or price
    interval = _INTERVALS.get(word(recurring.get("interval")))
    count = whole(recurring.get("interval_count"))
    count = 1 if count is None else count
    return None if interval is None or not 1 <= count <= 1000 else (interval, count)


def _cost(subscription: Object, name: str) -> tuple[int, str, Interval, int]:
    """What all its items cost together, for each so many of an interval.

    Items that are due at another interval than the first one are brought to that: a year has 12
    months, 52 weeks and 365 days.
    """
    first: tuple[Interval, int] | None = None
    currency = currency_of(subscription.get("currency"))
    whole_amount = Fraction(0)
    for item in _items(subscription):
        every = _every(item)
        if every is None:
            continue
        first = first or every
        currency = currency or currency_of(_price(item).get("currency"))
        share = _share(every) / _share(first)
        whole_amount += _amount(item) * share
    if first is None or currency is None:
        raise Unreadable(f"{name} of Stripe does not say what it costs")
    amount = to_minor(whole_amount, currency)
    if not 0 <= amount < _MOST:
        raise Unreadable(f"{name} of Stripe costs what nobody can pay")
    return amount, currency, *first


def _share(every: tuple[Interval, int]) -> Fraction:
    """How often a year this is due."""
    interval, count = every
    return Fraction(_A_YEAR[interval], count)


def _amount(item: Object) -> Fraction:
    """What an item costs each time; 0 where that follows from what is used."""
    price = _price(item)
    quantity = whole(item.get("quantity"))
    quantity = 1 if quantity is None or quantity < 0 else quantity
    for field in ("unit_amount", "amount"):
        if (exact := number_of(price.get(f"{field}_decimal"))) is not None:
            return exact * quantity
        if (amount := whole(price.get(field))) is not None:
            return Fraction(amount * quantity)
    return Fraction(0)


def metadata_of(subscription: Object) -> list[object]:
    """The metadata of its items, for where it has none itself."""
    return [within(each, "metadata") for each in things(subscription.get("items"))]
