"""A payment to record by hand: what it is for, how much, how and when."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from textual import on
from textual.widgets import Input

from crm_tui.errors import BadInput, asked_as
from crm_tui.money import currency_code, parse_amount, plain_amount
from crm_tui.screens.lead_forms import WHEN_HINT, Here, read_when
from crm_tui.services.money.plans import PlanRow
from crm_tui.text import visible
from crm_tui.widgets.choice import Choice, Option
from crm_tui.widgets.facts import styled
from crm_tui.widgets.forms import ChoiceField, Field, Fields, Form, LineField
from crm_tui.widgets.look import Role

_NO_PLAN = "none"


@dataclass(frozen=True, slots=True)
class Paid:
    """What is said of a payment; the amount in minor units, `at` None for now."""

    amount: int
    currency: str
    plan: PlanRow | None
    method: str
    at: datetime | None
    note: str


class PaymentFields(Fields):
    """What was paid; the amount is what the plan asks for, until another one is typed.

    Args:
        plans: The plans that are offered, each with what it asks for next.
        currency: What is paid without a plan.
        methods: How one pays by hand.
        here: Where and when the operator is.
    """

    def __init__(
        self,
        plans: Sequence[tuple[PlanRow, int]],
        *,
        currency: str,
        methods: Sequence[str],
        here: Here,
    ) -> None:
        self._asked = {str(plan.id): (plan, amount) for plan, amount in plans}
        self._currency = currency
        self._here = here
        first = next(iter(self._asked), _NO_PLAN)
        self._offered = self._amount(first)
        options = [
            Option(key, f"{visible(plan.name, 40)}: {plan.price}")
            for key, (plan, _) in self._asked.items()
        ]
        fields: list[Field] = [
            ChoiceField("plan", "For", [*options, Option(_NO_PLAN, "Something else")], first),
            LineField("amount", "Amount", self._offered, f"49.00 {currency}"),
            ChoiceField("method", "Paid by", [Option(each, each) for each in methods]),
            LineField("when", "When", hint=WHEN_HINT),
            LineField("note", "Note"),
        ]
        super().__init__(fields)

    def _amount(self, key: str) -> str:
        if key not in self._asked:
            return ""
        plan, amount = self._asked[key]
        return f"{plain_amount(amount, plan.currency)} {plan.currency}"

    def paid(self) -> Paid:
        """What the fields say.

        Raises:
            BadInput: The amount or the time cannot be read.
        """
        values = self.values()
        plan = self._asked[values["plan"]][0] if values["plan"] in self._asked else None
        number, _, code = values["amount"].strip().rpartition(" ")
        if not number or not code.isalpha():
            number, code = values["amount"], plan.currency if plan else self._currency
        with asked_as("amount"):
            if not number.strip():
                raise BadInput("Say how much was paid, such as 49.00.")
            currency = currency_code(code)
            amount = parse_amount(number, currency)
        with asked_as("when"):
            at = read_when(values["when"], self._here)
        return Paid(amount, currency, plan, values["method"], at, values["note"])

    def typed(self, before: Mapping[str, str]) -> bool:
        """Whether something was typed that would be lost; an amount that is only offered is none."""
        values = self.values()
        offered = {"amount": values["amount"]} if values["amount"] == self._offered else {}
        return super().typed({**before, **offered})

    @on(Choice.Picked)
    def _offer(self) -> None:
        """Offer what the plan asks for, unless another amount was typed."""
        line = self.query_one("#amount", Input)
        before, self._offered = self._offered, self._amount(self.values()["plan"])
        if line.value == before:
            line.value = self._offered


def payment_form(name: str, fields: PaymentFields, save: Callable[[Paid], Awaitable[None]]) -> Form:
    """A payment that no provider tells of; `save` stores it."""

    async def store(_values: Mapping[str, str]) -> None:
        await save(fields.paid())

    return Form(
        f"Payment by {name}",
        fields,
        save=store,
        verb="Record payment",
        about=styled(
            "A plan by the month or year starts a subscription, or pays the one that runs for once "
            "more.",
            Role.QUIET,
        ),
    )
