"""Publishers that are killed, and publishers that meet: real processes on a real store and folder."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from crm_tui.services.sites.files import DRAFT
from tests.conftest import Cli

LEADS = 60


class Shop:
    """A store with sites, a folder on the web, and publishers as processes."""

    def __init__(self, store: Path, folder: Path) -> None:
        self.store = store
        self.web = folder / "web"
        self.web.mkdir()
        self.running = folder / "running"
        self._config = folder / "config.toml"
        self._script = folder / "upload.py"
        self.upload("")

    def upload(self, program: str) -> None:
        """Have this program as the operator's command."""
        self._script.write_text(program)
        self._config.write_text(
            f"[publishing]\npath = '{self.web}'\nbase_url = 'https://p.example.com'\n"
            f"command = ['{sys.executable}', '{self._script}']\n"
        )

    def until_its_starter_is_gone(self) -> str:
        """A program that shows that it runs, and does so for as long as who started it is there."""
        return (
            f"import os, time; starter = os.getppid(); open({str(self.running)!r}, 'w')\n"
            "while os.getppid() == starter: time.sleep(0.02)"
        )

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "crm_tui", "--db", str(self.store), "--config",
             str(self._config), *(arguments or ("sites", "publish", "--json"))],
            cwd=Path(__file__).parents[2],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        )  # fmt: skip

    def ask(self, question: str) -> Any:
        with closing(sqlite3.connect(f"file:{self.store}?mode=ro", uri=True)) as connection:
            return connection.execute(question).fetchone()[0]

    def published(self) -> int:
        return int(self.ask("SELECT count(*) FROM site WHERE published_url IS NOT NULL"))

    def pages(self) -> list[Path]:
        return sorted(self.web.glob("*/index.html"))


@pytest.fixture
def shop(store_path: Path, cli: Cli, tmp_path: Path) -> Shop:
    with closing(sqlite3.connect(store_path)) as connection:
        at = ["2026-11-22T09:30:00.000000Z"] * 3
        connection.executemany(
            "INSERT INTO business (key, name, sort_name, category, city, country, source,"
            " created_at, captured_at, updated_at)"
            " VALUES (?, ?, ?, 'Plumber', 'Queens', 'US', 'test', ?, ?, ?)",
            [(f"key-{n}", f"Business {n}", f"business {n}", *at) for n in range(LEADS)],
        )
        connection.commit()
    assert cli("sites", "build", "--all").code == 0
    return Shop(store_path, tmp_path)


MOMENTS: dict[str, Callable[[Shop], bool]] = {
    "as the first page is begun": lambda shop: bool(list(shop.web.glob(f"*/{DRAFT}"))),
    "in the middle of the pages": lambda shop: len(shop.pages()) >= LEADS // 2,
    "between writing and recording": lambda shop: shop.running.exists(),
}


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_publisher_killed_at_any_point_has_promised_nothing_and_the_next_one_finishes(
    shop: Shop, moment: str
) -> None:
    shop.upload(shop.until_its_starter_is_gone())
    publisher = shop.start()
    while not MOMENTS[moment](shop) and publisher.poll() is None:
        pass
    publisher.send_signal(signal.SIGKILL)
    publisher.communicate()

    assert shop.published() == 0
    assert shop.ask("PRAGMA integrity_check") == "ok"
    whole = json.loads(shop.ask("SELECT json_group_object(slug, html) FROM site"))
    for page in shop.pages():
        assert page.read_text(encoding="utf-8") == whole[page.parent.name]

    shop.upload("")
    again = shop.start()
    said, _ = again.communicate()
    assert again.returncode == 0
    assert f'"published": {LEADS}' in said
    assert (shop.published(), len(shop.pages())) == (LEADS, LEADS)
    assert list(shop.web.glob(f"*/{DRAFT}")) == []


def test_one_killed_while_taking_down_leaves_no_address_and_the_next_one_finishes(
    shop: Shop,
) -> None:
    first = shop.start()
    first.communicate()
    assert first.returncode == 0
    shop.upload(shop.until_its_starter_is_gone())
    taking_down = shop.start("sites", "unpublish", "", "--json")
    while not shop.running.exists() and taking_down.poll() is None:
        pass
    taking_down.send_signal(signal.SIGKILL)
    taking_down.communicate()
    assert shop.published() == 0
    assert shop.ask("SELECT count(*) FROM site WHERE publish_problem IS NOT NULL") == LEADS

    shop.upload("")
    again = shop.start("sites", "unpublish", "", "--json")
    said, _ = again.communicate()
    assert f'"unpublished": {LEADS}' in said
    assert shop.ask("SELECT count(*) FROM site WHERE publish_problem IS NOT NULL") == 0


def test_two_at_once_publish_every_site_once(shop: Shop) -> None:
    shop.upload("import time; time.sleep(0.3)")
    both = [shop.start(), shop.start()]
    said = [each.communicate()[0] for each in both]
    assert [each.returncode for each in both] == [0, 0]
    assert sorted(f'"published": {LEADS}' in each for each in said) == [False, True]
    assert sorted(f'"unchanged": {LEADS}' in each for each in said) == [False, True]
    events = "SELECT count(*) FROM event WHERE kind = 'site_published'"
    assert shop.ask(events) == LEADS


def test_ctrl_c_stops_the_command_and_says_what_is_left(shop: Shop) -> None:
    shop.upload(f"import time; open({str(shop.running)!r}, 'w'); time.sleep(60)")
    publisher = shop.start()
    while not shop.running.exists() and publisher.poll() is None:
        pass
    publisher.send_signal(signal.SIGINT)
    said, words = publisher.communicate(timeout=90)
    assert publisher.returncode == 3
    assert f'"failed": {LEADS}' in said
    assert "was stopped before it had finished" in words
    assert shop.published() == 0
