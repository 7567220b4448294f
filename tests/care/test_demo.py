from __future__ import annotations

import asyncio
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import phonenumbers
import pytest

from crm_tui.config import Settings
from crm_tui.errors import BadInput
from crm_tui.services.demo import make_demo
from crm_tui.services.doctor import examine
from crm_tui.vocabulary import ContactStatus
from tests.terminal_session import Terminal

NOW = datetime.fromisoformat("2026-11-22T15:00:00+00:00")
SHOWN = """
    SELECT b.name, b.phone, b.qualification_score, b.contact_status, b.website_status, b.outcome,
        e.kind, e.occurred_at, e.summary, e.body
    FROM business AS b LEFT JOIN event AS e ON e.business_id = b.id
    ORDER BY b.id, e.occurred_at, e.kind, e.summary, e.body
"""


@contextmanager
def opened(path: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        yield connection


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("demo") / "demo.db"
    asyncio.run(make_demo(path, now=NOW))
    return path


def column(path: Path, query: str) -> list[Any]:
    with opened(path) as connection:
        return [row[0] for row in connection.execute(query)]


def test_the_demo_holds_500_leads_of_different_names(demo: Path) -> None:
    names = column(demo, "SELECT name FROM business")
    assert len(names) == len(set(names)) == 500


def test_its_phones_are_fictional_and_its_addresses_belong_to_nobody(demo: Path) -> None:
    phones = column(demo, "SELECT value FROM contact_point WHERE kind = 'phone'")
    assert len(phones) > 400
    for phone in phones:
        assert re.fullmatch(r"\+1\d{3}55501\d\d", phone)
        assert phonenumbers.is_valid_number(phonenumbers.parse(phone))
    for mail in column(demo, "SELECT value FROM contact_point WHERE kind = 'email'"):
        assert mail.endswith("@example.com")
    for website in column(demo, "SELECT value FROM contact_point WHERE kind = 'website'"):
        assert website.endswith(".example/")


def test_its_history_is_lively(demo: Path) -> None:
    reached = set(column(demo, "SELECT DISTINCT contact_status FROM business"))
    assert reached == set(ContactStatus)
    websites = set(column(demo, "SELECT DISTINCT website_status FROM business"))
    assert websites == {"none", "generated", "published", "sold", "archived", "failed"}
    assert column(demo, "SELECT count(*) FROM site") == [60]
    assert column(demo, "SELECT count(DISTINCT theme) FROM site") == [4]
    assert column(demo, "SELECT count(*) FROM unmatched WHERE state = 'open'") == [2]
    assert column(demo, "SELECT count(*) FROM business WHERE do_not_contact") > [0]
    assert column(demo, "SELECT count(*) FROM business WHERE archived_at IS NOT NULL") > [0]
    assert column(demo, "SELECT count(*) FROM task") > [5]
    assert column(demo, "SELECT count(*) FROM import_batch WHERE state = 'done'") == [9]
    assert column(demo, "SELECT count(*) FROM event WHERE kind = 'note'") > [20]


def test_nothing_happens_before_the_capture_or_after_now(demo: Path) -> None:
    first, last = column(
        demo, "SELECT min(occurred_at) FROM event UNION ALL SELECT max(occurred_at) FROM event"
    )
    assert datetime.fromisoformat(last) <= NOW
    assert NOW - datetime.fromisoformat(last) < timedelta(hours=8)
    assert NOW - timedelta(days=61) < datetime.fromisoformat(first)
    early = """
        SELECT count(*) FROM event AS e JOIN business AS b ON b.id = e.business_id
        WHERE e.occurred_at < b.captured_at
    """
    assert column(demo, early) == [0]


def test_texts_have_no_hole_left_in_them(demo: Path) -> None:
    texts = column(demo, "SELECT summary FROM event UNION SELECT body FROM event WHERE body > ''")
    assert [text for text in texts if "{" in text or "}" in text] == []


async def test_the_doctor_finds_nothing_wrong_with_it(demo: Path) -> None:
    report = await examine(demo, settings=Settings(), now=NOW)
    assert report.ok
    assert {finding.check for finding in report.findings} <= {"orphan_sites", "backups"}


async def test_it_is_the_same_every_time(demo: Path, tmp_path: Path) -> None:
    again = tmp_path / "again.db"
    await make_demo(again, now=NOW)
    with opened(demo) as one, opened(again) as other:
        assert one.execute(SHOWN).fetchall() == other.execute(SHOWN).fetchall()
    assert column(demo, "SELECT slug FROM site") == column(again, "SELECT slug FROM site")
    assert column(demo, "SELECT html FROM site") == column(again, "SELECT html FROM site")


async def test_another_seed_makes_other_businesses(demo: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.db"
    await make_demo(other, now=NOW, seed=8)
    names = "SELECT name FROM business ORDER BY id LIMIT 20"
    assert column(demo, names) != column(other, names)


async def test_a_store_that_is_there_is_not_filled(demo: Path) -> None:
    with pytest.raises(BadInput, match="is there already"):
        await make_demo(demo, now=NOW)


@pytest.mark.pty
def test_the_command_opens_the_app_and_leaves_nothing_behind(tmp_path: Path) -> None:
    env = {"TMPDIR": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path / "config")}
    with Terminal(["-m", "crm_tui", "demo"], columns=120, env=env) as terminal:
        terminal.until(lambda shown: "leads" in shown and "Making a demo" not in shown)
        assert [path.name[:13] for path in tmp_path.glob("crm-tui-demo-*")] == ["crm-tui-demo-"]
        terminal.press("q")
        assert terminal.wait() == 0
    assert list(tmp_path.glob("crm-tui-demo-*")) == []
