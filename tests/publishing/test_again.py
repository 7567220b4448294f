"""What failed is tried again by the worker, ever more rarely, until it works."""

from __future__ import annotations

import asyncio
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

import crm_tui.worker
from crm_tui.config import Settings
from crm_tui.db.engine import Database
from crm_tui.db.models import Setting, WorkerLog
from crm_tui.services.erase import erase
from crm_tui.services.mailing import Report
from crm_tui.services.publishing import leftovers, retrying
from crm_tui.services.publishing.retrying import Pause
from crm_tui.services.sending import standing
from crm_tui.services.sites.public import PublicState
from crm_tui.worker import Worker
from tests.conftest import NOW
from tests.publishing.conftest import Press, within

HOUR = timedelta(hours=1)


class Night:
    """Nobody is at the desk: a worker passes by, and the operator's command counts its runs."""

    def __init__(self, press: Press, folder: Path) -> None:
        self.press = press
        self._ran = folder / "ran"
        self._script = folder / "upload.py"
        self.command_says("no route to host", status=255)

    def command_says(self, words: str, *, status: int = 0, more: str = "") -> None:
        ran = f"open({str(self._ran)!r}, 'a').write('x')"
        self.press.run_before_the_public_sees_it(
            self._script, f"{ran}\n{more}\nprint({words!r})\nraise SystemExit({status})"
        )

    @property
    def runs(self) -> int:
        return len(self._ran.read_text()) if self._ran.exists() else 0

    @property
    def settings(self) -> Settings:
        return Settings(publishing=self.press.settings)

    def worker(self, db: Database | None = None) -> Worker:
        """One that was started just now."""
        return Worker(
            db or self.press.db, self.settings, environment={}, now=lambda: self.press.now
        )

    async def passes_after(self, wait: timedelta) -> Report:
        self.press.now += wait
        return await self.worker().once()

    async def pause(self) -> Pause | None:
        async with self.press.db.read() as session:
            return await retrying.read(session)

    async def log(self) -> list[str]:
        async with self.press.db.read() as session:
            return list(await session.scalars(select(WorkerLog.words).order_by(WorkerLog.id)))


@pytest.fixture
def night(press: Press, tmp_path: Path) -> Night:
    return Night(press, tmp_path)


async def test_what_failed_is_published_when_the_host_is_back(night: Night) -> None:
    lead = await night.press.lead_with_site()
    await night.press.publish(lead)
    assert night.runs == 1
    report = await night.passes_after(timedelta(seconds=1))
    assert (night.runs, report.problems) == (1, [])

    report = await night.passes_after(HOUR)
    assert night.runs == 2
    (problem,) = report.problems
    assert problem.startswith("Ace Plumbing was not published: python")
    assert problem.endswith(" failed: no route to host (exit status 255).")
    assert (await night.press.public(lead)).state is PublicState.FAILED

    night.command_says("")
    report = await night.passes_after(HOUR)
    assert (night.runs, report.problems) == (3, [])
    assert (await night.press.public(lead)).state is PublicState.PUBLISHED
    assert await night.log() == [
        problem,
        "Tried again what had failed: 1 site published.",
    ]
    assert await night.pause() is None
    await night.passes_after(24 * HOUR)
    assert night.runs == 3


async def test_each_try_waits_longer_than_the_one_before_up_to_six_hours(night: Night) -> None:
    await night.press.publish(await night.press.lead_with_site())
    waits = []
    for _ in range(8):
        pause = await night.pause()
        assert pause is not None
        waits.append(pause.until - night.press.now)
        before = night.runs
        await night.passes_after(waits[-1] - timedelta(seconds=1))
        assert night.runs == before
        await night.passes_after(timedelta(seconds=1))
        assert night.runs == before + 1
    assert [wait / timedelta(minutes=1) for wait in waits] == [5, 15, 45, 135, 360, 360, 360, 360]


async def test_a_program_that_dies_over_a_try_does_not_try_each_time_it_is_started(
    night: Night,
) -> None:
    await night.press.publish(await night.press.lead_with_site())
    kill = "import os, signal; os.kill(os.getppid(), signal.SIGKILL)"
    night.command_says("", more=kill)
    night.press.now += HOUR
    # The try in a process of its own, which its own command kills.
    child = await asyncio.create_subprocess_exec(
        *_one_pass(night), stdout=asyncio.subprocess.DEVNULL
    )
    assert await child.wait() == -9
    assert night.runs == 2
    pause = await night.pause()
    assert pause is not None
    assert (pause.tries, pause.is_over(night.press.now)) == (2, False)
    await night.passes_after(timedelta(seconds=1))
    assert night.runs == 2


def _one_pass(night: Night) -> list[str]:
    program = f"""
import asyncio
import sys
from datetime import datetime
from pathlib import Path
from crm_tui.config import PublishingSettings, Settings
from crm_tui.db.engine import Database
from crm_tui.worker import Worker

async def main():
    db = Database(Path({str(night.press.db.path)!r}))
    settings = Settings(publishing=PublishingSettings(
        path={night.press.settings.path!r}, base_url={night.press.settings.base_url!r},
        command={tuple(night.press.command)!r},
    ))
    now = datetime.fromisoformat({night.press.now.isoformat()!r})
    await Worker(db, settings, environment={{}}, now=lambda: now).once()

asyncio.run(main())
"""
    return [sys.executable, "-c", program]


async def test_the_operators_own_try_begins_the_count_anew(night: Night) -> None:
    lead = await night.press.lead_with_site()
    await night.press.publish(lead)
    for _ in range(4):
        await night.passes_after(7 * HOUR)
    pause = await night.pause()
    assert pause is not None
    assert pause.tries == 5
    await night.press.publish(lead)
    pause = await night.pause()
    assert pause is not None
    assert pause.tries == 1
    assert pause.until - night.press.now <= timedelta(minutes=5)


async def test_only_what_failed_is_tried_again(night: Night, web: Path) -> None:
    failed = await night.press.lead_with_site("Ace")
    built = await night.press.lead_with_site("Best")
    await night.press.publish(failed)
    night.command_says("")
    await night.passes_after(HOUR)
    assert (await night.press.public(failed)).state is PublicState.PUBLISHED
    assert (await night.press.public(built)).state is PublicState.PRIVATE
    assert within(web) == [(await night.press.site(failed)).slug]


async def test_what_the_operator_stopped_is_not_tried_again(night: Night, tmp_path: Path) -> None:
    lead, other = [await night.press.lead_with_site(name) for name in ("Ace", "Best")]
    running = tmp_path / "running"
    night.command_says("", more=f"open({str(running)!r}, 'w'); import time; time.sleep(60)")
    report = await night.press.publish(lead, cancelled=running.exists)
    assert report.cancelled
    await night.passes_after(HOUR)
    assert night.runs == 1

    night.command_says("down", status=1)
    await night.press.publish(other)
    running.unlink()
    night.command_says("", more=f"open({str(running)!r}, 'w'); import time; time.sleep(60)")
    await night.press.publish(other, cancelled=running.exists)
    night.command_says("")
    await night.passes_after(HOUR)
    assert (await night.press.public(other)).state is PublicState.PUBLISHED


async def test_a_worker_that_is_stopped_over_a_try_leaves_it_to_the_next_one(
    night: Night, tmp_path: Path
) -> None:
    lead = await night.press.lead_with_site()
    await night.press.publish(lead)
    problem = (await night.press.public(lead)).problem
    running = tmp_path / "running"
    night.command_says("", more=f"open({str(running)!r}, 'w'); import time; time.sleep(600)")
    night.press.now += HOUR
    worker = night.worker()
    working = asyncio.create_task(worker.run())
    async with asyncio.timeout(60):
        while not running.exists():  # noqa: ASYNC110 - another process does it
            await asyncio.sleep(0.02)
        worker.stop()
        await working
    assert (await night.press.public(lead)).problem == problem
    assert await night.log() == []
    night.command_says("")
    await night.passes_after(HOUR)
    assert (await night.press.public(lead)).state is PublicState.PUBLISHED


async def test_a_worker_that_runs_tries_again_while_its_mail_goes_on(
    night: Night, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(crm_tui.worker, "_PUBLISH_EVERY", 0.01)
    lead = await night.press.lead_with_site()
    await night.press.publish(lead)
    night.command_says("")
    worker = night.worker()
    working = asyncio.create_task(worker.run())
    night.press.now += HOUR
    async with asyncio.timeout(60):
        while (await night.press.public(lead)).state is not PublicState.PUBLISHED:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
        worker.stop()
        await working


async def test_an_error_of_one_part_of_the_work_ends_the_worker(
    night: Night, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def breaks(*_arguments: Any, **_more: Any) -> None:
        raise ArithmeticError

    monkeypatch.setattr(crm_tui.worker, "try_again", breaks)
    async with asyncio.timeout(60):
        with pytest.raises(ArithmeticError):
            await night.worker().run()


async def test_what_could_not_be_taken_down_is_taken_down_later(night: Night, web: Path) -> None:
    lead = await night.press.lead_with_site()
    night.command_says("")
    await night.press.publish(lead)
    night.command_says("no route to host", status=255)
    await night.press.take_down(lead)
    assert (await night.press.public(lead)).state is PublicState.LEFT
    report = await night.passes_after(HOUR)
    assert "Ace Plumbing was not taken down: python" in report.problems[0]
    night.command_says("")
    await night.passes_after(HOUR)
    assert (await night.press.public(lead)).state is PublicState.PRIVATE
    assert (await night.log())[-1] == "Tried again what had failed: 1 site taken down."
    assert within(web) == []


async def test_taking_down_that_was_killed_is_gone_on_with(
    night: Night, monkeypatch: pytest.MonkeyPatch
) -> None:
    lead = await night.press.lead_with_site()
    night.command_says("")
    await night.press.publish(lead)

    class Killed(BaseException):
        pass

    async def dies(*_arguments: Any, **_more: Any) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr("crm_tui.services.publishing.folder.FolderPublisher.remove", dies)
        with pytest.raises(Killed):
            await night.press.take_down(lead)
    await night.passes_after(HOUR)
    assert (await night.press.public(lead)).state is PublicState.PRIVATE


async def test_pages_of_erased_leads_go_with_the_next_try(night: Night, web: Path) -> None:
    lead = await night.press.lead_with_site()
    night.command_says("")
    await night.press.publish(lead)
    night.command_says("no route to host", status=255)
    await erase(night.press.db, lead, settings=night.settings, now=night.press.tick())
    async with night.press.db.read() as session:
        assert len(await leftovers.left(session)) == 1
    report = await night.passes_after(HOUR)
    assert report.problems == ["Pages of erased leads may still be public."]
    night.command_says("")
    report = await night.passes_after(HOUR)
    assert report.problems == []
    async with night.press.db.read() as session:
        assert not await leftovers.left(session)
    assert within(web) == []


async def test_a_folder_that_is_gone_is_said_and_tried_again(night: Night, web: Path) -> None:
    lead = await night.press.lead_with_site()
    await night.press.publish(lead)
    elsewhere = web.rename(web.with_name("unmounted"))  # noqa: ASYNC240 - a moment
    report = await night.passes_after(HOUR)
    (problem,) = report.problems
    assert problem.startswith(f"Publishing fails: The folder {web} of [publishing] is not there.")
    elsewhere.rename(web)
    night.command_says("")
    await night.passes_after(HOUR)
    assert (await night.press.public(lead)).state is PublicState.PUBLISHED


async def test_a_store_that_was_copied_tries_nothing_by_itself(night: Night) -> None:
    await night.press.publish(await night.press.lead_with_site())
    async with night.press.db.write() as session:
        await standing.stop(session, "it was restored")
    await night.passes_after(HOUR)
    assert night.runs == 1


async def test_a_clock_that_was_wrong_once_does_not_keep_it_from_being_tried(night: Night) -> None:
    press = night.press
    lead = await press.lead_with_site()
    press.now += timedelta(days=9000)
    await press.publish(lead)
    press.now -= timedelta(days=9000)
    night.command_says("")
    await night.passes_after(HOUR)
    assert (await press.public(lead)).state is PublicState.PUBLISHED


async def test_what_fails_over_a_try_that_works_is_tried_again_too(db: Database) -> None:
    async with db.write() as session:
        pause = await retrying.lengthen(session, None, now=NOW)
        other = await retrying.lengthen(session, None, now=NOW + HOUR)
        await retrying.end(session, pause)
        assert await retrying.read(session) == other
        await retrying.end(session, other)
        assert await retrying.read(session) is None
        assert await session.get(Setting, retrying.NAME) is None
