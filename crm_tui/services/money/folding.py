"""What a payment is, from all that was told of it: a pure function, whatever the order.

What was told is kept with the payment as JSON, by the name of the telling, and says nothing of who
paid. Who paid stands in the row alone, as the latest telling that knew it has it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from crm_tui.db.models import Payment
from crm_tui.db.types import utc_text
from crm_tui.providers.money import MoneyEvent, PaymentTold
from crm_tui.text import visible
from crm_tui.vocabulary import PaymentState

Entry = Mapping[str, Any]
"""One thing told of a payment, as it is kept; what is not known is left out."""

IDS = {
    "payment_intent": "payment_intent",
    "invoice_id": "invoice",
    "session_id": "session",
    "charge_id": "charge",
}
"""The columns of a payment's names at the provider, and what they are in what is told."""

PAYER = ("name", "email", "address", "country")
"""The columns of who paid."""

_LONGEST = 200
_CARD = "card"


def entry_of(
    event: MoneyEvent, told: PaymentTold, *, plan_id: int | None, payer: Sequence[str]
) -> Entry:
    """What is kept of one telling; `payer` names what it knew of who paid."""
    known = {
        "when": utc_text(event.occurred_at),
        "at": utc_text(told.at),
        "state": told.state.value,
        "amount": told.amount,
        "currency": told.currency.upper(),
        **{name: getattr(told, name) for name in IDS.values()},
        "subscription": told.subscription,
        "renewal": told.renewal,
        "plan": plan_id,
        "fee": told.fee,
        "tax": told.tax,
        "method": told.method if told.method != _CARD else None,
        "failure": visible(told.failure, _LONGEST),
        "attempts": told.attempts,
        "next": None if told.next_attempt_at is None else utc_text(told.next_attempt_at),
        "number": told.invoice_number and visible(told.invoice_number, _LONGEST),
        "refunded": told.refunded,
        "payer": list(payer),
    }
    return _without_unknown(known)


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """One attempt that failed; `number` is 0 where attempts are not counted."""

    number: int
    at: datetime
    why: str
    next_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Paid:
    """A payment, as all that was told of it has it.

    Attributes:
        columns: of its row; all but who paid and what the row is joined to.
        subscription: the provider's name of the subscription it is for.
        pending_at: when it was first said to be on its way.
        failures: its attempts that failed, in order.
        refunded: how much went back at least, and when that was known first.
    """

    columns: Mapping[str, Any]
    subscription: str | None
    pending_at: datetime | None
    failures: Sequence[Failure]
    refunded: tuple[int, datetime] | None


def told_of(row: Payment) -> Mapping[str, Entry]:
    """What was told of a payment; of a row that was not told of, what it holds."""
    if row.told:
        return row.told
    known = {
        "when": utc_text(row.created_at),
        "at": utc_text(row.paid_at or row.failed_at or row.created_at),
        "state": row.state.value,
        "amount": row.amount,
        "currency": row.currency,
        **{name: getattr(row, column) for column, name in IDS.items()},
        "renewal": row.is_renewal,
        "plan": row.plan_id,
        "fee": row.fee,
        "tax": row.tax,
        "method": row.method,
        "failure": row.failure,
        "attempts": row.attempts,
        "number": row.invoice_number,
        "payer": [each for each in PAYER if getattr(row, each)],
    }
    return {row.key: _without_unknown(known)}


def _without_unknown(known: Mapping[str, Any]) -> Entry:
    needed = {"amount", "fee", "tax", "refunded"}
    return {n: v for n, v in known.items() if v or (n in needed and v is not None)}


def is_nothing(told: PaymentTold) -> bool:
    """Whether nothing was paid and nothing bought: a subscription that begins with a trial."""
    return told.amount == 0 and (told.session is None or told.subscription is not None)


def in_order(told: Mapping[str, Entry]) -> list[Entry]:
    """What was told, the latest last."""
    return [entry for _, entry in sorted(told.items(), key=lambda one: (one[1]["when"], one[0]))]


def fold(told: Mapping[str, Entry]) -> Paid:
    """What a payment is; that it succeeded goes before all, else the latest telling."""
    entries = in_order(told)
    succeeded = [each for each in entries if each["state"] == PaymentState.SUCCEEDED]
    failed = [each for each in entries if each["state"] == PaymentState.FAILED]
    pending = [each for each in entries if each["state"] == PaymentState.PENDING]
    sure = [*(each for each in entries if each not in succeeded), *succeeded]
    state = PaymentState(sure[-1]["state"])
    failures = _failures(failed)
    is_failed = state is PaymentState.FAILED
    columns = {
        "state": state,
        "amount": sure[-1]["amount"],
        "currency": sure[-1]["currency"],
        **{column: _last(sure, name) for column, name in IDS.items()},
        "method": _last(sure, "method") or _CARD,
        "fee": _last(sure, "fee"),
        "tax": _last(sure, "tax"),
        "is_renewal": any("renewal" in each for each in entries),
        "created_at": min(_time(each["at"]) for each in entries),
        "paid_at": min((_time(each["at"]) for each in succeeded), default=None),
        "failed_at": failures[-1].at if failures else None,
        "failure": (failures[-1].why or None) if failures else None,
        "attempts": max((each.get("attempts", 0) for each in entries), default=0),
        "next_attempt_at": failures[-1].next_at if is_failed and failures else None,
        "invoice_number": _last(sure, "number"),
        "plan_id": _last(sure, "plan"),
    }
    return Paid(
        columns=columns,
        subscription=_last(sure, "subscription"),
        pending_at=min((_time(each["at"]) for each in pending), default=None),
        failures=failures,
        refunded=_refunded(entries),
    )


def _last(entries: Iterable[Entry], name: str) -> Any:
    known = [each[name] for each in entries if name in each]
    return known[-1] if known else None


def _failures(failed: Sequence[Entry]) -> list[Failure]:
    """One for each attempt, as the latest telling of it has it."""
    by_number: dict[int, Failure] = {}
    for each in failed:
        number = each.get("attempts", 0)
        by_number[number] = Failure(
            number=number,
            at=_time(each["at"]),
            why=each.get("failure", "") or (by_number[number].why if number in by_number else ""),
            next_at=_time(each["next"]) if "next" in each else None,
        )
    return sorted(by_number.values(), key=lambda each: (each.at, each.number))


def _refunded(entries: Iterable[Entry]) -> tuple[int, datetime] | None:
    known = [(each["refunded"], each["when"]) for each in entries if each.get("refunded")]
    if not known:
        return None
    most = max(amount for amount, _ in known)
    return most, _time(min(when for amount, when in known if amount == most))


def _time(stored: str) -> datetime:
    return datetime.fromisoformat(stored)
