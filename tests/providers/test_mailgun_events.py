"""What Mailgun's records mean: every row of the mapping, and whatever else may come."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm_tui.providers.events import Happening, Listed, ProviderEvent, Unreadable
from crm_tui.providers.mailgun import parse_event
from crm_tui.providers.mailgun_events import raw_event, raw_listed

AT = 1763812800.123456
"""2025-11-22 12:00:00 UTC, and a little."""


def by_events(event: str, **fields: Any) -> dict[str, Any]:
    """A record in the shape of the Events API."""
    return {
        "event": event,
        "id": "Ase7i2zsRYeDXztHGENqRA",
        "timestamp": AT,
        "log-level": "info",
        "recipient": "Joe@Customer.example",
        "recipient-domain": "customer.example",
        "envelope": {"transport": "smtp", "sender": "anna@mg.example.org"},
        "message": {
            "headers": {
                "to": "Joe <joe@customer.example>",
                "message-id": "m-1@mg.example.org",
                "from": "anna@mg.example.org",
                "subject": "Hello",
            },
            "attachments": [],
            "size": 586,
        },
        "storage": {"url": "https://storage.api.mailgun.net/v3/domains/d/messages/k", "key": "k"},
        "tags": [],
        "user-variables": {"outbox_id": "m-1", "lead": "7"},
        **fields,
    }


def by_logs(event: str, **fields: Any) -> dict[str, Any]:
    """The same record in the shape of the Logs API."""
    record = by_events(event, **fields)
    del record["timestamp"]
    return record | {
        "@timestamp": "2025-11-22T12:00:00.123Z",
        "domain": {"name": "mg.example.org"},
        "account": {"id": "12345"},
        "user-variables": '{"outbox_id": "m-1", "lead": "7"}',
        "storage": {"url": ["https://storage.api.mailgun.net/v3/domains/d/messages/k"]},
    }


def parsed(record: dict[str, Any]) -> ProviderEvent:
    (event,) = parse_event(record)
    return event


def failed(**status: Any) -> dict[str, Any]:
    known = {"severity", "reason", "flags"}
    fields = {"severity": "permanent", **{n: v for n, v in status.items() if n in known}}
    told = {n.replace("_", "-"): v for n, v in status.items() if n not in known}
    return by_events("failed", **fields, **{"delivery-status": told})


@pytest.mark.parametrize("record", [by_events("delivered"), by_logs("delivered")])
def test_either_api_tells_the_same(record: dict[str, Any]) -> None:
    event = parsed(record)
    assert event.name == "2025-11-22/Ase7i2zsRYeDXztHGENqRA" == raw_event(record).external_id
    assert event.kind is Happening.DELIVERED
    assert event.occurred_at.replace(microsecond=0) == datetime(2025, 11, 22, 12, tzinfo=UTC)
    assert event.provider_id == "m-1@mg.example.org"
    assert event.key == "m-1"
    assert event.recipient == "joe@customer.example"
    assert (event.machine, event.reason, event.listed, event.seen) == ("", "", None, False)


@pytest.mark.parametrize(
    ("word", "kind"),
    [
        ("accepted", Happening.SENT),
        ("delivered", Happening.DELIVERED),
        ("opened", Happening.OPENED),
        ("clicked", Happening.CLICKED),
        ("unsubscribed", Happening.UNSUBSCRIBED),
        ("complained", Happening.COMPLAINED),
        ("rejected", Happening.FAILED),
        ("stored", Happening.IGNORED),
        ("list_uploaded", Happening.IGNORED),
        ("teleported", Happening.UNKNOWN),
    ],
)
def test_a_word_means(word: str, kind: Happening) -> None:
    assert parsed(by_events(word)).kind is kind
    assert parsed(by_logs(word)).kind is kind


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        ({"severity": "temporary", "code": 451}, Happening.DEFERRED),
        ({"severity": "temporary", "code": 550, "enhanced_code": "5.1.1"}, Happening.DEFERRED),
        ({"code": 550}, Happening.BOUNCED_HARD),
        ({"code": "550"}, Happening.BOUNCED_HARD),
        ({"code": 551}, Happening.BOUNCED_HARD),
        ({"code": 553}, Happening.BOUNCED_HARD),
        ({"code": 552, "enhanced_code": "5.2.2"}, Happening.BOUNCED_SOFT),
        ({"code": 554, "enhanced_code": "5.1.1"}, Happening.BOUNCED_HARD),
        ({"code": 550, "enhanced_code": "5.1.8"}, Happening.BOUNCED_SOFT),
        ({"code": 550, "enhanced_code": "5.7.1"}, Happening.BOUNCED_SOFT),
        ({"code": 550, "enhanced_code": "5.2.1"}, Happening.BOUNCED_HARD),
        ({"code": 550, "reason": "espblock"}, Happening.BOUNCED_SOFT),
        ({"code": 602, "reason": "old"}, Happening.BOUNCED_SOFT),
        ({"code": 554}, Happening.BOUNCED_SOFT),
        ({"code": 554, "bounce_type": "hard"}, Happening.BOUNCED_HARD),
        ({"code": 550, "bounce_type": "soft"}, Happening.BOUNCED_SOFT),
        ({"code": 550, "flags": {"is-delayed-bounce": True}}, Happening.BOUNCED_HARD),
        ({}, Happening.BOUNCED_SOFT),
        ({"severity": "", "code": 421}, Happening.DEFERRED),
        ({"severity": "partial", "code": 550}, Happening.BOUNCED_HARD),
        ({"severity": "partial"}, Happening.UNKNOWN),
    ],
)
def test_a_failure_means(status: dict[str, Any], kind: Happening) -> None:
    event = parsed(failed(**status))
    assert event.kind is kind
    assert event.listed is None


@pytest.mark.parametrize(
    ("status", "listed"),
    [
        ({"code": 605, "reason": "suppress-bounce"}, Listed.BOUNCE),
        ({"code": 606}, Listed.UNSUBSCRIBE),
        ({"reason": "suppress-complaint"}, Listed.COMPLAINT),
    ],
)
def test_who_is_on_a_list_of_mailguns_has_not_bounced(
    status: dict[str, Any], listed: Listed
) -> None:
    event = parsed(failed(**status))
    assert (event.kind, event.listed) == (Happening.FAILED, listed)
    assert "on Mailgun's list of" in event.reason


def test_a_failure_says_why_on_one_safe_line() -> None:
    event = parsed(failed(code=550, enhanced_code="5.1.1", message="No such\r\nuser \x1b[31mhere"))
    assert event.reason == "No such user [31mhere"
    assert event.code == "550 5.1.1"


def test_a_rejection_says_why_and_who_it_was_for() -> None:
    record = by_events("rejected", reject={"reason": "Sandbox", "description": "for tests only"})
    del record["recipient"]
    event = parsed(record)
    assert event.reason == "Sandbox for tests only"
    assert event.recipient == "joe@customer.example"


@pytest.mark.parametrize(
    ("client", "words"),
    [
        ({"bot": "apple"}, "Mail Privacy Protection"),
        ({"bot": "gmail"}, "Gmail"),
        ({"bot": "Generic"}, "scanner"),
        ({"bot": "yahoo\n"}, "a machine (yahoo)"),
        ({"bot": "", "client-type": "robot"}, "robot"),
        ({"bot": "", "client-type": "browser"}, ""),
        ({"client-type": "browser"}, ""),
        ({"bot": None}, ""),
        (None, ""),
    ],
)
def test_a_machine_is_told_with_its_reason(client: object, words: str) -> None:
    for word in ("opened", "clicked"):
        event = parsed(by_events(word, **{"client-info": client}))
        assert words in event.machine
        assert bool(event.machine) == bool(words)


def test_a_click_tells_where_and_with_what() -> None:
    client = {"user-agent": "Mozilla/5.0\x07 (X11)", "bot": ""}
    url = "https://example.org/a?b=c"
    event = parsed(by_events("clicked", url=url, **{"client-info": client}))
    assert (event.url, event.agent) == (url, "Mozilla/5.0 (X11)")


@pytest.mark.parametrize(
    "variables", [None, "", "{", '{"outbox_id": 5}', "[]", [], {"outbox_id": None}, "null", 7]
)
def test_variables_that_are_none_leave_the_key_out(variables: object) -> None:
    event = parsed(by_events("opened", **{"user-variables": variables}))
    assert event.key is None
    assert event.provider_id == "m-1@mg.example.org"


@pytest.mark.parametrize(
    "changes",
    [
        {"timestamp": None},
        {"timestamp": "soon"},
        {"timestamp": float("nan")},
        {"timestamp": 1e300},
        {"timestamp": True},
        {"event": None},
        {"event": ""},
        {"message": None, "recipient": None, "user-variables": {}},
    ],
)
def test_a_record_that_lacks_something_is_unreadable_and_has_a_name(
    changes: dict[str, Any],
) -> None:
    record = by_events("delivered") | changes
    with pytest.raises(Unreadable):
        parse_event(record)
    assert raw_event(record).external_id == raw_event(dict(record)).external_id


def test_without_an_id_a_record_is_known_by_what_it_says_in_either_api() -> None:
    names = set()
    for record in (
        by_events("clicked", url="https://a.example"),
        by_logs("clicked", url="https://a.example"),
    ):
        del record["id"]
        names |= {raw_event(record).external_id, parsed(record).name}
    assert len(names) == 1
    other = by_events("clicked", url="https://b.example")
    del other["id"]
    assert raw_event(other).external_id not in names


def test_the_same_id_on_another_day_is_another_record() -> None:
    later = by_events("delivered", timestamp=AT + 86400)
    assert raw_event(later).external_id != raw_event(by_events("delivered")).external_id


@pytest.mark.parametrize(
    ("name", "entry", "kind", "listed"),
    [
        (
            "bounces",
            {"code": "550", "error": "No such mailbox"},
            Happening.BOUNCED_HARD,
            Listed.BOUNCE,
        ),
        ("complaints", {}, Happening.COMPLAINED, Listed.COMPLAINT),
        ("unsubscribes", {"tags": ["*"]}, Happening.UNSUBSCRIBED, Listed.UNSUBSCRIBE),
    ],
)
def test_an_entry_of_a_list_is_an_event(
    name: str, entry: dict[str, Any], kind: Happening, listed: Listed
) -> None:
    entry |= {"address": "Joe@Customer.example", "created_at": "Thu, 11 Dec 2025 01:49:40 UTC"}
    raw = raw_listed(name, entry)
    event = parsed(dict(raw.payload))
    assert event.name == raw.external_id
    assert (event.kind, event.listed, event.seen) == (kind, listed, True)
    assert event.occurred_at == datetime(2025, 12, 11, 1, 49, 40, tzinfo=UTC)
    assert (event.provider_id, event.recipient) == (None, "joe@customer.example")
    assert entry.get("error", "") in event.reason


def test_an_entry_without_an_address_is_unreadable() -> None:
    for entry in (
        {},
        {"address": "a@b.example"},
        {"created_at": "Thu, 11 Dec 2025 01:49:40 UTC"},
        5,
    ):
        with pytest.raises(Unreadable):
            parse_event(raw_listed("bounces", entry).payload)


NAMES = st.sampled_from(
    [
        *by_events("failed"),
        *by_logs("failed"),
        *("delivery-status", "client-info", "reject", "severity", "reason", "url", "list", "entry"),
        *("headers", "message-id", "code", "enhanced-code", "bounce-type", "bot", "address"),
    ]
)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(
        ["failed", "opened", "stored", "permanent", "bounces", "2025-11-22T12:00:00Z"]
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(NAMES, VALUES, max_size=8))
def test_no_record_does_more_than_being_unreadable(record: dict[str, Any]) -> None:
    whole = by_events("failed") | record
    name = raw_event(whole).external_id
    try:
        event = parsed(whole)
    except Unreadable:
        return
    assert event.occurred_at.tzinfo is not None
    if "entry" not in whole:
        assert event.name == name
