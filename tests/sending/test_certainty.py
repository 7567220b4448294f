"""Uncertain messages, and what else happens to them while their provider is asked."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace

from sqlalchemy import select, update

from crm_tui.db.engine import Database
from crm_tui.db.models import Message
from crm_tui.providers.base import Handed, Sent
from crm_tui.services.sending.account import Account
from crm_tui.services.sending.certainty import find_out
from crm_tui.services.sending.recover import decide
from crm_tui.vocabulary import MessageState
from tests.conftest import NOW
from tests.polling.sent import mine, sent_campaign


class Finder:
    """A provider that has the message, once something else has happened."""

    def __init__(self, meanwhile: Callable[[], Awaitable[None]]) -> None:
        self.meanwhile = meanwhile

    async def find(self, handed: Handed) -> Sent | None:
        """It went."""
        await self.meanwhile()
        return Sent(handed.message_id, "found", "delivered")


def _of_mailgun(account: Account) -> Account:
    return replace(account, provider="mailgun")


async def an_uncertain_one(db: Database) -> None:
    await sent_campaign(db, 1, at=NOW)
    async with db.write() as session:
        await session.execute(
            update(Message).values(
                state=MessageState.UNCERTAIN, reason="cut off", sent_at=None, provider_id=None
            )
        )


async def known(db: Database) -> tuple[MessageState, str | None]:
    async with db.read() as session:
        row = (await session.execute(select(Message.state, Message.provider_id))).one()
        return row.state, row.provider_id


async def test_what_the_operator_puts_back_while_it_is_found_is_not_sent_again(
    db: Database,
) -> None:
    account = mine()
    await an_uncertain_one(db)

    async def put_back() -> None:
        async with db.write() as session:
            (row,) = await session.scalars(select(Message.id))
            await decide(session, row, sent=False, account=account, now=NOW)

    await find_out(db, Finder(put_back), _of_mailgun(account), now=lambda: NOW)
    assert await known(db) == (MessageState.SENT, "found")


async def test_what_is_erased_while_it_is_found_stays_so(db: Database) -> None:
    await an_uncertain_one(db)

    async def erase() -> None:
        async with db.write() as session:
            await session.execute(update(Message).values(state=MessageState.CANCELED, reason="x"))

    await find_out(db, Finder(erase), _of_mailgun(mine()), now=lambda: NOW)
    assert await known(db) == (MessageState.CANCELED, None)
