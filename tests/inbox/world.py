"""A small world for tests: leads, a campaign through the outbox, and a real mailbox that is read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from msgspec.structs import replace
from sqlalchemy import func, select

from crm_tui.config import (
    EmailSettings,
    ProviderSettings,
    SenderSettings,
    SendingSettings,
    Settings,
    SmtpSettings,
)
from crm_tui.db.engine import Database
from crm_tui.db.models import (
    Business,
    Campaign,
    CampaignStep,
    ContactPoint,
    Event,
    Message,
    RawRecord,
    Suppression,
    Unmatched,
)
from crm_tui.services import leads
from crm_tui.services.inbox.collecting import Collected, collect
from crm_tui.services.mailing import Report
from crm_tui.services.sending.account import Account, account, new_marks
from crm_tui.vocabulary import CampaignState, EventKind, MessageState
from crm_tui.worker import Worker
from tests.providers.imap_servers import Server

ME = "me@studio.example"
ENVIRONMENT = {"CRM_TUI_IMAP_PASSWORD": "demopass"}
STEP = "---\nsubject: A site for {{ business.name }}\n---\nHello.\n\n{{ unsubscribe }}\n"


def settings_of(server: Server | None, folders: Sequence[str] = ()) -> Settings:
    """No limits, the outbox to send through, and these folders of the mailbox to read."""
    providers = ProviderSettings()
    if server is not None:
        providers = replace(providers, imap=replace(server.settings, folders=tuple(folders)))
    return Settings(
        sender=SenderSettings(name="Mo", email=ME, postal_address="1 Main St"),
        email=EmailSettings(provider="outbox"),
        providers=providers,
        sending=SendingSettings(
            per_hour=0, per_day=0, warm_up=False, quiet_hours="", weekdays_only=False
        ),
    )


@dataclass
class World:
    """Everything a test of the inbox needs; `now` is the clock."""

    db: Database
    now: datetime
    server: Server | None = None
    folder: str = "INBOX"
    others: tuple[str, ...] = ()
    environment: dict[str, str] = field(default_factory=lambda: dict(ENVIRONMENT))
    post: SmtpSettings | None = None
    """What mail goes through; None is the outbox."""
    save_sent: bool = False

    @property
    def settings(self) -> Settings:
        settings = settings_of(self.server, (self.folder, *self.others))
        providers = settings.providers
        imap = replace(providers.imap, save_sent=self.save_sent)
        if self.post is None:
            return replace(settings, providers=replace(providers, imap=imap))
        return replace(
            settings,
            email=EmailSettings(provider="smtp"),
            providers=replace(providers, imap=imap, smtp=self.post),
        )

    @property
    def account(self) -> Account:
        return account(self.settings)

    # What there is

    async def lead(self, name: str, email: str) -> int:
        async with self.db.write() as session:
            return await leads.add(
                session,
                {"name": name, "email": email},
                settings=self.settings,
                now=self.now,
                duplicate=True,
            )

    async def campaign(self, *lead_ids: int, steps: int = 2) -> int:
        """A running campaign: the first step is due now, the others a day after the one before."""
        async with self.db.write() as session:
            campaign = Campaign(
                key=new_marks("x").key,
                name="Offer",
                name_folded="offer",
                state=CampaignState.RUNNING,
                audience={"ids": list(lead_ids)},
                created_at=self.now,
                updated_at=self.now,
                started_at=self.now,
            )
            session.add(campaign)
            await session.flush()
            for position in range(1, steps + 1):
                step = CampaignStep(
                    campaign_id=campaign.id,
                    position=position,
                    delay=None if position == 1 else "1d",
                    template="offer",
                    source=STEP,
                )
                session.add(step)
                await session.flush()
                for lead_id in lead_ids:
                    lead = await session.get_one(Business, lead_id)
                    marks = new_marks(self.account.domain)
                    session.add(
                        Message(
                            key=marks.key,
                            business_id=lead_id,
                            origin_id=lead_id,
                            campaign_id=campaign.id,
                            step_id=step.id,
                            address=lead.email,
                            message_id=marks.message_id,
                            token=marks.token,
                            due_at=self.now if position == 1 else None,
                            created_at=self.now,
                        )
                    )
            return campaign.id

    async def mailed(self, name: str, email: str) -> tuple[int, Message]:
        """A lead that got the first mail of a campaign an hour ago, and that mail."""
        lead_id = await self.lead(name, email)
        await self.campaign(lead_id)
        assert (await self.work()).sent == 1
        return lead_id, (await self.messages(lead_id))[0]

    # What happens

    def deliver(self, *mails: str | bytes, folder: str | None = None) -> None:
        assert self.server is not None
        raw = [m.replace("\n", "\r\n").encode() if isinstance(m, str) else m for m in mails]
        self.server.deliver(*raw, folder=folder or self.folder)

    async def collect(self) -> Collected:
        return await collect(
            self.db,
            self.settings,
            self.account,
            environment=self.environment,
            now=lambda: self.now,
        )

    async def work(self, *, later: timedelta = timedelta()) -> Report:
        """One pass of the worker."""
        self.now += later
        worker = Worker(self.db, self.settings, environment=self.environment, now=lambda: self.now)
        return await worker.once()

    # What came of it

    async def business(self, lead_id: int) -> Business:
        async with self.db.read() as session:
            return await session.get_one(Business, lead_id)

    async def messages(self, lead_id: int) -> list[Message]:
        async with self.db.read() as session:
            found = select(Message).where(Message.business_id == lead_id).order_by(Message.id)
            return list(await session.scalars(found))

    async def states(self, lead_id: int) -> list[MessageState]:
        return [each.state for each in await self.messages(lead_id)]

    async def events(self, lead_id: int, *kinds: EventKind) -> list[Event]:
        async with self.db.read() as session:
            found = select(Event).where(
                Event.business_id == lead_id, Event.kind.in_(kinds), Event.is_voided.is_(False)
            )
            return list(await session.scalars(found.order_by(Event.id)))

    async def point(self, lead_id: int, address: str) -> ContactPoint:
        async with self.db.read() as session:
            found = await session.scalars(
                select(ContactPoint).where(
                    ContactPoint.business_id == lead_id, ContactPoint.value == address
                )
            )
            return found.one()

    async def rows(self, model: Any) -> list[Any]:
        async with self.db.read() as session:
            return list(await session.scalars(select(model)))

    async def count(self, model: type[RawRecord | Unmatched | Suppression]) -> int:
        async with self.db.read() as session:
            counted = select(func.count()).select_from(model)
            return int((await session.execute(counted)).scalar_one())


def answer(
    message: Message | None = None,
    *,
    text: str = "Yes, please call me.",
    sender: str = "ann@plumber.example",
    to: str = ME,
    subject: str = "Re: A site",
    number: int = 1,
    headers: str = "",
    cites: str = "",
    date: str = "Sun, 22 Nov 2026 08:59:30 +0000",
) -> str:
    """A mail, as people write them."""
    cited = cites or (message.message_id if message is not None else "")
    reply = f"In-Reply-To: {cited}\nReferences: {cited}\n" if cited else ""
    return (
        f"From: Ann <{sender}>\nTo: {to}\nSubject: {subject}\n{reply}"
        f"Message-ID: <mail-{number}@{sender.partition('@')[2]}>\nDate: {date}\n{headers}\n{text}\n"
    )


def report(
    message: Message,
    *,
    status: str = "5.1.1",
    action: str = "failed",
    said: str = "smtp; 550 5.1.1 User unknown",
    recipient: str = "",
    number: int = 1,
    cites: bool = True,
) -> str:
    """A delivery report (RFC 3464)."""
    original = f"Message-ID: {message.message_id}\n" if cites else ""
    return (
        "From: Mail Delivery System <MAILER-DAEMON@mx.example>\n"
        f"To: {ME}\nSubject: Undelivered Mail Returned to Sender\n"
        f"Message-ID: <report-{number}@mx.example>\nAuto-Submitted: auto-replied\n"
        "Date: Sun, 22 Nov 2026 08:59:30 +0000\nMIME-Version: 1.0\n"
        'Content-Type: multipart/report; report-type=delivery-status;\n boundary="b/1"\n\n'
        "--b/1\nContent-Type: text/plain\n\nYour mail could not be delivered.\n\n"
        "--b/1\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; mx.example\n\n"
        f"Final-Recipient: rfc822; {recipient or message.address}\nAction: {action}\n"
        f"Status: {status}\nDiagnostic-Code: {said}\n\n"
        f"--b/1\nContent-Type: text/rfc822-headers\n\nFrom: {ME}\n{original}\n--b/1--\n"
    )
