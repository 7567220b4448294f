"""Products, prices and payment links at Stripe: made once for each key, whatever is cut off."""

from __future__ import annotations

import re
from urllib.parse import quote, urlencode, urlsplit

import httpx

from crm_tui.config.checks import is_loopback
from crm_tui.config.sections import StripeSettings
from crm_tui.providers.base import Unclear, Unsendable
from crm_tui.providers.http import Api, OverApi
from crm_tui.providers.money import MadeLink, Prices
from crm_tui.providers.secrets import Lookup
from crm_tui.providers.stripe_api import StripeApi
from crm_tui.providers.stripe_objects import LEAD, from_minor, id_of, thing
from crm_tui.vocabulary import Interval

_REFERENCE = re.compile(r"[A-Za-z0-9_-]{1,200}")
_PLAIN = re.compile(r"[!#-;=?-_a-z~%]{1,2000}")
"""What an address consists of: no space, no quotation mark, nothing that ends a tag."""
_LONGEST_NAME = 250
_LONGEST_KEY = 240


class StripePayments(OverApi):
    """Makes what a lead pays at. An async context manager, like a sender."""

    def __init__(
        self,
        settings: StripeSettings,
        key: Lookup,
        *,
        transport: httpx.AsyncBaseTransport | None = None,
        api: Api | None = None,
    ) -> None:
        self._stripe = StripeApi(settings, key, transport=transport, api=api)
        self._renewing: dict[str, bool] = {}  # by the price: it never changes
        super().__init__(self._stripe.api)

    async def make_prices(
        self,
        name: str,
        amount: int,
        currency: str,
        interval: Interval,
        setup_fee: int,
        *,
        key: str,
    ) -> Prices:
        """A product for a plan, with its price and, where there is one, that of its setup.

        Args:
            name: of the plan, as the payer reads it.
            amount: in minor units of ISO 4217; likewise `setup_fee`, 0 for none.
            currency: ISO 4217.
            interval: ONCE is no subscription.
            setup_fee: what is paid once, with the first amount.
            key: the same for what is asked again.

        Raises:
            ProviderError: one of its kinds; to be asked again under the same key.
        """
        form: dict[str, str | int] = {"name": name[:_LONGEST_NAME]}
        product = await self._made("products", form, key=f"{key}:product")
        terms: dict[str, str | int] = {
            "product": product,
            "currency": currency.lower(),
            "unit_amount": from_minor(amount, currency),
        }
        if interval is not Interval.ONCE:
            terms["recurring[interval]"] = interval.value
        price = await self._made("prices", terms, key=f"{key}:price")
        if not setup_fee:
            return Prices(product=product, price=price)
        setup: dict[str, str | int] = {
            "product_data[name]": f"{name[: _LONGEST_NAME - 10]} (setup)",
            "currency": currency.lower(),
            "unit_amount": from_minor(setup_fee, currency),
        }
        setup_price = await self._made("prices", setup, key=f"{key}:setup")
        return Prices(product=product, price=price, setup_price=setup_price)

    async def make_link(
        self,
        prices: Prices,
        *,
        key: str,
        reference: str,
        email: str | None,  # noqa: ARG002 - of other providers' pages; here the address has it
        plan: str,
    ) -> MadeLink:
        """A page at which one lead pays once for a plan, or subscribes to it.

        Args:
            prices: of the plan.
            key: the same for what is asked again.
            reference: the business's key, which comes back with whatever is paid.
            email: the lead's; see `link_address`.
            plan: what the plan is called here, which comes back, too.

        Raises:
            ProviderError: one of its kinds; to be asked again under the same key.
        """
        renews = await self._renews(prices.price)
        data = "subscription_data" if renews else "payment_intent_data"
        form: dict[str, str | int] = {
            "line_items[0][price]": prices.price,
            "line_items[0][quantity]": 1,
            f"metadata[{LEAD}]": reference,
            "metadata[plan]": plan[:_LONGEST_NAME],
            # Sessions have the link's metadata; what they bring forth has not.
            f"{data}[metadata][{LEAD}]": reference,
            f"{data}[metadata][plan]": plan[:_LONGEST_NAME],
            "restrictions[completed_sessions][limit]": 1,
        }
        if prices.setup_price is not None:
            form |= {"line_items[1][price]": prices.setup_price, "line_items[1][quantity]": 1}
        made = await self._stripe.post("payment_links", form, key=key[:_LONGEST_KEY])
        name, url = id_of(made), made.get("url")
        if name is None or not isinstance(url, str) or not _is_page(url):
            raise Unclear("Stripe made a payment link and did not say where it is")
        return MadeLink(id=name, url=url)

    async def close_link(self, link: str) -> None:
        """Have a payment link take no more payments; one that is closed stays so.

        Raises:
            ProviderError: one of its kinds; to be asked again.
        """
        form: dict[str, str | int] = {"active": "false"}
        await self._stripe.post(f"payment_links/{quote(link, safe='')}", form, key=f"{link}:close")

    async def _renews(self, price: str) -> bool:
        """Whether a price is due again and again; asked once, however many links are made for it."""
        if price not in self._renewing:
            answer = await self._stripe.get(f"prices/{quote(price, safe='')}")
            if not answer.ok:
                raise Unsendable(
                    f"Stripe does not know the price {price} any more ({answer.status}). Add the"
                    " plan anew."
                )
            self._renewing[price] = bool(thing(answer.object().get("recurring")))
        return self._renewing[price]

    async def _made(self, path: str, form: dict[str, str | int], *, key: str) -> str:
        made = thing(await self._stripe.post(path, form, key=key[:_LONGEST_KEY]))
        name = id_of(made)
        if name is None:
            raise Unclear(f"Stripe made something of {path} and did not say what it is called")
        return name


def _is_page(url: str) -> bool:
    """Whether an address may stand on a public page and in mails: encrypted, and nothing but one.

    Its host is not looked at: an account may have its links at a domain of its own. A stand-in for
    Stripe on this machine needs no encryption.
    """
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return False
    if not _PLAIN.fullmatch(url) or not host or "@" in parts.netloc:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and is_loopback(host))


def link_address(url: str, reference: str, email: str | None) -> str:
    """The address of a payment link for one lead: it sends the business's key along, and their email.

    A reference that Stripe would drop without a word is left out.
    """
    query = {}
    if _REFERENCE.fullmatch(reference):
        query["client_reference_id"] = reference
    if email:
        query["prefilled_email"] = email
    if not query:
        return url
    return f"{url}{'&' if '?' in url else '?'}{urlencode(query)}"
