"""What a payment seemed to be and was not: it is put right, and what followed from it with it."""

from __future__ import annotations

from datetime import datetime

from crm_tui.db.engine import Database
from crm_tui.services.money import listing
from crm_tui.vocabulary import Mode
from tests.conftest import AddLead
from tests.money.telling import at, failed, payment, tell_all


async def test_why_a_payment_failed_is_told_until_it_comes(
    db: Database, add_lead: AddLead, now: datetime
) -> None:
    lead = await add_lead("Woodhaven")
    refused = failed("evt_1", at(), invoice="in_1", failure="card declined", attempts=1)
    paid = payment("evt_2", at(1), invoice="in_1")
    for told, why in ((refused, "card declined"), (paid, None)):
        await tell_all(db, lead, [told], now=now)
        async with db.read() as session:
            (row,) = await listing.payments(session, modes=[Mode.TEST])
        assert row.failure == why
