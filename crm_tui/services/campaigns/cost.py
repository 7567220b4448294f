"""What text messages take and are likely to cost, before any of them goes.

Providers' prices differ by country and carrier, so none is assumed: what is said comes from what
the provider reported of messages that went before.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select

from crm_tui.db.engine import ReadSession
from crm_tui.db.models import Message
from crm_tui.services.texting import Size, foreign, size
from crm_tui.vocabulary import Channel

NOT_KNOWN = "cost not known"
_LAST = 100
_MILLION = 1_000_000


@dataclass(frozen=True, slots=True)
class Price:
    """What a segment cost lately, in millionths of a currency, on the average."""

    per_segment: int
    currency: str

    def of(self, segments: int) -> str:
        """What so many segments cost at that price, for people: "about USD 0.0158"."""
        return f"about {self.currency} {self.per_segment * segments / _MILLION:.4f}"


async def price(session: ReadSession) -> Price | None:
    """What a segment cost by what the provider reported last; None where it reported nothing."""
    rows = await session.execute(
        select(Message.cost, Message.segments, Message.currency)
        .where(
            Message.channel == Channel.SMS,
            Message.cost.is_not(None),
            Message.segments.is_not(None),
        )
        .order_by(Message.sent_at.desc(), Message.id.desc())
        .limit(_LAST)
    )
    found = [(cost or 0, segments or 1, currency or "") for cost, segments, currency in rows]
    if not found:
        return None
    currency = found[0][2]
    same = [(cost, segments) for cost, segments, each in found if each == currency]
    spent, sent = (sum(column) for column in zip(*same, strict=True))
    return Price(round(spent / sent), currency)


def size_words(text: str, known: Price | None) -> str:
    """The segments of a text and what they cost, for people, in a line."""
    found: Size = size(text)
    cost = known.of(found.segments) if known else NOT_KNOWN
    said = f"{found.words}, {cost}"
    return said if found.gsm else f"{said}; it has {foreign(text)[:10]}"
