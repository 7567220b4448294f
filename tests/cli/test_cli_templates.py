from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from crm_tui.config import default_config_path

if TYPE_CHECKING:
    from tests.conftest import Cli

GOOD = "---\nsubject: Hello {{ business.name }}\n---\nDear {{ contact.first_name or 'you' }}\n"
BAD = "---\nsubject: Hello\n---\nDear\n{{ contact.frst_name }}\n"


@pytest.fixture
def own() -> Path:
    """The operator's own folder of templates, made."""
    folder = default_config_path().parent / "templates" / "email"
    folder.mkdir(parents=True)
    return folder


@pytest.fixture
def editor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An editor that writes the contents of this file over what it is given."""
    content = tmp_path / "written"
    program = tmp_path / "editor"
    program.write_text(f'#!/bin/sh\n[ ! -e {content} ] || cp {content} "$1"\n')
    program.chmod(0o755)
    monkeypatch.delenv("VISUAL", raising=False)
    monkeypatch.setenv("EDITOR", str(program))
    return content


def test_the_templates_are_listed(cli: Cli, own: Path) -> None:
    (own / "mine.txt").write_text(GOOD)
    listed = cli("templates", "list", "--json").json["templates"]
    assert listed[0] == {
        "name": "mine",
        "channel": "email",
        "subject": "Hello {{ business.name }}",
    }
    assert [each["name"] for each in listed[1:]] == [
        "preview-1-offer",
        "preview-2-reminder",
        "preview-3-questions",
        "preview-4-goodbye",
        "sale-1-payment-link",
        "sale-2-payment-failed",
        "text-1-preview",
        "text-2-reminder",
    ]
    shown = cli("templates", "list")
    assert shown.out.splitlines()[0].split() == ["Name", "Kind", "From", "Subject"]
    assert shown.err == "9 templates\n"


def test_a_template_that_cannot_be_sent_is_listed_and_named(cli: Cli, own: Path) -> None:
    (own / "mine.txt").write_text(BAD)
    assert "Not fit to be sent: mine." in cli("templates", "list").err


def test_a_template_is_shown_as_it_is_written(cli: Cli, own: Path) -> None:
    (own / "mine.txt").write_text(GOOD)
    assert cli("templates", "show", "mine").out == GOOD
    document = cli("templates", "show", "preview-1-offer", "--json").json
    assert document["uses_site"] is document["has_opt_out"] is document["shipped"] is True
    assert "business.city" in document["fields"]


def test_a_template_is_shown_as_a_lead_would_get_it(cli: Cli, own: Path) -> None:
    name = "Joe {{ 7*7 }}\x1b[31m <b>"
    cli("leads", "add", name, "--city", "Queens", "--email", "joe@example.com")
    ran = cli("templates", "show", "preview-1-offer", "--lead", "1", "--json")
    assert ran.code == 0
    assert ran.json["subject"].startswith("A website for Joe {{ 7*7 }}")
    assert "businesses in Queens" in ran.json["text"]
    assert ran.json["html"] is None
    assert "shown as an example: " in ran.err
    assert "site.url" in ran.err
    plain = cli("templates", "show", "preview-1-offer", "--lead", "1")
    assert plain.out == ran.json["text"]
    assert "\x1b" not in plain.out + plain.err
    assert "Subject: A website for Joe" in plain.err


def test_the_html_part_can_be_shown(cli: Cli, own: Path) -> None:
    cli("leads", "add", "A & B")
    (own / "page.html").write_text("---\nsubject: Hi\n---\n<p>{{ business.name }}</p>\n")
    shown = cli("templates", "show", "page", "--lead", "1", "--html")
    assert shown.out == "<p>A &amp; B</p>\n"
    assert cli("templates", "show", "page", "--lead", "1").out == "A & B\n"
    refused = cli("templates", "show", "preview-1-offer", "--lead", "1", "--html")
    assert (refused.code, "text alone" in refused.err) == (1, True)


def test_the_sender_of_the_settings_writes(cli: Cli, own: Path) -> None:
    default_config_path().write_text(
        '[sender]\nname = "Ida Lund"\nemail = "ida@example.org"\npostal_address = "1 Quay\\nOslo"\n'
    )
    cli("leads", "add", "Marsh Plumbing")
    ran = cli("templates", "show", "preview-4-goodbye", "--lead", "1")
    assert "Kind regards,\nIda Lund\n1 Quay\nOslo\n" in ran.out
    assert "sender" not in ran.err


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("show", "preview-offer"), 1, "Did you mean preview-1-offer?"),
        (("show", "preview-1-offer", "--lead", "7"), 1, "7"),
        (("show", "preview-1-offer", "--html"), 2, "--lead"),
        (("show", "strict", "--lead", "1"), 1, "it has no city ({{ business.city }})"),
        (("show", "bad", "--lead", "1"), 1, "line 5: there is no field contact.frst_name"),
        (("check", "none"), 1, "no template none"),
        (("edit", "none"), 1, "--from"),
        (("edit", "../x", "--from", "strict"), 1, "cannot be called"),
    ],
)
def test_what_cannot_be_done_is_refused_with_a_reason(
    arguments: tuple[str, ...], code: int, said: str, cli: Cli, own: Path, editor: Path
) -> None:
    (own / "bad.txt").write_text(BAD)
    (own / "strict.txt").write_text("---\nsubject: Hi\n---\n{{ business.city }}\n")
    cli("leads", "add", "Marsh Plumbing")
    ran = cli("templates", *arguments)
    assert ran.code == code
    assert said in ran.err
    assert ran.out == ""


def test_checking_tells_file_line_and_what_is_wrong(cli: Cli, own: Path) -> None:
    fine = cli("templates", "check")
    assert (fine.code, fine.err) == (0, "8 templates in order.\n")
    (own / "mine.txt").write_text(BAD)
    wrong = cli("templates", "check", "--json")
    assert wrong.code == 1
    assert wrong.json == {
        "checked": 9,
        "problems": [
            {
                "template": "mine",
                "file": str(own / "mine.txt"),
                "line": 5,
                "problem": "there is no field contact.frst_name; did you mean contact.first_name?",
            }
        ],
    }
    assert f"{own / 'mine.txt'}, line 5: there is no field" in wrong.err
    assert cli("templates", "check", "mine").code == 1
    assert cli("templates", "check", "preview-1-offer").code == 0


def test_the_folder_and_the_fields_are_told(cli: Cli, own: Path) -> None:
    assert cli("templates", "path").out == f"{own}\n"
    names = [field["name"] for field in cli("templates", "fields", "--json").json["fields"]]
    assert {"business.name", "contact.first_name", "site.url", "unsubscribe"} <= set(names)
    assert "{{ sender.postal_address }}" in cli("templates", "fields").out


def test_editing_a_shipped_template_makes_ones_own(cli: Cli, own: Path, editor: Path) -> None:
    unchanged = cli("templates", "edit", "preview-1-offer")
    assert (unchanged.code, unchanged.err) == (0, "Nothing was changed.\n")
    assert list(own.iterdir()) == []
    editor.write_text(GOOD)
    saved = cli("templates", "edit", "preview-1-offer")
    assert saved.code == 0
    assert "it can be sent" in saved.err
    assert (own / "preview-1-offer.txt").read_text() == GOOD
    assert cli("templates", "show", "preview-1-offer").out == GOOD


def test_what_was_written_is_kept_when_it_is_wrong(cli: Cli, own: Path, editor: Path) -> None:
    editor.write_text(BAD)
    ran = cli("templates", "edit", "mine", "--from", "preview-1-offer")
    assert ran.code == 1
    assert (
        "In line 5: there is no field contact.frst_name; did you mean contact.first_name?\n"
        in ran.err
    )
    assert "cannot be sent" in ran.err
    assert (own / "mine.txt").read_text() == BAD


def test_the_names_complete_in_the_shell(own: Path) -> None:
    (own / "preview-0-mine.txt").write_text(GOOD)
    asked = {
        "_CRM_TUI_COMPLETE": "complete_fish",
        "_TYPER_COMPLETE_FISH_ACTION": "get-args",
        "_TYPER_COMPLETE_ARGS": "crm-tui templates show preview-",
    }
    program = Path(sys.executable).with_name("crm-tui")
    done = subprocess.run(
        [program], env=os.environ | asked, check=True, capture_output=True, text=True
    )
    offered = [line.split("\t")[0] for line in done.stdout.splitlines()]
    assert offered[:2] == ["preview-0-mine", "preview-1-offer"]
