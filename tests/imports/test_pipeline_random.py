"""Imports of any rows: rehearsed as done, the same in any pieces, and taken back without a trace."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crm_tui.config import Settings
from crm_tui.db.engine import Database
from crm_tui.services.imports.result import ImportResult
from crm_tui.services.imports.run import import_file
from crm_tui.services.imports.undo import undo
from tests.imports.conftest import as_csv

NOW = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
SETTINGS = Settings()

some = settings(
    max_examples=20,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

ROWS = st.fixed_dictionaries(
    {"Company": st.sampled_from(["Acme Plumbing", "Acme Plumbing Inc", "Zed Bakery", "Mo"])},
    optional={
        "Place id": st.sampled_from(["PA", "PB"]),
        "Phone": st.sampled_from(["518-871-1647", "518-871-1648", "none of yours", "1"]),
        "E-mail": st.sampled_from(
            ["joe@acme.com", "info@acme.com", "mo@gmail.com", "x@domain.com"]
        ),
        "Website": st.sampled_from(["acme.com", "zed.com", "facebook.com/acme"]),
        "Zip": st.sampled_from(["12866", "10001"]),
        "City": st.sampled_from(["Albany", "Troy"]),
        "Category": st.sampled_from(["Plumber", "Bakery"]),
        "Contact": st.sampled_from(["Joe Doe", "Mo"]),
        "Rating": st.sampled_from(["4.5", "nice"]),
        "Notes": st.sampled_from(["called once", "wants a site"]),
        "Tags": st.sampled_from(["hot", "hot, cold"]),
        "Status": st.sampled_from(["called", "replied", "new", "odd"]),
        "Last contacted": st.sampled_from(["2026-03-04", "2026-05-06"]),
        "Do not contact": st.sampled_from(["yes", "no"]),
        "Follow up": st.sampled_from(["2026-12-01", "2026-12-02"]),
        "Mood": st.sampled_from(["good", "bad"]),
    },
)
# A guess looks at the cells, so that a piece of a list may be guessed otherwise than the whole.
MEANING = {
    "Company": "name",
    "Place id": "place_id",
    "Phone": "phone",
    "E-mail": "email",
    "Website": "website",
    "Zip": "postal_code",
    "City": "city",
    "Category": "category",
    "Contact": "person",
    "Rating": "rating",
    "Notes": "notes",
    "Tags": "tags",
    "Status": "status",
    "Last contacted": "last_contacted",
    "Do not contact": "do_not_contact",
    "Follow up": "follow_up",
    "Mood": "custom",
}
LISTS = st.lists(ROWS, min_size=1, max_size=8)
Rows = Sequence[Mapping[str, str]]


class Store:
    """A store of its own for one example."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def imports(self, rows: Rows, **options: Any) -> ImportResult:
        return asyncio.run(self._import(rows, options))

    async def _import(self, rows: Rows, options: dict[str, Any]) -> ImportResult:
        file = self.path.with_name("list.csv")
        file.write_text(as_csv(rows))
        db = Database(self.path)
        try:
            return await import_file(
                db, file, settings=SETTINGS, now=NOW, mapping=MEANING, **options
            )
        finally:
            await db.close()

    def undo(self, batch: int | None) -> None:
        async def work() -> None:
            db = Database(self.path)
            try:
                assert batch is not None
                result = await undo(db, batch, settings=SETTINGS, now=NOW)
            finally:
                await db.close()
            assert result.left == []

        asyncio.run(work())

    def read(self, statement: str) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(self.path)) as connection:
            return connection.execute(statement).fetchall()


@contextmanager
def new_store(empty: Path) -> Iterator[Store]:
    with TemporaryDirectory() as folder:
        yield Store(Path(shutil.copy(empty, folder)))


CONTENT = {
    "business": "name, category, city, postal_code, email, phone, website, place_id, rating, "
    "contact_status, do_not_contact_reason, qualification_score, custom, last_activity_at",
    "contact_point": "business_id, kind, value, domain, person, is_primary, state",
    "business_alias": "business_id, kind, value",
    "task": "business_id, what, due_at, state",
    "search_doc": "*",
    "suppression": "kind, reason",
}


def content(store: Store) -> dict[str, list[Any]]:
    """What the store says about leads, apart from what is numbered or made up anew."""
    held = {
        table: sorted(store.read(f"SELECT {columns} FROM {table}"), key=repr)
        for table, columns in CONTENT.items()
    }
    held["tags"] = sorted(
        store.read("SELECT business_id, folded FROM business_tag JOIN tag ON id = tag_id")
    )
    held["history"] = sorted(
        store.read(
            "SELECT business_id, kind, occurred_at, moves_to, body FROM event "
            "WHERE kind NOT IN ('captured', 'merged')"
        ),
        key=repr,
    )
    return held


def numbers(result: ImportResult) -> tuple[int, ...]:
    return (result.seen, result.created, result.merged, result.skipped, result.rejected)


@some
@given(there=LISTS, rows=LISTS)
def test_a_dry_run_says_what_the_import_then_does(
    empty_store: Path, there: Rows, rows: Rows
) -> None:
    with new_store(empty_store) as store:
        store.imports(there)
        rehearsed = store.imports(rows, dry_run=True)
        real = store.imports(rows)
    assert numbers(rehearsed) == numbers(real)
    assert rehearsed.problems == real.problems


@some
@given(rows=LISTS, data=st.data())
def test_a_list_in_pieces_gives_what_the_whole_list_gives(
    empty_store: Path, rows: Rows, data: st.DataObject
) -> None:
    cut = data.draw(st.integers(0, len(rows)))
    with new_store(empty_store) as whole, new_store(empty_store) as pieces:
        whole.imports(rows)
        for piece in (rows[:cut], rows[cut:]):
            if piece:
                pieces.imports(piece)
        assert content(whole) == content(pieces)


@some
@given(rows=LISTS, data=st.data())
def test_in_any_order_no_contact_point_is_lost(
    empty_store: Path, rows: Rows, data: st.DataObject
) -> None:
    shuffled = data.draw(st.permutations(rows))
    with new_store(empty_store) as one, new_store(empty_store) as other:
        one.imports(rows)
        other.imports(shuffled)
        points = "SELECT DISTINCT kind, value FROM contact_point ORDER BY kind, value"
        assert one.read(points) == other.read(points)


@some
@given(rows=LISTS)
def test_every_business_has_at_most_one_primary_of_a_kind_and_it_can_be_used(
    empty_store: Path, rows: Rows
) -> None:
    with new_store(empty_store) as store:
        store.imports(rows)
        wrong = store.read(
            "SELECT b.id FROM business b JOIN contact_point p ON p.business_id = b.id "
            "WHERE p.kind = 'phone' AND (p.is_primary <> (b.phone IS p.value) "
            "OR (p.is_primary AND p.state = 'invalid') OR (b.phone IS NULL AND p.state <> 'invalid'))"
        )
        assert wrong == []


@some
@given(there=LISTS, rows=LISTS)
def test_an_import_taken_back_leaves_no_trace(empty_store: Path, there: Rows, rows: Rows) -> None:
    with new_store(empty_store) as store:
        store.imports(there)
        before = content(store)
        result = store.imports(rows, tags=["batch"])
        store.undo(result.batch)
        assert content(store) == before
        again = store.imports(rows, tags=["batch"])
    assert numbers(again) == numbers(result)
