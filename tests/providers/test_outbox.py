"""The outbox: a mail is a file, whole, once."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from crm_tui.providers.base import Misconfigured, Unsendable
from crm_tui.providers.message import build
from crm_tui.providers.outbox import OutboxSender, file_name
from tests.providers.mail_server import a_mail


def files(folder: Path) -> dict[str, bytes]:
    """What is in the outbox, hidden files too."""
    return {path.name: path.read_bytes() for path in folder.iterdir()}


async def test_a_mail_becomes_a_file_named_after_it(tmp_path: Path) -> None:
    folder = tmp_path / "out" / "box"
    async with OutboxSender(folder) as outbox:
        sent = await outbox.send(a_mail())
    assert sent.message_id == a_mail().message_id
    assert files(folder) == {"6f1f0c9e.1@example.com.eml": build(a_mail())}
    assert folder.stat().st_mode & 0o077 == 0


async def test_the_same_mail_twice_is_one_file(tmp_path: Path) -> None:
    async with OutboxSender(tmp_path) as outbox:
        first = await outbox.send(a_mail())
        assert await outbox.send(a_mail()) == first
    assert len(files(tmp_path)) == 1


async def test_another_mail_under_the_same_id_is_not_written_over_it(tmp_path: Path) -> None:
    async with OutboxSender(tmp_path) as outbox:
        await outbox.send(a_mail())
        with pytest.raises(Unsendable, match="another mail with this Message-ID"):
            await outbox.send(a_mail(subject="Another"))
    assert list(files(tmp_path).values()) == [build(a_mail())]


async def test_many_at_once_are_all_there(tmp_path: Path) -> None:
    async with OutboxSender(tmp_path) as outbox:
        await asyncio.gather(*(outbox.send(a_mail(number)) for number in range(100)))
    assert files(tmp_path) == {
        file_name(a_mail(number).message_id): build(a_mail(number)) for number in range(100)
    }


async def test_a_half_written_file_of_a_killed_sender_is_in_nobodys_way(tmp_path: Path) -> None:
    name = file_name(a_mail().message_id)
    (tmp_path / f".{name}.part").write_bytes(b"From: An")
    async with OutboxSender(tmp_path) as outbox:
        await outbox.send(a_mail())
    assert files(tmp_path) == {name: build(a_mail())}


async def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    async with OutboxSender(tmp_path / "file" / "box") as outbox:
        with pytest.raises(Misconfigured, match="cannot be written to: Not a directory"):
            await outbox.send(a_mail())


async def test_what_is_no_mail_leaves_no_file(tmp_path: Path) -> None:
    async with OutboxSender(tmp_path) as outbox:
        with pytest.raises(Unsendable):
            await outbox.send(a_mail(subject="a\nBcc: b@c.example"))
    assert files(tmp_path) == {}


@pytest.mark.parametrize(
    "message_id",
    ["<../../etc/passwd@x>", "<.hidden@x>", "<a/b@x>", "<" + "x" * 900 + "@y>", "<é@x>"],
)
def test_a_file_name_stays_in_its_folder(message_id: str) -> None:
    name = file_name(message_id)
    assert os.sep not in name
    assert not name.startswith(".")
    assert len(os.fsencode(name)) < 240
    assert name.endswith(".eml")


def test_ids_that_differ_only_in_what_a_name_cannot_hold_have_their_own_files() -> None:
    names = {file_name(f"<a{character}b@x>") for character in "/_:*"}
    assert len(names) == 4
