"""Mails that nobody should send: nothing crashes, nothing is sent, nothing reaches the screen raw."""

from __future__ import annotations

import asyncio
import base64
import tracemalloc
import zlib

import pytest
from sqlalchemy import update

from crm_tui.db.models import RawRecord, WorkerLog
from crm_tui.services import today
from crm_tui.text import visible_lines
from crm_tui.vocabulary import ContactStatus, EventKind
from tests.conftest import Cli
from tests.inbox.offline import keep
from tests.inbox.world import ME, World, answer

ANN = "ann@plumber.example"


def nested(depth: int) -> str:
    body = "".join(
        f'Content-Type: multipart/mixed; boundary="b{n}"\n\n--b{n}\n' for n in range(depth)
    )
    return body + "Content-Type: text/plain\n\nYes.\n"


BOMB = base64.b64encode(zlib.compress(b"0" * 5_000_000)).decode()

SHAPES = {
    "nested deeply": nested(90),
    "a charset that is none": "Content-Type: text/plain; charset=utf-99\n\nYes \udcff.\n",
    "a charset that is a wrong one": "Content-Type: text/plain; charset=utf-16\n\nYes.\n",
    "an archive": f"Content-Type: application/gzip\nContent-Transfer-Encoding: base64\n\n{BOMB}\n",
    "escapes": "Content-Type: text/plain\n\nYes \x1b]52;c;ZXZpbA==\x07 \x1b[2J \u202egnp.exe \x9b31m\n",
    "no end": 'Content-Type: multipart/alternative; boundary="b"\n\n--b\n',
    "nothing": "\n",
}


# pymap takes minutes to take these in, or gives up on them.
BIG_SHAPES = {
    "ten thousand parts": 'Content-Type: multipart/mixed; boundary="b"\n\n'
    + "--b\nContent-Type: text/plain\n\nYes.\n" * 10_000,
    "a hundred thousand parts": 'Content-Type: multipart/mixed; boundary="b"\n\n'
    + "--b\n\nYes.\n" * 100_000,
    "a hundred thousand fields": "".join(f"X-{n}: y\n" for n in range(100_000)) + "\nYes.\n",
    "one field of three megabytes": f"X-Long: {'y' * 3_000_000}\n\nYes.\n",
    "encoded words without end": f"X-Words: {'=?utf-8?b?' * 50_000}\n"
    f"Comments: {'=?utf-8?q?a?= ' * 50_000}\n\nYes.\n",
    "base64 that is none": "Content-Type: text/plain\nContent-Transfer-Encoding: base64\n\n"
    + "%%%=\x00\xff" * 100_000,
    "base64 around base64": "Content-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\n"
    + base64.encodebytes(b"Content-Transfer-Encoding: base64\r\n\r\n" * 50_000).decode(),
    "a mail within a mail within a mail": "Content-Type: message/rfc822\n\n" * 5_000 + "Yes.\n",
    "a boundary that is everywhere": 'Content-Type: multipart/mixed; boundary="-"\n\n'
    + "-" * 500_000,
}


@pytest.mark.parametrize("shape", [*SHAPES, *BIG_SHAPES])
async def test_a_hostile_answer_is_an_answer_and_no_more(world: World, shape: str) -> None:
    _can_take(world, is_big=shape in BIG_SHAPES)
    lead, mail = await world.mailed("Ace", ANN)
    head = answer(mail).partition("\n\n")[0]
    body = (SHAPES | BIG_SHAPES)[shape]
    raw = f"{head}\nMIME-Version: 1.0\n{body}".replace("\n", "\r\n")
    world.deliver(raw.encode("utf-8", "surrogateescape"))
    came = await world.collect()
    assert (came.problem, came.applied) == ("", 1)
    assert (await world.business(lead)).contact_status is ContactStatus.REPLIED
    (event,) = await world.events(lead, EventKind.REPLIED)
    assert "\x1b" not in visible_lines(event.body or "")
    assert (await world.work()).sent == 0


async def test_a_mail_of_ten_megabytes_is_an_answer_of_which_little_is_kept(world: World) -> None:
    lead, mail = await world.mailed("Ace", ANN)
    world.deliver(answer(mail, text="Yes.\n" + "x" * 76 + "\n" + ("y" * 76 + "\n") * 130_000))
    assert (await world.collect()).applied == 1
    (event,) = await world.events(lead, EventKind.REPLIED)
    assert len(event.body or "") <= 64 * 1024
    assert event.data["cut"]
    (raw,) = await world.rows(RawRecord)
    assert len(str(raw.payload)) < 100_000


def _can_take(world: World, *, is_big: bool) -> None:
    assert world.server is not None
    if is_big and world.server.mails is None:
        pytest.skip("this server reads mails itself, without bounds")


UGLY = "\u202eevil\u2066\x1b]0;owned\x07\x1b[31m\x9b2J\u200f"


def _encoded(text: str) -> str:
    return f"=?utf-8?b?{base64.b64encode(text.encode()).decode()}?="


async def test_escapes_and_turned_letters_of_a_stranger_reach_no_screen(
    world: World, cli: Cli
) -> None:
    """Who wrote, about what, and what they say: on a timeline, in lists, and as JSON."""
    lead, _ = await world.mailed("Ace", ANN)
    for number, sender in ((1, ANN), (2, "bo@plumber.example")):
        text = answer(sender=sender, number=number, text=UGLY, subject=_encoded(UGLY))
        world.deliver(text.replace("From: Ann ", f"From: {_encoded(UGLY)} "))
    came = await world.collect()
    assert (came.applied, came.unmatched) == (1, 1)
    (event,) = await world.events(lead, EventKind.REPLIED)
    shown = [event.summary]
    for arguments in (("inbox", "list"), ("inbox", "list", "--json"), ("inbox", "show", "1")):
        ran = await asyncio.to_thread(cli, *arguments)
        assert ran.code == 0
        shown += [ran.out, ran.err]
    for words in shown:
        assert not set("\x1b\x07\x9b\u202e\u2066\u200f") & set(words), ascii(words)


async def test_the_mailbox_is_read_in_bounded_memory(world: World) -> None:
    """However much a stranger sends: one mail is held at a time, and of its parts but a few."""
    _can_take(world, is_big=True)
    _, mail = await world.mailed("Ace", ANN)
    bomb = "Content-Type: multipart/mixed; boundary=b\n\n" + "--b\n\nx\n" * 300_000
    for number in range(1, 4):
        head = answer(mail, number=number).partition("\n\n")[0]
        world.deliver(f"{head}\nMIME-Version: 1.0\n{bomb}")
    tracemalloc.start()
    try:
        assert (await world.collect()).applied == 3
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 20_000_000, peak


async def test_a_subject_with_line_ends_stays_a_line(world: World) -> None:
    lead, mail = await world.mailed("Ace", ANN)
    evil = "=?utf-8?q?Re=3A_hello=0D=0ABcc=3A_all=40else=2Eexample_=1B=5B2J?="
    world.deliver(answer(mail, subject=evil))
    await world.collect()
    (event,) = await world.events(lead, EventKind.REPLIED)
    assert "\n" not in event.summary
    assert "\x1b" not in event.summary
    groups = await today.order(world.db, due_by=world.now)
    async with world.db.read() as session:
        (line,) = await today.lines(session, groups[today.Kind.ANSWER])
    assert "\x1b" not in line.what


async def test_a_forged_sender_of_ours_is_no_mail_of_ours(world: World) -> None:
    """Whoever writes as the operator to the operator's own mailbox moves no lead by it."""
    lead = await world.lead("Ace", ANN)
    world.deliver(answer(sender=ME, to=ME, text="I am you."))
    await world.collect()
    assert (await world.business(lead)).contact_status is ContactStatus.PENDING


async def test_what_was_kept_before_a_run_was_cut_off_is_applied_by_the_next(
    offline: World,
) -> None:
    lead, mail = await offline.mailed("Ace", ANN)
    await keep(offline, cited=(mail.message_id,), text="Yes.")
    came = await offline.collect()
    assert (came.polled, came.applied) == (0, 1)
    assert (await offline.business(lead)).contact_status is ContactStatus.REPLIED


async def test_a_record_that_cannot_be_read_keeps_no_other_waiting(offline: World) -> None:
    lead, mail = await offline.mailed("Ace", ANN)
    await keep(offline, number=1, cited=(mail.message_id,))
    await keep(offline, number=2, cited=(mail.message_id,), text="Yes.")
    async with offline.db.write() as session:
        broken = RawRecord.external_id == "record-1"
        await session.execute(update(RawRecord).where(broken).values(payload={"kind": "reply"}))
    assert (await offline.collect()).applied == 1
    first, _ = await offline.rows(RawRecord)
    assert "received" in first.problem
    (line,) = [each for each in await offline.rows(WorkerLog) if each.is_problem]
    assert "was passed over" in line.words
    assert (await offline.business(lead)).contact_status is ContactStatus.REPLIED
    assert (await offline.collect()).applied == 0
