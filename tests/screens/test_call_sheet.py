"""The call sheet: calling through a list, with as few keys as there can be."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from textual import events
from textual.widgets import Static

from crm_tui.config import Settings
from crm_tui.screens.calling import CallsScreen
from crm_tui.screens.leads import LeadsScreen
from crm_tui.services import calling, never, points
from crm_tui.vocabulary import CallOutcome, ContactKind
from tests.conftest import NOW, AddLead
from tests.screens.test_calls import Desk, desk, settings

__all__ = ["desk", "settings"]


def sheet(at: Desk) -> CallsScreen:
    assert isinstance(at.screen, CallsScreen)
    return at.screen


def words(at: Desk, name: str) -> str:
    return str(sheet(at).query_one(f"#calls-{name}", Static).content)


def shown(at: Desk) -> str:
    lead = sheet(at).target
    return lead.name if lead else ""


async def test_the_sheet_shows_the_first_lead_and_how_far_it_is(desk: Desk) -> None:
    await desk.press("C")
    assert words(desk, "list") == "Calling all leads"
    assert words(desk, "progress") == "1 of 6 · 0 done today · 6 left"
    assert words(desk, "name") == "Ada"
    assert words(desk, "phone") == "(518) 871-1640"
    assert "captured by hand" in words(desk, "history")


async def test_five_calls_in_a_row_are_ten_keys(desk: Desk) -> None:
    await desk.press("C")
    for key in ("1", "enter") * 5:
        await desk.pilot.press(key)
    await desk.settle()
    assert await desk.calls() == [(number, "no_answer", "") for number in range(5)]
    assert (shown(desk), words(desk, "progress")) == ("Flo", "6 of 6 · 5 done today · 1 left")
    await desk.press("3", "enter")
    assert words(desk, "end") == "Everybody in this list was called today."
    await desk.press("escape")
    assert isinstance(desk.screen, LeadsScreen)


async def test_keys_typed_ahead_are_for_the_leads_they_come_to(desk: Desk) -> None:
    for key in ("C", "1", "enter", "2", "enter", "4", "enter", *"tue", "enter", "3", "enter"):
        desk.app.post_message(events.Key(key, key if len(key) == 1 else "\r"))
    while len(await desk.calls()) < 4:
        await desk.pilot.pause()
    assert await desk.calls() == [
        (0, "no_answer", ""),
        (1, "voicemail", ""),
        (2, "later", ""),
        (3, "talked", ""),
    ]
    assert ("Cy", datetime(2026, 11, 24, 9, tzinfo=UTC)) in await desk.follow_ups()


async def test_who_was_called_today_or_must_not_be_is_left_out(
    desk: Desk, add_lead: AddLead
) -> None:
    await add_lead("Aaron")
    async with desk.db.write() as session:
        await calling.log(session, desk.leads[0], CallOutcome.TALKED, now=NOW)
        await never.never(session, [desk.leads[1]], "competitor", now=NOW)
    await desk.press("C")
    assert (shown(desk), words(desk, "progress")) == ("Cy", "2 of 5 · 1 done today · 4 left")


async def test_the_sheet_of_a_selection_and_of_a_filter(desk: Desk) -> None:
    await desk.press("j", "space", "space", "C")
    assert words(desk, "list") == "Calling 2 selected leads"
    assert shown(desk) == "Bo"
    await desk.press("escape", "escape", "slash", *"flo", "enter", "C")
    assert (words(desk, "list"), shown(desk)) == ("Calling flo", "Flo")


async def test_a_lead_is_skipped_and_come_back_to(desk: Desk) -> None:
    await desk.press("C", "right_square_bracket", "1", "enter")
    assert shown(desk) == "Cy"
    await desk.press("left_square_bracket")
    assert shown(desk) == "Bo"
    assert "call: no answer" in words(desk, "history")
    await desk.press("left_square_bracket")
    assert shown(desk) == "Ada"
    await desk.press("left_square_bracket")
    assert desk.said() == "This is the first lead of the list."
    await desk.press(*["right_square_bracket"] * 5)
    assert "5 skipped" in words(desk, "end")
    await desk.press("left_square_bracket")
    assert shown(desk) == "Flo"


async def test_who_asks_to_be_called_later_is_asked_when(desk: Desk) -> None:
    await desk.press("C", "4", "enter", "enter")
    assert "Say when to call again" in desk.said()
    assert shown(desk) == "Ada"
    await desk.press(*"in 2 weeks", "enter")
    assert shown(desk) == "Bo"
    assert await desk.follow_ups() == [("Ada", datetime(2026, 12, 6, 9, tzinfo=UTC))]


async def test_after_a_wrong_number_the_next_one_is_shown_and_without_one_the_next_lead(
    desk: Desk,
) -> None:
    async with desk.db.write() as session:
        await points.add(session, desk.leads[0], ContactKind.PHONE, "+15188712000", now=NOW)
    await desk.press("C", "6", "enter")
    assert (shown(desk), words(desk, "phone")) == ("Ada", "(518) 871-2000")
    await desk.press("6", "enter")
    assert shown(desk) == "Bo"


async def test_a_call_is_taken_back_from_the_sheet(desk: Desk) -> None:
    await desk.press("C", "5", "enter", "u")
    assert await desk.calls() == []
    assert words(desk, "progress") == "2 of 6 · 0 done today · 6 left"


async def test_who_is_never_to_be_contacted_again_leaves_the_sheet(desk: Desk) -> None:
    await desk.press("C", "right_square_bracket", "D", "1", "enter")
    assert (shown(desk), words(desk, "progress")) == ("Cy", "2 of 5 · 0 done today · 5 left")


async def test_a_note_is_not_lost_by_a_slip(desk: Desk) -> None:
    await desk.press("C", "tab", *"hm", "escape", "right_square_bracket")
    assert "The note is not saved" in desk.said()
    assert shown(desk) == "Ada"
    await desk.press("right_square_bracket")
    assert shown(desk) == "Bo"
    await desk.press("3", "tab", *"wants a price", "enter")
    assert await desk.calls() == [(1, "talked", "wants a price")]


async def test_what_is_half_written_is_kept_for_the_next_start(desk: Desk) -> None:
    await desk.press("C", "3", "tab", *"wants a")
    draft = sheet(desk).draft(NOW)
    assert draft is not None
    assert (draft.action, draft.lead, draft.title) == ("business.call", desk.leads[0], "Call Ada")
    assert draft.values["text"] == "wants a"


async def test_nobody_to_call_is_said(desk: Desk, settings: Settings) -> None:
    async with desk.db.write() as session:
        await never.never(session, desk.leads, "competitor", now=NOW)
    await desk.press("C")
    assert "Nobody in this list can be called" in words(desk, "end")
    await desk.press("enter")
    assert desk.said() == "There is nobody left to call here."


async def test_tomorrow_everybody_is_to_be_called_again(desk: Desk) -> None:
    async with desk.db.write() as session:
        for lead in desk.leads:
            await calling.log(
                session, lead, CallOutcome.NO_ANSWER, at=NOW - timedelta(days=1), now=NOW
            )
    await desk.press("C")
    assert words(desk, "progress") == "1 of 6 · 0 done today · 6 left"


@pytest.mark.parametrize("size", [(80, 24), (160, 50)])
async def test_everything_needed_is_in_sight(desk: Desk, size: tuple[int, int]) -> None:
    await desk.pilot.resize_terminal(*size)
    await desk.press("C")
    for name in ("#calls-phone", "#outcome", "#text", "#again", "#calls-history"):
        region = sheet(desk).query_one(name).region
        assert 0 < region.y < region.bottom < size[1]
        assert 0 <= region.x < region.right <= size[0]


async def test_closing_the_sheet_does_not_drop_a_note_unasked(desk: Desk) -> None:
    await desk.press("C", "tab", *"wants a quote", "escape", "q")
    assert "The note is not saved" in desk.said()
    assert shown(desk) == "Ada"
    await desk.press("q")
    assert isinstance(desk.screen, LeadsScreen)
