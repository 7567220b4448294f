"""What was sent is put into the mailbox's folder of sent mail, once, where the operator wants that."""

from __future__ import annotations

import imaplib
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from email import message_from_bytes, policy
from typing import Any

import pytest
from sqlalchemy import select, update

from crm_tui.db.models import Business, Event, SyncCursor, WorkerLog
from crm_tui.providers.base import Unavailable
from crm_tui.providers.imap import Mailbox
from crm_tui.providers.imap_check import check
from crm_tui.providers.secrets import Secret
from crm_tui.services.inbox.saving import SAVING, Saver
from crm_tui.vocabulary import ContactStatus, EventKind, MessageState
from tests.inbox.world import ME, World
from tests.providers.imap_servers import Server, dovecot, has_dovecot, pymap
from tests.providers.mail_server import Post, mail_server, settings_for

ANN = "ann@plumber.example"
DAY = timedelta(days=1)


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """One of the two, as each mail takes several logins, which pymap is slow at."""
    with dovecot() if has_dovecot() else pymap() as running:
        yield running


@pytest.fixture
async def post(world: World) -> AsyncIterator[Post]:
    """A server the world's mail goes through; what was sent is saved, and the saved is read."""
    async with mail_server() as running:
        world.post = settings_for(running.port)
        world.save_sent, world.others = True, ("Sent",)
        yield running


def saved(world: World, message_id: str) -> list[bytes]:
    """The copies of a mail in the folder of sent mail."""
    assert world.server is not None
    with world.server.other_program() as client:
        client.select("Sent", readonly=True)
        (numbers,) = client.search(None, "HEADER", "Message-ID", f'"{message_id}"')[1]
        found = []
        for number in numbers.split():
            answer = client.fetch(number.decode(), "(FLAGS BODY.PEEK[])")[1]
            assert isinstance(answer[0], tuple)
            assert b"\\Seen" in b" ".join(
                part for item in answer for part in (item if isinstance(item, tuple) else (item,))
            )
            found.append(answer[0][1])
        return found


async def test_a_mail_is_saved_as_it_was_sent_and_is_no_second_contact(
    world: World, post: Post
) -> None:
    lead, mail = await world.mailed("Ace", ANN)
    (copy,) = saved(world, mail.message_id)
    assert copy == post.mails[0].content
    read = message_from_bytes(copy, policy=policy.default)
    assert (read["From"], read["To"]) == (f"Mo <{ME}>", ANN)
    for _ in range(2):
        assert (await world.work()).applied == 0  # it is read as any mail of ours
    assert len(await world.events(lead, EventKind.EMAIL_SENT)) == 1
    assert (await world.business(lead)).contact_status is ContactStatus.EMAILED
    assert len(saved(world, mail.message_id)) == 1


async def test_the_mail_that_follows_is_saved_in_its_thread(world: World, post: Post) -> None:
    lead, _ = await world.mailed("Ace", ANN)
    assert (await world.work(later=2 * DAY)).sent == 1
    first, second = await world.messages(lead)
    (copy,) = saved(world, second.message_id)
    assert copy == post.mails[1].content
    assert message_from_bytes(copy)["In-Reply-To"] == first.message_id


async def test_a_copy_that_is_there_already_is_left_alone(world: World, post: Post) -> None:
    """As with Gmail, which saves what goes through it."""
    world.save_sent = False
    _, mail = await world.mailed("Ace", ANN)
    assert world.server is not None
    world.server.deliver(post.mails[0].content, folder="Sent", flags=r"(\Seen)")
    world.save_sent = True
    async with world.db.write() as session:
        session.add(
            SyncCursor(
                provider=SAVING,
                account=f"{world.server.username} at 127.0.0.1:{world.server.port}",
                stream="",
                cursor={"event": 0},
            )
        )
    await world.work()
    assert len(saved(world, mail.message_id)) == 1
    assert await place(world) == await newest(world)


async def place(world: World) -> int:
    (kept,) = [each for each in await world.rows(SyncCursor) if each.provider == SAVING]
    return int(kept.cursor["event"])


async def newest(world: World) -> int:
    """The line of a timeline that says that a mail was sent."""
    async with world.db.read() as session:
        found = await session.scalars(select(Event.id).where(Event.key.startswith("sent:")))
        return max(found)


async def test_what_cannot_be_saved_is_said_and_saved_later_and_holds_up_no_mail(
    world: World, post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    lead = await world.lead("Ace", ANN)
    await world.campaign(lead)
    with monkeypatch.context() as full:
        refusal = ("NO", [b"[OVERQUOTA] Quota exceeded"])
        full.setattr(imaplib.IMAP4, "append", lambda *_arguments: refusal)
        done = await world.work()
        assert done.sent == 1
        (problem,) = done.problems
        assert problem.startswith("What was sent cannot be saved in the mailbox: ")
        assert problem.endswith("saves no mail in Sent: [OVERQUOTA] Quota exceeded")
        (line,) = [each for each in await world.rows(WorkerLog) if each.is_problem]
        assert line.words == problem
        assert (await world.work(later=2 * DAY)).sent == 1
    assert (await world.work()).problems == []
    for mail in await world.messages(lead):
        assert len(saved(world, mail.message_id)) == 1


async def test_a_save_that_was_cut_off_after_the_server_took_it_is_not_done_again(
    world: World, post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    append = imaplib.IMAP4.append

    def cut_off(client: imaplib.IMAP4, *arguments: Any) -> Any:
        append(client, *arguments)
        raise client.abort("connection lost")

    lead = await world.lead("Ace", ANN)
    await world.campaign(lead)
    with monkeypatch.context() as failing:
        failing.setattr(imaplib.IMAP4, "append", cut_off)
        assert len((await world.work()).problems) == 1
    assert (await world.work()).problems == []
    (mail, _) = await world.messages(lead)
    assert len(saved(world, mail.message_id)) == 1


async def test_while_it_works_in_the_background_it_is_tried_again_every_few_minutes(
    world: World, post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = []

    async def save(*_arguments: Any, **_how: Any) -> bool:
        tried.append(world.now)
        raise Unavailable("full")

    monkeypatch.setattr(Mailbox, "save", save)
    lead = await world.lead("Ace", ANN)
    await world.campaign(lead)
    saver = Saver(world.db, world.settings, environment=world.environment, now=lambda: world.now)
    assert (await world.work()).sent == 1
    begun = len(tried)
    for _ in range(4):
        await saver.save(world.account)
        world.now += timedelta(minutes=2)
    assert len(tried) - begun == 2


async def test_of_an_erased_lead_nothing_is_saved(
    world: World, post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    lead = await world.lead("Ace", ANN)
    await world.campaign(lead, steps=1)
    with monkeypatch.context() as full:
        full.setattr(imaplib.IMAP4, "append", lambda *_arguments: ("NO", [b"full"]))
        await world.work()
    (mail,) = await world.messages(lead)
    async with world.db.write() as session:
        await session.execute(
            update(Business).where(Business.id == lead).values(erased_at=world.now)
        )
    assert (await world.work()).problems == []
    assert saved(world, mail.message_id) == []


async def test_a_mailbox_says_where_mail_will_be_saved(world: World, post: Post) -> None:
    settings = world.settings.providers.imap
    checks = await check(settings, password=Secret("demopass"))
    assert (checks[-1].step, checks[-1].words) == (
        "sent",
        "Mails that were sent will be saved in Sent.",
    )


async def test_only_what_is_sent_from_then_on_is_saved(world: World, post: Post) -> None:
    world.save_sent = False
    lead, first = await world.mailed("Ace", ANN)
    world.save_sent = True
    await world.work(later=2 * DAY)
    second = (await world.messages(lead))[1]
    assert second.state is MessageState.SENT
    assert (len(saved(world, first.message_id)), len(saved(world, second.message_id))) == (0, 1)
    world.save_sent = False
    await world.work()
    assert not [each for each in await world.rows(SyncCursor) if each.provider == SAVING]
