"""Uncertain messages, and what else happens to them while their provider is asked."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace

from sqlalchemy import select, update

from crm_tui.db.engine import Database
from crm_tui.db.models import Event, Message
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


async def an_uncertain_one(db: Database, *, of: int = 1) -> None:
    await sent_campaign(db, of, at=NOW)
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


class Never:
    """A provider that never knows anything; `asked` is about which messages."""

    def __init__(self) -> None:
        self.asked: set[str] = set()

    async def find(self, handed: Handed) -> Sent | None:
        """Nothing is known of it."""
        self.asked.add(handed.key)
        return None


async def test_what_was_delivered_while_it_was_on_its_way_was_sent(db: Database) -> None:
    await an_uncertain_one(db)
    async with db.write() as session:
        await session.execute(update(Message).values(delivered_at=NOW))
    nobody = Never()
    assert await find_out(db, nobody, _of_mailgun(mine()), now=lambda: NOW) == 1
    assert await known(db) == (MessageState.SENT, None)
    assert not nobody.asked
    async with db.read() as session:
        assert await session.scalar(select(Event.kind).where(Event.key == "sent:1"))


async def test_messages_that_are_never_known_of_keep_no_others_from_being_asked_about(
    db: Database,
) -> None:
    await an_uncertain_one(db, of=60)
    nobody = Never()
    for _ in range(100):
        assert await find_out(db, nobody, _of_mailgun(mine()), now=lambda: NOW) == 0
        if len(nobody.asked) == 60:
            return
    raise AssertionError("some are never asked about")


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
