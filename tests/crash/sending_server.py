"""An SMTP server in a process of its own that notes every mail it took in a file, on the disk first.

    python -m tests.crash.sending_server FILE

It says its port. A mail is noted before it is answered: what is in the file was taken, whether the
sender heard of it or not.
"""

from __future__ import annotations

import asyncio
import os
import sys
from email import message_from_bytes
from pathlib import Path

from aiosmtpd.smtp import SMTP, Envelope, Session


class _Notes:
    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's name for it
        assert isinstance(envelope.content, bytes)
        message_id = message_from_bytes(envelope.content)["Message-ID"]
        os.write(self._file, f"{message_id} {envelope.rcpt_tos[0]}\n".encode())
        return "250 2.0.0 Ok: queued"


async def serve(path: Path) -> None:
    """Serve on a free port, for as long as nobody ends it."""
    notes = _Notes(path)
    listening = await asyncio.get_running_loop().create_server(
        lambda: SMTP(notes, hostname="sink.test", ident="Notes"), "127.0.0.1", 0
    )
    sys.stdout.write(f"{listening.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    async with listening:
        await listening.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1])))
