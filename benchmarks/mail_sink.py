"""An SMTP server on loopback that takes every mail and keeps none: says its port, serves until killed."""

from __future__ import annotations

import asyncio
import sys

from aiosmtpd.smtp import SMTP, Envelope, Session


class _Sink:
    async def handle_DATA(self, _server: SMTP, _session: Session, _envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's name for it
        return "250 2.0.0 Ok: queued"


async def serve() -> None:
    """Serve on a free port, for as long as nobody ends it."""
    loop = asyncio.get_running_loop()
    sink = _Sink()
    listening = await loop.create_server(
        lambda: SMTP(sink, hostname="sink.test", ident="Sink"), "127.0.0.1", 0
    )
    sys.stdout.write(f"{listening.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    async with listening:
        await listening.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve())
