"""Taking one part of an action back, or doing it again, within one transaction."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from sqlalchemy import Select, Text, cast, func, literal, select, update

from crm_tui.config import ScoreSettings
from crm_tui.db.engine import WriteSession
from crm_tui.db.models import Business, Event, UndoChange
from crm_tui.db.types import listed
from crm_tui.services import activity, derived, search, statuses, voiding
from crm_tui.services.money import buying
from crm_tui.services.polling import touches
from crm_tui.services.sending import settling
from crm_tui.services.sites import gather
from crm_tui.services.undo.changes import Change, Part, RecordId, Values, disagreements
from crm_tui.services.undo.rows import write
from crm_tui.vocabulary import ChangeState, EventKind

_MERGED_ON = "it has gone into another lead since; split that one first"
_NOT_FACTS = frozenset(
    {"archived_at", "outcome", "outcome_reason", "do_not_contact", "do_not_contact_reason"}
)
"""Columns of a business from which nothing else follows."""

_TOUCHED = frozenset({"opened_at", "clicked_at"})
"""Columns of a message that follow from its opens and clicks."""


@dataclass(slots=True)
class Turned:
    """What became of a part: which records were left as they are, and why; whose they are."""

    left: dict[RecordId, str] = field(default_factory=dict)
    owners: dict[RecordId, int | None] = field(default_factory=dict)


async def turn(
    session: WriteSession,
    part: Part,
    *,
    words: str,
    undoing: bool,
    score: ScoreSettings,
    now: datetime,
    in_book: bool = True,
) -> Turned:
    """Turn what a part of an action wrote.

    Without `in_book` the action stands as it did: another one takes it back, and is recorded.
    """
    left, settled = await disagreements(session, part.changes)
    if any(record.table == "merge" for record in left):
        return Turned({c.record: _MERGED_ON for c in part.changes}, _owners(part.changes))
    wanted = [c for c in part.changes if c.record not in left and c.record not in settled]
    written, refused = await write(session, wanted, write_down=undoing and in_book)
    left |= refused
    part = await _but_of(session, part, {c.business_id for c in wanted if c.record in refused})
    await _follow(session, written, part.leads, score=score, now=now)
    beginning = await _void(session, part, words=words, undoing=undoing, now=now)
    await _judge(session, part.changes)
    if undoing:
        await _stay_bought(session, written, now=now)
    else:
        for business_id in sorted(_payers(written)):
            await buying.bought_first(session, business_id, now=now)
    if in_book:
        done = [c.id for c in part.changes if c.record in settled] + [c.id for c in written]
        await _mark(session, done, undoing=undoing)
        await _mark(session, part.told, undoing=undoing, beginning=beginning if undoing else "")
        await _mark_left(session, [c.id for c in part.changes if c.record in left])
    return Turned(left, _owners(c for c in part.changes if c.record in left))


async def _but_of(session: WriteSession, part: Part, leads: Collection[int | None]) -> Part:
    """A part without the lines of leads of which the store took nothing: all of it stands."""
    if not (staying := {each for each in leads if each is not None} & set(part.leads)):
        return part
    told = await session.scalars(
        select(UndoChange.id).where(
            UndoChange.id.in_(listed(part.told)), UndoChange.business_id.not_in(staying)
        )
    )
    leads_told = [each for each in part.leads if each not in staying]
    return replace(part, told=list(told), leads=leads_told)


async def _stay_bought(session: WriteSession, written: Sequence[Change], *, now: datetime) -> None:
    """Have leads that lost payments, taken back or moved, be what payments that came since say."""
    gone: dict[int, int] = {}
    customers: dict[int, int] = {}
    won: set[int] = set()
    for change in written:
        table, owner = change.record.table, change.business_id
        if table == "business" and owner is not None and "outcome" in (change.then or ()):
            won.add(owner)
        if table not in {"payment", "customer"} or (loser := _loser(change)) is None:
            continue
        number = int(str(change.record.parts[0]))
        if table == "payment":
            gone[loser] = max(number, gone.get(loser, number))
        elif change.deletes:
            customers[loser] = number
    for business_id, payment_id in sorted(gone.items()):
        await buying.still_bought(
            session,
            business_id,
            after=payment_id,
            customer_id=customers.get(business_id),
            was_won_by_it=business_id in won,
            now=now,
        )


def _payers(written: Sequence[Change]) -> set[int]:
    """The leads that payments were brought back to."""
    then = (_lead_of(each.then) for each in written if each.record.table == "payment")
    return {each for each in then if each is not None}


def _loser(change: Change) -> int | None:
    """The lead that a record is no longer of, once its change is turned."""
    before, after = _lead_of(change.now), _lead_of(change.then)
    return before if change.deletes or after not in {None, before} else None


def _owners(changes: Iterable[Change]) -> dict[RecordId, int | None]:
    return {change.record: change.business_id for change in changes}


# What follows


@dataclass(slots=True)
class _Concerned:
    """The leads whose records were written.

    Attributes:
        any: all of them.
        columns: by column, those of whose own row it changed.
        facts: those whose contacts changed, or that came.
        history: those whose events or sites changed.
    """

    any: set[int] = field(default_factory=set)
    columns: dict[str, set[int]] = field(default_factory=dict)
    facts: set[int] = field(default_factory=set)
    history: set[int] = field(default_factory=set)

    @classmethod
    def by(cls, applied: Iterable[Change]) -> _Concerned:
        """Those that these changes concern."""
        concerned = cls()
        for change in applied:
            concerned._add(change)
        return concerned

    def _add(self, change: Change) -> None:
        table, then = change.record.table, change.then
        if table == "business" and change.business_id is not None and change.now and then:
            self.any.add(change.business_id)
            for name in then:
                self.columns.setdefault(name, set()).add(change.business_id)
            return
        named = (change.business_id, _lead_of(change.now), _lead_of(then))
        leads = {each for each in named if each is not None}
        self.any |= leads
        if table in {"contact_point", "business", "event", "site"}:
            self.facts |= leads
        if table in {"business", "event", "site"}:
            self.history |= leads


def _lead_of(values: Values | None) -> int | None:
    return None if values is None else values.get("business_id")


async def _follow(
    session: WriteSession,
    applied: Sequence[Change],
    told: Collection[int],
    *,
    score: ScoreSettings,
    now: datetime,
) -> None:
    """Compute again what is derived of the leads whose records were written.

    Those of whom something was told have changed too.
    """
    concerned = _Concerned.by(applied)
    there = await _touch(session, concerned.any.union(told), now=now)
    facts = concerned.facts & there
    stated = {name: leads for name, leads in concerned.columns.items() if name not in _NOT_FACTS}
    columns = set().union(*stated.values()) & there - facts
    if facts:
        await derived.renew(session, sorted(facts), score=score, now=now)
    if columns:
        await derived.renew_after(session, sorted(columns), list(stated), score=score, now=now)
    if facts or columns:
        await gather.mark_out_of_date(session, sorted(facts | columns))
    if messages := [change for change in applied if change.record.table == "message"]:
        gone = {change.now["campaign_id"] for change in messages if change.deletes and change.now}
        ids = [change.record.parts[0] for change in messages]
        await settling.settle(session, ids, left=gone, now=now)
    if moved := sorted(concerned.history & there):
        await activity.mark_voided(session, moved)
        await statuses.refold(session, moved)
        await activity.renew_activity(session, moved)


async def _touch(session: WriteSession, business_ids: set[int], *, now: datetime) -> set[int]:
    """Note that leads have changed; returns those that are there."""
    connection = await session.connection()
    touched = await connection.execute(
        update(Business)
        .where(Business.id.in_(listed(business_ids)))
        .values(updated_at=now)
        .returning(Business.id)
    )
    return set(touched.scalars().all())


async def _judge(session: WriteSession, changes: Sequence[Change]) -> None:
    """Have messages count as opened and clicked since when they were by what stands now.

    Of what a provider told since, the times that the action found know nothing.
    """
    touched = {
        int(str(change.record.parts[0]))
        for change in changes
        if change.record.table == "message" and _TOUCHED & set(change.then or ())
    }
    await touches.judge_again(session, touched)


# Events


def _named(told: Sequence[int], *, undoing: bool) -> Select[int, str]:
    """The events that these changes wrote, to be taken out; or those that took them out."""
    own = func.json_extract(func.coalesce(UndoChange.after, UndoChange.before), "$.key")
    return (
        select(Event.business_id, Event.key)
        .join(UndoChange, Event.key == (own if undoing else UndoChange.void_key))
        .where(UndoChange.id.in_(listed(told)))
    )


async def _void(
    session: WriteSession, part: Part, *, words: str, undoing: bool, now: datetime
) -> str:
    """Take the lines of an action out, or bring them back; how the voiding keys begin, if any."""
    told = part.told
    if not told:
        return ""
    why = f"{'undone' if undoing else 'done again'}: {words}"
    beginning = await voiding.void_named(session, _named(told, undoing=undoing), why=why, now=now)
    if part.searched:
        noted = Event.kind.in_((EventKind.NOTE, EventKind.CALL))
        rows = await session.execute(_named(told, undoing=True).where(noted))
        await search.index(session, sorted({row.business_id for row in rows}))
    return beginning


# The book


async def _mark(
    session: WriteSession, change_ids: Sequence[int], *, undoing: bool, beginning: str = ""
) -> None:
    """Note that these changes were turned.

    With `beginning`, the beginning of the keys of the events that took their lines out, also by
    which of these each was, to bring them back.
    """
    if not change_ids:
        return
    own = func.json_extract(func.coalesce(UndoChange.after, UndoChange.before), "$.key")
    by = literal(beginning) + cast(Event.business_id, Text)
    connection = await session.connection()
    await connection.execute(
        update(UndoChange)
        .where(UndoChange.id.in_(listed(change_ids)))
        .values(
            state=ChangeState.UNDONE if undoing else ChangeState.DONE,
            void_key=select(by).where(Event.key == own).scalar_subquery() if beginning else None,
        )
    )


async def _mark_left(session: WriteSession, change_ids: Sequence[int]) -> None:
    if change_ids:
        await session.execute(
            update(UndoChange)
            .where(UndoChange.id.in_(listed(change_ids)))
            .values(state=ChangeState.LEFT)
            .execution_options(synchronize_session=None)
        )
