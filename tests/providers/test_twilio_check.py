"""Trying out an account at Twilio sends nothing, and says what to do about what is wrong."""

from __future__ import annotations

import httpx
import pytest

from crm_tui.providers.base import Check
from crm_tui.providers.secrets import Lookup, Secret
from crm_tui.providers.twilio import check
from tests.providers.twilio_drive import KEY, a_twilio, an_api
from tests.world.official import Checked, Official
from tests.world.twilio import NUMBER, SERVICE, FakeTwilio
from tests.world.world import Faults


async def test_an_account_in_order_passes_every_step() -> None:
    twilio = a_twilio()
    steps = await _checked(twilio)
    assert [(each.step, each.ok) for each in steps] == [
        ("key", True),
        ("sender", True),
        ("limits", True),
    ]
    assert steps[1].words == f"{NUMBER} is yours and can send texts."
    assert steps[2].words == "12.50 USD are left."
    assert {method for method, _, _ in twilio.world.requests} == {"GET"}
    assert twilio.accepted == []


async def test_what_is_asked_is_as_the_official_description_has_it() -> None:
    twilio = a_twilio()
    checked = Checked(twilio.world.transport(), Official.of("twilio"))
    await _checked(twilio, transport=checked)
    assert checked.checked == 3
    checked.assert_clean()


async def test_a_wrong_token_ends_it_with_the_fix() -> None:
    twilio = a_twilio()
    api = an_api(twilio, key=Lookup.of(Secret("wrong")))
    (only,) = await check(twilio.settings, KEY, sender=NUMBER, api=api)
    assert (only.step, only.ok) == ("key", False)
    assert "account_sid" in only.words
    assert "wrong" not in only.words


@pytest.mark.parametrize("status", ["suspended", "closed"])
async def test_an_account_that_is_not_active_ends_it_with_the_fix(status: str) -> None:
    twilio = a_twilio()
    twilio.status = status
    (only,) = await _checked(twilio)
    assert not only.ok
    assert status in only.words
    assert "add funds" in only.words


async def test_an_account_that_is_not_there_ends_it_with_the_fix() -> None:
    twilio = a_twilio()
    settings = type(twilio.settings)(account_sid="AC" + "0" * 32, base_url=twilio.base_url)
    api = an_api(twilio)
    twilio.api_keys["AC" + "0" * 32] = twilio.token
    (only,) = await check(settings, KEY, sender=NUMBER, api=api)
    assert not only.ok
    assert "account_sid" in only.words


async def test_a_trial_account_passes_and_is_told_of() -> None:
    twilio = a_twilio()
    twilio.kind = "Trial"
    key, *_ = await _checked(twilio)
    assert key.ok
    assert "only to numbers that were verified" in key.words
    assert "Upgrade" in key.words


@pytest.mark.parametrize("number", ["+15550100999", "", "0555 0100"])
async def test_a_number_that_is_not_the_accounts_is_told_with_the_fix(number: str) -> None:
    twilio = a_twilio()
    settings = type(twilio.settings)(
        account_sid=twilio.account, from_number=number, base_url=twilio.base_url
    )
    _, sender, _ = await check(settings, KEY, sender=number, api=an_api(twilio))
    assert not sender.ok
    assert "from_number" in sender.words


async def test_a_messaging_service_cannot_be_looked_at_and_is_passed_with_words() -> None:
    _, sender, _ = await _checked(a_twilio(), sender=SERVICE)
    assert sender.ok
    assert "messaging service" in sender.words


async def test_twilios_demo_that_answers_every_text_is_told_of() -> None:
    twilio = a_twilio()
    twilio.numbers[NUMBER] = "https://demo.twilio.com/welcome/sms/reply/"
    _, sender, _ = await _checked(twilio)
    assert not sender.ok
    assert "webhook" in sender.words


@pytest.mark.parametrize(
    ("balance", "ok", "words"),
    [
        ("0.00", False, "0.00 USD are left. Look at the account"),
        ("-3.2", False, "-3.20 USD"),
        (None, True, "does not say"),
        ("much", True, "does not say"),
    ],
)
async def test_what_is_left_of_the_balance_is_told(
    balance: str | None, ok: bool, words: str
) -> None:
    twilio = a_twilio()
    twilio.balance = balance
    *_, limits = await _checked(twilio)
    assert limits.ok is ok
    assert words in limits.words


async def test_a_base_url_with_no_twilio_behind_it_is_told_with_the_fix() -> None:
    twilio = a_twilio()
    api = an_api(twilio)
    api.base_url += "/nothing"
    (only,) = await check(twilio.settings, KEY, sender=NUMBER, api=api)
    assert not only.ok
    assert "base_url" in only.words


async def test_a_twilio_that_cannot_be_reached_is_told_as_that() -> None:
    twilio = a_twilio(Faults(broken=1))
    (only,) = await _checked(twilio)
    assert not only.ok
    assert "trouble" in only.words


async def _checked(
    twilio: FakeTwilio, *, sender: str = NUMBER, transport: httpx.AsyncBaseTransport | None = None
) -> list[Check]:
    api = an_api(twilio, transport)
    return await check(twilio.settings, KEY, sender=sender, api=api)
