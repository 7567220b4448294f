"""What every test can ask for: a store of its own, settings, a fixed time."""

from __future__ import annotations

import gc
import json
import os
import shutil
from collections.abc import AsyncIterator, Awaitable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

import hypothesis
import keyring
import pytest
from keyring.backends import null

from crm_tui.__main__ import main
from crm_tui.config import Settings
from crm_tui.db.engine import Database
from crm_tui.services import leads
from crm_tui.services.store import prepare

NOW = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)

# How long an example takes says more about the machine than about the code. The same examples each
# time, so that what passed here passes there; others, and twice as many, with --long.
_TIMELESS = hypothesis.settings(
    deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.register_profile("crm-tui", _TIMELESS, derandomize=True, max_examples=50)
hypothesis.settings.register_profile("crm-tui-long", _TIMELESS)
hypothesis.settings.load_profile("crm-tui")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--kills", type=int, default=3, help="how often a campaign's sender is killed (make crash)"
    )
    parser.addoption("--long", action="store_true", help="long drives too (make test-long)")


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("--long"):
        hypothesis.settings.load_profile("crm-tui-long")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out long drives, unless they are asked for; a whole program gets more time."""
    for item in items:
        if item.get_closest_marker("pty"):
            item.add_marker(pytest.mark.timeout(600))
    if config.getoption("--long"):
        return
    long = [item for item in items if item.get_closest_marker("long")]
    config.hook.pytest_deselected(items=long)
    items[:] = [item for item in items if not item.get_closest_marker("long")]


def pytest_collection_finish() -> None:
    """Look for garbage less often, and not among all that is imported: a quarter of the time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)


@pytest.fixture
def kills(pytestconfig: pytest.Config) -> int:
    """How often the sender of a campaign is killed."""
    return int(pytestconfig.getoption("--kills"))


@pytest.fixture(scope="session", autouse=True)
def _no_keyring() -> None:
    """Passwords of tests come from where a test says; nobody's own keyring is asked for one.

    Without this, keyring would ask every kind of keyring that any test defines.
    """
    os.environ["PYTHON_KEYRING_BACKEND"] = "keyring.backends.null.Keyring"
    keyring.set_keyring(null.Keyring())  # type: ignore[no-untyped-call]


@pytest.fixture(autouse=True)
def _own_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing a test runs reads or writes the operator's own folders."""
    for variable in ("XDG_DATA_HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME"):
        monkeypatch.setenv(variable, str(tmp_path / "home" / variable.lower()))
    for variable in ("CRM_TUI_DB", "SSH_CONNECTION", "SSH_TTY", "BROWSER"):
        monkeypatch.delenv(variable, raising=False)


@pytest.fixture
def now() -> datetime:
    return NOW


@pytest.fixture
def settings() -> Settings:
    return Settings()


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated store without a single row, to be copied: migrating takes half a second."""
    path = tmp_path_factory.mktemp("empty") / "crm.db"
    prepare(path, now=NOW)
    return path


@pytest.fixture
def store_path(empty_store: Path, tmp_path: Path) -> Path:
    """The path of an empty store."""
    return Path(shutil.copy(empty_store, tmp_path / "crm.db"))


@pytest.fixture
async def db(store_path: Path) -> AsyncIterator[Database]:
    """An open, empty store."""
    database = Database(store_path)
    yield database
    await database.close()


class AddLead(Protocol):
    """Adds a lead and returns its id."""

    def __call__(self, name: str, **fields: str) -> Awaitable[int]: ...


@pytest.fixture
def add_lead(db: Database, settings: Settings, now: datetime) -> AddLead:
    """Adds leads by hand to the open store."""

    async def add(name: str, **fields: str) -> int:
        async with db.write() as session:
            return await leads.add(session, {"name": name, **fields}, settings=settings, now=now)

    return add


@pytest.fixture(scope="session")
def real_lists() -> Path:
    """The folder of real lists beside the project; tests that need it are skipped without it."""
    folder = Path(__file__).parents[2] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("the real lists are not beside this checkout")
    return folder


@dataclass(frozen=True, slots=True)
class Ran:
    """What a run of the command line came to."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The one document on stdout."""
        return json.loads(self.out)


class Cli(Protocol):
    """Runs the command line on the test's store."""

    def __call__(self, *arguments: str) -> Ran: ...


@pytest.fixture
def cli(store_path: Path, capfd: pytest.CaptureFixture[str]) -> Cli:
    """Runs the command line in this process, on the test's store, and catches what it says."""

    def run(*arguments: str) -> Ran:
        capfd.readouterr()
        code = 0
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("sys.argv", ["crm-tui", "--db", str(store_path), *arguments])
            try:
                main()
            except SystemExit as ended:
                code = ended.code if isinstance(ended.code, int) else 1
        said = capfd.readouterr()
        return Ran(code, said.out, said.err)

    return run
