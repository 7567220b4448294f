"""The store: its engine, its types, its tables and how they change over versions."""

from crm_tui.db import parallel

parallel.prepare()
