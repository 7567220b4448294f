"""The mailbox is read at two real servers that were written by others."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from datetime import UTC, date, datetime

import pytest

from crm_tui.config import ImapSettings
from crm_tui.providers.base import Misconfigured, Unavailable
from crm_tui.providers.imap import Arrived, Cursor, Mailbox
from crm_tui.providers.imap_check import check
from crm_tui.providers.imap_folders import Folder, chosen, decoded, encoded, listed
from crm_tui.providers.incoming import Kind, classify
from crm_tui.providers.secrets import Secret
from tests.providers.imap_script import Script, usual
from tests.providers.imap_servers import Server, dovecot, has_dovecot, pymap

SINCE = date(2026, 11, 20)
PASSWORD = Secret("demopass")


@pytest.fixture(
    scope="module",
    params=[
        "pymap",
        pytest.param(
            "dovecot",
            marks=pytest.mark.skipif(not has_dovecot(), reason="Dovecot is not installed"),
        ),
    ],
)
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    running = pymap() if request.param == "pymap" else dovecot()
    with running as server:
        yield server


@pytest.fixture
def folder(server: Server, request: pytest.FixtureRequest) -> str:
    """A folder of the test's own."""
    name = f"Of {abs(hash(request.node.nodeid)) % 10**8}"
    with server.other_program() as client:
        assert client.create(f'"{name}"')[0] == "OK"
    return name


def mail(number: int, body: str = "Yes, please.", more: str = "") -> bytes:
    return (
        f"From: Ann <ann@plumber.example>\r\nTo: me@studio.example\r\nSubject: Re: your site\r\n"
        f"Message-ID: <answer-{number}@plumber.example>\r\nIn-Reply-To: <ours-{number}@studio.example>\r\n"
        f"Date: Sun, 22 Nov 2026 08:59:30 +0000\r\n{more}\r\n{body}\r\n"
    ).encode()


def mailbox(server: Server) -> Mailbox:
    return Mailbox(server.settings, password=PASSWORD, timeout=20, limit=60)


async def named(box: Mailbox, name: str) -> Folder:
    return next(f for f in await box.all_folders() if f.name == name)


async def read_all(
    box: Mailbox, folder: Folder, cursor: Cursor | None
) -> tuple[list[Arrived], Cursor | None]:
    mails: list[Arrived] = []
    more = True
    while more:
        page = await box.new(folder, cursor, since=SINCE)
        mails += page.mails
        cursor, more = page.cursor, page.more
    return mails, cursor


async def test_what_came_is_read_once_and_in_order(server: Server, folder: str) -> None:
    server.deliver(*(mail(n) for n in range(3)), folder=folder)
    async with mailbox(server) as box:
        place = await named(box, folder)
        mails, cursor = await read_all(box, place, None)
        assert [m.heading.cited for m in mails] == [
            (f"<ours-{n}@studio.example>",) for n in range(3)
        ]
        assert mails[0].received == datetime(2026, 11, 22, 9, tzinfo=UTC)
        # The trap: "n:*" beyond the end gives the last mail again.
        assert (await read_all(box, place, cursor))[0] == []
        server.deliver(mail(7), folder=folder)
        later, _ = await read_all(box, place, cursor)
        assert [m.heading.message_id for m in later] == ["<answer-7@plumber.example>"]


async def test_a_body_is_what_was_delivered_and_nothing_is_marked_as_read(
    server: Server, folder: str
) -> None:
    server.deliver(mail(1), folder=folder)
    async with mailbox(server) as box:
        place = await named(box, folder)
        (arrived,) = (await box.new(place, None, since=SINCE)).mails
        body = await box.body(place, arrived)
        assert body is not None
        assert body.raw == mail(1)
        assert body.whole
        assert classify(body.raw, received=arrived.received).kind is Kind.REPLY
    with server.other_program() as client:
        client.select(f'"{folder}"', readonly=True)
        assert client.search(None, "UNSEEN")[1] != [b""]


async def test_many_mails_come_in_pages_of_fifty(server: Server, folder: str) -> None:
    server.deliver(*(mail(n) for n in range(120)), folder=folder)
    async with mailbox(server) as box:
        place = await named(box, folder)
        first = await box.new(place, None, since=SINCE)
        assert (len(first.mails), first.more, first.anew) == (50, True, True)
        rest, _ = await read_all(box, place, first.cursor)
        assert len(rest) == 70


async def test_mails_from_before_the_first_message_are_not_read(
    server: Server, folder: str
) -> None:
    server.deliver(mail(1), folder=folder, day="03")
    server.deliver(mail(2), folder=folder)
    async with mailbox(server) as box:
        mails, _ = await read_all(box, await named(box, folder), None)
    assert [m.heading.message_id for m in mails] == ["<answer-2@plumber.example>"]


async def test_a_folder_made_anew_is_read_from_its_beginning(server: Server, folder: str) -> None:
    server.deliver(mail(1), mail(2), folder=folder)
    async with mailbox(server) as box:
        place = await named(box, folder)
        _, cursor = await read_all(box, place, None)
        assert cursor is not None
        stale = Cursor(uidvalidity=cursor["uidvalidity"] + 1, last_uid=900)
        page = await box.new(place, stale, since=SINCE)
        assert page.anew
        assert len(page.mails) == 2
        assert page.cursor == cursor


async def test_a_mail_that_came_and_went_does_not_bring_the_last_one_again(
    server: Server, folder: str
) -> None:
    """The server has given out a number beyond the cursor, so that it is asked for "n:*" (RFC 3501,
    6.4.8): of a folder where nothing has that number, that is the last mail."""
    server.deliver(mail(1), mail(2), folder=folder)
    async with mailbox(server) as box:
        place = await named(box, folder)
        mails, cursor = await read_all(box, place, None)
        assert len(mails) == 2
        server.deliver(mail(3), folder=folder)
        with server.other_program() as client:
            client.select(f'"{folder}"')
            client.store("3", "+FLAGS", r"(\Deleted)")
            client.expunge()
            client.select(f'"{folder}"', readonly=True)
            assert cursor is not None
            beyond = f"{cursor['last_uid'] + 1}:*"
            assert client.uid("SEARCH", f"UID {beyond}")[1] == [str(mails[-1].uid).encode()]
        assert await read_all(box, place, cursor) == ([], cursor)


async def test_an_answer_read_and_archived_elsewhere_is_found(server: Server, folder: str) -> None:
    server.deliver(mail(9031))
    with server.other_program() as client:
        client.select("INBOX")
        (found,) = client.search(None, "HEADER", "Message-ID", "answer-9031@")[1]
        number = found.decode().split()[-1]
        client.store(number, "+FLAGS", r"(\Seen)")
        assert client.copy(number, f'"{folder}"')[0] == "OK"
        client.store(number, "+FLAGS", r"(\Deleted)")
        client.expunge()
    async with mailbox(server) as box:
        places = await box.folders()
        mails = [m for place in places for m in (await read_all(box, place, None))[0]]
    ids = [m.heading.message_id for m in mails]
    assert ids.count("<answer-9031@plumber.example>") == 1


async def test_a_mail_gone_between_header_and_body_is_none(server: Server, folder: str) -> None:
    server.deliver(mail(1), folder=folder)
    async with mailbox(server) as box:
        place = await named(box, folder)
        (arrived,) = (await box.new(place, None, since=SINCE)).mails
        with server.other_program() as client:
            client.select(f'"{folder}"')
            client.store("1", "+FLAGS", r"(\Deleted)")
            client.expunge()
        assert await box.body(place, arrived) is None


async def test_of_an_answer_of_ten_megabytes_the_beginning_is_read(
    server: Server, folder: str
) -> None:
    big = mail(1, body="Yes, please.\r\n" + ("x" * 70 + "\r\n") * 145_000)
    server.deliver(big, folder=folder)
    async with mailbox(server) as box:
        place = await named(box, folder)
        (arrived,) = (await box.new(place, None, since=SINCE)).mails
        body = await box.body(place, arrived)
    assert body is not None
    assert (len(body.raw), body.whole) == (256 * 1024, False)
    assert classify(body.raw, received=arrived.received).text.startswith("Yes, please.")


async def test_drafts_are_passed_over_wherever_they_lie(server: Server, folder: str) -> None:
    server.deliver(mail(1), folder=folder, flags=r"(\Draft)")
    async with mailbox(server) as box:
        assert (await read_all(box, await named(box, folder), None))[0] == []


async def test_drafts_and_trash_are_left_out_and_sent_is_read(server: Server) -> None:
    async with mailbox(server) as box:
        names = [f.name for f in await box.folders()]
    assert names[0] == "INBOX"
    assert "Sent" in names
    assert not {"Drafts", "Trash", "Bin"} & set(names)


async def test_a_folder_with_an_accented_name_is_read(server: Server) -> None:
    name = "Kunden & Γειά"
    with server.other_program() as client:
        client.create(f'"{encoded(name)}"')
    server.deliver(mail(1), folder=encoded(name))
    async with mailbox(server) as box:
        mails, _ = await read_all(box, await named(box, name), None)
    assert len(mails) == 1


async def test_only_the_folders_in_the_settings_are_read(server: Server) -> None:
    settings = ImapSettings(
        host="127.0.0.1", port=server.port, security="none", username="demouser", folders=("inbox",)
    )
    async with Mailbox(settings, password=PASSWORD) as box:
        assert [f.name for f in await box.folders()] == ["INBOX"]
    wrong = ImapSettings(
        host="127.0.0.1",
        port=server.port,
        security="none",
        username="demouser",
        folders=("Nowhere",),
    )
    async with Mailbox(wrong, password=PASSWORD) as box:
        with pytest.raises(Misconfigured, match="no folder Nowhere"):
            await box.folders()


async def test_a_folder_that_is_gone_says_so_and_keeps_its_cursor(server: Server) -> None:
    async with mailbox(server) as box:
        gone = Folder("Gone", "Gone", frozenset(), ("Gone",))
        cursor = Cursor(uidvalidity=1, last_uid=5)
        page = await box.new(gone, cursor, since=SINCE)
    assert page.refused
    assert page.cursor == cursor


async def test_a_mail_of_ours_is_looked_up_by_its_message_id(server: Server, folder: str) -> None:
    server.deliver(mail(5), folder=folder)
    async with mailbox(server) as box:
        place = await named(box, folder)
        assert await box.contains(place, "<answer-5@plumber.example>")
        assert not await box.contains(place, "<answer-6@plumber.example>")


async def test_the_account_is_tried_out_in_words(server: Server) -> None:
    steps = await check(server.settings, password=PASSWORD)
    assert [(s.step, s.ok) for s in steps] == [
        ("connect", True), ("tls", True), ("login", True), ("folders", True)
    ]  # fmt: skip
    assert "INBOX" in steps[-1].words
    refused = await check(server.settings, password=Secret("wrong"))
    assert (refused[-1].step, refused[-1].ok) == ("login", False)
    assert "app passwords" in refused[-1].words
    assert "wrong" not in refused[-1].words


async def test_a_connection_that_was_lost_is_opened_again(server: Server) -> None:
    async with mailbox(server) as box:
        await box.folders()
        box.connection._line.cut()
        with pytest.raises(Unavailable):
            await box.folders()
        assert await box.folders()


# -- servers that behave badly -------------------------------------------------------------------


PLACE = Folder("INBOX", "INBOX", frozenset(), ("INBOX",))
HEADER = b"Subject: hi\r\nMessage-ID: <a@b.example>\r\n\r\n"


async def test_data_nobody_asked_for_and_what_is_nil_do_not_confuse() -> None:
    def answer(tag: str, command: str) -> bytes:
        if " FETCH" not in f" {command}":
            return usual(tag, command)
        return (
            b"* 7 EXISTS\r\n* 3 FETCH (FLAGS (\\Seen))\r\n* OK still here\r\n"
            b"* 2 FETCH (UID 3 RFC822.SIZE 10 BODY[HEADER]<0> NIL)\r\n"
            b'* 1 FETCH (BODY[HEADER]<0> {%d}\r\n%s UID 4 INTERNALDATE " 2-Nov-2026 10:00:00 +0200"'
            b" RFC822.SIZE 99)\r\n* 1 FETCH (UID 4 FLAGS ())\r\n%s OK done\r\n"
        ) % (len(HEADER), HEADER, tag.encode())

    async with Mailbox(Script(answer).settings, password=PASSWORD, timeout=60) as box:
        (arrived,) = (await box.new(PLACE, None, since=SINCE)).mails
    assert (arrived.uid, arrived.size) == (4, 99)
    assert arrived.received == datetime(2026, 11, 2, 8, tzinfo=UTC)
    assert arrived.heading.message_id == "<a@b.example>"


@pytest.mark.parametrize(
    "nonsense",
    [
        b"",
        b"* BYE for today\r\n",
        b"\xff\xfe\x00\r\n",
        b"* SEARCH {99999999999}\r\n",
        b"* 1 FETCH (BODY[] {900}\r\nabc",
    ],
)
async def test_a_server_that_hangs_up_or_talks_nonsense_is_unavailable(nonsense: bytes) -> None:
    def answer(tag: str, command: str) -> bytes:
        return nonsense if "SEARCH" in command else usual(tag, command)

    async with Mailbox(Script(answer).settings, password=PASSWORD, timeout=1) as box:
        with pytest.raises(Unavailable):
            await box.new(PLACE, None, since=SINCE)


async def test_a_server_that_falls_silent_is_left_when_cancelled() -> None:
    asked = threading.Event()

    def answer(tag: str, command: str) -> bytes:
        if "SEARCH" in command:
            asked.set()
            return b"* OK wait\r\n"
        return usual(tag, command)

    async with Mailbox(Script(answer).settings, password=PASSWORD, timeout=60) as box:
        task = asyncio.ensure_future(box.new(PLACE, None, since=SINCE))
        await asyncio.to_thread(asked.wait, 90)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(task, 90)


async def test_a_password_is_never_sent_readable_by_others() -> None:
    with pytest.raises(Misconfigured, match="unencrypted"):
        Mailbox(ImapSettings(host="imap.example.com", security="none"), password=PASSWORD)
    settings = Script(usual).settings
    plain = ImapSettings(host="127.0.0.1", port=settings.port, security="starttls", username="u")
    (_, refused) = await check(plain, password=PASSWORD, timeout=60)
    assert "STARTTLS" in refused.words


# -- folders -------------------------------------------------------------------------------------


def names(*lines: bytes, gmail: bool = False) -> list[str]:
    return [f.name for f in chosen(listed(lines), gmail=gmail)]


def test_without_special_use_the_usual_names_are_left_out() -> None:
    assert names(
        b'(\\HasNoChildren) "/" "Archiv"',
        b'(\\HasNoChildren) "/" "INBOX"',
        b'(\\HasNoChildren) "/" "Entw&APw-rfe"',
        b'(\\HasNoChildren) "/" "INBOX/Papierkorb"',
        b'(\\HasNoChildren) "/" "INBOX/Papierkorb/2020"',
        b'(\\HasNoChildren) "/" "Kunden/Gel&APY-scht"',
        b'(\\Noselect) "/" "Kunden"',
        b'(\\HasNoChildren) NIL "Gesendet"',
    ) == ["INBOX", "Archiv", "Kunden/Gelöscht", "Gesendet"]


def test_at_gmail_every_mail_is_read_in_one_place() -> None:
    lines = (
        b'(\\HasNoChildren) "/" "INBOX"',
        b'(\\HasNoChildren \\All) "/" "[Gmail]/All Mail"',
        b'(\\HasNoChildren \\Junk) "/" "[Gmail]/Spam"',
        b'(\\HasNoChildren \\Trash) "/" "[Gmail]/Trash"',
        b'(\\HasNoChildren) "/" "Customers"',
    )
    assert names(*lines, gmail=True) == ["[Gmail]/All Mail", "[Gmail]/Spam"]
    assert names(*lines) == ["INBOX", "[Gmail]/All Mail", "[Gmail]/Spam", "Customers"]


def test_names_come_out_of_utf_7_and_go_back() -> None:
    assert decoded("Entw&APw-rfe &- &ZeVnLIqe-") == "Entwürfe & 日本語"
    assert encoded("Entwürfe & 日本語") == "Entw&APw-rfe &- &ZeVnLIqe-"
    assert decoded("A&B- & C") == "A&B- & C"
    quoted_name = listed([b'() "/" "a \\"b\\" \\\\c"', (b'() "/" {6}', b'd "e" '), b""])
    assert [f.name for f in quoted_name] == ['a "b" \\c', 'd "e" ']
    assert quoted_name[0].quoted == '"a \\"b\\" \\\\c"'
