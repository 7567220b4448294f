"""Campaigns: the queue of messages, consent, where polling stands; words for what comes in."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

REBUILT = {
    "raw_record": (
        """
            CREATE TABLE raw_record (
                id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
                source TEXT NOT NULL,
                external_id TEXT NOT NULL,
                received_at TEXT NOT NULL,
                batch_id INTEGER,
                business_id INTEGER,
                applied_at TEXT,
                problem TEXT,
                payload TEXT NOT NULL,
                CONSTRAINT uq_raw_record_source_external_id UNIQUE (source, external_id),
                CONSTRAINT ck_raw_record_payload CHECK (payload IS NULL OR json_valid(payload)),
                CONSTRAINT fk_raw_record_batch_id_import_batch FOREIGN KEY(batch_id) REFERENCES import_batch (id),
                CONSTRAINT fk_raw_record_business_id_business FOREIGN KEY(business_id) REFERENCES business (id) ON DELETE RESTRICT
            ) STRICT
            """,
        "CREATE INDEX ix_raw_record_batch_id ON raw_record (batch_id)",
        "CREATE INDEX ix_raw_record_business_id ON raw_record (business_id)",
        """CREATE INDEX ix_raw_record_waiting ON raw_record (id) WHERE applied_at IS NULL AND batch_id IS NULL""",
    ),
    "unmatched": (
        """
            CREATE TABLE unmatched (
                id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
                "key" TEXT NOT NULL,
                kind TEXT NOT NULL,
                state TEXT DEFAULT 'open' NOT NULL,
                title TEXT NOT NULL,
                reason TEXT NOT NULL,
                business_id INTEGER,
                site_id INTEGER,
                raw_id INTEGER,
                created_at TEXT NOT NULL,
                resolved_at TEXT,
                batch_id INTEGER,
                payload TEXT NOT NULL,
                CONSTRAINT ck_unmatched_kind CHECK (kind IN ('site', 'reply', 'bounce', 'unsubscribe')),
                CONSTRAINT ck_unmatched_state CHECK (state IN ('open', 'linked', 'created', 'dismissed')),
                CONSTRAINT ck_unmatched_payload CHECK (payload IS NULL OR json_valid(payload)),
                CONSTRAINT ck_unmatched_resolved CHECK ((state = 'open') = (resolved_at IS NULL)),
                CONSTRAINT uq_unmatched_key UNIQUE ("key"),
                CONSTRAINT fk_unmatched_business_id_business FOREIGN KEY(business_id) REFERENCES business (id) ON DELETE RESTRICT,
                CONSTRAINT fk_unmatched_site_id_site FOREIGN KEY(site_id) REFERENCES site (id) ON DELETE RESTRICT,
                CONSTRAINT fk_unmatched_raw_id_raw_record FOREIGN KEY(raw_id) REFERENCES raw_record (id) ON DELETE RESTRICT,
                CONSTRAINT fk_unmatched_batch_id_import_batch FOREIGN KEY(batch_id) REFERENCES import_batch (id)
            ) STRICT
            """,
        "CREATE INDEX ix_unmatched_batch_id ON unmatched (batch_id)",
        "CREATE INDEX ix_unmatched_business_id ON unmatched (business_id)",
        "CREATE INDEX ix_unmatched_raw_id ON unmatched (raw_id)",
        "CREATE INDEX ix_unmatched_site_id ON unmatched (site_id)",
        """CREATE INDEX ix_unmatched_state ON unmatched (state) WHERE state = 'open'""",
    ),
    "event": (
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
                message_id INTEGER,
                batch_id INTEGER,
                CONSTRAINT ck_event_kind CHECK (kind IN ('captured', 'merged', 'edited', 'tagged', 'note', 'call', 'status_set', 'status_imported', 'outcome_set', 'task_added', 'task_moved', 'task_done', 'do_not_contact', 'contact_allowed', 'consent_given', 'consent_withdrawn', 'email_sent', 'sms_sent', 'opened', 'clicked', 'replied', 'auto_replied', 'delivered', 'deferred', 'bounced', 'soft_bounced', 'complained', 'unsubscribed', 'not_sent', 'purchased', 'campaign_joined', 'campaign_left', 'site_building', 'site_built', 'site_failed', 'site_abandoned', 'site_imported', 'site_linked', 'site_published', 'site_unpublished', 'previewed', 'archived', 'unarchived', 'split', 'erased', 'voided')),
                CONSTRAINT ck_event_moves_to CHECK (moves_to IN ('pending', 'emailed', 'texted', 'called', 'opened', 'clicked', 'replied', 'purchased')),
                CONSTRAINT ck_event_by_machine CHECK (by_machine IN (0, 1)),
                CONSTRAINT ck_event_is_voided CHECK (is_voided IN (0, 1)),
                CONSTRAINT ck_event_data CHECK (data IS NULL OR json_valid(data)),
                CONSTRAINT ck_event_status_set CHECK (kind <> 'status_set' OR moves_to IS NOT NULL),
                CONSTRAINT uq_event_key UNIQUE ("key"),
                CONSTRAINT fk_event_business_id_business FOREIGN KEY(business_id) REFERENCES business (id) ON DELETE RESTRICT,
                CONSTRAINT fk_event_site_id_site FOREIGN KEY(site_id) REFERENCES site (id) ON DELETE RESTRICT,
                CONSTRAINT fk_event_message_id_message FOREIGN KEY(message_id) REFERENCES message (id) ON DELETE RESTRICT,
                CONSTRAINT fk_event_batch_id_import_batch FOREIGN KEY(batch_id) REFERENCES import_batch (id)
            ) STRICT
            """,
        "CREATE INDEX ix_event_batch_id ON event (batch_id) WHERE batch_id IS NOT NULL",
        "CREATE INDEX ix_event_business_id_occurred_at ON event (business_id, occurred_at)",
        """CREATE INDEX ix_event_call ON event (occurred_at, business_id, is_voided) WHERE kind = 'call'""",
        """CREATE INDEX ix_event_fold ON event (business_id) WHERE moves_to IS NOT NULL OR kind = 'voided'""",
        "CREATE INDEX ix_event_message_id ON event (message_id) WHERE message_id IS NOT NULL",
        "CREATE INDEX ix_event_site_id ON event (site_id) WHERE site_id IS NOT NULL",
    ),
}
"""Tables whose checks or keys change, with their indexes: SQLite changes neither in place."""

TABLES = (
    """
        CREATE TABLE campaign (
            id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
            "key" TEXT NOT NULL,
            name TEXT NOT NULL,
            name_folded TEXT NOT NULL,
            state TEXT DEFAULT 'draft' NOT NULL,
            pause_reason TEXT,
            audience TEXT NOT NULL,
            stop_on_click INTEGER DEFAULT '0' NOT NULL,
            starts_at TEXT,
            created_at TEXT NOT NULL,
            updated_at TEXT NOT NULL,
            started_at TEXT,
            ended_at TEXT,
            draft TEXT DEFAULT '{}' NOT NULL,
            CONSTRAINT ck_campaign_name CHECK (trim(name) <> ''),
            CONSTRAINT ck_campaign_state CHECK (state IN ('draft', 'running', 'paused', 'finished', 'canceled')),
            CONSTRAINT ck_campaign_paused CHECK ((state = 'paused') = (pause_reason IS NOT NULL)),
            CONSTRAINT ck_campaign_ended CHECK ((state IN ('finished', 'canceled')) = (ended_at IS NOT NULL)),
            CONSTRAINT ck_campaign_audience CHECK (audience IS NULL OR json_valid(audience)),
            CONSTRAINT ck_campaign_draft CHECK (draft IS NULL OR json_valid(draft)),
            CONSTRAINT ck_campaign_stop_on_click CHECK (stop_on_click IN (0, 1)),
            CONSTRAINT uq_campaign_key UNIQUE ("key")
        ) STRICT
        """,
    "CREATE INDEX ix_campaign_state ON campaign (state)",
    """
        CREATE TABLE campaign_step (
            id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
            campaign_id INTEGER NOT NULL,
            position INTEGER NOT NULL,
            channel TEXT DEFAULT 'email' NOT NULL,
            delay TEXT,
            template TEXT NOT NULL,
            is_html INTEGER DEFAULT '0' NOT NULL,
            source TEXT NOT NULL,
            version INTEGER DEFAULT '1' NOT NULL,
            CONSTRAINT uq_campaign_step_campaign_id_position UNIQUE (campaign_id, position),
            CONSTRAINT ck_campaign_step_channel CHECK (channel IN ('email', 'sms')),
            CONSTRAINT ck_campaign_step_is_html CHECK (is_html IN (0, 1)),
            CONSTRAINT ck_campaign_step_position CHECK (position >= 1),
            CONSTRAINT ck_campaign_step_delay CHECK (position > 1 OR delay IS NULL),
            CONSTRAINT fk_campaign_step_campaign_id_campaign FOREIGN KEY(campaign_id) REFERENCES campaign (id) ON DELETE RESTRICT
        ) STRICT
        """,
    """
        CREATE TABLE campaign_variant (
            step_id INTEGER NOT NULL,
            letter TEXT NOT NULL,
            template TEXT NOT NULL,
            is_html INTEGER DEFAULT '0' NOT NULL,
            source TEXT NOT NULL,
            version INTEGER DEFAULT '1' NOT NULL,
            share INTEGER DEFAULT '50' NOT NULL,
            CONSTRAINT pk_campaign_variant PRIMARY KEY (step_id, letter),
            CONSTRAINT ck_campaign_variant_letter CHECK (letter BETWEEN 'b' AND 'z'),
            CONSTRAINT ck_campaign_variant_share CHECK (share BETWEEN 1 AND 99),
            CONSTRAINT ck_campaign_variant_is_html CHECK (is_html IN (0, 1)),
            CONSTRAINT fk_campaign_variant_step_id_campaign_step FOREIGN KEY(step_id) REFERENCES campaign_step (id) ON DELETE RESTRICT
        ) STRICT
        """,
    """
        CREATE TABLE campaign_exclusion (
            campaign_id INTEGER NOT NULL,
            business_id INTEGER NOT NULL,
            reason TEXT NOT NULL,
            CONSTRAINT pk_campaign_exclusion PRIMARY KEY (campaign_id, business_id),
            CONSTRAINT fk_campaign_exclusion_campaign_id_campaign FOREIGN KEY(campaign_id) REFERENCES campaign (id) ON DELETE RESTRICT,
            CONSTRAINT fk_campaign_exclusion_business_id_business FOREIGN KEY(business_id) REFERENCES business (id) ON DELETE RESTRICT
        ) STRICT
        """,
    "CREATE INDEX ix_campaign_exclusion_business_id ON campaign_exclusion (business_id)",
    """
        CREATE TABLE message (
            id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
            "key" TEXT NOT NULL,
            business_id INTEGER NOT NULL,
            origin_id INTEGER NOT NULL,
            campaign_id INTEGER,
            step_id INTEGER,
            channel TEXT DEFAULT 'email' NOT NULL,
            address TEXT NOT NULL,
            person TEXT,
            message_id TEXT NOT NULL,
            token TEXT NOT NULL,
            state TEXT DEFAULT 'queued' NOT NULL,
            reason TEXT,
            due_at TEXT,
            attempts INTEGER DEFAULT '0' NOT NULL,
            claimed_by TEXT,
            claimed_at TEXT,
            provider TEXT,
            provider_id TEXT,
            sent_as TEXT,
            created_at TEXT NOT NULL,
            sent_at TEXT,
            delivered_at TEXT,
            opened_at TEXT,
            clicked_at TEXT,
            machine_opened_at TEXT,
            machine_clicked_at TEXT,
            replied_at TEXT,
            bounced_at TEXT,
            soft_bounced_at TEXT,
            complained_at TEXT,
            unsubscribed_at TEXT,
            version INTEGER,
            variant TEXT,
            subject TEXT,
            headers TEXT DEFAULT '{}' NOT NULL,
            body TEXT,
            html TEXT,
            segments INTEGER,
            cost INTEGER,
            currency TEXT,
            CONSTRAINT uq_message_step_id_origin_id UNIQUE (step_id, origin_id),
            CONSTRAINT uq_message_step_id_address UNIQUE (step_id, address),
            CONSTRAINT ck_message_state CHECK (state IN ('queued', 'sending', 'sent', 'failed', 'skipped', 'canceled', 'uncertain')),
            CONSTRAINT ck_message_channel CHECK (channel IN ('email', 'sms')),
            CONSTRAINT ck_message_address CHECK (address <> ''),
            CONSTRAINT ck_message_campaign CHECK ((campaign_id IS NULL) = (step_id IS NULL)),
            CONSTRAINT ck_message_sent CHECK ((state = 'sent') = (sent_at IS NOT NULL)),
            CONSTRAINT ck_message_claimed CHECK ((state = 'sending') = (claimed_by IS NOT NULL)),
            CONSTRAINT ck_message_reason CHECK (state NOT IN ('failed', 'skipped', 'canceled', 'uncertain') OR reason IS NOT NULL),
            CONSTRAINT ck_message_rendered CHECK (state NOT IN ('sending', 'sent', 'uncertain') OR body IS NOT NULL),
            CONSTRAINT ck_message_segments CHECK (segments >= 1),
            CONSTRAINT ck_message_cost CHECK ((cost IS NULL) = (currency IS NULL)),
            CONSTRAINT ck_message_headers CHECK (headers IS NULL OR json_valid(headers)),
            CONSTRAINT uq_message_key UNIQUE ("key"),
            CONSTRAINT fk_message_business_id_business FOREIGN KEY(business_id) REFERENCES business (id) ON DELETE RESTRICT,
            CONSTRAINT fk_message_campaign_id_campaign FOREIGN KEY(campaign_id) REFERENCES campaign (id) ON DELETE RESTRICT,
            CONSTRAINT fk_message_step_id_campaign_step FOREIGN KEY(step_id) REFERENCES campaign_step (id) ON DELETE RESTRICT,
            CONSTRAINT uq_message_message_id UNIQUE (message_id),
            CONSTRAINT uq_message_token UNIQUE (token)
        ) STRICT
        """,
    "CREATE INDEX ix_message_address ON message (address, sent_at)",
    "CREATE INDEX ix_message_business_id ON message (business_id)",
    "CREATE INDEX ix_message_campaign_id ON message (campaign_id, step_id, state)",
    """CREATE INDEX ix_message_due ON message (due_at, id) WHERE state = 'queued'""",
    """CREATE INDEX ix_message_provider ON message (provider, sent_at) WHERE provider_id IS NOT NULL""",
    """CREATE INDEX ix_message_provider_id ON message (provider_id) WHERE provider_id IS NOT NULL""",
    """CREATE INDEX ix_message_sent_as ON message (sent_as) WHERE sent_as IS NOT NULL""",
    """CREATE INDEX ix_message_open ON message (state) WHERE state IN ('sending', 'uncertain')""",
    """
        CREATE TABLE sync_cursor (
            provider TEXT NOT NULL,
            account TEXT NOT NULL,
            stream TEXT NOT NULL,
            cursor TEXT NOT NULL,
            last_ok_at TEXT,
            failed_at TEXT,
            problem TEXT,
            next_at TEXT,
            failures INTEGER DEFAULT '0' NOT NULL,
            last_event_at TEXT,
            skew_seconds INTEGER,
            CONSTRAINT pk_sync_cursor PRIMARY KEY (provider, account, stream),
            CONSTRAINT ck_sync_cursor_cursor CHECK (cursor IS NULL OR json_valid(cursor))
        ) STRICT
        """,
    """
        CREATE TABLE stream_gap (
            id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
            provider TEXT NOT NULL,
            account TEXT NOT NULL,
            stream TEXT NOT NULL,
            since TEXT NOT NULL,
            until TEXT NOT NULL,
            found_at TEXT NOT NULL,
            filled_at TEXT,
            filled INTEGER DEFAULT '0' NOT NULL,
            CONSTRAINT uq_stream_gap_provider_account_stream_since UNIQUE (provider, account, stream, since),
            CONSTRAINT ck_stream_gap_order CHECK (since < until)
        ) STRICT
        """,
    """
        CREATE TABLE consent (
            id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
            business_id INTEGER NOT NULL,
            channel TEXT DEFAULT 'sms' NOT NULL,
            value TEXT NOT NULL,
            given_at TEXT NOT NULL,
            how TEXT NOT NULL,
            recorded_by TEXT NOT NULL,
            recorded_at TEXT NOT NULL,
            withdrawn_at TEXT,
            CONSTRAINT ck_consent_channel CHECK (channel IN ('email', 'sms')),
            CONSTRAINT ck_consent_how CHECK (trim(how) <> ''),
            CONSTRAINT ck_consent_recorded_by CHECK (trim(recorded_by) <> ''),
            CONSTRAINT fk_consent_business_id_business FOREIGN KEY(business_id) REFERENCES business (id) ON DELETE RESTRICT
        ) STRICT
        """,
    "CREATE INDEX ix_consent_business_id ON consent (business_id)",
    "CREATE UNIQUE INDEX uq_consent_standing ON consent (business_id, channel, value) WHERE withdrawn_at IS NULL",
    """
        CREATE TABLE domain_check (
            domain TEXT NOT NULL,
            accepts INTEGER,
            words TEXT NOT NULL,
            checked_at TEXT NOT NULL,
            CONSTRAINT pk_domain_check PRIMARY KEY (domain),
            CONSTRAINT ck_domain_check_accepts CHECK (accepts IN (0, 1))
        ) STRICT
        """,
    """
        CREATE TABLE worker_log (
            id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
            at TEXT NOT NULL,
            is_problem INTEGER DEFAULT '0' NOT NULL,
            words TEXT NOT NULL,
            CONSTRAINT ck_worker_log_is_problem CHECK (is_problem IN (0, 1))
        ) STRICT
        """,
)


def upgrade() -> None:
    for statement in TABLES:
        op.execute(statement)
    for table, statements in REBUILT.items():
        _rebuild(table, statements)
    for name in ("published_url", "published_hash", "published_at", "publish_problem"):
        op.add_column("site", sa.Column(name, sa.Text()))
    # Which leads share a domain is then told by the index alone: half the time of a search for
    # duplicates.
    op.drop_index("ix_contact_point_domain", "contact_point")
    op.execute(
        "CREATE INDEX ix_contact_point_domain ON contact_point (domain, business_id)"
        " WHERE domain IS NOT NULL"
    )
    # What an earlier version imported was interpreted when it came.
    op.execute("UPDATE raw_record SET applied_at = received_at")


def _rebuild(table: str, statements: tuple[str, ...]) -> None:
    """Write a table anew with the rows it has; ids that were given once are not given again."""
    connection = op.get_bind()
    kept = ", ".join(f'"{column["name"]}"' for column in sa.inspect(connection).get_columns(table))
    given = sa.text("SELECT seq FROM sqlite_sequence WHERE name = :table")
    highest = connection.scalar(given, {"table": table})
    op.execute(f"ALTER TABLE {table} RENAME TO {table}_before")
    op.execute(statements[0])
    op.execute(f"INSERT INTO {table} ({kept}) SELECT {kept} FROM {table}_before")  # noqa: S608 - our own words
    op.execute(f"DROP TABLE {table}_before")
    for statement in statements[1:]:
        op.execute(statement)
    if highest is not None:
        connection.execute(
            sa.text("DELETE FROM sqlite_sequence WHERE name = :table"), {"table": table}
        )
        connection.execute(
            sa.text("INSERT INTO sqlite_sequence (name, seq) VALUES (:table, :seq)"),
            {"table": table, "seq": highest},
        )
