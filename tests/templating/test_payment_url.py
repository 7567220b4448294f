"""The page to pay at in mails and texts: named where there is one, else held back or left out."""

from __future__ import annotations

from datetime import datetime

import pytest

from crm_tui.db.engine import Database
from crm_tui.db.models import Message
from crm_tui.services.campaigns.audience import Audience, look
from crm_tui.services.money import links
from crm_tui.services.sending.claim import to_release
from crm_tui.services.sending.compose import facts_of_leads
from crm_tui.services.templating.checking import check, uses_payment
from crm_tui.services.templating.facts import MailFacts
from crm_tui.services.templating.files import Kind, Template, read_template
from crm_tui.services.templating.language import MissingField
from crm_tui.services.templating.rendering import render
from crm_tui.vocabulary import MessageState
from tests.campaigns.making import settings_to_send
from tests.conftest import AddLead
from tests.money.making import Till, add_plan, make, pay
from tests.sending.queue import Desk, add_campaign, add_leads, messages

FOOT = "\n\n{{ sender.name }}\n{{ sender.postal_address }}\n{{ unsubscribe }}\n"
ASKS = "---\nsubject: Yours\n---\nPay here: {{ payment_url }}" + FOOT
LINK = "https://buy.example.com/1"


def template(body: str, kind: Kind = Kind.TEXT) -> Template:
    says = "description: Asks" if kind is Kind.SMS else "subject: Hello"
    head = f"---\n{says}\n---\n"
    return read_template(f"{head}{body}\n", name="mine", kind=kind)


@pytest.mark.parametrize("kind", list(Kind))
def test_it_is_a_field_of_mails_and_of_texts(kind: Kind) -> None:
    body = "Pay: {{ payment_url }}"
    if kind is Kind.HTML:
        body = '<p>Pay: <a href="{{ payment_url }}">here</a></p>'
    made = template(body, kind)
    assert check(made) == ()
    assert uses_payment(made)
    said = render(made, MailFacts(payment_url=f"{LINK}?a=1&b=2"))
    assert f"{LINK}?a=1&b=2" in said.text
    assert "payment_url" in said.fields_used
    with pytest.raises(MissingField, match="no payment link"):
        render(made, MailFacts())
    with pytest.raises(MissingField):
        render(made, MailFacts(payment_url="javascript:alert(1)"))


@pytest.mark.parametrize(
    "body",
    [
        '{{ payment_url or "Answer me." }}',
        "{% if payment_url %}{{ payment_url }}{% else %}Answer me.{% endif %}",
    ],
)
def test_with_a_fallback_nobody_waits_for_it(body: str) -> None:
    made = template(body)
    assert uses_payment(made)
    assert render(made, MailFacts()).text == "Answer me.\n"
    assert render(made, MailFacts(payment_url=LINK)).text == f"{LINK}\n"


async def test_the_leads_own_link_is_named_and_no_closed_one(
    db: Database, add_lead: AddLead, now: datetime
) -> None:
    lead, bought, closed, bare = [await add_lead(each) for each in ("Ace", "Bought", "Cut", "Dot")]
    till, plan = Till(), await add_plan(db, now)
    made = [await make(db, each, plan, now, till) for each in (lead, bought, closed)]
    await pay(db, bought, now)
    async with db.write() as session:
        await links.close(session, [made[2].link.id], now=now)
    async with db.read() as session:
        facts = await facts_of_leads(session, [lead, bought, closed, bare])
    assert facts[lead].payment_url == made[0].link.url
    assert [facts[each].payment_url for each in (bought, closed, bare)] == [None] * 3


async def test_a_mail_without_a_link_is_held_and_goes_when_there_is_one(
    db: Database, now: datetime
) -> None:
    desk = Desk(db)
    with_link, without = await add_leads(db, 2, now)
    till, plan = Till(), await add_plan(db, now)
    made = await make(db, with_link, plan, now, till)
    await add_campaign(db, [with_link, without], now, steps=((ASKS, None),))
    (claimed,) = await desk.claim(now)
    assert f"Pay here: {made.link.url}" in claimed.mail.text

    async def held() -> list[int]:
        async with db.read() as session:
            return await to_release(session, everything=False)

    rows = await messages(db, Message.id, Message.reason, Message.state)
    assert [tuple(row)[1:] for row in rows] == [
        (None, MessageState.SENDING),
        (
            "The mail cannot be made: it has no payment link ({{ payment_url }})",
            MessageState.QUEUED,
        ),
    ]
    assert await held() == []
    await make(db, without, plan, now, till)
    assert await held() == [rows[1][0]]


async def test_a_campaign_says_how_many_of_its_leads_have_none(
    db: Database, add_lead: AddLead, now: datetime
) -> None:
    lead = await add_lead("Ace", email="jo@ace-plumbing.com")
    await add_lead("Best", email="jo@best-plumbing.com")
    await make(db, lead, await add_plan(db, now), now)

    async def without(*, asks: bool) -> int:
        looked = await look(
            db, Audience(""), settings=settings_to_send(), now=now, uses_payment=asks
        )
        assert len(looked.recipients) == 2
        return looked.without_link

    assert await without(asks=True) == 1
    assert await without(asks=False) == 0
