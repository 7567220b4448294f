from __future__ import annotations

import json
import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Cli

ORPHAN = """<title>Ace Plumbing</title><a href="tel:+17185550101">Call</a>
<address>12 Main St, Queens, NY 11416</address>"""


@pytest.fixture
def orphan(store_path: Path) -> Callable[..., None]:
    """Puts a site without a lead into the store, as the import of an old store does."""

    def put(slug: str, html: str = ORPHAN) -> None:
        connection = sqlite3.connect(store_path)
        connection.execute(
            "INSERT INTO unmatched (key, kind, title, reason, created_at, payload)"
            " VALUES (?, 'site', ?, 'it named no business', '2026-11-22T09:30:00.000000Z', ?)",
            (slug, slug, json.dumps({"slug": slug, "html": html, "status": "preview"})),
        )
        connection.commit()
        connection.close()

    return put


def test_building_names_the_sites_and_their_files(cli: Cli) -> None:
    cli("leads", "add", "Ace Plumbing", "--category", "Plumber")
    cli("leads", "add", "Best Hair", "--category", "Hair salon")
    ran = cli("sites", "build", "1", "2", "--json")
    assert ran.code == 0
    assert (ran.json["built"], ran.json["unchanged"], ran.json["failed"]) == (2, 0, 0)
    for site in ran.json["sites"]:
        assert set(site) >= {"slug", "business_id", "path", "status"}
        assert Path(site["path"]).is_absolute()
        assert "<html" in Path(site["path"]).read_text(encoding="utf-8")
        assert site["status"] == "preview"
    again = cli("sites", "build", "--all", "--json").json
    assert (again["built"], again["unchanged"]) == (0, 2)
    assert {s["path"] for s in again["sites"]} == {s["path"] for s in ran.json["sites"]}
    lead = cli("leads", "show", "1", "--json").json
    assert lead["lead"]["website_status"] == "generated"
    assert {"site_building", "site_built"} <= {entry["kind"] for entry in lead["timeline"]}


def test_building_without_saying_what_is_wrong_usage(cli: Cli) -> None:
    assert cli("sites", "build").code == 2
    assert cli("sites", "build", "1", "--all").code == 2
    assert cli("sites", "build", "one").code == 2


def test_an_unknown_lead_is_refused_and_beside_others_it_is_done_in_part(cli: Cli) -> None:
    refused = cli("sites", "build", "7", "--json")
    assert (refused.code, refused.json["failed"]) == (1, 1)
    assert "Lead 7: there is no such lead" in refused.err
    cli("leads", "add", "Ace Plumbing")
    part = cli("sites", "build", "1", "7", "--json")
    assert (part.code, part.json["built"], part.json["failed"]) == (3, 1, 1)


def test_a_list_of_no_sites_is_empty_and_one_of_some_has_the_same_fields(cli: Cli) -> None:
    assert cli("sites", "list", "--json").json["sites"] == []
    cli("leads", "add", "Ace Plumbing")
    built = cli("sites", "build", "--all", "--json").json["sites"][0]
    (listed,) = cli("sites", "list", "--json").json["sites"]
    assert {name: listed[name] for name in ("slug", "business_id", "path", "status")} == {
        name: built[name] for name in ("slug", "business_id", "path", "status")
    }
    assert (listed["business"], listed["out_of_date"]) == ("Ace Plumbing", False)
    cli("leads", "edit", "1", "city=Queens")
    shown = cli("sites", "list")
    assert "out of date" in shown.out
    assert "1 site" in shown.err


def test_a_hostile_name_is_shown_as_text(cli: Cli) -> None:
    cli("leads", "add", "Evil \x1b]52;c;AAAA\x07 \u202e[red]")
    cli("sites", "build", "--all")
    for ran in (cli("sites", "list"), cli("sites", "list", "--json")):
        assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", ran.out + ran.err)
    assert "\x1b" not in json.loads(cli("sites", "list", "--json").out)["sites"][0]["slug"]


# Opening


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


class Opening:
    """`sites open …` in a process of its own, on a port of its own."""

    def __init__(self, store: Path, folder: Path) -> None:
        self.port = free_port()
        self._config = folder / "config.toml"
        self._config.write_text(f"[preview]\nport = {self.port}\n")
        self._store = store
        self._running: list[subprocess.Popen[str]] = []

    def start(self, *arguments: str, **environ: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "crm_tui", "--db", str(self._store), "--config",
             str(self._config), "sites", "open", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, **environ},
        )  # fmt: skip
        self._running.append(process)
        return process

    def stop(self) -> None:
        for process in self._running:
            process.kill()
            process.communicate()


@pytest.fixture
def opening(store_path: Path, tmp_path: Path) -> Iterator[Opening]:
    started = Opening(store_path, tmp_path)
    yield started
    started.stop()


def first_line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def fetch(url: str) -> str:
    with urllib.request.urlopen(url, timeout=60) as answer:
        return str(answer.read().decode())


def test_opening_without_a_browser_serves_the_page_until_it_is_interrupted(
    cli: Cli, opening: Opening
) -> None:
    cli("leads", "add", "Ace Plumbing")
    site = cli("sites", "build", "1", "--json").json["sites"][0]
    Path(site["path"]).unlink()  # the row is the truth: opening brings the file back
    process = opening.start(site["slug"], "--no-browser")
    url = first_line(process)
    assert url == f"http://127.0.0.1:{opening.port}/{site['slug']}/"
    assert fetch(url) == Path(site["path"]).read_text(encoding="utf-8")
    process.send_signal(signal.SIGINT)
    said = process.communicate(timeout=90)[1]
    assert process.returncode == 0
    assert "Traceback" not in said
    timeline = cli("leads", "show", "1", "--json").json["timeline"]
    assert "previewed" in {entry["kind"] for entry in timeline}


def test_opening_while_another_process_serves_uses_that_one_and_ends(
    cli: Cli, opening: Opening
) -> None:
    cli("leads", "add", "Ace Plumbing")
    slug = cli("sites", "build", "1", "--json").json["sites"][0]["slug"]
    url = first_line(opening.start(slug, "--no-browser"))
    second = opening.start("1", "--no-browser", "--json")
    out, err = second.communicate(timeout=90)
    assert second.returncode == 0
    assert json.loads(out)["url"] == url
    assert "Another crm-tui serves" in err


def test_over_ssh_no_browser_is_started_and_the_way_to_the_page_is_said(
    cli: Cli, opening: Opening, tmp_path: Path
) -> None:
    browser = tmp_path / "browser"
    browser.write_text(f"#!/bin/sh\ntouch {tmp_path}/opened\n")
    browser.chmod(0o755)
    cli("leads", "add", "Ace Plumbing")
    cli("sites", "build", "1")
    process = opening.start(
        "1", "--json", SSH_CONNECTION="198.51.100.7 5 192.0.2.1 22", USER="ann",
        BROWSER=str(browser), DISPLAY=":0",
    )  # fmt: skip
    assert process.stdout is not None
    lines: list[str] = []
    while not lines or lines[-1] != "}\n":
        lines.append(process.stdout.readline())
    document: dict[str, Any] = json.loads("".join(lines))
    assert document["opened"] is False
    port = opening.port
    assert document["tunnel"] == f"ssh -L {port}:127.0.0.1:{port} ann@192.0.2.1"
    assert not (tmp_path / "opened").exists()


@pytest.mark.parametrize("named", ["nothing-here", "42", "\x1b[2J"])
def test_opening_what_is_not_there_is_refused_in_a_sentence(cli: Cli, named: str) -> None:
    ran = cli("sites", "open", named, "--no-browser")
    assert (ran.code, ran.out) == (1, "")
    assert "no site" in ran.err
    assert "\x1b" not in ran.err


# Repairing


def test_proposals_are_shown_and_nothing_is_changed(cli: Cli, orphan: Callable[..., None]) -> None:
    orphan("ace-plumbing")
    ran = cli("sites", "repair", "--json")
    assert ran.code == 0
    assert {name: ran.json[name] for name in ("repaired", "created", "linked", "left")} == {
        "repaired": 0, "created": 0, "linked": 0, "left": 1,
    }  # fmt: skip
    (proposal,) = ran.json["proposals"]
    assert (proposal["action"], proposal["name"]) == ("create", "Ace Plumbing")
    assert (proposal["phone"], proposal["city"]) == ("+17185550101", "Queens")
    words = cli("sites", "repair")
    assert "create Ace Plumbing (+17185550101, Queens)" in words.out
    assert "sites repair --yes" in words.err
    assert cli("leads", "list", "--json").json["total"] == 0


def test_accepting_all_repairs_all_and_the_second_time_there_is_nothing_left(
    cli: Cli, orphan: Callable[..., None]
) -> None:
    cli("leads", "add", "Best Pipes", "--phone", "718-555-0199")
    orphan("ace-plumbing")
    orphan("best-pipes", "<h1>Best</h1><a href='tel:7185550199'>Call</a>")
    ran = cli("sites", "repair", "--yes", "--json")
    assert ran.code == 0
    assert {name: ran.json[name] for name in ("repaired", "created", "linked", "left")} == {
        "repaired": 2, "created": 1, "linked": 1, "left": 0,
    }  # fmt: skip
    leads = cli("leads", "list", "--json").json["leads"]
    assert {lead["name"] for lead in leads} == {"Ace Plumbing", "Best Pipes"}
    assert {(lead["contact_status"], lead["website_status"]) for lead in leads} == {
        ("pending", "generated")
    }
    listed = cli("sites", "list", "--json").json
    assert ({site["slug"] for site in listed["sites"]}, listed["unmatched"]) == (
        {"ace-plumbing", "best-pipes"},
        0,
    )
    again = cli("sites", "repair", "--yes", "--json")
    assert (again.code, again.json["repaired"], again.json["left"]) == (0, 0, 0)


# Texts


def test_texts_are_printed_edited_and_the_site_is_built_again(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cli("leads", "add", "Ace Plumbing")
    built = cli("sites", "build", "1", "--json").json["sites"][0]
    assert 'headline = "' in cli("sites", "texts", built["slug"], "--print").out
    editor = tmp_path / "editor"
    editor.write_text('#!/bin/sh\nsed -i \'s/^headline = .*/headline = "Pipes, at last"/\' "$1"\n')
    editor.chmod(0o755)
    monkeypatch.setenv("EDITOR", str(editor))
    monkeypatch.delenv("VISUAL", raising=False)
    ran = cli("sites", "texts", "1")
    assert ran.code == 0
    assert "1 built" in ran.err
    assert "Pipes, at last" in Path(built["path"]).read_text(encoding="utf-8")
    assert "nothing was built" in cli("sites", "texts", "1").err


def test_texts_that_cannot_be_used_are_refused_with_the_line(cli: Cli, tmp_path: Path) -> None:
    cli("leads", "add", "Ace Plumbing")
    cli("sites", "build", "1")
    bad = tmp_path / "bad.toml"
    bad.write_text('headline = "{nobody}"\n')
    ran = cli("sites", "texts", "1", "--file", str(bad))
    assert ran.code == 1
    assert "line 1, field headline" in ran.err
    missing = cli("sites", "texts", "1", "--file", str(tmp_path / "none.toml"))
    assert missing.code == 1
    assert "cannot be read" in missing.err


@pytest.mark.parametrize("asking", [signal.SIGINT, signal.SIGTERM])
def test_a_build_that_is_interrupted_stops_in_order(
    cli: Cli, store_path: Path, asking: signal.Signals
) -> None:
    for number in range(3):
        cli("leads", "add", f"Business {number}")
    connection = sqlite3.connect(store_path)
    connection.executemany(
        "INSERT INTO business (key, name, sort_name, source, created_at, captured_at, updated_at)"
        " SELECT ?, name, sort_name, source, created_at, captured_at, updated_at FROM business"
        " WHERE id = 1",
        [(f"key-{number}",) for number in range(1500)],
    )
    connection.commit()
    connection.close()
    with subprocess.Popen(
        [sys.executable, "-m", "crm_tui", "--db", str(store_path), "sites", "build", "--all",
         "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:  # fmt: skip
        while not list(Path(f"{store_path}.sites").glob("*/index.html")):
            assert process.poll() is None
        process.send_signal(asking)
        out, err = process.communicate(timeout=120)
    assert process.returncode == 3
    document = json.loads(out)
    assert document["cancelled"]
    assert 0 < document["built"] < 1503
    assert "Stopping" in err
    stuck = sqlite3.connect(store_path)
    assert stuck.execute(
        "SELECT count(*) FROM business WHERE website_status = 'generating'"
    ).fetchone() == (0,)
    stuck.close()
