"""Mails as bytes: read back with the standard library's strict parser, which must find no defect."""

from __future__ import annotations

from email import message_from_bytes, policy
from email.header import decode_header, make_header
from email.headerregistry import AddressHeader, DateHeader
from email.message import EmailMessage
from email.utils import parseaddr

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm_tui.providers.base import Unsendable
from crm_tui.providers.message import address, build
from tests.providers.mail_server import a_mail

# What a person can type: no controls, separators, halves of pairs.
TYPED = st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"]), max_size=300)


def read(content: bytes) -> EmailMessage:
    """The mail as a reader sees it, having checked what every mail must be."""
    assert b"\n" not in content.replace(b"\r\n", b"")
    assert b"\r" not in content.replace(b"\r\n", b"")
    assert max(map(len, content.split(b"\r\n"))) <= 998
    parsed = message_from_bytes(content, policy=policy.default)
    for part in parsed.walk():
        assert part.defects == []
        for value in part.values():
            assert value.defects == ()
    return parsed


def body(part: EmailMessage) -> str:
    content = part.get_content()
    assert isinstance(content, str)
    return content.replace("\r\n", "\n")


def shown_name(content: bytes, parsed: EmailMessage) -> str:
    """The sender's name, which stands before the one address there is.

    Read the older way: the strict parser sets a space between two encoded words of a name, which
    RFC 2047 says are one.
    """
    sender = parsed["From"]
    assert isinstance(sender, AddressHeader)
    assert [one.addr_spec for one in sender.addresses] == ["anna@example.com"]
    written, _ = parseaddr(str(message_from_bytes(content)["From"]))
    return str(make_header(decode_header(written)))


def test_every_header_is_there_once_and_no_other() -> None:
    mail = a_mail(
        html="<p>Hello</p>",
        reply_to="answers@example.com",
        in_reply_to="<first.1@example.com>",
        references=("<first.1@example.com>", "<second.2@example.com>"),
        list_unsubscribe=(
            "mailto:anna+u.tok@example.com?subject=unsubscribe",
            "https://x.example/u",
        ),
    )
    parsed = read(build(mail))
    assert dict(parsed.items()) == {
        "From": "Anna Löwe <anna@example.com>",
        "To": "lead1@plumber.example",
        "Subject": "A website for Müller & Söhne",
        "Date": "Sun, 22 Nov 2026 09:30:00 +0000",
        "Message-ID": "<6f1f0c9e.1@example.com>",
        "Reply-To": "answers@example.com",
        "In-Reply-To": "<first.1@example.com>",
        "References": "<first.1@example.com> <second.2@example.com>",
        "List-Unsubscribe": "<mailto:anna+u.tok@example.com?subject=unsubscribe>,"
        " <https://x.example/u>",
        "MIME-Version": "1.0",
        "Content-Type": parsed["Content-Type"],
    }
    assert len(parsed.keys()) == 11
    date = parsed["Date"]
    assert isinstance(date, DateHeader)
    assert date.datetime == mail.date


def test_text_comes_first_and_html_as_its_alternative() -> None:
    parsed = read(build(a_mail(text="Grüße\n", html="<p>Grüße</p>")))
    assert parsed.get_content_type() == "multipart/alternative"
    plain, html = parsed.iter_parts()
    assert isinstance(plain, EmailMessage)
    assert isinstance(html, EmailMessage)
    assert (plain.get_content_type(), body(plain)) == ("text/plain", "Grüße")
    assert (html.get_content_type(), body(html).rstrip()) == ("text/html", "<p>Grüße</p>")


def test_text_alone_is_no_multipart() -> None:
    parsed = read(build(a_mail(text="Hello")))
    assert parsed.get_content_type() == "text/plain"
    assert body(parsed) == "Hello\n"


def test_the_same_mail_is_the_same_bytes_and_another_has_other_boundaries() -> None:
    assert build(a_mail(1, html="<p>")) == build(a_mail(1, html="<p>"))
    assert (
        read(build(a_mail(1, html="x"))).get_boundary()
        != read(build(a_mail(2, html="x"))).get_boundary()
    )


def test_a_text_that_holds_its_own_boundary_does_not_end_early() -> None:
    edge = read(build(a_mail(html="x"))).get_boundary()
    text = f"before\n--{edge}\n--{edge}--\nafter\n"
    parsed = read(build(a_mail(text=text, html="x")))
    plain, _ = parsed.iter_parts()
    assert isinstance(plain, EmailMessage)
    assert body(plain).rstrip() == text.rstrip()


@given(subject=TYPED, name=TYPED, text=TYPED)
def test_whatever_is_typed_arrives(subject: str, name: str, text: str) -> None:
    content = build(a_mail(subject=subject, sender_name=name, text=text))
    parsed = read(content)
    assert str(parsed["Subject"]).split() == subject.split()
    assert shown_name(content, parsed).split() == name.split()
    assert body(parsed).rstrip("\n") == text.rstrip("\n")


@pytest.mark.parametrize(
    "name",
    [
        'Anna "the web" Löwe',
        'Anna "the web" Lowe, Ltd.',
        "back\\slash",
        "=?utf-8?q?fake?=",
        "Müller, Anna <boss@example.org>",
        "x" * 200,
        "Löwe " * 60,
        "a@b.example",
    ],
)
def test_a_name_stays_a_name(name: str) -> None:
    sender = read(build(a_mail(sender_name=name)))["From"]
    assert isinstance(sender, AddressHeader)


BREAKS = ["\r", "\n", "\r\n", "\x00", "\x1b", "\x7f", "\x85", "\u2028", "\u2029", "\ud800", "\v"]


@pytest.mark.parametrize("character", BREAKS)
@pytest.mark.parametrize(
    "field",
    ["subject", "sender_name", "sender", "to", "reply_to", "message_id", "in_reply_to"],
)
def test_no_header_takes_a_line_break_or_control_character(field: str, character: str) -> None:
    good = {
        "message_id": "<a{}b@example.com>",
        "in_reply_to": "<a{}b@example.com>",
        "subject": "a{}Bcc: x@y.example",
        "sender_name": "a{}b",
    }.get(field, "a{}b@example.com")
    with pytest.raises(Unsendable):
        build(a_mail(**{field: good.format(character)}))
    assert build(a_mail(**{field: good.format("")}))


@pytest.mark.parametrize("character", BREAKS)
def test_nor_do_the_lists_of_a_header(character: str) -> None:
    with pytest.raises(Unsendable):
        build(a_mail(references=("<a@b.example>", f"<a{character}@b.example>")))
    with pytest.raises(Unsendable):
        build(a_mail(list_unsubscribe=(f"mailto:a@b.example{character}",)))


@pytest.mark.parametrize("uri", ["anna@example.com", "mailto:a>,<b", "mailto:a b", ""])
def test_an_unsubscribe_address_is_a_uri(uri: str) -> None:
    with pytest.raises(Unsendable, match="unsubscribe"):
        build(a_mail(list_unsubscribe=(uri,)))


@pytest.mark.parametrize("character", ["\x00", "\x1b", "\x08", "\x7f", "\udcff"])
def test_a_control_character_in_the_text_is_said(character: str) -> None:
    with pytest.raises(Unsendable, match="The text contains a control character"):
        build(a_mail(text=f"a{character}b"))
    with pytest.raises(Unsendable, match="The HTML contains a control character"):
        build(a_mail(html=f"a{character}b"))


@pytest.mark.parametrize(
    ("written", "ready"),
    [
        ("info@bücher.example", "info@xn--bcher-kva.example"),
        ("info@BÜCHER.example", "info@xn--bcher-kva.example"),
        ("info@straße.example", "info@xn--strae-oqa.example"),  # not strasse: another's domain
        (" info@plain.example ", "info@plain.example"),
        ("Mixed.Case+tag@Example.COM", "Mixed.Case+tag@Example.COM"),
        ("o'hara@example.com", "o'hara@example.com"),
    ],
)
def test_addresses_are_ready_for_the_wire(written: str, ready: str) -> None:
    assert address(written) == ready


@pytest.mark.parametrize(
    "written",
    [
        "", "@", "a", "a@", "@b.example", "a@b", "a b@c.example", "a@b c.example", "a@b..example",
        "a@-b.example", "a@b.example.", "a..b@c.example", ".a@b.example", "a@[127.0.0.1]",
        "Anna <a@b.example>", "a@b.example,c@d.example", '"a b"@c.example', "a@b.example>",
        "<a@b.example>", "a@b@c.example", "x" * 65 + "@b.example", "a@" + "x" * 64 + ".example",
        "a@xn--.example\u200b", "(c)a@b.example",
    ],
)  # fmt: skip
def test_what_is_no_address_is_said(written: str) -> None:
    with pytest.raises(Unsendable, match="is not an e-mail address"):
        address(written)


def test_letters_beyond_ascii_before_the_at_need_smtputf8() -> None:
    with pytest.raises(Unsendable, match="beyond ASCII"):
        address("jürgen@example.com")
    assert address("jürgen@example.com", utf8=True) == "jürgen@example.com"
    content = build(a_mail(to="jürgen@example.com"), utf8=True)
    assert "To: jürgen@example.com\r\n".encode() in content
