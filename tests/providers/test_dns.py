"""Looking mail domains up at a real name server."""

from __future__ import annotations

import pytest

from crm_tui.providers.dns import Dns, MailDomain
from crm_tui.providers.sender_policy import SenderPolicy
from tests.providers.name_server import NameServer, name_server

Zone = dict[tuple[str, str], list[str]]

ACME: Zone = {
    ("acme.com", "MX"): ["20 mx2.acme.com.", "10 mx1.acme.com."],
    ("mx1.acme.com", "A"): ["192.0.2.1"],
    ("mx2.acme.com", "AAAA"): ["2001:db8::2"],
}


def asking(server: NameServer, *, timeout: float = 60) -> Dns:
    """With more patience than any machine needs, except where nobody is going to answer."""
    return Dns(["127.0.0.1"], port=server.port, timeout=timeout)


async def takes_mail(domain: str, zone: Zone) -> MailDomain:
    async with name_server(zone) as server:
        return await asking(server).takes_mail(domain)


async def policy(zone: Zone, domain: str = "acme.com", selector: str = "") -> SenderPolicy:
    async with name_server(zone) as server:
        return await asking(server).sender_policy(domain, selector)


async def test_a_domain_with_mail_servers_takes_mail_the_preferred_one_first() -> None:
    found = await takes_mail("acme.com", ACME)
    assert found.takes is True
    assert found.hosts == ("mx1.acme.com", "mx2.acme.com")


async def test_without_mail_servers_the_address_of_the_domain_itself_takes_it() -> None:
    assert (await takes_mail("acme.com", {("acme.com", "A"): ["192.0.2.1"]})).takes is True
    assert (await takes_mail("acme.com", {("acme.com", "AAAA"): ["2001:db8::1"]})).takes is True


@pytest.mark.parametrize(
    ("zone", "why"),
    [
        ({}, "there is no domain acme.com"),
        ({("acme.com", "TXT"): ['"nothing else"']}, "it has no mail server"),
        ({("acme.com", "MX"): ["0 ."]}, "it says that it takes no mail"),
        (
            {("acme.com", "MX"): ["0 ."], ("acme.com", "A"): ["192.0.2.1"]},
            "it says that it takes no mail",
        ),
        ({("acme.com", "MX"): ["10 gone.acme.com."]}, "its mail servers do not exist"),
        ({("acme.com", "MX"): ["0 localhost."]}, "its mail servers do not exist"),
    ],
)
async def test_domains_that_take_no_mail_and_why(zone: Zone, why: str) -> None:
    found = await takes_mail("acme.com", zone)
    assert (found.takes, found.why) == (False, why)


@pytest.mark.parametrize("domain", ["a" * 64 + ".com", "a..com", "x." * 130 + "com"])
async def test_what_cannot_be_a_domain_takes_no_mail(domain: str) -> None:
    assert (await takes_mail(domain, ACME)).takes is False


async def test_a_server_that_fails_or_says_nothing_refuses_nobody() -> None:
    async with name_server(ACME) as server:
        server.fails.add("acme.com")
        assert (await asking(server).takes_mail("acme.com")).takes is None
        server.fails.clear()
        server.deaf.add("acme.com")
        assert (await asking(server, timeout=0.6).takes_mail("acme.com")).takes is None


async def test_without_network_nothing_is_refused() -> None:
    async with name_server(ACME) as server:
        gone = asking(server, timeout=0.6)
    assert (await gone.takes_mail("acme.com")).takes is None
    assert [line.ok for line in (await gone.sender_policy("acme.com")).lines] == [None] * 3


async def test_a_network_that_makes_answers_up_is_not_believed() -> None:
    async with name_server({}, knows_the_root=False) as server:
        assert (await asking(server).takes_mail("acme.com")).takes is None
        lines = (await asking(server).sender_policy("acme.com")).lines
        assert [line.ok for line in lines] == [None] * 3
        assert all(line.fix for line in lines)


async def test_a_mail_server_that_cannot_be_looked_up_just_now_counts_as_one() -> None:
    async with name_server(ACME) as server:
        server.fails.update({"mx1.acme.com", "mx2.acme.com"})
        assert (await asking(server).takes_mail("acme.com")).takes is True


async def test_a_domain_is_asked_for_as_it_is_and_not_below_the_machines_own() -> None:
    async with name_server({}) as server:
        await asking(server).takes_mail("acme.com")
        assert {name for name, _ in server.asked} == {"acme.com", "."}


async def test_many_domains_are_looked_up_together_each_once() -> None:
    zone = {**ACME, **{(f"d{n}.com", "MX"): ["10 mx1.acme.com."] for n in range(100)}}
    domains = [f"d{n}.com" for n in range(100)] + ["gone.com", "d1.com"]
    async with name_server(zone) as server:
        found = await asking(server).take_mail(domains)
        assert server.asked.count(("d1.com", "MX")) == 1
    assert [answer.domain for answer in found] == domains[:-1]
    assert [answer.takes for answer in found] == [True] * 100 + [False]


async def test_without_network_many_domains_cost_one_question() -> None:
    async with name_server(ACME, knows_the_root=False) as server:
        found = await asking(server).take_mail(f"d{n}.com" for n in range(1000))
        assert server.asked == [(".", "NS")]
    assert {answer.takes for answer in found} == {None}
    async with name_server(ACME) as server:
        gone = asking(server, timeout=0.6)
    assert [answer.takes for answer in await gone.take_mail(["acme.com", "d1.com"])] == [None, None]


GOOD: Zone = {
    **ACME,
    ("acme.com", "TXT"): ['"unrelated=1"', '"v=spf1 include:_spf.google.com ~all"'],
    ("google._domainkey.acme.com", "TXT"): ['"v=DKIM1; k=rsa; " "p=MIIB' + "A" * 180 + '"'],
    ("_dmarc.acme.com", "TXT"): ['"v=DMARC1; p=none; rua=mailto:x@acme.com"'],
}


async def test_a_domain_that_is_set_up_has_three_good_lines_and_nothing_to_fix() -> None:
    lines = (await policy(GOOD)).lines
    assert [line.check for line in lines] == ["SPF", "DKIM", "DMARC"]
    assert [line.ok for line in lines] == [True] * 3
    assert [line.fix for line in lines] == [""] * 3


async def test_a_domain_that_is_not_says_what_to_add() -> None:
    spf, dkim, dmarc = (await policy(ACME)).lines
    assert [line.ok for line in (spf, dkim, dmarc)] == [False] * 3
    assert 'TXT record at acme.com: "v=spf1 include:… ~all"' in spf.fix
    assert "_domainkey.acme.com" in dkim.fix
    assert 'TXT record at _dmarc.acme.com: "v=DMARC1; p=none;' in dmarc.fix


async def test_spf_names_what_the_mail_provider_asks_for() -> None:
    zone: Zone = {
        ("acme.com", "MX"): ["1 aspmx.l.google.com."],
        ("aspmx.l.google.com", "A"): ["192.0.2.1"],
    }
    assert '"v=spf1 include:_spf.google.com ~all"' in (await policy(zone)).spf.fix


def with_text(name: str, *records: str) -> Zone:
    return {**GOOD, (name, "TXT"): [f'"{record}"' for record in records]}


@pytest.mark.parametrize(
    ("records", "says"),
    [
        (["v=spf1 mx"], "lets anybody send"),
        (["v=spf1 mx +all"], "lets anybody send"),
        (["v=spf1 mx ?all"], "lets anybody send"),
        (["v=spf1 -all", "v=spf1 ~all"], "2 SPF records"),
        (["v=spf1 a mx " + " ".join(f"include:{n}.net" for n in range(9)) + " -all"], "11 lookups"),
        (["v=spf10 -all"], "no SPF record"),
    ],
)
async def test_spf_records_that_do_not_work(records: list[str], says: str) -> None:
    line = (await policy(with_text("acme.com", *records))).spf
    assert line.ok is False
    assert says in line.says
    assert line.fix


@pytest.mark.parametrize(
    "record",
    ["v=spf1 -all", "V=SPF1 mx -ALL", "v=spf1 redirect=_spf.acme.com", "v=spf1 all.net -all"],
)
async def test_spf_records_that_work(record: str) -> None:
    assert (await policy(with_text("acme.com", record))).spf.ok is True


async def test_a_dkim_key_is_found_by_its_name_and_by_the_usual_ones() -> None:
    zone = {**ACME, ("crm2026._domainkey.acme.com", "TXT"): ['"p=MIIB"']}
    assert (await policy(zone, selector="crm2026")).dkim.ok is True
    unknown = (await policy(zone)).dkim  # there are keys, but under no usual name
    assert unknown.ok is None
    assert "dkim=pass" in unknown.fix
    missing = (await policy(zone, selector="other")).dkim
    assert missing.ok is False
    assert "no DKIM key other" in missing.says


async def test_a_revoked_dkim_key_is_none() -> None:
    line = (await policy(with_text("google._domainkey.acme.com", "v=DKIM1; p="))).dkim
    assert line.ok is False
    assert "revoked" in line.says


@pytest.mark.parametrize(
    ("record", "ok"),
    [
        ("v=DMARC1; p=reject", True),
        ("v=DMARC1;p=QUARANTINE;", True),
        ("v = DMARC1 ; p = none", True),
        ("v=DMARC1", False),
        ("v=DMARC1; p=maybe", False),
        ("p=none; v=DMARC1", False),
    ],
)
async def test_dmarc_needs_a_policy(record: str, ok: bool) -> None:
    line = (await policy(with_text("_dmarc.acme.com", record))).dmarc
    assert line.ok is ok
    assert bool(line.fix) is not ok


async def test_a_subdomain_takes_the_policy_of_the_domain_above_it() -> None:
    zone = with_text("_dmarc.acme.com", "v=DMARC1; p=reject; sp=none")
    line = (await policy(zone, domain="mail.acme.com")).dmarc
    assert line.ok is True
    assert "let everything through" in line.says


async def test_records_of_strangers_are_shown_without_their_control_characters() -> None:
    line = (await policy(with_text("acme.com", "v=spf1 \\027[2J\\007 +all" + "x" * 200))).spf
    assert "lets anybody send" in line.says
    assert line.says.isprintable()
    assert len(line.says) < 400


async def test_a_long_answer_comes_over_tcp() -> None:
    long = [f'"{n:03}' + "x" * 200 + '"' for n in range(12)]
    zone = {**GOOD, ("acme.com", "TXT"): [*long, '"v=spf1 -all"']}
    assert (await policy(zone)).spf.ok is True
