"""What incoming mails are: the shapes mail systems and people really send, and what nobody should."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm_tui.providers.incoming import Delivery, Incoming, Kind, Token, classify, read_headers

RECEIVED = datetime(2026, 11, 22, 9, tzinfo=UTC)
OURS = "<0f9d.17@studio.example>"
ORIGINAL = (
    f"From: me@studio.example\nTo: ann@plumber.example\nSubject: Your site\nMessage-ID: {OURS}\n"
)


def read(mail: str | bytes) -> Incoming:
    raw = mail.replace("\n", "\r\n").encode() if isinstance(mail, str) else mail
    return classify(raw, received=RECEIVED)


def report(
    sender: str, said: str, status: str, *, action: str = "failed", headers: str = ""
) -> str:
    return (
        f"From: {sender}\nTo: me@studio.example\nSubject: Delivery report\n{headers}MIME-Version: 1.0\n"
        'Content-Type: multipart/report; report-type=delivery-status;\n boundary="b/1"\n\n'
        "--b/1\nContent-Type: text/plain\n\nYour mail could not be delivered.\n\n"
        "--b/1\nContent-Type: message/delivery-status\n\n"
        "Reporting-MTA: dns; mx.example\nArrival-Date: Sun, 22 Nov 2026 08:00:00 +0000\n\n"
        f"Final-Recipient: rfc822; ann@plumber.example\nAction: {action}\nStatus: {status}\n"
        f"Diagnostic-Code: {said}\n\n"
        f"--b/1\nContent-Type: text/rfc822-headers\n\n{ORIGINAL}\n--b/1--\n"
    )


@pytest.mark.parametrize(
    ("sender", "said", "status", "delivery"),
    [
        # Postfix
        ("MAILER-DAEMON@mx.example (Mail Delivery System)", "smtp; 550 5.1.1 <ann@plumber.example>: Recipient address rejected: User unknown in virtual mailbox table", "5.1.1", "hard"),
        ("MAILER-DAEMON@mx.example", "X-Postfix; Host or domain name not found. Name service error for name=plumber.example type=AAAA: Host not found", "5.4.4", "hard"),
        # Exim says 5.0.0 of everything.
        ("Mail Delivery System <Mailer-Daemon@mx.example>", "smtp; 550 No such person at this address", "5.0.0", "hard"),
        ("Mail Delivery System <Mailer-Daemon@mx.example>", "smtp; 550 JunkMail rejected - mx.example is in an RBL on rbl.example", "5.0.0", "soft"),
        # Exchange and Office 365
        ("postmaster@tenant.example", "smtp;550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient not found by SMTP address lookup", "5.1.10", "hard"),
        ("postmaster@tenant.example", "smtp;550 5.4.1 Recipient address rejected: Access denied. [AM5EUR03.example]", "5.4.1", "hard"),
        ("postmaster@tenant.example", "smtp;550 5.7.1 Unable to relay; blocked by policy", "5.7.1", "soft"),
        # Gmail
        ("Mail Delivery Subsystem <mailer-daemon@googlemail.com>", "smtp; 550-5.1.1 The email account that you tried to reach does not exist.", "5.1.1", "hard"),
        ("Mail Delivery Subsystem <mailer-daemon@googlemail.com>", "smtp; 552-5.2.2 The email account that you tried to reach is over quota", "5.2.2", "soft"),
        ("Mail Delivery Subsystem <mailer-daemon@googlemail.com>", "smtp; 550-5.7.26 This mail is unauthenticated, which poses a security risk", "5.7.26", "soft"),
        # Sendmail gave up after five days.
        ("Mail Delivery Subsystem <MAILER-DAEMON@mx.example>", "SMTP; 451 4.7.1 Greylisted", "4.4.7", "soft"),
        # Amazon SES
        ("MAILER-DAEMON@eu-west-1.amazonses.example", "smtp; 550 5.1.1 user unknown", "5.1.1", "hard"),
        # Yahoo
        ("MAILER-DAEMON@yahoo.example", "smtp; 554 delivery error: dd This user doesn't have a yahoo.example account (ann@yahoo.example) [0]", "5.0.0", "hard"),
        # It is us who are refused, not the address that is bad.
        ("MAILER-DAEMON@mx.example", "smtp; 550 5.1.8 Sender address rejected: Domain not found", "5.1.8", "soft"),
        ("MAILER-DAEMON@mx.example", "smtp; 552 5.3.4 Message too big", "5.3.4", "soft"),
    ],
)  # fmt: skip
def test_delivery_reports(sender: str, said: str, status: str, delivery: str) -> None:
    mail = read(report(sender, said, status, headers="Auto-Submitted: auto-replied\n"))
    assert mail.kind is Kind.BOUNCE
    (result,) = mail.results
    assert (result.recipient, result.delivery) == ("ann@plumber.example", delivery)
    assert mail.cited[0] == OURS
    assert result.reason


def test_a_delay_and_a_success_are_no_bounces_of_the_address() -> None:
    delayed = read(report("MAILER-DAEMON@mx.example", "smtp; 451 later", "4.4.1", action="delayed"))
    assert delayed.results[0].delivery is Delivery.DEFERRED
    relayed = read(report("MAILER-DAEMON@mx.example", "", "2.0.0", action="relayed"))
    assert relayed.results[0].delivery is Delivery.DELIVERED


def test_a_report_names_every_recipient_and_the_token_it_came_back_to() -> None:
    text = report("MAILER-DAEMON@mx.example", "smtp; 550 5.1.1 no", "5.1.1").replace(
        "--b/1\nContent-Type: text/rfc822",
        "Final-Recipient: rfc822; bob@plumber.example\nAction: failed\nStatus: 4.2.2\n\n--b/1\nContent-Type: text/rfc822",
    )
    mail = read(text.replace("To: me@studio", "To: me+b.tok3nTOK@studio", 1))
    assert [r.delivery for r in mail.results] == [Delivery.HARD, Delivery.SOFT]
    assert mail.tokens == (Token("b", "tok3nTOK"),)


QMAIL = f"""From: MAILER-DAEMON@mx.example
To: me@studio.example
Subject: failure notice

Hi. This is the qmail-send program at mx.example.
I'm afraid I wasn't able to deliver your message to the following addresses.
This is a permanent error; I've given up. Sorry it didn't work out.

<ann@plumber.example>:
192.0.2.7 does not like recipient.
Remote host said: 550 sorry, no mailbox here by that name (#5.1.1)
Giving up on 192.0.2.7.

--- Below this line is a copy of the message.

Return-Path: <me@studio.example>
Message-ID: {OURS}
Subject: no more spam in your mailbox
"""
EXIM = f"""From: Mail Delivery System <Mailer-Daemon@mx.example>
To: me@studio.example
X-Failed-Recipients: ann@plumber.example
Subject: Mail delivery failed: returning message to sender

A message that you sent could not be delivered to one or more of its recipients.

  ann@plumber.example
    Unrouteable address

------ This is a copy of your message, including all the headers. ------

Message-ID: {OURS}
"""
DELAY = f"""From: Mail Delivery System <Mailer-Daemon@mx.example>
To: me@studio.example
Subject: Warning: message 1abc delayed 24 hours

This message has been delayed. No action is required on your part.

  ann@plumber.example
    host mx.plumber.example: Connection timed out

Message-ID: {OURS}
"""
EXCHANGE = f"""From: postmaster@old.example
To: me@studio.example
Subject: Undeliverable: Your site
Content-Type: multipart/mixed; boundary=x

--x
Content-Type: text/plain

Your message did not reach some or all of the intended recipients.
      ann@plumber.example on 22.11.2026 09:00
            The recipient's mailbox is full. <old.example #5.2.2>
--x
Content-Type: message/rfc822

{ORIGINAL}
Hello
--x--
"""


@pytest.mark.parametrize(
    ("text", "delivery"),
    [(QMAIL, "hard"), (EXIM, "hard"), (DELAY, "deferred"), (EXCHANGE, "soft")],
    ids=["qmail", "exim", "delay", "exchange"],
)
def test_bounces_that_follow_no_standard(text: str, delivery: str) -> None:
    mail = read(text)
    assert mail.kind is Kind.BOUNCE
    assert [(r.recipient, r.delivery) for r in mail.results] == [("ann@plumber.example", delivery)]
    assert mail.cited[0] == OURS
    assert mail.results[0].said


def test_complaints() -> None:
    def arf(kind: str) -> Kind:
        return read(
            "From: abuse@isp.example\nContent-Type: multipart/report; report-type=feedback-report;"
            " boundary=f\n\n--f\nContent-Type: text/plain\n\nThis is an email abuse report.\n"
            f"--f\nContent-Type: message/feedback-report\n\nFeedback-Type: {kind}\nVersion: 1\n\n"
            f"--f\nContent-Type: message/rfc822\n\n{ORIGINAL}\nHi\n--f--\n"
        ).kind

    assert arf("abuse") is Kind.COMPLAINT
    assert arf("not-spam") is Kind.OTHER
    assert arf("opt-out") is Kind.UNSUBSCRIBE


def answer(text: str, headers: str = "") -> Incoming:
    return read(
        f"From: Ann <Ann@Plumber.example>\nTo: me@studio.example\nSubject: Re: Your site\nIn-Reply-To: {OURS}\n"
        f"{headers}Content-Type: text/plain; charset=utf-8\n\n{text}"
    )


@pytest.mark.parametrize(
    "text",
    [
        "Unsubscribe", "STOP", "Please remove me from your list.\n\nAnn", "Hi,\n\nplease take me off your mailing list",
        "Bitte abmelden!", "Sehr geehrte Frau Muster,\n\nbitte nehmen Sie mich aus dem Verteiler.",
        "Désabonnez-moi svp", "Veuillez me retirer de votre liste", "Διαγραφή", "Παρακαλώ διαγράψτε με από τη λίστα σας",
        "> old words\n\nunsubscribe me please", "No more emails, thanks.",
    ],
)  # fmt: skip
def test_opt_outs(text: str) -> None:
    assert answer(text).kind is Kind.UNSUBSCRIBE


@pytest.mark.parametrize(
    "text",
    [
        "Stop by tomorrow, we are in until five.", "Please remove the photo of the van.", "Yes, please!",
        "Great.\n\n> Reply STOP and I will not write again", "Keine Frage, rufen Sie an.", "Ich melde mich ab Montag.",
    ],
)  # fmt: skip
def test_answers_are_no_opt_outs(text: str) -> None:
    assert answer(text).kind is Kind.REPLY


def test_opt_outs_by_address_and_subject() -> None:
    by_address = read(
        "From: a@b.example\nTo: me+u.abcDEF12@studio.example\nSubject: unsubscribe\n\n"
    )
    assert (by_address.kind, by_address.tokens) == (Kind.UNSUBSCRIBE, (Token("u", "abcDEF12"),))
    by_subject = read("From: a@b.example\nTo: me@studio.example\nSubject: unsubscribe abcDEF12\n\n")
    assert (by_subject.kind, by_subject.tokens) == (Kind.UNSUBSCRIBE, (Token("u", "abcDEF12"),))
    assert (
        read("From: a@b.example\nSubject: Re: unsubscribe me\n\nWhat is this?").kind is Kind.OTHER
    )


@pytest.mark.parametrize(
    "headers",
    [
        "Auto-Submitted: auto-replied\nPrecedence: bulk\nX-Autoreply: yes\n",  # Gmail's vacation answer
        "X-Auto-Response-Suppress: All\nAuto-Submitted: auto-generated\nReturn-Path: <>\n",  # Outlook
        "X-Autorespond: Re: Your site\nPrecedence: auto_reply\n",  # cPanel
        "X-Autoreply: yes\n",
        "Subject: Automatische Antwort: Ihre Website\n",
        "Subject: =?utf-8?q?Abwesenheitsnotiz=3A_Ihre_Website?=\n",
        "Subject: Réponse automatique : votre site\n",
        "Subject: Αυτόματη απάντηση: Ο ιστότοπος\n",  # noqa: RUF001 - Greek
    ],
)
def test_automatic_answers(headers: str) -> None:
    mail = read(
        f"From: ann@plumber.example\nIn-Reply-To: {OURS}\n{headers}\nI am away until Monday.\n"
    )
    assert mail.kind is Kind.AUTO_REPLY
    assert mail.why


def test_auto_submitted_no_is_a_person() -> None:
    assert answer("Yes.", "Auto-Submitted: no\n").kind is Kind.REPLY


GMAIL = "Yes, call me.\n\nOn Sun, Nov 22, 2026 at 9:00 AM Me <me@studio.example>\nwrote:\n\n> Hello\n> there\n"
OUTLOOK = "Yes, call me.\n\n________________________________\nFrom: Me <me@studio.example>\nSent: Sunday\nTo: Ann\nSubject: Your site\n\nHello\n"
OUTLOOK_DE = "Yes, call me.\n\nVon: Me <me@studio.example>\nGesendet: Sonntag\nAn: Ann\nBetreff: Your site\n\nHello\n"
APPLE = "Yes, call me.\n\n> On 22 Nov 2026, at 09:00, Me <me@studio.example> wrote:\n> \n> Hello\n"
GERMAN = "Yes, call me.\n\nAm So., 22. Nov. 2026 um 09:00 Uhr schrieb Me <me@studio.example>:\n\n> Hello\n"
BELOW = "On Sun, Nov 22, 2026 Me wrote:\n> Hello\n> there\n\nYes, call me.\n"
ORIGINAL_MESSAGE = "Yes, call me.\n\n-----Ursprüngliche Nachricht-----\nVon: Me\nHello\n"


@pytest.mark.parametrize(
    "text", [GMAIL, OUTLOOK, OUTLOOK_DE, APPLE, GERMAN, BELOW, ORIGINAL_MESSAGE]
)
def test_an_answer_is_read_without_what_it_quotes(text: str) -> None:
    mail = answer(text)
    assert (mail.kind, mail.text) == (Kind.REPLY, "Yes, call me.")
    assert (mail.heading.sender, mail.heading.sender_name) == ("ann@plumber.example", "Ann")


def test_an_answer_in_html_alone_is_read_as_lines() -> None:
    mail = read(
        f"From: a@b.example\nIn-Reply-To: {OURS}\nContent-Type: text/html; charset=utf-8\n\n<html><head>"
        "<style>p {color: red}</style></head><body><div>Yes &amp; <b>please</b>.</div><p>Ann</p>"
        "<div class=gmail_quote>On Sunday, Me wrote:<br><blockquote>Hello<br>there</blockquote></div>"
    )
    assert mail.text == "Yes & please.\nAnn"


def test_ids_are_cited_likeliest_first() -> None:
    heading = read_headers(b"In-Reply-To: <b@x>\r\nReferences: <a@x>\r\n <b@x> <c@x>\r\n\r\n")
    assert heading.cited == ("<b@x>", "<c@x>", "<a@x>")


def test_a_clock_that_is_wrong_is_not_believed() -> None:
    def at(date: datetime | str) -> datetime:
        said = date if isinstance(date, str) else date.strftime("%a, %d %b %Y %H:%M:%S +0000")
        return read(f"From: a@b.example\nDate: {said}\n\nHi").occurred_at

    hour = timedelta(hours=1)
    assert at(RECEIVED - hour) == RECEIVED - hour
    assert at(RECEIVED + hour) == RECEIVED
    assert at(RECEIVED - 30 * 24 * hour) == RECEIVED
    assert at("yesterday, 99 Foo 20266 77:88") == RECEIVED


# -- what nobody should send ---------------------------------------------------------------------


def nested(depth: int) -> bytes:
    head = b"".join(
        b'Content-Type: multipart/mixed; boundary="b%d"\r\n\r\n--b%d\r\n' % (n, n)
        for n in range(depth)
    )
    return b"From: a@b.example\r\n" + head + b"\r\nHi"


HOSTILE = {
    "nesting": nested(1000),
    "boundaries": b"Content-Type: multipart/mixed; boundary=x\r\n\r\n" + b"--x\r\n\r\n" * 500_000,
    "quoted-printable": b"Content-Transfer-Encoding: quoted-printable\r\n\r\n"
    + b"=\r\n=41" * 900_000,
    "base64": b"Content-Transfer-Encoding: base64\r\n\r\nSGk=\x00\xff%%%A",
    "charset": b"Content-Type: text/plain; charset=punycode\r\n\r\n" + b"a-" * 200_000 + b"\xff",
    "codec": b"Content-Type: text/plain; charset=zip\r\n\r\n\xffHi",
    "long header": b"Subject: " + b"=?utf-8?q?" * 100_000 + b"\r\n\r\nHi",
    "many headers": b"".join(b"References: <%d@x>\r\n" % n for n in range(10_000)) + b"\r\nHi",
    "comments": b"From: " + b"(" * 100_000 + b"\r\n\r\nHi",
    "nul": b"From: a\x00@b.example\r\nSubject: a\x00\x1b[2Jb\r\n\r\n\x00\x1b]0;x\x07Hi",
    "markup": b"Content-Type: text/html\r\n\r\n" + b"<style><!--<STYLE" * 60_000,
    "greater": b"\r\n" + b">" * 4_000_000,
    "attribution": b"\r\n" + b"On <a@b.example> x\r\n" * 100_000,
    "at signs": b"To: " + b"a@" * 100_000 + b"\r\n\r\n" + b"<a@" * 1_000_000,
    "surrogates": b"Subject: =?utf-7?q?+2AA-?=\r\nContent-Type: text/plain; charset=utf-7\r\n\r\n+2AA-",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_mails_are_read_within_bounds(name: str) -> None:
    began = time.process_time()
    for shape in (HOSTILE[name], b"From: mailer-daemon@x.example\r\n" + HOSTILE[name]):
        mail = read(shape)
        shown = f"{mail.text}{mail.heading.subject}{mail.heading.sender_name}{mail.heading.sender}"
        assert len(mail.text.encode()) <= 64 * 1024
        assert not any(mark in shown for mark in "\x00\x1b\x07")
    # A bound on work, not a measure of it: without bounds these take minutes.
    assert time.process_time() - began < 10


@given(st.binary(max_size=4000))
def test_whatever_the_bytes_are_a_mail_is_read(raw: bytes) -> None:
    assert isinstance(classify(raw, received=RECEIVED).kind, Kind)


_PIECES = st.sampled_from(
    [
        b"From: ", b"mailer-daemon@x", b"\r\n", b"\n\n", b"Content-Type: multipart/report; report-type=delivery-status;",
        b" boundary=x", b"--x\r\n", b"--x--", b"Content-Type: message/delivery-status\r\n\r\n", b"Status: 5.1.1\r\n",
        b"Final-Recipient: rfc822;a@b\r\n", b"Content-Transfer-Encoding: base64\r\n", b"charset=utf-16", b"=?utf-8?b?",
        b"?=", b"Date: ", b"Mon, 99", b"\x00", b"\xff", b"<blockquote>", b"Content-Type: text/html\r\n\r\n", b"<a@b>",
        b"References: ", b"On x wrote:", b"> ", b"Content-Type: message/rfc822\r\n\r\n", b"Auto-Submitted: ", b"&#9999999;",
    ]
)  # fmt: skip


@given(st.lists(_PIECES | st.binary(max_size=8), max_size=60))
def test_whatever_pieces_a_mail_is_made_of_it_is_read(pieces: list[bytes]) -> None:
    mail = classify(b"".join(pieces), received=RECEIVED)
    mail.text.encode()
    assert mail.occurred_at <= RECEIVED
