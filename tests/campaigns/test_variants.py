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
from crm_tui.errors import BadInput, NotFound
from crm_tui.services import undo
from crm_tui.services.campaigns import drafts, freezing, gate, mending, preview, running
from crm_tui.services.campaigns.audience import Audience
from crm_tui.services.campaigns.steps import Step
from crm_tui.services.campaigns.variants import Variant, letter_of
from crm_tui.services.doctor.drawn import find_undrawn, repair_undrawn
from crm_tui.services.doctor.findings import Patient
from crm_tui.services.erase.erasing import erase
from crm_tui.services.merge import merge
from crm_tui.services.sending.claim import to_release
from crm_tui.services.sending.standing import home_of
from crm_tui.vocabulary import MessageState
from tests.campaigns.making import (
    AGAIN,
    FOOT,
    HELLO,
    WITH_CITY,
    WITH_SITE,
    a_draft,
    a_frozen,
    a_running,
    a_step,
    add_leads,
    change_lead,
    change_messages,
    figures_of,
    settings_to_send,
)
from tests.sending.queue import Desk, a_claimer

SETTINGS = settings_to_send()
OTHER = "---\nsubject: Another one, {{ business.name }}\n---\nHello {{ business.name }}" + FOOT


NO_OPT_OUT = "---\nsubject: Short\n---\nHello"


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
    await add_leads(db, 5, now)
    await a_frozen(db, SETTINGS, now, steps=(tried(), a_step(AGAIN, delay="3d")))
    found = await letters(db)
    first = min(step for _, step in found if step is not None)
    assert {found[each] for each in found if each[1] == first} <= {"a", "b"}
    assert {found[each] for each in found if each[1] != first} == {None}


async def test_what_one_of_the_texts_lacks_is_found_for_whoever_may_get_it(
    db: Database, now: datetime
) -> None:
    leads = await add_leads(db, 2, now)
    await change_lead(db, leads[0], city="Queens")
    found = await preview.lacking(db, (tried(second=WITH_CITY),), leads, settings=SETTINGS)
    assert list(found) == [leads[1]]
    assert "business.city" in found[leads[1]]


async def test_each_text_is_shown_and_checked(db: Database, now: datetime) -> None:
    (lead,) = await add_leads(db, 1, now)
    steps = (tried(second=NO_OPT_OUT), a_step(AGAIN, delay="3d"))
    async with db.read() as session:
        subjects = {
            letter: (
                await preview.mail(
                    session, preview.saying(steps, 1, letter), 1, lead, settings=SETTINGS
                )
            ).subject
            for letter in "ab"
        }
        checks = await gate.checks(session, steps, recipients=1, settings=SETTINGS, store=db.path)
    assert subjects == {"a": "For Plumber 1", "b": "Short"}
    about = {each.check: (each.verdict, each.why) for each in checks if "step 1" in each.check}
    assert about["step 1, text A"][0] is gate.Verdict.PASSED
    assert about["step 1, text B"] == (
        gate.Verdict.BLOCKS,
        "Step 1, text B does not say {{ unsubscribe }} and {{ sender.postal_address }} to everybody.",
    )
    for position, letter in ((1, "c"), (2, "b"), (3, "a")):
        with pytest.raises(NotFound):
            preview.saying(steps, position, letter)


async def test_a_text_that_needs_a_site_holds_those_without_one(
    db: Database, now: datetime
) -> None:
    await add_leads(db, 2, now)
    _, frozen = await a_frozen(db, SETTINGS, now, steps=(tried(second=WITH_SITE),))
    assert (frozen.recipients, frozen.held) == (2, 2)


async def _drawn(db: Database) -> tuple[int, int]:
    """The first message says the step's own text, the second one the other."""
    async with db.read() as session:
        first, second = await session.scalars(select(Message.id).order_by(Message.id))
    await change_messages(db, Message.id == first, variant="a")
    await change_messages(db, Message.id == second, variant="b")
    return first, second


async def test_each_gets_the_text_that_was_drawn_as_it_reads_when_it_goes(
    db: Database, now: datetime
) -> None:
    await add_leads(db, 2, now)
    campaign = await a_running(db, SETTINGS, now, steps=(tried(),))
    await _drawn(db)
    async with db.write() as session:
        await running.pause(session, campaign, now=now)
        changed = a_step(OTHER.replace("Another", "A better"))
        assert await mending.edit_step(session, campaign, 1, changed, letter="b", now=now) == 2
        with pytest.raises(NotFound, match="no text c"):
            await mending.edit_step(session, campaign, 1, changed, letter="c", now=now)
        await running.resume(session, campaign, now=now)
    mails = await Desk(db, a_claimer(home=home_of(db.path))).send(now)
    assert [mail.subject for mail in mails] == ["For Plumber 1", "A better one, Plumber 2"]
    async with db.read() as session:
        sent = await session.execute(select(Message.variant, Message.version).order_by(Message.id))
        assert [tuple(row) for row in sent] == [("a", 1), ("b", 2)]
        (step,) = (await drafts.load(session, campaign)).draft.steps
    assert step.version == 1
    assert step.variant is not None
    assert (step.variant.version, step.variant.share) == (2, 50)


async def test_a_text_that_nobody_waits_for_any_more_stays(db: Database, now: datetime) -> None:
    await add_leads(db, 1, now)
    campaign = await a_running(db, SETTINGS, now, steps=(tried(),))
    await change_messages(db, variant="a")
    async with db.write() as session:
        await running.pause(session, campaign, now=now)
        assert await mending.edit_step(session, campaign, 1, a_step(AGAIN), now=now) == 2
        with pytest.raises(BadInput, match="Nobody waits"):
            await mending.edit_step(session, campaign, 1, a_step(AGAIN), letter="b", now=now)


async def test_who_was_held_by_one_text_is_looked_at_again_when_that_one_is_changed(
    db: Database, now: datetime
) -> None:
    await add_leads(db, 2, now)
    campaign = await a_running(db, SETTINGS, now, steps=(tried(WITH_CITY, WITH_CITY + "Yours"),))
    _, second = await _drawn(db)
    assert await Desk(db, a_claimer(home=home_of(db.path))).send(now) == []
    async with db.write() as session:
        await running.pause(session, campaign, now=now)
        await mending.edit_step(session, campaign, 1, a_step(AGAIN), letter="b", now=now)
    async with db.read() as session:
        due = await session.execute(select(Message.id).where(Message.due_at.is_not(None)))
    assert due.scalars().all() == [second]
    await change_messages(db, Message.id == second, due_at=None)
    async with db.read() as session:
        assert await to_release(session, everything=False) == [second]


async def test_a_message_that_is_tried_again_says_what_was_drawn(
    db: Database, now: datetime
) -> None:
    await add_leads(db, 6, now)
    campaign = await a_running(db, SETTINGS, now, steps=(tried(),))
    before = await letters(db)
    await change_messages(db, state=MessageState.FAILED, reason="550 full")
    async with db.write() as session:
        assert await mending.retry(session, campaign, now=now) == 6
    assert await letters(db) == before


async def test_merged_leads_keep_what_each_was_sent(db: Database, now: datetime) -> None:
    kept, merged = await add_leads(db, 2, now)
    await a_running(db, SETTINGS, now, steps=(tried(),))
    await change_messages(db, Message.business_id == kept, variant="a")
    await change_messages(db, Message.business_id == merged, variant="b")
    async with undo.action(db, "merged", now=now) as session:
        await merge(session, kept, [merged], score=SETTINGS.score, now=now)
    async with db.read() as session:
        rows = await session.execute(
            select(Message.business_id, Message.variant, Message.state).order_by(Message.id)
        )
        assert [tuple(row) for row in rows] == [
            (kept, "a", MessageState.QUEUED),
            (kept, "b", MessageState.SKIPPED),
        ]


async def test_who_is_erased_stays_in_the_figures_of_the_text_they_got(
    db: Database, now: datetime
) -> None:
    leads = await add_leads(db, 4, now)
    campaign = await a_running(db, SETTINGS, now, steps=(tried(),))
    await _share_out(db, now, a={"replied_at": (now, 2)})
    before = (await figures_of(db, campaign)).steps[0].variants
    await erase(db, leads[0], settings=SETTINGS, now=now)
    assert (await figures_of(db, campaign)).steps[0].variants == before


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


async def test_the_doctor_draws_what_was_not_drawn_and_takes_away_what_is_not_tried(
    db: Database, now: datetime
) -> None:
    leads = await add_leads(db, 8, now)
    await a_running(db, SETTINGS, now, steps=(tried(), a_step(AGAIN, delay="3d")))
    before = await letters(db)
    whole = Patient(db, SETTINGS, now)
    assert await find_undrawn(whole) == []
    await change_messages(db, Message.business_id.in_(leads[:3]), variant=None)
    last = max(step for _, step in before if step is not None)
    await change_messages(db, Message.business_id == leads[5], Message.step_id == last, variant="a")
    found = await find_undrawn(whole)
    assert [each.count for each in found] == [3, 1]
    assert await repair_undrawn(whole) == "4 mails given the text they are to say"
    assert await find_undrawn(whole) == []
    assert await letters(db) == before
    assert await repair_undrawn(whole) == ""
