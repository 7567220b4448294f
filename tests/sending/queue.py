"""A campaign in a store, made the short way, and what became of its messages."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import func, insert, select, update

from crm_tui.db.engine import Database
from crm_tui.db.models import Business, Campaign, CampaignStep, ContactPoint, Event, Message
from crm_tui.providers.base import OutgoingMail, ProviderError, Sent
from crm_tui.services.sending.account import Account, new_marks
from crm_tui.services.sending.ahead import Ahead
from crm_tui.services.sending.candidates import due
from crm_tui.services.sending.claim import Claimed, Claimer
from crm_tui.services.sending.hours import Rules
from crm_tui.services.sending.pace import Limits
from crm_tui.services.sending.record import Result
from crm_tui.services.sending.turn import Turn, take_turn
from crm_tui.vocabulary import CampaignState, ContactKind, EventKind, MessageState

TEXT = "---\nsubject: A site for {{ business.name }}\n---\nHello {{ business.city }}, {{ unsubscribe }}\n"
AGAIN = "---\nsubject: Second\n---\nStill there? {{ unsubscribe }}\n"
OWNER = "this-sender"
SUNDAY = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
MONDAY = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)


def an_account(**fields: Any) -> Account:
    """An account without limits and quiet hours."""
    given: dict[str, Any] = {
        "provider": "smtp",
        "name": "Anna Berg",
        "address": "anna@sender.example",
        "postal_address": "1 Main Street, Springfield",
        "connections": 1,
        "plus": False,
        "limits": Limits(),
        "rules": Rules(),
        "zone": UTC,
    }
    return Account(**given | fields)


def a_claimer(
    account: Account | None = None, *, spread: bool = False, owner: str = OWNER, home: str = "home"
) -> Claimer:
    """One who sends from the place the store knows."""
    return Claimer(account=account or an_account(), owner=owner, home=home, spread=spread)


async def add_leads(db: Database, number: int, now: datetime, **fields: Any) -> list[int]:
    """Leads with an address each: lead1@shop.example and so on."""
    given = {"city": "Springfield", "country": "GB"} | fields
    async with db.write() as session:
        connection = await session.connection()
        known = (await connection.execute(select(func.count()).select_from(Business))).scalar_one()
        ids = []
        for each in range(known + 1, known + number + 1):
            row = {
                "key": f"lead-{each}",
                "name": f"Shop {each}",
                "sort_name": f"shop {each}",
                "source": "test",
                "created_at": now,
                "captured_at": now,
                "updated_at": now,
                "email": f"lead{each}@shop.example",
            }
            added = await connection.execute(insert(Business).values(row | given))
            (lead_id,) = added.inserted_primary_key or (0,)
            ids.append(lead_id)
            await connection.execute(
                insert(ContactPoint).values(
                    business_id=lead_id,
                    kind=ContactKind.EMAIL,
                    value=f"lead{each}@shop.example",
                    is_primary=True,
                    created_at=now,
                )
            )
    return ids


async def add_campaign(
    db: Database,
    leads: Sequence[int],
    now: datetime,
    *,
    steps: Sequence[tuple[str, str | None]] = ((TEXT, None),),
    state: CampaignState = CampaignState.RUNNING,
    **fields: Any,
) -> int:
    """A campaign that runs: its steps are (source, delay), its first step is due now."""
    async with db.write() as session:
        connection = await session.connection()
        row = {
            "key": new_marks("x").key,
            "name": "Spring",
            "name_folded": "spring",
            "audience": {"query": ""},
            "state": state,
            "created_at": now,
            "updated_at": now,
        }
        if state is CampaignState.PAUSED:
            row["pause_reason"] = "you paused it"
        added = await connection.execute(insert(Campaign).values(row | fields))
        (campaign_id,) = added.inserted_primary_key or (0,)
        found = await connection.execute(
            select(Business.id, Business.email).where(Business.id.in_(leads))
        )
        addresses = {lead: email for lead, email in found}  # noqa: C416 - rows, not pairs
        for position, (source, delay) in enumerate(steps, start=1):
            step = await connection.execute(
                insert(CampaignStep).values(
                    campaign_id=campaign_id,
                    position=position,
                    delay=delay,
                    template=f"step{position}",
                    source=source,
                )
            )
            (step_id,) = step.inserted_primary_key or (0,)
            rows = [
                _message(lead, addresses[lead], now, campaign_id, step_id)
                | {"due_at": now if position == 1 else None}
                for lead in leads
            ]
            if rows:
                await connection.execute(insert(Message), rows)
    return int(campaign_id)


def _message(
    lead: int, address: str | None, now: datetime, campaign_id: int | None, step_id: int | None
) -> dict[str, Any]:
    marks = new_marks("sender.example")
    return {
        "key": marks.key,
        "business_id": lead,
        "origin_id": lead,
        "campaign_id": campaign_id,
        "step_id": step_id,
        "address": address,
        "message_id": marks.message_id,
        "token": marks.token,
        "created_at": now,
    }


async def add_single(db: Database, lead: int, now: datetime, **fields: Any) -> int:
    """A mail the operator wrote to one lead."""
    async with db.write() as session:
        address = await session.scalar(select(Business.email).where(Business.id == lead))
        row = _message(lead, address, now, None, None)
        row |= {"due_at": now, "subject": "Your call", "body": "As we said.\n"}
        added = await session.execute(insert(Message).values(row | fields).returning(Message.id))
        return int(added.scalar_one())


@dataclass
class Desk:
    """Takes turns at a store, with a provider that says what it is told to."""

    db: Database
    claimer: Claimer = field(default_factory=a_claimer)
    ahead: Ahead = field(default_factory=Ahead)
    insist: bool = False

    async def turn(self, now: datetime, results: Sequence[Result] = (), *, most: int = 10) -> Turn:
        """One turn over everything that is due."""
        async with self.db.read() as session:
            ids = [each.id for each in await due(session, now=now, most=50)]
        async with self.db.write(durable=True) as session:
            return await take_turn(
                session,
                self.claimer,
                results,
                ids,
                most=most,
                ahead=self.ahead,
                now=now,
                insist=self.insist,
            )

    async def claim(self, now: datetime, *, most: int = 10) -> list[Claimed]:
        """What is claimed in one turn."""
        return (await self.turn(now, most=most)).claims.messages

    async def record(
        self, now: datetime, *results: tuple[Claimed, Sent | ProviderError | None]
    ) -> Turn:
        """A turn that claims nothing."""
        back = [Result(message, answer, now) for message, answer in results]
        return await self.turn(now, back, most=0)

    async def send(self, now: datetime, *, most: int = 10) -> list[OutgoingMail]:
        """Claim, and record as sent."""
        claimed = await self.claim(now, most=most)
        await self.record(now, *((each, accepted(each.mail)) for each in claimed))
        return [each.mail for each in claimed]


def accepted(mail: OutgoingMail) -> Sent:
    """What a provider says that took a mail."""
    return Sent(mail.message_id, None, "250 Ok")


async def messages(db: Database, *columns: Any, **where: Any) -> list[tuple[Any, ...]]:
    """Columns of the messages, in the order of their ids."""
    async with db.read() as session:
        statement = select(*columns).select_from(Message).filter_by(**where).order_by(Message.id)
        return [tuple(row) for row in await session.execute(statement)]


async def states(db: Database, **where: Any) -> list[tuple[MessageState, str | None]]:
    """State and reason of the messages."""
    return [
        (state, reason)
        for state, reason in await messages(db, Message.state, Message.reason, **where)
    ]


async def campaign_state(db: Database, campaign_id: int) -> tuple[CampaignState, str | None]:
    """How a campaign stands, and why it was paused."""
    async with db.read() as session:
        row = await session.execute(
            select(Campaign.state, Campaign.pause_reason).where(Campaign.id == campaign_id)
        )
        state, why = row.one()
        return state, why


async def told(db: Database, lead: int) -> list[tuple[EventKind, str]]:
    """A lead's timeline."""
    async with db.read() as session:
        rows = await session.execute(
            select(Event.kind, Event.summary).where(Event.business_id == lead).order_by(Event.id)
        )
        return [(kind, summary) for kind, summary in rows]


async def change(db: Database, model: Any, ids: Collection[int] = (), **values: Any) -> None:
    """Change rows, all where none are named."""
    async with db.write() as session:
        statement = update(model).values(**values)
        if ids:
            statement = statement.where(model.id.in_(ids))
        await session.execute(statement.execution_options(synchronize_session=None))


def later(now: datetime, **span: float) -> datetime:
    """Some time after."""
    return now + timedelta(**span)
