"""What Brevo's records say, in our words: the documentation's own shapes, and anything else."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm_tui.providers.brevo import parse_event
from crm_tui.providers.brevo_events import HAPPENINGS, raw_event
from crm_tui.providers.events import Happening, Listed, ProviderEvent, Unreadable

OUR_KEY = "0123456789abcdef0123456789abcdef"

# The shape of the sample in the API reference.
DEFERRED = {
    "email": "john.smith@example.com",
    "date": "2017-03-12T12:30:00.000Z",
    "messageId": "<201798300811.5787683@example.domain.com>",
    "event": "deferred",
    "reason": "Error connection timeout",
    "tag": "OrderConfirmation",
    "from": "john@example.com",
    "templateId": 4,
}
BLOCKED_CONTACT = {
    "email": "ABC@xyz.com",
    "senderEmail": "ez312@gmal.com",
    "reason": {"message": "Admin blocked", "code": "adminBlocked"},
    "blockedAt": "2017-05-01T12:30:00Z",
}


def event(**changes: Any) -> dict[str, Any]:
    return {**DEFERRED, **changes}


def only(raw: dict[str, Any]) -> ProviderEvent:
    (found,) = parse_event(raw)
    return found


def test_the_sample_of_the_documentation() -> None:
    found = only(DEFERRED)
    assert found == ProviderEvent(
        name=found.name,
        kind=Happening.DEFERRED,
        occurred_at=datetime(2017, 3, 12, 12, 30, tzinfo=UTC),
        provider_id="<201798300811.5787683@example.domain.com>",
        recipient="john.smith@example.com",
        reason="Error connection timeout",
    )


@pytest.mark.parametrize(
    ("word", "kind"),
    [
        ("requests", Happening.SENT),
        ("delivered", Happening.DELIVERED),
        ("deferred", Happening.DEFERRED),
        ("opened", Happening.OPENED),
        ("loadedByProxy", Happening.OPENED),
        ("clicks", Happening.CLICKED),
        ("hardBounces", Happening.BOUNCED_HARD),
        ("invalid", Happening.BOUNCED_HARD),
        ("softBounces", Happening.BOUNCED_SOFT),
        ("bounces", Happening.BOUNCED_SOFT),
        ("blocked", Happening.FAILED),
        ("error", Happening.FAILED),
        ("spam", Happening.COMPLAINED),
        ("unsubscribed", Happening.UNSUBSCRIBED),
        ("hard_bounce", Happening.BOUNCED_HARD),
        ("soft_bounce", Happening.BOUNCED_SOFT),
        ("hardBounce", Happening.BOUNCED_HARD),
        ("invalid_email", Happening.BOUNCED_HARD),
        ("proxy_open", Happening.OPENED),
        ("unique_proxy_open", Happening.OPENED),
        ("unique_opened", Happening.OPENED),
        ("click", Happening.CLICKED),
        ("request", Happening.SENT),
        ("list_addition", Happening.IGNORED),
        ("teleported", Happening.UNKNOWN),
    ],
)
def test_both_spellings_of_its_words_are_known(word: str, kind: Happening) -> None:
    assert only(event(event=word)).kind is kind


def test_an_unknown_word_is_named() -> None:
    assert only(event(event="teleported")).reason == "teleported"


def test_only_a_proxy_is_a_machine() -> None:
    machines = {word for word in HAPPENINGS if only(event(event=word)).machine}
    assert machines == {"loadedByProxy", "proxy_open", "unique_proxy_open", "unique_proxy_opened"}


def test_a_click_has_its_link() -> None:
    link = "https://example.com/site?x=1"
    assert only(event(event="clicks", link=link)).url == link
    assert only(event(event="opened", link=link)).url == ""


def test_a_sender_that_is_refused_pauses_what_it_sends() -> None:
    reason = "Sending has been rejected because the sender you used is not valid"
    found = only(event(event="error", reason=reason))
    assert found.pauses == f"Brevo refuses the sender: {reason}"
    assert only(event(event="error", reason="mailbox on fire")).pauses == ""


@pytest.mark.parametrize(
    "tags",
    [
        {"tag": OUR_KEY},
        {"tag": f'["{OUR_KEY}"]'},
        {"tag": f'["shop","{OUR_KEY}"]'},
        {"tag": f"shop, {OUR_KEY}"},
        {"tag": None, "tags": ["shop", OUR_KEY]},
        {"tag": ["x", 3, OUR_KEY]},
    ],
)
def test_our_key_is_found_among_the_tags(tags: dict[str, Any]) -> None:
    assert only(event(**tags)).key == OUR_KEY


@pytest.mark.parametrize("tag", ["OrderConfirmation", OUR_KEY.upper(), OUR_KEY + "0", None, 7])
def test_what_does_not_look_like_ours_is_no_key(tag: Any) -> None:
    assert only(event(tag=tag)).key is None


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"date": "2017-03-12T13:30:00.000+01:00"},
        {"date": "2017-03-12T12:30:00Z"},
        {"messageId": "201798300811.5787683@example.domain.com"},
        {"reason": "said otherwise later", "extra": {"new": [1]}, "templateId": None},
    ],
)
def test_the_same_happening_has_the_same_name(changes: dict[str, Any]) -> None:
    assert only(event(**changes)).name == only(DEFERRED).name
    assert raw_event(event(**changes)).external_id == only(DEFERRED).name


@pytest.mark.parametrize(
    "changes",
    [
        {"event": "delivered"},
        {"date": "2017-03-12T12:30:01.000Z"},
        {"email": "jane@example.com"},
        {"messageId": "<2@x>"},
        {"link": "https://example.com"},
    ],
)
def test_another_happening_has_another_name(changes: dict[str, Any]) -> None:
    assert only(event(**changes)).name != only(DEFERRED).name


def test_two_clicks_of_one_second_on_one_link_count_once_and_on_two_links_twice() -> None:
    """Brevo tells no number and only seconds: the same said again may be the same once more."""
    first = event(event="clicks", link="https://example.com/a", ip="192.0.2.1")
    again = event(event="clicks", link="https://example.com/a", ip="192.0.2.2")
    other = event(event="clicks", link="https://example.com/b", ip="192.0.2.1")
    assert only(first).name == only(again).name
    assert only(first).name != only(other).name


@pytest.mark.parametrize("name", ["event", "email", "date", "messageId"])
@pytest.mark.parametrize("value", [None, "", 7, "missing"])
def test_what_lacks_a_field_cannot_be_read(name: str, value: Any) -> None:
    raw = event(**{name: value})
    if value == "missing":
        del raw[name]
    with pytest.raises(Unreadable):
        parse_event(raw)
    assert raw_event(raw).external_id != raw_event(DEFERRED).external_id


@pytest.mark.parametrize("when", ["yesterday", "2017-13-01T00:00:00Z", "0001-01-01T00:00:00+14:00"])
def test_a_date_that_is_none_cannot_be_read(when: str) -> None:
    with pytest.raises(Unreadable):
        parse_event(event(date=when))


def test_what_a_terminal_would_obey_is_taken_out_of_reasons() -> None:
    assert only(event(reason="550\x1b[2J gone\n")).reason == "550[2J gone"


# -- contacts nothing is sent to -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "kind", "listed"),
    [
        ("hardBounce", Happening.BOUNCED_HARD, Listed.BOUNCE),
        ("contactFlaggedAsSpam", Happening.COMPLAINED, Listed.COMPLAINT),
        ("unsubscribedViaMA", Happening.UNSUBSCRIBED, Listed.UNSUBSCRIBE),
        ("unsubscribedViaEmail", Happening.UNSUBSCRIBED, Listed.UNSUBSCRIBE),
        ("unsubscribedViaApi", Happening.UNSUBSCRIBED, Listed.UNSUBSCRIBE),
        ("adminBlocked", Happening.UNSUBSCRIBED, Listed.UNSUBSCRIBE),
        ("AdminBlocked", Happening.UNSUBSCRIBED, Listed.UNSUBSCRIBE),
        ("abducted", Happening.UNKNOWN, None),
    ],
)
def test_a_blocked_contact(code: str, kind: Happening, listed: Listed | None) -> None:
    reason = {"code": code, "message": "in words"}
    found = only({**BLOCKED_CONTACT, "reason": reason})
    assert (found.kind, found.listed, found.code) == (kind, listed, code)
    assert found.recipient == "abc@xyz.com"
    assert found.provider_id is None
    assert found.occurred_at == datetime(2017, 5, 1, 12, 30, tzinfo=UTC)


@pytest.mark.parametrize("reason", [None, "Admin blocked", {}, {"code": None}])
def test_a_blocked_contact_without_a_reason_is_kept(reason: Any) -> None:
    assert only({**BLOCKED_CONTACT, "reason": reason}).kind is Happening.UNKNOWN


# -- anything --------------------------------------------------------------------------------------

_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
_NAMES = st.sampled_from([*DEFERRED, *BLOCKED_CONTACT, "link", "tags", "user_agent", "message-id"])


@given(st.dictionaries(_NAMES | st.text(max_size=5), _JSON), st.sampled_from([{}, DEFERRED]))
def test_nothing_that_comes_stops_reading(raw: dict[str, Any], base: dict[str, Any]) -> None:
    record = {**base, **raw}
    assert raw_event(record) == raw_event(dict(reversed(record.items())))
    try:
        found = parse_event(record)
    except Unreadable:
        return
    for one in found:
        assert one.occurred_at.tzinfo is UTC
        assert one.name == raw_event(record).external_id


@given(_JSON)
def test_a_record_that_is_no_object_is_kept_as_it_came(record: Any) -> None:
    kept = raw_event(record)
    if not isinstance(record, dict):
        with pytest.raises(Unreadable):
            parse_event(kept.payload)
