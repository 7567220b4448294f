"""Who is in a campaign, and why others are not."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

import pytest
from sqlalchemy import update

from crm_tui.config import Settings
from crm_tui.db.engine import Database
from crm_tui.db.models import ContactPoint, DomainCheck, Message, Site, Suppression
from crm_tui.providers.dns import MailDomain
from crm_tui.services import events
from crm_tui.services.campaigns import domains, freezing, running
from crm_tui.services.campaigns.audience import Audience, Looked, look
from crm_tui.services.events import NewEvent
from crm_tui.services.filters.errors import QueryError
from crm_tui.vocabulary import (
    ContactKind,
    ContactState,
    ContactStatus,
    EventKind,
    MessageState,
    Outcome,
    SiteStatus,
    SuppressionKind,
)
from tests.campaigns.making import (
    a_draft,
    a_frozen,
    a_running,
    add_leads,
    change_address,
    change_lead,
    change_messages,
    settings_to_send,
)
from tests.conftest import AddLead


async def looked(
    db: Database,
    now: datetime,
    settings: Settings | None = None,
    audience: Audience | None = None,
    *,
    uses_site: bool = False,
) -> Looked:
    return await look(
        db,
        audience or Audience(""),
        settings=settings or settings_to_send(),
        now=now,
        uses_site=uses_site,
    )


def reasons(found: Looked) -> dict[str, str]:
    return {each.name: each.reason for each in found.left_out}


async def test_leads_with_an_address_are_in_the_best_first(
    db: Database, add_lead: AddLead, now: datetime
) -> None:
    worse = await add_lead("Zeta Plumbing", email="zeta@zeta-plumbing.com")
    better = await add_lead("Alpha Plumbing", email="Alpha@Alpha-Plumbing.com")
    await change_lead(db, better, qualification_score=90)
    await change_lead(db, worse, qualification_score=10)
    found = await looked(db, now)
    assert [(each.business_id, each.address) for each in found.recipients] == [
        (better, "alpha@alpha-plumbing.com"),
        (worse, "zeta@zeta-plumbing.com"),
    ]
    assert found.left_out == []


async def test_an_audience_is_a_filter_or_leads_one_by_one(
    db: Database, add_lead: AddLead, now: datetime
) -> None:
    queens = await add_lead("In Queens", city="Queens", email="a@in-queens.com")
    bronx = await add_lead("In the Bronx", city="Bronx", email="a@in-the-bronx.com")
    by_filter = await looked(db, now, audience=Audience("-city:Bronx"))
    by_ids = await looked(db, now, audience=Audience(ids=(bronx, 999)))
    assert [each.business_id for each in by_filter.recipients] == [queens]
    assert [each.business_id for each in by_ids.recipients] == [bronx]


async def test_a_filter_that_cannot_be_read_is_an_error(db: Database, now: datetime) -> None:
    with pytest.raises(QueryError):
        await looked(db, now, audience=Audience("nonsense:"))


async def test_everybody_left_out_has_a_reason(
    db: Database, add_lead: AddLead, now: datetime
) -> None:
    await add_lead("No mail")
    await add_lead("Form", email="your-email@form-plumbing.com")
    await add_lead("Machine", email="noreply@machine-plumbing.com")
    never = await add_lead("Never", email="joe@never-plumbing.com")
    await change_lead(db, never, do_not_contact=True, do_not_contact_reason="asked us to stop")
    bought = await add_lead("Bought", email="joe@bought-plumbing.com")
    await change_lead(db, bought, contact_status=ContactStatus.PURCHASED)
    for name, outcome in (
        ("Lost", Outcome.LOST),
        ("Won", Outcome.WON),
        ("Wrong", Outcome.WRONG_CONTACT),
    ):
        lead = await add_lead(name, email=f"joe@{name.lower()}-plumbing.com")
        await change_lead(db, lead, outcome=outcome)
    for state in (
        ContactState.BOUNCED,
        ContactState.COMPLAINED,
        ContactState.UNSUBSCRIBED,
        ContactState.STOPPED,
        ContactState.INVALID,
    ):
        lead = await add_lead(state, email=f"joe@{state.replace('_', '-')}-plumbing.com")
        await change_address(db, lead, state=state)
    put_away = await add_lead("Archived", email="joe@archived-plumbing.com")
    await change_lead(db, put_away, archived_at=now)
    found = await looked(db, now, audience=Audience(ids=tuple(range(1, put_away + 1))))
    assert found.recipients == []
    assert reasons(found) == {
        "No mail": "no e-mail address",
        "Form": "a placeholder, not somebody's address",
        "Machine": "an address for machines or complaints, which nobody reads for business",
        "Never": "do not contact: asked us to stop",
        "Bought": "purchased already",
        "Lost": "the lead was lost",
        "Won": "the lead was won",
        "Wrong": "it is the wrong contact",
        "bounced": "bounced: mail to the address came back",
        "complained": "complained: a mail was reported as spam",
        "unsubscribed": "unsubscribed",
        "stopped": "stopped: asked for no more messages",
        "invalid": "invalid: the address is marked as wrong",
        "Archived": "archived",
    }
    assert sum(each.count for each in found.excluded) == len(found.left_out)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (SuppressionKind.EMAIL, "joe@mail.acme-plumbing.co.uk"),
        (SuppressionKind.DOMAIN, "mail.acme-plumbing.co.uk"),
        (SuppressionKind.DOMAIN, "acme-plumbing.co.uk"),
    ],
)
async def test_suppressed_addresses_and_domains_are_left_out(
    db: Database, add_lead: AddLead, now: datetime, kind: SuppressionKind, value: str
) -> None:
    await add_lead("Acme", email="joe@mail.acme-plumbing.co.uk")
    other = await add_lead("Other", email="joe@notacme-plumbing.co.uk")
    async with db.write() as session:
        session.add(Suppression(kind=kind, value=value, reason="their wish", created_at=now))
    found = await looked(db, now)
    assert reasons(found) == {"Acme": "suppressed: their wish"}
    assert [each.business_id for each in found.recipients] == [other]


async def test_a_suppressed_lead_is_left_out_whatever_its_address(
    db: Database, add_lead: AddLead, now: datetime
) -> None:
    lead = await add_lead("Acme", email="joe@acme-plumbing.com")
    await change_lead(db, lead, key="acme-key")
    async with db.write() as session:
        session.add(
            Suppression(
                kind=SuppressionKind.BUSINESS, value="acme-key", reason="a friend", created_at=now
            )
        )
    assert reasons(await looked(db, now)) == {"Acme": "suppressed: a friend"}


async def test_an_address_of_several_leads_is_left_out_for_all_of_them(
    db: Database, add_lead: AddLead, now: datetime
) -> None:
    first = await add_lead("First shop", email="agency@web-agency.com")
    second = await add_lead("Second shop", email="owner@second-shop.com")
    async with db.write() as session:
        session.add(
            ContactPoint(
                business_id=second,
                kind=ContactKind.EMAIL,
                value="agency@web-agency.com",
                created_at=now,
            )
        )
    found = await looked(db, now)
    assert reasons(found) == {"First shop": "the address is shared by several businesses"}
    await change_lead(db, second, archived_at=now)
    alone = await looked(db, now, audience=Audience(ids=(first,)))
    assert alone.left_out == []


async def test_role_addresses_are_a_choice(db: Database, add_lead: AddLead, now: datetime) -> None:
    await add_lead("Acme", email="info@acme-plumbing.com")
    assert reasons(await looked(db, now)) == {}
    assert list(reasons(await looked(db, now, settings_to_send(role_addresses=False)))) == ["Acme"]


async def test_whom_a_mail_went_to_lately_is_left_out(
    db: Database, add_lead: AddLead, now: datetime
) -> None:
    lead = await add_lead("Acme", email="joe@acme-plumbing.com")
    async with db.write() as session:
        await events.record(
            session,
            NewEvent(lead, EventKind.EMAIL_SENT, now - timedelta(days=29), "mail", "mailbox"),
            now=now,
        )
    left_out = {"Acme": "written to within the last 30 days"}
    assert reasons(await looked(db, now, settings_to_send(contacted_days=30))) == left_out
    assert reasons(await looked(db, now, settings_to_send(contacted_days=28))) == {}
    assert reasons(await looked(db, now, audience=Audience("", spared_days=30))) == left_out


async def test_whom_a_mail_went_to_lately_is_counted_where_nobody_is_left_out_for_it(
    db: Database, add_lead: AddLead, now: datetime
) -> None:
    lead = await add_lead("Acme", email="joe@acme-plumbing.com")
    await add_lead("Other", email="joe@other-plumbing.com")
    async with db.write() as session:
        await events.record(
            session,
            NewEvent(lead, EventKind.EMAIL_SENT, now - timedelta(days=29), "mail", "mailbox"),
            now=now,
        )
    found = await looked(db, now)
    assert (len(found.recipients), found.recent, found.left_out) == (2, 1, [])
    found = await looked(db, now, settings_to_send(contacted_days=28))
    assert (len(found.recipients), found.recent) == (2, 0)
    settings = settings_to_send(contacted_days=30)
    found = await looked(db, now, settings, audience=Audience("", spared_days=0))
    assert (len(found.recipients), found.recent) == (2, 1)


async def test_a_second_campaign_to_the_same_leads_has_them_all(
    db: Database, now: datetime
) -> None:
    settings = settings_to_send()
    await add_leads(db, 2, now)
    await a_running(db, settings, now)
    second = await a_draft(db, now)
    assert (await freezing.freeze(db, second, settings=settings, now=now)).recipients == 2
    assert (await running.start(db, second, settings=settings, now=now)).recipients == 2


def test_an_audience_is_read_as_it_was_written() -> None:
    for each in (Audience(""), Audience(ids=(1, 2)), Audience("city:X", (3,), 30), Audience()):
        assert Audience.read(each.plain()) == each


async def test_leads_chosen_beside_a_filter_are_asked_for_once(db: Database, now: datetime) -> None:
    _, second, third = await add_leads(db, 3, now)
    wanted = Audience('"Plumber 2"', ids=(third, second))
    found = await looked(db, now, audience=wanted)
    assert [each.business_id for each in found.recipients] == [second, third]


async def test_an_address_another_lead_had_a_mail_at_lately_is_left_out(
    db: Database, now: datetime
) -> None:
    settings = settings_to_send(contacted_days=30)
    first, second = await add_leads(db, 2, now)
    await a_running(db, settings, now, audience=Audience(ids=(first,)))
    await change_messages(
        db, Message.business_id == first, state=MessageState.SENT, sent_at=now, body="Hello"
    )
    await change_lead(db, first, archived_at=now)
    async with db.write() as session:
        await session.execute(
            update(ContactPoint)
            .where(ContactPoint.business_id == second)
            .values(value="joe@plumber1.com")
        )
    found = await looked(db, now, settings)
    assert reasons(found) == {"Plumber 2": "written to within the last 30 days"}


async def test_whoever_waits_for_another_campaign_is_left_out(db: Database, now: datetime) -> None:
    settings = settings_to_send(contacted_days=30)
    first, second = await add_leads(db, 2, now)
    await a_running(db, settings, now, audience=Audience(ids=(first,)))
    found = await looked(db, now, settings)
    assert reasons(found) == {"Plumber 1": "in another campaign that is not over"}
    assert [each.business_id for each in found.recipients] == [second]


async def test_a_draft_keeps_nobody_out_of_another_campaign(db: Database, now: datetime) -> None:
    settings = settings_to_send(contacted_days=30)
    await add_leads(db, 2, now)
    await a_frozen(db, settings, now)
    assert reasons(await looked(db, now, settings)) == {}


async def test_who_waits_for_a_site_is_counted(
    db: Database, add_lead: AddLead, now: datetime
) -> None:
    lead = await add_lead("Acme", email="joe@acme-plumbing.com")
    await add_lead("Other", email="joe@other-plumbing.com")
    async with db.write() as session:
        session.add(
            Site(
                business_id=lead,
                slug="acme",
                theme="classic",
                status=SiteStatus.PUBLISHED,
                content_hash="x",
                created_at=now,
                built_at=now,
                published_url="https://previews.example.com/acme",
                published_at=now,
                html="<p>",
            )
        )
    found = await looked(db, now, uses_site=True)
    assert (len(found.recipients), found.held) == (2, 1)
    assert (await looked(db, now)).held == 0


class Names:
    """A domain name system that knows these names."""

    def __init__(self, **known: bool | None) -> None:
        self.known = {name.replace("_", "."): takes for name, takes in known.items()}

    async def take_mail(self, domains: Iterable[str], *, at_once: int = 10) -> list[MailDomain]:
        del at_once
        return [MailDomain(name, self.known.get(name), "as the test says") for name in domains]


async def test_domains_that_take_no_mail_are_left_out_once_that_is_known(
    db: Database, add_lead: AddLead, now: datetime
) -> None:
    for word in ("dead", "alive", "unknown"):
        await add_lead(word, email=f"joe@{word}.com")
    names = Names(dead_com=False, alive_com=True, unknown_com=None)
    found = await looked(db, now)
    addresses = [each.address for each in found.recipients]
    asked = await domains.to_look_up(db, addresses, now=now)
    assert sorted(asked) == ["alive.com", "dead.com", "unknown.com"]
    await domains.look_up(db, names, asked, now=now)
    assert reasons(await looked(db, now)) == {"dead": "the domain of the address takes no mail"}
    later = now + timedelta(days=6)
    assert await domains.to_look_up(db, addresses, now=later) == ["unknown.com"]
    later = now + timedelta(days=8)
    assert sorted(await domains.to_look_up(db, addresses, now=later)) == ["dead.com", "unknown.com"]


async def test_a_domain_that_came_to_life_is_in_again(
    db: Database, add_lead: AddLead, now: datetime
) -> None:
    await add_lead("Acme", email="joe@acme-plumbing.com")
    async with db.write() as session:
        session.add(
            DomainCheck(domain="acme-plumbing.com", accepts=False, words="", checked_at=now)
        )
    assert len((await looked(db, now)).left_out) == 1
    names = Names(**{"acme-plumbing_com": True})
    await domains.look_up(db, names, ["acme-plumbing.com"], now=now)
    assert (await looked(db, now)).left_out == []


async def test_nobody_asks_the_domain_name_system_for_a_server_of_ones_own() -> None:
    assert domains.lookup_for(settings_to_send()) is None


async def test_looking_stops_when_asked_to(db: Database, now: datetime) -> None:
    await add_leads(db, 2, now)
    found = await look(
        db, Audience(""), settings=settings_to_send(), now=now, cancelled=lambda: True
    )
    assert (found.recipients, found.left_out) == ([], [])
