"""Mails that nobody should send: nothing crashes, nothing is sent, nothing reaches the screen raw."""

from __future__ import annotations

import base64
import zlib

import pytest
from sqlalchemy import update

from crm_tui.db.models import RawRecord, WorkerLog
from crm_tui.services import today
from crm_tui.text import visible_lines
from crm_tui.vocabulary import ContactStatus, EventKind
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
    "ten thousand parts": 'Content-Type: multipart/mixed; boundary="b"\n\n'
    + "--b\nContent-Type: text/plain\n\nYes.\n" * 10_000,
    "a charset that is none": "Content-Type: text/plain; charset=utf-99\n\nYes \udcff.\n",
    "a charset that is a wrong one": "Content-Type: text/plain; charset=utf-16\n\nYes.\n",
    "an archive": f"Content-Type: application/gzip\nContent-Transfer-Encoding: base64\n\n{BOMB}\n",
    "escapes": "Content-Type: text/plain\n\nYes \x1b]52;c;ZXZpbA==\x07 \x1b[2J \u202egnp.exe \x9b31m\n",
    "no end": 'Content-Type: multipart/alternative; boundary="b"\n\n--b\n',
    "nothing": "\n",
}


@pytest.mark.parametrize("shape", SHAPES)
async def test_a_hostile_answer_is_an_answer_and_no_more(world: World, shape: str) -> None:
    lead, mail = await world.mailed("Ace", ANN)
    head = answer(mail).partition("\n\n")[0]
    raw = f"{head}\nMIME-Version: 1.0\n{SHAPES[shape]}".replace("\n", "\r\n")
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
