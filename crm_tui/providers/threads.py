"""Work that blocks, such as looking a name up, in threads that nobody has to wait for."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any, TypeVar

T = TypeVar("T")


async def in_thread(work: Callable[[], T]) -> T:
    """Run something that blocks, in a thread of its own.

    Unlike those of asyncio.to_thread, such a thread does not keep the program from ending: a name
    that is being looked up, or a program that asks for a password, may take half a minute.
    """
    loop = asyncio.get_running_loop()
    outcome: asyncio.Future[T] = loop.create_future()

    def run() -> None:
        try:
            result = work()
        except BaseException as error:  # noqa: BLE001 - it is raised where it is waited for
            tell = partial(_fail, outcome, error)
        else:
            tell = partial(_fulfil, outcome, result)
        with suppress(RuntimeError):  # the loop has ended, and nobody waits
            loop.call_soon_threadsafe(tell)

    threading.Thread(target=run, name="mail", daemon=True).start()
    return await outcome


def addresses_of(host: str, port: int) -> list[tuple[int, int, int, str, Any]]:
    """The addresses of a server, as the functions of `socket` take them; blocks.

    Raises:
        socket.gaierror: there are none, or nobody can be asked.
    """
    try:
        return [
            (int(family), int(kind), protocol, name, address)
            for family, kind, protocol, name, address in socket.getaddrinfo(
                host, port, type=socket.SOCK_STREAM
            )
        ]
    except UnicodeError:
        raise socket.gaierror(socket.EAI_NONAME, "it can be no name of a server") from None


def _fulfil(outcome: asyncio.Future[T], result: T) -> None:
    if not outcome.done():
        outcome.set_result(result)


def _fail(outcome: asyncio.Future[T], error: BaseException) -> None:
    if not outcome.done():
        outcome.set_exception(error)
