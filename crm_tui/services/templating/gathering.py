"""From the store to what a mail can say of a lead."""

from __future__ import annotations

import json
from collections.abc import Sequence

from sqlalchemy import and_, bindparam, func, select

from crm_tui.db.engine import ReadSession
from crm_tui.db.models import Business, ContactPoint
from crm_tui.services.templating.facts import MailFacts, first_name
from crm_tui.vocabulary import ContactKind

_IDS = func.json_each(bindparam("ids")).table_valued("value")
_FACTS = (
    select(
        Business.id,
        Business.name,
        Business.category,
        Business.street,
        Business.city,
        Business.region,
        Business.postal_code,
        Business.country,
        Business.phone,
        Business.email,
        Business.website,
        Business.rating,
        Business.review_count,
        ContactPoint.person,
    )
    .outerjoin(
        ContactPoint,
        and_(
            ContactPoint.business_id == Business.id,
            ContactPoint.kind == ContactKind.EMAIL,
            ContactPoint.is_primary.is_(True),
        ),
    )
    .where(Business.id.in_(select(_IDS.c.value)))
)


async def mail_facts(session: ReadSession, business_ids: Sequence[int]) -> dict[int, MailFacts]:
    """What is known of businesses and the people behind their primary e-mail addresses.

    Site, sender and opt-out are the caller's to add, with `dataclasses.replace`; ids that do not
    exist are left out.
    """
    connection = await session.connection()
    rows = await connection.execute(_FACTS, {"ids": json.dumps(list(business_ids))})
    return {
        row.id: MailFacts(
            business_name=row.name,
            business_category=row.category,
            business_street=row.street,
            business_city=row.city,
            business_region=row.region,
            business_postal_code=row.postal_code,
            business_country=row.country,
            business_phone=row.phone,
            business_email=row.email,
            business_website=row.website,
            business_rating=row.rating,
            business_review_count=row.review_count,
            contact_first_name=first_name(row.person),
            contact_name=row.person,
        )
        for row in rows
    }
