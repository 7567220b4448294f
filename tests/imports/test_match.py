"""Which business a lead is."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm_tui.services import contacts
from crm_tui.services.imports.match import (
    LOOKED_AT,
    By,
    Identity,
    Index,
    Verdict,
    compare,
    identity,
    same_postal_code,
    similar,
)
from crm_tui.services.search import sort_name
from crm_tui.vocabulary import ContactKind


def business(
    name: str = "Acme Plumbing",
    *,
    postal_code: str | None = None,
    phone: str = "",
    email: str = "",
    website: str = "",
    **keys: Any,
) -> Identity:
    """The identity of a business with contacts as a list would have them."""
    found = [contacts.phone(phone, "US")] if phone else []
    found += contacts.emails(email) + contacts.websites(website)
    points = [(each.kind, each.value, each.domain) for each in found if each.valid]
    return identity(name, sort_name(name), postal_code, points=points, **keys)


def verdict(one: Identity, other: Identity) -> Verdict:
    return compare(one, other).verdict


def test_the_same_place_id_is_the_same_business_whatever_else_differs() -> None:
    one = business("Acme Plumbing", phone="518-871-1647", place_ids=["A"], google_ids=["0x1"])
    other = business("Zed Bakery", phone="212-736-5000", place_ids=["A"], google_ids=["0x2"])
    assert verdict(one, other) is Verdict.SAME


def test_different_place_ids_are_different_businesses_whatever_else_they_share() -> None:
    shared: dict[str, Any] = {
        "phone": "518-871-1647",
        "email": "joe@acme-plumbing.com",
        "website": "acme-plumbing.com",
        "postal_code": "12866",
        "own_keys": ["k"],
    }
    assert (
        verdict(business(place_ids=["A"], **shared), business(place_ids=["B"], **shared))
        is Verdict.OTHER
    )


def test_the_google_id_is_an_alias_of_the_place_id() -> None:
    one = business(place_ids=["A"], google_ids=["0x1"])
    assert verdict(one, business("Else", place_ids=["B"], google_ids=["0x1"])) is Verdict.SAME
    assert verdict(one, business(google_ids=["0x2"], phone="518-871-1647")) is Verdict.OTHER


def test_a_phone_joins_where_one_of_the_two_has_no_place_id() -> None:
    one = business("Acme", phone="(518) 871-1647", place_ids=["A"])
    assert verdict(one, business("Zed Bakery", phone="+1 518 871 1647")) is Verdict.SAME
    assert verdict(one, business("Acme", phone="518-871-1648")) is Verdict.OTHER


@pytest.mark.parametrize(
    ("point", "other_point"),
    [
        ({"website": "https://www.acme-plumbing.com/contact"}, {"website": "acme-plumbing.com"}),
        ({"website": "acme-plumbing.com"}, {"email": "joe@acme-plumbing.com"}),
        ({"email": "Joe@acme-plumbing.com"}, {"email": "joe@acme-plumbing.com"}),
        ({"email": "acme.plumbing@gmail.com"}, {"email": "acme.plumbing@gmail.com"}),
    ],
)
def test_a_domain_or_an_address_joins_with_a_similar_name_or_the_same_postcode_only(
    point: dict[str, str], other_point: dict[str, str]
) -> None:
    one = business("Acme Plumbing", postal_code="12866", **point)
    assert verdict(one, business("ACME Plumbing, Inc.", **other_point)) is Verdict.SAME
    assert (
        verdict(one, business("Zed Bakery", postal_code="12866-1234", **other_point))
        is Verdict.SAME
    )
    assert verdict(one, business("Zed Bakery", **other_point)) is Verdict.ALIKE


@pytest.mark.parametrize(
    "point",
    [
        {"email": "info@acme-plumbing.com"},
        {"email": "office@gmail.com"},
        {"email": "user@domain.com"},
        {"website": "https://www.facebook.com/acmeplumbing"},
        {"website": "https://acme.wixsite.com/home"},
        {"website": "https://acme.business.site/"},
    ],
)
def test_role_placeholder_social_and_site_builder_addresses_never_join(
    point: dict[str, str],
) -> None:
    assert verdict(business(**point), business(**point)) is Verdict.OTHER


def test_a_free_mail_provider_is_no_domain_to_join_by() -> None:
    one = business(email="acme.plumbing@gmail.com")
    assert verdict(one, business(email="acme.plumbers@gmail.com")) is Verdict.OTHER


def test_the_same_name_and_postcode_is_a_suggestion() -> None:
    one = business("The Acme Plumbing", postal_code="12866")
    found = compare(one, business("Acme plumbing", postal_code="12866"))
    assert (found.verdict, found.why) == (Verdict.ALIKE, "same name and postcode")
    assert verdict(one, business("Acme plumbing", postal_code="12867")) is Verdict.OTHER


def test_a_key_of_ours_is_the_business_itself() -> None:
    one = business(own_keys=["k"], phone="518-871-1647")
    assert verdict(one, business("Renamed since", own_keys=["k"])) is Verdict.SAME


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("Acme Plumbing & Heating LLC", "ACME Plumbing and Heating", True),
        ("Café Müller GmbH", "cafe muller", True),
        ("Joe's Pizza", "Joes Pizza Inc.", True),
        ("Acme Plumbing", "Acme Plumbing of Albany", True),
        ("Acme Plumbing", "Acme Bakery", False),
        ("Mario's Pizza", "Mario's Barber Shop", False),
        ("LLC", "Inc", False),
    ],
)
def test_names_are_similar_without_case_accents_and_legal_forms(
    one: str, other: str, *, expected: bool
) -> None:
    assert similar(one, other) is expected
    assert similar(other, one) is expected


def test_postcodes_are_compared_without_spaces_and_by_five_digits() -> None:
    assert same_postal_code("12866", "12866-1234")
    assert same_postal_code("sw1a 1aa", "SW1A1AA")
    assert not same_postal_code("12866", "12867")
    assert not same_postal_code(None, None)


# Any identities ----------------------------------------------------------------------------------

VALUES = st.frozensets(st.sampled_from("abc"), min_size=1, max_size=2)
IDENTITIES = st.builds(
    Identity,
    name=st.sampled_from(["Acme Plumbing", "Acme Plumbing Inc", "Zed Bakery"]),
    postal_code=st.sampled_from([None, "1", "2"]),
    keys=st.dictionaries(st.sampled_from(By), VALUES, max_size=4),
)


@given(IDENTITIES, IDENTITIES)
def test_it_does_not_matter_which_of_two_is_compared_with_which(
    one: Identity, other: Identity
) -> None:
    assert compare(one, other) == compare(other, one)


@given(IDENTITIES)
def test_whatever_shares_its_place_id_is_the_business_itself(one: Identity) -> None:
    placed = Identity(one.name, one.postal_code, {**one.keys, By.PLACE_ID: frozenset("p")})
    other = Identity("Zed", None, {By.PLACE_ID: frozenset("pq"), By.GOOGLE_ID: frozenset("g")})
    assert verdict(placed, other) is Verdict.SAME


@given(st.lists(IDENTITIES, max_size=8), IDENTITIES)
def test_the_index_finds_what_comparing_with_every_business_finds(
    known: list[Identity], wanted: Identity
) -> None:
    index = Index()
    for business_id, each in enumerate(known, 1):
        index.add(business_id, each)
    found = index.find(wanted)
    verdicts = {i: verdict(wanted, each) for i, each in enumerate(known, 1)}
    same = {i for i, each in verdicts.items() if each is Verdict.SAME}
    alike = [i for i, each in verdicts.items() if each is Verdict.ALIKE]
    assert (found.same in same) if same else found.same is None
    if not same:
        assert found.alike == (alike[0] if alike else None)


def test_of_several_that_are_the_same_the_surest_key_decides() -> None:
    index = Index()
    index.add(1, business("Acme Plumbing", phone="518-871-1647"))
    index.add(2, business("Zed", place_ids=["A"]))
    wanted = business("Acme Plumbing", phone="518-871-1647", place_ids=["A"])
    assert index.find(wanted).same == 2


def test_of_several_with_the_same_phone_the_more_similar_name_decides_then_the_older() -> None:
    index = Index()
    index.add(1, business("Zed Bakery", phone="518-871-1647", place_ids=["A"]))
    index.add(2, business("Acme Plumbing", phone="518-871-1647", place_ids=["B"]))
    index.add(3, business("Acme Plumbing", phone="518-871-1647", place_ids=["C"]))
    assert index.find(business("Acme Plumbing", phone="518-871-1647")).same == 2


def test_a_number_that_very_many_share_is_looked_at_for_the_oldest_only() -> None:
    index = Index()
    for business_id in range(1, LOOKED_AT + 2):
        name = "Acme Plumbing" if business_id == LOOKED_AT + 1 else "Zed Bakery"
        index.add(business_id, business(name, phone="518-871-1647", place_ids=[str(business_id)]))
    assert index.find(business("Acme Plumbing", phone="518-871-1647")).same == 1


def test_what_becomes_known_of_a_business_leads_to_it_too() -> None:
    index = Index()
    index.add(1, business(place_ids=["A"]))
    index.add(1, business("Acme", phone="518-871-1647"))
    assert index.find(business("Zed", phone="518-871-1647")).same == 1
    assert index.find(business("Zed", place_ids=["A"])).same == 1
    assert index.leads_to(By.PLACE_ID, "A") == 1
    assert index.leads_to(By.PLACE_ID, "B") is None


def test_points_that_lead_to_nobody_in_particular_give_no_keys() -> None:
    points = [(ContactKind.SOCIAL, "https://facebook.com/acme", None)]
    assert identity("Acme", "acme", None, points=points).keys == {}
