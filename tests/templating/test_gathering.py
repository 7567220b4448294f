from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import update

from crm_tui.db.models import ContactPoint
from crm_tui.services.templating.facts import MailFacts
from crm_tui.services.templating.gathering import mail_facts
from crm_tui.vocabulary import ContactKind

if TYPE_CHECKING:
    from crm_tui.db.engine import Database
    from tests.conftest import AddLead


async def test_what_is_known_of_leads_becomes_the_facts_of_their_mails(
    db: Database, add_lead: AddLead
) -> None:
    known = await add_lead(
        "Marsh Plumbing", city="Bath", email="jo@marsh.example", phone="212 555 0101"
    )
    hardly = await add_lead("Pete")
    async with db.write() as session:
        await session.execute(
            update(ContactPoint)
            .where(ContactPoint.kind == ContactKind.EMAIL)
            .values(person="Marsh, Jo")
        )
        await session.execute(
            update(ContactPoint)
            .where(ContactPoint.kind == ContactKind.PHONE)
            .values(person="Al Stone")
        )
    async with db.read() as session:
        facts = await mail_facts(session, [known, hardly, 99])
    assert facts == {
        known: MailFacts(
            business_name="Marsh Plumbing",
            business_city="Bath",
            business_email="jo@marsh.example",
            business_phone="+12125550101",
            contact_first_name="Jo",
            contact_name="Marsh, Jo",
        ),
        hardly: MailFacts(business_name="Pete"),
    }
