"""Changing config.toml: what is set is set, and everything else stays as it was written."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from crm_tui.config import load_settings
from crm_tui.errors import BadInput
from crm_tui.services.config_file import Changes, change

WRITTEN = """\
# Mine.
[providers.smtp]          # Fastmail
host = "smtp.example.com"

[sending]
per_day = 20  # slowly

[providers.imap]
host = "imap.example.com"
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return tmp_path / "config.toml"


def test_sections_that_lie_apart_take_another_between_them(config: Path) -> None:
    config.write_text(WRITTEN)
    changes = {"providers.mailgun": {"domain": "mg.example.com"}, "email": {"provider": "mailgun"}}
    assert change(config, changes)
    settings = load_settings(config)
    assert settings.providers.mailgun.domain == "mg.example.com"
    assert settings.providers.smtp.host == "smtp.example.com"
    assert settings.providers.imap.host == "imap.example.com"
    assert settings.email.provider == "mailgun"
    text = config.read_text()
    assert all(line in text for line in WRITTEN.splitlines())
    assert not change(config, changes)
    assert config.read_text() == text


def test_what_holds_by_default_is_not_written(config: Path) -> None:
    assert not change(config, {"providers.smtp": {"port": 587}, "email": {"provider": "smtp"}})
    assert not config.exists()
    assert change(config, {"providers.smtp": {"port": 587, "host": "smtp.example.com"}})
    assert config.read_text() == '[providers.smtp]\nhost = "smtp.example.com"\n'
    assert change(config, {"providers.smtp": {"host": ""}})
    assert load_settings(config).providers.smtp.host == ""


def _refusal(config: Path, changes: Changes) -> str:
    try:
        change(config, changes)
    except BadInput as error:
        return str(error)
    return ""


@pytest.mark.parametrize(
    "text",
    [
        "",
        'email = { provider = "smtp" }\n',
        'email.provider = "smtp" # so far\n',
        'providers = { smtp = { host = "a.example" } }\n',
        'providers.smtp.host = "a.example"\n',
        '[providers]\nsmtp = { host = "a.example" }\n',
        '[providers]\n[providers.smtp]\nhost = "a.example"\n[sender]\nname = "Anna"\n',
    ],
)
def test_however_it_is_written_it_is_changed_or_left_alone(config: Path, text: str) -> None:
    config.write_text(text)
    before = tomllib.loads(text)
    changes: Changes = {"providers.smtp": {"port": 25}, "email": {"provider": "outbox"}}
    if said := _refusal(config, changes):
        assert "Set there yourself" in said
        assert config.read_text() == text
        return
    after = tomllib.loads(config.read_text())
    assert after["providers"]["smtp"]["port"] == 25
    assert after["email"]["provider"] == "outbox"
    for section, values in before.items():
        for name, value in values.items():
            if isinstance(value, dict):
                assert value.items() <= after[section][name].items()


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"providers.mailgun": {"domain": "no domain"}}, "mailgun.domain must be a domain"),
        ({"email": {"provider": "pigeon"}}, "Invalid enum value"),
        ({"sms": {"provider": "twilio"}}, "account_sid and from_number must be set"),
    ],
)
def test_what_cannot_be_set_changes_nothing(
    config: Path, changes: dict[str, dict[str, str]], says: str
) -> None:
    config.write_text(WRITTEN)
    with pytest.raises(BadInput, match=says):
        change(config, changes)
    assert config.read_text() == WRITTEN


def test_a_folder_that_cannot_be_written_is_said(config: Path) -> None:
    config.parent.joinpath("file").write_text("")
    with pytest.raises(BadInput, match="cannot be"):
        change(config.parent / "file" / "config.toml", {"email": {"provider": "outbox"}})
