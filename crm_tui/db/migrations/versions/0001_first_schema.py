"""The first schema: businesses, sites, the timeline, captures and the search index."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

SEARCH = (
    """
    CREATE VIRTUAL TABLE search_index USING fts5(
        name, phone, email, address, city, category, notes,
        content='search_doc', content_rowid='business_id',
        tokenize='unicode61 remove_diacritics 2', prefix='2 3'
    )
    """,
    """
    CREATE TRIGGER search_doc_added AFTER INSERT ON search_doc BEGIN
        INSERT INTO search_index (rowid, name, phone, email, address, city, category, notes)
        VALUES (new.business_id, new.name, new.phone, new.email, new.address, new.city,
                new.category, new.notes);
    END
    """,
    """
    CREATE TRIGGER search_doc_removed AFTER DELETE ON search_doc BEGIN
        INSERT INTO search_index (search_index, rowid, name, phone, email, address, city,
                                  category, notes)
        VALUES ('delete', old.business_id, old.name, old.phone, old.email, old.address, old.city,
                old.category, old.notes);
    END
    """,
    """
    CREATE TRIGGER search_doc_changed AFTER UPDATE ON search_doc BEGIN
        INSERT INTO search_index (search_index, rowid, name, phone, email, address, city,
                                  category, notes)
        VALUES ('delete', old.business_id, old.name, old.phone, old.email, old.address, old.city,
                old.category, old.notes);
        INSERT INTO search_index (rowid, name, phone, email, address, city, category, notes)
        VALUES (new.business_id, new.name, new.phone, new.email, new.address, new.city,
                new.category, new.notes);
    END
    """,
)

# Alembic cannot compare an index on an expression, so this one is written out.
ORDER = """
    CREATE INDEX ix_business_order ON business (qualification_score DESC, sort_name, id)
    WHERE archived_at IS NULL
"""


def upgrade() -> None:
    op.create_table(
        "import_batch",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("file_name", sa.Text(), nullable=False),
        sa.Column("format", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), server_default="running", nullable=False),
        sa.Column("owner", sa.Text(), nullable=True),
        sa.Column("options", sa.Text(), server_default="{}", nullable=False),
        sa.Column("seen", sa.Integer(), server_default="0", nullable=False),
        sa.Column("created", sa.Integer(), server_default="0", nullable=False),
        sa.Column("merged", sa.Integer(), server_default="0", nullable=False),
        sa.Column("skipped", sa.Integer(), server_default="0", nullable=False),
        sa.Column("rejected", sa.Integer(), server_default="0", nullable=False),
        sa.Column("unmatched", sa.Integer(), server_default="0", nullable=False),
        sa.Column("started_at", sa.Text(), nullable=False),
        sa.Column("finished_at", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "state IN ('running', 'done', 'cancelled', 'undoing', 'undone')",
            name=op.f("ck_import_batch_state"),
        ),
        sa.CheckConstraint(
            "state IN ('running', 'undoing') OR seen = created + merged + skipped + rejected",
            name=op.f("ck_import_batch_counts"),
        ),
        sa.CheckConstraint(
            "options IS NULL OR json_valid(options)", name=op.f("ck_import_batch_options")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_import_batch")),
        sqlite_autoincrement=True,
        sqlite_strict=True,
    )
    op.create_table(
        "import_mapping",
        sa.Column("signature", sa.Text(), nullable=False),
        sa.Column("mapping", sa.Text(), nullable=False),
        sa.Column("used_at", sa.Text(), nullable=False),
        sa.CheckConstraint(
            "mapping IS NULL OR json_valid(mapping)", name=op.f("ck_import_mapping_mapping")
        ),
        sa.PrimaryKeyConstraint("signature", name=op.f("pk_import_mapping")),
        sqlite_strict=True,
    )
    op.create_table(
        "setting",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.CheckConstraint("value IS NULL OR json_valid(value)", name=op.f("ck_setting_value")),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_setting")),
        sqlite_strict=True,
    )
    op.create_table(
        "tag",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("folded", sa.Text(), nullable=False),
        sa.CheckConstraint("trim(name) <> ''", name=op.f("ck_tag_name")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tag")),
        sa.UniqueConstraint("folded", name=op.f("uq_tag_folded")),
        sqlite_autoincrement=True,
        sqlite_strict=True,
    )
    op.create_table(
        "business",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("sort_name", sa.Text(), nullable=False),
        sa.Column("category", sa.Text(), nullable=True),
        sa.Column("category_folded", sa.Text(), nullable=True),
        sa.Column("street", sa.Text(), nullable=True),
        sa.Column("city", sa.Text(), nullable=True),
        sa.Column("city_folded", sa.Text(), nullable=True),
        sa.Column("region", sa.Text(), nullable=True),
        sa.Column("postal_code", sa.Text(), nullable=True),
        sa.Column("country", sa.Text(), nullable=True),
        sa.Column("email", sa.Text(), nullable=True),
        sa.Column("phone", sa.Text(), nullable=True),
        sa.Column("website", sa.Text(), nullable=True),
        sa.Column("place_id", sa.Text(), nullable=True),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("latitude", sa.REAL(), nullable=True),
        sa.Column("longitude", sa.REAL(), nullable=True),
        sa.Column("timezone", sa.Text(), nullable=True),
        sa.Column("rating", sa.REAL(), nullable=True),
        sa.Column("review_count", sa.Integer(), nullable=True),
        sa.Column("photo_count", sa.Integer(), nullable=True),
        sa.Column("hours", sa.Text(), nullable=True),
        sa.Column("qualification_score", sa.Integer(), server_default="0", nullable=False),
        sa.Column("contact_status", sa.Text(), server_default="pending", nullable=False),
        sa.Column("website_status", sa.Text(), server_default="none", nullable=False),
        sa.Column("outcome", sa.Text(), server_default="open", nullable=False),
        sa.Column("outcome_reason", sa.Text(), nullable=True),
        sa.Column("do_not_contact", sa.Integer(), server_default="0", nullable=False),
        sa.Column("do_not_contact_reason", sa.Text(), nullable=True),
        sa.Column("building_by", sa.Text(), nullable=True),
        sa.Column("created_at", sa.Text(), nullable=False),
        sa.Column("captured_at", sa.Text(), nullable=False),
        sa.Column("updated_at", sa.Text(), nullable=False),
        sa.Column("last_activity_at", sa.Text(), nullable=True),
        sa.Column("last_activity", sa.Text(), nullable=True),
        sa.Column("archived_at", sa.Text(), nullable=True),
        sa.Column("batch_id", sa.Integer(), nullable=True),
        sa.Column("custom", sa.Text(), server_default="{}", nullable=False),
        sa.CheckConstraint(
            "contact_status IN ('pending', 'emailed', 'texted', 'called', 'opened', 'clicked', 'replied', 'purchased')",
            name=op.f("ck_business_contact_status"),
        ),
        sa.CheckConstraint(
            "outcome IN ('open', 'interested', 'later', 'won', 'lost', 'wrong_contact')",
            name=op.f("ck_business_outcome"),
        ),
        sa.CheckConstraint("phone LIKE '+%'", name=op.f("ck_business_phone")),
        sa.CheckConstraint("trim(name) <> ''", name=op.f("ck_business_name")),
        sa.CheckConstraint(
            "website_status IN ('none', 'generating', 'generated', 'published', 'sold', 'failed', 'archived')",
            name=op.f("ck_business_website_status"),
        ),
        sa.CheckConstraint(
            "do_not_contact = (do_not_contact_reason IS NOT NULL)",
            name=op.f("ck_business_do_not_contact"),
        ),
        sa.CheckConstraint("custom IS NULL OR json_valid(custom)", name=op.f("ck_business_custom")),
        sa.CheckConstraint("hours IS NULL OR json_valid(hours)", name=op.f("ck_business_hours")),
        sa.CheckConstraint("latitude BETWEEN -90 AND 90", name=op.f("ck_business_latitude")),
        sa.CheckConstraint(
            "length(country) = 2 AND country = upper(country)", name=op.f("ck_business_country")
        ),
        sa.CheckConstraint("longitude BETWEEN -180 AND 180", name=op.f("ck_business_longitude")),
        sa.CheckConstraint("photo_count >= 0", name=op.f("ck_business_photo_count")),
        sa.CheckConstraint(
            "qualification_score BETWEEN 0 AND 100", name=op.f("ck_business_qualification_score")
        ),
        sa.CheckConstraint("rating BETWEEN 0 AND 5", name=op.f("ck_business_rating")),
        sa.CheckConstraint("review_count >= 0", name=op.f("ck_business_review_count")),
        sa.ForeignKeyConstraint(
            ["batch_id"], ["import_batch.id"], name=op.f("fk_business_batch_id_import_batch")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_business")),
        sa.UniqueConstraint("key", name=op.f("uq_business_key")),
        sa.UniqueConstraint("place_id", name=op.f("uq_business_place_id")),
        sqlite_autoincrement=True,
        sqlite_strict=True,
    )
    op.create_index("ix_business_batch_id", "business", ["batch_id"], unique=False)
    op.create_index(
        "ix_business_building_by",
        "business",
        ["building_by"],
        unique=False,
        sqlite_where=sa.text("building_by IS NOT NULL"),
    )
    op.create_index("ix_business_category_folded", "business", ["category_folded"], unique=False)
    op.create_index("ix_business_city_folded", "business", ["city_folded"], unique=False)
    op.create_index("ix_business_contact_status", "business", ["contact_status"], unique=False)
    op.create_index("ix_business_last_activity_at", "business", ["last_activity_at"], unique=False)
    op.create_index("ix_business_sort_name", "business", ["sort_name", "postal_code"], unique=False)
    op.create_index("ix_business_website_status", "business", ["website_status"], unique=False)
    op.create_table(
        "raw_record",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("external_id", sa.Text(), nullable=False),
        sa.Column("received_at", sa.Text(), nullable=False),
        sa.Column("batch_id", sa.Integer(), nullable=True),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.CheckConstraint(
            "payload IS NULL OR json_valid(payload)", name=op.f("ck_raw_record_payload")
        ),
        sa.ForeignKeyConstraint(
            ["batch_id"], ["import_batch.id"], name=op.f("fk_raw_record_batch_id_import_batch")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_raw_record")),
        sa.UniqueConstraint("source", "external_id", name=op.f("uq_raw_record_source_external_id")),
        sqlite_autoincrement=True,
        sqlite_strict=True,
    )
    op.create_index("ix_raw_record_batch_id", "raw_record", ["batch_id"], unique=False)
    op.create_table(
        "suppression",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("created_at", sa.Text(), nullable=False),
        sa.Column("batch_id", sa.Integer(), nullable=True),
        sa.CheckConstraint(
            "kind IN ('email', 'phone', 'domain', 'business')", name=op.f("ck_suppression_kind")
        ),
        sa.ForeignKeyConstraint(
            ["batch_id"], ["import_batch.id"], name=op.f("fk_suppression_batch_id_import_batch")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_suppression")),
        sa.UniqueConstraint("kind", "value", name=op.f("uq_suppression_kind_value")),
        sqlite_autoincrement=True,
        sqlite_strict=True,
    )
    op.create_index("ix_suppression_batch_id", "suppression", ["batch_id"], unique=False)
    op.create_table(
        "business_alias",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("business_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("batch_id", sa.Integer(), nullable=True),
        sa.CheckConstraint(
            "kind IN ('place_id', 'google_id', 'key', 'legacy', 'row')",
            name=op.f("ck_business_alias_kind"),
        ),
        sa.ForeignKeyConstraint(
            ["batch_id"], ["import_batch.id"], name=op.f("fk_business_alias_batch_id_import_batch")
        ),
        sa.ForeignKeyConstraint(
            ["business_id"],
            ["business.id"],
            name=op.f("fk_business_alias_business_id_business"),
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_business_alias")),
        sa.UniqueConstraint("kind", "value", name=op.f("uq_business_alias_kind_value")),
        sqlite_autoincrement=True,
        sqlite_strict=True,
    )
    op.create_index("ix_business_alias_batch_id", "business_alias", ["batch_id"], unique=False)
    op.create_index(
        "ix_business_alias_business_id", "business_alias", ["business_id"], unique=False
    )
    op.create_table(
        "business_tag",
        sa.Column("business_id", sa.Integer(), nullable=False),
        sa.Column("tag_id", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.Text(), nullable=False),
        sa.Column("batch_id", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(
            ["batch_id"], ["import_batch.id"], name=op.f("fk_business_tag_batch_id_import_batch")
        ),
        sa.ForeignKeyConstraint(
            ["business_id"],
            ["business.id"],
            name=op.f("fk_business_tag_business_id_business"),
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["tag_id"], ["tag.id"], name=op.f("fk_business_tag_tag_id_tag"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("business_id", "tag_id", name=op.f("pk_business_tag")),
        sqlite_strict=True,
    )
    op.create_index("ix_business_tag_batch_id", "business_tag", ["batch_id"], unique=False)
    op.create_index("ix_business_tag_tag_id", "business_tag", ["tag_id"], unique=False)
    op.create_table(
        "contact_point",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("business_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("raw", sa.Text(), nullable=True),
        sa.Column("domain", sa.Text(), nullable=True),
        sa.Column("person", sa.Text(), nullable=True),
        sa.Column("title", sa.Text(), nullable=True),
        sa.Column("label", sa.Text(), nullable=True),
        sa.Column("is_primary", sa.Integer(), server_default="0", nullable=False),
        sa.Column("state", sa.Text(), server_default="unknown", nullable=False),
        sa.Column("state_reason", sa.Text(), nullable=True),
        sa.Column("created_at", sa.Text(), nullable=False),
        sa.Column("batch_id", sa.Integer(), nullable=True),
        sa.CheckConstraint(
            "kind IN ('email', 'phone', 'website', 'social')", name=op.f("ck_contact_point_kind")
        ),
        sa.CheckConstraint(
            "state IN ('unknown', 'ok', 'soft_bounced', 'bounced', 'complained', 'unsubscribed', 'stopped', 'invalid')",
            name=op.f("ck_contact_point_state"),
        ),
        sa.CheckConstraint("value <> ''", name=op.f("ck_contact_point_value")),
        sa.CheckConstraint("is_primary IN (0, 1)", name=op.f("ck_contact_point_is_primary")),
        sa.ForeignKeyConstraint(
            ["batch_id"], ["import_batch.id"], name=op.f("fk_contact_point_batch_id_import_batch")
        ),
        sa.ForeignKeyConstraint(
            ["business_id"],
            ["business.id"],
            name=op.f("fk_contact_point_business_id_business"),
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_contact_point")),
        sa.UniqueConstraint(
            "business_id", "kind", "value", name=op.f("uq_contact_point_business_id_kind_value")
        ),
        sqlite_autoincrement=True,
        sqlite_strict=True,
    )
    op.create_index("ix_contact_point_batch_id", "contact_point", ["batch_id"], unique=False)
    op.create_index(
        "ix_contact_point_domain",
        "contact_point",
        ["domain"],
        unique=False,
        sqlite_where=sa.text("domain IS NOT NULL"),
    )
    op.create_index("ix_contact_point_value", "contact_point", ["value", "kind"], unique=False)
    op.create_index(
        "uq_contact_point_primary",
        "contact_point",
        ["business_id", "kind"],
        unique=True,
        sqlite_where=sa.text("is_primary = 1"),
    )
    op.create_table(
        "import_row",
        sa.Column("batch_id", sa.Integer(), nullable=False),
        sa.Column("row", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("business_id", sa.Integer(), nullable=True),
        sa.Column("filled", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "action IN ('created', 'merged', 'skipped', 'rejected')",
            name=op.f("ck_import_row_action"),
        ),
        sa.CheckConstraint(
            "filled IS NULL OR json_valid(filled)", name=op.f("ck_import_row_filled")
        ),
        sa.ForeignKeyConstraint(
            ["batch_id"],
            ["import_batch.id"],
            name=op.f("fk_import_row_batch_id_import_batch"),
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["business_id"],
            ["business.id"],
            name=op.f("fk_import_row_business_id_business"),
            ondelete="SET NULL",
        ),
        sa.PrimaryKeyConstraint("batch_id", "row", name=op.f("pk_import_row")),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.create_index("ix_import_row_business_id", "import_row", ["business_id"], unique=False)
    op.create_table(
        "search_doc",
        sa.Column("business_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("phone", sa.Text(), nullable=False),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("city", sa.Text(), nullable=False),
        sa.Column("category", sa.Text(), nullable=False),
        sa.Column("notes", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["business_id"],
            ["business.id"],
            name=op.f("fk_search_doc_business_id_business"),
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("business_id", name=op.f("pk_search_doc")),
        sqlite_strict=True,
    )
    op.create_table(
        "site",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("business_id", sa.Integer(), nullable=False),
        sa.Column("slug", sa.Text(), nullable=False),
        sa.Column("theme", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), server_default="preview", nullable=False),
        sa.Column("out_of_date", sa.Integer(), server_default="0", nullable=False),
        sa.Column("content_hash", sa.Text(), nullable=False),
        sa.Column("facts_hash", sa.Text(), nullable=True),
        sa.Column("created_at", sa.Text(), nullable=False),
        sa.Column("built_at", sa.Text(), nullable=False),
        sa.Column("batch_id", sa.Integer(), nullable=True),
        sa.Column("texts", sa.Text(), nullable=True),
        sa.Column("html", sa.Text(), nullable=False),
        sa.CheckConstraint(
            "slug <> '' AND slug NOT GLOB '*[^a-z0-9-]*'", name=op.f("ck_site_slug")
        ),
        sa.CheckConstraint(
            "status IN ('preview', 'published', 'sold', 'archived')", name=op.f("ck_site_status")
        ),
        sa.CheckConstraint("out_of_date IN (0, 1)", name=op.f("ck_site_out_of_date")),
        sa.ForeignKeyConstraint(
            ["batch_id"], ["import_batch.id"], name=op.f("fk_site_batch_id_import_batch")
        ),
        sa.ForeignKeyConstraint(
            ["business_id"],
            ["business.id"],
            name=op.f("fk_site_business_id_business"),
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_site")),
        sa.UniqueConstraint("slug", name=op.f("uq_site_slug")),
        sqlite_autoincrement=True,
        sqlite_strict=True,
    )
    op.create_index("ix_site_batch_id", "site", ["batch_id"], unique=False)
    op.create_index("ix_site_business_id", "site", ["business_id"], unique=False)
    op.create_table(
        "task",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("business_id", sa.Integer(), nullable=False),
        sa.Column("what", sa.Text(), nullable=False),
        sa.Column("due_at", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), server_default="open", nullable=False),
        sa.Column("created_at", sa.Text(), nullable=False),
        sa.Column("done_at", sa.Text(), nullable=True),
        sa.Column("batch_id", sa.Integer(), nullable=True),
        sa.CheckConstraint("(state = 'done') = (done_at IS NOT NULL)", name=op.f("ck_task_done")),
        sa.CheckConstraint("state IN ('open', 'done')", name=op.f("ck_task_state")),
        sa.ForeignKeyConstraint(
            ["batch_id"], ["import_batch.id"], name=op.f("fk_task_batch_id_import_batch")
        ),
        sa.ForeignKeyConstraint(
            ["business_id"],
            ["business.id"],
            name=op.f("fk_task_business_id_business"),
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_task")),
        sqlite_autoincrement=True,
        sqlite_strict=True,
    )
    op.create_index("ix_task_batch_id", "task", ["batch_id"], unique=False)
    op.create_index("ix_task_business_id", "task", ["business_id"], unique=False)
    op.create_index(
        "ix_task_due_at", "task", ["due_at"], unique=False, sqlite_where=sa.text("state = 'open'")
    )
    op.create_table(
        "event",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("business_id", sa.Integer(), nullable=False),
        sa.Column("origin_id", sa.Integer(), nullable=False),
        sa.Column("occurred_at", sa.Text(), nullable=False),
        sa.Column("recorded_at", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("moves_to", sa.Text(), nullable=True),
        sa.Column("by_machine", sa.Integer(), server_default="0", nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("summary", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=True),
        sa.Column("data", sa.Text(), server_default="{}", nullable=False),
        sa.Column("site_id", sa.Integer(), nullable=True),
        sa.Column("batch_id", sa.Integer(), nullable=True),
        sa.CheckConstraint(
            "kind <> 'status_set' OR moves_to IS NOT NULL", name=op.f("ck_event_status_set")
        ),
        sa.CheckConstraint(
            "kind IN ('captured', 'merged', 'edited', 'tagged', 'note', 'call', 'status_set', 'status_imported', 'outcome_set', 'task_added', 'do_not_contact', 'email_sent', 'sms_sent', 'opened', 'clicked', 'replied', 'purchased', 'site_building', 'site_built', 'site_failed', 'site_abandoned', 'site_imported', 'site_linked', 'previewed', 'archived', 'unarchived', 'voided')",
            name=op.f("ck_event_kind"),
        ),
        sa.CheckConstraint(
            "moves_to IN ('pending', 'emailed', 'texted', 'called', 'opened', 'clicked', 'replied', 'purchased')",
            name=op.f("ck_event_moves_to"),
        ),
        sa.CheckConstraint("by_machine IN (0, 1)", name=op.f("ck_event_by_machine")),
        sa.CheckConstraint("data IS NULL OR json_valid(data)", name=op.f("ck_event_data")),
        sa.ForeignKeyConstraint(
            ["batch_id"], ["import_batch.id"], name=op.f("fk_event_batch_id_import_batch")
        ),
        sa.ForeignKeyConstraint(
            ["business_id"],
            ["business.id"],
            name=op.f("fk_event_business_id_business"),
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["site_id"], ["site.id"], name=op.f("fk_event_site_id_site"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_event")),
        sa.UniqueConstraint("key", name=op.f("uq_event_key")),
        sqlite_autoincrement=True,
        sqlite_strict=True,
    )
    op.create_index(
        "ix_event_batch_id",
        "event",
        ["batch_id"],
        unique=False,
        sqlite_where=sa.text("batch_id IS NOT NULL"),
    )
    op.create_index(
        "ix_event_business_id_occurred_at", "event", ["business_id", "occurred_at"], unique=False
    )
    op.create_index(
        "ix_event_fold",
        "event",
        ["business_id"],
        unique=False,
        sqlite_where=sa.text("moves_to IS NOT NULL OR kind = 'voided'"),
    )
    op.create_index(
        "ix_event_site_id",
        "event",
        ["site_id"],
        unique=False,
        sqlite_where=sa.text("site_id IS NOT NULL"),
    )
    op.create_table(
        "unmatched",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), server_default="open", nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("business_id", sa.Integer(), nullable=True),
        sa.Column("site_id", sa.Integer(), nullable=True),
        sa.Column("created_at", sa.Text(), nullable=False),
        sa.Column("resolved_at", sa.Text(), nullable=True),
        sa.Column("batch_id", sa.Integer(), nullable=True),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.CheckConstraint(
            "(state = 'open') = (resolved_at IS NULL)", name=op.f("ck_unmatched_resolved")
        ),
        sa.CheckConstraint("kind IN ('site')", name=op.f("ck_unmatched_kind")),
        sa.CheckConstraint(
            "state IN ('open', 'linked', 'created', 'dismissed')", name=op.f("ck_unmatched_state")
        ),
        sa.CheckConstraint(
            "payload IS NULL OR json_valid(payload)", name=op.f("ck_unmatched_payload")
        ),
        sa.ForeignKeyConstraint(
            ["batch_id"], ["import_batch.id"], name=op.f("fk_unmatched_batch_id_import_batch")
        ),
        sa.ForeignKeyConstraint(
            ["business_id"],
            ["business.id"],
            name=op.f("fk_unmatched_business_id_business"),
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["site_id"], ["site.id"], name=op.f("fk_unmatched_site_id_site"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_unmatched")),
        sa.UniqueConstraint("key", name=op.f("uq_unmatched_key")),
        sqlite_autoincrement=True,
        sqlite_strict=True,
    )
    op.create_index("ix_unmatched_batch_id", "unmatched", ["batch_id"], unique=False)
    op.create_index("ix_unmatched_business_id", "unmatched", ["business_id"], unique=False)
    op.create_index("ix_unmatched_site_id", "unmatched", ["site_id"], unique=False)
    op.create_index(
        "ix_unmatched_state",
        "unmatched",
        ["state"],
        unique=False,
        sqlite_where=sa.text("state = 'open'"),
    )
    op.execute(ORDER)
    for statement in SEARCH:
        op.execute(statement)
