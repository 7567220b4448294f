"""What is done about a lead's money: recording what it paid by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING

from crm_tui.money import amount_words
from crm_tui.screens.business_screen import BusinessDesk, Target
from crm_tui.widgets.look import Role

if TYPE_CHECKING:
    from crm_tui.db.engine import WriteSession
    from crm_tui.screens.payment_forms import Paid


class MoneyActions(BusinessDesk):
    """A screen whose rows or page are businesses, with what is done about their money."""

    def action_pay(self) -> None:
        """Record a payment that no provider tells of."""
        if lead := self.target:
            self.with_form(self._pay(lead))

    async def _pay(self, lead: Target) -> None:
        db, host = await self.host.store(), self.host
        from crm_tui.screens.lead_forms import Here
        from crm_tui.screens.payment_forms import PaymentFields, payment_form
        from crm_tui.services.money import by_hand, plans

        async with db.read() as session:
            offered = [
                (plan, await by_hand.asked_for(session, lead.id, plan))
                for plan in await plans.listed(session)
            ]

        async def save(paid: Paid) -> None:
            await self._record(lead, paid)

        fields = PaymentFields(
            offered,
            currency=host.settings.money.currency,
            methods=by_hand.METHODS,
            here=Here.of(host),
        )
        form = payment_form(lead.called, fields, save)
        self.ask(form, action="business.pay", lead=lead.id)

    async def _record(self, lead: Target, paid: Paid) -> None:
        from crm_tui.services.money import by_hand
        from crm_tui.services.money.listing import counted

        said: list[str] = []

        async def pay(session: WriteSession) -> None:
            made = await by_hand.pay(
                session,
                lead.id,
                paid.amount,
                paid.currency,
                plan=paid.plan,
                paid_at=paid.at,
                method=paid.method,
                note=paid.note,
                modes=counted(self.host.settings),
                now=self.host.now(),
            )
            said.append(made.words)

        amount = amount_words(paid.amount, paid.currency)
        await self.change(lead.id, f"recorded a payment of {amount} by {lead.called}", pay)
        if words := "".join(said):
            self.host.say(words, Role.ATTENTION)
