"""What a file is, told by its content: format, encoding and dialect.

The name of a file only matters where it promises something the content does not keep.
"""

from __future__ import annotations

import csv
import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

import ijson

from crm_tui.errors import BadInput
from crm_tui.services import contacts
from crm_tui.services.imports import mapping
from crm_tui.services.imports.source import Source, detect_encoding

FORMATS = ("outscraper", "gosom", "places", "csv", "crm-tui", "legacy")
"""The formats that can be told or forced."""

_SAMPLE = 1 << 20
_LONGEST_FIRST_LINE = 1 << 23
_LARGEST_RECORD_FILE = 1 << 26
_MAGIC = (
    (b"%PDF", "a PDF", "Copy the list into a spreadsheet and save it as CSV."),
    (b"PK\x03\x04", "a spreadsheet or another zip file", "Open it and save the list as CSV."),
    (b"\xd0\xcf\x11\xe0", "an old Excel file", "Open it and save the list as CSV."),
    (b"\x1f\x8b", "compressed", "Unpack it first."),
    (b"\x89PNG", "a picture", "Name a CSV or JSON file."),
    (b"\xff\xd8\xff", "a picture", "Name a CSV or JSON file."),
    (b"GIF8", "a picture", "Name a CSV or JSON file."),
    (b"PAR1", "a Parquet file", "Export the list as CSV."),
)
_JSON_START = re.compile(rb"\s*[\[{]")
_CONTROL = re.compile("[\x00-\x08\x0e-\x1f\x7f\ud800-\udfff]")
_DELIMITERS = (",", ";", "\t", "|")
# Columns that tell a scraper's table, and how many of them must be there.
_OWN_COLUMNS = frozenset({"key", "name", "contact_status", "website_status", "points"})
_TELLING = {
    "outscraper": (
        {"name"},
        """google_id place_id full_address subtypes working_hours us_state reviews_link
        area_service location_link owner_id reviews_id photos_count time_zone business_status
        borough reviews_per_score""".split(),
        4,
    ),
    "gosom": (
        {"title"},
        """input_id complete_address open_hours review_rating data_id reviews_per_rating
        popular_times user_reviews order_online price_range reviews_link""".split(),
        3,
    ),
    "places": (
        set[str](),
        """displayName formattedAddress nationalPhoneNumber websiteUri googleMapsUri
        userRatingCount addressComponents businessStatus location primaryType types""".split(),
        2,
    ),
}
# JSON has no plain format to be mistaken for: beside what names a record, one key that only one
# scraper writes is enough, or two that go together.
_TELLING_KEYS: tuple[tuple[str, str, tuple[set[str], ...]], ...] = (
    ("gosom", "title", ({"web_site"}, {"longtitude"}, {"cid", "link"})),
    ("outscraper", "name", ({"query"}, {"site"}, {"us_state"}, {"full_address"})),
    ("places", "", ({"displayName"}, {"formattedAddress"})),
)
# What the end of a file's name promises.
_PROMISED = dict.fromkeys((".csv", ".tsv"), "a table") | dict.fromkeys(
    (".json", ".jsonl", ".ndjson"), "JSON"
)
_KINDS = {"table": "a table", "store": "a SQLite file", "json": "JSON", "lines": "JSON"}
_PREFIXES = ("item", "item.item", "data.item.item", "data.item", "places.item", "leads.item")


def sniff(path: Path, *, forced: str | None = None) -> Source:
    """Find out what a file is.

    Args:
        path: The file.
        forced: One of `FORMATS` where the operator knows better.

    Raises:
        BadInput: There is no such file, it cannot be read, or it is nothing that can be imported;
            the sentence says what to do.
    """
    if forced is not None and forced not in FORMATS:
        raise BadInput(f"There is no format “{forced}”. Known are {', '.join(FORMATS)}.")
    try:
        _check_regular(path)
        with path.open("rb") as file:
            source = _sniff(path, file, forced)
    except FileNotFoundError as error:
        raise BadInput(f"{path} does not exist. Check its name.") from error
    except OSError as error:
        raise BadInput(f"{path} cannot be read: {error.strerror or error}.") from error
    if forced is None:
        _check_name(source)
    elif source.format != forced:
        _force(source, forced)
    return source


def _check_name(source: Source) -> None:
    """A file that is not what its name says may be the wrong one: the operator has to say so."""
    promised, found = _PROMISED.get(source.path.suffix.lower()), _KINDS[source.layout]
    if promised is not None and promised != found:
        raise BadInput(
            f"{source.path} is {found}, though its name promises {promised}. Check the file; "
            f"--format {source.format} reads it anyway."
        )


def _check_regular(path: Path) -> None:
    if "\0" in str(path):
        raise BadInput("That is not a file name. Check it.")
    is_folder, is_special = path.is_dir(), path.exists() and not path.is_file()
    if is_folder:
        raise BadInput(f"{path} is a folder. Name a file in it.")
    if is_special:
        raise BadInput(f"{path} is not a regular file. Save the list to a file first.")


def _force(source: Source, forced: str) -> None:
    readable = {"csv": {"table"}, "places": {"json", "lines"}, "legacy": {"store"}}
    if source.layout not in readable.get(forced, {"table", "json", "lines"}):
        raise BadInput(f"{source.path} cannot be read as {forced}: it is {_KINDS[source.layout]}.")
    source.format = forced


def _sniff(path: Path, file: BinaryIO, forced: str | None) -> Source:
    head = file.read(_SAMPLE)
    size = path.stat().st_size
    if head.startswith(b"SQLite format 3\0"):
        return Source(path, size, "legacy", "store")
    for magic, what, todo in _MAGIC:
        if head.startswith(magic):
            raise BadInput(f"{path} is {what}, which cannot be imported. {todo}")
    if path.suffix.lower() in {".db", ".sqlite", ".sqlite3"} and head.strip():
        raise BadInput(f"{path} is not a SQLite file, though its name says so. Check the file.")
    is_json = _JSON_START.match(head) is not None
    encoding, bom, broken = detect_encoding(file, head, unicode_only=is_json)
    text = _decode(head[bom:], encoding)
    if not text.replace("\0", "").replace("\ufeff", "").strip():
        raise BadInput(f"{path} is empty. Export the list again.")
    if len(_CONTROL.findall(text[:65536])) * 20 > min(len(text), 65536):
        raise BadInput(f"{path} is not a text file. Save the list as CSV or JSON.")
    start = text.lstrip()[:200].lower()
    if start.startswith(("<!doctype", "<html", "<?xml", "<head", "<body", "<!--")):
        raise BadInput(f"{path} is a web page, not a list. Save the list itself as CSV or JSON.")
    source = Source(path, size, "csv", "table", encoding=encoding, bom=bom, broken=broken)
    if start[:1] in {"{", "["}:
        _sniff_json(source, text, forced)
    elif _PROMISED.get(path.suffix.lower()) == "JSON" and _is_json_value(text):
        raise BadInput(f"{path} is JSON, but holds no list of businesses. Check the file.")
    else:
        _sniff_table(source, text, forced)
    return source


def _decode(data: bytes, encoding: str) -> str:
    # A sample may end inside a character; what it loses there does not matter.
    return data.decode(encoding, "ignore" if encoding.startswith("utf") else "surrogateescape")


def _format_of(names: Iterable[str]) -> str | None:
    present = set(names)
    if present >= _OWN_COLUMNS:
        return "crm-tui"
    for name, (needed, telling, least) in _TELLING.items():
        if needed <= present and sum(column in present for column in telling) >= least:
            return name
    return None


# Tables ------------------------------------------------------------------------------------------


def _sniff_table(source: Source, text: str, forced: str | None) -> None:
    lines = [line for line in re.split(r"\r\n|\n|\r", text)[:200] if line.strip()]
    skipped = 0
    told = re.match(r"\ufeff?sep=(.)\Z", lines[0])
    if told:
        source.delimiter, lines, skipped = told[1], lines[1:], 1
    elif lines[0].count("'") >= 4 and re.match(r"'[^']*'[,;\t|]'", lines[0]):
        source.quote = "'"
    if not told:
        source.delimiter = _delimiter(lines, source.quote)
    rows = _sample_rows(lines, source.delimiter, source.quote)
    if not rows:
        raise BadInput(f"{source.path} has no rows. Export the list again.")
    titles = _title_rows(rows)
    header, data = rows[titles], rows[titles + 1 :]
    if _is_data(header):
        source.headers = _unique([""] * max(map(len, rows)))
        source.header_row = titles + skipped - 1 if titles + skipped else None
        return
    if not data and len(text) < _SAMPLE:
        raise BadInput(f"{source.path} holds only a header, no rows. Export the list again.")
    source.headers = _unique(header)
    if forced is None and _is_prose(source, lines, header):
        raise BadInput(
            f"{source.path} is a text, not a list. Check the file; --format csv reads it anyway."
        )
    source.header_row = titles + skipped
    source.format = _format_of(name.strip().lower() for name in header) or "csv"
    if source.format == "places":
        source.format = "csv"


def _sample_rows(lines: list[str], delimiter: str, quote: str) -> list[list[str]]:
    reader = csv.reader(
        (f"{line}\n" for line in lines), delimiter=delimiter, quotechar=quote, strict=False
    )
    try:
        return [row for row in islice(reader, 100) if row]
    except csv.Error:
        return [line.split(delimiter) for line in lines[:100]]


def _delimiter(lines: list[str], quote: str) -> str:
    """The delimiter under which most rows are as wide as the commonest width."""
    best, best_score = ",", (0.0, 0)
    for delimiter in _DELIMITERS:
        rows = _sample_rows(lines, delimiter, quote)
        widths = Counter(len(row) for row in rows if len(row) > 1)
        if not widths:
            continue
        width, count = widths.most_common(1)[0]
        score = (count / len(rows), width)
        header_agrees = len(rows[0]) > 1
        if (score[0] + header_agrees, score[1]) > best_score:
            best, best_score = delimiter, (score[0] + header_agrees, score[1])
    return best


def _title_rows(rows: list[list[str]]) -> int:
    """How many rows stand above the header: titles have one cell where the table has more."""
    widest = Counter(len(row) for row in rows).most_common(1)[0][0]
    if widest < 2:
        return 0
    for at, row in enumerate(rows[:10]):
        if sum(bool(cell.strip()) for cell in row) > 1:
            return at
    return 0


def _is_data(row: list[str]) -> bool:
    """Whether a first row is already a lead: no header holds an e-mail, a number or an address."""
    for cell in row:
        text = cell.strip()
        if "@" in text and contacts.emails(text) and contacts.emails(text)[0].valid:
            return True
        if text.startswith(("http://", "https://")):
            return True
        if sum(c.isdigit() for c in text) >= 7 and contacts.phone(text, "US").valid:
            return True
    return False


def _is_prose(source: Source, lines: list[str], header: list[str]) -> bool:
    """Whether a table is none: no short heading means anything, and commas end words as in prose."""
    if mapping.guess([name for name in source.headers if len(name.split()) < 4], []):
        return False
    tight = any(re.search(r",\S", line) for line in lines)
    return source.delimiter == "," and len(header) > 1 and not tight


def _unique(names: Iterable[str]) -> tuple[str, ...]:
    seen: Counter[str] = Counter()
    unique = []
    for at, name in enumerate(names, 1):
        title = " ".join(name.replace("\0", "").split())[:100] or f"Column {at}"
        seen[title.lower()] += 1
        count = seen[title.lower()]
        unique.append(title if count == 1 else f"{title} ({count})")
    return tuple(unique)


# JSON --------------------------------------------------------------------------------------------


def _sniff_json(source: Source, text: str, forced: str | None) -> None:
    first = _first_lines(source, text)
    records = [value for line in first if (value := _json_object(line)) is not None]
    if first[0].lstrip().startswith("{") and 0 < len(records) >= len(first) / 2:
        source.layout = "lines"
        found = next((name for record in records if (name := _format_of_record(record))), None)
        if found is None and len(records) == 1 and len(first) == 1:
            source.layout = "json"
            found = _document_format(source)
    else:
        source.layout = "json"
        _check_whole(source)
        found = _document_format(source)
    if found is None and forced is None:
        raise BadInput(
            f"{source.path} is JSON of an unknown shape. Import lists from Outscraper, gosom, "
            "Google Places or this program, or convert it to CSV."
        )
    source.format = found or forced or ""


def _first_lines(source: Source, text: str) -> list[str]:
    """The first lines that are not blank, however long the very first one is."""
    if "\n" not in text.strip() and source.size > _SAMPLE:
        with source.text() as stream:
            return [stream.readline(_LONGEST_FIRST_LINE), stream.readline(_SAMPLE)]
    lines = [line for line in text.split("\n")[:20] if line.strip()]
    return lines[:-1] if len(lines) > 1 and len(text) >= _SAMPLE else lines


def _is_json_value(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _json_object(line: str) -> dict[str, Any] | None:
    if not line.lstrip().startswith("{"):
        return None
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _format_of_record(record: Mapping[str, Any]) -> str | None:
    places = record.get("places")
    if isinstance(places, list):
        return "places" if places and isinstance(places[0], dict) else None
    return _format_of(record) or next(
        (
            name
            for name, needed, telling in _TELLING_KEYS
            if (not needed or needed in record) and any(keys <= record.keys() for keys in telling)
        ),
        None,
    )


def _check_whole(source: Source) -> None:
    """A document that was cut off almost never ends with the bracket it began with."""
    with source.path.open("rb") as file:
        first = file.read(64).strip(b"\xef\xbb\xbf\xff\xfe\0 \t\r\n")[:1]
        file.seek(max(source.size - 4096, 0))
        last = file.read().rstrip(b"\0 \t\r\n")[-1:]
    if (first, last) not in {(b"{", b"}"), (b"[", b"]")}:
        raise BadInput(
            f"{source.path} is cut off: its JSON has no end. Download or export it again."
        )


def _document_format(source: Source) -> str | None:
    """Find the list in a document, and by its first records what it is."""
    try:
        prefixes = _record_prefixes(source)
        for prefix in prefixes:
            for record in islice(ijson.items(source.utf8(), prefix, use_float=True), 3):
                if not isinstance(record, dict):
                    continue
                if prefix and isinstance(record.get("places"), list):
                    source.prefix = f"{prefix}.places.item"
                    return "places"
                source.prefix = prefix
                if found := _format_of_record(record):
                    return found
    except (ijson.JSONError, ValueError) as error:
        raise BadInput(
            f"{source.path} is not whole: its JSON is damaged. Download or export it again."
        ) from error
    finally:
        source.close()
    if not prefixes:
        raise BadInput(f"{source.path} holds no leads: its list is empty. Export the list again.")
    return None


def _record_prefixes(source: Source) -> list[str]:
    """Where the first objects of a document are, of those places that may hold the records."""
    alone = False
    for prefix, event, _ in islice(ijson.parse(source.utf8()), 100_000):
        if event == "start_map" and prefix in _PREFIXES:
            return [prefix]
        alone = alone or (event in {"string", "number"} and not prefix.startswith("error"))
    # The whole document may be one record; reading it takes as much memory as it has.
    return [""] if alone and source.size < _LARGEST_RECORD_FILE else []
