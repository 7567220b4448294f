"""Making a campaign: five pages, forward and back, kept as a draft, started at the end."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import select, update
from textual.pilot import Pilot
from textual.widgets import Input, TextArea

from crm_tui.app import CrmApp
from crm_tui.config import Settings
from crm_tui.db.engine import Database
from crm_tui.db.models import Business, Campaign, Message
from crm_tui.providers.dns import Dns
from crm_tui.screens.campaign import CampaignScreen
from crm_tui.screens.dialogs import Confirm
from crm_tui.screens.left_out import LeftOutScreen
from crm_tui.screens.step_forms import StepForm
from crm_tui.screens.wizard import WizardScreen
from crm_tui.services.campaigns import domains, drafts, freezing
from crm_tui.services.campaigns.audience import Audience
from crm_tui.services.campaigns.drafts import Draft
from crm_tui.vocabulary import CampaignState, MessageState
from crm_tui.widgets.frame import Footer
from crm_tui.widgets.row_list import RowList
from tests.conftest import NOW, AddLead
from tests.providers.name_server import name_server
from tests.screens.mailings import SETTINGS, add_campaign, add_draft, step
from tests.screens.settling import press, settle

TEXT = """Hello {{ contact.first_name or "there" }},

have a look, {{ business.name }}.

{{ sender.postal_address }}
{{ unsubscribe }}"""


class Desk:
    """The app in a test."""

    def __init__(self, pilot: Pilot[None], db: Database) -> None:
        self.pilot = pilot
        self.db = db
        assert isinstance(pilot.app, CrmApp)
        self.app = pilot.app

    @property
    def wizard(self) -> WizardScreen:
        return next(s for s in self.app.screen_stack if isinstance(s, WizardScreen))

    @property
    def said(self) -> str:
        return self.app._front().query_one(Footer).words

    async def press(self, *keys: str) -> None:
        await press(self.pilot, keys)

    async def type(self, text: str) -> None:
        await self.press(*("space" if each == " " else each for each in text))

    def words(self, name: str) -> str:
        return " ".join(str(self.app.screen.query_one(f"#{name}").render()).split())

    async def write(self, subject: str, text: str = TEXT) -> None:
        """Write the message under the cursor."""
        await self.press("e")
        self.app.screen.query_one("#subject", Input).value = subject
        self.app.screen.query_one("#text", TextArea).text = text
        await settle(self.pilot)
        await self.press("ctrl+s")

    async def kept(self) -> list[Draft]:
        async with self.db.read() as session:
            ids = await session.scalars(select(Campaign.id).order_by(Campaign.id))
            return [(await drafts.load(session, each)).draft for each in ids]


@pytest.fixture(autouse=True)
def _nothing_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("crm_tui.app._MAIL_AFTER", 3600.0)
    monkeypatch.setattr("crm_tui.app._WATCH_EVERY", 3600.0)  # the store is looked at when told
    monkeypatch.setattr("crm_tui.screens.wizard_audience._TYPING_PAUSE", 0.01)


@pytest.fixture
async def leads(add_lead: AddLead) -> list[int]:
    return [
        await add_lead("Ada Plumbing", city="Queens", email="jo@ada-plumbing.com"),
        await add_lead("Bo Roofing", city="Jamaica", email="bo@bo-roofing.com"),
        await add_lead("Cy Glass", city="Queens"),
    ]


@pytest.fixture
async def desk(db: Database, leads: list[int], store_path: Path) -> AsyncIterator[Desk]:
    del leads
    app = CrmApp(store_path, SETTINGS, now=lambda: NOW)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        yield Desk(pilot, db)


async def test_from_the_filter_of_the_list_to_a_running_campaign(desk: Desk) -> None:
    await desk.press("slash")
    await desk.type("city:Queens")
    await desk.press("enter", "c")
    assert "1 lead gets it" in desk.words("who")
    assert "1 lead left out" in desk.words("who")
    await desk.press("enter")
    assert desk.wizard.page.AREA == "message"
    await desk.write("A website for {{ business.name }}")
    await desk.press("enter")
    assert "A website for Ada Plumbing" in desk.words("whose")
    assert "have a look, Ada Plumbing." in desk.words("mail")
    await desk.press("enter")
    assert "1 mail to 1 lead: the last goes about" in desk.words("until")
    await desk.press("enter")
    assert "It goes to 1." in desk.words("checks")
    await desk.press("enter")
    assert isinstance(desk.app.screen, Confirm)
    await desk.press("left", "enter")
    assert isinstance(desk.app.screen, CampaignScreen)
    assert desk.said == "It runs: 1 lead."
    async with desk.db.read() as session:
        (message,) = await session.scalars(select(Message))
        assert message.address == "jo@ada-plumbing.com"
        assert message.state is MessageState.QUEUED
        assert await session.scalar(select(Campaign.state)) is CampaignState.RUNNING


async def test_the_selection_is_the_audience(desk: Desk) -> None:
    await desk.press("space", "space", "space", "c")
    assert "3 leads chosen one by one." in desk.words("chosen")
    await desk.press("o")
    assert isinstance(desk.app.screen, LeftOutScreen)
    assert desk.words("left-out-count") == "1 lead left out"


async def test_the_audience_is_typed_and_what_cannot_be_read_is_said(desk: Desk) -> None:
    await desk.press("3", "c", "slash")
    await desk.type("city:Jamaica")
    await desk.pilot.pause(0.05)
    await settle(desk.pilot)
    looked = desk.wizard.plan.looked
    assert looked is not None
    assert [each.name for each in looked.recipients] == ["Bo Roofing"]
    await desk.type(" score>x")
    await desk.pilot.pause(0.05)
    await settle(desk.pilot)
    assert desk.words("problem") != ""
    await desk.press("enter", "enter")
    assert desk.wizard.page.AREA == "audience"


async def test_one_cannot_go_on_without_anybody_or_anything_to_say(desk: Desk) -> None:
    await desk.press("3", "c", "slash")
    await desk.type("city:Nowhere")
    await desk.press("enter", "enter")
    assert desk.said.startswith("Nobody gets it.")
    await desk.press("slash", "ctrl+u", "enter", "enter")
    assert desk.wizard.page.AREA == "message"
    await desk.press("enter")
    assert desk.said.startswith("There is no message yet.")
    await desk.press("left_square_bracket")
    assert desk.wizard.page.AREA == "audience"


async def test_every_page_that_is_left_is_kept_and_a_draft_goes_on_where_it_was(
    desk: Desk,
) -> None:
    await desk.press("3", "c", "enter")
    await desk.write("First")
    await desk.press("enter", "enter", "N")
    desk.app.screen.query_one("#name", Input).value = "Spring"
    await desk.press("enter")
    (draft,) = await desk.kept()
    assert (draft.name, draft.steps[0].subject) == ("Spring", "First")
    assert draft.wizard == {"page": "when"}
    await desk.press("q")
    await desk.press("enter")
    assert desk.wizard.page.AREA == "when"
    assert "Spring" in desk.words("wizard-name")
    await desk.press("left_square_bracket", "left_square_bracket")
    assert desk.wizard.plan.steps[0].subject == "First"


async def test_nothing_is_kept_of_a_wizard_that_was_only_looked_at(desk: Desk) -> None:
    await desk.press("3", "c", "escape")
    assert await desk.kept() == []


async def test_more_messages_follow_with_delays(desk: Desk) -> None:
    await desk.press("3", "c", "enter")
    await desk.press("t", "enter", "a", "down", "enter")
    first, second = desk.wizard.plan.steps
    assert (first.delay, second.delay) == (None, "3bd")
    await desk.press("d")
    desk.app.screen.query_one("#delay", Input).value = "soon"
    await desk.press("enter")
    assert desk.words("form-words") != ""
    desk.app.screen.query_one("#delay", Input).value = "5d"
    await desk.press("enter")
    assert desk.wizard.plan.steps[1].delay == "5d"
    await desk.press("x")
    assert len(desk.wizard.plan.steps) == 1
    await desk.press("d")
    assert desk.said.startswith("The first message goes at once")


async def _second_text(desk: Desk, subject: str) -> None:
    """Write the second text of the message under the cursor."""
    await desk.press("b")
    assert desk.app.screen.query_one("#save").region.bottom < desk.app.size.height
    desk.app.screen.query_one("#subject", Input).value = subject
    await desk.press("ctrl+s")


async def test_a_second_text_is_written_shared_out_shown_and_let_go(desk: Desk) -> None:
    await desk.press("3", "c", "enter", "b")
    assert desk.said.startswith("There is no message yet.")
    await desk.write("For {{ business.name }}")
    await _second_text(desk, "For {{ business.name }}")
    assert "Both texts say the same" in desk.words("form-words")
    desk.app.screen.query_one("#subject", Input).value = "A site for you"
    await desk.press("ctrl+s")
    table = desk.wizard.page.query_one(RowList)
    lines = [" ".join(table.render_line(y).text.split()) for y in (1, 2)]
    assert [line.split(" own text")[0] for line in lines] == [
        "1A For {{ business.name }} at once, to 50 of 100",
        "▸ 1B A site for you to 50 of 100",
    ]
    for typed, refused in (("half", "such as 50"), ("100", "1 to 99"), ("30 %", "")):
        if not refused:
            await desk.press("escape")
        if refused != "1 to 99":
            await desk.press("b")
        desk.app.screen.query_one("#share", Input).value = typed
        await desk.press("enter")
        if refused:
            assert refused in desk.words("form-words")
    (step,) = desk.wizard.plan.steps
    assert step.variant is not None
    assert step.variant.share == 30
    await desk.press("enter")
    assert "· text A" in desk.words("whose")
    await desk.press("s")
    assert "· text B" in desk.words("whose")
    assert "Subject A site for you" in desk.words("whose")
    await desk.press("s")
    assert "· text A" in desk.words("whose")
    await desk.press("enter", "enter")
    chosen = " ".join(str(desk.wizard.page.query_one("#chosen").render()).split())
    assert "A site for you instead, to 30 of 100" in chosen
    (kept,) = await desk.kept()
    assert kept.steps == (step,)
    await desk.press("left_square_bracket", "left_square_bracket", "left_square_bracket")
    await desk.press("G", "x")
    assert [each.variant for each in desk.wizard.plan.steps] == [None]


async def test_a_second_text_stays_when_the_first_or_the_delay_is_changed(desk: Desk) -> None:
    await desk.press("3", "c", "enter", "t", "enter", "a", "down", "enter")
    await _second_text(desk, "Still there")
    second = desk.wizard.plan.steps[1].variant
    assert second is not None
    await desk.press("k", "e")
    desk.app.screen.query_one("#subject", Input).value = "Once more"
    await desk.press("ctrl+s", "d")
    desk.app.screen.query_one("#delay", Input).value = "5d"
    await desk.press("enter", "t", "down", "down", "enter")
    changed = desk.wizard.plan.steps[1]
    assert (changed.delay, changed.variant) == ("5d", second)
    await desk.press("j", "t", "enter")
    changed = desk.wizard.plan.steps[1]
    assert changed.variant is not None
    assert changed.variant.template == desk.wizard.plan.steps[0].template
    await desk.press("k", "x")
    assert len(desk.wizard.plan.steps) == 1


async def test_merge_fields_are_completed_while_one_writes(desk: Desk) -> None:
    await desk.press("3", "c", "enter", "e")
    assert isinstance(desk.app.screen, StepForm)
    desk.app.screen.query_one("#text", TextArea).focus()
    await desk.type("Hello {{ business.na")
    assert "business.name" in desk.words("merge-fields")
    await desk.press("tab")
    assert desk.app.screen.query_one("#text", TextArea).text == "Hello {{ business.name }}"


async def test_a_text_that_cannot_be_sent_stays_in_the_form(desk: Desk) -> None:
    await desk.press("3", "c", "enter")
    await desk.write("Hello", "{{ business.nam }}")
    assert isinstance(desk.app.screen, StepForm)
    assert "business.name" in desk.words("form-words")


async def test_who_lacks_something_comes_first_in_the_preview(desk: Desk) -> None:
    await desk.press("3", "c", "enter")
    await desk.write("To {{ business.city }}", TEXT + "\n{{ site.url }}")
    await desk.press("enter")
    assert "held for what is missing" in desk.words("whose")
    assert "▲ Held: " in desk.words("whose")
    first = desk.words("whose")
    await desk.press("n")
    assert desk.words("whose") != first
    await desk.press("p")
    assert desk.words("whose") == first


async def test_a_mail_to_oneself_goes_into_no_figures(desk: Desk, store_path: Path) -> None:
    await desk.press("3", "c", "enter")
    await desk.write("For {{ business.name }}")
    await desk.press("enter", "m", "enter")
    assert desk.said.startswith("Sent to anna@example.org")
    outbox = store_path.with_name(f"{store_path.name}.outbox")
    assert len(list(outbox.glob("*.eml"))) == 1
    async with desk.db.read() as session:
        assert (await session.scalars(select(Message))).all() == []


async def test_who_got_mail_lately_is_left_out_with_one_key(desk: Desk, leads: list[int]) -> None:
    await add_campaign(desk.db, leads[:1], name="Before")
    await desk.press("3", "c")
    assert "2 leads get it 1 of them got mail in the last 30 days, or will" in desk.words("who")
    await desk.press("f")
    assert desk.words("who").startswith("1 lead gets it 2 leads left out:")
    assert "1 in another campaign that is not over f takes them in" in desk.words("who")
    await desk.press("enter", "t", "enter")
    (draft, _) = sorted(await desk.kept(), key=lambda each: each.name != "untitled")
    assert draft.audience.spared_days == 30
    await desk.press("left_square_bracket", "f")
    assert desk.words("who").startswith("2 leads get it")


async def test_a_draft_whose_recipients_were_taken_down_shows_them_all(
    desk: Desk, leads: list[int]
) -> None:
    campaign = await add_draft(desk.db, leads[:1])
    await freezing.freeze(desk.db, campaign, settings=SETTINGS, now=NOW)
    more = Audience(ids=(leads[1],))
    await freezing.add(desk.db, campaign, more, settings=SETTINGS, now=NOW)
    await desk.press("3", "enter")
    assert desk.words("who").startswith("2 leads get it")
    await desk.press(*["enter"] * 5, "left", "enter")
    assert desk.said == "It runs: 2 leads."


async def test_the_audience_follows_the_store_and_the_cursor_stays(
    desk: Desk, leads: list[int], add_lead: AddLead
) -> None:
    await desk.press("3", "c", "down")
    table = desk.app.screen.query_one(RowList)
    before = table.cursor_id
    await add_lead("Abe Awnings", city="Queens", email="jo@abe-awnings.com")
    await desk.app.look_for_changes()
    await settle(desk.pilot)
    assert desk.words("who").startswith("3 leads get it")
    assert table.cursor_id == before


async def test_a_start_goes_to_those_who_were_shown(
    desk: Desk, leads: list[int], add_lead: AddLead
) -> None:
    await add_draft(desk.db, leads, steps=[step()])
    await desk.press("3", *["enter"] * 5)
    assert desk.wizard.page.AREA == "review"
    async with desk.db.write() as session:
        await session.execute(
            update(Business).where(Business.id == leads[0]).values(archived_at=NOW)
        )
    await desk.press("S")
    assert desk.said == "Meanwhile 1 lead joined or left: it goes to 1 lead now. S starts it."
    await desk.press("S", "left", "enter")
    assert desk.said == "It runs: 1 lead."


ALIVE: dict[tuple[str, str], list[str]] = {
    ("bo-roofing.com", "MX"): ["10 mx.bo-roofing.com."],
    ("mx.bo-roofing.com", "A"): ["192.0.2.1"],
}


async def test_domains_are_looked_up_while_one_reads_the_audience(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with name_server(ALIVE) as server:
        asks = Dns(["127.0.0.1"], port=server.port, timeout=60)
        monkeypatch.setattr(domains, "lookup_for", lambda _settings: asks)
        await desk.press("3", "c")
        assert desk.words("who").startswith("1 lead gets it 2 leads left out:")
        assert "1 the domain of the address takes no mail" in desk.words("who")
        asked = len(server.asked)
        await desk.press("enter", "left_square_bracket")
        assert len(server.asked) == asked


async def test_without_a_network_that_is_said_and_nobody_is_left_out_for_it(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with name_server({}, knows_the_root=False) as server:
        asks = Dns(["127.0.0.1"], port=server.port, timeout=60)
        monkeypatch.setattr(domains, "lookup_for", lambda _settings: asks)
        await desk.press("3", "c")
        assert desk.words("who").startswith(
            "2 leads get it Domains could not be looked up just now; nobody is left out for that."
        )
        await desk.press("enter")
        assert desk.wizard.page.AREA == "message"


async def test_it_begins_at_the_time_that_was_said(desk: Desk) -> None:
    await desk.press("3", "c", "enter")
    await desk.write("Hello")
    await desk.press("enter", "enter", "w")
    desk.app.screen.query_one("#time", Input).value = "tomorrow 9"
    await desk.press("enter")
    (draft,) = await desk.kept()
    assert draft.starts_at is not None
    assert draft.starts_at > NOW


async def test_what_blocks_a_start_is_listed_with_what_to_do(
    db: Database, leads: list[int], store_path: Path
) -> None:
    await add_draft(db, leads[:2])
    app = CrmApp(store_path, Settings(), now=lambda: NOW)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        desk = Desk(pilot, db)
        await desk.press("3", "enter", *["enter"] * 4)
        assert desk.wizard.page.AREA == "review"
        assert "The mails do not name your postal address." in desk.words("checks")
        assert desk.words("progress").endswith("to be put in order before it can start:")
        assert "Set name under [sender] in config.toml. It is read when" in desk.words("checks")
        await desk.press("S")
        assert desk.said.startswith("The mails do not say who writes.")
        await desk.press("A")
        assert isinstance(desk.app.screen, Confirm)
        await desk.press("left", "enter")
        assert app.settings.compliance.policies_acknowledged == ("smtp",)
        assert "You know what your provider allows." in desk.words("checks")


async def test_a_start_to_more_than_fifty_asks_for_the_number(
    db: Database, add_lead: AddLead, desk: Desk
) -> None:
    many = [await add_lead(f"Lead {n}", email=f"jo@lead-{n}.com") for n in range(51)]
    await add_draft(db, many)
    await desk.press("3", *["enter"] * 5, "S")
    await desk.type("50")
    await desk.press("enter")
    assert "That is not the number" in desk.words("form-words")
    await desk.press("backspace", "1", "enter")
    assert desk.said == "It runs: 51 leads."
