"""The three real lists; every number here was counted in the files by other means."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from crm_tui.services.imports.captured import CapturedLead, ReadOptions
from crm_tui.services.imports.reading import preview, read
from crm_tui.services.imports.sniff import sniff
from crm_tui.vocabulary import ContactKind

DATA = Path(__file__).parents[3] / "shared" / "data"
NEW_YORK = DATA / "outscraper_plumbers_ny.csv"
CYPRUS = DATA / "gmaps_scraper_cyprus.csv"
LONDON = DATA / "places_text_search_page.json"

pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason="the real lists are not here")


def leads_of(path: Path) -> list[CapturedLead]:
    with sniff(path) as source:
        found = list(read(source, ReadOptions()))
    assert all(isinstance(lead, CapturedLead) for lead in found)
    return [lead for lead in found if isinstance(lead, CapturedLead)]


def points_of(leads: list[CapturedLead]) -> Counter[tuple[str, bool]]:
    return Counter((point.kind.value, point.valid) for lead in leads for point in lead.points)


@pytest.mark.parametrize(
    ("path", "name"),
    [(NEW_YORK, "outscraper"), (CYPRUS, "gosom"), (LONDON, "places")],
)
def test_the_format_is_told_by_the_content(path: Path, name: str, tmp_path: Path) -> None:
    misnamed = tmp_path / "list.txt"
    misnamed.write_bytes(path.read_bytes())
    assert sniff(misnamed).format == name


def test_the_new_york_plumbers_are_read_whole() -> None:
    leads = leads_of(NEW_YORK)
    assert [lead.row for lead in leads] == list(range(1, 251))
    assert points_of(leads) == {
        ("phone", True): 333,
        ("phone", False): 7,
        ("email", True): 244,
        ("email", False): 17,
        ("website", True): 163,
        ("social", True): 244,
    }
    assert (
        sum(any(p.kind is ContactKind.PHONE and p.valid for p in lead.points) for lead in leads)
        == 248
    )
    assert sum(lead.city is not None for lead in leads) == 189
    assert sum(lead.rating is not None for lead in leads) == 234
    assert sum(lead.hours is not None for lead in leads) == 199
    assert len({lead.place_id for lead in leads}) == 250
    assert {lead.country for lead in leads} == {"US", None}


def test_every_new_york_row_with_an_address_has_the_city_it_names() -> None:
    for lead in leads_of(NEW_YORK):
        if lead.street:
            assert lead.city
            assert lead.postal_code
            assert len(lead.postal_code) == 5


def test_a_plumber_has_all_his_addresses_and_pages() -> None:
    lead = leads_of(NEW_YORK)[0]
    assert (lead.name, lead.category, lead.city) == (
        "Water Heater Jockey",
        "Plumber",
        "Saratoga Springs",
    )
    assert [(point.kind.value, point.value) for point in lead.points] == [
        ("website", "https://waterheaterjockey.com/"),
        ("phone", "+15188711647"),
        ("email", "service@waterheaterjockey.com.example"),
        ("email", "services@j2plumber.com.example"),
        ("social", "https://www.facebook.com/J2Plumbing/"),
        ("social", "https://www.instagram.com/waterheaterjockey"),
        ("social", "https://www.linkedin.com/company/waterheaterjockey"),
        ("social", "https://twitter.com/heaterjockey"),
    ]
    assert lead.google_id == "0x89de3776413cebe3:0xe342374270c1c1e6"
    assert lead.custom["search"] == "plumber, Saratoga Springs, NY, US"


def test_a_postal_code_that_a_spreadsheet_shortened_is_whole_again() -> None:
    (lead,) = [lead for lead in leads_of(NEW_YORK) if lead.name == "All Clear Plumbing"]
    assert lead.postal_code == "07109"


def test_a_rounded_number_is_never_a_key() -> None:
    for lead in leads_of(NEW_YORK):
        assert "E+" not in f"{lead.place_id} {lead.google_id} {lead.custom.get('owner_id')}"


def test_the_cyprus_restaurants_are_read_whole() -> None:
    leads = leads_of(CYPRUS)
    assert len(leads) == 125
    assert points_of(leads) == {
        ("phone", True): 125,
        ("website", True): 56,
        ("social", True): 29,
    }
    assert all(lead.city for lead in leads)
    assert {lead.country for lead in leads} == {"CY"}
    assert len({lead.place_id for lead in leads}) == 118
    assert sum(lead.hours is not None for lead in leads) == 123
    assert all(
        p.value.startswith("+357") for lead in leads for p in lead.points if p.kind == "phone"
    )
    assert not any("+" in (lead.street or "") for lead in leads)


def test_the_london_restaurants_are_read_whole() -> None:
    leads = leads_of(LONDON)
    assert len(leads) == 20
    assert points_of(leads) == {("phone", True): 16, ("website", True): 17}
    assert {(lead.city, lead.country, lead.timezone) for lead in leads} == {
        ("London", "GB", "Europe/London")
    }
    assert all(lead.street and lead.postal_code and lead.google_id for lead in leads)
    assert leads[0].hours is not None
    assert leads[0].hours["sat"] == [["12:00", "15:00"], ["17:00", "23:00"]]


def test_the_preview_shows_the_first_rows_only() -> None:
    shown = preview(NEW_YORK, ReadOptions(), limit=3)
    assert (shown.format, shown.encoding, shown.delimiter) == ("outscraper", "utf-8", ",")
    assert [row.row for row in shown.rows] == [1, 2, 3]


def test_a_known_list_can_be_forced_to_be_read_as_a_plain_table() -> None:
    with sniff(NEW_YORK, forced="csv") as source:
        found = list(read(source, ReadOptions()))
    assert len(found) == 250
    assert all(isinstance(lead, CapturedLead) and lead.name for lead in found)
