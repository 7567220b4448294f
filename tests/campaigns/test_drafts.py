"""Campaigns that are put together: kept, taken up again, frozen, deleted."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from sqlalchemy import func, select

from crm_tui.db.engine import Database
from crm_tui.db.models import Campaign, CampaignExclusion, CampaignStep, Message
from crm_tui.errors import BadInput, NotFound
from crm_tui.services.campaigns import drafts, freezing, running
from crm_tui.services.campaigns.audience import Audience
from crm_tui.services.campaigns.drafts import Draft, Kept
from crm_tui.services.campaigns.ledger import left_out
from crm_tui.services.campaigns.steps import step_of
from crm_tui.services.filters.errors import QueryError
from crm_tui.services.templating.files import Kind, read_template
from crm_tui.vocabulary import CampaignState, MessageState
from tests.campaigns.making import (
    AGAIN,
    HELLO,
    WITH_SITE,
    a_draft,
    a_frozen,
    a_running,
    a_step,
    add_leads,
    change_messages,
    figures_of,
    ledger_of,
    marks,
    settings_to_send,
    states,
)
from tests.conftest import AddLead

SETTINGS = settings_to_send()


async def kept(db: Database, campaign: int) -> Kept:
    async with db.read() as session:
        return await drafts.load(session, campaign)


async def count(db: Database, model: type) -> int:
    async with db.read() as session:
        return (await session.execute(select(func.count()).select_from(model))).scalar_one()


async def test_a_draft_is_kept_as_it_was_left(db: Database, now: datetime) -> None:
    draft = Draft(
        name="Spring",
        audience=Audience("-has:website"),
        steps=(a_step(), a_step(AGAIN, delay="3 days", name="again")),
        starts_at=now + timedelta(days=1),
        stop_on_click=True,
        wizard={"at": 2, "typed": "Hel"},
    )
    campaign = await drafts.save(db, None, draft, now=now)
    found = await kept(db, campaign)
    assert found.draft == draft
    assert (found.state, found.frozen) == (CampaignState.DRAFT, False)
    assert found.draft.steps[1].delay == "3d"


async def test_a_draft_may_have_nothing_yet(db: Database, now: datetime) -> None:
    campaign = await drafts.save(db, None, Draft(), now=now)
    found = await kept(db, campaign)
    assert found.draft == Draft(name="untitled")
    with pytest.raises(BadInput, match="no message yet"):
        await freezing.freeze(db, campaign, settings=SETTINGS, now=now)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"name": "x" * 101}, "100 characters"),
        ({"steps": (a_step(delay="3d"),)}, "first step has no delay"),
        ({"steps": (a_step(), a_step())}, "how long step 2 waits"),
        ({"steps": (replace(a_step(), source="---\nsubject: x\n---\n{{ nobody }}"),)}, "cannot be"),
    ],
)
async def test_what_cannot_be_is_refused(
    db: Database, now: datetime, changed: dict[str, object], words: str
) -> None:
    with pytest.raises(BadInput, match=words):
        await drafts.save(db, None, replace(Draft(), **changed), now=now)  # type: ignore[arg-type]


async def test_a_filter_that_cannot_be_read_is_refused(db: Database, now: datetime) -> None:
    with pytest.raises(QueryError):
        await drafts.save(db, None, Draft(audience=Audience("nonsense:")), now=now)


@pytest.mark.parametrize("source", [HELLO, HELLO.replace("subject: For {{ business.name }}\n", "")])
def test_another_subject_stands_in_the_template_itself(source: str) -> None:
    template = read_template(source, name="hello", kind=Kind.TEXT)
    step = step_of(template, subject=" A look\nat {{ business.name }} ")
    assert step.subject == "A look at {{ business.name }}"
    assert step.read().body == template.body
    assert step.source.count("subject:") == 1


def test_an_empty_subject_is_refused() -> None:
    template = read_template(HELLO, name="hello", kind=Kind.TEXT)
    with pytest.raises(BadInput, match="cannot be empty"):
        step_of(template, subject=" ")


async def test_recipients_are_a_row_for_each_step(db: Database, now: datetime) -> None:
    leads = await add_leads(db, 2, now)
    campaign, frozen = await a_frozen(
        db, SETTINGS, now, steps=(a_step(), a_step(AGAIN, delay="3d"))
    )
    assert (frozen.recipients, frozen.excluded, frozen.stopped) == (2, [], False)
    assert await states(db, campaign) == {
        (lead, step): "queued" for lead in leads for step in (1, 2)
    }
    assert {row.due_at for row in await ledger_of(db, campaign)} == {None}
    for each in zip(*await marks(db), strict=True):
        assert len(set(each)) == 4
    assert all(mark.endswith("@berg-sites.com>") for _, mark, _ in await marks(db))


async def test_who_is_left_out_is_listed(db: Database, add_lead: AddLead, now: datetime) -> None:
    await add_leads(db, 1, now)
    lead = await add_lead("No mail")
    campaign, frozen = await a_frozen(db, SETTINGS, now)
    assert [(each.reason, each.count) for each in frozen.excluded] == [("no e-mail address", 1)]
    async with db.read() as session:
        assert await left_out(session, campaign) == [(lead, "No mail", None, "no e-mail address")]


async def test_freezing_again_takes_down_whoever_is_there_then(
    db: Database, add_lead: AddLead, now: datetime
) -> None:
    await add_leads(db, 2, now)
    campaign, _ = await a_frozen(db, SETTINGS, now)
    await add_lead("Late", email="joe@late-plumbing.com")
    frozen = await freezing.freeze(db, campaign, settings=SETTINGS, now=now)
    assert frozen.recipients == 3
    assert (await figures_of(db, campaign)).counts.audience == 3


async def test_another_audience_or_text_lets_the_recipients_go(db: Database, now: datetime) -> None:
    await add_leads(db, 2, now)
    campaign, _ = await a_frozen(db, SETTINGS, now)
    draft = (await kept(db, campaign)).draft
    await drafts.save(db, campaign, replace(draft, name="Summer", wizard={"at": 4}), now=now)
    assert (await kept(db, campaign)).frozen
    assert await count(db, Message) == 2
    await drafts.save(db, campaign, replace(draft, steps=(a_step(AGAIN),)), now=now)
    assert not (await kept(db, campaign)).frozen
    assert await count(db, Message) == 0


async def test_freezing_that_is_stopped_is_not_frozen(db: Database, now: datetime) -> None:
    await add_leads(db, 2, now)
    campaign = await a_draft(db, now)
    frozen = await freezing.freeze(db, campaign, settings=SETTINGS, now=now, cancelled=lambda: True)
    assert frozen.stopped
    assert not (await kept(db, campaign)).frozen


async def test_a_site_that_is_not_published_holds_and_does_not_leave_out(
    db: Database, now: datetime
) -> None:
    await add_leads(db, 2, now)
    _, frozen = await a_frozen(db, SETTINGS, now, steps=(a_step(WITH_SITE),))
    assert (frozen.recipients, frozen.held) == (2, 2)


async def test_more_recipients_join_a_campaign_that_runs(
    db: Database, add_lead: AddLead, now: datetime
) -> None:
    await add_leads(db, 2, now)
    campaign = await a_running(db, SETTINGS, now, steps=(a_step(), a_step(AGAIN, delay="3d")))
    late = await add_lead("Late", email="joe@late-plumbing.com")
    frozen = await freezing.add(db, campaign, Audience(""), settings=SETTINGS, now=now)
    assert frozen.recipients == 1
    assert [(each.reason, each.count) for each in frozen.excluded] == [
        ("already in this campaign", 2)
    ]
    due = {(row.business_id, row.step): row.due_at for row in await ledger_of(db, campaign)}
    assert (due[late, 1], due[late, 2]) == (now, None)
    async with db.read() as session:
        assert await left_out(session, campaign) == []


async def test_who_joins_a_draft_is_of_its_audience_from_then_on(
    db: Database, now: datetime
) -> None:
    first, second = await add_leads(db, 2, now)
    campaign, _ = await a_frozen(db, SETTINGS, now, audience=Audience('"Plumber 1"'))
    more = Audience(ids=(first, second))
    added = await freezing.add(db, campaign, more, settings=SETTINGS, now=now)
    assert added.recipients == 1
    draft = await kept(db, campaign)
    assert draft.frozen
    assert draft.draft.audience == Audience('"Plumber 1"', ids=(second,))
    again = await freezing.freeze(db, campaign, settings=SETTINGS, now=now)
    assert again.recipients == 2


async def test_who_was_left_out_and_joins_later_is_no_longer_listed(
    db: Database, add_lead: AddLead, now: datetime
) -> None:
    await add_leads(db, 1, now)
    lead = await add_lead("Role", email="info@role-plumbing.com")
    campaign, _ = await a_frozen(db, settings_to_send(role_addresses=False), now)
    assert await count(db, CampaignExclusion) == 1
    await freezing.add(db, campaign, Audience(ids=(lead,)), settings=SETTINGS, now=now)
    assert await count(db, CampaignExclusion) == 0


async def test_one_message_goes_to_an_address_in_a_campaign(
    db: Database, add_lead: AddLead, now: datetime
) -> None:
    (first,) = await add_leads(db, 1, now)
    campaign, _ = await a_frozen(db, SETTINGS, now)
    other = await add_lead("Other", email="joe@other-plumbing.com")
    await change_messages(db, Message.business_id == first, address="joe@other-plumbing.com")
    frozen = await freezing.add(db, campaign, Audience(ids=(other,)), settings=SETTINGS, now=now)
    assert frozen.recipients == 0
    assert [each.reason for each in frozen.excluded] == [
        "another lead of this campaign has the address"
    ]


async def test_nobody_joins_a_campaign_that_is_over(db: Database, now: datetime) -> None:
    await add_leads(db, 1, now)
    campaign = await a_running(db, SETTINGS, now)
    await running.cancel(db, campaign, now=now)
    with pytest.raises(BadInput, match="is canceled"):
        await freezing.add(db, campaign, Audience(""), settings=SETTINGS, now=now)


async def test_a_draft_can_be_deleted_and_a_campaign_that_was_started_cannot(
    db: Database, add_lead: AddLead, now: datetime
) -> None:
    await add_leads(db, 2, now)
    await add_lead("No mail")
    campaign, _ = await a_frozen(db, SETTINGS, now)
    await drafts.delete(db, campaign)
    for model in (Campaign, CampaignStep, CampaignExclusion, Message):
        assert await count(db, model) == 0
    with pytest.raises(NotFound, match=f"no campaign {campaign}"):
        await drafts.delete(db, campaign)
    started = await a_running(db, SETTINGS, now)
    with pytest.raises(BadInput, match="it was started"):
        await drafts.delete(db, started)
    with pytest.raises(BadInput, match="it was started"):
        await drafts.save(db, started, Draft(), now=now)
    assert {row.state for row in await ledger_of(db, started)} == {MessageState.QUEUED}
