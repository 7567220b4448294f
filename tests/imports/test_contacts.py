from __future__ import annotations

import phonenumbers
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crm_tui.services import contacts
from crm_tui.services.hosts import registrable_domain
from crm_tui.vocabulary import ContactKind


@pytest.mark.parametrize(
    ("raw", "region", "e164"),
    [
        ("+1 518-871-1647", "US", "+15188711647"),
        ("15188711647", "US", "+15188711647"),
        ("(212) 555-0123", "US", "+12125550123"),
        ("315.699.7255", "US", "+13156997255"),
        ("'+12125550100", "US", "+12125550100"),
        ("2125550100.0", "US", "+12125550100"),
        ("tel: 212 555 0100", "US", "+12125550100"),
        ("97 754374", "CY", "+35797754374"),
        ("35797754374", "CY", "+35797754374"),
        ("35797754374", "US", "+35797754374"),
        ("0035797754374", "US", "+35797754374"),
        ("0221/123456", "DE", "+49221123456"),
        ("020 7769 8844", "GB", "+442077698844"),
    ],
)
def test_a_phone_becomes_e164(raw: str, region: str, e164: str) -> None:
    found = contacts.phone(raw, region)
    assert found.valid
    assert found.value == e164


@pytest.mark.parametrize("raw", ["518", "1", "60772", "518.868494", "1518584440", "", "call us"])
def test_what_is_not_a_phone_says_why(raw: str) -> None:
    found = contacts.phone(raw, "US")
    assert not found.valid
    assert found.problem
    assert found.value == raw


def test_an_extension_goes_to_the_label() -> None:
    found = contacts.phone("212-555-0100 ext. 5", "US")
    assert (found.value, found.label) == ("+12125550100", "ext. 5")


def test_several_phones_in_one_cell_keep_their_order() -> None:
    cell = "212-555-0100 / 212-555-0101; 212-555-0102, (212) 555-0100"
    assert [found.value for found in contacts.phones(cell, "US")] == [
        "+12125550100",
        "+12125550101",
        "+12125550102",
    ]


def test_a_slash_inside_a_german_number_does_not_split_it() -> None:
    cell = "0221/123456 / 030/12345678"
    assert [found.value for found in contacts.phones(cell, "DE")] == [
        "+49221123456",
        "+493012345678",
    ]


@given(
    st.integers(2000000000, 9999999999),
    st.sampled_from(["{}{}{}", "({}) {}-{}", "+1 {}-{}-{}", "1{}{}{}", "{}.{}.{}", "+1{}{}{}"]),
)
@settings(deadline=None)
def test_the_short_cut_for_north_america_agrees_with_phonenumbers(number: int, form: str) -> None:
    digits = str(number)
    raw = form.format(digits[:3], digits[3:6], digits[6:])
    parsed = phonenumbers.parse(raw, "US")
    found = contacts.phone(raw, "US")
    assert found.valid == phonenumbers.is_valid_number(parsed)
    if found.valid:
        e164 = phonenumbers.PhoneNumberFormat.E164
        assert found.value == phonenumbers.format_number(parsed, e164)


@pytest.mark.parametrize(
    ("raw", "address", "domain"),
    [
        ("mailto:Info@Acme.com?subject=Hi", "info@acme.com", "acme.com"),
        ("joe@shop.acme.co.uk.", "joe@shop.acme.co.uk", "acme.co.uk"),
        ("ann@müller.de", "ann@xn--mller-kva.de", "xn--mller-kva.de"),
        ("%20info@acme.com", "info@acme.com", "acme.com"),
        ("joe@gmail.com", "joe@gmail.com", ""),
        ("joe@yahoo.com.example", "joe@yahoo.com.example", ""),
        ("joe@acme.com.example", "joe@acme.com.example", "acme.com.example"),
        ("joe@example.com", "joe@example.com", ""),
    ],
)
def test_an_email_is_normalised(raw: str, address: str, domain: str) -> None:
    found = contacts.email(raw)
    assert found is not None
    assert found.valid
    assert (found.value, found.domain) == (address, domain)


def test_a_name_before_an_address_is_the_person() -> None:
    found = contacts.emails('Joe Doe <joe@acme.com>, "Ann Bee" <ann@acme.com>; sue@acme.com')
    assert [(one.value, one.person) for one in found] == [
        ("joe@acme.com", "Joe Doe"),
        ("ann@acme.com", "Ann Bee"),
        ("sue@acme.com", ""),
    ]


@pytest.mark.parametrize(
    "raw",
    [
        "user@domain.com",
        "example@example.com",
        "hello@yoursite.com.example",
        "filler@godaddy.com",
        "team@latofonts.com",
        "abc123@sentry.io",
    ],
)
def test_a_placeholder_is_kept_but_not_valid(raw: str) -> None:
    found = contacts.email(raw)
    assert found is not None
    assert not found.valid
    assert found.problem


@pytest.mark.parametrize("raw", ["logo@2x.png", "icon@3x.webp", "", "   "])
def test_a_picture_is_no_address_at_all(raw: str) -> None:
    assert contacts.emails(raw) == []


@pytest.mark.parametrize("raw", ["joe at acme dot com", "a@b", "@foo", "a..b@c.com", "joe@1.2.3.4"])
def test_what_is_not_an_email_says_why(raw: str) -> None:
    (found,) = contacts.emails(raw)
    assert not found.valid
    assert found.problem


def test_a_role_address_says_nothing_about_who_it_belongs_to() -> None:
    assert contacts.is_role_or_shared_address("info@acme.com")
    assert contacts.is_role_or_shared_address("joe.plumber@gmail.com")
    assert not contacts.is_role_or_shared_address("joe@acme.com")


@pytest.mark.parametrize(
    ("raw", "url"),
    [
        ("acme.com", "https://acme.com/"),
        ("HTTP://WWW.Acme.com/Foo?utm_source=x&id=3#top", "http://www.acme.com/Foo?id=3"),
        ("https://www.google.com/url?q=http://acme.com/x&sa=D", "http://acme.com/x"),
        ("http://gomusso.com/%3Futm_source%3DGMB%26utm_medium%3Do", "http://gomusso.com/"),
        ("acme.com:8080/x", "https://acme.com:8080/x"),
        ("https://acme.com:443", "https://acme.com/"),
        ("https://müller.de/über uns", "https://xn--mller-kva.de/%C3%BCber%20uns"),
        ("<https://acme.com/a?gclid=1>", "https://acme.com/a"),
    ],
)
def test_a_website_becomes_one_canonical_url(raw: str, url: str) -> None:
    found = contacts.website(raw)
    assert found is not None
    assert (found.kind, found.valid, found.value) == (ContactKind.WEBSITE, True, url)


@pytest.mark.parametrize(
    "raw",
    [
        "https://m.facebook.com/no9lounge/",
        "https://www.instagram.com/nomalatchi/",
        "https://speedway.business.site/?utm_source=gmb",
        "https://shinersplumbing.wixsite.com/plumbing",
        "http://www.laonarestaurant.blogspot.com/",
        "https://acme.blogspot.co.uk",
        "https://sites.google.com/view/acme",
        "https://linktr.ee/acme",
        "https://melpoantia.simplybook.it/",
        "x.com/acme",
    ],
)
def test_a_page_on_somebody_elses_site_is_social(raw: str) -> None:
    found = contacts.website(raw)
    assert found is not None
    assert (found.kind, found.domain) == (ContactKind.SOCIAL, "")


@pytest.mark.parametrize(
    "raw", ["javascript:alert(1)", "info@acme.com", "http://", "n/a", "ftp://x.com", "http://[::1"]
)
def test_what_is_not_a_web_address_says_why(raw: str) -> None:
    found = contacts.website(raw)
    assert found is not None
    assert not found.valid
    assert found.problem


@pytest.mark.parametrize(
    ("host", "domain"),
    [
        ("www.acme.com", "acme.com"),
        ("shop.acme.co.uk", "acme.co.uk"),
        ("www.marzano.com.cy", "marzano.com.cy"),
        ("a.b.acme.me.uk", "acme.me.uk"),
        ("acme.de", "acme.de"),
        ("www.acme.com.example", "acme.com.example"),
        ("www.acme.example", "acme.example"),
        ("mail.acme.local", "acme.local"),
        ("co.uk", "co.uk"),
        ("192.168.1.1", "192.168.1.1"),
    ],
)
def test_the_registrable_domain_is_what_the_owner_registered(host: str, domain: str) -> None:
    assert registrable_domain(host) == domain


@given(st.text(max_size=300), st.sampled_from(["US", "DE", "", "ZZ"]))
@settings(deadline=None)
def test_no_text_makes_the_normalisers_raise(text: str, region: str) -> None:
    for found in [
        *contacts.phones(text, region),
        *contacts.emails(text),
        *contacts.websites(text),
    ]:
        assert found.valid == (not found.problem)
        again = {
            ContactKind.PHONE: lambda value: contacts.phone(value, ""),
            ContactKind.EMAIL: contacts.email,
        }.get(found.kind, contacts.website)(found.value)
        if found.valid:
            assert again is not None
            assert again.value == found.value


def test_a_number_is_read_out_in_groups() -> None:
    assert contacts.phone_words("+17185550142") == "+1 718-555-0142"
    assert contacts.phone_words("+35722555014") == "+357 22 555014"
    assert contacts.phone_words("no number") == "no number"
