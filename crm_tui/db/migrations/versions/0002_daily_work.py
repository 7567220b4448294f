"""The lead list's daily work: views, undo, merges, erasures, folded columns, voided events."""

from __future__ import annotations

import json
import re
import unicodedata
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

EVENT = (
    """
    CREATE TABLE event (
        id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
        "key" TEXT NOT NULL,
        business_id INTEGER NOT NULL,
        origin_id INTEGER NOT NULL,
        occurred_at TEXT NOT NULL,
        recorded_at TEXT NOT NULL,
        kind TEXT NOT NULL,
        moves_to TEXT,
        by_machine INTEGER DEFAULT '0' NOT NULL,
        source TEXT NOT NULL,
        summary TEXT NOT NULL,
        body TEXT,
        data TEXT DEFAULT '{}' NOT NULL,
        is_voided INTEGER DEFAULT '0' NOT NULL,
        site_id INTEGER,
        batch_id INTEGER,
        CONSTRAINT ck_event_kind CHECK (kind IN ('captured', 'merged', 'edited', 'tagged', 'note', 'call', 'status_set', 'status_imported', 'outcome_set', 'task_added', 'task_moved', 'task_done', 'do_not_contact', 'contact_allowed', 'email_sent', 'sms_sent', 'opened', 'clicked', 'replied', 'purchased', 'site_building', 'site_built', 'site_failed', 'site_abandoned', 'site_imported', 'site_linked', 'previewed', 'archived', 'unarchived', 'split', 'erased', 'voided')),
        CONSTRAINT ck_event_moves_to CHECK (moves_to IN ('pending', 'emailed', 'texted', 'called', 'opened', 'clicked', 'replied', 'purchased')),
        CONSTRAINT ck_event_by_machine CHECK (by_machine IN (0, 1)),
        CONSTRAINT ck_event_is_voided CHECK (is_voided IN (0, 1)),
        CONSTRAINT ck_event_data CHECK (data IS NULL OR json_valid(data)),
        CONSTRAINT ck_event_status_set CHECK (kind <> 'status_set' OR moves_to IS NOT NULL),
        CONSTRAINT uq_event_key UNIQUE ("key"),
        CONSTRAINT fk_event_business_id_business FOREIGN KEY(business_id) REFERENCES business (id) ON DELETE RESTRICT,
        CONSTRAINT fk_event_site_id_site FOREIGN KEY(site_id) REFERENCES site (id) ON DELETE RESTRICT,
        CONSTRAINT fk_event_batch_id_import_batch FOREIGN KEY(batch_id) REFERENCES import_batch (id)
    ) STRICT
    """,
)

EVENT_INDEXES = (
    "CREATE INDEX ix_event_batch_id ON event (batch_id) WHERE batch_id IS NOT NULL",
    "CREATE INDEX ix_event_business_id_occurred_at ON event (business_id, occurred_at)",
    "CREATE INDEX ix_event_call ON event (occurred_at, business_id, is_voided) WHERE kind = 'call'",
    "CREATE INDEX ix_event_fold ON event (business_id) WHERE moves_to IS NOT NULL OR kind = 'voided'",
    "CREATE INDEX ix_event_site_id ON event (site_id) WHERE site_id IS NOT NULL",
)

TABLES = (
    """
    CREATE TABLE saved_view (
        id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
        name TEXT NOT NULL,
        folded TEXT NOT NULL,
        letter TEXT,
        position INTEGER NOT NULL,
        "query" TEXT NOT NULL,
        sort TEXT,
        columns TEXT,
        created_at TEXT NOT NULL,
        updated_at TEXT NOT NULL,
        CONSTRAINT ck_saved_view_name CHECK (trim(name) <> ''),
        CONSTRAINT ck_saved_view_letter CHECK (length(letter) = 1),
        CONSTRAINT ck_saved_view_columns CHECK (columns IS NULL OR json_valid(columns)),
        CONSTRAINT uq_saved_view_folded UNIQUE (folded),
        CONSTRAINT uq_saved_view_letter UNIQUE (letter)
    ) STRICT
    """,
    """
    CREATE TABLE undo_entry (
        id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
        words TEXT NOT NULL,
        state TEXT DEFAULT 'done' NOT NULL,
        created_at TEXT NOT NULL,
        changed_at TEXT NOT NULL,
        CONSTRAINT ck_undo_entry_state CHECK (state IN ('done', 'undoing', 'undone', 'redoing', 'dropped'))
    ) STRICT
    """,
    "CREATE INDEX ix_undo_entry_state ON undo_entry (state)",
    """
    CREATE TABLE undo_change (
        id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
        entry_id INTEGER NOT NULL,
        part INTEGER NOT NULL,
        table_name TEXT NOT NULL,
        record TEXT NOT NULL,
        business_id INTEGER,
        "before" TEXT,
        "after" TEXT,
        state TEXT DEFAULT 'done' NOT NULL,
        void_key TEXT,
        CONSTRAINT ck_undo_change_state CHECK (state IN ('done', 'undone', 'left')),
        CONSTRAINT ck_undo_change_before CHECK (before IS NULL OR json_valid(before)),
        CONSTRAINT ck_undo_change_after CHECK (after IS NULL OR json_valid(after)),
        CONSTRAINT fk_undo_change_entry_id_undo_entry FOREIGN KEY(entry_id) REFERENCES undo_entry (id) ON DELETE RESTRICT
    ) STRICT
    """,
    "CREATE INDEX ix_undo_change_business_id ON undo_change (business_id)",
    "CREATE INDEX ix_undo_change_entry_id ON undo_change (entry_id, part)",
    """
    CREATE TABLE merge (
        id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
        kept_id INTEGER NOT NULL,
        merged_id INTEGER NOT NULL,
        merged_key TEXT NOT NULL,
        merged_name TEXT NOT NULL,
        entry_id INTEGER NOT NULL,
        merged_at TEXT NOT NULL,
        CONSTRAINT fk_merge_kept_id_business FOREIGN KEY(kept_id) REFERENCES business (id) ON DELETE RESTRICT,
        CONSTRAINT uq_merge_merged_id UNIQUE (merged_id),
        CONSTRAINT fk_merge_entry_id_undo_entry FOREIGN KEY(entry_id) REFERENCES undo_entry (id) ON DELETE RESTRICT
    ) STRICT
    """,
    "CREATE INDEX ix_merge_entry_id ON merge (entry_id)",
    "CREATE INDEX ix_merge_kept_id ON merge (kept_id)",
    """
    CREATE TABLE distinct_pair (
        low_id INTEGER NOT NULL,
        high_id INTEGER NOT NULL,
        said_at TEXT NOT NULL,
        CONSTRAINT pk_distinct_pair PRIMARY KEY (low_id, high_id),
        CONSTRAINT ck_distinct_pair_order CHECK (low_id < high_id),
        CONSTRAINT fk_distinct_pair_low_id_business FOREIGN KEY(low_id) REFERENCES business (id) ON DELETE RESTRICT,
        CONSTRAINT fk_distinct_pair_high_id_business FOREIGN KEY(high_id) REFERENCES business (id) ON DELETE RESTRICT
    ) STRICT
    """,
    "CREATE INDEX ix_distinct_pair_high_id ON distinct_pair (high_id)",
    """
    CREATE TABLE erased_key (
        hash TEXT NOT NULL,
        kind TEXT NOT NULL,
        erased_at TEXT NOT NULL,
        CONSTRAINT pk_erased_key PRIMARY KEY (hash),
        CONSTRAINT ck_erased_key_kind CHECK (kind IN ('place_id', 'email', 'phone', 'domain', 'name', 'key'))
    ) STRICT
    """,
)

INDEXES = (
    """
    CREATE INDEX ix_business_unsorted ON business (contact_status, last_activity_at)
    WHERE contact_status = 'replied' AND outcome = 'open'
    AND archived_at IS NULL AND do_not_contact = 0
    """,
    "CREATE INDEX ix_business_region_folded ON business (region_folded)",
    "CREATE INDEX ix_business_archived_at ON business (archived_at) WHERE archived_at IS NOT NULL",
    "CREATE INDEX ix_contact_point_state ON contact_point (state) WHERE state <> 'unknown'",
)

VIEWS = (
    ("Hot", "h", "is:qualified outcome:open -status:replied,purchased -is:never"),
    (
        "To call",
        "c",
        "has:phone outcome:open -status:replied,purchased -is:never -phone_state:invalid,stopped",
    ),
    ("Opened, not answered", "o", "status:opened,clicked -is:never"),
    ("Due today", "d", "task:today"),
    ("Bounced", "b", "email_state:bounced,soft_bounced,complained"),
    ("No e-mail", "e", "-has:email"),
    ("Interested", "i", "outcome:interested"),
    ("Customers", "u", "is:customer"),
)
"""The views every store begins with: name, letter, filter."""


def upgrade() -> None:
    _fold_columns()
    _rebuild_events()
    for statement in (*TABLES, *INDEXES):
        op.execute(statement)
    _add_views()


def _fold_columns() -> None:
    for column in (
        sa.Column("name_folded", sa.Text(), server_default="", nullable=False),
        sa.Column("region_folded", sa.Text()),
        sa.Column("source_folded", sa.Text(), server_default="", nullable=False),
        sa.Column("erased_at", sa.Text()),
    ):
        op.add_column("business", column)
    driver: Any = op.get_bind().connection.driver_connection
    driver.create_function("fold", 1, _fold, deterministic=True)
    op.execute(
        "UPDATE business SET name_folded = fold(name), region_folded = fold(region),"
        " source_folded = fold(source)"
    )


def _fold(text: str | None) -> str | None:
    if text is None:
        return None
    decomposed = unicodedata.normalize("NFKD", text)
    plain = "".join(c for c in decomposed if not unicodedata.combining(c))
    return re.sub(r"\s+", " ", plain.casefold()).strip()


def _rebuild_events() -> None:
    """A CHECK of SQLite cannot be changed in place: the table is written anew."""
    highest = op.get_bind().scalar(sa.text("SELECT seq FROM sqlite_sequence WHERE name = 'event'"))
    op.execute("ALTER TABLE event RENAME TO event_before")
    for statement in EVENT:
        op.execute(statement)
    kept = (
        "id, key, business_id, origin_id, occurred_at, recorded_at, kind, moves_to, by_machine,"
        " source, summary, body, data, site_id, batch_id"
    )
    op.execute(f"INSERT INTO event ({kept}) SELECT {kept} FROM event_before")  # noqa: S608 - our own words
    op.execute("DROP TABLE event_before")
    for statement in EVENT_INDEXES:
        op.execute(statement)
    if highest is not None:  # ids that were given once are not given again
        op.execute("DELETE FROM sqlite_sequence WHERE name = 'event'")
        op.get_bind().execute(
            sa.text("INSERT INTO sqlite_sequence (name, seq) VALUES ('event', :seq)"),
            {"seq": highest},
        )
    _mark_voided()


def _mark_voided() -> None:
    rows = op.get_bind().execute(
        sa.text(
            "SELECT key, data FROM event WHERE kind = 'voided' ORDER BY occurred_at DESC, key DESC"
        )
    )
    taken_out: set[str] = set()
    for key, data in rows.all():
        if key not in taken_out:
            taken_out.update(json.loads(data)["voids"])
    for key in taken_out:
        op.get_bind().execute(
            sa.text("UPDATE event SET is_voided = 1 WHERE key = :key"), {"key": key}
        )


def _add_views() -> None:
    for position, (name, letter, query) in enumerate(VIEWS):
        op.get_bind().execute(
            sa.text(
                "INSERT INTO saved_view (name, folded, letter, position, query, created_at, updated_at)"
                " VALUES (:name, :folded, :letter, :position, :query, :at, :at)"
            ),
            {
                "name": name,
                "folded": _fold(name),
                "letter": letter,
                "position": position,
                "query": query,
                "at": "2026-11-22T00:00:00.000000Z",
            },
        )
