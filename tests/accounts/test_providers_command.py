"""`crm-tui providers`: accounts are listed, added, used and forgotten, and no key is ever seen."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from crm_tui.clock import utc_now
from crm_tui.config import load_settings
from crm_tui.db.engine import Database
from crm_tui.db.models import Setting, StreamGap, SyncCursor
from crm_tui.providers.catalog import capabilities
from tests.accounts.keyrings import Forgetful, Keeping, Locked, in_use
from tests.conftest import Cli, Ran

KEY = "sk-tr0ub4dor-and-three"
ALL = ["smtp", "imap", "mailgun", "resend", "brevo", "twilio", "stripe"]

Run = Callable[..., Ran]


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "config.toml"
    path.write_text('# Mine.\n[sender]\nname = "Anna"\nemail = "anna@studio.example"\n')
    return path


@pytest.fixture
def kept() -> Iterator[Keeping]:
    """The keyring of the test."""
    backend = Keeping()
    with in_use(backend):
        yield backend


@pytest.fixture
def run(cli: Cli, config: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """The command line with the configuration; `typed` comes in on standard input."""

    def run_it(*arguments: str, typed: str = "") -> Ran:
        monkeypatch.setattr("sys.stdin", io.StringIO(typed))
        ran = cli("--config", str(config), "providers", *arguments)
        assert KEY not in ran.out + ran.err
        assert KEY not in config.read_text()
        return ran

    return run_it


def test_every_account_is_listed_and_none_is_set_at_first(run: Run, kept: Keeping) -> None:
    ran = run("list", "--json")
    assert ran.code == 0
    assert [each["name"] for each in ran.json["providers"]] == ALL
    assert {each["state"] for each in ran.json["providers"]} == {"not set"}
    assert ran.json["sends"] == "smtp"
    assert [line.split()[0] for line in run("list").out.splitlines()[1:]] == ALL


def test_an_account_is_added_with_its_key_in_the_keyring(
    run: Run, kept: Keeping, config: Path
) -> None:
    ran = run(
        *("add", "mailgun", "--domain", "mg.studio.example", "--region", "eu"),
        *("--key", "-", "--use", "--no-test", "--json"),
        typed=f"{KEY}\n",
    )
    assert ran.code == 0
    assert kept.kept == {("crm-tui-mailgun", "key"): KEY}
    assert ran.json["key"] == {"found": True, "place": "keyring", "problem": ""}
    assert "Mailgun: " + capabilities("mailgun").policy.rstrip(".") in ran.err
    settings = load_settings(config)
    assert settings.email.provider == "mailgun"
    assert settings.providers.mailgun.domain == "mg.studio.example"
    assert settings.providers.mailgun.base_url == "https://api.eu.mailgun.net"
    assert config.read_text().startswith("# Mine.\n[sender]\n")
    (row,) = (each for each in run("list", "--json").json["providers"] if each["does"])
    assert (row["name"], row["set"], row["state"]) == ("mailgun", True, "not used yet")
    assert (row["host"], row["port"], row["where"]) == (
        "api.eu.mailgun.net",
        443,
        "mg.studio.example",
    )
    assert row["key"] == {"needed": True, "found": True, "place": "keyring"}


@pytest.mark.parametrize("backend", [Forgetful, Locked])
def test_without_a_keyring_the_environment_is_named_and_nothing_secret_is_written(
    run: Run, backend: type[Keeping], monkeypatch: pytest.MonkeyPatch
) -> None:
    with in_use(backend()):
        ran = run("add", "brevo", "--key", "-", "--no-test", "--json", typed=f"{KEY}\n")
        assert ran.code == 3
        assert ran.json["key"]["found"] is False
        assert (
            "No keyring here keeps the API key: set CRM_TUI_BREVO_KEY in the environment of"
            " crm-tui." in ran.err
        )
        monkeypatch.setenv("CRM_TUI_BREVO_KEY", KEY)
        listed = {each["name"]: each for each in run("list", "--json").json["providers"]}
    assert listed["brevo"]["key"]["place"] == "environment"
    assert listed["brevo"]["where"] == "studio.example"


def test_a_key_in_the_command_is_refused(run: Run, kept: Keeping) -> None:
    ran = run("add", "resend", "--key", KEY, "--no-test")
    assert ran.code == 2
    assert "where others can see it" in ran.err
    assert kept.kept == {}


def test_what_an_account_lacks_is_said_and_nothing_is_changed(
    run: Run, kept: Keeping, config: Path
) -> None:
    before = config.read_text()
    for arguments, code, says in (
        (("add", "mailgun", "--no-test"), 1, "--domain"),
        (("add", "mailgun", "--domain", "no domain", "--no-test"), 1, "must be a domain"),
        (("add", "mailgun", "--domain", "a.example", "--region", "mars"), 1, "us or eu"),
        (("add", "twilio", "--account-sid", "AC1", "--no-test"), 1, "--from-number"),
        (("add", "resend", "--domain", "a.example"), 2, "resend has no domain"),
        (("add", "imap", "--host", "i.example", "--key", "-"), 1, "the user is missing"),
        (("add", "pigeon"), 2, "There is no provider pigeon; there are smtp, imap"),
        (("add", "imap", "--host", "i.example", "--use"), 2, "imap does not send"),
        (("use", "mailgun"), 1, "domain must be set"),
        (("use", "twilio"), 1, "account_sid and from_number must be set"),
        (("use", "pigeon"), 2, "There is no provider pigeon"),
        (("test", "mailgun"), 1, "No domain is set under [providers.mailgun]"),
        (("test", "pigeon"), 2, "There is no provider pigeon"),
        (("remove", "pigeon"), 2, "There is no provider pigeon"),
    ):
        ran = run(*arguments, typed=f"{KEY}\n")
        assert (ran.code, says in ran.err) == (code, True), (arguments, ran.err)
        assert config.read_text() == before
    assert kept.kept == {}


def test_a_key_is_forgotten_and_the_rest_stays(
    run: Run, kept: Keeping, config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add = ("add", "twilio", "--account-sid", "AC1", "--from-number", "+15550100200")
    assert run(*add, "--key", "-", "--use", "--no-test", typed=KEY).code == 0
    ran = run("remove", "twilio", "--json")
    assert (ran.code, ran.json["forgotten"], kept.kept) == (0, True, {})
    assert "wait until there is one" in ran.err
    assert load_settings(config).sms.provider == "twilio"
    listed = {each["name"]: each for each in run("list", "--json").json["providers"]}
    assert listed["twilio"]["state"] == "waits for you"
    assert listed["twilio"]["problem"] == "No auth token is found for it."
    assert run("remove", "twilio").code == 1
    monkeypatch.setenv("CRM_TUI_TWILIO_TOKEN", KEY)
    ran = run("remove", "twilio")
    assert "CRM_TUI_TWILIO_TOKEN is set in the environment" in ran.err


def test_a_mailbox_is_added_with_its_password_in_the_keyring(run: Run, kept: Keeping) -> None:
    ran = run(
        *("add", "smtp", "--host", "smtp.example.com", "--username", "anna@example.com"),
        *("--key", "-", "--no-test"),
        typed=KEY,
    )
    assert ran.code == 0
    assert kept.kept == {("crm-tui-smtp", "anna@example.com"): KEY}


async def test_what_the_store_knows_of_an_account_is_told(
    run: Run, kept: Keeping, db: Database
) -> None:
    await asyncio.to_thread(
        run,
        *("add", "mailgun", "--domain", "mg.studio.example", "--region", "us"),
        *("--key", "-", "--no-test"),
        typed=KEY,
    )
    now = utc_now()
    account = "mg.studio.example"
    async with db.write() as session:
        session.add(
            SyncCursor(
                provider="mailgun",
                account=account,
                stream="events",
                cursor={},
                last_ok_at=now - timedelta(hours=2),
                last_event_at=now - timedelta(days=2),
                failed_at=now - timedelta(minutes=3),
                problem="Mailgun does not take the key (401: Forbidden). Make a new key.",
                next_at=now + timedelta(minutes=20),
                failures=3,
                skew_seconds=600,
            )
        )
        session.add(  # of an account that is not set any more
            SyncCursor(
                provider="mailgun", account="old.example", stream="events", cursor={}, problem="old"
            )
        )
        session.add(
            StreamGap(
                provider="mailgun",
                account=account,
                stream="events",
                since=now - timedelta(days=9),
                until=now - timedelta(days=8),
                found_at=now,
                filled_at=now,
                filled=12,
            )
        )
        until = now + timedelta(minutes=5)
        session.add(
            Setting(
                name="sending_breaker:resend",
                value={"failures": 5, "until": until.isoformat(), "problem": "Out of quota."},
            )
        )
    kept.kept["crm-tui-resend", "key"] = KEY
    ran = await asyncio.to_thread(run, "list", "--json")
    listed = {each["name"]: each for each in ran.json["providers"]}
    mailgun, resend = listed["mailgun"], listed["resend"]
    assert mailgun["state"] == "left alone"
    assert mailgun["problem"].endswith("Make a new key.")
    assert 7200 <= mailgun["seconds_since_poll"] < 7300
    assert mailgun["seconds_since_event"] >= 172_800
    assert (mailgun["skew_seconds"], mailgun["streams"][0]["failures"]) == (600, 3)
    (gap,) = mailgun["gaps"]
    assert gap["filled"] == 12
    assert (resend["state"], resend["problem"]) == ("left alone", "Out of quota.")
    ran = await asyncio.to_thread(run, "list")
    assert "mailgun: its clock is 10 minutes ahead of ours." in ran.err
