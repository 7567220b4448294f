"""The messages that are due, with all that decides whether they may go, and that decision.

Which are due is looked up ahead, outside of any transaction that writes: the way to them may lead
past all that waits for campaigns that are paused. Whether one may go is asked when it is claimed.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import datetime, tzinfo
from typing import Any, NamedTuple

from sqlalchemy import (
    ColumnElement,
    Select,
    and_,
    bindparam,
    case,
    exists,
    func,
    literal,
    literal_column,
    or_,
    select,
)
from sqlalchemy.orm import aliased

from crm_tui.db.engine import ReadSession
from crm_tui.db.models import (
    Business,
    Campaign,
    CampaignStep,
    CampaignVariant,
    Consent,
    ContactPoint,
    Event,
    Message,
    Suppression,
)
from crm_tui.services.sending.hours import Rules, next_allowed
from crm_tui.services.zones import zone_of
from crm_tui.vocabulary import (
    CampaignState,
    Channel,
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
    channel: Channel
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
    person: str | None
    key_of_lead: str
    doubled: bool
    answered: bool
    clicked: bool
    agreed: bool
    """Whether they agreed to text messages at this number; mails ask for nothing of the kind."""
    barred: str | None = None

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
        if self.doubled:
            return "the lead got this mail at another address"
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


class Due(NamedTuple):
    """A message whose time has come."""

    id: int
    campaign_id: int | None


async def due(
    session: ReadSession, *, now: datetime, most: int, channel: Channel = Channel.EMAIL
) -> list[Due]:
    """The messages whose time has come, the longest waiting first.

    What the operator wrote to one lead goes before campaigns, and before that what answers a lead.
    """
    connection = await session.connection()
    asked = {"now": now, "channel": channel}
    single = await connection.execute(_DUE_SINGLE, asked | {"most": most})
    found = [Due._make(row) for row in single]
    if len(found) < most:
        others = await connection.execute(_DUE, asked | {"most": most - len(found)})
        found += [Due._make(row) for row in others]
    return found


async def candidates(
    session: ReadSession,
    ids: Sequence[int],
    *,
    now: datetime,
    channel: Channel = Channel.EMAIL,
    state: MessageState = MessageState.QUEUED,
) -> list[Candidate]:
    """Those of these messages that are due still, in the same order, with what decides on them."""
    connection = await session.connection()
    asked = {"ids": json.dumps(ids), "now": now, "state": state}
    rows = await connection.execute(_CANDIDATES[channel], asked)
    found = {row.id: Candidate._make((*row, None)) for row in rows}
    barred = await _barred(session, list(found.values()), channel)
    return [found[each]._replace(barred=barred.get(each)) for each in ids if each in found]


async def _barred(
    session: ReadSession, messages: Sequence[Candidate], channel: Channel
) -> dict[int, str]:
    """Why recipients are suppressed: by address, by its domain or one above, or as a business."""
    asked = {each.id: list(_barred_by(each, channel)) for each in messages}
    values = {value for those in asked.values() for value in those}
    if not values:
        return {}
    connection = await session.connection()
    rows = await connection.execute(_SUPPRESSED, {"values": json.dumps(sorted(values))})
    reasons = {(kind, value): reason for kind, value, reason in rows}
    found = {
        each: next((reasons[value] for value in those if value in reasons), None)
        for each, those in asked.items()
    }
    return {each: reason for each, reason in found.items() if reason is not None}


def _barred_by(message: Candidate, channel: Channel) -> Iterator[tuple[SuppressionKind, str]]:
    """Every line of the list of those not to be contacted that would bar a message."""
    if channel is Channel.SMS:
        yield SuppressionKind.PHONE, message.address
    else:
        yield SuppressionKind.EMAIL, message.address
        labels = message.address.rpartition("@")[2].split(".")
        for at in range(len(labels)):
            yield SuppressionKind.DOMAIN, ".".join(labels[at:])
    yield SuppressionKind.BUSINESS, message.key_of_lead


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


def _doubled() -> ColumnElement[bool]:
    """Whether the same step went to the same lead before: two that were merged since."""
    other = aliased(Message)
    return exists().where(
        other.business_id == Message.business_id,
        other.step_id == Message.step_id,
        other.id != Message.id,
        # Not IN: it would be written out, and a list be made of it, for each turn again.
        or_(
            other.state == MessageState.SENT,
            other.state == MessageState.SENDING,
            other.state == MessageState.UNCERTAIN,
        ),
    )


_NOW = bindparam("now", type_=Message.due_at.type)
_WAITS = (
    Message.state == literal_column(f"'{MessageState.QUEUED}'"),  # in the words of the index
    Message.channel == bindparam("channel", type_=Message.channel.type),
    Message.due_at <= _NOW,
)
_DUE_SINGLE = (
    select(Message.id, Message.campaign_id)
    .where(*_WAITS, Message.campaign_id.is_(None), Message.step_id.is_(None))
    .order_by(
        func.json_extract(Message.headers, '$."In-Reply-To"').is_(None), Message.due_at, Message.id
    )
    .limit(bindparam("most"))
)
_DUE = (
    # The plus keeps SQLite from going through whole campaigns instead of along the queue.
    select(Message.id, Message.campaign_id)
    .where(
        *_WAITS,
        literal_column("+message.campaign_id").in_(
            select(Campaign.id).where(Campaign.state == CampaignState.RUNNING)
        ),
    )
    .order_by(Message.due_at, Message.id)
    .limit(bindparam("most"))
)
_IDS = func.json_each(bindparam("ids")).table_valued("value")
_STEP, _CAMPAIGN, _POINT = aliased(CampaignStep), aliased(Campaign), aliased(ContactPoint)
_SECOND = aliased(CampaignVariant)
"""The text of the variant a message says, where that is not the step's own."""


def _agreed() -> ColumnElement[bool]:
    """Whether they agreed to text messages at the number of a message."""
    return exists().where(
        Consent.business_id == Message.business_id,
        Consent.channel == Channel.SMS,
        Consent.value == Message.address,
        Consent.withdrawn_at.is_(None),
    )


def _looked_up(channel: Channel) -> Select[*tuple[Any, ...]]:
    """Messages of a channel by their numbers, with the columns of `Candidate`."""
    texts = channel is Channel.SMS
    return (
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
            _STEP.position,
            func.coalesce(_SECOND.template, _STEP.template),
            func.coalesce(_SECOND.source, _STEP.source),
            func.coalesce(_SECOND.is_html, _STEP.is_html),
            func.coalesce(_SECOND.version, _STEP.version),
            Message.channel,
            Business.name,
            Business.timezone,
            Business.country,
            Business.region,
            Business.phone,
            Business.erased_at.is_not(None).label("erased"),
            Business.archived_at.is_not(None).label("archived"),
            Business.do_not_contact_reason,
            Business.contact_status,
            Business.outcome,
            _POINT.state,
            _POINT.person,
            Business.key.label("key_of_lead"),
            _doubled().label("doubled"),
            _happened(Event.moves_to == ContactStatus.REPLIED).label("answered"),
            case(
                (_CAMPAIGN.stop_on_click, _happened(Event.kind == EventKind.CLICKED)),
                else_=literal(0),
            ).label("clicked"),
            (_agreed() if texts else literal(1)).label("agreed"),
        )
        .select_from(_IDS)
        .join(Message, Message.id == _IDS.c.value)
        .join(Business, Business.id == Message.business_id)
        .outerjoin(_CAMPAIGN, _CAMPAIGN.id == Message.campaign_id)
        .outerjoin(_STEP, _STEP.id == Message.step_id)
        .outerjoin(
            _SECOND, and_(_SECOND.step_id == Message.step_id, _SECOND.letter == Message.variant)
        )
        .outerjoin(
            _POINT,
            and_(
                _POINT.business_id == Message.business_id,
                _POINT.kind == (ContactKind.PHONE if texts else ContactKind.EMAIL),
                _POINT.value == Message.address,
            ),
        )
        .where(
            # By their numbers, not along the queue.
            literal_column("+message.state") == bindparam("state"),
            literal_column("+message.due_at") <= _NOW,
            Message.channel == channel,
            or_(Message.campaign_id.is_(None), _CAMPAIGN.state == CampaignState.RUNNING),
        )
    )


_CANDIDATES = {channel: _looked_up(channel) for channel in Channel}
_ASKED = func.json_each(bindparam("values")).table_valued("value")
_SUPPRESSED = select(Suppression.kind, Suppression.value, Suppression.reason).join(
    _ASKED,
    and_(
        Suppression.kind == func.json_extract(_ASKED.c.value, "$[0]"),
        Suppression.value == func.json_extract(_ASKED.c.value, "$[1]"),
    ),
)
