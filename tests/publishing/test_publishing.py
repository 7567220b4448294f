from __future__ import annotations

import json
import shutil
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import event, select, update

from crm_tui.db.engine import Database
from crm_tui.db.locks import held
from crm_tui.db.models import Business, Message, Site
from crm_tui.errors import BadInput, UserError
from crm_tui.services import undo
from crm_tui.services.publishing import alone, batch, choosing
from crm_tui.services.publishing.publish import publish_sites
from crm_tui.services.sending.compose import NO_SITE
from crm_tui.services.sites import gather
from crm_tui.services.sites.public import PublicState
from crm_tui.vocabulary import SiteStatus, WebsiteStatus
from tests.publishing.conftest import BASE, Press, within

FAILS = "print('no route to host'); raise SystemExit(255)"


async def url_in_mails(db: Database, lead: int) -> str | None:
    async with db.read() as session:
        return await choosing.public_address(session, lead)


async def test_a_published_site_is_where_its_address_says_and_the_lead_says_so(
    press: Press, db: Database
) -> None:
    lead = await press.lead_with_site("Ace Plumbing", city="Queens")
    report = await press.publish(lead)

    assert (report.published, report.unchanged, report.failures) == (1, 0, [])
    site = await press.site(lead)
    assert site.slug.startswith("ace-plumbing-queens-")
    assert report.sites[0].url == f"{BASE}/{site.slug}/" == site.published_url
    assert (await press.page(lead)).read_text() == site.html
    assert 'content="noindex, nofollow"' in site.html
    assert (site.status, site.published_hash) == (SiteStatus.PUBLISHED, site.content_hash)
    assert (site.published_at, site.publish_problem) == (press.now, None)
    assert await press.website_status(lead) is WebsiteStatus.PUBLISHED
    assert await press.told(lead) == ["site published"]
    assert await url_in_mails(db, lead) == site.published_url


async def test_publishing_again_what_is_public_changes_nothing(press: Press, web: Path) -> None:
    lead = await press.lead_with_site()
    press.command = (sys.executable, "-c", "import pathlib; pathlib.Path('ran').touch()")
    await press.publish(lead)
    (web / "ran").unlink()
    before = (await press.page(lead)).stat()
    at = (await press.site(lead)).published_at

    again = await press.publish(lead)
    assert (again.published, again.unchanged) == (0, 1)
    assert (await press.page(lead)).stat().st_mtime_ns == before.st_mtime_ns
    assert not (web / "ran").exists()
    assert (await press.site(lead)).published_at == at
    assert await press.told(lead) == ["site published"]


async def test_a_site_built_again_is_older_in_public_until_it_is_published_again(
    press: Press, db: Database
) -> None:
    lead = await press.lead_with_site()
    await press.publish(lead)
    before = (await press.page(lead)).read_text()
    await press.change_texts(lead)

    assert (await press.public(lead)).state is PublicState.OLDER
    assert await press.website_status(lead) is WebsiteStatus.PUBLISHED
    assert (await press.page(lead)).read_text() == before
    assert await url_in_mails(db, lead) is not None

    report = await press.publish(lead)
    assert report.published == 1
    assert (await press.public(lead)).state is PublicState.PUBLISHED
    assert (await press.page(lead)).read_text() == (await press.site(lead)).html != before
    assert await press.told(lead) == ["site published", "site published again"]


async def test_a_page_that_is_lost_is_put_again(press: Press) -> None:
    lead = await press.lead_with_site()
    await press.publish(lead)
    page = await press.page(lead)
    page.unlink()
    assert (await press.publish(lead)).published == 1
    page.write_text("changed by somebody")
    assert (await press.publish(lead)).published == 1
    assert page.read_text() == (await press.site(lead)).html


async def test_a_site_counts_as_published_only_when_the_command_succeeded(
    press: Press, db: Database, tmp_path: Path
) -> None:
    lead, other = await press.lead_with_site("Ace"), await press.lead_with_site("Best")
    press.run_before_the_public_sees_it(tmp_path / "upload.py", FAILS)
    report = await press.publish(lead, other)

    assert (report.published, report.unchanged, len(report.failures)) == (0, 0, 2)
    assert report.failures[0].reason.endswith("failed: no route to host (exit status 255)")
    site = await press.site(lead)
    assert (site.status, site.published_url, site.published_hash) == (
        SiteStatus.PREVIEW, None, None
    )  # fmt: skip
    assert site.publish_problem == report.failures[0].reason
    assert (await press.public(lead)).state is PublicState.FAILED
    assert await press.website_status(lead) is WebsiteStatus.GENERATED
    assert await press.told(lead) == []
    assert await url_in_mails(db, lead) is None

    press.run_before_the_public_sees_it(tmp_path / "upload.py", "")
    report = await press.publish(lead, other)
    assert (report.published, report.failures) == (2, [])
    assert (await press.public(lead)).problem is None
    assert await url_in_mails(db, lead) == (await press.site(lead)).published_url


async def test_what_failed_goes_along_with_the_next_batch(
    press: Press, db: Database, tmp_path: Path
) -> None:
    lead, other = await press.lead_with_site("Ace"), await press.lead_with_site("Best")
    press.run_before_the_public_sees_it(tmp_path / "upload.py", FAILS)
    await press.publish(lead)
    press.run_before_the_public_sees_it(tmp_path / "upload.py", "")
    report = await press.publish(other)
    assert [each.business_id for each in report.sites] == [other]
    assert [each.business_id for each in report.settled] == [lead]
    assert await url_in_mails(db, lead) == report.settled[0].url
    assert await press.told(lead) == ["site published"]


async def test_what_was_built_again_since_it_failed_does_not_go_along(
    press: Press, tmp_path: Path
) -> None:
    lead, other = await press.lead_with_site("Ace"), await press.lead_with_site("Best")
    press.run_before_the_public_sees_it(tmp_path / "upload.py", FAILS)
    await press.publish(lead)
    await press.change_texts(lead)
    press.run_before_the_public_sees_it(tmp_path / "upload.py", "")
    assert (await press.publish(other)).settled == []
    assert (await press.public(lead)).state is PublicState.FAILED


async def test_what_was_public_stays_so_when_publishing_it_again_fails(
    press: Press, db: Database, tmp_path: Path
) -> None:
    lead = await press.lead_with_site()
    await press.publish(lead)
    known = (await press.site(lead)).published_url
    await press.change_texts(lead)
    press.run_before_the_public_sees_it(tmp_path / "upload.py", FAILS)
    await press.publish(lead)

    public = await press.public(lead)
    assert (public.state, public.url) == (PublicState.OLDER, known)
    assert public.problem is not None
    assert await url_in_mails(db, lead) == known


async def test_the_command_runs_once_for_a_batch_and_finds_all_its_pages(
    press: Press, web: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch, "CHUNK", 3)
    leads = [await press.lead_with_site(f"Business {number}") for number in range(8)]
    press.run_before_the_public_sees_it(
        tmp_path / "count.py",
        "import pathlib; f = open('/dev/stdout'); "
        f"log = open({str(tmp_path / 'log')!r}, 'a'); "
        "log.write(f\"{len(list(pathlib.Path().glob('*/index.html')))}\\n\")",
    )
    steps: list[tuple[int, int]] = []
    report = await press.publish(*leads, progress=lambda done, total: steps.append((done, total)))
    assert report.published == 8
    assert (tmp_path / "log").read_text() == "8\n"
    assert steps == [(3, 8), (6, 8), (8, 8)]
    assert len(within(web)) == 8


async def test_one_page_that_cannot_be_written_leaves_the_others_published(
    press: Press, web: Path
) -> None:
    lead, other = await press.lead_with_site("Ace"), await press.lead_with_site("Best")
    (web / (await press.site(lead)).slug).write_text("a file where the folder should be")
    report = await press.publish(lead, other)
    assert [each.business_id for each in report.failures] == [lead]
    assert [each.business_id for each in report.sites] == [other]
    problem = (await press.public(lead)).problem
    assert problem is not None
    assert problem.endswith("a link or a file stands in its place")
    assert (await press.public(other)).state is PublicState.PUBLISHED


async def test_messages_that_waited_for_the_site_are_let_go_and_no_others(
    press: Press, db: Database
) -> None:
    lead, other = await press.lead_with_site("Ace"), await press.lead_with_site("Best")

    def message(number: int, business_id: int, reason: str | None) -> Message:
        return Message(
            key=str(number), business_id=business_id, origin_id=business_id,
            address=f"{number}@example.com", message_id=f"<{number}@example.com>",
            token=str(number), reason=reason, created_at=press.now,
        )  # fmt: skip

    async with db.write() as session:
        session.add_all(
            (message(1, lead, NO_SITE), message(2, other, NO_SITE), message(3, lead, None))
        )
    report = await press.publish(lead)
    assert report.released == 1
    async with db.read() as reading:
        rows = await reading.execute(select(Message.key, Message.due_at, Message.state))
        due = {row.key: row.due_at for row in rows}
    assert due == {"1": press.now, "2": None, "3": None}


async def test_a_site_somewhere_else_now_gets_its_new_address(press: Press) -> None:
    lead = await press.lead_with_site()
    await press.publish(lead)
    press.base_url = "https://www.example.org/p"
    report = await press.publish(lead)
    assert report.published == 1
    slug = (await press.site(lead)).slug
    assert (await press.site(lead)).published_url == f"https://www.example.org/p/{slug}/"


async def test_a_sold_site_stays_sold(press: Press, db: Database) -> None:
    lead = await press.lead_with_site()
    async with db.write() as session:
        await session.execute(update(Site).values(status=SiteStatus.SOLD))
    await press.publish(lead)
    assert (await press.site(lead)).status is SiteStatus.SOLD
    assert await url_in_mails(db, lead) is not None
    assert (await press.publish(lead)).unchanged == 1


async def test_the_newest_site_is_published_and_an_archived_one_is_not(
    press: Press, db: Database
) -> None:
    lead = await press.add("Ace Plumbing")
    async with db.write() as session:
        session.add(
            Site(
                business_id=lead, slug="old-ace", theme=gather.IMPORTED, content_hash="x",
                created_at=press.now, built_at=press.now, html="<h1>Ace</h1>",
            )
        )  # fmt: skip
    assert (await press.publish(lead)).sites[0].slug == "old-ace"
    assert 'content="noindex, nofollow"' in (press.web / "old-ace" / "index.html").read_text()
    await press.build(lead)
    assert (await press.publish(lead)).sites[0].slug != "old-ace"

    async with db.write() as session:
        await session.execute(update(Site).values(status=SiteStatus.ARCHIVED))
        ids = list(await session.scalars(select(Site.id)))
    assert (await press.publish(lead)).sites == []
    named = await publish_sites(db, [*ids, 999], publisher=press.publisher, clock=press.tick)
    assert [each.reason for each in named.failures] == [
        "it is archived", "it is archived", "there is no such site any more"
    ]  # fmt: skip


async def test_it_cannot_be_undone(press: Press, db: Database) -> None:
    lead = await press.lead_with_site()
    await press.publish(lead)
    async with db.read() as session:
        assert await undo.entries(session) == []
    assert (await press.site(lead)).status is SiteStatus.PUBLISHED


async def test_nothing_is_changed_where_publishing_cannot_begin(press: Press) -> None:
    await press.publish(await press.lead_with_site("Bee Roofing"))
    lead = await press.lead_with_site()
    shutil.rmtree(press.web)
    with pytest.raises(BadInput, match="is not there"):
        await press.publish(lead)
    assert (await press.public(lead)).state is PublicState.PRIVATE
    assert not press.web.exists()


async def test_who_comes_while_another_publishes_waits_and_then_says_so(
    press: Press, store_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lead = await press.lead_with_site()
    monkeypatch.setattr(alone, "PATIENCE", 0.3)
    with held(store_path, alone.LOCK):
        with pytest.raises(UserError, match="Another crm-tui is publishing"):
            await press.publish(lead)
        with pytest.raises(UserError, match="Another crm-tui is publishing"):
            await press.publish(lead, cancelled=lambda: True)
    assert (await press.publish(lead)).published == 1


async def test_cancelling_leaves_what_was_put_to_be_published_again(
    press: Press, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch, "CHUNK", 1)
    leads = [await press.lead_with_site(f"Business {number}") for number in range(3)]
    press.run_before_the_public_sees_it(
        tmp_path / "count.py", f"open({str(tmp_path / 'ran')!r}, 'w')"
    )
    seen: list[int] = []
    report = await press.publish(
        *leads, progress=lambda done, _total: seen.append(done), cancelled=lambda: len(seen) == 2
    )
    assert report.cancelled
    assert [each.business_id for each in report.failures] == leads[:2]
    assert "stopped before it had finished" in report.failures[0].reason
    assert not (tmp_path / "ran").exists()
    assert (await press.public(leads[2])).problem is None
    assert (await press.publish(*leads)).published == 3


async def test_stopping_the_command_is_a_problem_of_the_batch(press: Press, tmp_path: Path) -> None:
    lead = await press.lead_with_site()
    running = tmp_path / "running"
    press.run_before_the_public_sees_it(
        tmp_path / "slow.py", f"import time; open({str(running)!r}, 'w'); time.sleep(60)"
    )
    report = await press.publish(lead, cancelled=running.exists)
    assert report.cancelled
    assert "was stopped before it had finished" in report.failures[0].reason
    assert (await press.public(lead)).state is PublicState.FAILED


async def test_a_site_built_again_while_the_command_runs_is_older_at_once(
    press: Press, store_path: Path, tmp_path: Path
) -> None:
    lead = await press.lead_with_site()
    press.run_before_the_public_sees_it(
        tmp_path / "meanwhile.py",
        f"import sqlite3; c = sqlite3.connect({str(store_path)!r}); "
        "c.execute(\"UPDATE site SET content_hash = 'other'\"); c.commit()",
    )
    await press.publish(lead)
    assert (await press.public(lead)).state is PublicState.OLDER


async def test_a_lead_merged_while_the_command_runs_keeps_its_site(
    press: Press, store_path: Path, tmp_path: Path
) -> None:
    lead, other = await press.lead_with_site("Ace"), await press.add("Best")
    press.run_before_the_public_sees_it(
        tmp_path / "meanwhile.py",
        f"import sqlite3; c = sqlite3.connect({str(store_path)!r}); "
        f"c.execute('UPDATE site SET business_id = {other}'); c.commit()",
    )
    report = await press.publish(lead)
    assert report.sites[0].business_id == other
    assert await press.told(other) == ["site published"]
    assert await press.website_status(other) is WebsiteStatus.PUBLISHED


async def test_a_site_erased_while_the_command_runs_is_taken_down_again(
    press: Press, store_path: Path, web: Path, tmp_path: Path
) -> None:
    lead = await press.lead_with_site()
    log = tmp_path / "log"
    press.run_before_the_public_sees_it(
        tmp_path / "meanwhile.py",
        f"import os, sqlite3; c = sqlite3.connect({str(store_path)!r}); "
        "c.execute('DELETE FROM event WHERE site_id IS NOT NULL'); c.execute('DELETE FROM site'); "
        f"c.commit(); open({str(log)!r}, 'a').write(f'{{len(os.listdir())}}\\n')",
    )
    report = await press.publish(lead)
    assert report.failures[0].reason == "it was erased meanwhile"
    assert log.read_text() == "1\n0\n"
    assert within(web) == []


async def test_the_preview_beside_the_store_is_restored_on_the_way(
    press: Press, db: Database
) -> None:
    lead = await press.lead_with_site()
    preview = db.site_folder / (await press.site(lead)).slug / "index.html"
    preview.unlink()
    await press.publish(lead)
    assert preview.exists()


async def test_a_chunk_asks_the_store_the_same_number_of_questions_whatever_its_size(
    press: Press, db: Database
) -> None:
    leads = [await press.lead_with_site(f"Business {number}") for number in range(14)]
    counts: list[int] = []

    def count(*_arguments: object) -> None:
        counts[-1] += 1

    event.listen(db._writer.sync_engine, "before_cursor_execute", count)
    for chunk in (leads[:2], leads[2:]):
        counts.append(0)
        assert (await press.publish(*chunk)).published == len(chunk)
    assert counts[0] == counts[1] > 0


async def test_names_from_anywhere_make_addresses_that_can_be_sent(press: Press) -> None:
    names = ("../../etc/passwd", "مكتب", "🍕", "a" * 400, "<script>", "..", "Ünïcode\u202e", "con")
    leads = [await press.lead_with_site(name) for name in names]
    report = await press.publish(*leads)
    assert report.published == len(names)
    for site in report.sites:
        assert json.dumps(site.url) == f'"{site.url}"'
        assert len(site.url) < 200
        assert site.url.removeprefix(f"{BASE}/").count("/") == 1


async def test_the_clock_of_an_event_is_the_one_that_was_passed_in(press: Press) -> None:
    lead = await press.lead_with_site()
    press.now += timedelta(days=300)
    await press.publish(lead)
    async with press.db.read() as session:
        activity = await session.scalar(
            select(Business.last_activity_at).where(Business.id == lead)
        )
    assert activity == press.now


KILLED = """
import asyncio, itertools, os, signal, sys
from crm_tui.services.publishing.folder import FolderPublisher

web, last, letter = sys.argv[1], int(sys.argv[2]), sys.argv[3]
steps = itertools.count(1)

def die(name, _arguments):
    if name in ("os.mkdir", "open", "os.rename") and next(steps) == last:
        os.kill(os.getpid(), signal.SIGKILL)

async def main():
    pages = {f"site-{number}": letter * 200_000 for number in range(6)}
    sys.addaudithook(die)
    await FolderPublisher(web, "https://p.example.com").put(pages)

asyncio.run(main())
"""


def test_a_program_that_is_killed_leaves_no_page_in_half(web: Path) -> None:
    def put(letter: str, *, last: int) -> int:
        program = [sys.executable, "-c", KILLED, str(web), str(last), letter]
        return subprocess.run(program, check=False).returncode

    whole = {letter * 200_000 for letter in "ab"}
    for last, letter in zip((3, 6, 11, 16, 21), "ababa", strict=True):
        assert put(letter, last=last) == -9
        assert {page.read_text() for page in web.glob("*/index.html")} <= whole
    assert put("c", last=0) == 0
    pages = list(web.glob("*/*"))
    assert [page.name for page in pages] == ["index.html"] * 6
    assert {page.read_text() for page in pages} == {"c" * 200_000}
