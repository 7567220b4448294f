from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from crm_tui.services.publishing.command import run_command
from crm_tui.services.publishing.publisher import Unfinished
from tests.publishing.conftest import within


async def run(
    folder: Path, program: str, *, seconds: float = 90, stop_when: Path | None = None
) -> None:
    await run_command(
        [sys.executable, "-c", program],
        folder=folder,
        seconds=seconds,
        cancelled=lambda: stop_when is not None and stop_when.exists(),
    )


async def problem(folder: Path, program: str, *, seconds: float = 90) -> str:
    with pytest.raises(Unfinished) as raised:
        await run(folder, program, seconds=seconds)
    return str(raised.value).removeprefix(f"{Path(sys.executable).name} ")


async def test_it_runs_in_the_folder_with_nothing_to_read(tmp_path: Path) -> None:
    await run(
        tmp_path,
        "import os, sys, pathlib; pathlib.Path('was-here').write_text(sys.stdin.read())",
    )
    assert (tmp_path / "was-here").read_text() == ""


async def test_what_it_said_last_stands_in_the_problem_and_can_be_shown(tmp_path: Path) -> None:
    said = (
        "print('one'); print('\\x1b[31mtwo\\x1b[0m\\x07'); print('50%\\r100%\\nno route to host.')"
    )
    assert await problem(tmp_path, f"{said}; raise SystemExit(23)") == (
        "failed: 50% / 100% / no route to host (exit status 23)"
    )
    assert await problem(tmp_path, "raise SystemExit(2)") == "failed: exit status 2"
    assert (await problem(tmp_path, "print('x' * 9000); raise SystemExit(1)")).endswith(
        f"…{'x' * 300} (exit status 1)"
    )
    killed = "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"
    assert await problem(tmp_path, killed) == "failed: signal 9"


async def test_no_shell_reads_its_arguments(tmp_path: Path) -> None:
    with pytest.raises(Unfinished) as raised:
        await run_command(
            [sys.executable, "-c", "import sys; sys.exit(sys.argv[1])", "$(touch x); *"],
            folder=tmp_path,
            seconds=90,
            cancelled=lambda: False,
        )
    assert "failed: $(touch x); * (exit" in str(raised.value)
    assert within(tmp_path) == []


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (["no-such-program"], "cannot be run: No such file or directory"),
        (["a\0b"], "cannot be run: it is not a command"),
        (["/etc/passwd"], "cannot be run: Permission denied"),
    ],
)
async def test_a_program_that_cannot_be_run_is_named(
    tmp_path: Path, command: list[str], words: str
) -> None:
    with pytest.raises(Unfinished) as raised:
        await run_command(command, folder=tmp_path, seconds=5, cancelled=lambda: False)
    assert str(raised.value).endswith(words)


CHILD = """
import pathlib, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(120)"])
pathlib.Path("child").write_text(str(child.pid))
pathlib.Path("started").touch()
"""


def is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


async def seen(is_there: Callable[[], bool]) -> None:
    async with asyncio.timeout(90):
        while not is_there():  # noqa: ASYNC110 - another process does it
            await asyncio.sleep(0.02)


async def gone(pid: int) -> bool:
    async with asyncio.timeout(90):
        while is_alive(pid):  # noqa: ASYNC110 - another process does it
            await asyncio.sleep(0.02)
    return True


async def test_one_that_takes_too_long_is_ended_with_what_it_started(tmp_path: Path) -> None:
    stubborn = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
    for seconds, said in ((1.5, "1 second"), (10, "10 seconds"), (60, "60 seconds")):
        words = await problem(tmp_path, f"{stubborn}{CHILD}\ntime.sleep(120)", seconds=seconds)
        assert words == f"was stopped: not finished within {said}"
        if (tmp_path / "started").exists():  # else a busy machine had not come so far
            break
    assert await gone(int((tmp_path / "child").read_text()))


async def test_one_that_is_cancelled_is_ended(tmp_path: Path) -> None:
    with pytest.raises(Unfinished, match="was stopped: as you asked"):
        await run(tmp_path, f"{CHILD}\ntime.sleep(60)", stop_when=tmp_path / "started")
    assert await gone(int((tmp_path / "child").read_text()))


async def test_what_it_leaves_running_is_not_waited_for(tmp_path: Path) -> None:
    began = time.monotonic()
    await run(tmp_path, CHILD)
    assert time.monotonic() - began < 60  # it sleeps for twice as long
    os.kill(int((tmp_path / "child").read_text()), 9)


async def test_when_the_task_is_cancelled_the_program_is_not_left_behind(tmp_path: Path) -> None:
    running = asyncio.ensure_future(run(tmp_path, f"{CHILD}\ntime.sleep(60)"))
    await seen((tmp_path / "started").exists)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert await gone(int((tmp_path / "child").read_text()))
