"""Taking actions back and doing them again, part by part."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import func, select, update

from crm_tui.config import ScoreSettings, Settings
from crm_tui.db.engine import Database, ReadSession, WriteSession, reason_of
from crm_tui.db.models import Business, UndoChange, UndoEntry
from crm_tui.db.types import listed
from crm_tui.errors import BadInput, NotFound, StoreError
from crm_tui.services.undo.apply import Turned, turn
from crm_tui.services.undo.changes import RecordId, load
from crm_tui.services.undo.history import REDOABLE, UNDOABLE, EntryLine, next_redo, next_undo
from crm_tui.vocabulary import ChangeState, UndoState

TOGETHER = 3_000
"""How many changes one transaction turns at most, unless a part of an action holds more."""

_LIGHT = frozenset({"business", "business_tag", "event", "tag", "task"})
"""Tables of which many changes are turned in a moment."""


@dataclass(frozen=True, slots=True)
class Left:
    """A lead that was left as it is, and why; no id where it was something else."""

    business_id: int | None
    name: str
    why: str


@dataclass(slots=True)
class Undone:
    """What was undone (or done again), in words: how many leads, and which were left as they are.

    A lead that was left in part counts as left. `any_done` says whether anything was turned, if only
    lines of timelines; `stopped` that it was cancelled halfway: the next undo goes on with it.
    """

    words: str
    restored: int = 0
    left: list[Left] = field(default_factory=list)
    any_done: bool = False
    stopped: bool = False


def _nothing(_done: int, _total: int) -> None:
    """Report to nobody."""


async def undo(
    db: Database,
    *,
    settings: Settings,
    now: datetime,
    entry_id: int | None = None,
    progress: Callable[[int, int], None] = _nothing,
    cancelled: Callable[[], bool] = lambda: False,
) -> Undone:
    """Take back the last action, or the one named; each of its parts in one transaction.

    Exactly the fields it wrote get back what they held, where they still hold what it wrote. Small
    parts are taken together.

    Args:
        db: the store.
        settings: for what is computed again.
        now: aware UTC.
        entry_id: an action other than the last.
        progress: called after every transaction with how many parts are done, of how many.
        cancelled: asked before every transaction whether to stop.

    Raises:
        BadInput: there is nothing to undo, or that action is not one that can be.
        NotFound: there is no such action.
    """
    return await _Reversal(db, settings, now, undoing=True).run(entry_id, progress, cancelled)


async def redo(
    db: Database,
    *,
    settings: Settings,
    now: datetime,
    entry_id: int | None = None,
    progress: Callable[[int, int], None] = _nothing,
    cancelled: Callable[[], bool] = lambda: False,
) -> Undone:
    """Do again the action that was undone last, or the one named; the arguments are those of undo.

    Raises:
        BadInput: there is nothing to do again, or that action is not one that can be.
        NotFound: there is no such action.
    """
    return await _Reversal(db, settings, now, undoing=False).run(entry_id, progress, cancelled)


async def reverse(
    session: WriteSession, entry_id: int, words: str, *, score: ScoreSettings, now: datetime
) -> list[Left]:
    """Take an action back as a part of another one, which is being recorded.

    The action taken back stands as done: undoing the one at hand brings it back.

    Args:
        session: the transaction of the action at hand.
        entry_id: the action to take back.
        words: what is being done, for the timelines its events disappear from.
        score: for what is computed again.
        now: aware UTC.

    Returns what was left as it is, and why.
    """
    left: dict[RecordId, tuple[int | None, str]] = {}
    for parts in await _parts(session, entry_id, ChangeState.DONE, reverse=True):
        written = await load(session, entry_id, parts, ChangeState.DONE, undoing=True)
        turned = await turn(
            session, written, words=words, undoing=True, score=score, now=now, in_book=False
        )
        left |= {each: (turned.owners[each], why) for each, why in turned.left.items()}
    return await _name(session, left)


@dataclass(frozen=True, slots=True)
class _Reversal:
    db: Database
    settings: Settings
    now: datetime
    undoing: bool

    async def run(
        self,
        entry_id: int | None,
        progress: Callable[[int, int], None],
        cancelled: Callable[[], bool],
    ) -> Undone:
        async with self.db.write() as session:
            entry = await self._choose(session, entry_id)
            state = UndoState.UNDOING if self.undoing else UndoState.REDOING
            await self._set_state(session, entry.id, state)
        result = Undone(entry.words)
        async with self.db.read() as session:
            groups = await _parts(session, entry.id, self._from_state, reverse=self.undoing)
        total = sum(map(len, groups))
        left: dict[RecordId, tuple[int | None, str]] = {}
        taken: list[int] = []
        for parts in groups:
            if cancelled():
                result.stopped = True
                break
            try:
                async with self.db.write() as session:
                    turned = await self._turn(session, entry, parts)
            except StoreError as error:
                if not taken:
                    raise
                how_far = f"It came through {len(taken)} of {total} parts; try again to go on."
                raise StoreError(f"{reason_of(error)} {how_far}") from error
            left |= {each: (turned.owners[each], why) for each, why in turned.left.items()}
            taken += parts
            progress(len(taken), total)
        async with self.db.read() as session:
            result.left = await _name(session, left)
            kept = [each.business_id for each in result.left if each.business_id is not None]
            result.restored = await self._restored(session, entry.id, taken, but=kept)
            result.any_done = result.restored > 0 or (
                bool(kept) and await self._restored(session, entry.id, taken) > 0
            )
        if not result.stopped:
            await self._finish(entry.id, any_done=result.any_done or not groups)
        elif not taken:
            async with self.db.write() as session:
                await self._set_state(session, entry.id, entry.state)
        return result

    async def _choose(self, session: ReadSession, entry_id: int | None) -> EntryLine:
        able = UNDOABLE if self.undoing else REDOABLE
        if entry_id is None:
            found = await (next_undo(session) if self.undoing else next_redo(session))
            if found is None:
                raise BadInput(f"There is nothing to {'undo' if self.undoing else 'redo'}.")
            return found
        entry = await session.get(UndoEntry, entry_id)
        if entry is None:
            raise NotFound(f"There is no action {entry_id}. See `crm-tui undo --list`.")
        if entry.state not in able:
            done = "undone already" if self.undoing else "not one that was undone"
            raise BadInput(f"Action {entry_id} ({entry.words}) is {done}.")
        return EntryLine(entry.id, entry.words, entry.state, entry.created_at)

    async def _set_state(self, session: WriteSession, entry_id: int, state: UndoState) -> None:
        await session.execute(
            update(UndoEntry)
            .where(UndoEntry.id == entry_id)
            .values(state=state, changed_at=self.now)
        )

    async def _restored(
        self, session: ReadSession, entry_id: int, parts: Sequence[int], *, but: Sequence[int] = ()
    ) -> int:
        """How many leads these parts turned, but for some; other records where it was none."""
        if not parts:
            return 0
        turned = (
            UndoChange.entry_id == entry_id,
            UndoChange.part.between(min(parts), max(parts)),
            UndoChange.state == (ChangeState.UNDONE if self.undoing else ChangeState.DONE),
            func.coalesce(UndoChange.business_id, 0).not_in(listed(but)),
        )
        leads = select(func.count(UndoChange.business_id.distinct())).where(*turned)
        record = UndoChange.table_name + UndoChange.record
        others = select(func.count(record.distinct())).where(*turned)
        return await session.scalar(leads) or await session.scalar(others) or 0

    @property
    def _from_state(self) -> ChangeState:
        return ChangeState.DONE if self.undoing else ChangeState.UNDONE

    async def _turn(self, session: WriteSession, entry: EntryLine, parts: Sequence[int]) -> Turned:
        written = await load(session, entry.id, parts, self._from_state, undoing=self.undoing)
        return await turn(
            session,
            written,
            words=entry.words,
            undoing=self.undoing,
            score=self.settings.score,
            now=self.now,
        )

    async def _finish(self, entry_id: int, *, any_done: bool) -> None:
        after = UndoState.UNDONE if self.undoing else UndoState.DONE
        async with self.db.write() as session:
            await self._set_state(session, entry_id, after if any_done else UndoState.DROPPED)


async def _parts(
    session: ReadSession, entry_id: int, state: ChangeState, *, reverse: bool
) -> list[list[int]]:
    """The parts of an action that have changes in this state, in their order or the reverse.

    Those that are turned together stand together. A part with other records than those of `_LIGHT`
    stands alone: what follows from contacts takes its time, and where a merge cannot be turned,
    nothing else of its part is.
    """
    others = UndoChange.table_name.not_in(_LIGHT)
    found = await session.execute(
        select(UndoChange.part, func.count(), func.max(others))
        .where(UndoChange.entry_id == entry_id, UndoChange.state == state)
        .group_by(UndoChange.part)
        .order_by(UndoChange.part.desc() if reverse else UndoChange.part)
    )
    groups: list[list[int]] = []
    room = 0
    for part, changes, alone in found:
        if alone or changes > room:
            groups.append([])
            room = TOGETHER
        groups[-1].append(part)
        room = 0 if alone else room - changes
    return groups


async def _name(session: ReadSession, left: dict[RecordId, tuple[int | None, str]]) -> list[Left]:
    """The leads that were left with their names, each once; other records by their table."""
    owners = {owner for owner, _ in left.values() if owner is not None}
    rows = await session.execute(select(Business.id, Business.name).where(Business.id.in_(owners)))
    names = {row.id: row.name for row in rows}
    lines: dict[int | RecordId, Left] = {}
    for record, (owner, why) in left.items():
        name = names.get(owner, f"lead {owner}") if owner else f"a {record.table.replace('_', ' ')}"
        lines.setdefault(owner or record, Left(owner, name, why))
    return list(lines.values())
