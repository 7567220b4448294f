"""A store that may be read and not written: looked at where SQLite can, else told what to do."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.conftest import Cli

Run = Callable[..., subprocess.CompletedProcess[str]]
NOBODY = 65534
AS_ANYBODY = ["setpriv", "--bounding-set=-dac_override,-dac_read_search,-fowner"]
"""Root without the rights by which it writes whatever it likes."""


@pytest.fixture
def somebody_elses(cli: Cli, store_path: Path) -> Iterator[Path]:
    """A store with a lead in a folder of its own, neither of which may be written."""
    cli("leads", "add", "Ada", "--city", "Queens")
    folder = store_path.parent / "theirs"
    folder.mkdir()
    store = Path(shutil.move(store_path, folder / "crm.db"))
    store.chmod(0o444)
    folder.chmod(0o555)
    if os.geteuid() == 0:
        if shutil.which("setpriv") is None:
            pytest.skip("root may write anything, and there is no setpriv to have it otherwise")
        os.chown(store, NOBODY, NOBODY)
        os.chown(folder, NOBODY, NOBODY)
    yield store
    folder.chmod(0o755)


@pytest.fixture
def run(somebody_elses: Path) -> Run:
    """Runs the real program on that store, as somebody who may only read it."""
    begin = AS_ANYBODY if os.geteuid() == 0 else []

    def program(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [*begin, sys.executable, "-m", "crm_tui", "--db", str(somebody_elses)]
        return subprocess.run([*command, *arguments], capture_output=True, text=True, check=False)

    return program


LOOKS = [("leads", "list"), ("leads", "show", "1"), ("leads", "export"), ("undo", "--list")]


@pytest.mark.parametrize("look", LOOKS, ids=" ".join)
def test_where_the_folder_is_read_only_one_sentence_says_what_to_do(
    run: Run, look: tuple[str, ...]
) -> None:
    ran = run(*look)
    assert (ran.returncode, ran.stdout) == (1, "")
    assert "copy it to a folder of your own" in ran.stderr
    assert ran.stderr.count("\n") == 1
    assert "damaged" not in ran.stderr


def test_where_only_the_file_is_read_only_it_can_be_looked_at_and_not_changed(
    run: Run, somebody_elses: Path
) -> None:
    somebody_elses.parent.chmod(0o777)
    for look in LOOKS:
        ran = run(*look)
        assert ran.returncode == 0, ran.stderr
        assert "Ada" in ran.stdout
    for change in (("leads", "add", "Bea"), ("leads", "bulk", "", "--tag", "x", "--yes")):
        ran = run(*change)
        assert ran.returncode == 1
        assert "is read-only. Nothing was changed." in ran.stderr
        assert ran.stderr.count("\n") == 1
    with closing(sqlite3.connect(somebody_elses)) as store:
        assert store.execute("SELECT count(*) FROM business").fetchone() == (1,)


def test_a_file_that_may_not_be_read_says_so(run: Run, somebody_elses: Path) -> None:
    somebody_elses.chmod(0)
    ran = run("leads", "list")
    assert ran.returncode == 1
    assert "may read and write" in ran.stderr
