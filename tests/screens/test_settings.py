"""The settings in the app: accounts are added, tried, used and forgotten; no key is ever shown."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from html import unescape
from pathlib import Path

import msgspec
import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from crm_tui.app import CrmApp
from crm_tui.config import AppearanceSettings, load_settings
from crm_tui.db.engine import Database
from crm_tui.db.models import Setting, StreamGap, SyncCursor
from crm_tui.screens.dialogs import Confirm
from crm_tui.screens.settings import SettingsScreen
from crm_tui.widgets.facts import Facts
from crm_tui.widgets.forms import Form
from crm_tui.widgets.frame import Footer
from tests.accounts.keyrings import Forgetful, Keeping, in_use
from tests.conftest import NOW
from tests.screens.looks import LOOKS, Look, SnapCompare, in_every_look, pressed
from tests.screens.settling import press, settle
from tests.screens.ways import WAYS
from tests.world.mailgun import FakeMailgun
from tests.world.world import World

WAY = WAYS["settings"].keys
KEY = "sk-tr0ub4dor-and-three"
CONFIG = """\
# Mine.
[sender]
name = "Anna"
email = "anna@studio.example"
"""
MAILGUN = """
[email]
provider = "mailgun"

[providers.mailgun]
domain = "mg.studio.example"

[providers.imap]
host = "imap.studio.example"
username = "anna@studio.example"
"""


@pytest.fixture(autouse=True)
def _no_mail_at_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is set here leads to servers that are not there; only what a test begins is begun."""
    monkeypatch.setattr("crm_tui.app._MAIL_AFTER", 3600.0)


@pytest.fixture
def kept() -> Iterator[Keeping]:
    """The keyring of the test."""
    backend = Keeping()
    with in_use(backend):
        yield backend


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "config.toml"
    path.write_text(CONFIG)
    return path


def app(store: Path, config: Path) -> CrmApp:
    return CrmApp(store, load_settings(config), config=config, now=lambda: NOW, environ={})


def said(crm: CrmApp) -> str:
    return crm._front().query_one(Footer).words


def picture(crm: CrmApp) -> str:
    """All that is on the screen, as a picture whose text can be read."""
    return unescape(crm.export_screenshot()).replace("\xa0", " ")


def facts(crm: CrmApp, which: str) -> dict[str, str]:
    """What the pane says, by its labels."""
    return {fact.label: fact.value for fact in crm.screen.query_one(which, Facts)._facts}


async def to_account(pilot: Pilot[None], name: str) -> None:
    """Go to the settings, and to an account."""
    await press(pilot, WAY)
    screen = pilot.app.screen
    assert isinstance(screen, SettingsScreen)
    names = [row.account.name for row in screen._rows]
    screen._table.move_to(names.index(name))
    await settle(pilot)


def type_into(crm: CrmApp, field: str, text: str) -> None:
    """Type into a field of the form in front."""
    line = crm.screen.query_one(f"#{field}", Input)
    line.insert_text_at_cursor(text)


def put(config: Path, text: str) -> None:
    """Write the configuration file."""
    config.write_text(text)


def text_of(config: Path) -> str:
    """What the configuration file says."""
    return config.read_text()


def with_the_key(folder: Path) -> list[Path]:
    """The files the key is written in: logs, the session, the configuration, the store."""
    files = [each for each in folder.rglob("*") if each.is_file()]
    assert {"config.toml", "crm.db", "crm.db.session.json"} <= {each.name for each in files}
    return [each for each in files if KEY.encode() in each.read_bytes()]


async def test_an_account_is_added_tried_and_used_and_its_key_is_seen_nowhere(
    demo: Path, config: Path, kept: Keeping, tmp_path: Path
) -> None:
    world = World(NOW)
    FakeMailgun(world, "mailgun", key=KEY, domain="mg.studio.example")
    with world.serve() as address:
        put(config, f'{CONFIG}[providers.mailgun]\nbase_url = "{address}/mailgun"\n')
        crm = app(demo, config)
        async with crm.run_test(size=(80, 24)) as pilot:
            await settle(pilot)
            await to_account(pilot, "mailgun")
            await press(pilot, ["enter"])
            assert isinstance(crm.screen, Form)
            type_into(crm, "domain", "mg.studio.example")
            type_into(crm, "key", KEY)
            await settle(pilot)
            crm.keep()  # as at the end of the app, with the form still open
            assert "•" * len(KEY) in picture(crm)
            assert KEY not in picture(crm)
            await press(pilot, ["ctrl+s"])
            assert said(crm) == "Mailgun works."
            assert facts(crm, "#trial")["Key"].startswith("● ")
            assert KEY not in picture(crm)
            assert facts(crm, "#standing")["Key"] == "in the keyring"
            await press(pilot, ["u"])
            assert isinstance(crm.screen, Confirm)
            await press(pilot, ["left", "enter"])
            assert crm.settings.email.provider == "mailgun"
            assert said(crm) == "Mail goes through Mailgun."
            await press(pilot, ["u"])
            assert said(crm) == "Mailgun sends mail already."
    assert kept.kept == {("crm-tui-mailgun", "key"): KEY}
    settings = load_settings(config)
    assert settings.providers.mailgun.domain == "mg.studio.example"
    assert settings.providers.mailgun.base_url == f"{address}/mailgun"
    assert text_of(config).startswith("# Mine.\n")
    assert with_the_key(tmp_path) == []


async def test_a_key_that_is_not_taken_says_what_to_do(
    demo: Path, config: Path, kept: Keeping
) -> None:
    world = World(NOW)
    FakeMailgun(world, "mailgun", key="another", domain="mg.studio.example")
    kept.kept["crm-tui-mailgun", "key"] = KEY
    with world.serve() as address:
        at = f'[providers.mailgun]\nbase_url = "{address}/mailgun"'
        put(config, CONFIG + MAILGUN.replace("[providers.mailgun]", at))
        crm = app(demo, config)
        async with crm.run_test(size=(160, 50)) as pilot:
            await settle(pilot)
            await to_account(pilot, "mailgun")
            await press(pilot, ["t"])
            assert said(crm).startswith("Mailgun: Mailgun does not take the key")
            assert facts(crm, "#trial")["Key"].startswith("▲ ")
            assert KEY not in picture(crm)


async def test_what_cannot_be_set_is_said_in_the_form_and_nothing_is_kept(
    demo: Path, config: Path, kept: Keeping
) -> None:
    crm = app(demo, config)
    async with crm.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await to_account(pilot, "twilio")
        await press(pilot, ["e"])
        type_into(crm, "account_sid", "not a SID")
        type_into(crm, "from_number", "+15550100200")
        type_into(crm, "key", KEY)
        await press(pilot, ["ctrl+s"])
        assert isinstance(crm.screen, Form)
        assert "account_sid must begin with AC" in picture(crm)
    assert kept.kept == {}
    assert text_of(config) == CONFIG


async def test_without_a_keyring_the_environment_is_named(demo: Path, config: Path) -> None:
    with in_use(Forgetful()):
        crm = app(demo, config)
        async with crm.run_test(size=(80, 24)) as pilot:
            await settle(pilot)
            await to_account(pilot, "brevo")
            await press(pilot, ["e"])
            type_into(crm, "key", KEY)
            await press(pilot, ["ctrl+s"])
            assert "set CRM_TUI_BREVO_KEY in the environment" in said(crm)
            assert KEY not in picture(crm)


async def test_a_key_is_forgotten_after_a_question(demo: Path, config: Path, kept: Keeping) -> None:
    put(config, CONFIG + MAILGUN)
    kept.kept["crm-tui-mailgun", "key"] = KEY
    crm = app(demo, config)
    async with crm.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await to_account(pilot, "mailgun")
        await press(pilot, ["x", "enter"])  # it starts on the button that leaves it
        assert kept.kept
        await press(pilot, ["x", "left", "enter"])
        assert kept.kept == {}
        assert said(crm).startswith("The API key of Mailgun is forgotten.")
        assert facts(crm, "#standing")["Problem"] == "No API key is found for it."
        await press(pilot, ["x"])
        assert said(crm) == "There is no key of Mailgun in the keyring."


async def test_a_demo_changes_no_account(demo: Path, config: Path, kept: Keeping) -> None:
    kept.kept["crm-tui-mailgun", "key"] = KEY
    put(config, CONFIG + MAILGUN)
    crm = CrmApp(
        demo, load_settings(config), config=config, now=lambda: NOW, environ={}, throw_away=True
    )
    async with crm.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await to_account(pilot, "mailgun")
        for key in ("e", "enter", "t", "u", "x"):
            await press(pilot, [key])
            assert said(crm).startswith("This is a demo")
        assert "in the keyring" not in picture(crm)
    assert text_of(config) == CONFIG + MAILGUN


async def test_the_other_sections_show_what_is_set(demo: Path, config: Path) -> None:
    crm = app(demo, config)
    async with crm.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await press(pilot, [*WAY, "h", "j"])
        assert facts(crm, "#section-facts")["Address"] == "anna@studio.example"
        await press(pilot, ["t"])
        assert said(crm) == "That is done with an account: esc leads to them."
        await press(pilot, ["G"])
        assert facts(crm, "#section-facts")["Configuration"] == str(config)
        await press(pilot, ["escape", "e"])
        assert isinstance(crm.screen, Form)


async def test_who_sends_and_how_much_is_changed_in_the_file_and_at_once(
    demo: Path, config: Path
) -> None:
    crm = app(demo, config)
    async with crm.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await press(pilot, [*WAY, "h", "j", "e", "ctrl+u", *"Anna Web", "ctrl+s"])
        assert crm.settings.sender.name == "Anna Web"
        assert facts(crm, "#section-facts")["Name"] == "Anna Web"
        await press(pilot, ["j", "e", "ctrl+u", *"lots", "ctrl+s"])
        assert "A limit is a number, and 0 is none, not 'lots'." in picture(crm)
        await press(pilot, ["ctrl+u", "2", "5", "ctrl+s"])
        assert facts(crm, "#section-facts")["Mail an hour"] == "25"
    settings = load_settings(config)
    assert (settings.sender.name, settings.sending.per_hour) == ("Anna Web", 25)
    assert settings.sending.per_day == 40
    assert text_of(config).startswith("# Mine.\n")


# How it looks


async def _tell(path: Path) -> None:
    db = Database(path)
    cursor = {"cursor": {}, "last_ok_at": NOW - timedelta(minutes=2)}
    async with db.write() as session:
        session.add(
            SyncCursor(
                provider="imap",
                account="anna@studio.example at imap.studio.example:993",
                stream="",
                **cursor,
            )
        )
        session.add(
            SyncCursor(
                provider="mailgun",
                account="mg.studio.example",
                stream="events",
                last_event_at=NOW - timedelta(hours=5),
                failed_at=NOW - timedelta(minutes=1),
                failures=3,
                next_at=NOW + timedelta(minutes=14),
                problem="Mailgun does not take the key (401: Forbidden). Make a new one.",
                skew_seconds=600,
                **cursor,
            )
        )
        session.add(
            StreamGap(
                provider="mailgun",
                account="mg.studio.example",
                stream="events",
                since=NOW - timedelta(days=9),
                until=NOW - timedelta(days=8),
                found_at=NOW,
                filled_at=NOW,
                filled=12,
            )
        )
        until = (NOW + timedelta(minutes=9)).isoformat()
        breaker = {"failures": 5, "until": until, "problem": "Brevo has no credits left. Buy some."}
        session.add(Setting(name="sending_breaker:brevo", value=breaker))
    await db.close()


@pytest.fixture
def pictured(demo: Path, config: Path, kept: Keeping) -> Path:
    """A store that knows accounts of every state."""
    config.write_text(CONFIG + MAILGUN)
    kept.kept["crm-tui-mailgun", "key"] = KEY
    kept.kept["crm-tui-brevo", "key"] = KEY
    asyncio.run(_tell(demo))
    return demo


def look_of(look: Look, store: Path, config: Path) -> CrmApp:
    """The app with this configuration, as a terminal shows it."""
    looks = AppearanceSettings(ascii=not look.shapes)
    settings = msgspec.structs.replace(load_settings(config), appearance=looks)
    environ = {} if look.colour else {"NO_COLOR": "1"}
    return CrmApp(store, settings, config=config, now=lambda: NOW, environ=environ)


@in_every_look
def test_the_settings_look_as_agreed(
    look: Look, pictured: Path, config: Path, snap_compare: SnapCompare
) -> None:
    crm, size = look_of(look, pictured, config), (look.width, look.height)
    assert snap_compare(crm, terminal_size=size, run_before=pressed(*WAY, "j", "j"))


def test_the_form_of_an_account_looks_as_agreed(
    pictured: Path, config: Path, snap_compare: SnapCompare
) -> None:
    crm = look_of(LOOKS[0], pictured, config)
    assert snap_compare(crm, terminal_size=(80, 24), run_before=pressed(*WAY, "j", "j", "e"))
