from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm_tui.services.mailable import (
    LEFTOVER,
    MALFORMED,
    NEEDS_UTF8,
    PLACEHOLDER,
    TOO_LONG,
    UNREAD,
    mailable,
)


@pytest.mark.parametrize(
    ("address", "sent_to"),
    [
        ("joe@acme-plumbing.com", "joe@acme-plumbing.com"),
        (" Joe.Doe@Acme.COM ", "Joe.Doe@acme.com"),
        ("joe+crm@acme.co.uk", "joe+crm@acme.co.uk"),
        ("o'neil@acme.ie", "o'neil@acme.ie"),
        ("a@b.de", "a@b.de"),
        ('"joe"@acme.com', "joe@acme.com"),
        ('"joe\\.doe"@acme.com', "joe.doe@acme.com"),
        ("info@müller-bau.de", "info@xn--mller-bau-q9a.de"),
        ("info@STRASSE-straße.de", "info@xn--strasse-strae-mdb.de"),
        ("info@xn--mller-bau-q9a.de", "info@xn--mller-bau-q9a.de"),
        ("kontakt@παράδειγμα.ελ", "kontakt@xn--hxajbheg2az3al.xn--qxam"),
        ("o" * 64 + "@acme.com", "o" * 64 + "@acme.com"),
        ("mail@maler-schmidt.de", "mail@maler-schmidt.de"),
        ("testa@acme.com", "testa@acme.com"),
        ("barbara@acme.com", "barbara@acme.com"),
        ("rootsalon@gmail.com", "rootsalon@gmail.com"),
        ("legal@smith-law.com", "legal@smith-law.com"),
        ("bounce@bounce-houses.com", "bounce@bounce-houses.com"),
        ("test1@gmail.com", "test1@gmail.com"),
        ("username1@gmail.com", "username1@gmail.com"),
        ("plumber@example.com", "plumber@example.com"),
        ("plumber@acme.example", "plumber@acme.example"),
    ],
)
def test_addresses_that_may_be_mailed_and_how_they_are_written(address: str, sent_to: str) -> None:
    found = mailable(address)
    assert found.problem == ""
    assert found.address == sent_to
    assert found.domain == sent_to.partition("@")[2]
    assert mailable(found.address) == found


@pytest.mark.parametrize(
    ("problem", "addresses"),
    [
        (
            MALFORMED,
            [
                "",
                "@",
                "joe",
                "joe@",
                "@acme.com",
                "your@email",
                "joe@localhost",
                "joe doe@acme.com",
                "joe.@acme.com",
                ".joe@acme.com",
                "joe..doe@acme.com",
                "joe@acme..com",
                "joe@acme.com.",
                "joe@-acme.com",
                "joe@acme_plumbing.com",
                "joe@acme.c",
                "joe@acme.123",
                "joe@192.0.2.1",
                "joe@[192.0.2.1]",
                '"joe doe"@acme.com',
                '"joe@home"@acme.com',
                '"joe@acme.com',
                "joe@doe@acme.com",
                "joe@acme.com,doe@acme.com",
                "Joe <joe@acme.com>",
                "joe@acme.com\r\nBcc: all@acme.com",
                "joe@acme.com\x00",
                "jo\u200be@acme.com",
                "joe@" + "a" * 64 + ".com",
                "joe@\u2025.com",
                "joe@☃.com",
            ],
        ),
        (
            TOO_LONG,
            ["x" * 65 + "@acme.com", "x" * 64 + "@" + "a" * 60 + ("." + "b" * 60) * 3 + ".com"],
        ),
        (NEEDS_UTF8, ["jürgen@acme.de", '"jürgen"@acme.de']),
        (
            PLACEHOLDER,
            """hello@yoursite.com user@domain.com name@email.com email@email.com your@email.com
            yourname@gmail.com your-email@acme.com youremail@acme.com your.name@acme.com
            your_email@acme.com myemail@acme.com first.name@acme.com firstname.lastname@acme.com
            example@gmail.com user@example.com test@acme.com testing@acme.com
            TEST@acme.com someone@acme.com vorname.nachname@acme.de""".split(),
        ),
        (
            LEFTOVER,
            """logo@2x.png flags@2x.webp 605a7baede844d278b89dc95ae0a9123@sentry-next.wixpress.com
            605a7baede844d278b89dc95ae0a9123@o37417.ingest.sentry.io impallari@gmail.com
            605a7baede844d278b89dc95ae0a9123@acme.com
            8c4075d5-481e-4f6d-b1a7-2d8f4a2b9c3d@acme.com""".split(),
        ),
        (
            UNREAD,
            """noreply@acme.com no-reply@acme.com no_reply@acme.com donotreply@acme.com
            do-not-reply@acme.com noreply+7a@acme.com NoReply@acme.com abuse@acme.com
            postmaster@acme.com hostmaster@acme.com mailer-daemon@acme.com MAILER-DAEMON@acme.com
            privacy@acme.com dpo@acme.com bounces+joe@acme.com""".split(),
        ),
    ],
)
def test_addresses_that_must_not_be_mailed_and_why(problem: str, addresses: list[str]) -> None:
    assert {address: mailable(address).problem for address in addresses} == dict.fromkeys(
        addresses, problem
    )


def test_role_addresses_are_marked_and_not_refused() -> None:
    for address in ("info@acme.com", "Office@acme.com", '"info"@acme.com', "kontakt@acme.de"):
        assert mailable(address).role
        assert mailable(address).problem == ""
    assert not mailable("joe@acme.com").role


@given(st.text(max_size=60) | st.from_regex(r"\A[\"!-~]{1,20}@[!-~]{1,20}\Z"))
def test_any_text_is_looked_at_without_harm(text: str) -> None:
    found = mailable(text)
    if not found.problem:
        assert found.address.isascii()
        assert found.address.count("@") == 1
        assert not set(found.address) & set(' \r\n<>,;:"\\')
        assert len(found.address) <= 254
        assert mailable(found.address) == found


@given(st.emails())
def test_ordinary_addresses_may_be_mailed_or_have_a_reason(address: str) -> None:
    found = mailable(address)
    assert found.problem in {"", MALFORMED, PLACEHOLDER, LEFTOVER, UNREAD}
