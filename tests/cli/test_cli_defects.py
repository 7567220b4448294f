"""A defect on the command line: a sentence, a log, an exit code; never a traceback."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from crm_tui.defects import log_path

if TYPE_CHECKING:
    from tests.conftest import Cli


def test_a_defect_is_a_sentence_with_the_name_of_a_log(
    cli: Cli, store_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CRM_TUI_SMTP_PASSWORD", "hunter2-hunter2")
    assert cli("leads", "add", "Woodhaven Plumbing").code == 0
    with closing(sqlite3.connect(store_path)) as connection:
        connection.execute("ALTER TABLE event RENAME TO stolen")
    ran = cli("leads", "note", "1", "the password is hunter2-hunter2")
    assert ran.code == 1
    assert ran.err.startswith("Something went wrong inside crm-tui (OperationalError).")
    assert str(log_path()) in ran.err
    assert "Traceback" not in ran.err
    log = log_path().read_text()
    assert "Traceback (most recent call last):" in log
    assert "no such table" in log
    assert "leads note … …" in log
    assert "hunter2" not in log
    assert "Woodhaven" not in log
