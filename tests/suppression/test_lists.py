"""Lists of those not to be contacted, as other programs write them."""

from __future__ import annotations

import io
import time
from datetime import datetime
from pathlib import Path

import pytest
from sqlalchemy import func, select

from crm_tui.config import Settings
from crm_tui.db.engine import Database
from crm_tui.db.models import Business, Suppression
from crm_tui.errors import BadInput
from crm_tui.services import suppression, undo
from crm_tui.services.suppression import Imported
from tests.conftest import AddLead
from tests.queue_rows import add_campaign, messages


async def read(db: Database, folder: Path, text: str | bytes, now: datetime) -> Imported:
    path = folder / "stop.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return await suppression.import_list(db, path, region="US", now=now)


async def on_list(db: Database) -> dict[str, tuple[str, str]]:
    async with db.read() as session:
        rows = await session.execute(
            select(Suppression.value, Suppression.kind, Suppression.reason).order_by(Suppression.id)
        )
        return {value: (kind.value, reason) for value, kind, reason in rows}


USUAL = "on the list stop.csv"


async def test_a_plain_list_has_one_value_a_line(
    db: Database, tmp_path: Path, now: datetime
) -> None:
    text = "joe@plumbing.com\r\n\r\n718-555-0142\nroofing.com\nJOE@plumbing.com\nrubbish\n"
    result = await read(db, tmp_path, text, now)
    assert (result.seen, result.added, result.known, result.rejected) == (5, 3, 1, 1)
    assert [tuple(each) for each in result.problems] == [
        (6, "“rubbish” is no address, number or domain.")
    ]
    assert await on_list(db) == {
        "joe@plumbing.com": ("email", USUAL),
        "+17185550142": ("phone", USUAL),
        "roofing.com": ("domain", USUAL),
    }
    again = await read(db, tmp_path, text, now)
    assert (again.added, again.known) == (0, 4)


@pytest.mark.parametrize(
    "text",
    [
        "reason;kind;value\nunsubscribed;email;joe@plumbing.com\n",
        "value,kind,reason\njoe@plumbing.com,email,unsubscribed\n",
        "First Name,Email Address,Status\nJoe,joe@plumbing.com,unsubscribed\n",
        "\ufeffE-Mail\tGrund\njoe@plumbing.com\tunsubscribed\n",
        "joe@plumbing.com,unsubscribed\n",
        "1;unsubscribed;joe@plumbing.com\n",
        "'joe@plumbing.com|unsubscribed\n".removeprefix("'"),
    ],
)
async def test_the_order_of_columns_and_a_header_do_not_matter(
    db: Database, tmp_path: Path, now: datetime, text: str
) -> None:
    result = await read(db, tmp_path, text, now)
    assert (result.seen, result.added, result.problems) == (1, 1, [])
    assert await on_list(db) == {"joe@plumbing.com": ("email", "unsubscribed")}


async def test_address_and_number_of_one_line_are_both_barred_but_not_its_website(
    db: Database, tmp_path: Path, now: datetime
) -> None:
    await read(db, tmp_path, "Joe,joe@plumbing.com,718 555 0142,www.plumbing.com\n", now)
    assert await on_list(db) == {
        "joe@plumbing.com": ("email", "Joe"),
        "+17185550142": ("phone", "Joe"),
    }


async def test_bare_numbers_count_the_lines_and_bar_no_lead(
    db: Database, add_lead: AddLead, tmp_path: Path, now: datetime
) -> None:
    joe = await add_lead("Joe")
    result = await read(db, tmp_path, f"{joe}\n{joe},rubbish\n", now)
    assert (result.added, result.rejected) == (0, 2)
    result = await read(db, tmp_path, f"lead,reason\n{joe},closed\n999,closed\n", now)
    assert (result.added, result.rejected) == (1, 1)
    assert [tuple(each) for each in result.problems] == [(3, "There is no lead 999.")]
    async with db.read() as session:
        assert await session.scalar(select(Business.do_not_contact_reason)) == "closed"


@pytest.mark.parametrize(
    "text",
    [
        b'"joe@plumbing.com\nann@roofing.com\n"bob@heating.com"\n',
        "joe@plumbing.com\nann@roofing.com\nbob@heating.com".encode("utf-16"),
        b"\xff\xfejunk\xe9 \njoe@plumbing.com\nann@roofing.com\nbob@heating.com",
        b"joe@plumbing.com\n" + b'"' * 200_000 + b"\nann@roofing.com\nbob@heating.com\n",
    ],
    ids=["an open quotation mark", "UTF-16", "broken bytes", "an endless line"],
)
async def test_what_is_broken_spoils_no_more_than_its_line(
    db: Database, tmp_path: Path, now: datetime, text: bytes
) -> None:
    if text.startswith(b"\xff\xfej"):
        text = text[2:]
    await read(db, tmp_path, text, now)
    assert {"joe@plumbing.com", "ann@roofing.com", "bob@heating.com"} == set(await on_list(db))


@pytest.mark.parametrize("text", [b"", b"\n\n \n"])
async def test_an_empty_list_bars_nobody(
    db: Database, tmp_path: Path, now: datetime, text: bytes
) -> None:
    result = await read(db, tmp_path, text, now)
    assert (result.seen, result.added, result.rejected) == (0, 0, 0)


async def test_what_is_no_list_is_refused(db: Database, tmp_path: Path, now: datetime) -> None:
    with pytest.raises(BadInput, match="is no text"):
        await read(db, tmp_path, b"PK\x03\x04\x00\x00\x00", now)
    with pytest.raises(BadInput, match="There is no file"):
        await suppression.import_list(db, tmp_path / "none.csv", region="US", now=now)
    with pytest.raises(BadInput, match="There is no file"):
        await suppression.import_list(db, tmp_path, region="US", now=now)


async def test_an_import_skips_what_waits_and_is_one_action(
    db: Database, add_lead: AddLead, tmp_path: Path, settings: Settings, now: datetime
) -> None:
    joe = await add_lead("Joe", email="joe@plumbing.com")
    bob = await add_lead("Bob", email="bob@heating.com")
    campaign = await add_campaign(db, [joe, bob], now=now, steps=2)
    text = "".join(f"x{number}@other.com\n" for number in range(1_200)) + "plumbing.com\n"
    result = await read(db, tmp_path, text, now)
    assert (result.added, result.skipped) == (1_201, 2)
    assert (await messages(db, campaign))[bob, 1] == ("queued", None)
    async with db.read() as session:
        entries = await undo.entries(session, limit=9)
    assert [each.words for each in entries] == ["barred 1,201 values of stop.csv"]
    await undo.undo(db, settings=settings, now=now)
    assert await on_list(db) == {}
    assert set((await messages(db, campaign)).values()) == {("queued", None)}


@pytest.mark.parametrize("lines", [10_000, pytest.param(100_000, marks=pytest.mark.long)])
async def test_a_hundred_thousand_lines_do_not_take_long(
    db: Database, tmp_path: Path, now: datetime, lines: int
) -> None:
    text = "email,reason\n" + "".join(
        f"person{number}@firm{number % 977}.com,unsubscribed\n" for number in range(lines)
    )
    began = time.perf_counter()
    result = await read(db, tmp_path, text, now)
    assert result.added == lines
    assert time.perf_counter() - began < 60
    async with db.read() as session:
        assert await session.scalar(select(func.count(Suppression.id))) == lines


async def test_what_is_exported_is_imported_again_as_it_was(
    db: Database, add_lead: AddLead, tmp_path: Path, settings: Settings, now: datetime
) -> None:
    joe = await add_lead("Joe")
    for typed, why in (
        ("joe@plumbing.com", '=HYPERLINK("http://x")'),
        ("718-555-0142", "said, no"),
        ("roofing.com", "competitor"),
        (f"lead:{joe}", "closed down"),
    ):
        entry = suppression.Entry(suppression.read_value(typed, region="US"), why)
        await suppression.add(db, entry, now=now)
    before = await on_list(db)
    path = tmp_path / "out.csv"
    assert await suppression.export_list(db, path) == 4
    assert "'=HYPERLINK" in path.read_text()
    stream = io.StringIO()
    await suppression.write_list(db, stream)
    assert stream.getvalue() == path.read_bytes().decode()
    for _ in range(4):
        await undo.undo(db, settings=settings, now=now)
    assert await on_list(db) == {}
    result = await suppression.import_list(db, path, region="US", now=now)
    assert (result.added, result.rejected) == (4, 0)
    assert await on_list(db) == before


async def test_an_export_that_cannot_be_written_says_so(db: Database, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="is a folder"):
        await suppression.export_list(db, tmp_path)
    with pytest.raises(BadInput, match="cannot be written"):
        await suppression.export_list(db, tmp_path / "none" / "list.csv")
