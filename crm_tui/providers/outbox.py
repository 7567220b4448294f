"""The sender that sends nothing: every mail becomes an .eml file, for trying without an account."""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
from pathlib import Path
from types import TracebackType
from typing import Self

from crm_tui.providers.base import Misconfigured, OutgoingMail, Sent, Unsendable
from crm_tui.providers.message import build, needs_utf8

_NO_NAME = re.compile(r"[^A-Za-z0-9@+=_.-]")


class OutboxSender:
    """Writes each mail to `folder`, named after its Message-ID, whole and on the disk.

    Sending the same mail again finds its file and is the same sending.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Nothing stays open between two mails."""

    @property
    def unanswered(self) -> int:
        """How many mails wait for an answer: a file is written or it is not."""
        return 0

    def give_up(self) -> None:
        """A mail that is being written is written in no time."""

    async def send(self, mail: OutgoingMail) -> Sent:
        """Write the mail.

        Raises:
            Unsendable: it is no mail, or another one under the same Message-ID has been written.
            Misconfigured: the folder cannot be written to.
        """
        content = build(mail, utf8=needs_utf8(mail))
        path = self._folder / file_name(mail.message_id)
        try:
            written = await asyncio.to_thread(_write, path, content)
        except OSError as error:
            raise Misconfigured(
                f"The outbox folder {self._folder} cannot be written to: {error.strerror}.",
                fix="Make room or correct its rights, or set another outbox in [email].",
            ) from error
        if not written:
            raise Unsendable(f"{path} already holds another mail with this Message-ID.")
        return Sent(mail.message_id, None, f"Written to {path.name}")


def file_name(message_id: str) -> str:
    """The name of a mail's file: the Message-ID, or as much of it as can be a file's name."""
    bare = message_id.strip("<>")
    name = _NO_NAME.sub("_", bare)[:180].lstrip(".")
    if name != bare:
        name += "-" + hashlib.sha256(message_id.encode()).hexdigest()[:12]
    return f"{name}.eml"


def _write(path: Path, content: bytes) -> bool:
    """Put a file in its place, whole and durable; False if another one is there."""
    folder = path.parent
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not path.exists():
        # The name is the same after a crash, so no drafts pile up. One sender writes at a time.
        draft = folder / f".{path.name}.part"
        with draft.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    return path.read_bytes() == content
