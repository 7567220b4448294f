"""The session file: what is kept, that it is never corrupt, and what happens when it is."""

from __future__ import annotations

import os
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm_tui.errors import UserError
from crm_tui.session import (
    MOST_DRAFTS,
    MOST_SELECTED,
    Draft,
    Place,
    Selected,
    Session,
    session_path,
)

AT = datetime(2026, 11, 22, 14, 2, tzinfo=UTC)
IDS = st.integers(-(2**63), 2**63 - 1)
PLACES = st.builds(
    Place,
    view=st.text(),
    filter=st.text(),
    sort=st.text(),
    columns=st.dictionaries(st.text(), st.integers(0, 200)),
    cursor=st.none() | IDS,
    selected=st.builds(Selected, st.lists(IDS).map(tuple), st.booleans()),
    opened=st.none() | IDS,
    pane=st.booleans(),
)


def note(lead: int, text: str = "half a", *, at: datetime = AT) -> Draft:
    return Draft("business.note", lead, f"Note about {lead}", {"text": text, "when": ""}, at)


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "crm.db"


def test_without_a_file_one_starts_afresh_and_nothing_is_said(store: Path) -> None:
    session = Session.load(store)
    assert (session.theme, session.places, session.drafts, session.trouble) == ("", {}, {}, "")
    assert not session_path(store).exists()


@given(places=st.dictionaries(st.text(), PLACES, max_size=3), theme=st.text())
def test_what_is_saved_is_what_is_read(
    tmp_path_factory: pytest.TempPathFactory, places: dict[str, Place], theme: str
) -> None:
    store = tmp_path_factory.mktemp("store") / "crm.db"
    session = Session.load(store)
    session.theme, session.places, session.area = theme, places, "leads"
    session.keep(note(7))
    session.save()
    again = Session.load(store)
    assert (again.theme, again.places, again.area) == (theme, places, "leads")
    assert again.drafts == {"business.note:7": note(7)}
    assert again.trouble == ""


def test_only_its_owner_can_read_it_and_nothing_else_is_left_behind(store: Path) -> None:
    Session.load(store).save()
    assert stat.S_IMODE(session_path(store).stat().st_mode) == 0o600
    assert [path.name for path in store.parent.iterdir()] == ["crm.db.session.json"]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x00" * 500,
        b"{",
        b"[]",
        b'{"theme": 5}',
        b'{"places": {"leads": {"cursor": 99999999999999999999}}}',
        b'{"drafts": [{"action": "lead.note"}]}',
        b'{"drafts": [{"action":"a","lead":1,"title":"t","values":{},"at":"2026-11-22T10:00:00"}]}',
        b'{"theme": "\xff"}',
        b'{"theme": "' + b"x" * 5_000_000 + b'"}',
    ],
    ids=str,
)
def test_a_file_that_cannot_be_used_is_kept_aside_with_a_sentence(
    store: Path, content: bytes
) -> None:
    session_path(store).write_bytes(content)
    session = Session.load(store)
    assert session.places == {}
    assert session.trouble == (
        "Where you were is not known any more: crm.db.session.json could not be read "
        "(it cannot be understood). It is kept as crm.db.session.json.bad."
    )
    assert Path(f"{session_path(store)}.bad").read_bytes() == content
    session.save()
    assert Session.load(store).trouble == ""


def test_what_a_newer_program_keeps_besides_is_passed_over(store: Path) -> None:
    session_path(store).write_text('{"theme": "crm-light", "wizard": {"step": 2}}')
    session = Session.load(store)
    assert (session.theme, session.trouble) == ("crm-light", "")


def test_a_pipe_in_its_place_is_not_waited_for(store: Path) -> None:
    os.mkfifo(session_path(store))
    assert "could not be read" in Session.load(store).trouble


def test_a_folder_in_its_place_is_no_end(store: Path) -> None:
    session_path(store).mkdir()
    assert "could not be read" in Session.load(store).trouble


def test_where_it_cannot_be_written_that_is_a_sentence(store: Path) -> None:
    session = Session.load(store.parent / "nowhere" / "crm.db")
    with pytest.raises(UserError, match="could not be kept in"):
        session.save()


def test_a_store_that_is_thrown_away_keeps_nothing() -> None:
    session = Session()
    session.keep(note(1))
    session.save()


def test_a_long_selection_is_let_go_and_its_length_kept(store: Path) -> None:
    assert Selected.of(range(MOST_SELECTED)).ids == tuple(range(MOST_SELECTED))
    assert Selected.of(range(MOST_SELECTED + 1)) == Selected(lost=MOST_SELECTED + 1)
    assert Selected.of([3], all_but=True) == Selected((3,), all_but=True)


def test_a_second_text_of_the_same_kind_takes_the_place_of_the_first(store: Path) -> None:
    session = Session.load(store)
    session.keep(note(1, "first"))
    session.keep(note(2))
    session.keep(note(1, "second"))
    assert [draft.values["text"] for draft in session.drafts.values()] == ["half a", "second"]


def test_the_oldest_texts_give_way(store: Path) -> None:
    session = Session.load(store)
    for number in range(MOST_DRAFTS + 3):
        session.keep(note(number, at=AT + timedelta(minutes=number)))
    session.save()
    assert [draft.lead for draft in Session.load(store).drafts.values()] == [
        *range(3, MOST_DRAFTS + 3)
    ]


def test_two_apps_on_one_store_both_keep_their_texts(store: Path) -> None:
    first, second = Session.load(store), Session.load(store)
    first.keep(note(1))
    first.places["leads"] = Place(filter="first")
    first.save()
    second.keep(note(2))
    second.places["leads"] = Place(filter="second")
    second.save()
    after = Session.load(store)
    assert after.drafts.keys() == {"business.note:1", "business.note:2"}
    assert after.places["leads"].filter == "second"


def test_a_text_that_was_settled_does_not_come_back(store: Path) -> None:
    session = Session.load(store)
    session.keep(note(1))
    session.save()
    assert session.settle("business.note:1") == note(1)
    assert session.settle("business.note:1") is None
    session.save()
    assert Session.load(store).drafts == {}


def test_what_is_kept_about_a_lead_can_be_forgotten(store: Path) -> None:
    session = Session.load(store)
    session.keep(note(1))
    session.keep(note(2))
    session.save()
    session.forget(1)
    session.save()
    assert Session.load(store).drafts.keys() == {"business.note:2"}


def test_a_draft_is_known_by_its_longest_text() -> None:
    draft = note(1, "called\nback \x1b[31m")
    assert draft.words(40) == "called back ␛[31m"
    assert draft.words(7) == "called…"
