"""Money: plans, ways to pay, customers, payments, subscriptions, spend; words for what is told."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

REBUILT = {
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
                CONSTRAINT ck_unmatched_kind CHECK (kind IN ('site', 'reply', 'bounce', 'unsubscribe', 'payment')),
                CONSTRAINT ck_unmatched_state CHECK (state IN ('open', 'linked', 'created', 'dismissed')),
                CONSTRAINT ck_unmatched_payload CHECK (payload IS NULL OR json_valid(payload)),
                CONSTRAINT ck_unmatched_resolved CHECK ((state = 'open') = (resolved_at IS NULL)),
                CONSTRAINT uq_unmatched_key UNIQUE ("key"),
                CONSTRAINT fk_unmatched_business_id_business FOREIGN KEY(business_id) REFERENCES business (id) ON DELETE RESTRICT,
                CONSTRAINT fk_unmatched_site_id_site FOREIGN KEY(site_id) REFERENCES site (id) ON DELETE RESTRICT,
                CONSTRAINT fk_unmatched_raw_id_raw_record FOREIGN KEY(raw_id) REFERENCES raw_record (id) ON DELETE RESTRICT,
                CONSTRAINT fk_unmatched_batch_id_import_batch FOREIGN KEY(batch_id) REFERENCES import_batch (id)
            )
             STRICT
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
                CONSTRAINT ck_event_kind CHECK (kind IN ('captured', 'merged', 'edited', 'tagged', 'note', 'call', 'status_set', 'status_imported', 'outcome_set', 'task_added', 'task_moved', 'task_done', 'do_not_contact', 'contact_allowed', 'consent_given', 'consent_withdrawn', 'email_sent', 'sms_sent', 'opened', 'clicked', 'replied', 'auto_replied', 'delivered', 'deferred', 'bounced', 'soft_bounced', 'complained', 'unsubscribed', 'not_sent', 'purchased', 'payment_asked', 'payment_pending', 'payment_succeeded', 'payment_failed', 'refunded', 'disputed', 'dispute_closed', 'subscription_started', 'subscription_updated', 'subscription_paused', 'subscription_resumed', 'subscription_canceled', 'campaign_joined', 'campaign_left', 'site_building', 'site_built', 'site_failed', 'site_abandoned', 'site_imported', 'site_linked', 'site_published', 'site_unpublished', 'site_sold', 'previewed', 'archived', 'unarchived', 'split', 'erased', 'voided')),
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
            )
             STRICT
            """,
        "CREATE INDEX ix_event_batch_id ON event (batch_id) WHERE batch_id IS NOT NULL",
        "CREATE INDEX ix_event_business_id_occurred_at ON event (business_id, occurred_at)",
        """CREATE INDEX ix_event_call ON event (occurred_at, business_id, is_voided) WHERE kind = 'call'""",
        """CREATE INDEX ix_event_contact ON event (business_id, occurred_at, kind, is_voided) WHERE kind IN ('email_sent', 'sms_sent', 'call') AND is_voided = 0""",
        """CREATE INDEX ix_event_fold ON event (business_id) WHERE moves_to IS NOT NULL OR kind = 'voided'""",
        "CREATE INDEX ix_event_message_id ON event (message_id) WHERE message_id IS NOT NULL",
        "CREATE INDEX ix_event_site_id ON event (site_id) WHERE site_id IS NOT NULL",
    ),
}
"""Tables whose checks change, with their indexes: SQLite does not change them in place."""

TABLES = (
    """
        CREATE TABLE "plan" (
            id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
            name TEXT NOT NULL,
            folded TEXT NOT NULL,
            amount INTEGER NOT NULL,
            currency TEXT NOT NULL,
            interval TEXT NOT NULL,
            setup_fee INTEGER DEFAULT '0' NOT NULL,
            created_at TEXT NOT NULL,
            archived_at TEXT,
            CONSTRAINT ck_plan_name CHECK (trim(name) <> ''),
            CONSTRAINT ck_plan_interval CHECK (interval IN ('month', 'year', 'once')),
            CONSTRAINT ck_plan_amount CHECK (amount >= 1),
            CONSTRAINT ck_plan_setup_fee CHECK (setup_fee >= 0),
            CONSTRAINT ck_plan_currency CHECK (currency GLOB '[A-Z][A-Z][A-Z]'),
            CONSTRAINT uq_plan_folded UNIQUE (folded)
        )
         STRICT
        """,
    """
        CREATE TABLE plan_price (
            plan_id INTEGER NOT NULL,
            provider TEXT NOT NULL,
            mode TEXT NOT NULL,
            product_id TEXT NOT NULL,
            price_id TEXT NOT NULL,
            setup_price_id TEXT,
            CONSTRAINT pk_plan_price PRIMARY KEY (plan_id, provider, mode),
            CONSTRAINT ck_plan_price_mode CHECK (mode IN ('manual', 'live', 'test')),
            CONSTRAINT fk_plan_price_plan_id_plan FOREIGN KEY(plan_id) REFERENCES "plan" (id) ON DELETE RESTRICT
        )
         STRICT
        """,
    """
        CREATE TABLE payment_link (
            id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
            "key" TEXT NOT NULL,
            business_id INTEGER NOT NULL,
            origin_id INTEGER NOT NULL,
            plan_id INTEGER NOT NULL,
            provider TEXT NOT NULL,
            mode TEXT NOT NULL,
            state TEXT NOT NULL,
            reference TEXT NOT NULL,
            provider_id TEXT,
            url TEXT,
            created_at TEXT NOT NULL,
            closed_at TEXT,
            CONSTRAINT ck_payment_link_mode CHECK (mode IN ('manual', 'live', 'test')),
            CONSTRAINT ck_payment_link_state CHECK (state IN ('creating', 'open', 'paid', 'closed')),
            CONSTRAINT ck_payment_link_open CHECK (state <> 'open' OR provider = 'bank' OR (url IS NOT NULL AND provider_id IS NOT NULL)),
            CONSTRAINT ck_payment_link_closed CHECK ((state IN ('paid', 'closed')) = (closed_at IS NOT NULL)),
            CONSTRAINT uq_payment_link_key UNIQUE ("key"),
            CONSTRAINT fk_payment_link_business_id_business FOREIGN KEY(business_id) REFERENCES business (id) ON DELETE RESTRICT,
            CONSTRAINT fk_payment_link_plan_id_plan FOREIGN KEY(plan_id) REFERENCES "plan" (id) ON DELETE RESTRICT
        )
         STRICT
        """,
    "CREATE INDEX ix_payment_link_business_id ON payment_link (business_id)",
    "CREATE INDEX ix_payment_link_provider_id ON payment_link (provider_id) WHERE provider_id IS NOT NULL",
    """CREATE UNIQUE INDEX uq_payment_link_standing ON payment_link (origin_id, plan_id, provider, mode) WHERE state IN ('creating', 'open')""",
    """
        CREATE TABLE money_ref (
            provider TEXT NOT NULL,
            mode TEXT NOT NULL,
            value TEXT NOT NULL,
            business_id INTEGER NOT NULL,
            CONSTRAINT pk_money_ref PRIMARY KEY (provider, mode, value),
            CONSTRAINT ck_money_ref_mode CHECK (mode IN ('manual', 'live', 'test')),
            CONSTRAINT fk_money_ref_business_id_business FOREIGN KEY(business_id) REFERENCES business (id) ON DELETE RESTRICT
        )
         STRICT
        """,
    "CREATE INDEX ix_money_ref_business_id ON money_ref (business_id)",
    """
        CREATE TABLE customer (
            id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
            business_id INTEGER NOT NULL,
            name TEXT,
            email TEXT,
            address TEXT,
            country TEXT,
            tax_id TEXT,
            created_at TEXT NOT NULL,
            CONSTRAINT ck_customer_address CHECK (address IS NULL OR json_valid(address)),
            CONSTRAINT ck_customer_country CHECK (length(country) = 2 AND country = upper(country)),
            CONSTRAINT uq_customer_business_id UNIQUE (business_id),
            CONSTRAINT fk_customer_business_id_business FOREIGN KEY(business_id) REFERENCES business (id) ON DELETE RESTRICT
        )
         STRICT
        """,
    """
        CREATE TABLE subscription (
            id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
            "key" TEXT NOT NULL,
            business_id INTEGER NOT NULL,
            plan_id INTEGER,
            provider TEXT NOT NULL,
            mode TEXT NOT NULL,
            provider_id TEXT,
            state TEXT NOT NULL,
            amount INTEGER NOT NULL,
            currency TEXT NOT NULL,
            interval TEXT NOT NULL,
            interval_count INTEGER DEFAULT '1' NOT NULL,
            started_at TEXT NOT NULL,
            current_period_end TEXT,
            cancel_at TEXT,
            ended_at TEXT,
            CONSTRAINT ck_subscription_mode CHECK (mode IN ('manual', 'live', 'test')),
            CONSTRAINT ck_subscription_state CHECK (state IN ('incomplete', 'trialing', 'active', 'past_due', 'paused', 'unpaid', 'ended')),
            CONSTRAINT ck_subscription_interval CHECK (interval IN ('day', 'week', 'month', 'year')),
            CONSTRAINT ck_subscription_interval_count CHECK (interval_count >= 1),
            CONSTRAINT ck_subscription_ended CHECK ((state = 'ended') = (ended_at IS NOT NULL)),
            CONSTRAINT ck_subscription_amount CHECK (amount >= 0),
            CONSTRAINT ck_subscription_currency CHECK (currency GLOB '[A-Z][A-Z][A-Z]'),
            CONSTRAINT uq_subscription_key UNIQUE ("key"),
            CONSTRAINT fk_subscription_business_id_business FOREIGN KEY(business_id) REFERENCES business (id) ON DELETE RESTRICT,
            CONSTRAINT fk_subscription_plan_id_plan FOREIGN KEY(plan_id) REFERENCES "plan" (id) ON DELETE RESTRICT
        )
         STRICT
        """,
    "CREATE INDEX ix_subscription_business_id ON subscription (business_id, state)",
    "CREATE UNIQUE INDEX uq_subscription_provider_id ON subscription (provider, mode, provider_id) WHERE provider_id IS NOT NULL",
    """
        CREATE TABLE subscription_change (
            id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
            "key" TEXT NOT NULL,
            subscription_id INTEGER NOT NULL,
            occurred_at TEXT NOT NULL,
            state TEXT NOT NULL,
            amount INTEGER NOT NULL,
            currency TEXT NOT NULL,
            interval TEXT NOT NULL,
            interval_count INTEGER DEFAULT '1' NOT NULL,
            current_period_end TEXT,
            cancel_at TEXT,
            plan_id INTEGER,
            CONSTRAINT ck_subscription_change_state CHECK (state IN ('incomplete', 'trialing', 'active', 'past_due', 'paused', 'unpaid', 'ended')),
            CONSTRAINT ck_subscription_change_interval CHECK (interval IN ('day', 'week', 'month', 'year')),
            CONSTRAINT ck_subscription_change_interval_count CHECK (interval_count >= 1),
            CONSTRAINT ck_subscription_change_amount CHECK (amount >= 0),
            CONSTRAINT ck_subscription_change_currency CHECK (currency GLOB '[A-Z][A-Z][A-Z]'),
            CONSTRAINT uq_subscription_change_key UNIQUE ("key"),
            CONSTRAINT fk_subscription_change_subscription_id_subscription FOREIGN KEY(subscription_id) REFERENCES subscription (id) ON DELETE RESTRICT,
            CONSTRAINT fk_subscription_change_plan_id_plan FOREIGN KEY(plan_id) REFERENCES "plan" (id) ON DELETE RESTRICT
        )
         STRICT
        """,
    """CREATE INDEX ix_subscription_change_ended ON subscription_change (occurred_at, subscription_id) WHERE state = 'ended'""",
    """CREATE INDEX ix_subscription_change_order ON subscription_change (subscription_id, occurred_at, "key", state, amount, currency, interval, interval_count)""",
    """
        CREATE TABLE payment (
            id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
            "key" TEXT NOT NULL,
            business_id INTEGER NOT NULL,
            provider TEXT NOT NULL,
            mode TEXT NOT NULL,
            payment_intent TEXT,
            invoice_id TEXT,
            session_id TEXT,
            charge_id TEXT,
            subscription_id INTEGER,
            plan_id INTEGER,
            method TEXT NOT NULL,
            state TEXT NOT NULL,
            amount INTEGER NOT NULL,
            currency TEXT NOT NULL,
            fee INTEGER,
            tax INTEGER,
            is_renewal INTEGER DEFAULT '0' NOT NULL,
            created_at TEXT NOT NULL,
            paid_at TEXT,
            failed_at TEXT,
            failure TEXT,
            attempts INTEGER DEFAULT '0' NOT NULL,
            next_attempt_at TEXT,
            invoice_number TEXT,
            name TEXT,
            email TEXT,
            address TEXT,
            country TEXT,
            note TEXT,
            told TEXT DEFAULT '{}' NOT NULL,
            CONSTRAINT ck_payment_mode CHECK (mode IN ('manual', 'live', 'test')),
            CONSTRAINT ck_payment_state CHECK (state IN ('pending', 'succeeded', 'failed', 'canceled')),
            CONSTRAINT ck_payment_is_renewal CHECK (is_renewal IN (0, 1)),
            CONSTRAINT ck_payment_address CHECK (address IS NULL OR json_valid(address)),
            CONSTRAINT ck_payment_told CHECK (told IS NULL OR json_valid(told)),
            CONSTRAINT ck_payment_amount CHECK (amount >= 0),
            CONSTRAINT ck_payment_fee CHECK (fee >= 0),
            CONSTRAINT ck_payment_tax CHECK (tax >= 0),
            CONSTRAINT ck_payment_attempts CHECK (attempts >= 0),
            CONSTRAINT ck_payment_currency CHECK (currency GLOB '[A-Z][A-Z][A-Z]'),
            CONSTRAINT ck_payment_paid CHECK ((state = 'succeeded') = (paid_at IS NOT NULL)),
            CONSTRAINT uq_payment_key UNIQUE ("key"),
            CONSTRAINT fk_payment_business_id_business FOREIGN KEY(business_id) REFERENCES business (id) ON DELETE RESTRICT,
            CONSTRAINT fk_payment_subscription_id_subscription FOREIGN KEY(subscription_id) REFERENCES subscription (id) ON DELETE RESTRICT,
            CONSTRAINT fk_payment_plan_id_plan FOREIGN KEY(plan_id) REFERENCES "plan" (id) ON DELETE RESTRICT
        )
         STRICT
        """,
    "CREATE INDEX ix_payment_business_id ON payment (business_id, paid_at, mode)",
    """CREATE INDEX ix_payment_failed ON payment (state) WHERE state = 'failed'""",
    "CREATE INDEX ix_payment_paid_at ON payment (paid_at) WHERE paid_at IS NOT NULL",
    "CREATE INDEX ix_payment_subscription_id ON payment (subscription_id)",
    "CREATE UNIQUE INDEX uq_payment_charge_id ON payment (provider, mode, charge_id) WHERE charge_id IS NOT NULL",
    "CREATE UNIQUE INDEX uq_payment_invoice_id ON payment (provider, mode, invoice_id) WHERE invoice_id IS NOT NULL",
    "CREATE UNIQUE INDEX uq_payment_payment_intent ON payment (provider, mode, payment_intent) WHERE payment_intent IS NOT NULL",
    "CREATE UNIQUE INDEX uq_payment_session_id ON payment (provider, mode, session_id) WHERE session_id IS NOT NULL",
    """
        CREATE TABLE refund (
            id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
            "key" TEXT NOT NULL,
            payment_id INTEGER NOT NULL,
            amount INTEGER NOT NULL,
            state TEXT NOT NULL,
            refunded_at TEXT NOT NULL,
            reason TEXT,
            CONSTRAINT ck_refund_state CHECK (state IN ('pending', 'succeeded', 'failed')),
            CONSTRAINT ck_refund_amount CHECK (amount >= 1),
            CONSTRAINT uq_refund_key UNIQUE ("key"),
            CONSTRAINT fk_refund_payment_id_payment FOREIGN KEY(payment_id) REFERENCES payment (id) ON DELETE RESTRICT
        )
         STRICT
        """,
    "CREATE INDEX ix_refund_payment_id ON refund (payment_id)",
    """
        CREATE TABLE dispute (
            id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
            "key" TEXT NOT NULL,
            payment_id INTEGER NOT NULL,
            amount INTEGER NOT NULL,
            state TEXT NOT NULL,
            reason TEXT,
            opened_at TEXT NOT NULL,
            due_by TEXT,
            closed_at TEXT,
            CONSTRAINT ck_dispute_state CHECK (state IN ('open', 'won', 'lost')),
            CONSTRAINT ck_dispute_amount CHECK (amount >= 0),
            CONSTRAINT ck_dispute_closed CHECK ((state = 'open') = (closed_at IS NULL)),
            CONSTRAINT uq_dispute_key UNIQUE ("key"),
            CONSTRAINT fk_dispute_payment_id_payment FOREIGN KEY(payment_id) REFERENCES payment (id) ON DELETE RESTRICT
        )
         STRICT
        """,
    """CREATE INDEX ix_dispute_open ON dispute (due_by) WHERE state = 'open'""",
    "CREATE INDEX ix_dispute_payment_id ON dispute (payment_id)",
    """
        CREATE TABLE spend (
            id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
            "key" TEXT NOT NULL,
            spent_on TEXT NOT NULL,
            kind TEXT NOT NULL,
            amount INTEGER NOT NULL,
            currency TEXT NOT NULL,
            campaign_id INTEGER,
            source TEXT,
            source_folded TEXT,
            note TEXT,
            created_at TEXT NOT NULL,
            CONSTRAINT ck_spend_kind CHECK (trim(kind) <> ''),
            CONSTRAINT ck_spend_for_one CHECK (campaign_id IS NULL OR source IS NULL),
            CONSTRAINT ck_spend_source CHECK ((source IS NULL) = (source_folded IS NULL)),
            CONSTRAINT ck_spend_spent_on CHECK (spent_on GLOB '????-??-??'),
            CONSTRAINT ck_spend_amount CHECK (amount >= 1),
            CONSTRAINT ck_spend_currency CHECK (currency GLOB '[A-Z][A-Z][A-Z]'),
            CONSTRAINT uq_spend_key UNIQUE ("key"),
            CONSTRAINT fk_spend_campaign_id_campaign FOREIGN KEY(campaign_id) REFERENCES campaign (id) ON DELETE RESTRICT
        )
         STRICT
        """,
    "CREATE INDEX ix_spend_spent_on ON spend (spent_on)",
)


INDEXES = (
    "CREATE INDEX ix_business_funnel ON business (contact_status, website_status, qualification_score, captured_at)",
    "CREATE INDEX ix_message_cost ON message (currency, cost, sent_at, claimed_at, created_at, business_id, campaign_id) WHERE cost IS NOT NULL",
    "CREATE INDEX ix_message_sent ON message (business_id, campaign_id, sent_at, provider, delivered_at, bounced_at, opened_at, clicked_at, machine_opened_at, machine_clicked_at, replied_at, unsubscribed_at, complained_at, cost) WHERE sent_at IS NOT NULL",
)
"""What figures are counted in, without a look at a single lead or message."""


def upgrade() -> None:
    for table, statements in REBUILT.items():
        _rebuild(table, statements)
    for statement in (*TABLES, *INDEXES):
        op.execute(statement)
    op.drop_index("ix_business_contact_status", "business")  # ix_business_funnel begins with it


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
