"""Saved views: a filter, an order and columns with a name, and a letter to go there with.

A view is a row like any other: a caller that changes one does so in an undo action. What a view
asks for is kept as it is typed, so that a view of leads to be called today stays one tomorrow.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete as delete_from
from sqlalchemy import func, insert, select, update

from crm_tui.db.engine import ReadSession, WriteSession
from crm_tui.db.models import SavedView
from crm_tui.errors import BadInput, NotFound, WrongUsage
from crm_tui.services import lead_rows
from crm_tui.services.filters import QueryError, Standpoint, parse
from crm_tui.services.lead_query import LeadQuery, Sort
from crm_tui.text import fold

MOST_NAME = 40
"""Characters of a view's name."""

PICKER_LETTER = "v"
"""The letter that no view can have: `v v` shows them all."""

Columns = tuple[tuple[str, int], ...]
"""The columns of a list in their order, each with its width in cells; 0 is its usual width."""


@dataclass(frozen=True, slots=True)
class View:
    """A saved view.

    Attributes:
        id: Its number.
        name: What it is called.
        letter: The key after `v`; None without one.
        query: The filter, as it was typed.
        sort: "name" or "-score"; None is the usual order.
        columns: None are the usual ones.
    """

    id: int
    name: str
    letter: str | None
    query: str
    sort: str | None = None
    columns: Columns | None = None


async def listed(session: ReadSession) -> list[View]:
    """All views, in their order."""
    rows = await session.execute(
        select(
            SavedView.id,
            SavedView.name,
            SavedView.letter,
            SavedView.query,
            SavedView.sort,
            SavedView.columns,
        ).order_by(SavedView.position, SavedView.id)
    )
    return [
        View(id_, name, letter, query, sort, _columns(columns))
        for id_, name, letter, query, sort, columns in rows
    ]


async def find(session: ReadSession, name: str) -> View | None:
    """The view of that name, or else of that letter; None where there is none."""
    views = await listed(session)
    by_name = (view for view in views if fold(view.name) == fold(name))
    by_letter = (view for view in views if view.letter and view.letter == name.strip())
    return next(by_name, None) or next(by_letter, None)


async def named(session: ReadSession, name: str) -> View:
    """The view of that name, or else of that letter.

    Raises:
        NotFound: there is none.
    """
    view = await find(session, name)
    if view is None:
        there = ", ".join(view.name for view in await listed(session))
        raise NotFound(f"There is no view {name!r}." + (f" There are: {there}." if there else ""))
    return view


async def count(session: ReadSession, view: View, standpoint: Standpoint) -> int | None:
    """How many leads a view shows; None where its filter can no longer be read."""
    try:
        query = LeadQuery(view.query, standpoint=standpoint)
    except QueryError:
        return None
    return await lead_rows.count(session, query)


async def save(
    session: WriteSession,
    name: str,
    query: str,
    *,
    sort: str | None = None,
    columns: Columns | None = None,
    letter: str | None = None,
    now: datetime,
) -> View:
    """Save a view; one of the same name is replaced and keeps its place.

    Args:
        session: the transaction.
        name: what it is to be called.
        query: the filter.
        sort: "name" or "-score"; None for the usual order.
        columns: None for the usual ones.
        letter: the key after `v`; None leaves it as it is, "" takes it away.
        now: the time.

    Raises:
        BadInput: the name or the letter cannot be had, or there is no such column to sort by.
        QueryError: the filter cannot be read.
    """
    name = _name(name)
    parse(query)
    if sort is not None:
        Sort.parse(sort)
    there = await _called(session, name)
    if letter is None:
        letter = there.letter if there is not None else None
    else:
        letter = await _free_letter(session, letter, of=there)
    values = {
        "name": name,
        "folded": fold(name),
        "letter": letter,
        "query": query.strip(),
        "sort": sort,
        "columns": None if columns is None else [list(column) for column in columns],
        "updated_at": now,
    }
    if there is None:
        last = await session.scalar(select(func.max(SavedView.position)))
        position = 0 if last is None else last + 1
        await session.execute(insert(SavedView).values(**values, position=position, created_at=now))
    else:
        await session.execute(update(SavedView).where(SavedView.id == there.id).values(**values))
    return await named(session, name)


async def rename(
    session: WriteSession, view_id: int, name: str, letter: str, *, now: datetime
) -> View:
    """Give a view another name and letter ("" for none).

    Raises:
        NotFound: the view is gone.
        BadInput: the name or the letter cannot be had.
    """
    name = _name(name)
    view = _of(await listed(session), view_id)
    called_so = await _called(session, name)
    if called_so is not None and called_so.id != view_id:
        raise BadInput(f"There is a view called {called_so.name} already. Choose another name.")
    free = await _free_letter(session, letter, of=view)
    await session.execute(
        update(SavedView)
        .where(SavedView.id == view_id)
        .values(name=name, folded=fold(name), letter=free, updated_at=now)
    )
    return await named(session, name)


async def delete(session: WriteSession, view_id: int) -> View:
    """Take a view away; what it was.

    Raises:
        NotFound: the view is gone.
    """
    view = _of(await listed(session), view_id)
    await session.execute(delete_from(SavedView).where(SavedView.id == view_id))
    return view


async def reorder(session: WriteSession, view_ids: Sequence[int], *, now: datetime) -> None:
    """Put the views into this order; those that are not named follow, in the order they had."""
    there = [view.id for view in await listed(session)]
    wanted = [view_id for view_id in dict.fromkeys(view_ids) if view_id in there]
    in_order = [*wanted, *(view_id for view_id in there if view_id not in wanted)]
    for position, view_id in enumerate(in_order):
        await session.execute(
            update(SavedView)
            .where(SavedView.id == view_id, SavedView.position != position)
            .values(position=position, updated_at=now)
        )


async def _called(session: ReadSession, name: str) -> View | None:
    return next((view for view in await listed(session) if fold(view.name) == fold(name)), None)


def _columns(stored: list[list[object]] | None) -> Columns | None:
    if stored is None:
        return None
    return tuple((str(key), int(str(width))) for key, width in stored)


def _of(views: Sequence[View], view_id: int) -> View:
    for view in views:
        if view.id == view_id:
            return view
    raise NotFound("This view is gone. Somebody has deleted it.")


def _name(name: str) -> str:
    name = " ".join(name.split())
    if not fold(name):
        raise BadInput("A view needs a name.")
    if len(name) > MOST_NAME:
        raise BadInput(f"The name of a view has {MOST_NAME} letters at most.")
    return name


async def _free_letter(session: ReadSession, letter: str, *, of: View | None) -> str | None:
    letter = letter.strip()
    if not letter:
        return None
    if len(letter) != 1 or not (letter.isascii() and letter.isalnum()):
        raise WrongUsage(f"{letter!r} is no letter for a view; take one of a–z, A–Z or 0–9.")
    if letter == PICKER_LETTER:
        raise WrongUsage(f"The letter {PICKER_LETTER} shows all views. Choose another one.")
    for view in await listed(session):
        if view.letter == letter and (of is None or view.id != of.id):
            raise BadInput(f"The letter {letter} goes to {view.name} already. Choose another one.")
    return letter
