"""Campaigns sent through fake providers with everything going wrong: all is told, nothing twice."""

from __future__ import annotations

import asyncio
import random
import subprocess
import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from crm_tui.config import Settings
from crm_tui.db.engine import Database
from crm_tui.worker import Worker
from tests.conftest import NOW
from tests.world.brevo import FakeBrevo
from tests.world.drive import Drive, disagreements, fill
from tests.world.mailgun import FakeMailgun
from tests.world.quick import in_no_time
from tests.world.resend import FakeResend
from tests.world.twilio import FakeTwilio
from tests.world.world import Faults, World

ROOT = Path(__file__).parents[2]
PROVIDERS = ("brevo", "mailgun", "resend", "twilio")


def drive_of(provider: str, leads: int) -> Drive:
    """A drive with everything going wrong, told apart by its size.

    Each refusal for now ends a pass of sending, so that there are fewer of them among many mails.
    """
    faults = replace(Faults.all_at_once(), too_many=min(0.05, 50 / leads))
    world = World(NOW, faults, leads, tick=timedelta(milliseconds=100))
    fakes = {"brevo": FakeBrevo, "mailgun": FakeMailgun, "resend": FakeResend, "twilio": FakeTwilio}
    return Drive(world, fakes[provider](world, provider))


async def finish(store: Path, drive: Drive) -> None:
    """Passes until everything was sent, told and applied; at last with as many refusals as ever."""
    await work(store, drive)
    if drive.world.faults != Faults.all_at_once():
        drive.world.faults = Faults.all_at_once()
        await work(store, drive)


async def work(store: Path, drive: Drive) -> None:
    """Passes of the worker until everything was sent, told and applied."""
    settings = msgspec.convert(drive.configuration, Settings)
    db = Database(store)
    worker = Worker(db, settings, environment=drive.environment, now=drive.world.clock)
    quiet = 0
    while quiet < 6:
        report = await worker.once()
        drive.let_happen()
        drive.world.pass_time(minutes=10)
        news = report.sent or report.uncertain or report.applied or report.due_later
        quiet = 0 if news or report.problems else quiet + 1
    await db.close()


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize(
    "leads", [40, pytest.param(10_000, marks=[pytest.mark.long, pytest.mark.timeout(3600)])]
)
def test_everything_is_told_once_and_nobody_is_written_to_twice(
    store_path: Path, provider: str, leads: int
) -> None:
    if provider == "twilio":
        leads = min(leads, 3_000)  # more are not texted in a month, and poisoned pages end a poll
    fill(store_path, leads, NOW, texts=provider == "twilio")
    drive = drive_of(provider, leads)
    with drive.world.serve(), in_no_time():
        asyncio.run(finish(store_path, drive))
    assert max(drive.times_accepted().values()) == 1
    assert len(drive.fates) > leads * 0.8
    assert disagreements(store_path, drive) == []


def test_the_same_after_the_worker_was_killed_again_and_again(store_path: Path, kills: int) -> None:
    many = kills > 10
    leads = 200 * kills if many else 120
    fill(store_path, leads, NOW)
    drive = drive_of("mailgun", leads)
    dice = random.Random(kills)
    with drive.world.serve():
        for _ in range(kills):
            process = _start(store_path, drive)
            _kill_somewhere(process, dice.random() * (4 if many else 1.5))
            drive.let_happen()
            drive.world.pass_time(minutes=10)
        with in_no_time():
            asyncio.run(finish(store_path, drive))
    assert max(drive.times_accepted().values()) == 1
    assert len(drive.fates) > leads * 0.8
    assert disagreements(store_path, drive) == []


def _start(store: Path, drive: Drive) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.crash.polling_worker", str(store)]
    settings = msgspec.json.encode(drive.configuration).decode()
    return subprocess.Popen(
        [*command, settings, drive.world.now.isoformat()],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        env=drive.environment | {"PYTHONDONTWRITEBYTECODE": "1"},
    )


def _kill_somewhere(process: subprocess.Popen[str], seconds: float) -> None:
    """Kill a worker so long after it began its pass, or let it come to its end before."""
    assert process.stdout is not None
    process.stdout.readline()
    try:
        process.wait(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.kill()
    process.communicate()
