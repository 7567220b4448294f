"""What the program does; each action on the store is one function of a session."""

import crm_tui.db  # noqa: F401 - sees to SQLite before a module here imports sqlite3
