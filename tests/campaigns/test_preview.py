"""Mails before they are sent: as a recipient gets them, as a test, and when the last one goes."""

from __future__ import annotations

from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

import pytest
from msgspec.structs import replace
from sqlalchemy import func, select

from crm_tui.config import Settings
from crm_tui.config.sections import EmailSettings, OperatorSettings, SenderSettings
from crm_tui.db.engine import Database
from crm_tui.db.models import Event, Message
from crm_tui.errors import BadInput, NotFound
from crm_tui.providers.base import Refused
from crm_tui.services.campaigns import preview, trial
from crm_tui.vocabulary import EventKind
from tests.campaigns.making import (
    AGAIN,
    WITH_CITY,
    WITH_SITE,
    a_step,
    add_leads,
    settings_to_send,
    through_smtp,
)
from tests.conftest import AddLead
from tests.providers.mail_server import mail_server

SETTINGS = settings_to_send()
TWO = (a_step(), a_step(AGAIN, delay="3d"))


def mails_in(folder: Path) -> list[EmailMessage]:
    """What was written into the outbox."""
    return [
        message_from_bytes(file.read_bytes(), policy=policy.default)
        for file in sorted(folder.glob("*.eml"))
    ]


async def test_a_follow_up_is_shown_in_the_thread_of_the_first(db: Database, now: datetime) -> None:
    (lead,) = await add_leads(db, 1, now)
    async with db.read() as session:
        first = await preview.mail(session, TWO, 1, lead, settings=SETTINGS)
        second = await preview.mail(session, TWO, 2, lead, settings=SETTINGS)
    assert (first.subject, first.to, first.missing) == ("For Plumber 1", "joe@plumber1.com", "")
    assert first.text.startswith("Hello Plumber 1\n\nAnn Berg\n1 Main\n")
    assert second.subject == "Re: For Plumber 1"


async def test_what_is_missing_is_said_and_shown_as_an_example(
    db: Database, add_lead: AddLead, now: datetime
) -> None:
    lead = await add_lead("Acme", email="joe@acme-plumbing.com")
    async with db.read() as session:
        city = await preview.mail(session, (a_step(WITH_CITY),), 1, lead, settings=SETTINGS)
        site = await preview.mail(session, (a_step(WITH_SITE),), 1, lead, settings=SETTINGS)
    assert "city" in city.missing
    assert city.subject.startswith("In ")
    assert site.missing == "its site is not published"
    assert "https://" in site.text


async def test_a_sender_that_is_not_set_is_missing_too(db: Database, now: datetime) -> None:
    (lead,) = await add_leads(db, 1, now)
    async with db.read() as session:
        shown = await preview.mail(session, TWO, 1, lead, settings=Settings())
    assert shown.missing
    assert shown.text.startswith("Hello Plumber 1")


async def test_there_is_no_such_step_or_lead(db: Database, now: datetime) -> None:
    (lead,) = await add_leads(db, 1, now)
    async with db.read() as session:
        with pytest.raises(NotFound, match="no step 3; there are 2"):
            await preview.mail(session, TWO, 3, lead, settings=SETTINGS)
        with pytest.raises(NotFound):
            await preview.mail(session, TWO, 1, 99, settings=SETTINGS)


async def test_those_who_would_be_held_are_found(
    db: Database, add_lead: AddLead, now: datetime
) -> None:
    known = await add_lead("Known", city="Queens", email="joe@known-plumbing.com")
    unknown = await add_lead("Unknown", email="joe@unknown-plumbing.com")
    steps = (a_step(), a_step(WITH_CITY, delay="3d"))
    found = await preview.lacking(db, steps, [known, unknown], settings=SETTINGS)
    assert list(found) == [unknown]
    assert "city" in found[unknown]


async def test_the_end_follows_from_limits_hours_and_delays(db: Database) -> None:
    monday = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
    leads = await add_leads(db, 25, monday, country="GB")
    ten_a_day = replace(
        settings_to_send(per_day=10), operator=OperatorSettings(timezone="Europe/London")
    )

    async def days(settings: Settings, steps: int) -> int:
        end = await preview.finish_time(db, TWO[:steps], leads, settings=settings, now=monday)
        assert end is not None
        return (end.date() - monday.date()).days

    assert await days(SETTINGS, 1) == 0
    assert await days(SETTINGS, 2) == 3
    assert await days(ten_a_day, 1) == 2
    assert await days(ten_a_day, 2) == 5


async def test_a_test_mail_goes_at_once_and_counts_for_nothing(
    db: Database, now: datetime, tmp_path: Path
) -> None:
    (lead,) = await add_leads(db, 1, now)
    settings = replace(SETTINGS, email=EmailSettings(provider="outbox", outbox=str(tmp_path)))
    tried = await trial.send(
        db,
        TWO,
        1,
        "Ann@Berg-Sites.com",
        business_id=lead,
        settings=settings,
        environment={},
        now=now,
    )
    (mail,) = mails_in(tmp_path)
    assert mail["To"] == tried.to
    assert (mail["Subject"], mail["Message-ID"]) == ("For Plumber 1", tried.message_id)
    assert not tried.example
    async with db.read() as session:
        assert await session.scalar(select(func.count()).select_from(Message)) == 0
        kinds = await session.scalars(select(Event.kind).where(Event.business_id == lead))
        assert EventKind.EMAIL_SENT not in kinds.all()


async def test_a_test_mail_without_a_lead_has_nobodys_facts(
    db: Database, now: datetime, tmp_path: Path
) -> None:
    settings = replace(SETTINGS, email=EmailSettings(provider="outbox", outbox=str(tmp_path)))
    tried = await trial.send(
        db,
        (a_step(WITH_SITE),),
        1,
        "ann@berg-sites.com",
        business_id=None,
        settings=settings,
        environment={},
        now=now,
    )
    assert tried.example


async def test_a_test_mail_that_is_refused_says_so(db: Database, now: datetime) -> None:
    async with mail_server({"RCPT": ["550 5.1.1 no such user"]}) as post:
        with pytest.raises(Refused, match="no such user"):
            await trial.send(
                db,
                TWO,
                1,
                "ann@berg-sites.com",
                business_id=None,
                settings=through_smtp(SETTINGS, post.port),
                environment={},
                now=now,
            )


@pytest.mark.parametrize(
    ("to", "settings", "words"),
    [
        ("nonsense", SETTINGS, "cannot be written to"),
        ("ann@berg-sites.com", replace(SETTINGS, sender=SenderSettings()), "No sender is set"),
    ],
)
async def test_a_test_mail_that_cannot_be(
    db: Database, now: datetime, to: str, settings: Settings, words: str
) -> None:
    with pytest.raises(BadInput, match=words):
        await trial.send(
            db, TWO, 1, to, business_id=None, settings=settings, environment={}, now=now
        )
