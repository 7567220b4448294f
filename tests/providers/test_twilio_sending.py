"""Text messages go out through Twilio once each, whatever goes wrong on the way."""

from __future__ import annotations

from datetime import timedelta

import httpx
import pytest

from crm_tui.providers.base import (
    Blocked,
    GivenUp,
    Handed,
    LoginRefused,
    Misconfigured,
    ProviderError,
    Refused,
    TryLater,
    Unavailable,
    Unclear,
    Unsendable,
)
from crm_tui.providers.secrets import Lookup, Secret
from crm_tui.providers.twilio import TwilioSender, TwilioStream
from tests.providers.twilio_drive import (
    KEY,
    LEAD,
    NOW,
    Kept,
    a_sender,
    a_text,
    a_twilio,
    an_api,
    send_for_sure,
)
from tests.world.official import Checked, Official
from tests.world.twilio import SERVICE
from tests.world.world import Faults


async def test_a_text_is_sent_and_named() -> None:
    twilio = a_twilio()
    async with a_sender(twilio) as sender:
        sent = await sender.send(a_text("Grüße & 50 % off + more"))
        assert sender.unanswered == 0
    (accepted,) = twilio.accepted
    assert (accepted.to, accepted.text) == (LEAD, "Grüße & 50 % off + more")
    assert (sent.provider_id, sent.message_id) == (accepted.sid, "k1")
    assert sent.words == "Twilio: queued"


async def test_a_messaging_service_chooses_the_number() -> None:
    twilio = a_twilio()
    async with a_sender(twilio) as sender:
        await sender.send(a_text(sender=SERVICE))
    (accepted,) = twilio.accepted
    assert (accepted.service, accepted.sender) == (SERVICE, "")


async def test_requests_and_answers_are_as_the_official_description_has_them() -> None:
    twilio = a_twilio()
    checked = Checked(twilio.world.transport(), Official.of("twilio"))
    async with a_sender(twilio, checked) as sender:
        await sender.send(a_text())
        await sender.send(a_text(sender=SERVICE, key="k2"))
        handed = Handed(key="k1", message_id="k1", to=LEAD, text=a_text().text, at=NOW)
        assert await sender.find(handed) is not None
    checked.assert_clean()
    assert checked.checked == 3


@pytest.mark.parametrize(
    ("text", "to", "words"),
    [
        ("", LEAD, "empty"),
        ("  \n", LEAD, "empty"),
        ("x" * 1601, LEAD, "1,600"),
        ("Hello", "", "not a number"),
        ("Hello", "0555 0100", "not a number"),
        ("Hello", "+1555010030x", "not a number"),
    ],
)
async def test_what_cannot_be_sent_is_not_handed_over(text: str, to: str, words: str) -> None:
    twilio = a_twilio()
    async with a_sender(twilio) as sender:
        with pytest.raises(Unsendable, match=words):
            await sender.send(a_text(text, to=to))
    assert twilio.world.requests == []


async def test_nothing_is_handed_over_once_it_is_given_up() -> None:
    twilio = a_twilio()
    async with a_sender(twilio) as sender:
        sender.give_up()
        with pytest.raises(GivenUp):
            await sender.send(a_text())
    assert twilio.accepted == []


@pytest.mark.parametrize("code", [21211, 21217, 21614, 21635])
async def test_a_bad_number_is_a_hard_bounce(code: int) -> None:
    error = await _refused(code)
    assert isinstance(error, Refused)
    assert (error.hard, error.opted_out) == (True, False)
    assert str(code) in error.words


async def test_who_answered_stop_is_refused_as_opted_out() -> None:
    twilio = a_twilio()
    twilio.arrive(LEAD, "Stop")
    async with a_sender(twilio) as sender:
        with pytest.raises(Refused) as refused:
            await sender.send(a_text())
    assert (refused.value.hard, refused.value.opted_out) == (False, True)


async def test_no_way_to_a_number_says_nothing_against_it() -> None:
    error = await _refused(21612)
    assert isinstance(error, Refused)
    assert not error.hard


async def test_a_country_that_is_not_enabled_is_told_with_what_to_do() -> None:
    error = await _refused(21408)
    assert isinstance(error, Blocked)
    assert "Geo permissions" in error.words


@pytest.mark.parametrize(
    ("code", "fix"),
    [
        (10001, "add funds"),
        (20005, "add funds"),
        (20008, "live account_sid"),
        (20404, "account_sid"),
        (21606, "from_number"),
        (21608, "Upgrade"),
        (21659, "from_number"),
        (21660, "from_number"),
        (21703, "messaging service"),
        (21704, "messaging service"),
        (30032, "toll-free"),
        (30034, "A2P 10DLC"),
    ],
)
async def test_what_the_operator_has_to_mend_uses_up_no_attempt(code: int, fix: str) -> None:
    error = await _refused(code)
    assert isinstance(error, Misconfigured)
    assert fix in str(error)


async def test_a_code_nobody_knows_is_tried_again_later() -> None:
    error = await _refused(21999)
    assert isinstance(error, TryLater)
    assert "21999" in error.words


async def test_a_number_that_is_not_the_accounts_is_told_with_the_fix() -> None:
    twilio = a_twilio()
    async with a_sender(twilio) as sender:
        with pytest.raises(Misconfigured, match="from_number"):
            await sender.send(a_text(sender="+15550100999"))
        with pytest.raises(Misconfigured, match="from_number"):
            await sender.send(a_text(sender=""))


async def test_a_wrong_token_and_a_missing_one_name_the_fix() -> None:
    twilio = a_twilio()
    wrong = an_api(twilio, key=Lookup.of(Secret("not the token")))
    async with TwilioSender(twilio.settings, KEY, api=wrong) as sender:
        with pytest.raises(LoginRefused, match="account_sid") as refused:
            await sender.send(a_text())
    assert "not the token" not in str(refused.value)
    async with TwilioSender(
        twilio.settings, KEY, api=an_api(twilio, key=Lookup.of(None))
    ) as sender:
        with pytest.raises(Misconfigured, match="account_sid"):
            await sender.send(a_text())
    assert twilio.accepted == []


async def test_an_api_key_does_as_well_as_the_token() -> None:
    twilio = a_twilio()
    twilio.api_keys["SK" + "0" * 32] = "its secret"
    key = Lookup.of(Secret("SK" + "0" * 32 + ":its secret"))
    async with TwilioSender(twilio.settings, key, api=an_api(twilio, key=key)) as sender:
        await sender.send(a_text())
    assert len(twilio.accepted) == 1


@pytest.mark.parametrize("key", ["its secret", "SK" + "0" * 32 + ":its secret"])
async def test_a_server_that_repeats_what_it_was_shown_does_not_give_it_away(key: str) -> None:
    def repeat(request: httpx.Request) -> httpx.Response:
        shown = request.headers["authorization"]
        body = {"code": 20003, "message": f"{shown} is not taken, nor is its secret"}
        return httpx.Response(401, json=body)

    twilio = a_twilio()
    api = an_api(twilio, httpx.MockTransport(repeat), Lookup.of(Secret(key)))
    async with TwilioSender(twilio.settings, KEY, api=api) as sender:
        with pytest.raises(LoginRefused) as refused:
            await sender.send(a_text())
    assert "Basic •••" in str(refused.value)
    assert "its secret" not in str(refused.value)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (httpx.Response(302, headers={"location": "https://login.example"}), Unavailable),
        (httpx.Response(200, text="<html>Sign in to the hotel</html>"), Unclear),
        (httpx.Response(400, text="<html>Bad request</html>"), Unavailable),
        (httpx.Response(404, text="Not here"), Misconfigured),
        (httpx.Response(400, json=[]), Unavailable),
        (httpx.Response(400, json={"code": "21211", "message": "bad"}), Refused),
        (httpx.Response(201, json={"status": "queued"}), Unclear),
        (httpx.Response(503, json={"code": 20503}), Unclear),
        (httpx.Response(429), Unavailable),
    ],
)
async def test_whatever_answers_it_is_clear_whether_it_may_have_been_sent(
    answer: httpx.Response, expected: type[ProviderError]
) -> None:
    twilio = a_twilio()
    api = an_api(twilio, httpx.MockTransport(lambda _request: answer))
    async with TwilioSender(twilio.settings, KEY, api=api) as sender:
        with pytest.raises(expected):
            await sender.send(a_text())


async def test_a_suspended_account_is_told_from_a_wrong_token() -> None:
    twilio = a_twilio()
    twilio.status = "suspended"
    async with a_sender(twilio) as sender:
        with pytest.raises(Misconfigured, match="suspended") as refused:
            await sender.send(a_text())
    assert not isinstance(refused.value, LoginRefused)


async def test_settings_that_name_no_account_are_told_before_anything_is_asked() -> None:
    twilio = a_twilio()
    settings = type(twilio.settings)(account_sid="me", base_url=twilio.base_url)
    async with TwilioSender(settings, KEY, api=an_api(twilio)) as sender:
        with pytest.raises(Misconfigured, match="account_sid"):
            await sender.send(a_text())
    assert twilio.world.requests == []


async def test_whether_a_sid_is_one_is_for_twilio_to_say() -> None:
    twilio = a_twilio()
    settings = type(twilio.settings)(account_sid="ACplain", base_url=twilio.base_url)
    async with TwilioSender(settings, KEY, api=an_api(twilio)) as sender:
        with pytest.raises(Misconfigured, match="does not know this account"):
            await sender.send(a_text())
    assert len(twilio.world.requests) == 1


async def test_a_daily_limit_that_is_used_up_comes_back() -> None:
    twilio = a_twilio()
    twilio.daily_limit = 1
    async with a_sender(twilio) as sender:
        await sender.send(a_text())
        with pytest.raises(Unavailable, match="daily limit") as error:
            await sender.send(a_text(key="k2"))
    assert error.value.after == 3600
    assert len(twilio.accepted) == 1


async def test_too_many_requests_is_certainly_not_sent_and_says_for_how_long() -> None:
    twilio = a_twilio(Faults(too_many=1))
    async with a_sender(twilio) as sender:
        for after in (1, 2):
            with pytest.raises(Unavailable) as error:
                await sender.send(a_text())
            assert error.value.after == after
    assert twilio.accepted == []


@pytest.mark.parametrize("faults", [Faults(lost=1), Faults(cut=1), Faults(broken=1)])
async def test_a_lost_answer_is_unclear(faults: Faults) -> None:
    twilio = a_twilio(faults)
    async with a_sender(twilio) as sender:
        with pytest.raises(Unclear):
            await sender.send(a_text())
        assert sender.unanswered == 0
    assert len(twilio.world.requests) == 1


async def test_a_message_whose_answer_was_lost_is_found_though_it_is_still_queued() -> None:
    twilio = a_twilio(Faults(lost=1))
    handed = Handed(key="k1", message_id="k1", to=LEAD, text=a_text().text, at=NOW)
    async with a_sender(twilio) as sender:
        with pytest.raises(Unclear):
            await sender.send(a_text())
        twilio.world.heal()
        found = await sender.find(handed)
        assert found is not None
        assert found.provider_id == twilio.accepted[0].sid
        other = Handed(key="k2", message_id="k2", to=LEAD, text="Another text", at=NOW)
        assert await sender.find(other) is None
        at = NOW + timedelta(days=3)
        again = Handed(key="k3", message_id="k3", to=LEAD, text=a_text().text, at=at)
        assert await sender.find(again) is None


async def test_of_two_alike_the_one_of_that_time_is_found() -> None:
    twilio = a_twilio()
    async with a_sender(twilio) as sender:
        first = await sender.send(a_text(key="k1"))
        twilio.world.pass_time(minutes=30)
        second = await sender.send(a_text(key="k2"))
        for sent, at in ((first, NOW), (second, NOW + timedelta(minutes=30))):
            handed = Handed(key="k", message_id="k", to=LEAD, text=a_text().text, at=at)
            found = await sender.find(handed)
            assert found is not None
            assert found.provider_id == sent.provider_id


async def test_what_came_in_with_the_same_words_is_not_taken_for_ours() -> None:
    twilio = a_twilio()
    twilio.arrive(LEAD, a_text().text)
    async with a_sender(twilio) as sender:
        handed = Handed(key="k", message_id="k", to=LEAD, text=a_text().text, at=NOW)
        assert await sender.find(handed) is None


async def test_the_words_a_trial_account_puts_before_a_text_do_not_hide_it() -> None:
    twilio = a_twilio()
    async with a_sender(twilio) as sender:
        sent = await sender.send(a_text())
        twilio.accepted[0].text = "Sent from your Twilio trial account - " + a_text().text
        handed = Handed(key="k", message_id="k", to=LEAD, text=a_text().text, at=NOW)
        found = await sender.find(handed)
    assert found is not None
    assert found.provider_id == sent.provider_id


@pytest.mark.parametrize("seed", range(4))
async def test_nothing_is_sent_twice_and_nothing_is_lost_with_everything_going_wrong(
    seed: int,
) -> None:
    twilio = a_twilio(Faults.all_at_once(), seed)
    texts = [a_text(to=f"+1555020{number:04}", key=f"k{number}") for number in range(60)]
    kept = Kept()
    async with a_sender(twilio) as sender:
        for sms in texts:
            kept.sent(await send_for_sure(twilio, sender, sms), twilio.world.now)
    assert [each.to for each in twilio.accepted] == [each.to for each in texts]
    assert set(kept.waiting) == {each.sid for each in twilio.accepted}


async def _refused(code: int) -> ProviderError:
    """What comes of a message that Twilio refuses with this code."""
    twilio = a_twilio()
    twilio.refused[LEAD] = code
    async with a_sender(twilio) as sender:
        with pytest.raises(ProviderError) as error:
            await sender.send(a_text())
        assert not isinstance(error.value, Unclear)
    return error.value


async def test_the_same_over_a_socket() -> None:
    twilio = a_twilio()
    with twilio.world.serve():
        async with TwilioSender(twilio.settings, KEY) as sender:
            sent = await sender.send(a_text())
        twilio.happen(twilio.accepted[0].sid, "delivered")
        kept = Kept()
        kept.sent(sent, twilio.world.now)
        async with TwilioStream(twilio.settings, KEY, now=twilio.world.clock) as stream:
            await kept.poll(stream, twilio.world.clock)
    assert [event.kind.value for event in kept.events().values()] == ["delivered"]
