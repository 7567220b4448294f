"""`crm-tui campaigns`, `worker` and `leads mail`, as a script sees them."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from crm_tui.cli.campaign_words import noun_of
from crm_tui.cli.worker import say_report
from crm_tui.config import EmailSettings, Settings
from crm_tui.config.sections import SmsSettings
from crm_tui.db.locks import held
from crm_tui.services.mailing import Report
from crm_tui.vocabulary import Channel
from crm_tui.worker import LOCK
from tests.conftest import Cli, Ran

COUNTS = "audience queued sending sent failed skipped canceled uncertain".split()
TEMPLATE = """\
---
subject: For {{ business.name }}
---
Hello {{ business.name }},
I make websites.
{{ sender.postal_address }}
{{ unsubscribe }}
"""
AGAIN = TEMPLATE.replace("I make websites.", "Did you get my mail?")


class Mailbox:
    """What a mail server has taken, and whom it refuses."""

    def __init__(self) -> None:
        self.mails: list[Envelope] = []
        self.refuses: str = ""

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name for it
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: Any
    ) -> str:
        if address == self.refuses:
            return "550 5.1.1 no such user here"
        envelope.rcpt_tos.append(address)
        return "250 ok"

    async def handle_DATA(  # noqa: N802 - likewise
        self, _server: SMTP, _session: Session, envelope: Envelope
    ) -> str:
        self.mails.append(envelope)
        return "250 queued"


class AnyPort(Controller):
    """Serves on whichever port is free."""

    def _trigger_server(self) -> None:
        server: Any = self.server
        self.port = server.sockets[0].getsockname()[1]
        super()._trigger_server()  # type: ignore[no-untyped-call]


@pytest.fixture
def mailbox() -> Mailbox:
    return Mailbox()


@pytest.fixture
def server(mailbox: Mailbox) -> Iterator[int]:
    """The port of a mail server on this machine."""
    controller = AnyPort(mailbox, hostname="127.0.0.1", port=0)
    controller.start()
    try:
        yield controller.port
    finally:
        controller.stop()


class Program:
    """The program with a configuration."""

    def __init__(self, cli: Cli, folder: Path) -> None:
        self.cli = cli
        self.config = folder / "config.toml"
        templates = folder / "templates" / "email"
        templates.mkdir(parents=True)
        (templates / "hello.txt").write_text(TEMPLATE)
        (templates / "again.txt").write_text(AGAIN)

    def configure(self, port: int, **more: str) -> None:
        parts = {
            "sender": 'name = "Ann Berg"\nemail = "ann@berg-sites.com"\npostal_address = "1 Main"\n',
            "email": 'provider = "smtp"\n',
            "providers.smtp": f'host = "127.0.0.1"\nport = {port}\nsecurity = "none"\n',
            "sending": "per_hour = 0\nper_day = 0\nwarm_up = false\n"
            'quiet_hours = ""\nweekdays_only = false\n',
            "compliance": 'manual_unsubscribe = true\npolicies_acknowledged = ["smtp"]\n',
        } | more
        self.config.write_text("".join(f"[{name}]\n{text}\n" for name, text in parts.items()))

    def __call__(self, *arguments: str) -> Ran:
        return self.cli("--config", str(self.config), *arguments)


@pytest.fixture
def program(cli: Cli, tmp_path: Path, server: int) -> Program:
    made = Program(cli, tmp_path / "operator")
    made.configure(server)
    for number in (1, 2, 3):
        made(
            "leads", "add", f"Plumber {number}", "--city", "Queens", "--email", f"joe@p{number}.com"
        )
    made("leads", "add", "No Mail", "--city", "Queens")
    return made


def create(program: Program, *more: str) -> Any:
    arguments = ["--name", "Spring", "--audience", "city:Queens", "--template", "hello", *more]
    ran = program("campaigns", "create", *arguments, "--json")
    assert ran.code == 0, ran.err
    return ran.json


def shown(program: Program, campaign: int = 1) -> Any:
    return program("campaigns", "show", str(campaign), "--json").json


def test_from_a_filter_to_mails_that_were_sent(program: Program, mailbox: Mailbox) -> None:
    made = create(
        program, "--step", "again", "--after", "3d", "--subject", "A look, {{ business.name }}?"
    )
    assert (made["id"], made["audience"]) == (1, 3)
    assert made["excluded"] == [{"reason": "no e-mail address", "count": 1}]
    started = program("campaigns", "start", "1", "--yes", "--json")
    assert started.code == 0
    assert (started.json["id"], started.json["state"]) == (1, "running")
    ran = program("worker", "--once", "--json")
    assert ran.code == 0
    assert ran.json == {
        "sent": 3,
        "failed": 0,
        "uncertain": 0,
        "polled": 0,
        "applied": 0,
        "unmatched": 0,
        "due_later": 3,
    }
    assert sorted(mail.rcpt_tos[0] for mail in mailbox.mails) == [
        "joe@p1.com",
        "joe@p2.com",
        "joe@p3.com",
    ]
    assert b"Subject: A look, Plumber" in (mailbox.mails[0].original_content or b"")
    campaign = shown(program)
    assert (campaign["id"], campaign["name"], campaign["state"]) == (1, "Spring", "running")
    assert list(campaign["counts"]) == COUNTS
    assert campaign["counts"]["audience"] == sum(campaign["counts"][name] for name in COUNTS[1:])
    assert (campaign["counts"]["sent"], campaign["counts"]["queued"]) == (3, 3)
    assert campaign["recipients"] == 3
    reply, opened = campaign["rates"]["reply"], campaign["rates"]["open"]
    assert (reply["numerator"], reply["denominator"], reply["value"]) == (0, 3, 0.0)
    assert reply["interval"] == [0.0, pytest.approx(0.5615, abs=1e-4)]
    assert (opened["numerator"], opened["denominator"], opened["value"]) == (None, 3, None)
    assert (opened["measured"], opened["raw_numerator"], opened["interval"]) == (False, None, None)
    sent = [each for each in campaign["messages"] if each["state"] == "sent"]
    assert len(campaign["messages"]) == 6
    for key in ("business_id", "step", "to", "state", "reason", "message_id", "sent_at"):
        assert all(key in each for each in campaign["messages"])
    went = b"".join(mail.original_content or b"" for mail in mailbox.mails)
    assert all(each["message_id"].encode() in went for each in sent)


def test_pausing_going_on_and_canceling(program: Program, mailbox: Mailbox) -> None:
    create(program)
    program("campaigns", "start", "1", "--yes")
    assert program("campaigns", "pause", "1", "--json").json == {"id": 1, "state": "paused"}
    assert program("worker", "--once", "--json").json["sent"] == 0
    assert program("campaigns", "resume", "1", "--json").json == {"id": 1, "state": "running"}
    canceled = program("campaigns", "cancel", "1", "--json").json
    assert (canceled["state"], canceled["canceled"]) == ("canceled", 3)
    assert program("worker", "--once", "--json").json["sent"] == 0
    assert mailbox.mails == []
    refused = program("campaigns", "resume", "1")
    assert (refused.code, refused.out) == (1, "")
    assert "Campaign 1 is canceled" in refused.err


def test_a_start_that_is_blocked_says_what_to_do(program: Program, server: int) -> None:
    program.configure(
        server, sender='name = "Ann Berg"\nemail = "ann@berg-sites.com"\n', compliance=""
    )
    create(program)
    ran = program("campaigns", "start", "1", "--yes", "--json")
    assert ran.code == 1
    assert [each["check"] for each in ran.json["blocked"]] == [
        "postal address",
        "opt-out",
        "provider's policy",
    ]
    assert all(
        list(each) == ["check", "why", "fix"] and each["fix"] for each in ran.json["blocked"]
    )
    assert shown(program)["state"] == "draft"
    assert program("campaigns", "check", "1").code == 1


def test_the_policy_is_accepted_once(program: Program, server: int) -> None:
    program.configure(server, compliance="manual_unsubscribe = true\n")
    create(program)
    assert program("campaigns", "start", "1", "--yes").code == 1
    assert not program("campaigns", "policy", "--json").json["acknowledged"]
    assert program("campaigns", "policy", "--accept", "--json").json["acknowledged"]
    assert program("campaigns", "start", "1", "--yes").code == 0


def test_a_refused_recipient_has_failed_with_the_servers_words(
    program: Program, mailbox: Mailbox
) -> None:
    mailbox.refuses = "joe@p2.com"
    create(program)
    program("campaigns", "start", "1", "--yes")
    ran = program("worker", "--once", "--json")
    assert (ran.code, ran.json["sent"], ran.json["failed"]) == (0, 2, 1)
    (failed,) = program("campaigns", "ledger", "1", "state:failed", "--json").json["messages"]
    assert failed["to"] == "joe@p2.com"
    assert "no such user here" in failed["reason"]
    assert shown(program)["state"] == "finished"


def test_a_server_that_is_not_there_is_exit_4_and_nothing_is_lost(
    program: Program, server: int
) -> None:
    program.configure(
        server, **{"providers.smtp": 'host = "127.0.0.1"\nport = 1\nsecurity = "none"\n'}
    )
    create(program)
    program("campaigns", "start", "1", "--yes")
    ran = program("worker", "--once", "--json")
    assert (ran.code, ran.json["sent"], ran.json["due_later"]) == (4, 0, 3)
    assert ran.err
    program.configure(server)
    assert program("worker", "--once", "--json").json["sent"] == 3


def test_a_test_mail_counts_for_nothing(program: Program, mailbox: Mailbox) -> None:
    create(program)
    ran = program("campaigns", "test", "1", "--to", "ann@berg-sites.com", "--json")
    assert (ran.code, ran.json["to"]) == (0, "ann@berg-sites.com")
    assert [mail.rcpt_tos for mail in mailbox.mails] == [["ann@berg-sites.com"]]
    assert shown(program)["counts"]["queued"] == 3
    program("campaigns", "start", "1", "--yes")
    assert program("worker", "--once", "--json").json["sent"] == 3


def test_a_test_mail_that_is_refused_is_no_failure_of_the_provider(
    program: Program, mailbox: Mailbox
) -> None:
    mailbox.refuses = "ann@berg-sites.com"
    create(program)
    ran = program("campaigns", "test", "1", "--to", "ann@berg-sites.com", "--json")
    assert (ran.code, ran.json["sent"]) == (1, False)
    assert "no such user here" in ran.json["reason"]
    assert "no such user here" in ran.err


def test_an_audience_may_begin_with_a_minus(program: Program) -> None:
    ran = program(
        "campaigns",
        "create",
        "--name",
        "x",
        "--audience",
        "-city:Queens",
        "--template",
        "hello",
        "--json",
    )
    assert (ran.code, ran.json["audience"]) == (0, 0)


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--template", "hello", "--step", "again"], 2, "--after"),
        (["--template", "nothing"], 2, "no template nothing"),
        (["--template", "hello", "--step", "again", "--after", "soon"], 2, "no delay"),
        (["--template", "hello", "--at", "yesterday"], 2, "is past"),
        (["--template", "hello", "--subject", "{{ nonsense }}"], 1, "cannot be sent"),
    ],
)
def test_a_campaign_that_cannot_be_is_not_created(
    program: Program, arguments: list[str], code: int, words: str
) -> None:
    ran = program("campaigns", "create", "--name", "x", "--audience", "", *arguments)
    assert ran.code == code
    assert words in ran.err
    assert program("campaigns", "list", "--json").json == {"campaigns": []}


def test_words_that_name_nothing_are_wrong_usage(program: Program) -> None:
    create(program)
    for arguments, words in (
        (["campaigns", "edit", "1", "--template", "nothing"], "no template nothing"),
        (["campaigns", "edit", "1", "--template", "hello", "--after", "soon"], "no delay"),
        (["campaigns", "ledger", "1", "state:gone"], 'no state "gone"'),
        (["campaigns", "ledger", "1", "colour:red"], "no field colour"),
        (["leads", "mail", "1", "--template", "nothing"], "no template nothing"),
        (["campaigns", "create", "--name", "x", "--audience", "city:(", "--template", "hello"], ""),
    ):
        ran = program(*arguments)
        assert (ran.code, words in ran.err) == (2, True), arguments
    for arguments in (["show", "9"], ["start", "9", "--yes"], ["test", "9", "--to", "a@b.com"]):
        assert program("campaigns", *arguments).code == 1


def test_a_second_campaign_has_everybody_and_says_who_was_written_to(program: Program) -> None:
    create(program)
    program("campaigns", "start", "1", "--yes")
    program("worker", "--once")
    second = create(program)
    assert (second["audience"], second["recent"]) == (3, 3)
    said = program(
        *["campaigns", "create", "--name", "x", "--audience", "", "--template", "hello"]
    ).err
    assert "3 of them were written to lately" in said
    third = create(program, "--contacted-days", "30")
    assert third["audience"] == 0
    assert {"reason": "written to within the last 30 days", "count": 3} in third["excluded"]


def test_listing_previewing_adding_editing_skipping_exporting_deleting(
    program: Program, tmp_path: Path
) -> None:
    create(program)
    program("leads", "add", "Late", "--email", "joe@late.com")
    added = program("campaigns", "add", "1", "--audience", "", "--json").json
    assert added["added"] == 1
    (row,) = program("campaigns", "list", "--json").json["campaigns"]
    assert (row["name"], row["state"], row["recipients"]) == ("Spring", "draft", 4)
    mail = program("campaigns", "preview", "1", "--lead", "2", "--json").json
    assert (mail["to"], mail["subject"], mail["missing"]) == ("joe@p2.com", "For Plumber 2", None)
    assert "Did you get my mail?" not in mail["text"]
    edited = program("campaigns", "edit", "1", "--template", "again", "--json").json
    assert edited == {"id": 1, "step": 1, "version": 2}
    assert "Did you get my mail?" in program("campaigns", "preview", "1").out
    assert program("campaigns", "skip", "1", "2").code == 0
    table = tmp_path / "ledger.csv"
    assert program("campaigns", "ledger", "1", "-o", str(table)).code == 0
    assert len(table.read_text().splitlines()) == 5
    left = program("campaigns", "ledger", "1", "--left-out", "--json").json["left_out"]
    assert [(each["name"], each["reason"]) for each in left] == [("No Mail", "no e-mail address")]
    refused = program("campaigns", "delete", "1")
    assert (refused.code, "--yes" in refused.err) == (1, True)
    assert program("campaigns", "delete", "1", "--yes").code == 0
    assert program("campaigns", "show", "1").code == 1


def test_a_start_asks_where_nobody_said_yes(program: Program) -> None:
    create(program)
    ran = program("campaigns", "start", "1")
    assert ran.code == 1
    assert "It goes to 3 leads" in ran.err
    assert "--yes" in ran.err
    assert shown(program)["state"] == "draft"


def test_a_second_worker_says_that_one_is_at_work(program: Program, store_path: Path) -> None:
    with held(store_path, LOCK) as mine:
        assert mine
        ran = program("worker", "--once", "--json")
    assert (ran.code, ran.out) == (1, "")
    assert "Another worker is at work for this store" in ran.err


def test_a_copied_store_sends_nothing_until_it_is_let_go(
    program: Program, mailbox: Mailbox, store_path: Path
) -> None:
    create(program)
    program("campaigns", "start", "1", "--yes")
    program("leads", "mail", "1", "--subject", "Hi", "--body", "Hello")
    with closing(sqlite3.connect(store_path)) as store:
        store.execute("UPDATE setting SET value = '\"elsewhere\"' WHERE name = 'sending_home'")
        store.commit()
    ran = program("worker", "--once", "--json")
    assert (ran.code, ran.json["sent"]) == (1, 0)
    assert "--let-go" in ran.err
    assert program("worker", "--let-go").code == 1
    assert program("worker", "--let-go", "--yes").code == 0
    assert program("worker", "--once", "--json").json["sent"] == 4
    assert len(mailbox.mails) == 4


def test_a_mail_to_one_lead(program: Program, mailbox: Mailbox) -> None:
    ran = program("leads", "mail", "1", "--template", "hello", "--json")
    assert (ran.code, ran.json["to"], ran.json["subject"]) == (0, "joe@p1.com", "For Plumber 1")
    assert program("worker", "--once", "--json").json["sent"] == 1
    ran = program(
        "leads", "mail", "2", "--subject", "Hi\nBcc: x@y.com", "--body", "Hello", "--json"
    )
    assert ran.json["subject"] == "Hi Bcc: x@y.com"
    assert program("leads", "mail", "4", "--template", "hello").code == 1
    assert program("leads", "mail", "1", "--template", "hello", "--body", "x").code == 2
    timeline = program("leads", "show", "1", "--json").out
    assert "mail: For Plumber 1" in timeline
    assert len(mailbox.mails) == 1


def test_taking_an_import_back_leaves_the_leads_of_a_campaign(
    program: Program, tmp_path: Path
) -> None:
    table = tmp_path / "leads.csv"
    table.write_text("name,email\nWritten to,joe@written-to.com\nLeft out,\n")
    assert program("import", str(table)).code == 0
    create(program, "--audience", "")
    ran = program("imports", "undo", "1")
    assert (ran.code, "mail is made for it" in ran.err) == (3, True)
    names = [each["name"] for each in program("leads", "list", "--json").json["leads"]]
    assert "Written to" in names
    assert "Left out" not in names


@pytest.mark.parametrize("arguments", [["--json"], ["--once", "--let-go"], ["--let-go", "--json"]])
def test_options_of_the_worker_that_do_not_go_together(
    program: Program, arguments: list[str]
) -> None:
    assert program("worker", *arguments).code == 2


@pytest.mark.parametrize(
    ("channels", "noun"),
    [
        ({Channel.EMAIL}, "mail"),
        ({Channel.SMS}, "text message"),
        ({Channel.EMAIL, Channel.SMS}, "message"),
    ],
)
def test_messages_are_called_by_what_they_go_through(channels: set[Channel], noun: str) -> None:
    assert noun_of(channels) == noun


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (Settings(), ["3 mails read: 2 told us something, 1 wait for you in the inbox."]),
        (
            Settings(email=EmailSettings(provider="mailgun")),
            ["3 records read: 2 told us something, 1 wait for you in the inbox."],
        ),
    ],
)
def test_what_was_read_is_called_by_where_it_comes_from(
    settings: Settings, said: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    say_report(Report(polled=3, applied=2, unmatched=1), settings)
    assert capsys.readouterr().err.splitlines()[:1] == said


@pytest.mark.parametrize(
    ("polled", "payments", "said"),
    [
        (2, 2, "2 records of payments read: 1 told us something, 0 wait for you in the inbox."),
        (4, 1, ("3 mails and 1 record of payments read: 1 told us something, 0 wait for you in the"
         " inbox.")),
    ],
)  # fmt: skip
def test_what_a_payment_provider_told_is_not_called_a_mail(
    polled: int, payments: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    say_report(Report(polled=polled, payments=payments, applied=1), Settings())
    assert capsys.readouterr().err.splitlines()[:1] == [said]


def test_with_text_messages_what_was_sent_are_messages(capsys: pytest.CaptureFixture[str]) -> None:
    say_report(Report(sent=2), Settings(sms=SmsSettings(provider="twilio")))
    assert capsys.readouterr().err == "2 messages sent.\n"
