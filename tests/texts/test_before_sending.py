"""What is known of text messages before any goes: how they read, what they take, who is held."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import update

from crm_tui.db.engine import Database
from crm_tui.db.models import Message
from crm_tui.errors import BadInput
from crm_tui.services.campaigns import preview, trial
from crm_tui.services.campaigns.steps import step_of
from crm_tui.services.templating.checking import check, says_always
from crm_tui.services.templating.facts import EXAMPLE
from crm_tui.services.templating.files import Kind, Templates, read_template
from crm_tui.services.templating.rendering import render
from crm_tui.services.texting import NO_CONSENT, STOP, size
from tests.campaigns.making import a_running, a_step
from tests.texts.texting import a_desk, a_text, add_called, agree, settings_to_text

SETTINGS = settings_to_text()


@pytest.mark.parametrize("name", ["text-1-preview", "text-2-reminder"])
def test_a_shipped_text_says_who_writes_and_how_to_stop_in_two_segments(
    name: str, tmp_path: Path
) -> None:
    template = Templates(tmp_path / "templates" / "email").named(name)
    assert check(template) == ()
    assert template.kind is Kind.SMS
    assert says_always(template, "sender.name")
    assert says_always(template, "unsubscribe")
    said = render(template, EXAMPLE).text.replace(str(EXAMPLE.unsubscribe), STOP)
    assert said.endswith(STOP)
    assert size(said).segments <= 2
    assert size(said).gsm
    assert "!" not in said


def test_ones_own_texts_are_in_a_folder_of_their_own(tmp_path: Path) -> None:
    templates = Templates(tmp_path / "templates" / "email")
    templates.own_texts.mkdir(parents=True)
    (templates.own_texts / "mine.txt").write_text("---\n---\nHello {{ unsubscribe }}\n")
    (templates.own_texts / "preview-1-offer.txt").write_text("---\n---\nNever seen\n")
    assert list(templates.texts()) == [
        *("mine", "preview-1-offer", "text-1-preview", "text-2-reminder"),
    ]
    assert "mine" not in templates.all()
    assert templates.named("mine").kind is Kind.SMS
    assert templates.named("preview-1-offer").kind is Kind.TEXT


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("---\nsubject: Hi\n---\nHello\n", "a text message has no subject"),
        ("---\n---\n", "there is nothing below the headers"),
        ("Hello\n", 'the file has to begin with "---", a description'),
        ("---\n---\n" + "a" * 1601, "it has 1,601 characters"),
    ],
)
def test_a_text_that_cannot_be_sent_says_why(source: str, words: str) -> None:
    with pytest.raises(BadInput, match=r"cannot be sent") as refused:
        step_of(read_template(source, name="mine", kind=Kind.SMS))
    assert words in str(refused.value)


async def test_a_preview_tells_the_segments_and_what_the_last_ones_cost(
    db: Database, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = await add_called(db, 2, now)
    await agree(db, [first], now)
    async with db.read() as session:
        shown = await preview.mail(session, (a_text(),), 1, first, settings=SETTINGS)
        waits = await preview.mail(session, (a_text(),), 1, second, settings=SETTINGS)
    assert (shown.segments, shown.size, shown.missing) == (1, "1 segment, cost not known", "")
    assert (shown.to, waits.missing) == ("+17185550201", NO_CONSENT)
    desk = a_desk(db, SETTINGS, monkeypatch)
    await a_running(db, SETTINGS, now, steps=(a_text(),))
    assert (await desk.at(now)).sent == 1
    async with db.write() as session:
        reported = update(Message).where(Message.sent_at.is_not(None))
        await session.execute(reported.values(cost=7900, currency="USD"))
    twice = a_text("---\n---\n“{{ business.name }}” " + "x" * 80 + " {{ unsubscribe }}\n")
    async with db.read() as session:
        dear = await preview.mail(session, (twice,), 1, first, settings=SETTINGS)
    assert dear.size == (
        "2 segments of 70, for a letter that is not in the GSM alphabet, about USD 0.0158; it has “”"
    )


async def test_who_would_be_held_is_known_for_all_steps(db: Database, now: datetime) -> None:
    first, second = await add_called(db, 2, now, email="")
    await agree(db, [first], now)
    found = await preview.lacking(db, (a_text(),), [first, second], settings=SETTINGS)
    assert found == {second: NO_CONSENT}


async def test_the_end_of_a_mixed_campaign_counts_each_channel_by_its_own_limits(
    db: Database, now: datetime
) -> None:
    leads = await add_called(db, 4, now)
    steps = (a_step(), a_text(delay="1d"))
    slow = settings_to_text(per_day=1)
    fast = await preview.finish_time(db, steps, leads, settings=SETTINGS, now=now)
    late = await preview.finish_time(db, steps, leads, settings=slow, now=now)
    assert fast is not None
    assert late is not None
    assert fast <= now + timedelta(days=1, hours=1)
    assert late >= now + timedelta(days=2)


async def test_a_text_is_not_tried_by_mail(db: Database, now: datetime) -> None:
    with pytest.raises(BadInput, match="cannot be tried by mail"):
        await trial.send(
            db,
            (a_text(),),
            1,
            "ann@berg-sites.com",
            business_id=None,
            settings=SETTINGS,
            environment={},
            now=now,
        )
