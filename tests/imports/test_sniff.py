from __future__ import annotations

import json
import os
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from crm_tui.errors import BadInput
from crm_tui.services.imports.captured import CapturedLead, ReadOptions
from crm_tui.services.imports.reading import read
from crm_tui.services.imports.sniff import sniff

TABLE = "Name;Telefon;Ort\r\nMüller Sanitär;0221 123456;Köln\r\nBäcker Groß;0221 123457;Köln\r\n"
OUTSCRAPER = {
    "query": "plumber",
    "name": "Ace",
    "full_address": "1 Main St, Albany, NY 12207",
    "phone": "+1 518-555-0100",
    "google_id": "0x1:0x2",
    "place_id": "ChIJ1",
    "working_hours": {"Monday": ["8AM-5PM"]},
    "photos_count": 3,
    "email_1": "joe@ace.example",
    "email_1_full_name": "Joe Ace",
    "email_1_title": "Owner",
}
GOSOM = {
    "input_id": "1",
    "title": "Ace",
    "web_site": "http://ace.example/",
    "phone": "97 754374",
    "longtitude": 32.4,
    "latitude": 35.0,
    "open_hours": {"Monday": ["9 am\u20135 pm"]},
    "complete_address": {"street": "Main 1", "city": "Paphos", "country": "CY"},
    "data_id": "0x1:0x2",
    "reviews_link": "https://search.google.com/local/reviews?placeid=ChIJ1&q=x",
    "emails": ["joe@ace.example"],
}
PLACE = {
    "id": "ChIJ1",
    "displayName": {"text": "Ace"},
    "formattedAddress": "1 Main St, Albany, NY 12207, USA",
    "nationalPhoneNumber": "(518) 555-0100",
    "types": ["plumber"],
}


def leads_of(path: Path, **options: Any) -> list[CapturedLead]:
    with sniff(path, **options) as source:
        found = list(read(source, ReadOptions()))
    assert all(isinstance(lead, CapturedLead) for lead in found), found
    return [lead for lead in found if isinstance(lead, CapturedLead)]


@pytest.mark.parametrize(
    "data",
    [
        TABLE.encode(),
        b"\xef\xbb\xbf" + TABLE.encode(),
        TABLE.encode("utf-16"),
        TABLE.encode("utf-16-le"),
        TABLE.encode("utf-16-be"),
        TABLE.encode("latin-1"),
        TABLE.encode("cp1252"),
        TABLE.replace("\r\n", "\n").encode(),
        TABLE.replace("\r\n", "\r").encode(),
        TABLE.replace(";", ",").encode(),
        TABLE.replace(";", "\t").encode(),
        TABLE.replace(";", "|").encode(),
        ("sep=;\r\n" + TABLE).encode(),
        ("Meine Liste\r\n\r\n" + TABLE).encode(),
        ("\r\n\r\n" + TABLE).encode(),
        TABLE.replace("Müller Sanitär", '"Müller Sanitär"').encode(),
    ],
    ids=lambda data: str(data[:24]),
)
def test_every_dialect_and_encoding_gives_the_same_leads(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    path.write_bytes(data)
    with sniff(path) as source:
        leads = list(read(source, ReadOptions(default_region="DE")))
    assert all(isinstance(lead, CapturedLead) for lead in leads)
    shown = [
        (x.row, x.name, x.city, x.points[0].value) for x in leads if isinstance(x, CapturedLead)
    ]
    assert shown == [
        (1, "Müller Sanitär", "Köln", "+49221123456"),
        (2, "Bäcker Groß", "Köln", "+49221123457"),
    ]


def test_an_accent_on_the_last_page_still_tells_the_encoding(tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    rows = "".join(f"Ace {i},Albany\n" for i in range(200_000))
    path.write_bytes(f"name,city\n{rows}Café,Köln\n".encode("latin-1"))
    assert leads_of(path)[-1].name == "Café"


def test_a_table_without_a_header_is_read_by_what_its_cells_look_like(tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    path.write_text("Ace Plumbing,+1 518-555-0100,joe@ace.example\nBest,+1 518-555-0101,\n")
    first = leads_of(path)[0]
    assert (first.row, first.name) == (1, "Ace Plumbing")
    assert [point.value for point in first.points] == ["+15185550100", "joe@ace.example"]


@pytest.mark.parametrize(
    ("document", "name"),
    [
        ([OUTSCRAPER], "outscraper"),
        ([[OUTSCRAPER], []], "outscraper"),
        ([[], [OUTSCRAPER]], "outscraper"),
        ({"id": "1", "status": "Success", "data": [[OUTSCRAPER]]}, "outscraper"),
        ({"data": [OUTSCRAPER]}, "outscraper"),
        ([GOSOM], "gosom"),
        (GOSOM, "gosom"),
        ({"places": [PLACE], "nextPageToken": "x"}, "places"),
        ([{"places": [PLACE]}, {"places": []}], "places"),
        ([PLACE], "places"),
    ],
)
@pytest.mark.parametrize("indent", [None, 1])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_json_of_every_shape_is_found(
    document: Any, name: str, indent: int | None, encoding: str, tmp_path: Path
) -> None:
    path = tmp_path / "list.json"
    path.write_text(json.dumps(document, indent=indent), encoding=encoding)
    assert sniff(path).format == name
    (lead,) = leads_of(path)
    assert (lead.row, lead.name, lead.place_id) == (1, "Ace", "ChIJ1")


@pytest.mark.parametrize("record", [OUTSCRAPER, GOSOM, PLACE, {"places": [PLACE]}])
def test_json_lines_are_read_line_by_line(record: Any, tmp_path: Path) -> None:
    path = tmp_path / "list.json"
    path.write_text("\n".join([json.dumps(record)] * 3) + "\n\n")
    assert [lead.row for lead in leads_of(path)] == [1, 2, 3]


SCANT = {
    "outscraper": {"name": "Ace", "query": "plumber", "place_id": "ChIJ1", "site": "ace.example"},
    "gosom": {"title": "Ace", "web_site": "http://ace.example/", "place_id": "ChIJ1"},
    "places": {"id": "ChIJ1", "displayName": {"text": "Ace"}},
}


@pytest.mark.parametrize("name", SCANT)
@pytest.mark.parametrize("lines", [True, False])
def test_one_telling_key_is_enough_in_json(name: str, *, lines: bool, tmp_path: Path) -> None:
    path = tmp_path / "list.json"
    record = json.dumps(SCANT[name])
    path.write_text(f"{record}\n{record}\n" if lines else f"[{record}]")
    assert sniff(path).format == name
    assert {(lead.name, lead.place_id) for lead in leads_of(path)} == {("Ace", "ChIJ1")}


def test_gosoms_own_spellings_are_read(tmp_path: Path) -> None:
    path = tmp_path / "list.json"
    path.write_text(json.dumps([{"title": "Ace", "web_site": "ace.example", "longtitude": 32.4}]))
    (lead,) = leads_of(path)
    assert (lead.longitude, lead.points[0].value) == (32.4, "https://ace.example/")


@pytest.mark.parametrize("name", SCANT)
@pytest.mark.parametrize("shape", ["[{}]", "[[{}]]", '{{"data": [{}]}}', '{{"data": [[{}]]}}'])
def test_a_forced_format_finds_the_records_too(name: str, shape: str, tmp_path: Path) -> None:
    record = {"name": "Ace", "title": "Ace", "displayName": "Ace"}
    if name != "places":
        del record["displayName"]
    path = tmp_path / "list.json"
    path.write_text(shape.format(json.dumps(record)))
    assert [(lead.row, lead.name) for lead in leads_of(path, forced=name)] == [(1, "Ace")]


@pytest.mark.parametrize("indent", [None, 1])
def test_forced_places_are_found_in_their_pages(indent: int | None, tmp_path: Path) -> None:
    path = tmp_path / "list.json"
    for document in ({"places": [PLACE]}, [{"places": [PLACE]}]):
        path.write_text(json.dumps(document, indent=indent))
        assert [lead.name for lead in leads_of(path, forced="places")] == ["Ace"]


def test_persons_and_titles_come_with_their_addresses(tmp_path: Path) -> None:
    path = tmp_path / "list.json"
    path.write_text(json.dumps([OUTSCRAPER]))
    (email,) = [point for point in leads_of(path)[0].points if point.kind == "email"]
    assert (email.value, email.person, email.title) == ("joe@ace.example", "Joe Ace", "Owner")


def test_a_broken_json_line_is_rejected_alone(tmp_path: Path) -> None:
    path = tmp_path / "list.json"
    good = json.dumps(GOSOM)
    path.write_text(
        f"{good}\n{good[:40]}\n[1]\n{json.dumps({**GOSOM, 'title': 'a' + chr(0)})}\n{good}\n"
    )
    with sniff(path) as source:
        found = list(read(source, ReadOptions()))
    assert [(row.row, getattr(row, "reason", "")) for row in found] == [
        (1, ""),
        (2, "the line is not JSON"),
        (3, "not a record: no names and values"),
        (4, "a NUL byte"),
        (5, ""),
    ]


def test_json_that_breaks_off_further_on_says_after_which_record(tmp_path: Path) -> None:
    path = tmp_path / "list.json"
    path.write_text(json.dumps([OUTSCRAPER] * 3)[:-40] + "]")
    with sniff(path) as source, pytest.raises(BadInput, match="after record 2"):
        list(read(source, ReadOptions()))


def test_a_sqlite_file_is_a_legacy_store(tmp_path: Path) -> None:
    path = tmp_path / "old.bin"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE businesses (id)")
    connection.close()
    assert sniff(path).format == "legacy"


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        ("empty.csv", b"", "is empty"),
        ("blank.csv", b"\xef\xbb\xbf \r\n\r\n", "is empty"),
        ("header.csv", b"name,phone\r\n", "only a header"),
        ("list.xlsx", b"PK\x03\x04" + bytes(100), "save the list as CSV"),
        ("list.csv", b"PK\x03\x04" + bytes(100), "save the list as CSV"),
        ("list.pdf", b"%PDF-1.7\n", "is a PDF"),
        ("list.csv", bytes(range(256)) * 20, "not a text file"),
        ("list.csv", b"<!DOCTYPE html><html></html>", "is a web page"),
        ("list.json", b"name,phone\nAce,1\n", "is a table, though its name promises JSON"),
        ("list.json", b"name,phone\nAce,1\n", "--format csv reads it anyway"),
        ("list.json", b"42", "no list of businesses"),
        ("list.json", b'"abc"\n', "no list of businesses"),
        ("list.json", b"null", "no list of businesses"),
        ("list.csv", json.dumps([GOSOM]).encode(), "is JSON, though its name promises a table"),
        ("list.csv", json.dumps(PLACE).encode(), "--format places reads it anyway"),
        ("list.csv", b"SQLite format 3\0", "is a SQLite file, though its name"),
        ("list.json", b'[{"name": "Ace"', "is cut off"),
        ("list.json", b'[{"name": "Ace"}]', "unknown shape"),
        ("list.json", b'{"error": {"code": 403}}', "holds no leads"),
        ("list.json", b"[]", "holds no leads"),
        ("list.json", b'{"places": []}', "holds no leads"),
        ("list.json", b'[{"name" "Ace"}]', "is damaged"),
        ("old.db", b"name,phone\nAce,1\n", "not a SQLite file"),
        ("prose.txt", b"Dear Sir, this is a letter.\nThe old one, I fear, is lost.\n", "is a text"),
        ("prose.txt", b"Dear Sir,\n\nyour website is old, and slow.\n\nYours,\nJoe\n", "is a text"),
        ("prose.txt", b"Dear Sir, this is a letter.", "only a header"),
        ("list.csv", b"a,b\n1,2\n3,4\n", "--map COLUMN=name"),
    ],
)
def test_what_cannot_be_imported_is_one_sentence_with_the_file(
    name: str, data: bytes, words: str, tmp_path: Path
) -> None:
    path = tmp_path / name
    path.write_bytes(data)
    with pytest.raises(BadInput) as error:
        leads_of(path)
    assert words in str(error.value)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


def test_a_missing_file_and_a_folder_say_so(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="does not exist"):
        sniff(tmp_path / "none.csv")
    with pytest.raises(BadInput, match="is a folder"):
        sniff(tmp_path)
    with pytest.raises(BadInput, match="not a file name"):
        sniff(Path("a\0b"))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_an_unreadable_file_says_so(tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    path.write_text("name\nAce\n")
    path.chmod(0)
    with pytest.raises(BadInput, match="cannot be read"):
        sniff(path)


def test_a_format_can_be_forced_only_where_it_can_be_read(tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    path.write_text("name,phone\nAce,1\n")
    assert sniff(path, forced="outscraper").format == "outscraper"
    with pytest.raises(BadInput, match="cannot be read as places: it is a table"):
        sniff(path, forced="places")
    with pytest.raises(BadInput, match="There is no format “xlsx”"):
        sniff(path, forced="xlsx")


def test_a_file_that_is_not_what_its_name_says_is_read_when_told_so(tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    path.write_text(json.dumps([GOSOM]))
    assert [lead.name for lead in leads_of(path, forced="gosom")] == ["Ace"]
    path = tmp_path / "list.json"
    path.write_text("name,phone\nAce,1\n")
    assert [lead.name for lead in leads_of(path, forced="csv")] == ["Ace"]


@pytest.mark.parametrize("text", ["Name, City\nAce, Albany\n", "Ace\nBest\n", "A,B\nAce, x\n"])
def test_a_table_with_careless_blanks_is_no_text(text: str, tmp_path: Path) -> None:
    path = tmp_path / "list.txt"
    path.write_text(text)
    assert sniff(path).format == "csv"


def test_the_position_grows_to_the_size(tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    path.write_text("name,city\n" + "Ace,Albany\n" * 100_000)
    with sniff(path) as source:
        rows = read(source, ReadOptions())
        assert source.position() == 0
        next(rows)
        early = source.position()
        assert 0 < early < source.size
        assert sum(1 for _ in rows) == 99_999
        assert source.position() == source.size
