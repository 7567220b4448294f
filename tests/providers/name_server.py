"""A small real name server on loopback: what it is told, over UDP and TCP."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import cast

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset


@dataclass
class NameServer:
    """Answers from `zone` (name and type to the texts of records); other names do not exist.

    A name that has other records, or names below it, exists. What is asked is kept in `asked`.
    """

    zone: dict[tuple[str, str], list[str]]
    fails: set[str] = field(default_factory=set)
    """Names for which it answers SERVFAIL."""
    deaf: set[str] = field(default_factory=set)
    """Names for which it answers nothing."""
    port: int = 0
    asked: list[tuple[str, str]] = field(default_factory=list)

    def answer(self, wire: bytes, *, room: int = 65535) -> bytes | None:
        query = dns.message.from_wire(wire)
        question = query.question[0]
        name = question.name.to_text(omit_final_dot=True).lower()
        kind = dns.rdatatype.to_text(question.rdtype)
        self.asked.append((name, kind))
        if name in self.deaf:
            return None
        reply = dns.message.make_response(query, recursion_available=True)
        if name in self.fails:
            reply.set_rcode(dns.rcode.SERVFAIL)
        elif records := self.zone.get((name, kind)):
            rrset = dns.rrset.from_text(question.name, 60, "IN", question.rdtype, *records)
            reply.answer.append(rrset)
        elif not any(known == name or known.endswith(f".{name}") for known, _ in self.zone):
            reply.set_rcode(dns.rcode.NXDOMAIN)
        sent = reply.to_wire()
        if len(sent) > room:
            short = dns.message.make_response(query, recursion_available=True)
            short.flags |= dns.flags.TC
            sent = short.to_wire()
        return sent


class _Udp(asyncio.DatagramProtocol):
    def __init__(self, server: NameServer) -> None:
        self._server = server

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        if sent := self._server.answer(data, room=512):
            self._transport.sendto(sent, addr)


@asynccontextmanager
async def name_server(
    zone: dict[tuple[str, str], list[str]], *, knows_the_root: bool = True
) -> AsyncIterator[NameServer]:
    """A name server of one's own; where it does not know the root, it makes answers up."""
    root = {(".", "NS"): ["a.root-servers.net."]} if knows_the_root else {}
    server = NameServer({**root, **zone})

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        size = int.from_bytes(await reader.readexactly(2), "big")
        if sent := server.answer(await reader.readexactly(size)):
            writer.write(len(sent).to_bytes(2, "big") + sent)
            await writer.drain()
        writer.close()

    transport, tcp = await _on_one_port(server, serve)
    try:
        yield server
    finally:
        transport.close()
        tcp.close()
        await tcp.wait_closed()


async def _on_one_port(
    server: NameServer,
    serve: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]],
) -> tuple[asyncio.DatagramTransport, asyncio.Server]:
    """Listen over UDP and TCP; a port that is free for one may be taken for the other."""
    loop = asyncio.get_running_loop()
    while True:
        transport, _ = await loop.create_datagram_endpoint(
            lambda: _Udp(server), local_addr=("127.0.0.1", 0)
        )
        server.port = transport.get_extra_info("sockname")[1]
        try:
            return transport, await asyncio.start_server(serve, "127.0.0.1", server.port)
        except OSError as error:
            transport.close()
            if error.errno != errno.EADDRINUSE:
                raise
