from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Column, Engine, Integer, create_engine, inspect

from crm_tui.db import migrate
from crm_tui.db.models import Business
from crm_tui.db.types import Base, Day, Flag, Json, Word
from crm_tui.errors import StoreError
from crm_tui.services import backup
from crm_tui.services.store import prepare

SECOND = """
import sqlalchemy as sa
from alembic import op
revision = "0005"
down_revision = "0004"
def upgrade():
{body}
"""


assert Business.metadata is Base.metadata  # the models are known to the metadata


def objects(path: Path) -> dict[str, tuple[str, str]]:
    """The objects of a schema by name, their statements without differences in spacing."""
    with closing(sqlite3.connect(path)) as connection:
        rows = connection.execute(
            "SELECT name, type, sql FROM sqlite_master WHERE sql IS NOT NULL"
            " AND name NOT LIKE 'sqlite%' AND name NOT LIKE 'search_index%'"
            " AND name <> 'alembic_version' AND type <> 'trigger'"
        )
        return {name: (kind, " ".join(sql.split())) for name, kind, sql in rows}


def clauses(sql: str) -> set[str]:
    """The columns and constraints of a CREATE TABLE, whatever their order."""
    inside, _, options = sql.partition("(")[2].rpartition(")")
    parts, depth, start = [], 0, 0
    for place, letter in enumerate(inside):
        depth += (letter == "(") - (letter == ")")
        if letter == "," and depth == 0:
            parts.append(inside[start:place])
            start = place + 1
    return {part.strip() for part in (*parts, inside[start:], options)}


def scripts(tmp_path: Path, body: str) -> Path:
    """The migrations with a second one that does this."""
    folder = tmp_path / "migrations"
    shutil.copytree(Path(migrate.__file__).parent / "migrations", folder)
    indented = "\n".join(f"    {line}" for line in body.splitlines())
    (folder / "versions" / "0005_next.py").write_text(SECOND.format(body=indented))
    return folder


def execute(path: Path, *statements: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        return [row for statement in statements for row in connection.execute(statement)]


@pytest.fixture
def filled(store_path: Path) -> Path:
    """A store with a business, its phone and a tag."""
    execute(
        store_path,
        "INSERT INTO business (key, name, sort_name, source, created_at, captured_at, updated_at)"
        " VALUES ('k', 'Ada', 'ada', 'test', 't', 't', 't')",
        "INSERT INTO contact_point (business_id, kind, value, created_at)"
        " VALUES (1, 'phone', '+12125550101', 't')",
        "INSERT INTO tag (name, folded) VALUES ('hot', 'hot')",
        "INSERT INTO business_tag (business_id, tag_id, created_at) VALUES (1, 1, 't')",
    )
    return store_path


def dump(path: Path) -> list[str]:
    with closing(sqlite3.connect(path)) as connection:
        return list(connection.iterdump())


def test_head_is_the_newest_revision() -> None:
    config = Config()
    folder = Path(migrate.__file__).parent / "migrations"
    config.set_main_option("script_location", str(folder))
    assert ScriptDirectory.from_config(config).get_heads() == [migrate.HEAD]


@pytest.fixture
def modelled(tmp_path: Path) -> Path:
    """A database with the schema of the models."""
    path = tmp_path / "models.db"
    engine: Engine = create_engine(f"sqlite:///{path}")
    Base.metadata.create_all(engine)
    engine.dispose()
    return path


def test_the_migrated_schema_is_that_of_the_models(empty_store: Path, modelled: Path) -> None:
    migrated, expected = objects(empty_store), objects(modelled)
    assert set(migrated) == set(expected)
    for name, (kind, sql) in expected.items():
        assert migrated[name][0] == kind
        if kind == "table":
            assert clauses(migrated[name][1]) == clauses(sql), name
        else:
            assert migrated[name][1] == sql, name


def test_every_table_is_strict(empty_store: Path) -> None:
    tables = {
        row[1]: row[5]
        for row in execute(empty_store, "PRAGMA table_list")
        if row[0] == "main" and row[2] == "table"
    }
    assert set(Base.metadata.tables) <= set(tables)
    others = {"alembic_version", "sqlite_schema", "sqlite_sequence"}
    assert [name for name, strict in tables.items() if not strict and name not in others] == []


def test_no_row_can_exist_without_what_it_belongs_to(empty_store: Path) -> None:
    engine = create_engine(f"sqlite:///{empty_store}")
    schema = inspect(engine)
    nullable = set()
    for table in schema.get_table_names():
        columns = {column["name"]: column["nullable"] for column in schema.get_columns(table)}
        for key in schema.get_foreign_keys(table):
            (column,) = key["constrained_columns"]
            if key["referred_table"] != "import_batch" and columns[column]:
                nullable.add((table, column))
    engine.dispose()
    # An event may be about no site and no message, a message of no campaign; what is unmatched, raw
    # records and rows of imports may have no business; what was paid may be for no plan of ours, and
    # what was spent for no campaign.
    assert nullable == {
        ("payment", "plan_id"),
        ("payment", "subscription_id"),
        ("spend", "campaign_id"),
        ("subscription", "plan_id"),
        ("subscription_change", "plan_id"),
        ("event", "message_id"),
        ("event", "site_id"),
        ("message", "campaign_id"),
        ("message", "step_id"),
        ("raw_record", "business_id"),
        ("unmatched", "raw_id"),
        ("import_row", "business_id"),
        ("unmatched", "business_id"),
        ("unmatched", "site_id"),
    }


def test_what_refers_to_a_business_keeps_it_from_being_deleted(filled: Path) -> None:
    with closing(sqlite3.connect(filled)) as connection:
        connection.execute("PRAGMA foreign_keys = ON")
        with pytest.raises(sqlite3.IntegrityError, match="FOREIGN KEY"):
            connection.execute("DELETE FROM business")


def test_a_migration_is_preceded_by_a_backup(
    filled: Path, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migrate, "HEAD", "0005")
    before = dump(filled)
    prepare(filled, now=now)
    (made,) = backup.existing(filled)
    assert made.name == "crm-2026-11-22T0930Z-before-migration.db"
    execute(backup.folder_of(filled) / made.name, "DROP TABLE sqlar")
    assert dump(backup.folder_of(filled) / made.name) == before


def test_a_store_that_cannot_be_backed_up_is_not_migrated(
    filled: Path, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migrate, "HEAD", "0005")
    backup.folder_of(filled).write_text("in the way")
    before = filled.read_bytes()
    with pytest.raises(StoreError, match="for backups cannot be made"):
        prepare(filled, now=now)
    assert filled.read_bytes() == before


def test_a_table_is_rebuilt_without_losing_what_refers_to_it(filled: Path, tmp_path: Path) -> None:
    body = 'with op.batch_alter_table("business", recreate="always") as batch:\n    batch.alter_column("source", new_column_name="origin")'
    migrate.upgrade(filled, scripts=scripts(tmp_path, body))
    assert migrate.revision(filled) == "0005"
    assert execute(filled, "SELECT origin FROM business") == [("test",)]
    assert execute(filled, "SELECT count(*) FROM contact_point") == [(1,)]
    assert execute(filled, "SELECT count(*) FROM business_tag") == [(1,)]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ('op.execute("DELETE FROM business_tag")', "without losing rows of business_tag"),
        ('op.execute("DELETE FROM business")', "without losing rows of business"),
        ('op.execute("UPDATE contact_point SET business_id = 7")', "rows of contact_point"),
    ],
)
def test_a_migration_that_loses_rows_is_taken_back(
    filled: Path, tmp_path: Path, body: str, words: str
) -> None:
    before = dump(filled)
    with pytest.raises(StoreError, match=words):
        migrate.upgrade(filled, scripts=scripts(tmp_path, body))
    assert dump(filled) == before
    assert migrate.revision(filled) == "0004"


def test_a_migration_that_fails_halfway_leaves_the_store_as_it_was(
    filled: Path, tmp_path: Path
) -> None:
    body = (
        'op.add_column("tag", sa.Column("colour", sa.Text()))\n'
        'op.create_table("extra", sa.Column("id", sa.Integer(), primary_key=True))\n'
        'raise RuntimeError("power cut")'
    )
    before = dump(filled)
    with pytest.raises(RuntimeError, match="power cut"):
        migrate.upgrade(filled, scripts=scripts(tmp_path, body))
    assert dump(filled) == before


def test_a_migration_may_drop_a_table_on_purpose(filled: Path, tmp_path: Path) -> None:
    migrate.upgrade(filled, scripts=scripts(tmp_path, 'op.drop_table("import_mapping")'))
    assert migrate.revision(filled) == "0005"


def test_migrating_twice_changes_nothing(filled: Path) -> None:
    before = dump(filled)
    migrate.upgrade(filled)
    assert dump(filled) == before


WRONG = {Word: "no such word", Flag: 7, Json: "{"}
GUARDED = [
    (table.name, column.name, WRONG[type(column.type)])
    for table in Base.metadata.sorted_tables
    for column in table.columns
    if type(column.type) in WRONG
]


@pytest.mark.parametrize(("table", "column", "wrong"), GUARDED)
def test_words_flags_and_json_are_guarded_by_the_database(
    store_path: Path, table: str, column: str, wrong: object
) -> None:
    row = {
        each.name: _sample(each)
        for each in Base.metadata.tables[table].columns
        if not each.nullable and each.server_default is None and each.autoincrement is not True
    }
    statement = "INSERT INTO {} ({}) VALUES ({})"
    with closing(sqlite3.connect(store_path)) as connection:
        good = statement.format(table, ", ".join(row), ", ".join("?" * len(row)))
        connection.execute(good, tuple(row.values()))
        connection.rollback()
        row[column] = wrong
        bad = statement.format(table, ", ".join(row), ", ".join("?" * len(row)))
        with pytest.raises(sqlite3.IntegrityError, match=f"CHECK constraint failed: ck_{table}"):
            connection.execute(bad, tuple(row.values()))


def _sample(column: Column[Any]) -> object:
    if isinstance(column.type, Word):
        return next(iter(column.type.words)).value
    if isinstance(column.type, Integer | Flag):
        return 1 if isinstance(column.type, Flag) else 1_000 + len(column.name)
    if isinstance(column.type, Day):
        return "2026-11-22"
    if column.name == "currency":
        return "USD"
    return "{}" if isinstance(column.type, Json) else "x"
