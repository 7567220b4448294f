"""A second text of a step, which a part of its recipients get, to see which does better.

The step's own text is the variant "a", the second one "b". Which of them a message says is drawn
from its key when it is made, and stays with it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Protocol

from sqlalchemy import Select, delete, insert, select, update

from crm_tui.db.engine import ReadSession, WriteSession
from crm_tui.db.models import CampaignStep, CampaignVariant
from crm_tui.errors import BadInput

OWN, SECOND = "a", "b"
LETTERS = (OWN, SECOND)
LEAST_SHARE, MOST_SHARE = 1, 99


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """The second text of a step: its whole template, and how many of a hundred get it."""

    template: str
    source: str
    is_html: bool = False
    version: int = 1
    share: int = 50

    def __post_init__(self) -> None:
        """See that both texts are sent to somebody.

        Raises:
            BadInput: they are not.
        """
        if not LEAST_SHARE <= self.share <= MOST_SHARE:
            raise BadInput(
                f"The second text goes to {LEAST_SHARE} to {MOST_SHARE} of a hundred recipients, "
                f"not to {self.share}."
            )


def letter_of(key: str, share: int) -> str:
    """Which text the message of this key says, where so many of a hundred get the second."""
    drawn = int.from_bytes(sha256(f"variant:{key}".encode()).digest()[:8])
    return SECOND if drawn * 100 < share << 64 else OWN


def _of(campaign_id: int) -> Select[int]:
    return select(CampaignStep.id).where(CampaignStep.campaign_id == campaign_id)


async def of_steps(session: ReadSession, campaign_id: int) -> dict[int, Variant]:
    """The second texts of a campaign, by the ids of their steps."""
    rows = await session.execute(
        select(
            CampaignVariant.step_id,
            CampaignVariant.template,
            CampaignVariant.source,
            CampaignVariant.is_html,
            CampaignVariant.version,
            CampaignVariant.share,
        ).where(CampaignVariant.step_id.in_(_of(campaign_id)), CampaignVariant.letter == SECOND)
    )
    return {
        step: Variant(
            template=template, source=source, is_html=is_html, version=version, share=share
        )
        for step, template, source, is_html, version, share in rows
    }


async def keep(session: WriteSession, variants: Mapping[int, Variant]) -> None:
    """Keep second texts, by the ids of steps that have none yet."""
    if variants:
        await session.execute(
            insert(CampaignVariant),
            [
                {
                    "step_id": step,
                    "letter": SECOND,
                    "template": each.template,
                    "source": each.source,
                    "is_html": each.is_html,
                    "version": each.version,
                    "share": each.share,
                }
                for step, each in variants.items()
            ],
        )


class Text(Protocol):
    """What a message says: a template, as it is kept with the campaign."""

    @property
    def template(self) -> str: ...  # noqa: D102 - what it is called
    @property
    def source(self) -> str: ...  # noqa: D102 - all of it
    @property
    def is_html(self) -> bool: ...  # noqa: D102


async def change(session: WriteSession, step_id: int, text: Text, *, version: int) -> None:
    """Keep what the second text of a step says from now on; who gets it was drawn, and stays."""
    await session.execute(
        update(CampaignVariant)
        .where(CampaignVariant.step_id == step_id, CampaignVariant.letter == SECOND)
        .values(template=text.template, source=text.source, is_html=text.is_html, version=version)
    )


async def forget(session: WriteSession, campaign_id: int) -> None:
    """Delete the second texts of a campaign, before its steps are."""
    await session.execute(
        delete(CampaignVariant)
        .where(CampaignVariant.step_id.in_(_of(campaign_id)))
        .execution_options(synchronize_session=None)
    )
