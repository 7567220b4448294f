"""What somebody found who tried the program from outside, without knowing how it is made."""

from __future__ import annotations

from datetime import datetime

from crm_tui.db.engine import Database
from crm_tui.services.money import listing
from crm_tui.services.money.rows import CustomerState
from crm_tui.vocabulary import DisputeState, Mode
from tests.conftest import AddLead
from tests.money.telling import at, dispute, payment, refund, tell_all


async def test_a_lost_dispute_is_money_that_went_back(
    db: Database, add_lead: AddLead, now: datetime
) -> None:
    lead = await add_lead("Woodhaven")
    paid = payment("evt_1")
    closed = dispute("evt_3", at(days=25), of=paid, state=DisputeState.LOST, closed_at=at(days=25))
    told = [paid, refund("evt_2", 900, at(days=5), of=paid), closed]
    await tell_all(db, lead, told, now=now)
    async with db.read() as session:
        (row,) = await listing.payments(session, modes=(Mode.TEST,))
        (customer,) = await listing.customers(session, modes=(Mode.TEST,))
    assert [each.state for each in row.disputes] == [DisputeState.LOST]
    assert (row.refunded, row.left) == (row.amount, 0)
    assert customer.paid == (("USD", 0),)
    assert customer.state is CustomerState.REFUNDED


async def test_a_dispute_that_is_open_or_won_took_nothing(
    db: Database, add_lead: AddLead, now: datetime
) -> None:
    lead = await add_lead("Woodhaven")
    paid = payment("evt_1")
    for state in (DisputeState.OPEN, DisputeState.WON):
        told = dispute(f"evt_{state.value}", at(days=25), of=paid, state=state)
        await tell_all(db, lead, [paid, told], now=now)
        async with db.read() as session:
            (row,) = await listing.payments(session, modes=(Mode.TEST,))
            (customer,) = await listing.customers(session, modes=(Mode.TEST,))
        assert [each.state for each in row.disputes] == [state]
        assert row.refunded == 0
        assert customer.paid == (("USD", row.amount),)
