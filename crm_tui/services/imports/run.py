"""Importing a file: read in a thread, matched and written chunk by chunk, reported row by row.

An import is a batch. Each chunk is one short transaction, so that others can write in between, and
what one chunk wrote the next one finds in the store. A batch that ends in an error is taken back;
one the operator cancels stays and can be undone; one whose process died is taken back at the next
start.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping, Sequence
from contextlib import aclosing, nullcontext
from datetime import datetime
from pathlib import Path
from time import perf_counter

from sqlalchemy import update

from crm_tui.config import Settings
from crm_tui.db.engine import Database, ReadSession, WriteSession, is_full
from crm_tui.db.models import ImportBatch
from crm_tui.errors import BadInput, StoreError, UserError
from crm_tui.services.addresses import country_code
from crm_tui.services.imports import legacy
from crm_tui.services.imports.batches import take_back_interrupted
from crm_tui.services.imports.before import changes, identities, load_before, raw_ids
from crm_tui.services.imports.captured import CapturedLead, CapturedSite, ReadOptions
from crm_tui.services.imports.chunks import Pace, chunks
from crm_tui.services.imports.mapping import guess, parse_map
from crm_tui.services.imports.owner import owner
from crm_tui.services.imports.plan import Record, plan
from crm_tui.services.imports.prepare import prepare
from crm_tui.services.imports.readers import plain
from crm_tui.services.imports.reading import read
from crm_tui.services.imports.rehearsal import Rehearsal, rehearsal
from crm_tui.services.imports.result import ImportResult, Progress
from crm_tui.services.imports.rows import Before, Origin, Rows
from crm_tui.services.imports.saved import save_mapping, saved_mapping
from crm_tui.services.imports.sniff import sniff
from crm_tui.services.imports.source import Source
from crm_tui.services.imports.undo import take_back
from crm_tui.services.imports.write import Bound, bind, write
from crm_tui.services.sites import files
from crm_tui.text import fold, visible
from crm_tui.vocabulary import BatchState

_SAMPLE = 100
_LEAD_WEIGHT, _HEAVIEST = 2_000, 4_000_000
# While a list is written, its indexes are touched all over: more pages in memory, and fewer
# checkpoints, each of which copies every touched page.
_FOR_WRITING = ("PRAGMA cache_size = -32000", "PRAGMA wal_autocheckpoint = 8000")
_AS_USUAL = ("PRAGMA cache_size = -2000", "PRAGMA wal_autocheckpoint = 1000")

ProgressCallback = Callable[[Progress], None]


async def import_file(
    db: Database,
    path: Path,
    *,
    settings: Settings,
    now: datetime,
    format_name: str | None = None,
    mapping: Mapping[str, str] | None = None,
    tags: Sequence[str] = (),
    region: str | None = None,
    dry_run: bool = False,
    stage: Rehearsal | None = None,
    progress: ProgressCallback = lambda _progress: None,
    cancelled: Callable[[], bool] = lambda: False,
) -> ImportResult:
    """Import a file, or find out what importing it would do.

    Args:
        db: The store; a dry run only reads it.
        path: The file.
        settings: The default region and the weights of the score.
        now: Aware UTC.
        format_name: One of sniff.FORMATS where the operator knows better.
        mapping: Columns of an unknown table by what they mean, over what was saved or is guessed.
        tags: Words that mark every lead of the file.
        region: ISO 3166 region of phones whose row names no country; None takes the setting.
        dry_run: Change nothing.
        stage: Of a dry run of several files, what the ones before came to; None for one alone.
        progress: Called after every chunk.
        cancelled: Asked before every chunk; what was imported until then stays, and can be undone.

    Raises:
        BadInput: The file cannot be imported, or breaks off in the middle; nothing of it was.
        StoreError: The store cannot be written; nothing of the file is left in it.
    """
    source = await asyncio.to_thread(sniff, path, forced=format_name)
    with source:
        options = ReadOptions(
            default_region=_country(region or settings.imports.default_region),
            mapping=await _mapping(db, source, mapping or {}),
        )
        work = _Import(source, options, tags, settings, now)
        if dry_run:
            alone = nullcontext(stage) if stage is not None else rehearsal(db, now=now)
            async with alone as on:
                return await work.run(on.stage, progress, cancelled, on)
        await take_back_interrupted(db, settings=settings, now=now)
        if mapping:
            async with db.write() as session:
                await save_mapping(session, source.headers, options.mapping or {}, now=now)
        return await work.run(db, progress, cancelled)


def _country(region: str) -> str:
    code = country_code(region)
    if not code:
        raise BadInput(
            f"{region!r} is not a country. Give two letters such as US, with --region or as "
            "default_region in the [import] section of the configuration."
        )
    return code


async def _mapping(
    db: Database, source: Source, given: Mapping[str, str]
) -> Mapping[str, str] | None:
    """What the columns of a table mean: as saved, else as guessed, and over that as given."""
    if source.format != "csv":
        if given:
            raise BadInput(f"{source.path} is a list from {source.format}, which needs no --map.")
        return None
    words = [f"{column}={field}" for column, field in given.items()]
    told = parse_map(words, source.headers)
    async with db.read() as session:
        known = await saved_mapping(session, source.headers)
    if known is None:
        sample = await asyncio.to_thread(plain.sample, source, _SAMPLE)
        known = guess(source.headers, sample)
    return known | told


class _Import:
    """One import of one file."""

    def __init__(
        self,
        source: Source,
        options: ReadOptions,
        tags: Sequence[str],
        settings: Settings,
        now: datetime,
    ) -> None:
        self._source = source
        self._options = options
        self._name = _storable(source.path.name)
        words = (" ".join(_storable(tag).split()) for tag in tags)
        self._tags = {fold(word): word for word in words if word}
        self._mark: tuple[int, int] | None = None
        self._settings = settings
        self._now = now
        self._pace = Pace()
        self._result = ImportResult(self._name, source.format)

    async def run(
        self,
        db: Database,
        progress: ProgressCallback,
        cancelled: Callable[[], bool],
        rehearsing: Rehearsal | None = None,
    ) -> ImportResult:
        """Import into a store, or onto the stage of a rehearsal."""
        with owner(db.path) as name:
            try:
                await self._all(db, name, progress, cancelled, rehearsing)
            except asyncio.CancelledError:
                await asyncio.shield(self._end(db, BatchState.CANCELLED))
                raise
            except Exception as error:
                await self._take_back(db, error, rehearsing=rehearsing is not None)
                raise
        if rehearsing is not None:
            self._result.batch = None
        return self._result

    async def _all(
        self,
        db: Database,
        owner_name: str,
        progress: ProgressCallback,
        cancelled: Callable[[], bool],
        rehearsing: Rehearsal | None,
    ) -> None:
        async with aclosing(self._chunks()) as all_chunks:
            async for chunk in all_chunks:
                if cancelled():
                    self._result.cancelled = True
                    break
                if self._result.batch is None:
                    self._result.batch = await self._begin(db, owner_name)
                if rehearsing is not None:
                    await rehearsing.bring(identities(chunk), raw_ids(chunk))
                await self._import(db, chunk)
                seen = self._result.seen + self._result.sites + self._result.unmatched
                progress(Progress(seen, self._source.position(), self._source.size))
        if self._result.batch is None and not self._result.cancelled:
            raise BadInput(f"{self._source.path} holds no leads. Export the list again.")
        await self._end(db, BatchState.CANCELLED if self._result.cancelled else BatchState.DONE)

    def _chunks(self) -> AsyncGenerator[list[Record]]:
        return chunks(self._records(), self._pace, weight=_weight, heaviest=_HEAVIEST)

    def _records(self) -> Iterator[Record]:
        """The records of the file, prepared; runs in the reading thread."""
        source = self._source
        if source.format == "legacy":
            captured = legacy.read(source, self._options)
        else:
            captured = read(source, self._options)
        for record in captured:
            if isinstance(record, CapturedLead):
                yield prepare(record, source=source.format, now=self._now)
            else:
                yield record

    async def _begin(self, db: Database, owner_name: str) -> int:
        async with db.write() as session:
            await _set(session, _FOR_WRITING)
            batch = ImportBatch(
                file_name=self._name,
                format=self._source.format,
                owner=owner_name,
                options={"tags": list(self._tags.values()), "mapping": self._options.mapping},
                started_at=self._now,
            )
            session.add(batch)
            await session.flush()
            self._mark = await changes(session)
            return batch.id

    async def _import(self, db: Database, chunk: Sequence[Record]) -> None:
        """Decide what becomes of a chunk, and write that, unless somebody else wrote meanwhile."""
        async with db.read() as session:
            planned = await self._decide(session, chunk)
        async with db.write() as session:
            started = perf_counter()
            if self._mark is None or self._mark != await changes(session):
                planned = await self._decide(session, chunk)
            rows, bound = planned
            await write(session, rows, bound)
            self._result.count(rows)
            await session.execute(
                update(ImportBatch)
                .where(ImportBatch.id == self._result.batch)
                .values(self._counts())
            )
            self._mark = await changes(session)
        self._pace.took(len(chunk), perf_counter() - started)
        if rows.sites:
            problems = await files.restore(db, [row["id"] for row in rows.sites])
            for slug, problem in problems.items():
                said = f"the page of site {slug} could not be written ({problem}); opening it does"
                self._result.add_problem(0, said)

    async def _decide(
        self, session: ReadSession, chunk: Sequence[Record]
    ) -> tuple[Rows, list[Bound]]:
        assert self._result.batch is not None
        origin = Origin(
            self._result.batch,
            self._name,
            self._settings.score,
            self._now,
            self._tags,
        )
        before = await load_before(session, chunk)
        return await asyncio.to_thread(_decide, chunk, before, origin)

    def _counts(self) -> dict[str, int]:
        result = self._result
        return {
            "seen": result.seen,
            "created": result.created,
            "merged": result.merged,
            "skipped": result.skipped,
            "rejected": result.rejected,
            "unmatched": result.unmatched,
        }

    async def _end(self, db: Database, state: BatchState) -> None:
        if self._result.batch is None:
            return
        async with db.write() as session:
            await session.execute(
                update(ImportBatch)
                .where(ImportBatch.id == self._result.batch)
                .values(state=state, owner=None, finished_at=self._now)
            )
            await _set(session, _AS_USUAL)

    async def _take_back(self, db: Database, error: Exception, *, rehearsing: bool) -> None:
        """Take back what was imported before an error, and say so."""
        batch_id = self._result.batch
        if batch_id is None:
            return
        try:
            await take_back(db, batch_id, settings=self._settings, now=self._now)
            async with db.write() as session:
                await _set(session, _AS_USUAL)
        except StoreError as again:
            raise StoreError(_not_yet(db, error, again)) from again
        if isinstance(error, UserError) and not rehearsing:
            raise type(error)(f"{error} What was imported before it was taken back.") from error


def _not_yet(db: Database, error: Exception, again: StoreError) -> str:
    """Say that what an import wrote before an error is still there, and why."""
    # What the store says of itself, that nothing was changed, is true of its last transaction only.
    said = "" if isinstance(error, StoreError) else f"{error} "
    if is_full(again):
        return (
            f"{said}The disk that holds {db.path} is full. What was imported so far is taken back "
            "at the next start, once there is room."
        )
    words = visible(str(getattr(again.__cause__, "orig", again.__cause__)), 200)
    return (
        f"{said}The store {db.path} cannot be written ({words}). What was imported so far is "
        "taken back at the next start."
    )


def _storable(argument: str) -> str:
    """A file name or an argument as text: bytes that are none become U+FFFD."""
    return argument.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _decide(chunk: Sequence[Record], before: Before, origin: Origin) -> tuple[Rows, list[Bound]]:
    rows = plan(chunk, before, origin)
    return rows, bind(rows)


def _weight(record: Record) -> int:
    if isinstance(record, CapturedSite):
        return len(record.html) + len(record.css) + len(record.js) + _LEAD_WEIGHT
    return _LEAD_WEIGHT


async def _set(session: WriteSession, pragmas: Sequence[str]) -> None:
    connection = await session.connection()
    for pragma in pragmas:
        await connection.exec_driver_sql(pragma)
