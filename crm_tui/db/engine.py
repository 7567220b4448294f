"""The one way to the store: readers that cannot write, writers that begin at once.

`Database.write()` holds the only commit in the project beside that of `write_at_once`. A writer
emits BEGIN IMMEDIATE itself, because a deferred transaction that turns into a write fails at once
when another process writes, without honouring the busy timeout. Within one process a lock keeps
writers in line.

A task that is cancelled stops its statement: cancelling alone would leave the SQL running in the
driver's thread. SQLAlchemy gives up the connection of a cancelled task, and we interrupt it first.
`Database.close()` waits for the threads of connections that were given up, too.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from array import array
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing, contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import URL, Engine, Select, create_engine, event
from sqlalchemy.exc import DatabaseError
from sqlalchemy.ext.asyncio import (
    AsyncConnection,
    AsyncEngine,
    AsyncSession,
    async_sessionmaker,
    create_async_engine,
)
from sqlalchemy.util import await_only

from crm_tui.db import functions
from crm_tui.db.at_once import AtOnce, Work
from crm_tui.db.driver import Connections, uri_of
from crm_tui.db.types import utc_text
from crm_tui.errors import StoreError

T = TypeVar("T")
BUSY_TIMEOUT_MS = 5000
_PRAGMAS = (
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = NORMAL",
    "PRAGMA foreign_keys = ON",
    f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}",
)
_READER_PRAGMAS = (*_PRAGMAS, "PRAGMA query_only = ON")
_SECURE_PRAGMAS = (*_PRAGMAS, "PRAGMA secure_delete = ON")
# What providers tell changes pages all over the store: with four times the usual 2 MB a tenth more of
# it is applied in a second.
_WRITER_PRAGMAS = (*_SECURE_PRAGMAS, "PRAGMA cache_size = -8000")
_DURABLE_PRAGMAS = (
    *_SECURE_PRAGMAS,
    "PRAGMA synchronous = FULL",
    # Of hundreds of small transactions a second many change the same pages: the longer the log, the
    # fewer of them are copied into the store.
    "PRAGMA wal_autocheckpoint = 4000",
)
_AT_ONCE = 50_000
"""Characters of numbers that are read before other threads have their turn: about a millisecond."""
_FULL = "database or disk is full"


class ReadSession(AsyncSession):
    """A session on a connection that cannot write."""


class WriteSession(ReadSession):
    """A session inside a write transaction; `Database.write` commits it, nothing else may."""


class Database:
    """An open store.

    Args:
        path: the SQLite file; it must exist and be migrated (services.store.open_store does both).
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._watch: AsyncConnection | None = None
        self._watches = 0
        self._one_watcher = asyncio.Lock()
        self._connections = Connections(path)
        self._readers = _engine(self._connections, _READER_PRAGMAS, begin="BEGIN", pool_size=4)
        self._writer = _engine(self._connections, _WRITER_PRAGMAS, begin="BEGIN IMMEDIATE")
        self._durable = _engine(self._connections, _DURABLE_PRAGMAS, begin="BEGIN IMMEDIATE")
        self._read_sessions = async_sessionmaker(
            self._readers, class_=ReadSession, expire_on_commit=False
        )
        self._write_sessions = async_sessionmaker(
            self._writer, class_=WriteSession, expire_on_commit=False
        )
        self._durable_sessions = async_sessionmaker(
            self._durable, class_=WriteSession, expire_on_commit=False
        )
        self._one_writer = asyncio.Lock()
        self._at_once: AtOnce | None = None

    @property
    def site_folder(self) -> Path:
        """The folder beside the store that holds a copy of every site's file."""
        return beside(self.path, "sites")

    @asynccontextmanager
    async def read(self) -> AsyncIterator[ReadSession]:
        """A session that sees one snapshot of the store and cannot change it.

        Raises:
            StoreError: the store cannot be read.
        """
        with store_errors(self.path):
            async with self._read_sessions() as session:
                yield session

    @asynccontextmanager
    async def write(self, *, durable: bool = False) -> AsyncIterator[WriteSession]:
        """One transaction: committed when the block ends, rolled back when it raises.

        Never await the network, a dialog or a file upload inside it.

        Args:
            durable: whether a power cut right after it must not forget it, as it may the last
                ones else: for what cannot be done twice.

        Raises:
            StoreError: the store cannot be written; nothing was changed.
        """
        sessions = self._durable_sessions if durable else self._write_sessions
        async with self._one_writer:
            with store_errors(self.path):
                async with sessions() as session:
                    await session.connection()
                    yield session
                    await session.commit()

    async def write_at_once(self, work: Work[T]) -> T:
        """One durable transaction like `write`, run in one go: for hundreds of them a second.

        Args:
            work: what is done with the session; it awaits nothing else.

        Raises:
            StoreError: the store cannot be written; nothing was changed.
        """
        async with self._one_writer:
            return await self._run_at_once(work, "BEGIN IMMEDIATE")

    async def read_at_once(self, work: Work[T]) -> T:
        """Look things up on the connection of `write_at_once`, whose `version_of` it shares.

        Raises:
            StoreError: the store cannot be read.
        """
        return await self._run_at_once(work, "BEGIN")

    async def _run_at_once(self, work: Work[T], begin: str) -> T:
        if self._at_once is None:
            engine = create_engine(_url(self.path, "sqlite"), pool_size=1)
            self._at_once = AtOnce(_prepared(engine, _DURABLE_PRAGMAS))
        with store_errors(self.path):
            return await self._at_once.run(work, begin=begin)

    async def integers(self, statement: Select[int]) -> array[int]:
        """All values of a statement with one integer column, in its order, eight bytes each.

        Runs on a connection and a thread of its own; cancelling the task stops the statement.

        Raises:
            StoreError: the store cannot be read.
        """
        compiled = statement.compile(
            dialect=self._readers.dialect, compile_kwargs={"render_postcompile": True}
        )
        parameters = compiled.construct_params(escape_names=False)
        in_order = tuple(_stored(parameters[name]) for name in compiled.positiontup or ())
        # As one text: rows would pass the interpreter's lock to and fro a million times, and the
        # screen with them. SQLite keeps the order of a subquery for group_concat.
        in_one = f"WITH found (number) AS ({compiled}) SELECT group_concat(number) FROM found"  # noqa: S608 - compiled by us
        connection = sqlite3.connect(
            uri_of(self.path),
            uri=True,
            isolation_level=None,
            check_same_thread=False,
        )

        def fetch() -> array[int]:
            with store_errors(self.path), closing(connection):
                connection.execute("PRAGMA query_only = ON")
                functions.register(connection)
                (numbers,) = connection.execute(in_one, in_order).fetchone()
                return _integers(numbers or "")

        work = asyncio.ensure_future(asyncio.to_thread(fetch))
        try:
            return await asyncio.shield(work)
        except asyncio.CancelledError:
            with suppress(sqlite3.ProgrammingError):  # the connection was closed: it had finished
                connection.interrupt()
            with suppress(sqlite3.OperationalError):
                await work
            raise

    async def data_version(self) -> int:
        """A number that differs when another connection has changed the store since."""
        with store_errors(self.path):
            async with self._one_watcher:
                if self._watch is None:
                    self._watch = await self._readers.connect()
                    self._watches += 1
                try:
                    version = (
                        await self._watch.exec_driver_sql("PRAGMA data_version")
                    ).scalar_one()
                    await self._watch.rollback()
                except BaseException:
                    # The connection of a task that was cancelled is given up; the next look takes
                    # another, which counts from its own beginning.
                    given_up, self._watch = self._watch, None
                    with suppress(DatabaseError):
                        await given_up.close()
                    raise
        return self._watches << 32 | int(version)

    async def close(self) -> None:
        """Close every connection; the driver's threads would otherwise keep the program alive."""
        if self._watch is not None:
            await self._watch.close()
            self._watch = None
        await self._readers.dispose()
        await self._writer.dispose()
        await self._durable.dispose()
        await self._connections.close()
        if self._at_once is not None:
            await asyncio.to_thread(self._at_once.close)
            self._at_once = None


async def version_of(session: ReadSession) -> int:
    """A number that differs when another connection than the session's has changed the store."""
    connection = await session.connection()
    return int((await connection.exec_driver_sql("PRAGMA data_version")).scalar_one())


def _integers(text: str) -> array[int]:
    """Numbers with commas between them, read a piece at a time, so that other threads have turns."""
    numbers: array[int] = array("q")
    start = 0
    while start < len(text):
        end = text.find(",", start + _AT_ONCE)
        if end < 0:
            end = len(text)
        numbers.extend(map(int, text[start:end].split(",")))
        start = end + 1
    return numbers


def _stored(value: Any) -> Any:
    """A parameter as it is stored, for a statement that goes past SQLAlchemy's types."""
    return utc_text(value) if isinstance(value, datetime) else value


def beside(store: Path, what: str) -> Path:
    """A file or folder that belongs to a store: crm.db → crm.db.sites."""
    return store.with_name(f"{store.name}.{what}")


@contextmanager
def store_errors(path: Path) -> Iterator[None]:
    """Turn the driver's words about a store that cannot be used into ours."""
    try:
        yield
    except (DatabaseError, sqlite3.DatabaseError) as error:
        sentence = _sentence(str(getattr(error, "orig", error)), path)
        if sentence is None:
            raise
        raise StoreError(sentence) from error


def is_full(error: BaseException) -> bool:
    """Whether a store could not be written because its disk is full."""
    return _FULL in str(error.__cause__)


def reason_of(error: StoreError) -> str:
    """Why a store could not be used, for who knows better what was changed before."""
    return str(error).partition(" Nothing was changed")[0]


def _sentence(problem: str, path: Path) -> str | None:
    sentences = {
        "database is locked": f"The store {path} is locked by another program. "
        "Wait until it has finished, or close it, and try again.",
        _FULL: f"The disk that holds {path} is full. Nothing was changed; make room and try again.",
        "attempt to write a readonly database": f"The store {path} cannot be written: the file or "
        "its folder is read-only. Nothing was changed.",
        "unable to open database file": f"The store {path} cannot be opened. Check that its folder "
        "exists and that you may write there.",
        "disk I/O error": f"The disk that holds {path} reported an error. Nothing was changed; "
        "check the disk, and see `crm-tui doctor`.",
        "database disk image is malformed": f"The store {path} is damaged. Restore a backup with "
        "`crm-tui restore FILE`; `crm-tui doctor` tells more.",
        "file is not a database": f"{path} is not a store of crm-tui: it is not an SQLite file.",
    }
    return next((said for words, said in sentences.items() if words in problem), None)


def _engine(
    connections: Connections, pragmas: tuple[str, ...], *, begin: str, pool_size: int = 1
) -> AsyncEngine:
    # The pool logs an error when a task is cancelled while its connection is put back, although
    # it gives that connection up and all is well; on stderr that would stand in the middle of the
    # screen.
    logging.getLogger("sqlalchemy.pool").setLevel(logging.CRITICAL)
    engine = create_async_engine(
        _url(connections.path, "sqlite+aiosqlite"),
        async_creator=connections.make,
        pool_size=pool_size,
        max_overflow=0,
    )
    _prepared(engine.sync_engine, pragmas)

    @event.listens_for(engine.sync_engine, "begin")
    def start(connection: Any) -> None:
        connection.exec_driver_sql(begin)

    @event.listens_for(engine.sync_engine, "invalidate")
    def stop_statement(connection: Any, _record: Any, _error: BaseException | None) -> None:
        with suppress(ValueError):  # the driver's word for a connection that is closed already
            await_only(connection.driver_connection.interrupt())

    return engine


def _url(path: Path, driver: str) -> URL:
    # A store that is gone is gone: SQLite would otherwise make an empty one in its place.
    query = {"mode": "rw", "uri": "true"}
    return URL.create(driver, database=path.absolute().as_uri(), query=query)


def _prepared(engine: Engine, pragmas: tuple[str, ...]) -> Engine:
    """The engine with connections that begin no transactions of their own."""

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _record: Any) -> None:
        # The driver must not open transactions of its own: it would begin them deferred.
        connection.isolation_level = None
        cursor = connection.cursor()
        for pragma in pragmas:
            cursor.execute(pragma)
        cursor.close()
        functions.register(connection)

    return engine
