"""What is done to a business from the list: to the one under the cursor, and to a selection."""

from __future__ import annotations

import asyncio
import json
from array import array
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import select
from textual.pilot import Pilot
from textual.screen import Screen
from textual.widgets import Button, Input, Static

from crm_tui.app import CrmApp
from crm_tui.config import ClipboardSettings, OperatorSettings, Settings
from crm_tui.db.engine import Database
from crm_tui.db.models import Business, ContactPoint, Task
from crm_tui.screens.dialogs import Confirm
from crm_tui.screens.leads import LeadsScreen
from crm_tui.services import leads, never, tags
from crm_tui.services.leads import LeadPage
from crm_tui.vocabulary import ContactState, Outcome
from crm_tui.widgets.forms import Form
from crm_tui.widgets.frame import Footer
from tests.conftest import NOW, AddLead
from tests.screens.settling import settle

ADA = {
    "phone": "518-871-1647",
    "email": "ada@plumbing.example",
    "street": "5 Main Street",
    "city": "Albany",
    "region": "NY",
    "country": "US",
}


class Desk:
    """The app in a test: Ada, who has everything, above Bo and Cy."""

    def __init__(self, app: CrmApp, db: Database, pilot: Pilot[None]) -> None:
        self.app = app
        self.db = db
        self.pilot = pilot

    @property
    def screen(self) -> Screen[object]:
        return self.app.screen

    async def settle(self) -> None:
        await settle(self.pilot)

    async def press(self, *keys: str) -> None:
        for key in keys:
            await self.pilot.press(key)
        await self.settle()

    def said(self) -> str:
        screens = [each for each in self.app.screen_stack if each.query(Footer)]
        return screens[-1].query_one(Footer).words

    async def page(self, lead: int) -> LeadPage:
        async with self.db.read() as session:
            return await leads.page(session, lead, settings=self.app.settings, now=NOW)

    async def tagged(self, name: str) -> int:
        async with self.db.read() as session:
            return dict(await tags.in_use(session)).get(name, 0)


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    """The file that takes the place of a clipboard."""
    return tmp_path / "copied"


@pytest.fixture
def settings(copied: Path) -> Settings:
    return Settings(
        operator=OperatorSettings(timezone="UTC"),
        clipboard=ClipboardSettings(command=("tee", str(copied))),
    )


@pytest.fixture
async def ids(add_lead: AddLead) -> list[int]:
    return [await add_lead("Ada", **ADA), await add_lead("Bo"), await add_lead("Cy")]


@pytest.fixture
async def desk(
    ids: list[int], db: Database, store_path: Path, settings: Settings
) -> AsyncIterator[Desk]:
    assert ids
    app = CrmApp(store_path, settings, now=lambda: NOW)
    async with app.run_test(size=(100, 30)) as pilot:
        desk = Desk(app, db, pilot)
        await desk.settle()
        yield desk


def text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8")


# One lead


async def test_a_tag_is_typed_once_and_offered_from_then_on(desk: Desk, ids: list[int]) -> None:
    await desk.press("t", *"vip", "enter")
    assert desk.said() == "Tagged Ada vip. u takes it back."
    await desk.press("j", "t", "v", "enter")
    assert (await desk.page(ids[1])).tags == ("vip",)
    await desk.press("T", "enter")
    assert desk.said() == "Took the tag vip off Bo. u takes it back."
    assert await desk.tagged("vip") == 1


async def test_what_is_no_tag_is_refused_where_it_is_typed(desk: Desk, ids: list[int]) -> None:
    tag = "a tag that goes on for much longer than anybody would ever read"
    await desk.press("t", *tag, "enter")
    refused = desk.screen.query_one("#refused", Static)
    assert desk.screen.has_class("-refused")
    assert str(refused.content).startswith("A tag has 60 characters at most")
    assert desk.screen.query_one(Input).value == tag
    await desk.press(*["backspace"] * 10)
    assert not desk.screen.has_class("-refused")
    await desk.press("enter")
    assert (await desk.page(ids[0])).tags == (tag[:-10],)


async def test_a_time_that_cannot_be_read_is_said_once_and_no_longer_than_it_stands_there(
    desk: Desk,
) -> None:
    await desk.press("f", *"someday", "enter")
    reading, words = (desk.screen.query_one(each, Static) for each in (".reading", "#form-words"))
    assert str(reading.content).startswith('"someday" is no time this program reads; say')
    assert str(words.content) == ""
    await desk.press("tab", "end", *["backspace"] * len("call back"), "enter")
    assert desk.app.focused is desk.screen.query_one("#due")
    await desk.press("end", *["backspace"] * len("someday"), *"mon", "enter")
    assert str(words.content) == "Say what is to be done, such as: call back."
    await desk.press("tab", "x")
    assert str(words.content) == ""


async def test_a_lead_without_a_tag_says_so(desk: Desk) -> None:
    await desk.press("T")
    assert desk.said() == "There is no tag on Ada."


async def test_what_came_of_a_lead_is_said_with_the_reason(desk: Desk, ids: list[int]) -> None:
    await desk.press("O", "5", "tab", *"has a nephew", "enter")
    business = (await desk.page(ids[0])).business
    assert (business["outcome"], business["outcome_reason"]) == (Outcome.LOST, "has a nephew")
    await desk.press("u")
    assert (await desk.page(ids[0])).business["outcome"] is Outcome.OPEN


async def test_never_again_is_two_keys_and_enter_and_can_be_taken_back(
    desk: Desk, ids: list[int]
) -> None:
    await desk.press("D", "2", "enter")
    assert desk.said() == "Never contact Ada again: wrong person. u takes it back."
    assert (await desk.page(ids[0])).business["do_not_contact_reason"] == "wrong person"
    await desk.press("a")
    assert desk.said() == "Ada must not be contacted; D says why."
    await desk.press("D")
    assert isinstance(desk.screen, Confirm)
    await desk.press("left", "enter")
    assert desk.said() == "Allowed contact with Ada again. u takes it back."
    assert not (await desk.page(ids[0])).business["do_not_contact"]


async def test_another_reason_is_typed(desk: Desk, ids: list[int]) -> None:
    await desk.press("D", "5", "enter")
    assert "Say why" in str(desk.screen.query_one("#form-words", Static).content)
    await desk.press("tab", *"is my uncle", "enter")
    assert (await desk.page(ids[0])).business["do_not_contact_reason"] == "is my uncle"


async def test_who_said_it_themselves_is_not_contacted_whatever_we_say(
    desk: Desk, ids: list[int]
) -> None:
    async with desk.db.write() as session:
        await never.never(session, ids[:1], "complained", now=NOW)
        emails = select(ContactPoint).where(ContactPoint.value == "ada@plumbing.example")
        (await session.scalars(emails)).one().state = ContactState.COMPLAINED
    await desk.press("D", "left", "enter")
    assert "only they can take that back" in desk.said()


async def test_an_archived_lead_leaves_the_list_and_comes_back_with_the_same_key(
    desk: Desk, ids: list[int]
) -> None:
    await desk.press("A")
    assert desk.said() == "Archived Ada. u takes it back."
    assert (await desk.page(ids[0])).business["archived_at"] == NOW
    await desk.press("slash", *"is:archived", "enter", "A")
    assert desk.said() == "Brought Ada back from the archive. u takes it back."


@pytest.mark.parametrize(
    ("key", "copied_text"),
    [
        ("p", "+15188711647"),
        ("e", "ada@plumbing.example"),
        ("a", "Ada, 5 Main Street, Albany, NY, US"),
    ],
)
async def test_what_reaches_a_lead_is_copied_in_two_keys(
    desk: Desk, copied: Path, key: str, copied_text: str
) -> None:
    await desk.press("y", key)
    assert text_of(copied) == copied_text
    assert "copied with tee" in desk.said()


async def test_the_address_of_the_site_is_copied(desk: Desk, copied: Path) -> None:
    await desk.press("y", "u")
    assert desk.said() == "Ada has no site yet; b builds one."
    await desk.press("b")
    await desk.press("y", "u")
    assert text_of(copied).startswith("http://")


async def test_what_a_lead_lacks_is_said(desk: Desk) -> None:
    await desk.press("j", "y", "e")
    assert desk.said() == "Bo has no e-mail address; e adds one."
    await desk.press("y", "a")
    assert desk.said() == "Bo has no postal address; e adds one."


# Many


async def test_a_selection_is_tagged_at_once_and_undone_at_once(desk: Desk) -> None:
    await desk.press("space", "space", "t", *"vip", "enter")
    assert desk.said() == "Tagged 2 leads vip. u takes it back."
    assert await desk.tagged("vip") == 2
    await desk.press("u")
    assert await desk.tagged("vip") == 0


async def test_what_u_takes_back_is_said_as_soon_as_u_does(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    screen = desk.screen
    assert isinstance(screen, LeadsScreen)
    begun, go_on = asyncio.Event(), asyncio.Event()
    show_again = screen.show_again

    async def show_later(lead_ids: array[int], key: str | None = None) -> None:
        begun.set()
        await go_on.wait()
        await show_again(lead_ids, key)

    monkeypatch.setattr(screen, "show_again", show_later)
    await desk.press("*", "t", *"vip")
    await desk.pilot.press("enter")
    await begun.wait()
    assert desk.said() == ""
    go_on.set()
    while not desk.said():  # noqa: ASYNC110 - the very step at which it is said
        await asyncio.sleep(0)
    assert desk.said() == "Tagged 3 leads vip. u takes it back."
    await desk.press("u")
    assert desk.said() == "Undone: tagged 3 leads vip."


async def test_a_selection_of_one_is_that_lead_wherever_the_cursor_is(
    desk: Desk, ids: list[int]
) -> None:
    await desk.press("space", "s", "5", "enter")
    assert desk.said() == "Set the status of Ada to opened. u takes it back."
    await desk.press("e", "ctrl+u", *"Ada & Co", "ctrl+s")
    assert (await desk.page(ids[0])).business["name"] == "Ada & Co"


async def test_many_leads_get_a_field_a_follow_up_and_an_outcome(
    desk: Desk, ids: list[int]
) -> None:
    await desk.press("*", "e", "2", "tab", *"Queens", "enter")
    assert desk.said() == "Set the city of 3 leads to Queens. u takes it back."
    await desk.press("f", "ctrl+u", *"mon 14:30", "enter")
    assert desk.said() == "Set a follow-up with 3 leads for Mon 23 Nov 14:30. u takes it back."
    await desk.press("O", "2", "enter")
    async with desk.db.read() as session:
        cities = set(await session.scalars(select(Business.city)))
        outcomes = set(await session.scalars(select(Business.outcome)))
        due = list(await session.scalars(select(Task.business_id)))
    assert (cities, outcomes, sorted(due)) == ({"Queens"}, {Outcome.INTERESTED}, ids)


async def test_clearing_a_field_of_many_is_asked_about(desk: Desk) -> None:
    await desk.press("*", "e", "2", "enter")
    assert isinstance(desk.screen, Confirm)
    assert str(desk.screen.query_one("#do", Button).label) == "Clear the city of 3 leads"
    await desk.press("enter")
    assert desk.said() == "Cleared the city of 1 lead; 2 were so already. u takes it back."


async def test_more_than_fifty_are_asked_about_with_their_number_on_the_button(
    desk: Desk, add_lead: AddLead
) -> None:
    for number in range(50):
        await add_lead(f"Lead {number}")
    list_ = desk.screen
    assert isinstance(list_, LeadsScreen)
    list_.data_changed()
    await desk.settle()
    await desk.press("*", "s", "2", "enter")
    assert isinstance(desk.screen, Confirm)
    button = str(desk.screen.query_one("#do", Button).label)
    assert button == "Set the status of 53 leads to emailed"
    await desk.press("enter")
    assert desk.said() == "Set the status of 53 leads to emailed. u takes it back."


async def test_a_selection_is_written_to_a_file(desk: Desk, tmp_path: Path) -> None:
    target = tmp_path / "two.json"
    await desk.press("space", "space", "E", "3", "tab")
    desk.screen.query_one("#path", Input).value = str(target)
    await desk.press("enter")
    assert desk.said() == f"Exported 2 leads to {target}."
    assert [each["name"] for each in json.loads(text_of(target))["leads"]] == [
        "Ada",
        "Bo",
    ]


async def test_a_file_that_is_there_is_replaced_only_when_that_is_said_twice(
    desk: Desk, tmp_path: Path
) -> None:
    target = tmp_path / "leads.csv"
    target.write_text("mine", encoding="utf-8")
    await desk.press("E", "tab")
    desk.screen.query_one("#path", Input).value = str(target)
    await desk.press("enter")
    assert "leads.csv is there already" in str(desk.screen.query_one("#form-words", Static).content)
    assert text_of(target) == "mine"
    await desk.press("enter")
    assert "Ada" in text_of(target)


async def test_a_file_that_cannot_be_written_is_said(desk: Desk, tmp_path: Path) -> None:
    await desk.press("E", "tab")
    desk.screen.query_one("#path", Input).value = str(tmp_path / "not there" / "leads.csv")
    await desk.press("enter")
    assert "cannot be written" in desk.said()


async def test_many_are_never_contacted_again_after_the_number_was_seen(desk: Desk) -> None:
    await desk.press("*", "D")
    assert isinstance(desk.screen, Form)
    assert "Never contact 3 leads again" in str(desk.screen.query_one("#save", Button).label)
    await desk.press("enter")
    assert desk.said() == "Never contact 3 leads again: asked us to stop. u takes it back."
