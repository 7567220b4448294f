"""How the inbox tells of payments that wait: "49.00 USD from Jane Doe"."""

from __future__ import annotations

from collections.abc import Sequence

from crm_tui.money import amount_words
from crm_tui.providers.money import MoneyEvent
from crm_tui.services.money.folding import IDS, Paid, entry_of, fold, is_nothing
from crm_tui.services.money.words import day, part, terms
from crm_tui.text import plural, visible
from crm_tui.vocabulary import DisputeState, PaymentState, RefundState

_LONGEST = 60
_STATES = {
    PaymentState.FAILED: ", which failed",
    PaymentState.PENDING: ", on its way",
    PaymentState.CANCELED: ", which was given up",
}


def title_of(events: Sequence[MoneyEvent]) -> str:
    """What waits, in a line."""
    whom = _payer(events)
    paid = _payments(events)
    succeeded = [each for each in paid if each.columns["state"] is PaymentState.SUCCEEDED]
    if succeeded:
        sums: dict[str, int] = {}
        for each in succeeded:
            currency = each.columns["currency"]
            sums[currency] = sums.get(currency, 0) + each.columns["amount"]
        words = " and ".join(amount_words(total, currency) for currency, total in sums.items())
        if len(succeeded) > 1:
            words += f" in {plural(len(succeeded), 'payment')}"
        return f"{words} from {whom}"
    if paid:
        last = paid[-1].columns
        amount = amount_words(last["amount"], last["currency"])
        return f"{amount} from {whom}{_STATES[last['state']]}"
    runs = [each.subscription for each in events if each.subscription is not None]
    if runs:
        run = runs[-1]
        words = terms(run.amount, run.currency, run.interval, run.interval_count)
        return f"a subscription of {words} from {whom}"
    return f"a payment from {whom}"


def text_of(events: Sequence[MoneyEvent]) -> str:
    """What waits, a line for each thing that was told, in order."""
    lines = [_line(each) for each in events]
    return "\n".join(dict.fromkeys(each for each in lines if each))


def _payer(events: Sequence[MoneyEvent]) -> str:
    """Who paid, as the latest telling has it that says so."""
    for name in ("name", "email"):
        found = [getattr(each.payer, name) for each in events if getattr(each.payer, name)]
        if found:
            return visible(found[-1].strip(), _LONGEST)
    return "somebody"


def _payments(events: Sequence[MoneyEvent]) -> list[Paid]:
    """The payments among what was told; what shares a name is one."""
    clusters: list[tuple[set[str], dict[str, MoneyEvent]]] = []
    for event in events:
        if event.payment is None or is_nothing(event.payment):
            continue
        ids = {value for each in IDS.values() if (value := getattr(event.payment, each))}
        ids = ids or {event.name}
        told = {event.name: event}
        apart = []
        for others, known in clusters:
            if others & ids:
                ids, told = ids | others, known | told
            else:
                apart.append((others, known))
        clusters = [*apart, (ids, told)]
    return [
        fold(
            {
                name: entry_of(each, each.payment, plan_id=None, payer=())
                for name, each in told.items()
                if each.payment is not None
            }
        )
        for _, told in clusters
    ]


def _line(event: MoneyEvent) -> str:
    words = _told(event)
    return f"{day(event.occurred_at, said_at=event.occurred_at)}: {words}" if words else ""


def _told(event: MoneyEvent) -> str:
    told, run = event.payment, event.subscription
    words = ""
    if event.dispute is not None:
        state = event.dispute.state
        words = "disputed" if state is DisputeState.OPEN else f"dispute {state.value}"
    elif event.refund is not None:
        if event.refund.state is RefundState.SUCCEEDED and told is not None:
            words = f"refunded {part(event.refund.amount, told.amount, told.currency)}"
    elif told is not None and not is_nothing(told):
        words = amount_words(told.amount, told.currency)
        is_paid = told.state is PaymentState.SUCCEEDED
        words = f"paid {words}" if is_paid else words + _STATES[told.state]
    elif run is not None:
        state_words = run.state.value.replace("_", " ")
        how_much = terms(run.amount, run.currency, run.interval, run.interval_count)
        words = f"subscription, {state_words}, {how_much}"
    return words
