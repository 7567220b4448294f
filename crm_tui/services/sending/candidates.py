"""The messages that are due, with all that decides whether they may go, and that decision."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, tzinfo
from typing import NamedTuple

from sqlalchemy import ColumnElement, and_, case, exists, func, literal, or_, select
from sqlalchemy.orm import aliased

from crm_tui.db.engine import ReadSession
from crm_tui.db.models import (
    Business,
    Campaign,
    CampaignStep,
    ContactPoint,
    Event,
    Message,
    Suppression,
)
from crm_tui.services.sending.hours import Rules, next_allowed
from crm_tui.services.zones import zone_of
from crm_tui.vocabulary import (
    CampaignState,
    ContactKind,
    ContactState,
    ContactStatus,
    EventKind,
    MessageState,
    Outcome,
    SuppressionKind,
)

_BAD_STATES = {
    ContactState.BOUNCED: "the address does not exist: a mail to it came back",
    ContactState.INVALID: "the address is marked as wrong",
    ContactState.COMPLAINED: "they reported a mail as spam",
    ContactState.UNSUBSCRIBED: "they unsubscribed",
    ContactState.STOPPED: "they asked to stop",
}
_SETTLED = {
    Outcome.LOST: "the lead was lost",
    Outcome.WON: "the lead was won",
    Outcome.WRONG_CONTACT: "it is the wrong contact",
}


class Candidate(NamedTuple):
    """A message that is due, and what is known of whom it is for."""

    id: int
    key: str
    business_id: int
    origin_id: int
    campaign_id: int | None
    step_id: int | None
    address: str
    message_id: str
    token: str
    attempts: int
    headers: dict[str, str]
    subject: str | None
    body: str | None
    html: str | None
    position: int | None
    template: str | None
    source: str | None
    is_html: bool | None
    version: int | None
    name: str
    timezone: str | None
    country: str | None
    region: str | None
    phone: str | None
    erased: bool
    archived: bool
    never: str | None
    status: ContactStatus
    outcome: Outcome
    state: ContactState | None
    barred: str | None
    answered: bool
    clicked: bool

    @property
    def is_answer(self) -> bool:
        """Whether it answers a mail of theirs: nobody waits with that until the morning."""
        return self.campaign_id is None and "In-Reply-To" in self.headers

    def why_not(self) -> str:
        """Why it must not go, in words; "" where nothing speaks against it."""
        if self.erased:
            return "the lead was erased"
        if self.never is not None:
            return f"never contact again: {self.never}"
        if self.barred is not None:
            return f"on the list of those not to be written to: {self.barred}"
        if self.state is None:
            return "the address is no longer one of this lead's"
        if self.state in _BAD_STATES:
            return _BAD_STATES[self.state]
        return self._why_over() if self.campaign_id is not None else ""

    def _why_over(self) -> str:
        if self.archived:
            return "the lead was archived"
        if self.status is ContactStatus.PURCHASED:
            return "they bought"
        if self.answered:
            return "they answered"
        if self.clicked:
            return "they clicked"
        return _SETTLED.get(self.outcome, "")

    def not_before(self, now: datetime, rules: Rules, operator: tzinfo | None) -> datetime:
        """From when on it may go by the clock on the recipient's wall."""
        return now if self.is_answer else next_allowed(now, self.zone(operator), rules)

    def zone(self, operator: tzinfo | None) -> tzinfo | None:
        """The recipient's time zone."""
        known = {
            "timezone": self.timezone,
            "country": self.country,
            "region": self.region,
            "phone": self.phone,
        }
        return zone_of(known, operator)


async def due(session: ReadSession, *, now: datetime, most: int) -> Sequence[Candidate]:
    """The messages whose time has come, the longest waiting first."""
    step, campaign, point = aliased(CampaignStep), aliased(Campaign), aliased(ContactPoint)
    rows = await session.execute(
        select(
            Message.id,
            Message.key,
            Message.business_id,
            Message.origin_id,
            Message.campaign_id,
            Message.step_id,
            Message.address,
            Message.message_id,
            Message.token,
            Message.attempts,
            Message.headers,
            Message.subject,
            Message.body,
            Message.html,
            step.position,
            step.template,
            step.source,
            step.is_html,
            step.version,
            Business.name,
            Business.timezone,
            Business.country,
            Business.region,
            Business.phone,
            Business.erased_at.is_not(None),
            Business.archived_at.is_not(None),
            Business.do_not_contact_reason,
            Business.contact_status,
            Business.outcome,
            point.state,
            _barred(),
            _happened(Event.moves_to == ContactStatus.REPLIED),
            case(
                (campaign.stop_on_click, _happened(Event.kind == EventKind.CLICKED)),
                else_=literal(0),
            ),
        )
        .join(Business, Business.id == Message.business_id)
        .outerjoin(campaign, campaign.id == Message.campaign_id)
        .outerjoin(step, step.id == Message.step_id)
        .outerjoin(
            point,
            and_(
                point.business_id == Message.business_id,
                point.kind == ContactKind.EMAIL,
                point.value == Message.address,
            ),
        )
        .where(
            Message.state == MessageState.QUEUED,
            Message.due_at <= now,
            or_(Message.campaign_id.is_(None), campaign.state == CampaignState.RUNNING),
        )
        .order_by(Message.due_at, Message.id)
        .limit(most)
    )
    return [Candidate._make(row) for row in rows]


def _barred() -> ColumnElement[str | None]:
    """Why the recipient is suppressed: by address, by its domain or one above, or as a business."""
    domain = func.substr(Message.address, func.instr(Message.address, "@") + 1)
    return (
        select(Suppression.reason)
        .where(
            or_(
                and_(
                    Suppression.kind == SuppressionKind.EMAIL,
                    Suppression.value == Message.address,
                ),
                and_(
                    Suppression.kind == SuppressionKind.DOMAIN,
                    or_(
                        Suppression.value == domain,
                        domain.like(literal("%.") + Suppression.value),
                    ),
                ),
                and_(
                    Suppression.kind == SuppressionKind.BUSINESS,
                    Suppression.value == Business.key,
                ),
            )
        )
        .order_by(Suppression.id)
        .limit(1)
        .correlate(Message, Business)
        .scalar_subquery()
    )


def _happened(what: ColumnElement[bool]) -> ColumnElement[bool]:
    """Whether a person did this since the message was queued, as far as we know."""
    return exists().where(
        Event.business_id == Message.business_id,
        what,
        Event.kind != EventKind.STATUS_SET,
        Event.by_machine.is_(False),
        Event.is_voided.is_(False),
        Event.recorded_at >= Message.created_at,
    )
