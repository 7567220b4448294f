"""localstripe in a process of its own: a Stripe that somebody else wrote, over real HTTP.

It knows customers, plans, subscriptions, invoices, charges, refunds and events; it knows no
checkout sessions, payment links or disputes, and takes fewer parameters than Stripe does.
"""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any

import httpx

KEY = "sk_test_of_the_tests"

# It keeps what it has in one file for all of a machine, unless it is told not to.
_START = (
    "from localstripe import resources, server;"
    "resources.Store.dump_to_disk = lambda store: None;"
    "server.start()"
)
_PATIENCE = 30.0


@dataclass(frozen=True, slots=True)
class LocalStripe:
    """A running server, and what a payer does there.

    Attributes:
        base_url: where it is, without "/v1".
    """

    base_url: str
    client: httpx.Client

    def post(self, path: str, **data: Any) -> Any:
        """Ask it to do something; brackets of names are written as two underscores."""
        form = {_bracketed(name): value for name, value in data.items()}
        answer = self.client.post(f"{self.base_url}/v1/{path}", data=form)
        assert answer.is_success, answer.text
        return answer.json()

    def get(self, path: str) -> Any:
        """Look at something."""
        answer = self.client.get(f"{self.base_url}/v1/{path}")
        assert answer.is_success, answer.text
        return answer.json()

    def delete(self, path: str) -> Any:
        """End something."""
        answer = self.client.delete(f"{self.base_url}/v1/{path}")
        assert answer.is_success, answer.text
        return answer.json()

    def customer(self, *, email: str, name: str, card: str = "4242424242424242") -> str:
        """A customer with a card; returns its id."""
        customer = self.post("customers", email=email, name=name)["id"]
        method = self.post(
            "payment_methods",
            type="card",
            card__number=card,
            card__exp_month="12",
            card__exp_year="2040",
            card__cvc="123",
        )["id"]
        self.post(f"payment_methods/{method}/attach", customer=customer)
        self.post(f"customers/{customer}", invoice_settings__default_payment_method=method)
        return str(customer)

    def plan(
        self, name: str, amount: int, *, currency: str = "usd", interval: str = "month"
    ) -> str:
        """A plan with a product; returns its id."""
        product = self.post("products", name="Website", type="service")["id"]
        plan = self.post(
            "plans", id=name, product=product, amount=amount, currency=currency, interval=interval
        )
        return str(plan["id"])

    def subscribe(self, customer: str, plan: str, *, lead_key: str = "") -> Any:
        """Subscribe a customer, who pays the first time at once."""
        return self.post(
            "subscriptions", customer=customer, items__0__plan=plan, metadata__lead_id=lead_key
        )


def _bracketed(name: str) -> str:
    first, *rest = name.split("__")
    return first + "".join(f"[{each}]" for each in rest)


@contextmanager
def local_stripe() -> Iterator[LocalStripe]:
    """Start a server with nothing in it, and end it."""
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    arguments = [sys.executable, "-c", _START, "--port", str(port), "--from-scratch"]
    process = subprocess.Popen(arguments, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    client = httpx.Client(headers={"Authorization": f"Bearer {KEY}"})
    base_url = f"http://127.0.0.1:{port}"
    try:
        _wait_for(client, base_url, process)
        yield LocalStripe(base_url, client)
    finally:
        client.close()
        process.terminate()
        process.wait(_PATIENCE)


def _wait_for(client: httpx.Client, base_url: str, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + _PATIENCE
    while time.monotonic() < until:
        assert process.poll() is None, "localstripe ended as it began"
        try:
            client.get(f"{base_url}/v1/events")
        except httpx.TransportError:
            time.sleep(0.05)  # it says nowhere that it listens
        else:
            return
    raise AssertionError("localstripe does not listen")
