from __future__ import annotations

import csv
import io
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crm_tui.errors import BadInput
from crm_tui.services.imports.captured import CapturedLead, ReadOptions, RejectedRow
from crm_tui.services.imports.reading import read
from crm_tui.services.imports.sniff import FORMATS, sniff
from crm_tui.services.imports.table import rows_of

HEADER = "name,phone,city\n"


def outcome(path: Path, data: str | bytes) -> list[tuple[int, str]]:
    """Each row's number with its name, or the reason why it was rejected in brackets."""
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    with sniff(path) as source:
        return [
            (row.row, row.name if isinstance(row, CapturedLead) else f"[{row.reason}]")
            for row in read(source, ReadOptions())
        ]


def test_each_bad_row_is_rejected_alone_with_its_number_and_reason(tmp_path: Path) -> None:
    big = "q" * 1_000_001
    rows = f"A,,x\nB,1,2,3,4\nC\0,,x\nD,{big},x\nE,1,2,3,4\nF\0,,x\nG,,x\n"
    assert outcome(tmp_path / "list.csv", HEADER + rows) == [
        (1, "A"),
        (2, "[5 cells in a table of 3 columns]"),
        (3, "[a NUL byte]"),
        (4, "[a cell of over 1 MB]"),
        (5, "[5 cells in a table of 3 columns]"),
        (6, "[a NUL byte]"),
        (7, "G"),
    ]


def test_a_rejected_row_is_named_where_it_can_be(tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    path.write_text("phone,name\n,A\n1,Bob\0,3\n")
    with sniff(path) as source:
        _, rejected = read(source, ReadOptions())
    assert isinstance(rejected, RejectedRow)
    assert (rejected.row, rejected.name) == (2, "Bob")


def test_a_cell_of_exactly_1_mb_is_imported(tmp_path: Path) -> None:
    cell = "q" * 1_000_000
    assert outcome(tmp_path / "list.csv", f"{HEADER}A,{cell},x\n") == [(1, "A")]


def test_an_unclosed_quote_costs_its_own_row_only(tmp_path: Path) -> None:
    rows = 'A,,x\n"B,,y\nC,,z\nD,,w\n'
    assert outcome(tmp_path / "list.csv", HEADER + rows) == [
        (1, "A"),
        (2, "[a quote that is never closed]"),
        (3, "C"),
        (4, "D"),
    ]


def test_an_unclosed_quote_before_quoted_cells_costs_its_own_row_only(tmp_path: Path) -> None:
    rows = 'A,,x\n"B,,y\nC,"1, 2",z\n"D ""d""",,w\n"E\nE",,v\n'
    assert outcome(tmp_path / "list.csv", HEADER + rows) == [
        (1, "A"),
        (2, "[a quote that is never closed]"),
        (3, "C"),
        (4, 'D "d"'),
        (5, "E E"),
    ]


def test_an_endless_cell_of_prose_does_not_become_leads(tmp_path: Path) -> None:
    prose = "one line of prose\n" * 100_000
    found = outcome(tmp_path / "list.csv", f'{HEADER}A,,x\nB,"{prose}",y\nC,,z\nD,,w\n')
    assert [name for _, name in found][0::2] == ["A", "C"]
    assert [row for row, _ in found] == [1, 2, 3, 4]
    assert found[1][1].startswith("[a cell of over 1 MB; ")


def test_a_line_without_an_end_is_skipped_in_little_memory(tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    with path.open("w") as file:
        file.write(f"{HEADER}A,,x\nB,")
        for _ in range(64):
            file.write("q" * 1_000_000)
        file.write(",x\nC,,x\n")
    tracemalloc.start()
    with sniff(path) as source:
        found = [getattr(row, "reason", row.name) for row in read(source, ReadOptions())]
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert found == ["A", "a line of over 8 MB", "C"]
    assert peak < 40_000_000


def test_careless_quotes_inside_a_cell_are_read_as_a_spreadsheet_would(tmp_path: Path) -> None:
    rows = 'Joe "Ace" Doe,,x\n"Ann "Bee" Cee",,y\n'
    assert outcome(tmp_path / "list.csv", HEADER + rows) == [
        (1, 'Joe "Ace" Doe'),
        (2, 'Ann Bee" Cee"'),
    ]


def test_bytes_that_are_not_text_cost_their_row_only(tmp_path: Path) -> None:
    data = f"{HEADER}Café,,Köln\n".encode() + b"Caf\xff,,x\n" + "Größe,,x\n".encode()
    found = outcome(tmp_path / "list.csv", data)
    assert found == [
        (1, "Café"),
        (2, "[bytes that are not text in the file's encoding]"),
        (3, "Größe"),
    ]


def test_one_bad_byte_does_not_take_the_few_accents_of_a_list_away(tmp_path: Path) -> None:
    data = f"{HEADER}A,,x\nCafé,,x\n".encode() + b"B\xff,,x\nC\xfe\xff,,x\n"
    assert outcome(tmp_path / "list.csv", data) == [
        (1, "A"),
        (2, "Café"),
        (3, "[bytes that are not text in the file's encoding]"),
        (4, "[bytes that are not text in the file's encoding]"),
    ]


def test_latin_1_that_once_looks_like_utf_8_stays_latin_1(tmp_path: Path) -> None:
    rows = "".join(f"Café Müller {i},,x\n" for i in range(40))
    found = outcome(tmp_path / "list.csv", f"{HEADER}{rows}„CAFÉ”,,x\n".encode("cp1252"))
    assert (found[0], found[-1]) == ((1, "Café Müller 0"), (41, "„CAFÉ”"))


@pytest.mark.parametrize("bom", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize(("start", "between", "end"), [("[", ",", "]"), ("", "\n", "")])
def test_json_is_never_latin_1_and_a_bad_byte_costs_one_record(
    bom: bytes, start: str, between: str, end: str, tmp_path: Path
) -> None:
    records = [f'{{"title": "{name}", "web_site": ""}}' for name in ("A", "B?", "Cafe?", "D")]
    data = bom + (start + between.join(records) + end).encode().replace(b"?", b"\xe9")
    problem = "[bytes that are not text in the file's encoding]"
    assert outcome(tmp_path / "list.json", data) == [(1, "A"), (2, problem), (3, problem), (4, "D")]


def test_half_a_character_in_utf_16_costs_its_row_only(tmp_path: Path) -> None:
    text = f"{HEADER}A,,x\nB?,,x\nC,,x\n".encode("utf-16-le")
    found = outcome(tmp_path / "list.csv", b"\xff\xfe" + text.replace(b"?\0", b"\x00\xdc"))
    assert [row for row, name in found if name.startswith("[")] == [2]
    assert len(found) == 3


def test_a_row_that_is_too_short_is_rejected_alone(tmp_path: Path) -> None:
    assert outcome(tmp_path / "list.csv", f"{HEADER}A,,x\nB\nC,1\nD,,x\n") == [
        (1, "A"),
        (2, "[only 1 cell in a table of 3 columns]"),
        (3, "[only 2 cells in a table of 3 columns]"),
        (4, "D"),
    ]
    header = "query,name,place_id,google_id,full_address,working_hours\n"
    found = outcome(tmp_path / "outscraper.csv", f"{header}q,Ace,1,2,3,4\nq,Bes\n")
    assert found == [(1, "Ace"), (2, "[only 2 cells in a table of 6 columns]")]


def test_a_list_of_one_column_has_no_short_rows(tmp_path: Path) -> None:
    assert outcome(tmp_path / "list.csv", "name\nA\n\nB\n") == [(1, "A"), (2, "B")]


def test_blank_rows_are_no_leads_and_extra_empty_cells_no_damage(tmp_path: Path) -> None:
    assert outcome(tmp_path / "list.csv", f"{HEADER}A,,x,,,\n,,\n\n  , ,\n ,\nB,,x\n") == [
        (1, "A"),
        (5, "B"),
    ]


def test_a_row_with_nothing_to_name_it_by_is_rejected(tmp_path: Path) -> None:
    rows = ",,Albany\n,+1 518-555-0100,x\n"
    assert outcome(tmp_path / "list.csv", HEADER + rows) == [
        (1, "[no name, and nothing to name it by]"),
        (2, "+15185550100"),
    ]


def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    town = "Albany" * 30

    def peak(rows: int) -> int:
        path = tmp_path / f"{rows}.csv"
        with path.open("w") as file:
            file.write(HEADER)
            file.writelines(f"Ace {i},518-555-{i % 10000:04},{town}\n" for i in range(rows))
        tracemalloc.start()
        with sniff(path) as source:
            for _ in read(source, ReadOptions()):
                pass
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    peak(10)  # warms the caches, which have their own bounds
    small, large = peak(8_000), peak(24_000)  # both longer than the sample that is looked at
    assert large < small + 500_000


anything = st.one_of(
    st.binary(max_size=400),
    st.text(max_size=300).map(lambda text: text.encode("utf-8", "surrogatepass")),
    st.lists(
        st.sampled_from(
            [
                '"',
                ",",
                "\n",
                "\r",
                ";",
                "\t",
                "name",
                "phone",
                "a@b.example",
                "\x00",
                "é",
                "{",
                "}",
                "[",
                "]",
                '{"name": 1}',
                '"places":',
                "1/2/2026",
                "+1 518-555-0100",
                "�",
                "|",
            ]
        ),
        max_size=60,
    ).map(lambda parts: ("name,phone\n" + "".join(parts)).encode("utf-8", "surrogatepass")),
)


@given(data=anything, forced=st.sampled_from([None, *FORMATS]))
@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    max_examples=300,
    deadline=None,
)
def test_any_bytes_give_rows_or_one_sentence(
    data: bytes, forced: str | None, tmp_path: Path
) -> None:
    path = tmp_path / "any"
    path.write_bytes(data)
    try:
        with sniff(path, forced=forced) as source:
            if source.format == "legacy":
                return
            rows = list(read(source, ReadOptions()))
    except BadInput as error:
        assert "\n" not in str(error).replace(str(path), "")  # noqa: PT017 - either is right
        return
    numbers = [row.row for row in rows]
    assert numbers == sorted(set(numbers))
    for row in rows:
        assert row.name or isinstance(row, RejectedRow)
        storable(row)


def storable(row: Any) -> None:
    """Everything in a row can be written to the store as UTF-8 text."""
    repr(row)
    if isinstance(row, CapturedLead):
        texts = [row.name, row.city, row.street, *row.notes, *row.tags, str(row.custom)]
        texts += [point.value for point in row.points]
        for text in texts:
            (text or "").encode()
            assert "\0" not in (text or "")


@pytest.mark.parametrize("width", [1, 2, 5])
@given(
    rows=st.lists(st.lists(st.text(max_size=8), min_size=1, max_size=5), min_size=1, max_size=20)
)
@settings(max_examples=50, deadline=None)
def test_what_a_spreadsheet_writes_is_read_back(rows: list[list[str]], width: int) -> None:
    table = [(row + [""] * width)[:width] for row in rows]
    clean = [
        [cell.replace("\0", "").encode("utf-8", "ignore").decode() or "x" for cell in row]
        for row in table
    ]
    written = io.StringIO(newline="")
    csv.writer(written).writerows(clean)
    written.seek(0)
    assert [cells for cells, problem in rows_of(written, ",", '"', width=width)] == clean
