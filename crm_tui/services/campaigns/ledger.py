"""Every message of a campaign, with what became of it; filtered, and as a table."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from crm_tui.db.engine import Database, ReadSession
from crm_tui.vocabulary import MessageState


class LedgerRow(NamedTuple):
    """One message: one step for one business. Times are aware UTC."""

    id: int
    business_id: int
    name: str
    step: int
    address: str
    state: MessageState
    reason: str | None
    due_at: datetime | None
    sent_at: datetime | None
    opened_at: datetime | None
    clicked_at: datetime | None
    replied_at: datetime | None
    bounced_at: datetime | None
    unsubscribed_at: datetime | None
    complained_at: datetime | None
    message_id: str
    version: int | None

    @property
    def is_held(self) -> bool:
        """Whether it waits for something that is missing, which `reason` names."""
        return self.state is MessageState.QUEUED and self.due_at is None and self.reason is not None


class LeftOutRow(NamedTuple):
    """A lead that was asked for and left out."""

    business_id: int
    name: str
    email: str | None
    reason: str


@dataclass(frozen=True, slots=True)
class LedgerFilter:
    """Which messages: states, a step, words; read from one line by `read_filter`."""

    text: str = ""


def read_filter(text: str) -> LedgerFilter:
    """A filter as it is typed: `state:failed step:2 acme`, a minus negates, `is:held`.

    Raises:
        BadInput: it cannot be read; says what there is.
    """
    raise NotImplementedError


async def order(db: Database, campaign_id: int, wanted: LedgerFilter) -> array[int]:
    """The ids of the messages, in the order of the ledger; eight bytes each."""
    raise NotImplementedError


async def rows(session: ReadSession, ids: Sequence[int]) -> list[LedgerRow]:
    """The rows of these messages, in the order of the ids."""
    raise NotImplementedError


async def left_out(
    session: ReadSession, campaign_id: int, *, most: int = 1000, offset: int = 0
) -> list[LeftOutRow]:
    """Who was left out, by reason and name."""
    raise NotImplementedError


async def export(db: Database, campaign_id: int, wanted: LedgerFilter, target: Path) -> int:
    """Write the ledger as CSV; returns how many rows. A file that is there is replaced.

    Raises:
        BadInput: the file cannot be written.
    """
    raise NotImplementedError
