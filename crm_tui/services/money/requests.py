"""Payment requests: where there is no page to pay at, bank details and a reference to name.

A request is a link of the kind "bank". What comes is recorded by hand, which closes it.
"""

from __future__ import annotations

import hashlib
import uuid
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

from sqlalchemy import exists, select

from crm_tui.config import Settings
from crm_tui.db.engine import ReadSession, WriteSession
from crm_tui.db.models import Business, PaymentLink
from crm_tui.errors import BadInput, NotFound
from crm_tui.money import amount_words
from crm_tui.services.leads import require
from crm_tui.services.money import links, plans
from crm_tui.services.money.links import BANK, LinkRow
from crm_tui.text import plain_line
from crm_tui.vocabulary import Interval, LinkState, Mode

if TYPE_CHECKING:
    from jinja2 import Template

_LETTERS = "23456789BCDFGHJKMNPQRTVWXY"
"""No letter that is taken for another or for a digit, and no vowel: a reference is no word."""
_LENGTH = 8
_FIRST = {Interval.MONTH: "first month", Interval.YEAR: "first year", Interval.ONCE: "one payment"}


@dataclass(frozen=True, slots=True)
class Request:
    """What a payment request says. Days are those of the operator's zone.

    Attributes:
        reference: what the payer is to name, in two groups: "K7MP-4QXB".
        amount: in words, all that is to be paid now.
        parts: what that is made of, each with its amount in words.
        payee, payer: name and postal address, by lines.
        bank: the bank details, by lines.
    """

    link_id: int
    business_id: int
    business: str
    reference: str
    plan: str
    amount: str
    parts: tuple[tuple[str, str], ...]
    repeats: str
    issued: date
    due: date
    payee: tuple[str, ...]
    payer: tuple[str, ...]
    bank: tuple[str, ...]

    @property
    def subject(self) -> str:
        """The subject of the mail that asks."""
        return f"Payment request {self.reference}"


async def ask(
    session: WriteSession, business_id: int, plan_id: int, *, settings: Settings, now: datetime
) -> int:
    """The payment request of a lead for a plan, made if there is none; returns its number.

    Raises:
        NotFound: there is no such lead or plan.
        BadInput: no bank details are set, or the plan is in the archive.
    """
    await require(session, business_id)
    plan = await plans.required(session, plan_id)
    _bank(settings)
    row = await links.standing(session, business_id, plan_id, BANK, Mode.MANUAL)
    if row is not None:
        return row.id
    if plan.archived_at is not None:
        raise BadInput(f"The plan {plan.name} is in the archive; nothing new is sold by it.")
    key = uuid.uuid4().hex
    while await session.scalar(select(exists().where(PaymentLink.reference == reference_of(key)))):
        key = uuid.uuid4().hex
    row = PaymentLink(
        key=key,
        business_id=business_id,
        origin_id=business_id,
        plan_id=plan_id,
        provider=BANK,
        mode=Mode.MANUAL,
        state=LinkState.OPEN,
        reference=reference_of(key),
        created_at=now,
    )
    session.add(row)
    await session.flush()
    words = f"payment request made: {plan.name}, {plan.price}; reference {row.reference}"
    await links.tell(session, row, words, now=now)
    return row.id


def reference_of(key: str) -> str:
    """The reference that a key stands for, in two groups of four."""
    number = int.from_bytes(hashlib.sha256(key.encode()).digest()[:8])
    letters = []
    for _ in range(_LENGTH):
        number, at = divmod(number, len(_LETTERS))
        letters.append(_LETTERS[at])
    return f"{''.join(letters[:4])}-{''.join(letters[4:])}"


async def request(session: ReadSession, link_id: int, *, settings: Settings) -> Request:
    """What a payment request says.

    Raises:
        NotFound: there is no such request.
        BadInput: no bank details are set.
    """
    link = await links.row(session, link_id)
    if link is None or link.provider != BANK:
        raise NotFound(f"There is no payment request {link_id}.")
    lead = (
        await session.execute(
            select(
                Business.name,
                Business.street,
                Business.postal_code,
                Business.city,
                Business.region,
                Business.country,
            ).where(Business.id == link.business_id)
        )
    ).one()
    place = " ".join(filter(None, (lead.city, lead.region, lead.postal_code)))
    issued = link.created_at.astimezone(settings.operator.zone).date()
    sender = settings.sender
    return Request(
        link_id=link.id,
        business_id=link.business_id,
        business=lead.name,
        reference=link.reference,
        plan=link.plan,
        amount=amount_words(link.first, link.currency),
        parts=_parts(link),
        repeats=_repeats(link),
        issued=issued,
        due=issued + timedelta(days=settings.money.payment_days),
        payee=_lines(sender.name, sender.postal_address, sender.email),
        payer=_lines(lead.name, lead.street, place, lead.country),
        bank=_bank(settings),
    )


def _bank(settings: Settings) -> tuple[str, ...]:
    found = _lines(settings.money.bank_details)
    if not found:
        raise BadInput(
            "A payment request needs your bank details: set bank_details under [money] in "
            "config.toml."
        )
    return found


def _lines(*texts: str | None) -> tuple[str, ...]:
    found = (plain_line(line) for text in texts for line in (text or "").splitlines())
    return tuple(line for line in found if line)


def _parts(link: LinkRow) -> tuple[tuple[str, str], ...]:
    parts = [(f"{link.plan}, {_FIRST[link.interval]}", amount_words(link.amount, link.currency))]
    if link.setup_fee:
        parts.append(("Setup, once", amount_words(link.setup_fee, link.currency)))
    return tuple(parts)


def _repeats(link: LinkRow) -> str:
    if link.interval is Interval.ONCE:
        return ""
    each = amount_words(link.amount, link.currency)
    return f"From then on {each} a {link.interval}, for which you will be asked each time."


def as_text(asked: Request) -> str:
    """A payment request as the text of a mail."""
    parts = [f"  {words}: {amount}" for words, amount in asked.parts]
    blocks = [
        "Hello,",
        f"here is what there is to pay for {plain_line(asked.business)}:",
        "\n".join(parts),
        f"Please transfer {asked.amount} by {_day(asked.due)} to:",
        "\n".join(f"  {line}" for line in asked.bank),
        f"and name this reference, so that I know it is yours: {asked.reference}",
    ]
    if asked.repeats:
        blocks.append(asked.repeats)
    blocks.append("\n".join(("Kind regards,", *asked.payee)))
    return "\n\n".join(blocks) + "\n"


def as_page(asked: Request) -> str:
    """A payment request as a page to print: one HTML file that asks for no other."""
    return _template().render(asked=asked, issued=_day(asked.issued), due=_day(asked.due))


@cache
def _template() -> Template:
    from jinja2 import Environment, StrictUndefined  # noqa: PLC0415 - starts slowly

    source = (files("crm_tui") / "templates" / "money" / "request.html").read_text("utf-8")
    known = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    return known.from_string(source)


def _day(day: date) -> str:
    """A day that nobody can take for another: 5 December 2026."""
    return f"{day.day} {day:%B} {day.year}"
