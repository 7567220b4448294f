"""Answers, bounces and opt-outs in the mailbox move the lead, and stop what was still to come."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import update

from crm_tui.db.models import (
    Business,
    Campaign,
    ContactPoint,
    Message,
    RawRecord,
    Suppression,
    SyncCursor,
)
from crm_tui.db.models import Unmatched as Waiting
from crm_tui.services import outcomes, shelving, timeline, today
from crm_tui.vocabulary import (
    CallOutcome,
    CampaignState,
    ContactState,
    ContactStatus,
    EventKind,
    MessageState,
    Outcome,
)
from tests.inbox.conftest import new_folder
from tests.inbox.world import ME, World, answer, report
from tests.providers.imap_servers import Server, free_port

ANN = "ann@plumber.example"
DAY = timedelta(days=1)
AT = datetime(2026, 11, 22, 8, 59, 30, tzinfo=UTC)


async def test_an_answer_moves_the_lead_and_stops_the_campaign(world: World) -> None:
    lead, mail = await world.mailed("Ace", ANN)
    world.deliver(answer(mail, text="Yes, please call me.\n\nOn Sunday you wrote:\n> Hello."))
    came = await world.collect()
    assert (came.polled, came.applied, came.unmatched, came.problem) == (1, 1, 0, "")
    assert (await world.business(lead)).contact_status is ContactStatus.REPLIED
    (event,) = await world.events(lead, EventKind.REPLIED)
    assert (event.summary, event.body) == ("answer: Re: A site", "Yes, please call me.")
    assert (event.message_id, event.occurred_at, event.data["link"]) == (mail.id, AT, "sure")
    first, second = await world.messages(lead)
    assert first.replied_at == AT
    assert (second.state, second.reason) == (MessageState.SKIPPED, "they answered")
    (campaign,) = await world.rows(Campaign)
    assert campaign.state is CampaignState.FINISHED
    assert (await world.work(later=3 * DAY)).sent == 0


async def test_without_an_answer_the_next_step_goes(world: World) -> None:
    lead, _ = await world.mailed("Ace", ANN)
    assert (await world.work(later=2 * DAY)).sent == 1
    assert await world.states(lead) == [MessageState.SENT, MessageState.SENT]


async def test_whoever_answered_while_nothing_ran_gets_no_further_mail(world: World) -> None:
    """The mailbox is read to its end before anything is claimed, however much came meanwhile."""
    lead, mail = await world.mailed("Ace", ANN)
    world.deliver(*(answer(number=n, sender="shop@else.example") for n in range(2, 62)))
    world.deliver(answer(mail))
    done = await world.work(later=2 * DAY)
    assert (done.polled, done.applied, done.sent) == (61, 1, 0)
    assert (await world.messages(lead))[1].state is MessageState.SKIPPED


async def test_reading_again_changes_nothing(world: World) -> None:
    lead, mail = await world.mailed("Ace", ANN)
    world.deliver(answer(mail))
    await world.collect()
    assert (await world.collect()).polled == 0
    assert len(await world.events(lead, EventKind.REPLIED)) == 1


async def test_a_folder_whose_numbers_changed_is_read_again_and_counts_once(world: World) -> None:
    assert world.server is not None
    lead, mail = await world.mailed("Ace", ANN)
    world.deliver(answer(mail))
    await world.collect()
    with world.server.other_program() as client:
        client.delete(f'"{world.folder}"')
        assert client.create(f'"{world.folder}"')[0] == "OK"
    world.deliver(answer(number=5, sender="stranger@else.example"), answer(mail))
    came = await world.collect()
    assert (came.polled, came.applied) == (2, 0)
    assert len(await world.events(lead, EventKind.REPLIED)) == 1
    assert await world.count(RawRecord) == 1


async def test_a_folder_that_is_numbered_anew_loses_no_answer_and_doubles_none(
    world: World,
) -> None:
    assert world.server is not None
    ace, mail = await world.mailed("Ace", ANN)
    bo, other = await world.mailed("Bo", "bo@drains.example")
    strangers = (answer(number=n, sender="shop@else.example") for n in range(10, 15))
    world.deliver(*strangers, answer(mail))
    assert (await world.collect()).applied == 1
    with world.server.other_program() as client:
        client.delete(f'"{world.folder}"')
        client.create(f'"{world.folder}"')
    # The new answer has a number that was read before, and the old one another than before.
    world.deliver(answer(other, sender="bo@drains.example", number=2), answer(mail))
    assert (await world.collect()).applied == 1
    for lead in (ace, bo):
        assert len(await world.events(lead, EventKind.REPLIED)) == 1
        assert (await world.business(lead)).contact_status is ContactStatus.REPLIED
    assert (await world.collect()).polled == 0


async def test_a_mailbox_that_lost_its_numbers_is_read_again_and_counts_once(
    world: World,
) -> None:
    """As after a server was moved or restored: the same mails under numbers of another validity."""
    assert world.server is not None
    if world.server.mails is None:
        pytest.skip("this server keeps no files")
    ace, mail = await world.mailed("Ace", ANN)
    world.deliver(answer(number=9, sender="shop@else.example"), answer(mail))
    assert (await world.collect()).applied == 1
    before = _validity(world)
    for file in (world.server.mails / f".{world.folder}").glob("dovecot*"):
        file.unlink()
    assert _validity(world) != before
    came = await world.collect()
    assert (came.polled, came.applied) == (2, 0)
    assert len(await world.events(ace, EventKind.REPLIED)) == 1


def _validity(world: World) -> bytes:
    assert world.server is not None
    with world.server.other_program() as client:
        (told,) = client.status(f'"{world.folder}"', "(UIDVALIDITY)")[1]
        assert isinstance(told, bytes)
        return told


def archive(world: World, folder: str) -> None:
    """Read the only mail of the world's folder on a phone, and move it to another folder."""
    assert world.server is not None
    with world.server.other_program() as phone:
        phone.select(f'"{world.folder}"')
        phone.store("1", "+FLAGS", r"(\Seen)")
        phone.copy("1", f'"{folder}"')
        phone.store("1", "+FLAGS", r"(\Deleted)")
        phone.expunge()


@pytest.mark.parametrize("read_before", [False, True])
async def test_an_answer_that_was_read_and_moved_on_the_phone_counts_once(
    world: World, read_before: bool
) -> None:
    assert world.server is not None
    lead, mail = await world.mailed("Ace", ANN)
    world.others = (new_folder(world.server),)
    world.deliver(answer(mail))
    if read_before:
        assert (await world.collect()).applied == 1
    archive(world, world.others[0])
    came = await world.collect()
    assert (came.polled, came.applied) == (1, 0 if read_before else 1)
    assert len(await world.events(lead, EventKind.REPLIED)) == 1
    assert (await world.business(lead)).contact_status is ContactStatus.REPLIED


async def test_an_answer_that_was_archived_elsewhere_counts_and_counts_once(world: World) -> None:
    assert world.server is not None
    lead, mail = await world.mailed("Ace", ANN)
    world.others = (new_folder(world.server),)
    world.deliver(answer(mail), folder=world.others[0])
    await world.collect()
    world.deliver(answer(mail))  # a copy of it turns up in the first folder
    await world.collect()
    assert len(await world.events(lead, EventKind.REPLIED)) == 1
    assert (await world.business(lead)).contact_status is ContactStatus.REPLIED


async def test_a_hard_bounce_gives_the_address_up_and_not_the_lead(world: World) -> None:
    lead, mail = await world.mailed("Ace", ANN)
    world.deliver(report(mail))
    assert (await world.collect()).applied == 1
    point = await world.point(lead, ANN)
    assert (point.state, point.state_reason) == (
        ContactState.BOUNCED,
        "there is no such mailbox",
    )
    first, second = await world.messages(lead)
    assert first.bounced_at == AT
    assert (first.state, second.state) == (MessageState.SENT, MessageState.SKIPPED)
    assert (await world.business(lead)).contact_status is ContactStatus.EMAILED
    (event,) = await world.events(lead, EventKind.BOUNCED)
    assert event.summary == f"came back from {ANN}: there is no such mailbox"
    assert event.body == "550 5.1.1 User unknown"


@pytest.mark.parametrize(
    ("action", "status", "kind", "state"),
    [
        ("failed", "5.2.2", EventKind.SOFT_BOUNCED, ContactState.SOFT_BOUNCED),
        ("delayed", "4.4.1", EventKind.DEFERRED, ContactState.UNKNOWN),
        ("delivered", "2.0.0", EventKind.DELIVERED, ContactState.OK),
    ],
)
async def test_what_is_no_hard_bounce_stops_nothing(
    world: World, action: str, status: str, kind: EventKind, state: ContactState
) -> None:
    lead, mail = await world.mailed("Ace", ANN)
    world.deliver(report(mail, action=action, status=status, said="smtp; so it is"))
    await world.collect()
    assert len(await world.events(lead, kind)) == 1
    assert (await world.point(lead, ANN)).state is state
    assert (await world.messages(lead))[1].state is MessageState.QUEUED
    delivered = (await world.messages(lead))[0].delivered_at
    assert (delivered is not None) == (kind is EventKind.DELIVERED)


async def test_where_mail_is_sent_on_to_may_be_gone_without_the_address_being_bad(
    world: World,
) -> None:
    lead, mail = await world.mailed("Ace", ANN)
    world.deliver(report(mail, recipient="old@freemail.example"))
    await world.collect()
    (event,) = await world.events(lead, EventKind.SOFT_BOUNCED)
    assert "sent on to old@freemail.example" in event.summary
    assert (await world.point(lead, ANN)).state is ContactState.SOFT_BOUNCED


async def test_too_many_bounces_that_come_later_pause_the_campaign(world: World) -> None:
    leads = [await world.lead(f"Ace {n}", f"ann{n}@plumber{n}.example") for n in range(20)]
    await world.campaign(*leads)
    assert (await world.work()).sent == 20
    for n, lead in enumerate(leads[:2]):
        (mail, _) = await world.messages(lead)
        world.deliver(report(mail, number=n))
    await world.collect()
    (campaign,) = await world.rows(Campaign)
    assert campaign.state is CampaignState.PAUSED
    assert "2 of the last 20 addresses do not exist" in campaign.pause_reason


async def test_opting_out_by_the_token_in_the_subject(world: World) -> None:
    lead, mail = await world.mailed("Ace", ANN)
    world.deliver(
        answer(text="", subject=f"unsubscribe {mail.token}", sender="bo@elsewhere.example")
    )
    await world.collect()
    assert (await world.point(lead, ANN)).state is ContactState.UNSUBSCRIBED
    assert {each.value for each in await world.rows(Suppression)} == {ANN, "bo@elsewhere.example"}
    assert (await world.business(lead)).contact_status is ContactStatus.REPLIED
    first, second = await world.messages(lead)
    assert first.unsubscribed_at == AT
    assert (second.state, second.reason) == (MessageState.SKIPPED, "they unsubscribed")


async def test_opting_out_in_words_and_to_the_address_with_a_plus(world: World) -> None:
    one, mail = await world.mailed("Ace", ANN)
    two, other = await world.mailed("Bee", "bo@bee.example")
    plus = ME.replace("@", f"+u.{other.token.upper()}@")
    world.deliver(
        answer(mail, text="Please remove me.\n\n> Hello."),
        answer(to=plus, sender="bo@bee.example", number=2, text=""),
    )
    assert (await world.collect()).applied == 2
    for lead, address in ((one, ANN), (two, "bo@bee.example")):
        assert (await world.point(lead, address)).state is ContactState.UNSUBSCRIBED
        assert len(await world.events(lead, EventKind.UNSUBSCRIBED)) == 1


async def test_a_complaint_suppresses_the_address(world: World) -> None:
    lead, mail = await world.mailed("Ace", ANN)
    world.deliver(
        "From: feedback@provider.example\nTo: me@studio.example\nSubject: FW: A site\n"
        "Message-ID: <fbl-1@provider.example>\nMIME-Version: 1.0\n"
        'Content-Type: multipart/report; report-type=feedback-report; boundary="b"\n\n'
        "--b\nContent-Type: text/plain\n\nThis is an abuse report.\n\n"
        "--b\nContent-Type: message/feedback-report\n\nFeedback-Type: abuse\nVersion: 1\n\n"
        f"--b\nContent-Type: message/rfc822\n\nFrom: me@studio.example\nMessage-ID: {mail.message_id}\n"
        "\nHello.\n--b--\n"
    )
    assert (await world.collect()).applied == 1
    assert (await world.point(lead, ANN)).state is ContactState.COMPLAINED
    assert [each.value for each in await world.rows(Suppression)] == [ANN]
    assert (await world.business(lead)).contact_status is ContactStatus.EMAILED
    assert (await world.messages(lead))[1].state is MessageState.SKIPPED


async def test_an_automatic_answer_moves_nothing_and_the_next_step_goes(world: World) -> None:
    lead, mail = await world.mailed("Ace", ANN)
    world.deliver(answer(mail, headers="Auto-Submitted: auto-replied\n", text="I am away."))
    await world.collect()
    (event,) = await world.events(lead, EventKind.AUTO_REPLIED)
    assert event.by_machine
    assert (await world.business(lead)).contact_status is ContactStatus.EMAILED
    assert (await world.work(later=2 * DAY)).sent == 1


async def test_an_answer_that_cites_nothing_is_known_by_its_address(world: World) -> None:
    lead, mail = await world.mailed("Ace", ANN)
    world.deliver(answer(sender="ANN@Plumber.example", subject="about the site"))
    await world.collect()
    (event,) = await world.events(lead, EventKind.REPLIED)
    assert (event.message_id, event.data["link"]) == (mail.id, "by address")
    assert (await world.messages(lead))[0].replied_at == AT


async def test_mail_of_a_lead_that_nobody_wrote_to_is_not_ours(world: World) -> None:
    lead = await world.lead("Ace", ANN)
    world.deliver(answer(subject="your bathroom"))
    assert (await world.collect()).polled == 1
    assert await world.events(lead, EventKind.REPLIED) == []
    assert await world.count(RawRecord) == 0


async def test_of_other_peoples_mail_nothing_is_kept(world: World) -> None:
    await world.mailed("Ace", ANN)
    secret = "ZANZIBAR-4711"
    world.deliver(
        answer(sender="friend@private.example", text=secret, subject=secret),
        answer(
            sender="friend@private.example", text=secret, number=2, cites="<other@private.example>"
        ),
        answer(sender="news@shop.example", text=secret, number=3, headers="Precedence: bulk\n"),
        answer(sender="mailer-daemon@mx.example", text=secret, number=4, subject=secret),
        answer(sender=ME, to="friend@private.example", text=secret, number=5, subject=secret),
    )
    came = await world.collect()
    assert (came.polled, came.applied, came.unmatched) == (5, 0, 0)
    assert await world.count(RawRecord) == 0
    assert await world.count(Waiting) == 0
    beside = [world.db.path, world.db.path.with_name(f"{world.db.path.name}-wal")]
    for path in filter(lambda path: path.exists(), beside):
        assert secret.encode() not in path.read_bytes()
        assert b"private.example" not in path.read_bytes()


async def test_a_new_answer_brings_a_lead_back_that_was_sorted_or_put_away(world: World) -> None:
    lead, mail = await world.mailed("Ace", ANN)
    async with world.db.write() as session:
        await outcomes.set_outcome(session, [lead], Outcome.LOST, reason="said no", now=world.now)
        await shelving.archive(session, [lead], now=world.now)
    world.deliver(answer(mail, text="I thought about it:\nyes."))
    await world.collect()
    business = await world.business(lead)
    assert (business.outcome, business.outcome_reason, business.archived_at) == (
        Outcome.OPEN,
        None,
        None,
    )
    groups = await today.order(world.db, due_by=world.now)
    async with world.db.read() as session:
        (line,) = await today.lines(session, groups[today.Kind.ANSWER])
    assert line.what == "I thought about it:\nyes."


async def test_who_bought_stays_won(world: World) -> None:
    lead, mail = await world.mailed("Ace", ANN)
    async with world.db.write() as session:
        await session.execute(update(Business).values(outcome=Outcome.WON))
    world.deliver(answer(mail))
    await world.collect()
    assert (await world.business(lead)).outcome is Outcome.WON


async def test_the_operators_own_mail_to_a_lead_is_contact(world: World) -> None:
    lead = await world.lead("Ace", ANN)
    world.deliver(answer(sender=ME, to=f"Ann <{ANN}>", subject="Hello Ann", text="From my phone."))
    await world.collect()
    (event,) = await world.events(lead, EventKind.EMAIL_SENT)
    assert (event.summary, event.body, event.source) == (
        "mail: Hello Ann",
        "From my phone.",
        "mailbox",
    )
    assert (await world.business(lead)).contact_status is ContactStatus.EMAILED
    # An answer to it cites a mail that only the operator's other program knows.
    world.deliver(answer(cites="<mail-1@studio.example>", number=2))
    await world.collect()
    assert (await world.business(lead)).contact_status is ContactStatus.REPLIED


async def test_what_the_operator_wrote_and_the_answer_to_it_come_in_together(world: World) -> None:
    """As after some days off, or where one folder holds all mails."""
    lead = await world.lead("Ace", ANN)
    world.deliver(
        answer(sender="shop@else.example", number=1),
        answer(sender=ANN, number=2, subject="before anybody wrote"),
        answer(sender=ME, to=ANN, number=3, subject="Hello Ann"),
        answer(cites="<mail-3@studio.example>", number=4, text="Hello Mo."),
        answer(sender="shop@else.example", number=5),
    )
    came = await world.collect()
    assert (came.polled, came.applied) == (5, 2)
    (event,) = await world.events(lead, EventKind.REPLIED)
    assert event.body == "Hello Mo."
    assert (await world.collect()).polled == 0


async def test_a_copy_of_our_own_message_is_no_second_mail(world: World) -> None:
    lead, mail = await world.mailed("Ace", ANN)
    copy = answer(sender=ME, to=ANN).replace("<mail-1@studio.example>", mail.message_id)
    world.deliver(copy)
    await world.collect()
    assert len(await world.events(lead, EventKind.EMAIL_SENT)) == 1
    assert await world.count(RawRecord) == 0


async def test_a_copy_of_our_own_message_from_an_address_of_before_is_no_answer(
    world: World,
) -> None:
    """The operator wrote from another address then; what follows a mail cites it, as answers do."""
    lead, first = await world.mailed("Ace", ANN)
    assert (await world.work(later=2 * DAY)).sent == 1
    second = (await world.messages(lead))[1]
    copy = answer(first, sender="before@studio.example", to=ANN)
    world.deliver(copy.replace("<mail-1@studio.example>", second.message_id))
    assert (await world.collect()).applied == 0
    assert (await world.business(lead)).contact_status is ContactStatus.EMAILED


async def uncertain(world: World) -> tuple[int, Message]:
    lead, mail = await world.mailed("Ace", ANN)
    async with world.db.write() as session:
        await session.execute(
            update(Message)
            .where(Message.id == mail.id)
            .values(state=MessageState.UNCERTAIN, reason="it was cut off", sent_at=None)
        )
        await session.execute(update(Message).where(Message.id != mail.id).values(due_at=None))
    return lead, mail


async def test_a_copy_in_the_mailbox_shows_that_an_uncertain_message_was_sent(
    world: World,
) -> None:
    lead, mail = await uncertain(world)
    world.deliver(answer(sender=ME, to=ANN).replace("<mail-1@studio.example>", mail.message_id))
    assert (await world.collect()).applied == 1
    first, second = await world.messages(lead)
    assert (first.state, first.sent_at) == (MessageState.SENT, mail.claimed_at)
    assert second.due_at is not None


async def test_any_mail_about_an_uncertain_message_shows_that_it_was_sent(world: World) -> None:
    lead, mail = await uncertain(world)
    world.deliver(answer(mail))
    await world.collect()
    assert await world.states(lead) == [MessageState.SENT, MessageState.SKIPPED]
    assert (await world.business(lead)).contact_status is ContactStatus.REPLIED


async def test_what_was_put_back_into_the_queue_is_not_sent_when_a_copy_turns_up(
    world: World,
) -> None:
    lead, mail = await uncertain(world)
    async with world.db.write() as session:
        await session.execute(
            update(Message)
            .where(Message.id == mail.id)
            .values(state=MessageState.QUEUED, reason=None, due_at=world.now)
        )
    world.deliver(answer(sender=ME, to=ANN).replace("<mail-1@studio.example>", mail.message_id))
    assert (await world.work()).sent == 0
    assert (await world.states(lead))[0] is MessageState.SENT


async def test_a_mailbox_that_cannot_be_read_is_said_and_nothing_is_sent(world: World) -> None:
    lead, _ = await world.mailed("Ace", ANN)
    world.environment["CRM_TUI_IMAP_PASSWORD"] = "wrong"
    done = await world.work(later=2 * DAY)
    assert done.sent == 0
    (problem,) = done.problems
    assert problem.startswith("The mailbox cannot be read: ")
    assert "wrong" not in problem
    groups = await today.order(world.db, due_by=world.now)
    async with world.db.read() as session:
        (line,) = await today.lines(session, groups[today.Kind.MAILBOX])
    assert line.at == world.now
    world.environment["CRM_TUI_IMAP_PASSWORD"] = "demopass"
    assert (await world.work()).sent == 1
    assert not (await today.order(world.db, due_by=world.now))[today.Kind.MAILBOX]
    assert (await world.states(lead))[1] is MessageState.SENT


async def test_an_address_that_others_share_is_given_up_with_them_all(world: World) -> None:
    lead, mail = await world.mailed("Ace", ANN)
    other = await world.lead("Ace Two", ANN)
    world.deliver(report(mail))
    await world.collect()
    assert (await world.point(lead, ANN)).state is ContactState.BOUNCED
    assert (await world.point(other, ANN)).state is ContactState.BOUNCED
    assert len(await world.rows(ContactPoint)) == 2


async def test_what_was_wrong_with_an_account_that_is_not_read_any_more_is_forgotten(
    world: World,
) -> None:
    world.environment["CRM_TUI_IMAP_PASSWORD"] = "wrong"
    assert (await world.collect()).problem
    assert (await today.order(world.db, due_by=world.now))[today.Kind.MAILBOX]
    world.server = None
    assert not (await world.collect()).problem
    assert not (await today.order(world.db, due_by=world.now))[today.Kind.MAILBOX]


async def test_a_folder_that_is_not_there_is_said(world: World) -> None:
    world.folder = "Nowhere"
    problem = (await world.collect()).problem
    assert "There is no folder Nowhere in the mailbox." in problem


async def test_a_lead_that_was_only_called_may_answer_by_mail(world: World) -> None:
    lead = await world.lead("Ace", ANN)
    async with world.db.write() as session:
        await timeline.log_call(session, lead, CallOutcome.VOICEMAIL, now=world.now)
    world.deliver(answer(text="You called?"))
    await world.collect()
    assert (await world.business(lead)).contact_status is ContactStatus.REPLIED


async def test_without_a_network_it_is_said_since_when_and_read_on_later(world: World) -> None:
    lead, mail = await world.mailed("Ace", ANN)
    server, world.server = world.server, Server(free_port())
    assert server is not None
    for _ in range(2):
        assert (await world.collect()).problem.startswith("The mailbox cannot be read: ")
        world.now += timedelta(hours=1)
    (row,) = [each for each in await world.rows(SyncCursor) if each.problem]
    assert row.failed_at == world.now - timedelta(hours=2)
    world.server = server
    world.deliver(answer(mail))
    assert (await world.collect()).applied == 1
    assert (await world.business(lead)).contact_status is ContactStatus.REPLIED


async def test_a_read_receipt_moves_nothing(world: World) -> None:
    lead, mail = await world.mailed("Ace", ANN)
    world.deliver(
        f"From: Ann <{ANN}>\nTo: {ME}\nSubject: Read: A site\nMessage-ID: <mdn-1@plumber.example>\n"
        f"In-Reply-To: {mail.message_id}\nMIME-Version: 1.0\nContent-Type: multipart/report;"
        ' report-type=disposition-notification; boundary="b"\n\n--b\nContent-Type: text/plain\n\n'
        "It was read.\n--b\nContent-Type: message/disposition-notification\n\n"
        "Disposition: manual-action/MDN-sent-manually; displayed\n\n--b--\n"
    )
    await world.collect()
    assert len(await world.events(lead, EventKind.AUTO_REPLIED)) == 1
    assert (await world.business(lead)).contact_status is ContactStatus.EMAILED
