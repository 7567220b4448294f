from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crm_tui.errors import BadInput
from crm_tui.services.imports import mapping


@pytest.mark.parametrize(
    ("headers", "fields"),
    [
        (
            "Business Name,Category,Contact Person,Job Title,Phone Number,Mobile,E-mail,Website",
            "name,category,person,title,phone,phone,email,website",
        ),
        ("Company,Name,Phone", "name,person,phone"),
        ("title,phone", "name,phone"),
        (
            "Street Address,Suite,City,State,Zip Code,Country",
            "street,-,city,region,postal_code,country",
        ),
        (
            "Firma,Ansprechpartner,Telefon,Straße,PLZ,Ort,Notizen",
            "name,person,phone,street,postal_code,city,notes",
        ),
        ("Empresa,Contacto,Teléfono,Correo electrónico,Ciudad", "name,person,phone,email,city"),
        (
            "Société,Prénom,Nom de famille,Téléphone,Ville,Code postal",
            "name,person,person,phone,city,postal_code",
        ),
        (
            "company_name,first_name,last_name,phone_1,phone_2,Address Line 1",
            "name,person,person,phone,phone,street",
        ),
        ("businessName,phoneNumber,webSite,reviewCount", "name,phone,website,review_count"),
        (
            "Name,Status,Last Contacted,Do Not Contact,Next Follow-up,Next Step,Tags,Notes",
            "name,status,last_contacted,do_not_contact,follow_up,follow_up_note,tags,notes",
        ),
        ("Name,Phone Type,Email Status,Fax", "name,-,-,-"),
        ("Lead,Lead Status,Lead Source", "name,status,-"),
        (
            "Name,Facebook,Instagram,Google Rating,# Reviews",
            "name,social,social,rating,review_count",
        ),
    ],
)
def test_headers_are_understood(headers: str, fields: str) -> None:
    columns = headers.split(",")
    found = mapping.guess(columns, [])
    assert [found.get(column, "-") for column in columns] == fields.split(",")


def test_cells_tell_what_a_header_does_not() -> None:
    rows = [
        ["Ace Plumbing", "+1 518-555-0100", "joe@ace.example", "ace.example", "x"],
        ["Best Heating", "(518) 555-0101", "ann@best.example", "https://best.example/", "y"],
        ["Corner Cafe", "518.555.0102", "", "www.corner.example", "z"],
    ]
    found = mapping.guess(["Betreff", "A", "B", "C", "D"], rows)
    assert found == {"Betreff": "name", "A": "phone", "B": "email", "C": "website"}


def test_cells_overrule_a_header_that_misleads() -> None:
    rows = [["Ace", "joe@ace.example"], ["Best", "ann@best.example"]]
    assert mapping.guess(["Name", "Phone"], rows) == {"Name": "name", "Phone": "email"}


def test_no_field_but_the_repeatable_ones_is_given_twice() -> None:
    found = mapping.guess(["City", "Town", "Phone", "Tel"], [])
    assert found == {"City": "city", "Phone": "phone", "Tel": "phone"}


def test_the_command_line_names_columns_and_fields() -> None:
    headers = ["Firma", "a=b", "Tel."]
    words = ["firma=name", "a=b=notes", "Tel.=phone"]
    assert mapping.parse_map(words, headers) == {"Firma": "name", "a=b": "notes", "Tel.": "phone"}


@pytest.mark.parametrize(
    ("word", "says"),
    [
        ("Firma", "Write COLUMN=field"),
        ("Firma=boss", "Fields are name, category"),
        ("Chef=name", "Its columns are Firma, Tel"),
    ],
)
def test_a_wrong_mapping_says_what_would_be_right(word: str, says: str) -> None:
    with pytest.raises(BadInput, match=says):
        mapping.parse_map([word], ["Firma", "Tel"])


def test_the_signature_is_that_of_the_columns_not_of_their_order() -> None:
    assert mapping.signature(["Firma", "Tel"]) == mapping.signature(["TEL", "firma"])
    assert mapping.signature(["Firma", "Tel"]) != mapping.signature(["Firma", "Telefon"])


@given(st.lists(st.lists(st.text(max_size=20), min_size=3, max_size=3), max_size=5))
@settings(deadline=None)
def test_no_table_makes_the_guess_raise(rows: list[list[str]]) -> None:
    headers = rows[0] if rows and len(set(rows[0])) == 3 else ["a", "b", "c"]
    found = mapping.guess(headers, rows)
    assert set(found.values()) <= set(mapping.FIELDS)
    assert set(found) <= set(headers)
