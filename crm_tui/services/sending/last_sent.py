"""Which mail went last, noted beside the store: an older copy put in its place does not know of it.

A copy in another place knows that it is one (`standing.home_of`). One that is written over the
store itself stands where the store stood; only what lies outside of it can tell.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple, Protocol, Self

from sqlalchemy import select

from crm_tui.db.engine import ReadSession, beside
from crm_tui.db.models import Message
from crm_tui.providers.base import Sent, Unavailable

OLDER_COPY = "an older copy was put in the place of this store: what was sent since is not known"

_WIDTH = 512
"""Bytes of a note, always the same: it is written at one go, over the one before."""


class Note(NamedTuple):
    """A mail that was about to be sent: its Message-ID, and when it was claimed, aware UTC."""

    message_id: str
    claimed_at: datetime


def _file(store: Path) -> Path:
    return beside(store, "sent")


def read(store: Path) -> Note | None:
    """What was noted last beside a store; None where nothing was, or it cannot be read."""
    try:
        message_id, _, at = _file(store).read_text("utf-8").strip().rpartition(" ")
        return Note(message_id, datetime.fromisoformat(at))
    except (OSError, ValueError):
        return None


def forget(store: Path) -> None:
    """Believe a store from now on: it is a new one, or the operator let it send."""
    _file(store).unlink(missing_ok=True)


async def is_older_copy(session: ReadSession, store: Path) -> bool:
    """Whether something was sent from here that the store does not know of.

    A message is noted after it was claimed for good, so that a store always knows what was noted,
    whenever its program died.
    """
    note = read(store)
    if note is None:
        return False
    claimed_at = await session.scalar(
        select(Message.claimed_at).where(Message.message_id == note.message_id)
    )
    return claimed_at is None or claimed_at < note.claimed_at


class Marked(Protocol):
    """What is sent: a mail or a text message."""

    @property
    def message_id(self) -> str:
        """What it is known by here."""

    @property
    def date(self) -> datetime:
        """When it was claimed, aware."""


class Sender(Protocol):
    """What sends it: an EmailSender or an SmsSender."""

    async def send(self, mail: Any, /) -> Sent:
        """Hand it over."""

    def give_up(self) -> None:
        """Hand nothing more over."""


class Noting:
    """A sender that notes each message beside the store before it is handed over."""

    def __init__(self, sender: Sender, store: Path) -> None:
        self._sender = sender
        self._path = _file(store)
        self._open: int | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_error: object) -> None:
        """Close the note; who opened the sender closes that."""
        if self._open is not None:
            os.close(self._open)
            self._open = None

    async def send(self, mail: Marked, /) -> Sent:
        """Note the message, and send it.

        Raises:
            Unavailable: it cannot be noted; it was not sent.
            ProviderError: as the sender.
        """
        note = f"{mail.message_id} {mail.date.astimezone(UTC).isoformat()}"
        try:
            if self._open is None:
                self._open = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            os.pwrite(self._open, f"{note:<{_WIDTH}}".encode(), 0)
        except OSError as error:
            raise Unavailable(f"{self._path} cannot be written: {error.strerror}.") from error
        return await self._sender.send(mail)

    def give_up(self) -> None:
        """As the sender."""
        self._sender.give_up()
