"""`crm-tui providers add` and `test` against every provider, over a socket; no key is ever seen."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from crm_tui.config import load_settings
from tests.accounts.keyrings import Keeping, in_use
from tests.conftest import NOW, Cli, Ran
from tests.terminal_session import Terminal
from tests.world import brevo, mailgun, resend, stripe, twilio
from tests.world.world import World

WRONG = "tr0ub4dor-and-three-wrong"
DOMAIN = "studio.example"


class Served(NamedTuple):
    """A provider with the fake account one has there."""

    name: str
    path: str
    key: str
    told: tuple[str, ...]


KEY_OF_MAILGUN = "key-0123456789abcdef"
PROVIDERS = (
    Served("mailgun", "/mailgun", KEY_OF_MAILGUN, ("--domain", DOMAIN)),
    Served("resend", "/resend", resend.KEY, ()),
    Served("brevo", "/brevo", brevo.KEY, ()),
    Served(
        "twilio",
        "/twilio",
        twilio.TOKEN,
        ("--account-sid", twilio.ACCOUNT, "--from-number", twilio.NUMBER),
    ),
)


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """Where all providers are served."""
    world = World(NOW)
    mailgun.FakeMailgun(world, "mailgun", domain=DOMAIN)
    resend.FakeResend(world, "resend")
    anna = {"id": 1, "name": "Anna", "email": f"anna@{DOMAIN}", "active": True}
    proven = {"id": 1, "domain_name": DOMAIN, "authenticated": True, "verified": True}
    brevo.FakeBrevo(world, "brevo", senders=[anna], domains=[proven])
    twilio.FakeTwilio(world, "twilio")
    stripe.FakeStripe(world, "stripe")
    stripe.FakeStripe(world, "strict", lacks={"dispute_read", "payment_links_write"})
    with world.serve() as at:
        yield at


@pytest.fixture
def kept() -> Iterator[Keeping]:
    """The keyring of the test."""
    backend = Keeping()
    with in_use(backend):
        yield backend


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "config.toml"
    path.write_text(f'[sender]\nname = "Anna"\nemail = "anna@{DOMAIN}"\n')
    return path


@pytest.fixture
def run(cli: Cli, config: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Ran]:
    """The command line with the configuration; `typed` comes in on standard input."""

    def run_it(*arguments: str, typed: str = "") -> Ran:
        monkeypatch.setattr("sys.stdin", io.StringIO(typed))
        return cli("--config", str(config), "providers", *arguments)

    return run_it


def steps(ran: Ran) -> list[tuple[str, bool]]:
    """What was tried, and whether it works."""
    return [(each["step"], each["ok"]) for each in ran.json["checks"]]


@pytest.mark.parametrize("served", PROVIDERS, ids=lambda served: served.name)
def test_an_account_is_added_tried_and_used(
    served: Served, address: str, run: Callable[..., Ran], kept: Keeping, config: Path
) -> None:
    at = ("--base-url", address + served.path)
    add = ("add", served.name, *served.told, *at, "--key", "-", "--json")
    wrong = run(*add, typed=WRONG)
    assert wrong.code == 4
    assert (wrong.json["ok"], steps(wrong)[0]) == (False, ("key", False))
    ran = run(*add, "--use", typed=served.key)
    assert ran.code == 0, ran.err
    assert all(each["ok"] and each["words"] for each in ran.json["checks"])
    assert kept.kept == {(f"crm-tui-{served.name}", "key"): served.key}
    tried = run("test", served.name, "--json")
    assert (tried.code, tried.json["provider"], tried.json["ok"]) == (0, served.name, True)
    assert steps(tried) == steps(ran)
    settings = load_settings(config)
    assert served.name in {settings.email.provider, settings.sms.provider}
    for each in (wrong, ran, tried, run("list"), run("list", "--json")):
        assert WRONG not in each.out + each.err
        assert served.key not in each.out + each.err
    assert served.key not in config.read_text()
    kept.kept.clear()
    missing = run("test", served.name, "--json")
    assert (missing.code, steps(missing)[0]) == (4, ("key", False))
    assert "environment" in missing.json["checks"][0]["words"]


def test_an_account_for_payments_is_added_in_a_mode_and_tried(
    address: str, run: Callable[..., Ran], kept: Keeping, config: Path
) -> None:
    key = "sk_test_of_the_tests"
    add = ("add", "stripe", "--base-url", f"{address}/stripe", "--key", "-", "--json")
    live = run(*add, "--mode", "live", typed=key)
    assert (live.code, steps(live)) == (4, [("key", False)])
    assert "Give a key that begins with sk_live_" in live.err
    ran = run(*add, "--mode", "test", typed=key)
    assert ran.code == 0, ran.err
    assert steps(ran) == [(each, True) for each in ("key", "events", "reading", "links")]
    assert kept.kept == {("crm-tui-stripe", "key"): key}
    assert load_settings(config).providers.stripe.mode == "test"
    listed = {each["name"]: each for each in run("list", "--json").json["providers"]}["stripe"]
    assert (listed["channel"], listed["account"], listed["set"]) == ("payments", "test", True)
    assert (listed["where"], listed["does"]) == ("test mode", "takes money")
    assert run("use", "stripe").code == 2
    assert key not in ran.out + ran.err + config.read_text()


def test_a_key_for_payments_is_told_what_it_may_not_do(
    address: str, run: Callable[..., Ran], kept: Keeping
) -> None:
    add = ("add", "stripe", "--mode", "test", "--base-url", f"{address}/strict")
    ran = run(*add, "--key", "-", "--json", typed="rk_test_of_the_tests")
    assert ran.code == 4
    assert steps(ran)[2:] == [("reading", False), ("links", False)]
    assert "lacks Disputes: read." in ran.err
    assert "lacks Payment Links: write." in ran.err


@pytest.mark.pty
def test_in_a_terminal_what_is_needed_is_asked_for_and_the_key_is_not_echoed(
    address: str, config: Path, tmp_path: Path
) -> None:
    program = ["-m", "crm_tui", "--config", str(config), "--db", str(tmp_path / "crm.db")]
    base = ("--base-url", f"{address}/mailgun")
    with Terminal([*program, "providers", "add", "mailgun", *base]) as terminal:
        terminal.until(lambda text: "Sending domain" in text)
        terminal.send(f"{DOMAIN}\n")
        terminal.until(lambda text: "API key" in text)
        terminal.send(f"{KEY_OF_MAILGUN}\n")
        terminal.until(lambda text: "ok  key" in text)
        assert terminal.wait() == 3
        assert "set CRM_TUI_MAILGUN_KEY in the" in terminal.text
        assert KEY_OF_MAILGUN.encode() not in terminal.written
    assert load_settings(config).providers.mailgun.domain == DOMAIN
    files = [each for each in tmp_path.rglob("*") if each.is_file()]
    assert config in files
    assert not any(KEY_OF_MAILGUN.encode() in each.read_bytes() for each in files)
