"""Whether every message of a step of which two texts are tried says one of them."""

from __future__ import annotations

from sqlalchemy import ColumnElement, and_, exists, func, select, update

from crm_tui.db.models import CampaignVariant, Message
from crm_tui.db.types import listed
from crm_tui.services.campaigns.variants import OWN, SECOND, letter_of
from crm_tui.services.doctor.findings import Check, Finding, Patient, Severity
from crm_tui.text import plural
from crm_tui.vocabulary import MessageState

_CHUNK = 500


def _is_tried() -> ColumnElement[bool]:
    return exists().where(
        CampaignVariant.step_id == Message.step_id, CampaignVariant.letter == SECOND
    )


_UNDRAWN = and_(
    Message.step_id.is_not(None), Message.variant.is_(None), Message.state != MessageState.SENT
)
_NOT_ONE = and_(Message.variant.is_not(None), Message.state != MessageState.SENT)


async def find_undrawn(patient: Patient) -> list[Finding]:
    """Find messages without a text where two are tried, or with one where none are.

    What was sent was sent as it is.
    """
    async with patient.db.read() as session:
        undrawn = await session.scalar(select(func.count()).where(_UNDRAWN, _is_tried())) or 0
        left = await session.scalar(select(func.count()).where(_NOT_ONE, ~_is_tried())) or 0
    findings = []
    if undrawn:
        detail = "mails of steps of which two texts are tried were given none of them"
        findings.append(Finding("texts_drawn", Severity.ERROR, undrawn, detail))
    if left:
        detail = "mails were given one of two texts of a step that has one only"
        findings.append(Finding("texts_drawn", Severity.ERROR, left, detail))
    return findings


async def repair_undrawn(patient: Patient) -> str:
    """Draw the texts of those without, as when they were added; take the others' away."""
    undrawn = await patient.db.integers(select(Message.id).where(_UNDRAWN, _is_tried()))
    for start in range(0, len(undrawn), _CHUNK):
        async with patient.db.write() as session:
            rows = await session.execute(
                select(Message.id, Message.key, CampaignVariant.share)
                .join(CampaignVariant, CampaignVariant.step_id == Message.step_id)
                .where(
                    Message.id.in_(listed(undrawn[start : start + _CHUNK])),
                    CampaignVariant.letter == SECOND,
                )
            )
            drawn = [(each, letter_of(key, share)) for each, key, share in rows]
            for letter in (OWN, SECOND):
                await session.execute(
                    update(Message)
                    .where(Message.id.in_(listed(each for each, says in drawn if says == letter)))
                    .values(variant=letter)
                    .execution_options(synchronize_session=None)
                )
    async with patient.db.write() as session:
        taken = await session.execute(
            update(Message)
            .where(_NOT_ONE, ~_is_tried())
            .values(variant=None)
            .returning(Message.id)
            .execution_options(synchronize_session=None)
        )
    changed = len(undrawn) + len(taken.all())
    return f"{plural(changed, 'mail')} given the text they are to say" if changed else ""


CHECKS = (Check("texts_drawn", find_undrawn, repair_undrawn),)
