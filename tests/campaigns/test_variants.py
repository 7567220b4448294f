"""Two texts of a step: who gets which, what is kept of them, what is changed and what it came to."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import func, select

from crm_tui.db.engine import Database
from crm_tui.db.models import CampaignVariant, Message
from crm_tui.errors import BadInput
from crm_tui.services import undo
from crm_tui.services.campaigns import drafts, freezing
from crm_tui.services.campaigns.audience import Audience
from crm_tui.services.campaigns.drafts import Step
from crm_tui.services.campaigns.variants import Variant, letter_of
from crm_tui.vocabulary import MessageState
from tests.campaigns.making import (
    AGAIN,
    FOOT,
    HELLO,
    a_draft,
    a_frozen,
    a_running,
    a_step,
    add_leads,
    change_messages,
    figures_of,
    settings_to_send,
)

SETTINGS = settings_to_send()
OTHER = "---\nsubject: Another one, {{ business.name }}\n---\nHello {{ business.name }}" + FOOT


def tried(source: str = HELLO, second: str = OTHER, *, share: int = 50, **more: Any) -> Step:
    """A step of which two texts are tried."""
    return replace(
        a_step(source, **more), variant=Variant(template="other", source=second, share=share)
    )


async def letters(db: Database) -> dict[tuple[int, int | None], str | None]:
    """Which text each message says, by lead and step."""
    async with db.read() as session:
        rows = await session.execute(
            select(Message.business_id, Message.step_id, Message.variant, Message.key)
        )
        found = {(lead, step): (letter, key) for lead, step, letter, key in rows}
    assert all(letter is None or letter == letter_of(key, 50) for letter, key in found.values())
    return {each: letter for each, (letter, _) in found.items()}


@given(key=st.text(max_size=40), share=st.integers(1, 98))
def test_a_key_always_says_the_same_and_a_larger_share_only_adds(key: str, share: int) -> None:
    assert letter_of(key, share) == letter_of(key, share)
    assert letter_of(key, share) <= letter_of(key, share + 1)


@pytest.mark.parametrize("share", [1, 20, 50, 99])
def test_over_many_keys_the_share_holds(share: int) -> None:
    second = sum(letter_of(f"{number:032x}", share) == "b" for number in range(20_000))
    spread = (20_000 * share * (100 - share)) ** 0.5 / 100
    assert abs(second - 200 * share) < 4 * spread


@pytest.mark.parametrize("share", [0, 100, -3])
def test_both_texts_are_sent_to_somebody(share: int) -> None:
    with pytest.raises(BadInput, match="1 to 99 of a hundred"):
        Variant(template="other", source=OTHER, share=share)


async def test_a_draft_keeps_its_second_text_until_it_is_taken_away(
    db: Database, now: datetime
) -> None:
    campaign = await a_draft(db, now, steps=(tried(share=30), tried(AGAIN, delay="3d")))
    async with db.read() as session:
        kept = (await drafts.load(session, campaign)).draft
    assert kept.steps == (tried(share=30), tried(AGAIN, delay="3d"))
    await drafts.save(db, campaign, replace(kept, steps=(a_step(),)), now=now)
    async with db.read() as session:
        assert (await drafts.load(session, campaign)).draft.steps == (a_step(),)
        assert await session.scalar(select(func.count()).select_from(CampaignVariant)) == 0


async def test_a_draft_with_a_second_text_is_deleted_with_it(db: Database, now: datetime) -> None:
    await drafts.delete(db, await a_draft(db, now, steps=(tried(),)))
    async with db.read() as session:
        assert await session.scalar(select(func.count()).select_from(CampaignVariant)) == 0


async def test_a_second_text_that_cannot_be_sent_is_refused(db: Database, now: datetime) -> None:
    with pytest.raises(BadInput, match=r"The template other cannot be sent.*busines\.name"):
        await a_draft(db, now, steps=(tried(second="---\nsubject: x\n---\n{{ busines.name }}"),))


async def test_every_recipient_gets_one_of_the_texts_and_a_step_without_a_second_none(
    db: Database, now: datetime
) -> None:
    await add_leads(db, 12, now)
    await a_frozen(db, SETTINGS, now, steps=(tried(), a_step(AGAIN, delay="3d")))
    found = await letters(db)
    first = min(step for _, step in found if step is not None)
    assert {found[each] for each in found if each[1] == first} == {"a", "b"}
    assert {found[each] for each in found if each[1] != first} == {None}


async def test_who_joins_later_gets_one_too_and_undo_and_redo_do_not_draw_again(
    db: Database, now: datetime
) -> None:
    leads = await add_leads(db, 8, now)
    first, later = leads[:2], leads[2:]
    campaign = await a_running(
        db, SETTINGS, now, steps=(tried(),), audience=Audience(ids=tuple(first))
    )
    await freezing.add(
        db, campaign, Audience(ids=tuple(later)), settings=SETTINGS, now=now, agreed=None
    )
    before = await letters(db)
    assert len(before) == 8
    assert None not in before.values()
    await undo.undo(db, settings=SETTINGS, now=now)
    assert len(await letters(db)) == 2
    await undo.redo(db, settings=SETTINGS, now=now)
    assert await letters(db) == before


async def _share_out(db: Database, now: datetime, **facts: dict[str, Any]) -> None:
    """Half of the messages say each text, all are sent, and this came of those of each."""
    async with db.read() as session:
        ids = list(await session.scalars(select(Message.id).order_by(Message.id)))
    sent = {"state": MessageState.SENT, "sent_at": now, "body": "Hello", "version": 1}
    for letter, some in (("a", ids[::2]), ("b", ids[1::2])):
        await change_messages(db, Message.id.in_(some), variant=letter, **sent)
        for field, (value, number) in facts.get(letter, {}).items():
            await change_messages(db, Message.id.in_(some[:number]), **{field: value})


async def test_each_text_has_its_own_figures_and_what_they_tell(
    db: Database, now: datetime
) -> None:
    await add_leads(db, 60, now)
    campaign = await a_running(db, SETTINGS, now, steps=(tried(share=20),))
    await _share_out(db, now, a={"replied_at": (now, 2)}, b={"replied_at": (now, 14)})
    (step,) = (await figures_of(db, campaign)).steps
    own, second = step.variants
    assert [(each.letter, each.share, each.counts.sent) for each in step.variants] == [
        ("a", 80, 30),
        ("b", 20, 30),
    ]
    assert (own.subject, second.template) == ("For {{ business.name }}", "other")
    assert step.counts.sent == 60
    assert step.verdict is not None
    assert (step.verdict.rate, step.verdict.winner) == ("reply", "b")
    assert step.verdict.sentence.startswith("B gets more answers: 14 of 30 (30–64%)")


async def test_opens_decide_between_subjects_where_they_are_measured(
    db: Database, now: datetime
) -> None:
    await add_leads(db, 60, now)
    campaign = await a_running(db, SETTINGS, now, steps=(tried(),))
    there = {"provider": ("mailgun", 30), "delivered_at": (now, 30)}
    await _share_out(
        db, now, a={**there, "opened_at": (now, 20)}, b={**there, "opened_at": (now, 6)}
    )
    (step,) = (await figures_of(db, campaign)).steps
    assert step.verdict is not None
    assert (step.verdict.rate, step.verdict.winner) == ("open", "a")


@pytest.mark.parametrize("begins", ["Good morning", "Look at https://berg-sites.com,"])
async def test_texts_under_the_same_subject_are_compared_by_answers_unless_both_link(
    db: Database, now: datetime, begins: str
) -> None:
    await add_leads(db, 4, now)
    second = HELLO.replace("Hello", begins)
    campaign = await a_running(db, SETTINGS, now, steps=(tried(second=second),))
    there = {"provider": ("mailgun", 2), "delivered_at": (now, 2)}
    await _share_out(db, now, a=there, b=there)
    (step,) = (await figures_of(db, campaign)).steps
    assert step.verdict is not None
    assert (step.verdict.rate, step.verdict.enough) == ("reply", False)


async def test_clicks_decide_where_both_texts_have_a_link(db: Database, now: datetime) -> None:
    await add_leads(db, 4, now)
    linking = HELLO.replace("Hello", "See https://berg-sites.com, ")
    campaign = await a_running(
        db, SETTINGS, now, steps=(tried(linking, linking.replace("See", "Visit")),)
    )
    there = {"provider": ("brevo", 2), "delivered_at": (now, 2)}
    await _share_out(db, now, a=there, b=there)
    (step,) = (await figures_of(db, campaign)).steps
    assert step.verdict is not None
    assert step.verdict.rate == "click"


async def test_a_campaign_of_which_nothing_is_tried_has_no_verdict(
    db: Database, now: datetime
) -> None:
    (step,) = (await figures_of(db, await a_draft(db, now))).steps
    assert (step.variants, step.verdict) == ((), None)
