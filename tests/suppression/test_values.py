from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm_tui.errors import BadInput
from crm_tui.services.barred import parents
from crm_tui.services.suppression import Value, read_value
from crm_tui.vocabulary import SuppressionKind

EMAIL, PHONE, DOMAIN, BUSINESS = (
    SuppressionKind.EMAIL,
    SuppressionKind.PHONE,
    SuppressionKind.DOMAIN,
    SuppressionKind.BUSINESS,
)


@pytest.mark.parametrize(
    ("typed", "kind", "value"),
    [
        ("joe@acme.com", EMAIL, "joe@acme.com"),
        (" Joe.Doe@ACME.com ", EMAIL, "joe.doe@acme.com"),
        ("Joe Doe <joe@acme.com>", EMAIL, "joe@acme.com"),
        ("mailto:joe@acme.com", EMAIL, "joe@acme.com"),
        ("joe@bücher.de", EMAIL, "joe@xn--bcher-kva.de"),
        ("user@domain.com", EMAIL, "user@domain.com"),
        ("noreply@acme.com", EMAIL, "noreply@acme.com"),
        ("718-555-0142", PHONE, "+17185550142"),
        ("+49 221 123456", PHONE, "+49221123456"),
        ("tel:+17185550142", PHONE, "+17185550142"),
        ("acme.com", DOMAIN, "acme.com"),
        ("ACME.com.", DOMAIN, "acme.com"),
        ("@acme.com", DOMAIN, "acme.com"),
        ("*.acme.com", DOMAIN, "acme.com"),
        ("mail.acme.co.uk", DOMAIN, "mail.acme.co.uk"),
        ("https://www.acme.com/contact?x=1", DOMAIN, "acme.com"),
        ("bücher.de", DOMAIN, "xn--bcher-kva.de"),
        ("gmail.com", DOMAIN, "gmail.com"),
        ("12", BUSINESS, "12"),
        ("lead:12", BUSINESS, "12"),
        ("lead 12", BUSINESS, "12"),
        ("#12", BUSINESS, "12"),
        ("lead:12345678", BUSINESS, "12345678"),
        (
            "0B7E4A51-6a4d-4d39-9c1a-3f2d3c8f4a10",
            BUSINESS,
            "0b7e4a51-6a4d-4d39-9c1a-3f2d3c8f4a10",
        ),
    ],
)
def test_the_value_tells_what_it_is(typed: str, kind: SuppressionKind, value: str) -> None:
    assert read_value(typed, region="US") == Value(kind, value)


@pytest.mark.parametrize(
    "typed",
    [
        "",
        "   ",
        "\x00\x1b[2J",
        "com",
        "co.uk",
        "@",
        "@@",
        "a@",
        "@b@c",
        "joe@localhost",
        "joe@acme",
        "joe@acme.com, ann@acme.com",
        "12345678",
        "+1 555",
        "acme .com",
        "acme..com",
        "-acme.com",
        "127.0.0.1",
        "lead:99999999999999999999",
        "' OR 1=1 --",
        "x" * 400,
        "x" * 400 + "@acme.com",
    ],
)
def test_what_is_no_value_is_refused_in_a_sentence(typed: str) -> None:
    with pytest.raises(BadInput) as refused:
        read_value(typed, region="US")
    sentence = str(refused.value)
    assert sentence.endswith(".")
    assert len(sentence) < 260
    assert "\x1b" not in sentence


def test_what_has_to_be_of_a_kind_says_what_it_is_instead() -> None:
    with pytest.raises(BadInput, match=r"“acme\.com” is a domain, not an e-mail address"):
        read_value("acme.com", region="US", kind=EMAIL)
    assert read_value("1234567", region="", kind=BUSINESS) == Value(BUSINESS, "1234567")


@given(st.text(max_size=60))
def test_whatever_is_typed_is_a_value_that_reads_as_itself_or_refused(typed: str) -> None:
    value = None
    with suppress(BadInput):
        value = read_value(typed, region="US")
    if value is not None:
        again = f"lead:{value.value}" if value.lead_id is not None else value.value
        assert read_value(again, region="US") == value


def test_the_domains_above_one() -> None:
    assert parents("a.b.com") == ["a.b.com", "b.com", "com"]
