"""Servers that others wrote: Twilio and Resend of the npm package emulate, in exactly one version.

Nothing is installed here: `make emulate` does it (npm and the network are needed), into the folder
that the environment variable CRM_TUI_EMULATE names, or ~/.cache/crm-tui-tests/emulate. Where it is
not there, the tests are skipped and say so.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.world.twilio import ACCOUNT, NUMBER, TOKEN

VERSION = "0.12.2"
_OLDEST_NODE = (22, 15)
_SEED = {
    "twilio": {
        "account": {"sid": ACCOUNT, "auth_token": TOKEN, "friendly_name": "Sites for locals"},
        "phone_numbers": [{"phone_number": NUMBER, "friendly_name": "Sites"}],
        "messaging_services": [{"friendly_name": "Sites", "phone_numbers": [NUMBER]}],
    },
    "resend": {"domains": [{"name": "example.com", "region": "us-east-1"}]},
}


@dataclass(frozen=True, slots=True)
class Emulated:
    """Where the servers are."""

    twilio: str
    resend: str

    def simulate(self, what: str, **form: str) -> None:
        """Have something happen at Twilio's side: inbound-message, message-status."""
        url = f"{self.twilio}/_twilio/simulate/{what}"
        httpx.post(url, data=form, auth=(ACCOUNT, TOKEN)).raise_for_status()

    def mails(self) -> list[dict[str, Any]]:
        """What Resend took."""
        url = f"{self.resend}/emails"
        answer = httpx.get(url, headers={"Authorization": "Bearer re_test"})
        found: list[dict[str, Any]] = answer.raise_for_status().json()["data"]
        return found


def folder() -> Path:
    """Where it is looked for."""
    named = os.environ.get("CRM_TUI_EMULATE")
    return Path(named) if named else Path.home() / ".cache" / "crm-tui-tests" / "emulate"


@contextmanager
def serve(scratch: Path) -> Iterator[Emulated]:
    """Start the servers on two ports of this machine; `scratch` is a folder for their settings."""
    program = _program()
    seed = scratch / "seed.json"
    seed.write_text(json.dumps(_SEED))
    started, port = _start([*program, "start", "-s", "twilio,resend", "--seed", str(seed)])
    try:
        yield Emulated(f"http://127.0.0.1:{port}", f"http://127.0.0.1:{port + 1}")
    finally:
        started.terminate()
        started.wait()
        if started.stdout is not None:
            started.stdout.close()


def _start(command: list[str]) -> tuple[subprocess.Popen[str], int]:
    """The program, once it listens, and its first port; another one may have taken a port first."""
    said = ""
    for _ in range(5):
        port = _two_ports()
        started = subprocess.Popen(
            [*command, "-p", str(port)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        said = _said_until_ready(started)
        if started.poll() is None:
            return started, port
    pytest.fail(f"emulate did not start:\n{said}")


def _program() -> list[str]:
    """What starts it. Skips the test where it is not installed."""
    modules = folder() / "node_modules"
    package = modules / "emulate" / "package.json"
    if not package.is_file():
        pytest.skip(f"emulate is not in {folder()} (make emulate)")
    version = json.loads(package.read_text())["version"]
    if version != VERSION:
        pytest.skip(f"emulate in {folder()} is {version}, not {VERSION} (make emulate)")
    for node in (str(modules / ".bin" / "node"), shutil.which("node")):
        if node is not None and _node_version(node) >= _OLDEST_NODE:
            return [node, str(modules / "emulate" / "dist" / "index.js")]
    pytest.skip("emulate needs Node 22.15 or newer (make emulate)")


def _node_version(node: str) -> tuple[int, ...]:
    try:
        told = subprocess.run([node, "--version"], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return ()
    found = re.match(r"v(\d+)\.(\d+)", told.stdout)
    return tuple(map(int, found.groups())) if found else ()


def _two_ports() -> int:
    """The first of two ports beside each other that nobody listens at."""
    while True:
        with socket.socket() as first, socket.socket() as second:
            first.bind(("127.0.0.1", 0))
            port: int = first.getsockname()[1]
            try:
                second.bind(("127.0.0.1", port + 1))
            except (OSError, OverflowError):
                continue
            return port


def _said_until_ready(started: subprocess.Popen[str]) -> str:
    """What it says until it listens, or ends."""
    lines: list[str] = []
    for line in started.stdout or ():
        lines.append(line)
        if "Ready." in line:
            return "".join(lines)
    started.wait()
    return "".join(lines)
