"""What a provider refuses the operator: one sentence with the fix, nobody's attempt, nobody else's harm."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from crm_tui.config import Settings
from crm_tui.db.engine import Database
from crm_tui.worker import Worker
from tests.conftest import NOW
from tests.crash.crowd import ask
from tests.world.brevo import FakeBrevo, Refusal
from tests.world.drive import fill
from tests.world.mailgun import FakeMailgun
from tests.world.resend import KEY as RESEND_KEY
from tests.world.resend import FakeResend
from tests.world.world import FakeProvider, World

KEYS = {
    "CRM_TUI_MAILGUN_KEY": "key-0123456789abcdef",
    "CRM_TUI_BREVO_KEY": "xkeysib-0123456789abcdef",
    "CRM_TUI_RESEND_KEY": RESEND_KEY,
}
SENDERS = {
    "mailgun": "anna@mg.example.org",
    "brevo": "anna@example.com",
    "resend": "anna@studio.example",
}
Fakes = dict[str, FakeProvider]


def configuration(provider: str, fakes: Fakes) -> Settings:
    given: dict[str, Any] = {
        "sender": {"name": "Anna Berg", "email": SENDERS[provider]},
        "email": {"provider": provider},
        "providers": {name: {"base_url": fake.base_url} for name, fake in fakes.items()},
        "sending": {"quiet_hours": "", "weekdays_only": False},
    }
    given["providers"]["mailgun"]["domain"] = "mg.example.org"
    return msgspec.convert(given, Settings)


def fakes_of(world: World) -> Fakes:
    return {
        "mailgun": FakeMailgun(world, "mailgun", domain="mg.example.org"),
        "brevo": FakeBrevo(world, "brevo"),
        "resend": FakeResend(world, "resend"),
    }


def refuse_mailgun(fakes: Fakes) -> None:
    words = "Domain mg.example.org is not allowed to send: The account is disabled"
    fakes["mailgun"].refusal = (403, words)  # type: ignore[attr-defined]


def unverify_sender(fakes: Fakes) -> None:
    fakes["brevo"].senders = []  # type: ignore[attr-defined]


def use_up_credits(fakes: Fakes) -> None:
    fakes["brevo"].refuses = Refusal(402, "not_enough_credits", "Not enough credits")  # type: ignore[attr-defined]


def use_up_the_day(fakes: Fakes) -> None:
    fakes["resend"].quota = "daily"  # type: ignore[attr-defined]


def unverify_domain(fakes: Fakes) -> None:
    fakes["resend"].domains["studio.example"] = "pending"  # type: ignore[attr-defined]


def suspend(fakes: Fakes) -> None:
    fakes["resend"].suspended = True  # type: ignore[attr-defined]


REFUSALS = [
    ("mailgun", refuse_mailgun),
    ("brevo", unverify_sender),
    ("brevo", use_up_credits),
    ("resend", use_up_the_day),
    ("resend", unverify_domain),
    ("resend", suspend),
]


async def once(store: Path, settings: Settings, environment: dict[str, str]) -> list[str]:
    """The problems of one pass."""
    db = Database(store)
    try:
        worker = Worker(db, settings, environment=environment, now=lambda: NOW)
        return (await worker.once()).problems
    finally:
        await db.close()


def nobody_was_written_to_and_nothing_used_up(store: Path) -> None:
    rows = ask(store, "SELECT state, attempts, reason FROM message")
    assert set(rows) == {("queued", 0, None)}


@pytest.mark.parametrize("provider", sorted(SENDERS))
async def test_a_wrong_key_names_the_fix_and_uses_up_no_attempt(
    store_path: Path, provider: str
) -> None:
    world = World(NOW)
    fakes = fakes_of(world)
    fill(store_path, 3, NOW)
    variable = f"CRM_TUI_{provider.upper()}_KEY"
    wrong = "re_wrong" if provider == "resend" else "wrong-key"
    with world.serve():
        settings = configuration(provider, fakes)
        problems = await once(store_path, settings, KEYS | {variable: wrong})
        assert problems
        assert all("key" in each.lower() and wrong not in each for each in problems)
        nobody_was_written_to_and_nothing_used_up(store_path)
        others = configuration(next(each for each in SENDERS if each != provider), fakes)
        await once(store_path, others, KEYS)
    assert {state for (state,) in ask(store_path, "SELECT state FROM message")} == {"sent"}


@pytest.mark.parametrize(("provider", "refuse"), REFUSALS)
async def test_what_an_account_lacks_is_one_sentence_with_the_fix(
    store_path: Path, provider: str, refuse: Callable[[Fakes], None]
) -> None:
    world = World(NOW)
    fakes = fakes_of(world)
    refuse(fakes)
    fill(store_path, 3, NOW)
    with world.serve():
        problems = await once(store_path, configuration(provider, fakes), KEYS)
    assert problems
    for each in problems:
        assert each[-1] in ".!…"
        assert "\n" not in each
        assert len(each) < 500
    nobody_was_written_to_and_nothing_used_up(store_path)


async def test_without_a_key_it_is_said_where_to_put_it(store_path: Path) -> None:
    world = World(NOW)
    fakes = fakes_of(world)
    fill(store_path, 1, NOW)
    with world.serve():
        problems = await once(store_path, configuration("mailgun", fakes), {})
    assert all("CRM_TUI_MAILGUN_KEY" in each for each in problems)
    nobody_was_written_to_and_nothing_used_up(store_path)
