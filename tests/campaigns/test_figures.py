"""Counts, rates, the ledger and its export, the list."""

from __future__ import annotations

import csv
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from crm_tui.db.engine import Database
from crm_tui.db.models import Message
from crm_tui.errors import BadInput
from crm_tui.providers import catalog
from crm_tui.services.campaigns import ledger, running
from crm_tui.services.campaigns.figures import Rate
from crm_tui.services.campaigns.listing import campaigns
from crm_tui.services.campaigns.measured import measures
from crm_tui.vocabulary import CampaignState, MessageState
from tests.campaigns.making import (
    AGAIN,
    a_draft,
    a_running,
    a_step,
    add_leads,
    change_lead,
    change_messages,
    figures_of,
    ledger_of,
    settings_to_send,
)

SETTINGS = settings_to_send()
FIRST = Message.due_at.is_not(None)


async def a_campaign_with_a_past(db: Database, now: datetime) -> tuple[int, list[int]]:
    """Five leads, two steps: three sent, one answered, one refused, one held."""
    leads = await add_leads(db, 5, now)
    campaign = await a_running(db, SETTINGS, now, steps=(a_step(), a_step(AGAIN, delay="3d")))

    async def become(lead: int, **values: Any) -> None:
        await change_messages(db, Message.business_id == lead, FIRST, **values)

    sent = {"state": MessageState.SENT, "sent_at": now, "body": "Hello", "version": 1}
    await become(leads[0], **sent)
    await become(leads[1], **sent, replied_at=now)
    await become(leads[2], **sent, unsubscribed_at=now)
    await become(leads[3], state=MessageState.FAILED, reason="550 no such user", bounced_at=now)
    await become(leads[4], due_at=None, reason="its site is not published")
    return campaign, leads


async def test_the_counts_add_up_and_rates_stand_beside_theirs(db: Database, now: datetime) -> None:
    campaign, _ = await a_campaign_with_a_past(db, now)
    found = await figures_of(db, campaign)
    counts = found.counts.plain()
    assert found.recipients == 5
    assert counts.pop("audience") == 10 == sum(counts.values())
    assert (found.counts.sent, found.counts.failed, found.counts.held) == (3, 1, 1)
    assert found.rates == (
        Rate("delivery", None, 0),
        Rate("open", None, 3),
        Rate("click", None, 3),
        Rate("reply", 1, 3),
        Rate("bounce", 1, 4),
        Rate("unsubscribe", 1, 3),
        Rate("complaint", 0, 3),
    )
    assert [each.counts.audience for each in found.steps] == [5, 5]
    assert [each.counts.sent for each in found.steps] == [3, 0]


def test_a_rate_that_cannot_be_measured_is_not_nought() -> None:
    assert (Rate("open", None, 3).value, Rate("open", None, 3).measured) == (None, False)
    assert (Rate("reply", 0, 0).value, Rate("reply", 0, 0).measured) == (None, True)
    assert Rate("reply", 1, 4).value == 0.25


async def sent_through(db: Database, now: datetime, lead: int, provider: str, **facts: Any) -> None:
    """The first mail to a lead is sent through a provider, and this came of it."""
    sent = {"state": MessageState.SENT, "sent_at": now, "body": "Hello", "version": 1}
    values = {**sent, "provider": provider, **facts}
    await change_messages(db, Message.business_id == lead, FIRST, **values)


async def test_opens_by_people_count_among_those_it_was_delivered_to_and_machines_stand_beside(
    db: Database, now: datetime
) -> None:
    leads = await add_leads(db, 6, now)
    campaign = await a_running(db, SETTINGS, now)
    there = {"delivered_at": now}
    await sent_through(db, now, leads[0], "mailgun", **there, opened_at=now, clicked_at=now)
    await sent_through(db, now, leads[1], "mailgun", **there, machine_opened_at=now)
    await sent_through(db, now, leads[2], "resend", **there, machine_clicked_at=now)
    await sent_through(db, now, leads[3], "brevo", **there)
    await sent_through(db, now, leads[4], "brevo")  # it is not known yet whether it came
    await sent_through(db, now, leads[5], "mailgun", **there, bounced_at=now)  # came back later
    found = await figures_of(db, campaign)
    assert found.rates[:4] == (
        Rate("delivery", 4, 6),
        Rate("open", 1, 4, raw=2),
        Rate("click", 1, 4, raw=2),
        Rate("reply", 0, 4),
    )
    assert found.steps[0].rates == found.rates


async def test_only_what_can_be_measured_is_in_the_denominator(db: Database, now: datetime) -> None:
    leads = await add_leads(db, 4, now)
    campaign = await a_running(db, SETTINGS, now)
    await sent_through(db, now, leads[0], "mailgun", delivered_at=now, opened_at=now)
    await sent_through(db, now, leads[1], "smtp")
    await sent_through(db, now, leads[2], "outbox", replied_at=now)
    await sent_through(db, now, leads[3], "twilio", delivered_at=now)
    found = await figures_of(db, campaign)
    assert found.rates[:4] == (
        Rate("delivery", 2, 2),
        Rate("open", 1, 1, raw=1, unmeasured=3),
        Rate("click", 0, 1, raw=0, unmeasured=3),
        Rate("reply", 1, 4),
    )


async def test_who_answers_has_got_it_even_where_nobody_said_so(
    db: Database, now: datetime
) -> None:
    leads = await add_leads(db, 2, now)
    campaign = await a_running(db, SETTINGS, now)
    await sent_through(db, now, leads[0], "mailgun", replied_at=now)
    await sent_through(db, now, leads[1], "mailgun")
    found = await figures_of(db, campaign)
    assert found.rates[:4] == (
        Rate("delivery", 1, 2),
        Rate("open", 0, 1, raw=0),
        Rate("click", 0, 1, raw=0),
        Rate("reply", 1, 1),
    )


async def test_a_lead_of_several_steps_counts_once(db: Database, now: datetime) -> None:
    await add_leads(db, 1, now)
    campaign = await a_running(db, SETTINGS, now, steps=(a_step(), a_step(AGAIN, delay="3d")))
    sent = {"state": MessageState.SENT, "sent_at": now, "body": "Hello", "provider": "brevo"}
    await change_messages(db, Message.id > 0, **sent, delivered_at=now, opened_at=now)
    found = await figures_of(db, campaign)
    assert found.rates[:2] == (Rate("delivery", 1, 1), Rate("open", 1, 1, raw=1))


@pytest.mark.parametrize("name", [name for name in catalog.NAMES if name != catalog.IMAP])
def test_what_is_measured_is_what_the_adapter_says(name: str) -> None:
    can = catalog.capabilities(name)
    assert measures(name)[:2] == (can.measures_opens, can.measures_clicks)
    assert measures(name).delivery is (name in catalog.APIS)


@pytest.mark.parametrize("name", ["nobody", "", None])
def test_of_a_provider_that_is_not_known_nothing_is_measured(name: str | None) -> None:
    assert measures(name) == (False, False, False)


async def test_a_campaign_without_recipients_has_figures(db: Database, now: datetime) -> None:
    found = await figures_of(db, await a_draft(db, now))
    assert (found.recipients, found.counts.audience, len(found.steps)) == (0, 0, 1)


@pytest.mark.parametrize(
    ("typed", "steps_and_leads"),
    [
        ("state:failed", [(4, 1)]),
        ("state:failed,sent -is:answered step:1", [(1, 1), (3, 1), (4, 1)]),
        ("is:held", [(5, 1)]),
        ("state:held", [(5, 1)]),
        ("-step:1 PLUMBER2.com", [(2, 2)]),
        ('"plumber 3" step:2', [(3, 2)]),
        ('reason:"NO SUCH USER"', [(4, 1)]),
        ("is:unsubscribed", [(3, 1)]),
        ("nothing-like-this", []),
    ],
)
async def test_the_ledger_is_filtered(
    db: Database, now: datetime, typed: str, steps_and_leads: list[tuple[int, int]]
) -> None:
    campaign, leads = await a_campaign_with_a_past(db, now)
    found = await ledger_of(db, campaign, typed)
    assert [(leads.index(row.business_id) + 1, row.step) for row in found] == steps_and_leads


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("state:unsent", 'no state "unsent"; there are queued'),
        ("is:happy", "no is:happy; there are held"),
        ("step:two", '"two" is no step'),
        ("colour:red", "no field colour"),
    ],
)
def test_a_filter_of_the_ledger_that_cannot_be_read_says_what_there_is(
    typed: str, words: str
) -> None:
    with pytest.raises(BadInput, match=words):
        ledger.read_filter(typed)


async def test_the_ledger_is_a_table_that_no_spreadsheet_runs(
    db: Database, now: datetime, tmp_path: Path
) -> None:
    campaign, leads = await a_campaign_with_a_past(db, now)
    await change_lead(db, leads[3], name="=HYPERLINK(1)")
    target = tmp_path / "ledger.csv"
    written = await ledger.export(db, campaign, ledger.read_filter("step:1"), target)
    with target.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert written == len(rows) == 5
    bad = next(row for row in rows if row["state"] == "failed")
    assert (bad["name"], bad["to"], bad["reason"]) == (
        "'=HYPERLINK(1)",
        "joe@plumber4.com",
        "550 no such user",
    )
    assert bad["bounced_at"] == now.isoformat()


async def test_campaigns_are_listed_those_that_are_not_over_first(
    db: Database, now: datetime
) -> None:
    await add_leads(db, 1, now)
    canceled = await a_running(db, SETTINGS, now)
    await running.cancel(db, canceled, now=now)
    running_one = await a_running(db, SETTINGS, now + timedelta(hours=1))
    draft = await a_draft(db, now)
    async with db.read() as session:
        found = await campaigns(session)
    assert [(each.id, each.state) for each in found] == [
        (running_one, CampaignState.RUNNING),
        (draft, CampaignState.DRAFT),
        (canceled, CampaignState.CANCELED),
    ]
    first, second, third = found
    assert (first.recipients, first.steps, first.next_due_at) == (1, 1, now + timedelta(hours=1))
    assert (second.recipients, second.counts.audience, second.next_due_at) == (0, 0, None)
    assert third.counts.canceled == 1
