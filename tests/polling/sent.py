"""A store whose campaign has been sent, for telling what became of its mails."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import insert

from crm_tui.config import Settings
from crm_tui.db.engine import Database
from crm_tui.db.models import Business, Campaign, CampaignStep, ContactPoint, Message
from crm_tui.services import events
from crm_tui.services.events import NewEvent
from crm_tui.services.inbox.concerning import Reader
from crm_tui.services.sending.account import Account, account
from crm_tui.vocabulary import CampaignState, ContactKind, ContactStatus, EventKind, MessageState

_CHUNK = 1000
SETTINGS = Settings()


def mine(settings: Settings = SETTINGS) -> Account:
    """The account of these tests."""
    return account(settings)


def reader(settings: Settings = SETTINGS) -> Reader:
    """Who reads what came in."""
    return Reader.of(mine(settings), settings)


async def sent_campaign(
    db: Database, number: int, *, at: datetime, provider: str = "mailgun", steps: int = 1
) -> list[str]:
    """A campaign of which the first step went to so many leads; the provider's names of the mails.

    Lead n has the address lead<n>@acme.example, its mail the name <provider>-<n>.
    """
    now = at
    async with db.write() as session:
        campaign = Campaign(
            key=f"sent {provider}",
            name="Sent",
            name_folded="sent",
            state=CampaignState.RUNNING,
            audience={"query": ""},
            created_at=now - timedelta(days=1),
            updated_at=now - timedelta(days=1),
            started_at=now - timedelta(days=1),
        )
        session.add(campaign)
        await session.flush()
        step_ids = []
        for position in range(1, steps + 1):
            step = CampaignStep(
                campaign_id=campaign.id,
                position=position,
                delay=None if position == 1 else "3d",
                template="hello",
                source="---\nsubject: Hello\n---\nHello. {{ unsubscribe }}\n",
            )
            session.add(step)
            await session.flush()
            step_ids.append(step.id)
    names: list[str] = []
    for start in range(1, number + 1, _CHUNK):
        some = range(start, min(start + _CHUNK, number + 1))
        names += await _send(db, some, campaign.id, step_ids, provider, at)
    return names


async def _send(
    db: Database,
    some: Sequence[int],
    campaign_id: int,
    step_ids: Sequence[int],
    provider: str,
    at: datetime,
) -> list[str]:
    async with db.write() as session:
        ids = list(
            await session.scalars(
                insert(Business).returning(Business.id, sort_by_parameter_order=True),
                [
                    {
                        "key": f"{provider}-lead-{n}",
                        "name": f"Lead {n}",
                        "sort_name": f"lead {n:06}",
                        "email": f"lead{n}@acme.example",
                        "source": "test",
                        "captured_at": at,
                        "created_at": at,
                        "updated_at": at,
                    }
                    for n in some
                ],
            )
        )
        await session.execute(
            insert(ContactPoint),
            [
                {
                    "business_id": each,
                    "kind": ContactKind.EMAIL,
                    "value": f"lead{n}@acme.example",
                    "domain": "acme.example",
                    "is_primary": True,
                    "created_at": at,
                }
                for each, n in zip(ids, some, strict=True)
            ],
        )
        rows = []
        for position, step_id in enumerate(step_ids, start=1):
            for each, n in zip(ids, some, strict=True):
                first = position == 1
                rows.append(
                    {
                        "key": f"{provider}-{n}-{position}",
                        "business_id": each,
                        "origin_id": each,
                        "campaign_id": campaign_id,
                        "step_id": step_id,
                        "address": f"lead{n}@acme.example",
                        "message_id": f"<{provider}-{n}-{position}@sender.example>",
                        "token": f"{provider}-{n}-{position}",
                        "state": MessageState.SENT if first else MessageState.QUEUED,
                        "due_at": at,
                        "claimed_at": at if first else None,
                        "provider": provider if first else None,
                        "provider_id": f"{provider}-{n}" if first else None,
                        "created_at": at - timedelta(hours=1),
                        "sent_at": at if first else None,
                        "subject": "Hello" if first else None,
                        "body": "Hello." if first else None,
                    }
                )
        await session.execute(insert(Message), rows)
        await events.record(
            session,
            *(
                NewEvent(
                    each,
                    EventKind.EMAIL_SENT,
                    at,
                    "mail: Hello",
                    provider,
                    key=f"sent:{provider}-{n}",
                    moves_to=ContactStatus.EMAILED,
                )
                for each, n in zip(ids, some, strict=True)
            ),
            now=at,
        )
    return [f"{provider}-{n}" for n in some]
