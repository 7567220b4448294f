from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built with what is installed here."""
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, ROOT],
        check=True,
        capture_output=True,
    )
    return next(folder.glob("*.whl"))


def test_the_wheel_holds_everything_in_the_package_that_is_not_rubbish(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        packed = {name for name in archive.namelist() if name.startswith("crm_tui/")}
    source = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "crm_tui").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert packed == source
    assert any(name.endswith("style.css") for name in packed)
    assert "crm_tui/db/migrations/versions/0001_first_schema.py" in packed


def test_the_wheel_works_in_an_environment_of_its_own(wheel: Path, tmp_path: Path) -> None:
    home = tmp_path / "venv"
    venv.create(home, with_pip=False)
    python = home / "bin" / "python"
    packages = sysconfig.get_path("purelib", vars={"base": str(home)})
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(packages)
    # Its dependencies are lent from here; our own source is not on the path.
    lent = {path for path in sys.path if path.endswith("site-packages")}
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([packages, *lent])}

    def run(*arguments: str) -> str:
        return subprocess.run(
            [python, "-m", "crm_tui", "--db", tmp_path / "crm.db", *arguments],
            check=True,
            capture_output=True,
            cwd=tmp_path,
            env=environment,
            text=True,
        ).stdout

    run("leads", "add", "Joe's Plumbing", "--category", "Plumber", "--phone", "518-871-1647")
    assert '"built": 1' in run("sites", "build", "1", "--json")
    assert '"ok": true' in run("doctor", "--json")
