"""What Twilio's records say, by its documentation's own samples and by whatever else may come."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm_tui.providers.events import Happening, Listed, ProviderEvent, Unreadable
from crm_tui.providers.twilio import CAPABILITIES, parse_event
from crm_tui.providers.twilio_records import CODES, FINAL, KINDS, Means, raw_event

SENT: dict[str, Any] = {
    "account_sid": "ACaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    "api_version": "2010-04-01",
    "body": "testing",
    "date_created": "Fri, 24 May 2019 17:44:46 +0000",
    "date_sent": "Fri, 24 May 2019 17:44:50 +0000",
    "date_updated": "Fri, 24 May 2019 17:44:55 +0000",
    "direction": "outbound-api",
    "error_code": None,
    "error_message": None,
    "from": "+12019235161",
    "messaging_service_sid": "MGaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    "num_media": "0",
    "num_segments": "2",
    "price": "-0.00750",
    "price_unit": "USD",
    "sid": "SMded05904ccb347238880ca9264e8fe1c",
    "status": "sent",
    "subresource_uris": {},
    "to": "+18182008801",
    "uri": "/2010-04-01/Accounts/AC/Messages/SMded05904ccb347238880ca9264e8fe1c.json",
}
"""A record as the description's examples have it."""

RECEIVED: dict[str, Any] = SENT | {
    "body": "look mom I have media!",
    "direction": "inbound",
    "num_media": "3",
    "num_segments": "1",
    "sid": "MMc26223853f8c46b4ab7dfaa6abba0a26",
    "status": "received",
}
QUEUED: dict[str, Any] = SENT | {
    "date_sent": None,
    "from": None,
    "num_segments": "0",
    "price": None,
    "status": "accepted",
}


def test_a_message_that_was_sent() -> None:
    assert _one(SENT) == ProviderEvent(
        name="SMded05904ccb347238880ca9264e8fe1c:sent",
        kind=Happening.SENT,
        occurred_at=datetime(2019, 5, 24, 17, 44, 50, tzinfo=UTC),
        provider_id="SMded05904ccb347238880ca9264e8fe1c",
        recipient="+18182008801",
        segments=2,
        cost=7500,
        currency="USD",
    )


def test_a_message_that_arrived() -> None:
    event = _one(SENT | {"status": "delivered"})
    assert event.kind is Happening.DELIVERED
    assert event.occurred_at == datetime(2019, 5, 24, 17, 44, 55, tzinfo=UTC)
    assert event.name.endswith(":delivered")


def test_a_message_that_waits_has_no_bill_yet() -> None:
    event = _one(QUEUED)
    assert event.kind is Happening.IGNORED
    assert (event.segments, event.cost, event.currency) == (None, None, "")


def test_an_answer_with_pictures() -> None:
    event = _one(RECEIVED)
    assert event.kind is Happening.REPLIED
    assert event.text == "look mom I have media!\n[3 pictures or files at Twilio]"
    assert (event.sender, event.recipient) == ("+12019235161", "+18182008801")
    assert event.provider_id is None
    assert event.occurred_at == datetime(2019, 5, 24, 17, 44, 50, tzinfo=UTC)
    assert _one(RECEIVED | {"body": None, "num_media": "1"}).text == "[1 picture or file at Twilio]"


def test_an_answer_that_twilio_took_for_stop_is_an_opt_out_too() -> None:
    for raw in (RECEIVED | {"OptOutType": "STOP"}, RECEIVED | {"opt_out_type": "stop"}):
        answer, stop = parse_event(raw)
        assert answer.kind is Happening.REPLIED
        assert (stop.kind, stop.listed) == (Happening.UNSUBSCRIBED, Listed.UNSUBSCRIBE)
        assert stop.recipient == "+12019235161"
        assert stop.name != answer.name
    for word in ("START", "HELP", "", None):
        assert len(parse_event(RECEIVED | {"OptOutType": word})) == 1


@pytest.mark.parametrize(
    ("code", "kind", "listed", "pauses"),
    [
        (30003, Happening.BOUNCED_SOFT, None, ""),
        (30005, Happening.BOUNCED_HARD, None, ""),
        (30006, Happening.BOUNCED_HARD, None, ""),
        (21211, Happening.BOUNCED_HARD, None, ""),
        (21614, Happening.BOUNCED_HARD, None, ""),
        (30004, Happening.FAILED, None, ""),
        (30008, Happening.FAILED, None, ""),
        (21610, Happening.UNSUBSCRIBED, Listed.UNSUBSCRIBE, ""),
        (30007, Happening.FAILED, None, "Change the text"),
        (30034, Happening.FAILED, None, "Register the number for A2P 10DLC"),
        (30032, Happening.FAILED, None, "toll-free verification"),
        (30002, Happening.FAILED, None, "add funds"),
        (30022, Happening.FAILED, None, "per_hour"),
        (63038, Happening.FAILED, None, "tomorrow"),
        (39999, Happening.FAILED, None, ""),
        (None, Happening.FAILED, None, ""),
    ],
)
@pytest.mark.parametrize("status", ["failed", "undelivered"])
def test_why_a_message_did_not_arrive(
    status: str, code: int | None, kind: Happening, listed: Listed | None, pauses: str
) -> None:
    event = _one(SENT | {"status": status, "error_code": code, "error_message": "Their words"})
    assert (event.kind, event.listed) == (kind, listed)
    assert event.code == str(code or "")
    assert event.reason
    assert pauses in event.pauses
    assert bool(event.pauses) == bool(pauses)


def test_a_code_that_is_text_is_the_same_code() -> None:
    raw = SENT | {"status": "undelivered", "error_code": "30006"}
    assert _one(raw).kind is Happening.BOUNCED_HARD


def test_an_error_code_of_a_message_on_its_way_says_nothing_yet() -> None:
    event = _one(SENT | {"error_code": 30007})
    assert (event.kind, event.code, event.pauses) == (Happening.SENT, "", "")


def test_a_canceled_message_has_failed() -> None:
    assert _one(QUEUED | {"status": "canceled"}).kind is Happening.FAILED


def test_a_status_nobody_knows_is_unknown_and_named() -> None:
    for direction in ("outbound-api", "inbound", "sideways"):
        event = _one(SENT | {"status": "teleported", "direction": direction})
        assert (event.kind, event.reason) == (Happening.UNKNOWN, "teleported")


def test_what_comes_in_is_an_answer_only_once_it_is_there_whole() -> None:
    for status in ("receiving", "failed", "undelivered"):
        assert _one(RECEIVED | {"status": status}).kind is Happening.IGNORED


@pytest.mark.parametrize(
    ("price", "unit", "cost", "currency"),
    [
        ("-0.00750", "USD", 7500, "USD"),
        ("-0.00750", "eur", 7500, "EUR"),
        ("0", "USD", 0, "USD"),
        ("-0.0000005", "USD", 0, "USD"),
        (-0.01, "USD", 10000, "USD"),
        (None, "USD", None, ""),
        ("-0.00750", None, None, ""),
        ("free", "USD", None, ""),
        ("NaN", "USD", None, ""),
        ("Infinity", "USD", None, ""),
        ("1e400", "USD", None, ""),
        ([], "USD", None, ""),
    ],
)
def test_a_price_is_in_millionths_without_its_sign(
    price: Any, unit: Any, cost: int | None, currency: str
) -> None:
    event = _one(SENT | {"price": price, "price_unit": unit})
    assert (event.cost, event.currency) == (cost, currency)


@pytest.mark.parametrize("missing", ["sid", "status"])
def test_a_record_without_a_name_or_a_status_is_unreadable(missing: str) -> None:
    for raw in (
        SENT | {missing: None},
        SENT | {missing: 7},
        {k: SENT[k] for k in SENT if k != missing},
    ):
        with pytest.raises(Unreadable, match=missing):
            parse_event(raw)


def test_a_record_without_a_date_is_unreadable() -> None:
    for wrong in (None, "", "yesterday", 7, "Fri, 99 May 2019 17:44:46 +0000"):
        dates = dict.fromkeys(("date_created", "date_sent", "date_updated"), wrong)
        with pytest.raises(Unreadable, match="date"):
            parse_event(SENT | dates)
    assert _one(SENT | {"date_sent": None, "date_updated": "?"}).occurred_at == datetime(
        2019, 5, 24, 17, 44, 46, tzinfo=UTC
    )


def test_the_official_statuses_are_all_known() -> None:
    official = {
        "queued", "sending", "sent", "failed", "delivered", "undelivered", "receiving",
        "received", "accepted", "scheduled", "read", "canceled",
    }  # fmt: skip
    assert set(KINDS) == official
    assert official > FINAL


def test_whatever_the_operator_has_to_mend_comes_with_the_fix() -> None:
    for number, code in CODES.items():
        assert code.words, number
        if code.means is Means.SETUP:
            assert code.fix.endswith("."), number
        assert not code.words.endswith("."), number


def test_records_are_told_apart_by_status_and_by_whether_the_price_is_known() -> None:
    assert raw_event(SENT).external_id == "SMded05904ccb347238880ca9264e8fe1c:sent:priced"
    unpriced = SENT | {"price": None}
    assert raw_event(unpriced).external_id == "SMded05904ccb347238880ca9264e8fe1c:sent"
    assert raw_event({}).external_id != raw_event(7).external_id
    assert raw_event({}) == raw_event({})


def test_the_row_of_the_matrix_is_whole() -> None:
    assert (CAPABILITIES.name, CAPABILITIES.channel, CAPABILITIES.idempotent) == (
        "twilio",
        "sms",
        False,
    )


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=40),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=6,
)
_ODD = st.dictionaries(st.sampled_from(sorted(SENT)), _JSON, max_size=8)


@given(
    odd=_ODD, inbound=st.booleans(), extra=st.dictionaries(st.text(max_size=8), _JSON, max_size=3)
)
def test_whatever_a_record_has_it_is_read_or_called_unreadable(
    odd: dict[str, Any], extra: dict[str, Any], *, inbound: bool
) -> None:
    raw = extra | (RECEIVED if inbound else SENT) | odd
    assert raw_event(raw) == raw_event(dict(raw))
    try:
        events = parse_event(raw)
    except Unreadable:
        return
    assert events
    for event in events:
        assert event.occurred_at.utcoffset() is not None
        assert event.name.startswith(raw["sid"])
        assert event.cost is None or event.cost >= 0
        assert event.segments is None or event.segments > 0
        assert "\n" not in event.reason + event.pauses


@given(_JSON)
def test_whatever_stands_in_a_page_has_a_name(record: Any) -> None:
    assert raw_event(record).external_id


def _one(raw: dict[str, Any]) -> ProviderEvent:
    (event,) = parse_event(raw)
    return event
