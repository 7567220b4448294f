"""A transaction that runs in one go, in a thread of its own.

A statement of a `Database.write` takes its way to the driver's thread and back several times, which
is ten times as long as the statement itself. Who takes hundreds of transactions a second has each
of them done at a time instead: the same functions run over the same session, in a thread where
every statement is done when it is asked for and nothing ever waits for the event loop.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Coroutine, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, TypeVar, cast

from sqlalchemy import Connection, Engine, Result
from sqlalchemy.orm import Session

if TYPE_CHECKING:
    from crm_tui.db.engine import WriteSession

T = TypeVar("T")
Work = Callable[["WriteSession"], Coroutine[Any, Any, T]]


class _Rows:
    """What is asked of the result of a statement in plain SQL."""

    def __init__(self, rows: sqlite3.Cursor) -> None:
        self._rows = rows

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        return self._rows

    def all(self) -> list[tuple[Any, ...]]:
        return self._rows.fetchall()

    def scalar_one(self) -> Any:
        (value,) = self._rows.fetchone()
        return value


class _Connection:
    """What is asked of an AsyncConnection, done at once; plain SQL goes straight to the driver."""

    def __init__(self, connection: Connection, driver: sqlite3.Connection) -> None:
        self._connection = connection
        self._driver = driver

    async def execute(self, statement: Any, parameters: Any = None) -> Result[Any]:
        return self._connection.execute(statement, parameters)

    async def exec_driver_sql(
        self, statement: str, parameters: Sequence[Any] | Sequence[tuple[Any, ...]] = ()
    ) -> Result[Any]:
        many = isinstance(parameters, list)
        run = self._driver.executemany if many else self._driver.execute
        return cast("Result[Any]", _Rows(run(statement, parameters)))


class _Session:
    """What is asked of a WriteSession, done at once."""

    def __init__(self, connection: Connection, driver: sqlite3.Connection) -> None:
        self._connection = connection
        self._direct = _Connection(connection, driver)
        self._opened: Session | None = None

    @property
    def _session(self) -> Session:
        """The session of the ORM, where it is needed at all."""
        if self._opened is None:
            self._opened = Session(self._connection, expire_on_commit=False)
        return self._opened

    async def connection(self) -> _Connection:
        return self._direct

    async def execute(self, *arguments: Any, **options: Any) -> Result[Any]:
        return self._session.execute(*arguments, **options)

    async def scalars(self, *arguments: Any, **options: Any) -> Any:
        return self._session.scalars(*arguments, **options)

    async def scalar(self, *arguments: Any, **options: Any) -> Any:
        return self._session.scalar(*arguments, **options)

    async def get(self, *arguments: Any, **options: Any) -> Any:
        return self._session.get(*arguments, **options)

    def add(self, row: object) -> None:
        self._session.add(row)

    async def flush(self) -> None:
        if self._opened is not None:
            self._opened.flush()


class AtOnce:
    """Runs transactions on one connection, whose driver does not know of event loops.

    Args:
        engine: of one connection, for which it begins no transactions of its own.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._connection: Connection | None = None
        self._thread = ThreadPoolExecutor(1, "transactions")

    async def run(self, work: Work[T], *, begin: str) -> T:
        """Run a transaction: committed when `work` ends, rolled back when it raises.

        It comes to its end even if the task is cancelled meanwhile.
        """
        loop = asyncio.get_running_loop()
        running = loop.run_in_executor(self._thread, self._run, work, begin)
        try:
            return await asyncio.shield(running)
        except asyncio.CancelledError:
            await asyncio.wait({running})
            raise

    def _run(self, work: Work[T], begin: str) -> T:
        if self._connection is None:
            self._connection = self._engine.connect()
        connection = self._connection
        driver = connection.connection.driver_connection
        assert isinstance(driver, sqlite3.Connection)
        driver.execute(begin)
        try:
            result = _finish(_flushed(work, _Session(connection, driver)))
            driver.commit()
        except BaseException:
            driver.rollback()
            raise
        finally:
            connection.rollback()  # for SQLAlchemy's books: the driver's transaction is over
        return result

    def close(self) -> None:
        """Close the connection, in its thread, and end that."""
        self._thread.submit(self._close).result()
        self._thread.shutdown()

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._engine.dispose()


async def _flushed(work: Work[T], session: _Session) -> T:
    result = await work(cast("WriteSession", session))
    await session.flush()
    return result


def _finish(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine that has nothing to wait for."""
    try:
        work.send(None)
    except StopIteration as end:
        return cast("T", end.value)
    work.close()
    raise RuntimeError("a transaction that runs in one go awaited more than its session")
