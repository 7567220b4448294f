from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from crm_tui.errors import BadInput
from crm_tui.services.imports.captured import CapturedLead, ReadOptions
from crm_tui.services.imports.reading import preview, read
from crm_tui.services.imports.sniff import sniff
from crm_tui.vocabulary import ContactStatus, Outcome


def leads_of(tmp_path: Path, text: str, **options: Any) -> list[CapturedLead]:
    path = tmp_path / "list.csv"
    path.write_text(text)
    with sniff(path) as source:
        return [
            x
            for x in read(source, ReadOptions(**{"zone": UTC, **options}))
            if isinstance(x, CapturedLead)
        ]


def test_a_spreadsheets_history_comes_along(tmp_path: Path) -> None:
    (lead,) = leads_of(
        tmp_path,
        "Company,Contact,Job title,Phone,Email,Status,Last contacted,Do not contact,Next follow-up,"
        "Next step,Tags,Notes\n"
        'Ace,Joe Doe,Owner,"518-555-0100 / 518-555-0101",joe@ace.example,Left voicemail,'
        '04/13/2026,,05/01/2026,Call Joe,"hot, vip","Called.\nNobody there."\n',
        zone=ZoneInfo("America/New_York"),
    )
    assert lead.status is ContactStatus.CALLED
    assert lead.last_contacted == datetime(2026, 4, 13, 4, 0, tzinfo=UTC)
    assert lead.follow_up == datetime(2026, 5, 1, 13, 0, tzinfo=UTC)
    assert (lead.follow_up_note, lead.do_not_contact) == ("Call Joe", None)
    assert lead.tags == ("hot", "vip")
    assert lead.notes == ("Called.\nNobody there.",)
    assert [(p.value, p.person, p.title) for p in lead.points] == [
        ("+15185550100", "Joe Doe", "Owner"),
        ("+15185550101", "Joe Doe", "Owner"),
        ("joe@ace.example", "Joe Doe", "Owner"),
    ]
    assert (lead.custom, lead.warnings) == ({}, ())


def test_an_ambiguous_date_follows_its_column_then_the_region(tmp_path: Path) -> None:
    table = "Name,Last contact\nAce,03/04/2026\n"
    april, march = datetime(2026, 4, 3, tzinfo=UTC), datetime(2026, 3, 4, tzinfo=UTC)
    assert leads_of(tmp_path, table)[0].last_contacted == march
    assert leads_of(tmp_path, table, default_region="GB")[0].last_contacted == april
    assert leads_of(tmp_path, f"{table}Best,13/04/2026\n")[0].last_contacted == april


def test_an_unreadable_cell_is_kept_and_reported_and_the_row_imported(tmp_path: Path) -> None:
    _, lead = leads_of(
        tmp_path,
        "Name,Phone,Rating,Status,Last contacted,Country\n"
        "Best,518-555-0100,4.5,new,2026-04-03,US\n"
        "Ace,518,great,purple,soon,Atlantis\n",
    )
    assert [(p.value, p.valid) for p in lead.points] == [("518", False)]
    assert lead.custom == {
        "Rating": "great",
        "Status": "purple",
        "Last contacted": "soon",
        "Country": "Atlantis",
    }
    assert len(lead.warnings) == 5
    assert "phone “518”: too short for a phone number" in lead.warnings


def test_columns_that_mean_nothing_to_us_are_kept_under_their_header(tmp_path: Path) -> None:
    (lead,) = leads_of(tmp_path, "Name,Shoe size,Empty\nAce,43,\n")
    assert lead.custom == {"Shoe size": "43"}


def test_a_given_mapping_is_followed_to_the_letter(tmp_path: Path) -> None:
    (lead,) = leads_of(
        tmp_path,
        "Firma,Chef,Telefon,Geheim\nAce,Joe,0221 123456,x\n",
        mapping={"Firma": "name", "Chef": "notes", "Geheim": "ignore"},
    )
    assert (lead.name, lead.notes) == ("Ace", ("Joe",))
    assert lead.custom == {"Telefon": "0221 123456"}
    assert lead.points == ()


def test_a_mapping_for_another_table_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="The list has no column “Chef”"):
        leads_of(tmp_path, "Firma\nAce\n", mapping={"Chef": "name"})
    with pytest.raises(BadInput, match="--map COLUMN=name"):
        leads_of(tmp_path, "Firma\nAce\n", mapping={"Firma": "notes"})


def test_phones_are_read_in_the_rows_own_country(tmp_path: Path) -> None:
    leads = leads_of(
        tmp_path, "Name,Phone,Country\nA,97 754374,Cyprus\nB,0221 123456,DE\nC,518-555-0100,\n"
    )
    assert [lead.points[0].value for lead in leads] == [
        "+35797754374",
        "+49221123456",
        "+15185550100",
    ]


def test_a_one_line_address_is_split_and_a_street_is_not(tmp_path: Path) -> None:
    (whole,) = leads_of(tmp_path, 'Name,Address\nAce,"1 Main St, Albany, NY 12207"\n')
    assert (whole.street, whole.city, whole.region) == ("1 Main St", "Albany", "NY")
    assert (whole.postal_code, whole.country) == ("12207", "US")
    (part,) = leads_of(tmp_path, 'Name,Address,City\nAce,"1 Main St, Rear Building",Albany\n')
    assert (part.street, part.city) == ("1 Main St, Rear Building", "Albany")


@pytest.mark.parametrize("end", ["\n", "\r\n", ",\n"])
def test_an_address_of_several_lines_is_split_at_its_lines(end: str, tmp_path: Path) -> None:
    written = end.join(["1 High St", "London", "SW1A 1AA", "UK"])
    (lead,) = leads_of(tmp_path, f'Name,Address\nAce,"{written}"\n')
    assert (lead.street, lead.city) == ("1 High St", "London")
    assert (lead.postal_code, lead.country) == ("SW1A 1AA", "GB")
    (known,) = leads_of(tmp_path, f'Name,Street,City\nAce,"1 High St{end}Flat 2",London\n')
    assert known.street == "1 High St, Flat 2"


def test_a_social_page_is_no_website(tmp_path: Path) -> None:
    (lead,) = leads_of(tmp_path, "Name,Website\nAce,facebook.com/ace\n")
    assert [(p.kind.value, p.value) for p in lead.points] == [
        ("social", "https://facebook.com/ace")
    ]


def test_a_row_without_a_name_is_named_by_what_it_has(tmp_path: Path) -> None:
    table = "Name,Contact,Website,Email,Phone\n,Joe,,,\n,,www.ace.example,,\n,,,joe@gmail.com,\n"
    assert [lead.name for lead in leads_of(tmp_path, table)] == [
        "Joe",
        "ace.example",
        "joe@gmail.com",
    ]


def test_outcomes_and_never_again_come_from_a_status_too(tmp_path: Path) -> None:
    lost, never = leads_of(tmp_path, "Name,Status\nA,not interested\nB,do not contact\n")
    assert (lost.status, lost.outcome) == (ContactStatus.REPLIED, Outcome.LOST)
    assert (never.status, never.do_not_contact) == (None, "“do not contact” in the imported list")


def test_the_preview_of_a_table_shows_its_columns_and_what_they_mean(tmp_path: Path) -> None:
    path = tmp_path / "list.tsv"
    path.write_text("Firma\tTel\tX\n" + "Ace\t518-555-0100\ty\n" * 30)
    shown = preview(path, ReadOptions(), limit=5)
    assert (shown.format, shown.delimiter, shown.headers) == ("csv", "\t", ("Firma", "Tel", "X"))
    assert shown.mapping == {"Firma": "name", "Tel": "phone"}
    assert shown.sample == (("Ace", "518-555-0100", "y"),) * 5
    assert [row.name for row in shown.rows] == ["Ace"] * 5


def test_a_table_that_nothing_names_is_shown_with_what_is_missing(tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    path.write_text("a,b\n1,2\n3,4\n")
    shown = preview(path, ReadOptions())
    assert (shown.rows, shown.headers) == ((), ("a", "b"))
    assert "--map COLUMN=name" in shown.problem
