"""Whether an address can be mailed at all: what would burn the sender's domain is told apart here.

This looks at the address alone. Whether its domain takes mail is looked up by `providers.dns`;
whether it is suppressed, or several leads share it, the store knows.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from crm_tui.services.contacts.contact import ascii_host
from crm_tui.services.contacts.mail_names import (
    FILE_ENDINGS,
    is_hash,
    is_machine_name,
    is_role_address,
    is_template_name,
    placeholder,
)
from crm_tui.text import plain_line

MALFORMED = "not an e-mail address"
TOO_LONG = "longer than an e-mail address can be"
NEEDS_UTF8 = "its name has letters that most mail servers do not take"
PLACEHOLDER = "a placeholder, not somebody's address"
LEFTOVER = "left in the page by its tools, not the business's address"
UNREAD = "an address for machines or complaints, which nobody reads for business"

# RFC 5321, 4.5.3.1: octets of the local part, of the domain, and of a path without its brackets.
_MAX_LOCAL = 64
_MAX_DOMAIN = 253
_MAX_ADDRESS = 254

# RFC 5322, 3.2.3: what a local part may be made of without quotes.
_DOT_ATOM = re.compile(r"[a-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[a-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
_QUOTED = re.compile(r'"((?:[^"\\\x00-\x1f\x7f]|\\[ -~])*)"')
_LABEL = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)")
_ENDING = re.compile(r"[a-z]{2,63}|xn--[a-z0-9-]{1,59}")


@dataclass(frozen=True, slots=True)
class Mailable:
    """What was found out about an address.

    `address` is as it is sent to: the domain in lower case and in the letters the DNS knows, no
    needless quotes. `problem` says why it must not be mailed, one of a few fixed phrases, and is
    "" if it may. A role address (info@) is the usual one of a local business and no problem by
    itself.
    """

    address: str
    problem: str = ""
    role: bool = False

    @property
    def is_address(self) -> bool:
        """Whether mail can be addressed to it at all, whoever may have it.

        That is enough for an address somebody chose by hand: their own, or one they write to.
        """
        return self.problem not in {MALFORMED, TOO_LONG, NEEDS_UTF8}

    @property
    def domain(self) -> str:
        """The part after the @, to be looked up."""
        return self.address.rpartition("@")[2]


def mailable(address: str) -> Mailable:
    """Look at one address, without a name or brackets around it."""
    text = address.strip()
    local, at, host = text.rpartition("@")
    if not at or not local or not host or text != plain_line(text):
        return Mailable(text, MALFORMED)
    host = host.lower()
    if not host.isascii():
        host = ascii_host(host)
    name = _unquoted(local)
    found = Mailable(f"{name or local}@{host}", role=is_role_address(f"{name.lower()}@"))
    problem = _wrong_form(name, local, host) or _nobodys(name.lower(), host)
    return replace(found, problem=problem)


def _unquoted(local: str) -> str:
    """The local part without quotes, where it needs none; "" where it cannot do without."""
    quoted = _QUOTED.fullmatch(local)
    name = re.sub(r"\\(.)", r"\1", quoted[1]) if quoted else local
    return name if not name.isascii() or _DOT_ATOM.fullmatch(name.lower()) else ""


def _wrong_form(name: str, local: str, host: str) -> str:
    labels = host.split(".")
    if labels[-1] in FILE_ENDINGS:
        return LEFTOVER
    is_domain = len(labels) > 1 and _ENDING.fullmatch(labels[-1]) is not None
    if not name or not is_domain or not all(map(_LABEL.fullmatch, labels)):
        return MALFORMED
    if not name.isascii():
        return NEEDS_UTF8
    longest = len(name) + len("@") + len(host)
    if len(local) > _MAX_LOCAL or len(host) > _MAX_DOMAIN or longest > _MAX_ADDRESS:
        return TOO_LONG
    return ""


def _nobodys(name: str, host: str) -> str:
    if words := placeholder(name, host):
        return words
    if is_template_name(name, host):
        return PLACEHOLDER
    if is_hash(name):
        return LEFTOVER
    return UNREAD if is_machine_name(name) else ""
