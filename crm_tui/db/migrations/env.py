"""Alembic's entry point; db/migrate.py hands over the connection."""

from __future__ import annotations

from alembic import context

from crm_tui.db import models
from crm_tui.db.types import Base

assert models.Business.metadata is Base.metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=Base.metadata)
context.run_migrations()
