"""What mail systems send back when a mail could not be delivered, in the shapes they really have.

Written after the reports of the systems they are named for: which parts there are, in which order and
encoding, where they name the address and where our mail. All are read from a real mailbox.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass

from crm_tui.vocabulary import ContactState, EventKind
from tests.inbox.world import ME, World

GONE = (ContactState.BOUNCED, EventKind.BOUNCED)
NOT_NOW = (ContactState.SOFT_BOUNCED, EventKind.SOFT_BOUNCED)
LATE = (ContactState.UNKNOWN, EventKind.DEFERRED)


@dataclass(frozen=True)
class Shape:
    """A report about a mail `ID` to `THEM`, and what it says of the address."""

    text: str
    says: tuple[ContactState, EventKind]


ORIGINAL = f"From: Mo <{ME}>\nTo: THEM\nSubject: A site for you\nMessage-ID: ID\nDate: Sun, 22 Nov 2026 08:00:00 +0000\n"
POSTFIX = f"""Return-Path: <>
Received: by mx.example (Postfix)\n\tid 4TZk9x2Qm2z; Sun, 22 Nov 2026 08:59:00 +0000 (UTC)
From: MAILER-DAEMON@mx.example (Mail Delivery System)
Subject: Undelivered Mail Returned to Sender
To: {ME}
Auto-Submitted: auto-replied
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status;
\tboundary="4TZk9r1.1732266000/mx.example"
Message-Id: <20261122085900.4TZk9x2Qm2z@mx.example>

This is a MIME-encapsulated message.

--4TZk9r1.1732266000/mx.example
Content-Description: Notification
Content-Type: text/plain; charset=us-ascii

This is the mail system at host mx.example.

<THEM>: host mx.plumber.example[192.0.2.7] said: 550 5.1.1 <THEM>:
    Recipient address rejected: User unknown in virtual mailbox table (in reply
    to RCPT TO command)

--4TZk9r1.1732266000/mx.example
Content-Description: Delivery report
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example
X-Postfix-Queue-ID: 4TZk9r1
X-Postfix-Sender: rfc822; {ME}
Arrival-Date: Sun, 22 Nov 2026 08:00:00 +0000 (UTC)

Final-Recipient: rfc822; THEM
Original-Recipient: rfc822;THEM
Action: failed
Status: 5.1.1
Remote-MTA: dns; mx.plumber.example
Diagnostic-Code: smtp; 550 5.1.1 <THEM>: Recipient address rejected: User
    unknown in virtual mailbox table

--4TZk9r1.1732266000/mx.example
Content-Description: Undelivered Message
Content-Type: message/rfc822

{ORIGINAL}
Hello.

--4TZk9r1.1732266000/mx.example--
"""
POSTFIX_LATE = f"""Return-Path: <>
From: MAILER-DAEMON@mx.example (Mail Delivery System)
Subject: Delayed Mail (still being retried)
To: {ME}
Auto-Submitted: auto-replied
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="late/mx.example"
Message-Id: <late@mx.example>

--late/mx.example
Content-Type: text/plain; charset=us-ascii

THIS IS A WARNING ONLY.  YOU DO NOT NEED THEM RESEND YOUR MESSAGE.

--late/mx.example
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example

Final-Recipient: rfc822; THEM
Action: delayed
Status: 4.4.1
Diagnostic-Code: X-Postfix; connect to mx.plumber.example[192.0.2.7]:25: Connection timed out
Will-Retry-Until: Fri, 27 Nov 2026 08:00:00 +0000 (UTC)

--late/mx.example
Content-Type: text/rfc822-headers

{ORIGINAL}
--late/mx.example--
"""
_HTML = base64.encodebytes(
    b"<html><body><h2>Address not found</h2><p>Your message wasn't delivered.</p></body></html>"
).decode()
GMAIL = f"""Return-Path: <>
From: Mail Delivery Subsystem <mailer-daemon@googlemail.com>
To: {ME}
Auto-Submitted: auto-replied
Subject: Delivery Status Notification (Failure)
References: ID
In-Reply-To: ID
X-Failed-Recipients: THEM
Message-ID: <674042a3.gmail@mx.google.com>
MIME-Version: 1.0
Content-Type: multipart/report; boundary="000000000000a1b2c3"; report-type=delivery-status

--000000000000a1b2c3
Content-Type: multipart/related; boundary="000000000000a1b2c4"

--000000000000a1b2c4
Content-Type: multipart/alternative; boundary="000000000000a1b2c5"

--000000000000a1b2c5
Content-Type: text/plain; charset="UTF-8"

** Address not found **

Your message wasn't delivered to THEM because the address couldn't be found.

--000000000000a1b2c5
Content-Type: text/html; charset="UTF-8"
Content-Transfer-Encoding: base64

{_HTML}
--000000000000a1b2c5--
--000000000000a1b2c4
Content-Type: image/png; name="icon.png"
Content-Disposition: attachment; filename="icon.png"
Content-Transfer-Encoding: base64
Content-ID: <icon.png>

iVBORw0KGgo=
--000000000000a1b2c4--
--000000000000a1b2c3
Content-Type: message/delivery-status

Reporting-MTA: dns; googlemail.com
Arrival-Date: Sun, 22 Nov 2026 00:00:00 -0800 (PST)
X-Original-Message-ID: ID

Final-Recipient: rfc822; THEM
Action: failed
Status: 5.1.1
Remote-MTA: dns; mx.plumber.example. (192.0.2.7, the server for the domain plumber.example.)
Diagnostic-Code: smtp; 550-5.1.1 The email account that you tried to reach does not exist.
 550 5.1.1 Please try double-checking the address - gsmtp
Last-Attempt-Date: Sun, 22 Nov 2026 00:00:01 -0800 (PST)

--000000000000a1b2c3
Content-Type: message/rfc822

{ORIGINAL}
Hello.

--000000000000a1b2c3--
"""
EXCHANGE_ONLINE = f"""From: <postmaster@tenant.example>
To: {ME}
Subject: =?utf-8?B?VW56dXN0ZWxsYmFyOiBBIHNpdGUgZm9yIHlvdQ==?=
In-Reply-To: ID
References: ID
Message-ID: <a4e1@AM9PR04.tenant.example>
Auto-Submitted: auto-replied
X-MS-Exchange-Message-Is-Ndr:
X-Auto-Response-Suppress: DR, OOF, AutoReply
Content-Language: de-DE
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status;
\tboundary="_c9a4e1b0-12f5-4c4a_"

--_c9a4e1b0-12f5-4c4a_
Content-Type: multipart/alternative; differences=Content-Type;
\tboundary="_1bf2c7a6_"

--_1bf2c7a6_
Content-Type: text/plain; charset="utf-8"
Content-Transfer-Encoding: quoted-printable

Ihre Nachricht an THEM konnte nicht zugestellt werden.=
 Der Empf=C3=A4nger wurde nicht gefunden.

--_1bf2c7a6_
Content-Type: text/html; charset="us-ascii"

<html><body>Ihre Nachricht konnte nicht zugestellt werden.</body></html>

--_1bf2c7a6_--

--_c9a4e1b0-12f5-4c4a_
Content-Type: message/delivery-status

Reporting-MTA: dns;AM9PR04MB8500.eurprd04.prod.example
Received-From-MTA: dns;studio.example
Arrival-Date: Sun, 22 Nov 2026 08:00:02 +0000

Final-Recipient: rfc822;THEM
Action: failed
Status: 5.1.10
Diagnostic-Code: smtp;550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient not found by SMTP address lookup
X-Display-Name: THEM


--_c9a4e1b0-12f5-4c4a_
Content-Type: message/rfc822

Received: from mx.example
{ORIGINAL}
Hello.

--_c9a4e1b0-12f5-4c4a_--
"""
EXIM = f"""Return-path: <>
X-Failed-Recipients: THEM
Auto-Submitted: auto-replied
From: Mail Delivery System <Mailer-Daemon@mx.example>
To: {ME}
Subject: Mail delivery failed: returning message to sender
Message-Id: <E1tE5aK-000abc-1X@mx.example>

This message was created automatically by mail delivery software.

A message that you sent could not be delivered to one or more of its
recipients. This is a permanent error. The following address(es) failed:

  THEM
    host mx.plumber.example [192.0.2.7]
    SMTP error from remote mail server after RCPT TO:<THEM>:
    550 No such person at this address

------ This is a copy of the message, including all the headers. ------

Return-path: <{ME}>
{ORIGINAL}
Hello.
"""
QMAIL = f"""Return-Path: <>
From: MAILER-DAEMON@mx.example
To: {ME}
Subject: failure notice
Date: 22 Nov 2026 08:59:00 -0000

Hi. This is the qmail-send program at mx.example.
I'm afraid I wasn't able to deliver your message to the following addresses.
This is a permanent error; I've given up. Sorry it didn't work out.

<THEM>:
192.0.2.7 does not like recipient.
Remote host said: 550 sorry, no mailbox here by that name (#5.1.1)
Giving up on 192.0.2.7.

--- Below this line is a copy of the message.

Return-Path: <{ME}>
{ORIGINAL}
Hello.
"""
SENDMAIL = f"""Return-Path: <MAILER-DAEMON@mx.example>
From: Mail Delivery Subsystem <MAILER-DAEMON@mx.example>
Message-Id: <202611220859.5AM8x@mx.example>
To: <{ME}>
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status;
\tboundary="5AM8x.1732266000/mx.example"
Subject: Returned mail: see transcript for details
Auto-Submitted: auto-generated (failure)

--5AM8x.1732266000/mx.example

The original message was received at Sun, 22 Nov 2026 08:00:00 GMT

   ----- The following addresses had permanent fatal errors -----
<THEM>
    (reason: 550 5.2.1 Mailbox disabled)

--5AM8x.1732266000/mx.example
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example
Arrival-Date: Sun, 22 Nov 2026 08:00:00 GMT

Final-Recipient: RFC822; THEM
Action: failed
Status: 5.2.1
Diagnostic-Code: SMTP; 550 5.2.1 Mailbox disabled
Last-Attempt-Date: Sun, 22 Nov 2026 08:00:01 GMT

--5AM8x.1732266000/mx.example
Content-Type: text/rfc822-headers

{ORIGINAL}
--5AM8x.1732266000/mx.example--
"""
YAHOO = f"""Return-Path: <>
From: MAILER-DAEMON@yahoo.example
To: {ME}
Subject: Failure Notice
Message-ID: <1.yahoo@yahoo.example>

Sorry, we were unable to deliver your message to the following address.

<THEM>:
552: 552 1 Requested mail action aborted, mailbox full

--- Below this line is a copy of the message.

{ORIGINAL}
Hello.
"""
COURIER = f"""From: "Courier mail server at mx.example" <@>
To: {ME}
Subject: NOTICE: mail delivery status.
Mime-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="=_courier-0"
Message-ID: <courier.0000@mx.example>
Auto-Submitted: auto-replied

--=_courier-0
Content-Transfer-Encoding: 7bit

                   UNDELIVERABLE MAIL
This is a delivery status notification from mx.example.

--=_courier-0
Content-Type: message/delivery-status
Content-Transfer-Encoding: 7bit

Reporting-MTA: dns; mx.example
Arrival-Date: Sun, 22 Nov 2026 08:00:00 +0000
Received-From-MTA: dns; studio.example (studio.example [192.0.2.1])

Final-Recipient: rfc822; THEM
Action: failed
Status: 5.0.0
Remote-MTA: dns; mx.plumber.example [192.0.2.7]
Diagnostic-Code: smtp; 550 User unknown.

--=_courier-0
Content-Type: text/rfc822-headers; charset=us-ascii
Content-Transfer-Encoding: 7bit

{ORIGINAL}
--=_courier-0--
"""
DOMINO = f"""From: <>
To: {ME}
Subject: DELIVERY FAILURE: User THEM not listed in Domino Directory
Message-ID: <OF1234@domino.example>
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="==IFJRGLKFGIR0UHRUHIHD"

--==IFJRGLKFGIR0UHRUHIHD
Content-Type: text/plain; charset=ISO-8859-1

Your message could not be delivered because: User THEM not listed in Domino Directory

--==IFJRGLKFGIR0UHRUHIHD
Content-Type: message/delivery-status

Reporting-MTA: dns;domino.example

Final-Recipient: rfc822;THEM
Action: failed
Status: 5.1.1
Diagnostic-Code: X-Notes; User THEM not listed in Domino Directory

--==IFJRGLKFGIR0UHRUHIHD
Content-Type: message/rfc822

{ORIGINAL}
Hello.
--==IFJRGLKFGIR0UHRUHIHD--
"""
OLD_EXCHANGE = f"""From: System Administrator <postmaster@old.example>
To: {ME}
Subject: Undeliverable: A site for you
Message-ID: <old-exchange@old.example>
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary="----_=_NextPart_000"

------_=_NextPart_000
Content-Type: text/plain

Your message

  To:      THEM
  Subject: A site for you

did not reach the following recipient(s):

THEM on Sun, 22 Nov 2026 08:00:03 +0000
    The recipient name is not recognized
    The MTS-ID of the original message is: c=US;a= ;p=Old;l=EX1
    <old.example #5.1.1>

------_=_NextPart_000
Content-Type: message/rfc822

{ORIGINAL}
Hello.
------_=_NextPart_000--
"""
SPAM_FILTER = f"""Return-Path: <>
From: MAILER-DAEMON@gateway.example (Mail Delivery System)
To: {ME}
Subject: Undelivered Mail Returned to Sender
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="spam"
Message-Id: <spam@gateway.example>

--spam
Content-Type: text/plain

<THEM>: host mx.plumber.example[192.0.2.7] said: 554 5.7.1 Service unavailable; Client host blocked
    using a block list (in reply to end of DATA command)

--spam
Content-Type: message/delivery-status

Reporting-MTA: dns; gateway.example

Final-Recipient: rfc822; THEM
Action: failed
Status: 5.7.1
Diagnostic-Code: smtp; 554 5.7.1 Service unavailable; Client host blocked using a block list

--spam
Content-Type: text/rfc822-headers

{ORIGINAL}
--spam--
"""

SHAPES = {
    "postfix": Shape(POSTFIX, GONE),
    "postfix-late": Shape(POSTFIX_LATE, LATE),
    "gmail": Shape(GMAIL, GONE),
    "exchange-online": Shape(EXCHANGE_ONLINE, GONE),
    "exim": Shape(EXIM, GONE),
    "qmail": Shape(QMAIL, GONE),
    "sendmail": Shape(SENDMAIL, GONE),
    "yahoo": Shape(YAHOO, NOT_NOW),
    "courier": Shape(COURIER, GONE),
    "domino": Shape(DOMINO, GONE),
    "old-exchange": Shape(OLD_EXCHANGE, GONE),
    "spam-filter": Shape(SPAM_FILTER, NOT_NOW),
}


async def test_reports_of_a_dozen_mail_systems_are_understood(world: World) -> None:
    leads = {name: await world.lead(name, f"joe@{name}.example") for name in SHAPES}
    await world.campaign(*leads.values(), steps=1)
    assert (await world.work()).sent == len(SHAPES)
    for name, shape in SHAPES.items():
        (mail,) = await world.messages(leads[name])
        world.deliver(
            shape.text.replace("ID\n", f"{mail.message_id}\n").replace("THEM", mail.address)
        )
    came = await world.collect()
    assert (came.polled, came.applied, came.unmatched) == (len(SHAPES), len(SHAPES), 0)
    understood = {}
    for name, lead in leads.items():
        point = await world.point(lead, f"joe@{name}.example")
        events = await world.events(
            lead, EventKind.BOUNCED, EventKind.SOFT_BOUNCED, EventKind.DEFERRED
        )
        understood[name] = (point.state, *(each.kind for each in events))
    assert understood == {name: shape.says for name, shape in SHAPES.items()}
