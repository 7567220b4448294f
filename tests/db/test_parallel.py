"""SQLite does not count its memory, so that threads need not wait for each other."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

_SAYS = """
import ctypes, _sqlite3
library = ctypes.CDLL(_sqlite3.__file__)
library.sqlite3_memory_used.restype = ctypes.c_longlong
print("counted" if library.sqlite3_memory_used() else "not counted")
"""
_ORDER = """
import sys
from crm_tui.__main__ import main

sys.argv[1:] = ["--db", *sys.argv[1:]]
try:
    main()
except SystemExit as end:
    assert not end.code
modules = list(sys.modules)
print(modules.index("crm_tui.db") < modules.index("_sqlite3"))
"""
_READ = """
import asyncio, sys
from pathlib import Path
from crm_tui.db.engine import Database

async def read():
    db = Database(Path(sys.argv[1]))
    await db.data_version()
    exec(says)
    await db.close()

asyncio.run(read())
"""


def run(program: str, store: Path, *words: str) -> str:
    arguments = [sys.executable, "-c", f"says = {_SAYS!r}\n{program}", str(store), *words]
    return subprocess.run(arguments, capture_output=True, text=True, check=True).stdout


def can_be_switched_off() -> bool:
    module = find_spec("_sqlite3")
    return sys.platform == "linux" and module is not None and module.has_location


@pytest.mark.skipif(not can_be_switched_off(), reason="SQLite is not a library of its own here")
def test_memory_is_not_counted_once_a_store_is_open(store_path: Path) -> None:
    assert run(_READ, store_path) == "not counted\n"


def test_a_store_opens_as_well_where_sqlite_was_at_work_before(store_path: Path) -> None:
    assert run("import sqlite3\n" + _READ, store_path) == "counted\n"


@pytest.mark.parametrize("command", ["leads list", "funnel", "worker --once", "doctor", "backup"])
def test_no_command_has_sqlite_work_before(command: str, store_path: Path) -> None:
    assert run(_ORDER, store_path, *command.split()).splitlines()[-1] == "True"
