"""What the domain name system says of mail: who takes it, and who may send it for a domain.

A lookup that fails says nothing: without network, or where the network's own server makes answers
up, a domain is *unknown*, never refused. So a "no" is believed only while the same server can name
the servers of the root, which always exist. Answers are plain values; keeping them for a while is
the caller's.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import dns.asyncresolver
import dns.exception
import dns.name
import dns.resolver
from dns.rdata import Rdata
from dns.rdtypes.ANY.MX import MX
from dns.rdtypes.ANY.TXT import TXT

from crm_tui.providers.sender_policy import (
    USUAL_SELECTORS,
    Line,
    SenderPolicy,
    dkim_line,
    dmarc_line,
    is_dmarc,
    is_spf,
    not_looked_up,
    spf_include,
    spf_line,
    tags,
)
from crm_tui.text import plain_line

_TIMEOUT = 3.0
_MOST_HOSTS = 5


@dataclass(frozen=True, slots=True)
class MailDomain:
    """Whether a domain takes mail: yes, no, or None where that could not be looked up."""

    domain: str
    takes: bool | None
    why: str
    hosts: tuple[str, ...] = ()
    """Who takes it, the preferred one first."""


class _Unanswered(Exception):
    """No answer that can be believed."""


class _NoSuchName(Exception):
    """The name does not exist, nor anything below it."""


class Dns:
    """Questions to the name servers of the machine, or to those that are given.

    Args:
        nameservers: IP addresses to ask instead of the machine's own servers.
        port: Where they listen.
        timeout: Seconds for one question, with its repetitions.
    """

    def __init__(
        self, nameservers: Sequence[str] = (), *, port: int = 53, timeout: float = _TIMEOUT
    ) -> None:
        try:
            self._resolver = dns.asyncresolver.Resolver(configure=not nameservers)
        except dns.resolver.NoResolverConfiguration:
            self._resolver = dns.asyncresolver.Resolver(configure=False)
        if nameservers:
            self._resolver.nameservers = list(nameservers)
            self._resolver.port = port
        self._resolver.timeout = timeout / 2
        self._resolver.lifetime = timeout

    async def answers(self) -> bool:
        """Whether the servers answer, and know names that exist for sure: those of the root."""
        try:
            answer = await self._resolver.resolve(
                dns.name.root, "NS", raise_on_no_answer=False, search=False
            )
        except (dns.exception.DNSException, OSError):
            return False
        return answer.rrset is not None

    async def take_mail(self, domains: Iterable[str], *, at_once: int = 10) -> list[MailDomain]:
        """Whether domains take mail, so many looked up at once; in their order, each once.

        Without network it says so of all of them, after one question.
        """
        each = list(dict.fromkeys(domains))
        if not each or not await self.answers():
            return [_unknown(domain) for domain in each]
        free = asyncio.Semaphore(at_once)

        async def one(domain: str) -> MailDomain:
            async with free:
                return await self.takes_mail(domain)

        return await asyncio.gather(*map(one, each))

    async def takes_mail(self, domain: str) -> MailDomain:
        """Whether a domain takes mail (RFC 5321, 5.1; RFC 7505)."""
        try:
            return await self._takes_mail(domain)
        except _NoSuchName:
            return MailDomain(domain, takes=False, why=f"there is no domain {plain_line(domain)}")
        except _Unanswered:
            return _unknown(domain)

    async def _takes_mail(self, domain: str) -> MailDomain:
        named = [record for record in await self._ask(domain, "MX") if isinstance(record, MX)]
        if not named:
            if await self._has_address(domain):
                return MailDomain(
                    domain, takes=True, why="it names no mail server, but is one", hosts=(domain,)
                )
            return MailDomain(domain, takes=False, why="it has no mail server")
        hosts = [
            host
            for record in sorted(named, key=lambda record: record.preference)
            if (host := record.exchange.to_text(omit_final_dot=True).lower()) not in {".", "@", ""}
        ]
        if not hosts:
            return MailDomain(domain, takes=False, why="it says that it takes no mail")
        if not await self._any_exists(hosts[:_MOST_HOSTS]):
            return MailDomain(domain, takes=False, why="its mail servers do not exist")
        return MailDomain(domain, takes=True, why="it has a mail server", hosts=tuple(hosts))

    async def _any_exists(self, hosts: Sequence[str]) -> bool:
        """Whether one of the mail servers has an address, as far as can be told."""
        for host in hosts:
            try:
                if host != "localhost" and await self._has_address(host):
                    return True
            except _NoSuchName:
                continue
            except _Unanswered:
                return True
        return False

    async def _has_address(self, host: str) -> bool:
        return bool(await self._ask(host, "A") or await self._ask(host, "AAAA"))

    async def sender_policy(self, domain: str, selector: str = "") -> SenderPolicy:
        """SPF, DKIM and DMARC of a sender's domain (RFC 7208, 6376, 7489), each with its fix.

        Args:
            domain: What follows the @ of the sender's address.
            selector: The name of the DKIM key; without one, the usual names are tried.
        """
        spf, dkim, dmarc = await asyncio.gather(
            self._spf(domain), self._dkim(domain, selector), self._dmarc(domain)
        )
        return SenderPolicy(spf, dkim, dmarc)

    async def _spf(self, domain: str) -> Line:
        try:
            records = [text for text in await self._texts(domain) if is_spf(text)]
            include = await self._spf_include(domain)
        except _Unanswered:
            return not_looked_up("SPF")
        return spf_line(domain, records, include)

    async def _spf_include(self, domain: str) -> str:
        """What the domain's mail provider asks to be named in SPF, where that is known."""
        return spf_include((await self.takes_mail(domain)).hosts)

    async def _dkim(self, domain: str, selector: str) -> Line:
        names = [selector] if selector else USUAL_SELECTORS
        try:
            answers = await asyncio.gather(
                *(self._texts(f"{name}._domainkey.{domain}") for name in names)
            )
            keys = {
                name: tags(text)["p"]
                for name, texts in zip(names, answers, strict=True)
                for text in texts
                if "p" in tags(text)
            }
            # A name without records of its own exists where there is one below it (RFC 8020).
            none_at_all = not keys and not await self._exists(f"_domainkey.{domain}")
        except _Unanswered:
            return not_looked_up("DKIM")
        return dkim_line(domain, selector, keys, none_at_all=none_at_all)

    async def _dmarc(self, domain: str) -> Line:
        """The record of the domain, else of the nearest domain above it that has one."""
        labels = domain.strip(".").split(".")
        try:
            for above in range(max(len(labels) - 1, 1)):
                name = ".".join(labels[above:])
                texts = await self._texts(f"_dmarc.{name}")
                if records := [text for text in texts if is_dmarc(text)]:
                    return dmarc_line(domain, name, records)
        except _Unanswered:
            return not_looked_up("DMARC")
        return dmarc_line(domain, domain, [])

    async def _texts(self, name: str) -> list[str]:
        """The TXT records of a name, each in one piece; none where there is no such name."""
        try:
            records = await self._ask(name, "TXT")
        except _NoSuchName:
            return []
        return [
            plain_line(b"".join(record.strings).decode("ascii", "replace"))
            for record in records
            if isinstance(record, TXT)
        ]

    async def _exists(self, name: str) -> bool:
        try:
            await self._ask(name, "TXT")
        except _NoSuchName:
            return False
        return True

    async def _ask(self, name: str, kind: str) -> list[Rdata]:
        """The records of a name, none where it has none of this kind.

        Raises:
            _NoSuchName: There is no such name.
            _Unanswered: Nobody said so or otherwise, or one who makes answers up.
        """
        try:
            asked = dns.name.from_text(name, origin=dns.name.root)
        except (dns.exception.DNSException, UnicodeError):
            raise _NoSuchName from None
        try:
            answer = await self._resolver.resolve(
                asked, kind, raise_on_no_answer=False, search=False
            )
        except dns.resolver.NXDOMAIN:
            if await self.answers():
                raise _NoSuchName from None
            raise _Unanswered from None
        except (dns.exception.DNSException, OSError):
            raise _Unanswered from None
        if answer.rrset is None:
            if await self.answers():
                return []
            raise _Unanswered
        return list(answer.rrset)


def _unknown(domain: str) -> MailDomain:
    return MailDomain(domain, takes=None, why="its mail servers could not be looked up")
