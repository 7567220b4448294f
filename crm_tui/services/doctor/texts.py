"""Whether every text message went to somebody who had agreed to it."""

from __future__ import annotations

from sqlalchemy import exists, or_, select

from crm_tui.db.models import Business, Consent, Message
from crm_tui.services.doctor.findings import Check, Finding, Patient, Severity
from crm_tui.vocabulary import Channel, MessageState


async def find_unasked_texts(patient: Patient) -> list[Finding]:
    """Find text messages that went without a consent on record."""
    unasked = await patient.db.integers(_UNASKED)
    if not unasked:
        return []
    detail = (
        "text messages went to leads of whom no consent is on record for that time; record it if"
        " they gave it: `crm-tui leads consent ID --how … --date …`"
    )
    return [Finding("unasked_texts", Severity.WARNING, len(unasked), detail)]


_UNASKED = (
    select(Message.id)
    .join(Business, Business.id == Message.business_id)
    .where(
        Message.channel == Channel.SMS,
        Message.campaign_id.is_not(None),
        Message.state == MessageState.SENT,
        Business.erased_at.is_(None),
        ~exists().where(
            Consent.business_id == Message.business_id,
            Consent.channel == Channel.SMS,
            Consent.value == Message.address,
            Consent.given_at <= Message.sent_at,
            or_(Consent.withdrawn_at.is_(None), Consent.withdrawn_at >= Message.claimed_at),
        ),
    )
)

CHECKS = (Check("unasked_texts", find_unasked_texts),)
