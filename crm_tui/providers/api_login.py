"""A key to an API: what can be one, how it is shown, and where it may go."""

from __future__ import annotations

import base64
import re
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass

import httpx

from crm_tui.config.checks import is_loopback
from crm_tui.providers.base import Misconfigured
from crm_tui.providers.secrets import Lookup, Secret

_KEY = re.compile("[ -~]+")
_HOST = re.compile("[a-z0-9.-]+|[0-9a-f:.]+")


@dataclass(frozen=True, slots=True)
class Login:
    """How a key is shown: HTTP Basic with a user's name, or in a header after a prefix."""

    secret: Lookup
    user: str = ""
    header: str = ""
    prefix: str = ""

    def of(self, secret: Secret) -> tuple[Mapping[str, str], httpx.Auth | None]:
        """What is sent along with every request."""
        if self.header:
            return {}, _InHeader(self.header, self.prefix, secret)
        return {}, httpx.BasicAuth(self.user, secret.reveal())

    def hidden_in(self, text: str, secret: Secret) -> str:
        """The text without the key, however a server repeats what it was shown."""
        basic = f"{self.user}:{secret.reveal()}".encode()
        shown = Secret(base64.b64encode(basic).decode())
        return shown.hidden_in(secret.hidden_in(text))


class _InHeader(httpx.Auth):
    """Shows a key in a header, put there only as the request leaves: so no traceback lists it."""

    def __init__(self, name: str, prefix: str, secret: Secret) -> None:
        self._name, self._prefix, self._secret = name, prefix, secret

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        request.headers[self._name] = f"{self._prefix}{self._secret.reveal()}"
        yield request


def usable(found: Secret | None, title: str, fix: str) -> Secret:
    """A key that can stand in a header.

    Raises:
        Misconfigured: there is none, or it cannot.
    """
    if found is None:
        raise Misconfigured(f"There is no key for {title}.", fix=fix)
    bare = Secret(found.reveal().strip())
    if not _KEY.fullmatch(bare.reveal()):
        raise Misconfigured(
            f"The key for {title} is none: it has a line break or a letter beyond ASCII in it.",
            fix=fix,
        )
    return found if found.is_same(bare) else bare


def check_base(title: str, base_url: str) -> None:
    """See that the key goes only over TLS, or to this machine.

    Raises:
        Misconfigured: it would not.
    """
    try:
        base = httpx.URL(base_url)
    except (httpx.InvalidURL, ValueError):
        base = httpx.URL()
    is_here = base.scheme == "http" and is_loopback(base.host)
    is_host = bool(_HOST.fullmatch(_host_of(base)))
    if is_host and not base.userinfo and (base.scheme == "https" or is_here):
        return
    raise Misconfigured(
        f"The base_url of {title} is no https address.",
        fix="Correct base_url; http is only for a server on this machine.",
    )


def may_go(url: str, base_url: str, hosts: Sequence[str]) -> bool:
    """Whether a URL leads to the provider itself, as it is read by what follows it.

    Args:
        url: whole.
        base_url: where the provider is.
        hosts: others that are its own; one that begins with a dot stands for all below it.
    """
    try:
        asked, base = httpx.URL(url), httpx.URL(base_url)
    except (httpx.InvalidURL, ValueError, TypeError):
        return False
    host = _host_of(asked)
    if asked.userinfo or not _HOST.fullmatch(host):
        return False
    if (asked.scheme, asked.raw_host, asked.port) == (base.scheme, base.raw_host, base.port):
        return True
    if asked.scheme != "https" or asked.port is not None:
        return False
    return any(host.endswith(each) if each.startswith(".") else host == each for each in hosts)


def _host_of(url: httpx.URL) -> str:
    """The host as it is looked up, in ASCII."""
    return url.raw_host.decode("ascii", "replace")
