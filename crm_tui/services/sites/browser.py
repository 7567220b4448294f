"""Showing an address to the operator: in a browser where there is one, in words where not.

Over SSH a browser would open on the wrong machine, so nothing is opened and the words say how to
reach the page from the operator's own. Whatever is said claims no more than was done.
"""

from __future__ import annotations

import getpass
import ipaddress
import os
import re
import shlex
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePath
from urllib.parse import urlsplit

from crm_tui.text import visible

_CONSOLE_BROWSERS = {
    "browsh", "carbonyl", "cha", "edbrowse", "elinks", "links", "links2", "lynx", "retawq",
    "w3m", "www-browser",
}  # fmt: skip
_USER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._@-]*")
_HANDED_OVER_SECONDS = 3.0

# Runs in a child process: whatever a browser prints is kept off the terminal the app draws on.
_OPEN = "import sys, webbrowser; sys.exit(not webbrowser.open(sys.argv[1]))"


@dataclass(frozen=True, slots=True)
class Opened:
    """The browser was asked to open the address."""

    url: str
    words: str


@dataclass(frozen=True, slots=True)
class Shown:
    """No browser was asked, and why; `tunnel` is the command for the operator's own machine."""

    url: str
    words: str
    tunnel: str | None = None

    @property
    def lines(self) -> list[str]:
        """All there is to show: the reason, the command where one is needed, the address."""
        return [self.words, *([self.tunnel] if self.tunnel else []), self.url]


def show_page(
    url: str, environ: Mapping[str, str], *, no_browser: bool = False, platform: str = sys.platform
) -> Opened | Shown:
    """Open an address in the operator's browser, or say how to.

    Waits for up to three seconds for the browser to take it: call it in a thread.

    Args:
        url: the address, on this machine's loopback.
        environ: the environment variables that decide: SSH_CONNECTION, SSH_TTY, BROWSER, DISPLAY,
            WAYLAND_DISPLAY, USER; handed to the browser as they are.
        no_browser: the operator asked for the address only.
        platform: as `sys.platform` names it.
    """
    shown = reason_not_to_open(url, environ, no_browser=no_browser, platform=platform)
    if shown is not None:
        return shown
    if _ask_browser(url, environ):
        return Opened(url, f"Asked the browser to open {url}")
    return Shown(url, "No browser took the address; open it by hand:")


def reason_not_to_open(
    url: str, environ: Mapping[str, str], *, no_browser: bool, platform: str
) -> Shown | None:
    """What to show instead of opening a browser, or None where one can be opened."""
    if environ.get("SSH_CONNECTION") or environ.get("SSH_TTY"):
        return Shown(
            url,
            "This is an SSH session, so no browser was opened. On your own machine run this, "
            "then open the address:",
            tunnel_command(url, environ),
        )
    if no_browser:
        return Shown(url, "The preview is at:")
    wanted = environ.get("BROWSER")
    if wanted is not None and wanted.strip().lower() in {"", "none"}:
        return Shown(url, "BROWSER says to open none; the preview is at:")
    if wanted is not None and not _graphical(wanted):
        return Shown(
            url,
            f"BROWSER is {visible(wanted, 40)}, which would draw over this terminal; "
            "the preview is at:",
        )
    unix = platform not in {"darwin", "win32"}
    if unix and not (wanted or environ.get("DISPLAY") or environ.get("WAYLAND_DISPLAY")):
        return Shown(url, "There is no display here to open a browser on; the preview is at:")
    return None


def tunnel_command(url: str, environ: Mapping[str, str]) -> str:
    """The `ssh -L` line that brings a loopback address of this machine to the operator's own.

    The host is the address the operator connected to, as SSH_CONNECTION tells it, else this
    machine's name.
    """
    port = urlsplit(url).port or 80
    host, ssh_port = _ssh_server(environ.get("SSH_CONNECTION", ""))
    user = environ.get("USER") or environ.get("LOGNAME") or _login_name()
    target = f"{user}@{host}" if _USER.fullmatch(user) else host
    words = ["ssh", "-L", f"{port}:127.0.0.1:{port}"]
    if ssh_port != "22":
        words += ["-p", ssh_port]
    return shlex.join([*words, target])


def _graphical(wanted: str) -> str:
    """BROWSER, a list of commands as $PATH is one, without those that draw on a terminal."""
    return os.pathsep.join(
        command
        for command in wanted.split(os.pathsep)
        if command.strip() and PurePath(command.split()[0]).name not in _CONSOLE_BROWSERS
    )


def _ask_browser(url: str, environ: Mapping[str, str]) -> bool:
    # Without TERM the webbrowser module offers no console browser of its own choosing.
    child = {name: value for name, value in environ.items() if name not in {"BROWSER", "TERM"}}
    if wanted := _graphical(environ.get("BROWSER", "")):
        child["BROWSER"] = wanted
    try:
        process = subprocess.Popen(  # noqa: S603 - our own interpreter; the address is an argument
            [sys.executable, "-I", "-c", _OPEN, url],
            env=child,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    except OSError:
        return False
    try:
        return process.wait(_HANDED_OVER_SECONDS) == 0
    except subprocess.TimeoutExpired:
        # A browser named in BROWSER runs in the child's foreground: it is open, and reaped later.
        threading.Thread(target=process.wait, name="browser", daemon=True).start()
        return True


def _ssh_server(connection: str) -> tuple[str, str]:
    """Host and port of the SSH server out of "client port server port"."""
    words = connection.split()
    if len(words) == 4 and words[3].isascii() and words[3].isdigit():
        try:
            return str(ipaddress.ip_address(words[2])), words[3]
        except ValueError:
            pass
    return socket.gethostname(), "22"


def _login_name() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a user id without a name
        return ""
