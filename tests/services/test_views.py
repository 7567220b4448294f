from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime

import pytest

from crm_tui.config import Settings
from crm_tui.db.engine import Database, WriteSession
from crm_tui.errors import BadInput, NotFound
from crm_tui.services import undo, views
from crm_tui.services.filters import QueryError, Standpoint
from crm_tui.services.views import View
from tests.conftest import NOW, AddLead

SHIPPED = {
    "h": "Hot",
    "c": "To call",
    "o": "Opened, not answered",
    "d": "Due today",
    "b": "Bounced",
    "e": "No e-mail",
    "i": "Interested",
    "u": "Customers",
}


async def listed(db: Database) -> list[View]:
    async with db.read() as session:
        return await views.listed(session)


async def do(db: Database, write: Callable[[WriteSession], Awaitable[object]]) -> None:
    async with undo.action(db, "changed a view", now=NOW) as session:
        await write(session)


async def test_a_store_begins_with_the_shipped_views_and_their_filters_can_be_counted(
    db: Database, add_lead: AddLead, settings: Settings, now: datetime
) -> None:
    await add_lead("Ada's Plumbing", phone="212 555 0101")
    found = await listed(db)
    assert {view.letter: view.name for view in found} == SHIPPED
    standpoint = Standpoint.of(settings, now)
    async with db.read() as session:
        counts = {view.name: await views.count(session, view, standpoint) for view in found}
    assert (counts["To call"], counts["No e-mail"], counts["Customers"]) == (1, 1, 0)
    assert None not in counts.values()


async def test_a_saved_view_comes_last_and_keeps_all_of_it(db: Database, now: datetime) -> None:
    columns = (("name", 30), ("tags", 0))
    async with db.write() as session:
        made = await views.save(
            session,
            "  My   Queens ",
            " city:Queens ",
            sort="-rating",
            columns=columns,
            letter="Q",
            now=now,
        )
    assert (await listed(db))[-1] == made
    assert made == View(made.id, "My Queens", "Q", "city:Queens", "-rating", columns)


async def test_a_view_of_the_same_name_is_replaced_in_its_place(
    db: Database, now: datetime
) -> None:
    before = await listed(db)
    async with db.write() as session:
        hot = await views.save(session, "HOT", "score>90", now=now)
    assert hot == View(before[0].id, "HOT", "h", "score>90")
    assert [view.id for view in await listed(db)] == [view.id for view in before]


async def test_a_view_is_found_by_its_name_before_its_letter(db: Database, now: datetime) -> None:
    async with db.write() as session:
        await views.save(session, "b", "score>90", now=now)
    async with db.read() as session:
        assert (await views.named(session, "B")).query == "score>90"
        assert (await views.named(session, "h")).name == "Hot"
        assert await views.find(session, "nothing") is None
        with pytest.raises(NotFound, match=r"no view 'nothing'\. There are: Hot, To call"):
            await views.named(session, "nothing")


@pytest.mark.parametrize(
    ("name", "query", "sort", "letter", "said"),
    [
        (" ", "", None, None, "needs a name"),
        ("x" * 41, "", None, None, "40 letters at most"),
        ("Mine", "score>", None, None, "needs a value"),
        ("Mine", "", "height", None, "cannot be sorted"),
        ("Mine", "", None, "h", "goes to Hot already"),
        ("Mine", "", None, "v", "shows all views"),
        ("Mine", "", None, "hh", "is no letter"),
        ("Mine", "", None, "ä", "is no letter"),
    ],
)
async def test_what_cannot_be_a_view_is_refused(
    db: Database, name: str, query: str, sort: str | None, letter: str | None, said: str
) -> None:
    before = await listed(db)
    with pytest.raises((BadInput, QueryError), match=said):
        async with db.write() as session:
            await views.save(session, name, query, sort=sort, letter=letter, now=NOW)
    assert await listed(db) == before


async def test_renaming_reordering_and_deleting_can_be_undone(
    db: Database, settings: Settings
) -> None:
    before = await listed(db)
    hot, call, *rest = (view.id for view in before)

    await do(db, lambda session: views.rename(session, hot, "Warm", "w", now=NOW))
    await do(db, lambda session: views.reorder(session, [call, hot], now=NOW))
    await do(db, lambda session: views.delete(session, rest[0]))
    after = await listed(db)
    assert [(view.name, view.letter) for view in after[:2]] == [("To call", "c"), ("Warm", "w")]
    assert [view.id for view in after] == [call, hot, *rest[1:]]

    for _ in range(3):
        assert (await undo.undo(db, settings=settings, now=NOW)).left == []
    assert await listed(db) == before


async def test_a_letter_can_be_given_back(db: Database) -> None:
    hot = (await listed(db))[0]
    async with db.write() as session:
        assert (await views.rename(session, hot.id, "Hot", "", now=NOW)).letter is None
        with pytest.raises(BadInput, match="called To call already"):
            await views.rename(session, hot.id, "to call", "", now=NOW)
        with pytest.raises(NotFound, match="is gone"):
            await views.delete(session, 99)


async def test_a_view_whose_filter_cannot_be_read_has_no_count(
    db: Database, settings: Settings
) -> None:
    broken = View(1, "Old", None, "height>3")
    async with db.read() as session:
        assert await views.count(session, broken, Standpoint.of(settings, NOW)) is None
