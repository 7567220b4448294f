"""Connections on several threads that do not wait for each other.

SQLite counts the memory it uses, for limits that nothing here sets, and takes one lock of the whole
process for every piece. Where a statement asks for memory for each row, as builds without lookaside
memory do (Debian's), two threads are then no faster than one. The count can be switched off until
SQLite has begun to work: https://www.sqlite.org/c3ref/c_config_covering_index_scan.html
"""

from __future__ import annotations

import ctypes
import sys
from contextlib import suppress
from importlib.util import find_spec

_MEMSTATUS = 9
"""SQLITE_CONFIG_MEMSTATUS."""


def prepare() -> None:
    """Switch the count off, before `sqlite3` is imported for the first time.

    Where that cannot be done (another platform, a Python that carries SQLite in itself, an import
    that came before), everything works as it does otherwise, one thread at a time.
    """
    module = find_spec("_sqlite3")
    if sys.platform != "linux" or module is None or not module.has_location:
        return
    # Symbols are looked for in the module and in the library it is linked to.
    with suppress(OSError, AttributeError):
        ctypes.CDLL(module.origin).sqlite3_config(_MEMSTATUS, ctypes.c_int(0))
