"""What happens at a fake Stripe: links are paid, subscriptions renewed, money goes back."""

from __future__ import annotations

from copy import deepcopy
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from tests.world.stripe_shapes import Thing, list_of, shaped, without_private
from tests.world.world import Happened

if TYPE_CHECKING:
    from tests.world.world import World

_DAYS = {"day": 1, "week": 7, "month": 30, "year": 365}
_ADDRESS = {
    "line1": "1 High Street",
    "line2": None,
    "city": "Leeds",
    "state": None,
    "postal_code": "LS1 1AA",
    "country": "GB",
}


class Happenings:
    """What a test has happen; each says so by events, as Stripe would."""

    if TYPE_CHECKING:
        world: World
        mode: str
        version: str
        things: dict[str, Thing]

        def happen(
            self, message: str, word: str, *, at: datetime | None = None, **facts: Any
        ) -> Happened: ...

    # -- events ------------------------------------------------------------------------------------

    def event_of(self, happened: Happened) -> Thing:
        """An event as it is told."""
        return {
            "id": f"evt_{happened.number:06d}",
            "object": "event",
            "api_version": self.version,
            "created": int(happened.at.timestamp()),
            "data": {"object": happened.facts["object"]},
            "livemode": happened.facts["live"],
            "pending_webhooks": 0,
            "request": {"id": None, "idempotency_key": None},
            "type": happened.word,
        }

    def tell(self, thing: Thing, word: str, *, live: bool | None = None) -> Happened:
        """An event about an object as it is now."""
        snapshot = without_private(shaped(thing, self.version))
        is_live = self.mode == "live" if live is None else live
        return self.happen(thing["id"], word, object=snapshot, live=is_live)

    def stranger(self) -> Happened:
        """An event of something that is not asked about by anybody, in the type of one that is."""
        intent = self._intent(1_000, "usd", customer=None, paid=True)
        return self.tell(intent, "payment_intent.succeeded")

    # -- making ------------------------------------------------------------------------------------

    def new(self, prefix: str, kind: str, **facts: Any) -> Thing:
        """An object under a new name."""
        number = len(self.things) + 1
        created = int(self.world.now.timestamp())
        made = {
            "id": f"{prefix}{number:06d}",
            "object": kind,
            "created": created,
            "livemode": self.mode == "live",
            **facts,
        }
        self.things[made["id"]] = made
        return made

    def make(self, prefix: str, form: Thing) -> Thing:
        """A product, price or payment link of what was asked for."""
        if prefix == "prod_":
            return self.new(prefix, "product", active=True, name=form["name"], metadata={})
        if prefix == "price_":
            product = form.get("product") or self.new("prod_", "product", metadata={})["id"]
            every = form.get("recurring")
            return self.new(
                prefix,
                "price",
                active=True,
                currency=form["currency"],
                product=product,
                unit_amount=int(form["unit_amount"]),
                unit_amount_decimal=form["unit_amount"],
                recurring=every and {"interval": every["interval"], "interval_count": 1},
                type="recurring" if every else "one_time",
                metadata={},
            )
        link = self.new(prefix, "payment_link", active=True, metadata=form.get("metadata", {}))
        del link["created"]  # links have none
        link["url"] = f"https://buy.stripe.com/{self.mode}_{link['id']}"
        limit = form.get("restrictions", {}).get("completed_sessions", {}).get("limit")
        link["restrictions"] = limit and {"completed_sessions": {"count": 0, "limit": int(limit)}}
        link["_prices"] = [each["price"] for each in form["line_items"].values()]
        link["_metadata"] = {
            name: form.get(f"{name}_data", {}).get("metadata", {})
            for name in ("payment_intent", "subscription")
        }
        return link

    def price(self, amount: int, *, currency: str = "usd", interval: str = "") -> Thing:
        """A price that is there already; `amount` as Stripe counts it."""
        form: Thing = {"currency": currency, "unit_amount": str(amount)}
        if interval:
            form["recurring"] = {"interval": interval}
        return self.make("price_", form)

    def link(self, *prices: Thing, lead: str = "") -> Thing:
        """A payment link that is there already, for one payment."""
        metadata = {"lead_id": lead} if lead else {}
        return self.make(
            "plink_",
            {
                "line_items": {str(n): {"price": each["id"]} for n, each in enumerate(prices)},
                "metadata": metadata,
                "payment_intent_data": {"metadata": metadata},
                "subscription_data": {"metadata": metadata},
                "restrictions": {"completed_sessions": {"limit": "1"}},
            },
        )

    # -- paying ------------------------------------------------------------------------------------

    def pay(
        self,
        link: str,
        *,
        reference: str | None = None,
        email: str = "ann@example.com",
        name: str = "Ann Lee",
        slow: bool = False,
    ) -> Thing:
        """Somebody pays through a link; gives the session.

        Args:
            link: its name.
            reference: the client_reference_id of the address it was opened by.
            email: what the payer typed; likewise `name`.
            slow: whether it is paid in a way that takes days; `settle` tells how it ends.
        """
        offered = self.things[link]
        assert offered["active"], "the link is closed"
        restriction = offered["restrictions"]
        if restriction:
            counted = restriction["completed_sessions"]
            assert counted["count"] < counted["limit"], "the link was paid through already"
            counted["count"] += 1
        prices = [self.things[each] for each in offered["_prices"]]
        total, currency = sum(each["unit_amount"] for each in prices), prices[0]["currency"]
        renews = any(each["recurring"] for each in prices)
        payer = {"name": name, "email": email, "address": dict(_ADDRESS), "tax_ids": []}
        customer = self.new("cus_", "customer", name=name, email=email) if renews else None
        session = self.new(
            f"cs_{self.mode}_",
            "checkout.session",
            mode="subscription" if renews else "payment",
            status="complete",
            payment_status="unpaid" if slow else "paid",
            amount_total=total,
            amount_subtotal=total,
            currency=currency,
            client_reference_id=reference,
            customer=customer and customer["id"],
            customer_details=payer,
            invoice=None,
            payment_intent=None,
            subscription=None,
            payment_link=link,
            metadata=dict(offered["metadata"]),
            total_details={"amount_tax": 0, "amount_discount": 0, "amount_shipping": 0},
            line_items=list_of(
                [{"id": f"li_{n}", "object": "item", "price": p} for n, p in enumerate(prices)],
                "line_items",
            ),
        )
        if not renews:
            metadata = dict(offered["_metadata"]["payment_intent"])
            intent = self._intent(
                total, currency, customer=None, paid=not slow, payer=payer, metadata=metadata
            )
            session["payment_intent"] = intent["id"]
            if not slow:
                self.tell(intent, "payment_intent.succeeded")
        else:
            assert customer is not None
            metadata = dict(offered["_metadata"]["subscription"])
            subscription = self.subscribe(prices, customer=customer, metadata=metadata)
            invoice = self._bill(subscription, prices, "subscription_create", payer=payer)
            session |= {"subscription": subscription["id"], "invoice": invoice["id"]}
            self._paid(invoice)
        self.tell(session, "checkout.session.completed")
        return session

    def settle(self, session: Thing, *, ok: bool = True) -> None:
        """What was paid slowly comes, or does not."""
        intent = self.things[session["payment_intent"]]
        if ok:
            self._succeed(intent)
            session["payment_status"] = "paid"
            self.tell(intent, "payment_intent.succeeded")
        else:
            self._refuse(intent)
            self.tell(intent, "payment_intent.payment_failed")
        word = "succeeded" if ok else "failed"
        self.tell(session, f"checkout.session.async_payment_{word}")

    def _intent(
        self,
        amount: int,
        currency: str,
        *,
        customer: str | None,
        paid: bool,
        payer: Thing | None = None,
        metadata: Thing | None = None,
    ) -> Thing:
        intent = self.new(
            "pi_",
            "payment_intent",
            amount=amount,
            amount_received=0,
            currency=currency,
            customer=customer,
            metadata=metadata or {},
            status="requires_payment_method",
            latest_charge=None,
            last_payment_error=None,
            client_secret="pi_secret_of_the_payer",
            _payer=payer or {"name": None, "email": None, "address": None},
        )
        if paid:
            self._succeed(intent)
        return intent

    def _succeed(self, intent: Thing) -> None:
        amount, currency = intent["amount"], intent["currency"]
        fee = round(amount * 0.029) + 30
        balance = self.new(
            "txn_",
            "balance_transaction",
            amount=amount,
            currency=currency,
            fee=fee,
            net=amount - fee,
        )
        details = {each: intent["_payer"].get(each) for each in ("name", "email", "address")}
        charge = self.new(
            "ch_",
            "charge",
            amount=amount,
            amount_captured=amount,
            amount_refunded=0,
            balance_transaction=balance["id"],
            billing_details=details,
            captured=True,
            currency=currency,
            customer=intent["customer"],
            disputed=False,
            metadata=dict(intent["metadata"]),
            paid=True,
            payment_intent=intent["id"],
            payment_method_details={"type": "card", "card": {"brand": "visa", "last4": "4242"}},
            refunded=False,
            refunds=list_of([], "refunds"),
            status="succeeded",
        )
        intent |= {
            "status": "succeeded",
            "amount_received": amount,
            "latest_charge": charge["id"],
            "last_payment_error": None,
        }

    def _refuse(self, intent: Thing) -> None:
        intent["last_payment_error"] = {
            "type": "card_error",
            "code": "card_declined",
            "message": "Your card was declined.",
        }

    # -- subscriptions -----------------------------------------------------------------------------

    def subscribe(self, prices: list[Thing], *, customer: Thing, metadata: Thing) -> Thing:
        """A subscription begins."""
        now = int(self.world.now.timestamp())
        subscription = self.new(
            "sub_",
            "subscription",
            customer=customer["id"],
            currency=prices[0]["currency"],
            metadata=metadata,
            status="active",
            start_date=now,
            cancel_at=None,
            cancel_at_period_end=False,
            canceled_at=None,
            ended_at=None,
            trial_end=None,
            pause_collection=None,
            latest_invoice=None,
        )
        items = [self._item(each, now) for each in prices if each["recurring"]]
        subscription["items"] = list_of(items, "subscription_items")
        self.tell(subscription, "customer.subscription.created")
        return subscription

    def _item(self, price: Thing, begin: int, quantity: int = 1) -> Thing:
        days = _DAYS[price["recurring"]["interval"]]
        return {
            "id": f"si_{price['id']}",
            "object": "subscription_item",
            "price": deepcopy(price),
            "quantity": quantity,
            "current_period_start": begin,
            "current_period_end": begin + days * 86_400,
        }

    def _bill(
        self, subscription: Thing, prices: list[Thing], reason: str, *, payer: Thing | None = None
    ) -> Thing:
        """An invoice of a subscription, that waits for its payment."""
        customer = self.things[subscription["customer"]]
        total, currency = sum(each["unit_amount"] for each in prices), prices[0]["currency"]
        intent = self._intent(total, currency, customer=customer["id"], paid=False, payer=payer)
        name = subscription["id"]
        known = payer or {"name": customer["name"], "email": customer["email"]}
        invoice = self.new(
            "in_",
            "invoice",
            number=f"INV-{len(self.things):04d}",
            amount_due=total,
            amount_paid=0,
            amount_remaining=total,
            total=total,
            total_taxes=[],
            attempt_count=0,
            billing_reason=reason,
            currency=currency,
            customer=customer["id"],
            customer_name=known["name"],
            customer_email=known["email"],
            customer_address=known.get("address"),
            customer_tax_ids=[],
            metadata={},
            next_payment_attempt=None,
            status="open",
            status_transitions={"paid_at": None, "finalized_at": int(self.world.now.timestamp())},
            parent={
                "type": "subscription_details",
                "subscription_details": {
                    "subscription": name,
                    "metadata": dict(subscription["metadata"]),
                },
            },
            lines=list_of([self._line(each, name) for each in prices], "lines"),
        )
        payment = {
            "id": f"inpay_{invoice['id']}",
            "object": "invoice_payment",
            "amount_paid": None,
            "amount_requested": total,
            "created": invoice["created"],
            "currency": currency,
            "invoice": invoice["id"],
            "is_default": True,
            "livemode": self.mode == "live",
            "payment": {"type": "payment_intent", "payment_intent": intent["id"]},
            "status": "open",
            "status_transitions": {"paid_at": None, "canceled_at": None},
        }
        invoice["payments"] = list_of([payment], "payments")
        subscription["latest_invoice"] = invoice["id"]
        return invoice

    def _line(self, price: Thing, subscription: str) -> Thing:
        details = {"subscription": subscription, "subscription_item": "si", "proration": False}
        return {
            "id": f"il_{price['id']}",
            "object": "line_item",
            "amount": price["unit_amount"],
            "currency": price["currency"],
            "metadata": {},
            "quantity": 1,
            "pricing": {"type": "price_details", "price_details": {"price": price["id"]}},
            "parent": {"subscription_item_details": details} if price["recurring"] else None,
        }

    def _paid(self, invoice: Thing) -> None:
        payment = invoice["payments"]["data"][0]
        intent = self.things[payment["payment"]["payment_intent"]]
        self._succeed(intent)
        now = int(self.world.now.timestamp())
        payment |= {"status": "paid", "amount_paid": invoice["amount_due"]}
        invoice |= {
            "status": "paid",
            "amount_paid": invoice["amount_due"],
            "amount_remaining": 0,
            "attempt_count": invoice["attempt_count"] + 1,
            "next_payment_attempt": None,
            "_charge": intent["latest_charge"],
        }
        invoice["status_transitions"]["paid_at"] = now
        self.tell(intent, "payment_intent.succeeded")
        self.tell(invoice, "invoice.paid")

    def renew(self, subscription: Thing, *, ok: bool = True) -> Thing:
        """The next period begins, and is paid or cannot be; gives the invoice."""
        now = int(self.world.now.timestamp())
        items = subscription["items"]["data"]
        for each in items:
            days = _DAYS[each["price"]["recurring"]["interval"]]
            each |= {"current_period_start": now, "current_period_end": now + days * 86_400}
        prices = [
            {**each["price"], "unit_amount": each["price"]["unit_amount"] * each["quantity"]}
            for each in items
        ]
        invoice = self._bill(subscription, prices, "subscription_cycle")
        if ok:
            self._paid(invoice)
        else:
            self.fail(invoice)
            subscription["status"] = "past_due"
        self.tell(subscription, "customer.subscription.updated")
        return invoice

    def fail(self, invoice: Thing) -> None:
        """An invoice cannot be charged."""
        intent = self.things[invoice["payments"]["data"][0]["payment"]["payment_intent"]]
        self._refuse(intent)
        in_three_days = self.world.now + timedelta(days=3)
        invoice["attempt_count"] += 1
        invoice["next_payment_attempt"] = int(in_three_days.timestamp())
        self.tell(intent, "payment_intent.payment_failed")
        self.tell(invoice, "invoice.payment_failed")

    def pay_late(self, invoice: Thing, subscription: Thing) -> None:
        """An invoice that could not be charged is paid after all."""
        self._paid(invoice)
        subscription["status"] = "active"
        self.tell(subscription, "customer.subscription.updated")

    def void(self, invoice: Thing) -> None:
        """An invoice is given up."""
        invoice["status"] = "void"
        self.tell(invoice, "invoice.voided")

    def cancel(self, subscription: Thing, *, at_period_end: bool = False) -> None:
        """A subscription ends, now or with its period."""
        now = int(self.world.now.timestamp())
        subscription["canceled_at"] = now
        if at_period_end:
            end = min(each["current_period_end"] for each in subscription["items"]["data"])
            subscription |= {"cancel_at_period_end": True, "cancel_at": end}
            self.tell(subscription, "customer.subscription.updated")
        else:
            subscription |= {"status": "canceled", "ended_at": now}
            self.tell(subscription, "customer.subscription.deleted")

    def pause(self, subscription: Thing) -> None:
        """Nothing is collected any more for a while."""
        subscription["pause_collection"] = {"behavior": "void", "resumes_at": None}
        self.tell(subscription, "customer.subscription.updated")

    def resume(self, subscription: Thing) -> None:
        """What is due is collected again."""
        subscription["pause_collection"] = None
        self.tell(subscription, "customer.subscription.updated")

    def change_plan(self, subscription: Thing, price: Thing, *, quantity: int = 1) -> None:
        """Another price from now on."""
        begin = subscription["items"]["data"][0]["current_period_start"]
        items = [self._item(price, begin, quantity)]
        subscription["items"] = list_of(items, "subscription_items")
        self.tell(subscription, "customer.subscription.updated")

    # -- what goes back ----------------------------------------------------------------------------

    def charge_of(self, paid: Thing) -> Thing:
        """The charge of a session, an invoice or a payment intent."""
        if paid["object"] == "invoice":
            intent = self.things[paid["payments"]["data"][0]["payment"]["payment_intent"]]
        elif paid["object"] == "checkout.session":
            if paid["invoice"]:
                return self.charge_of(self.things[paid["invoice"]])
            intent = self.things[paid["payment_intent"]]
        else:
            intent = paid
        return self.things[intent["latest_charge"]]

    def refund(self, paid: Thing, amount: int | None = None, *, status: str = "succeeded") -> Thing:
        """Some of a payment goes back, or all of it."""
        charge = self.charge_of(paid)
        amount = charge["amount"] - charge["amount_refunded"] if amount is None else amount
        refund = self.new(
            "re_",
            "refund",
            amount=amount,
            charge=charge["id"],
            currency=charge["currency"],
            metadata={},
            payment_intent=charge["payment_intent"],
            reason="requested_by_customer",
            status=status,
        )
        del refund["livemode"]  # refunds have none
        charge["amount_refunded"] += amount
        charge["refunded"] = charge["amount_refunded"] == charge["amount"]
        charge["refunds"]["data"].append(refund)
        self.tell(refund, "refund.created")
        self.tell(charge, "charge.refunded")
        return refund

    def fail_refund(self, refund: Thing) -> None:
        """What was to go back does not arrive."""
        refund |= {"status": "failed", "failure_reason": "expired_or_canceled_card"}
        charge = self.things[refund["charge"]]
        charge["amount_refunded"] -= refund["amount"]
        charge["refunded"] = False
        self.tell(refund, "refund.failed")

    def dispute(self, paid: Thing) -> Thing:
        """The payer's bank takes a payment back."""
        charge = self.charge_of(paid)
        due_by = int((self.world.now + timedelta(days=9)).timestamp())
        dispute = self.new(
            "dp_",
            "dispute",
            amount=charge["amount"],
            charge=charge["id"],
            currency=charge["currency"],
            evidence={"receipt": None},
            evidence_details={"due_by": due_by, "has_evidence": False, "past_due": False},
            metadata={},
            payment_intent=charge["payment_intent"],
            reason="fraudulent",
            status="needs_response",
        )
        charge["disputed"] = True
        self.tell(dispute, "charge.dispute.created")
        return dispute

    def close_dispute(self, dispute: Thing, *, won: bool) -> None:
        """A dispute is decided."""
        dispute["status"] = "won" if won else "lost"
        self.tell(dispute, "charge.dispute.closed")
