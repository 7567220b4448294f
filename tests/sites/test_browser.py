"""Whether a browser is opened, and what is said and sent when it is not."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from crm_tui.services.sites.browser import Opened, Shown, show_page, tunnel_command

URL = "http://127.0.0.1:8765/ace/"
SSH = {"SSH_CONNECTION": "198.51.100.7 50022 192.0.2.10 22", "USER": "ann"}


def a_browser(folder: Path, script: str) -> str:
    """A command that stands for a browser: what it is given is written into `seen`."""
    command = folder / "a-browser"
    command.write_text(f'#!/bin/sh\necho "$1" > {folder}/seen\n{script}\n')
    command.chmod(command.stat().st_mode | stat.S_IXUSR)
    return str(command)


def test_a_browser_is_asked_with_the_address_and_its_noise_stays_off_the_terminal(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    command = a_browser(tmp_path, "echo noise; echo more noise >&2")
    result = show_page(URL, {"BROWSER": command, "PATH": os.defpath}, platform="linux")
    assert result == Opened(URL, f"Asked the browser to open {URL}")
    assert (tmp_path / "seen").read_text() == f"{URL}\n"
    assert capfd.readouterr() == ("", "")


def test_a_browser_that_fails_is_not_called_opened(tmp_path: Path) -> None:
    command = a_browser(tmp_path, "exit 1")
    result = show_page(URL, {"BROWSER": command, "PATH": os.defpath}, platform="linux")
    assert isinstance(result, Shown)
    assert result.lines == ["No browser took the address; open it by hand:", URL]


@pytest.mark.parametrize("variable", ["SSH_CONNECTION", "SSH_TTY"])
def test_over_ssh_no_browser_is_opened_and_the_tunnel_is_shown(
    tmp_path: Path, variable: str
) -> None:
    environ = {variable: SSH["SSH_CONNECTION"], "DISPLAY": ":10", "USER": "ann"}
    environ |= {"BROWSER": a_browser(tmp_path, "")}
    result = show_page(URL, environ, platform="linux")
    assert isinstance(result, Shown)
    assert result.tunnel is not None
    assert result.tunnel.startswith("ssh -L 8765:127.0.0.1:8765 ann@")
    assert result.lines[-1] == URL
    assert not (tmp_path / "seen").exists()


@pytest.mark.parametrize(
    ("environ", "words"),
    [
        ({"BROWSER": "", "DISPLAY": ":0"}, "BROWSER says to open none"),
        ({"BROWSER": "none", "DISPLAY": ":0"}, "BROWSER says to open none"),
        ({"BROWSER": "lynx", "DISPLAY": ":0"}, "BROWSER is lynx"),
        ({"BROWSER": "/usr/bin/w3m -M %s:links"}, "draw over this terminal"),
        ({}, "no display"),
    ],
)
def test_where_none_can_or_should_be_opened_the_reason_is_said(
    environ: dict[str, str], words: str
) -> None:
    result = show_page(URL, environ, platform="linux")
    assert isinstance(result, Shown)
    assert words in result.words
    assert result.tunnel is None


def test_no_browser_wins_over_a_display(tmp_path: Path) -> None:
    environ = {"DISPLAY": ":0", "BROWSER": a_browser(tmp_path, "")}
    assert isinstance(show_page(URL, environ, no_browser=True, platform="linux"), Shown)
    assert not (tmp_path / "seen").exists()


@pytest.mark.parametrize(
    ("connection", "line"),
    [
        ("198.51.100.7 50022 192.0.2.10 22", "ssh -L 8765:127.0.0.1:8765 ann@192.0.2.10"),
        ("198.51.100.7 1 192.0.2.10 2222", "ssh -L 8765:127.0.0.1:8765 -p 2222 ann@192.0.2.10"),
        ("2001:db8::7 1 2001:db8::1 22", "ssh -L 8765:127.0.0.1:8765 ann@2001:db8::1"),
    ],
)
def test_the_tunnel_line_leads_to_where_the_operator_connected(connection: str, line: str) -> None:
    assert tunnel_command(URL, {"SSH_CONNECTION": connection, "USER": "ann"}) == line


def test_the_tunnel_line_follows_the_port_and_carries_no_shell_words() -> None:
    environ = {"SSH_CONNECTION": "1 2 $(reboot) 22; rm", "USER": "ann; rm -rf /"}
    line = tunnel_command("http://127.0.0.1:8770/ace/", environ)
    assert line.startswith("ssh -L 8770:127.0.0.1:8770 ")
    assert ";" not in line
    assert "$" not in line
    assert "@" not in line
