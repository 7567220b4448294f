"""What Resend's records say: states with what led to them, its list, and records of any shape."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm_tui.providers.events import Happening, Listed, ProviderEvent, Unreadable
from crm_tui.providers.resend import parse_event
from tests.world.official import Official

NOW = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
SEEN = "2026-11-22T09:30:00+00:00"


def kinds(events: Sequence[ProviderEvent]) -> list[Happening]:
    return [each.kind for each in events]


GOLDEN: dict[str, Any] = {
    "object": "email",
    "id": "4ef9a417-02e9-4d39-ad75-9611e0fcc33c",
    "message_id": "<202301010000.4ef9a417@email.example.com>",
    "to": ["delivered@resend.dev"],
    "from": "Acme <onboarding@resend.dev>",
    "created_at": "2023-04-03 22:13:42.674981+00",
    "subject": "Hello World",
    "bcc": [],
    "cc": [],
    "reply_to": ["onboarding@resend.dev"],
    "last_event": "delivered",
    "seen_at": SEEN,
}


@pytest.mark.parametrize(
    ("state", "said"),
    [
        ("queued", ["ignored"]),
        ("scheduled", ["ignored"]),
        ("sent", ["sent"]),
        ("delivered", ["delivered"]),
        ("delivery_delayed", ["deferred"]),
        ("opened", ["delivered", "opened"]),
        ("clicked", ["delivered", "opened", "clicked"]),
        ("complained", ["delivered", "complained"]),
        ("bounced", ["bounced_soft"]),
        ("failed", ["failed"]),
        ("canceled", ["failed"]),
        ("suppressed", ["failed"]),
        ("teleported", ["unknown"]),
    ],
)
def test_a_state_says_what_must_have_come_before_it(state: str, said: list[str]) -> None:
    found = parse_event(GOLDEN | {"last_event": state})

    assert kinds(found) == said
    for each in found:
        assert each.provider_id == GOLDEN["id"]
        assert each.recipient == "delivered@resend.dev"
        assert each.seen
        assert each.occurred_at == NOW
        assert each.code == state
    assert [each.name for each in found if each.kind is not Happening.UNKNOWN] == [
        f"{GOLDEN['id']}:{kind}" for kind in said if kind != "unknown"
    ]


def test_every_state_of_the_official_description_is_known() -> None:
    described = Official.of("resend").schema("Email")["properties"]["last_event"]["enum"]

    for state in described:
        assert Happening.UNKNOWN not in kinds(parse_event(GOLDEN | {"last_event": state}))


def test_a_tag_brings_the_key_back() -> None:
    tags = [{"name": "other", "value": "x"}, {"name": "key", "value": "5f0c"}]

    assert parse_event(GOLDEN | {"tags": tags})[0].key == "5f0c"
    assert parse_event(GOLDEN | {"tags": {"key": "5f0c"}})[0].key == "5f0c"
    assert parse_event(GOLDEN)[0].key is None


@pytest.mark.parametrize("missing", ["id", "last_event", "seen_at"])
@pytest.mark.parametrize("instead", ["nothing", None, 7, [], {}, ""])
def test_a_record_without_what_it_should_have_is_unreadable(missing: str, instead: object) -> None:
    record = GOLDEN | {missing: instead}
    if instead == "nothing":
        del record[missing]

    with pytest.raises(Unreadable):
        parse_event(record)


@pytest.mark.parametrize("name", sorted(set(GOLDEN) - {"id", "last_event", "seen_at"}))
@pytest.mark.parametrize("instead", [None, 7, [], {}, "", [None], [7]])
def test_what_is_not_needed_may_be_anything(name: str, instead: object) -> None:
    changed = GOLDEN | {name: instead, "new_field": {"deep": [1]}, "tags": instead}

    assert kinds(parse_event(changed)) == [Happening.DELIVERED]


def test_an_entry_of_the_list_is_read() -> None:
    entry = {
        "id": "e169aa45-1ecf-4183-9955-b1499d5701d3",
        "email": "Steve@example.com",
        "origin": "bounce",
        "source_id": "479e3145-dd38-476b-932c-529ceb705947",
        "created_at": "2023-10-06 23:47:56.678+00",
    }

    (bounced,) = parse_event({"suppression": entry, "waited": True})
    (complained,) = parse_event({"suppression": entry | {"origin": "complaint"}, "waited": False})
    (sourceless,) = parse_event({"suppression": entry | {"source_id": None}, "waited": False})

    assert bounced.kind is Happening.BOUNCED_HARD
    assert bounced.listed is Listed.BOUNCE
    assert bounced.name == "479e3145-dd38-476b-932c-529ceb705947:bounced_hard"
    assert bounced.provider_id == "479e3145-dd38-476b-932c-529ceb705947"
    assert not bounced.seen
    assert bounced.occurred_at == datetime(2023, 10, 6, 23, 47, 56, 678000, tzinfo=UTC)
    assert complained.kind is Happening.COMPLAINED
    assert (complained.provider_id, complained.recipient) == (None, "steve@example.com")
    assert sourceless.name == "suppression:e169aa45-1ecf-4183-9955-b1499d5701d3"
    for broken in ("id", "email", "created_at", "origin"):
        with pytest.raises(Unreadable):
            parse_event({"suppression": entry | {broken: None}, "waited": True})


WORDS = st.sampled_from(["bounced", "clicked", "sent", SEEN, "a@b.example", "bounce", "x"])
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | WORDS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["name", "value", "id", "origin", "email", "created_at", "source_id"]),
            inner,
            max_size=5,
        )
    ),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from([*GOLDEN, "tags", "suppression", "waited"]), ANYTHING))
def test_a_record_of_any_shape_is_read_or_unreadable(changed: dict[str, Any]) -> None:
    for record in (changed, GOLDEN | changed):
        try:
            found = parse_event(record)
        except Unreadable:
            continue
        assert all(isinstance(each, ProviderEvent) for each in found)
