"""An account at Twilio: how it is asked, what its refusals mean, and trying it out.

Source: Twilio's documentation, "Twilio API requests", "Account resource", "IncomingPhoneNumber
resource" and "Error and Warning Dictionary".
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import httpx

from crm_tui.config.sections import TwilioSettings
from crm_tui.providers.base import (
    Blocked,
    Check,
    Misconfigured,
    ProviderError,
    Refused,
    TryLater,
    Unavailable,
    Unsendable,
    said,
)
from crm_tui.providers.http import Answer, Api, Login, OverApi
from crm_tui.providers.secrets import Lookup, Secret
from crm_tui.providers.twilio_records import (
    CODES,
    FROM,
    FUND,
    Code,
    Means,
    amount_of,
    number_of,
    text_of,
)

_VERSION = "/2010-04-01"
_LIMIT_PAUSE = 3600.0
"""Seconds until a used up limit is tried again, where Twilio does not say."""
_NOT_FOUND = 20404
_BY_CONTEXT = frozenset({_NOT_FOUND, 20429})
"""Codes that mean of a page or of a single message something else than of the account."""

_ACCOUNT = re.compile(r"AC[0-9A-Za-z]+")
NUMBER = re.compile(r"\+[1-9]\d{6,14}")
SERVICE = "MG"
"""What the SID of a messaging service begins with."""
_DEMO_WEBHOOK = "demo.twilio.com"


class _TwilioLogin(Login):
    """An account's token, or an API key of it as "SK…:secret"."""

    def of(self, secret: Secret) -> tuple[Mapping[str, str], httpx.Auth | None]:
        login, bare = self._read(secret)
        return login.of(bare)

    def hidden_in(self, text: str, secret: Secret) -> str:
        login, bare = self._read(secret)
        return login.hidden_in(text, bare)

    def _read(self, secret: Secret) -> tuple[Login, Secret]:
        user, colon, rest = secret.reveal().partition(":")
        if colon and user.startswith("SK"):
            return Login(self.secret, user=user), Secret(rest)
        return Login(self.secret, user=self.user), secret


def api_of(
    settings: TwilioSettings, key: Lookup, *, transport: httpx.AsyncBaseTransport | None = None
) -> Api:
    """The API of an account."""
    return Api(
        title="Twilio",
        base_url=settings.base_url,
        login=_TwilioLogin(key, user=settings.account_sid),
        fix="Copy account_sid in [providers.twilio] and the token from Twilio's console; they"
        " belong together.",
        explain=_explained,
        transport=transport,
    )


def path_of(settings: TwilioSettings, what: str = "") -> str:
    """Where something of the account is.

    Raises:
        Misconfigured: the settings do not name an account.
    """
    if not _ACCOUNT.fullmatch(settings.account_sid):
        raise Misconfigured(
            "account_sid in [providers.twilio] is not the SID of a Twilio account.",
            fix="Copy it from Twilio's console: AC and 32 digits or letters a to f.",
        )
    return f"{_VERSION}/Accounts/{settings.account_sid}{what}.json"


def _code(answer: Answer) -> int | None:
    """The code of a refusal."""
    try:
        body = answer.json()
    except Unavailable:
        return None
    return number_of(body.get("code")) if isinstance(body, dict) else None


def _explained(answer: Answer, words: str) -> ProviderError | None:
    """What a refusal means by its code, where it is one that says so wherever it comes."""
    code = _code(answer)
    known = CODES.get(code or 0)
    if known is None or code in _BY_CONTEXT or answer.status >= 500:
        return None
    words = _told(known, code, words)
    match known.means:
        case Means.SETUP:
            return Misconfigured(words, fix=known.fix)
        case Means.LIMIT:
            after = answer.retry_after()
            return Unavailable(
                f"{words} {known.fix}", after=_LIMIT_PAUSE if after is None else after
            )
        case Means.TEXT:
            return Unsendable(words)
        case Means.FILTERED | Means.LOST:
            return Blocked(words)
    is_bad = known.means is Means.BAD_NUMBER
    return Refused(words, hard=is_bad, opted_out=known.means is Means.OPTED_OUT)


def refusal(api: Api, answer: Answer) -> ProviderError:
    """What any other refusal of a request means; nothing was sent."""
    code, words = _code(answer), api.words(answer) or "no reason given"
    if code == _NOT_FOUND:
        known = CODES[_NOT_FOUND]
        return Misconfigured(_told(known, code, words), fix=known.fix)
    if code is None and answer.status == 404:
        fix = "Correct base_url in [providers.twilio], or leave it out."
        return Misconfigured("There is no API of Twilio at base_url (404).", fix=fix)
    if code is None:
        return Unavailable(f"Twilio did not take it ({answer.status}: {words})")
    # Twilio divides its codes ever more finely: one that is new says only that it was refused.
    return TryLater(f"Twilio refused it ({code}: {words})", after=answer.retry_after())


def _told(known: Code, code: int | None, words: str) -> str:
    return f"{known.words} ({code}: {words})." if words else f"{known.words} ({code})."


class TwilioAccount(OverApi):
    """An account at Twilio, opened and closed."""

    def __init__(
        self,
        settings: TwilioSettings,
        key: Lookup,
        *,
        transport: httpx.AsyncBaseTransport | None = None,
        api: Api | None = None,
    ) -> None:
        self._settings = settings
        super().__init__(api or api_of(settings, key, transport=transport))

    def _read(self, answer: Answer, url: str) -> tuple[list[Any], str | None]:
        """The messages of a page, and where the next one is.

        Raises:
            ProviderError: it is none, or the next one is not Twilio's.
        """
        if not answer.ok:
            raise refusal(self._api, answer)
        body = answer.object()
        messages, following = body.get("messages"), body.get("next_page_uri")
        if not isinstance(messages, list):
            raise Unavailable("Twilio's list of messages has no messages")
        if following and not self._is_page(following, after=url):
            raise Unavailable("Twilio named a next page that is not its own")
        return messages, following or None

    def _is_page(self, uri: Any, *, after: str) -> bool:
        """Whether this leads to another page of this list, at the same host."""
        begin = f"{path_of(self._settings, '/Messages')}?"
        return isinstance(uri, str) and uri != after and uri.startswith(begin)


# -- trying it out ---------------------------------------------------------------------------------


async def check(
    settings: TwilioSettings,
    key: Lookup,
    *,
    sender: str = "",
    transport: httpx.AsyncBaseTransport | None = None,
    api: Api | None = None,
) -> list[Check]:
    """Try the account out, without sending anything: the key, the sending number, what is left.

    `sender` is the number or messaging service to send from; empty for that of the settings.
    """
    account = _Trying(settings, key, transport=transport, api=api)
    steps = (
        ("key", account.account),
        ("sender", lambda: account.sender(sender or settings.from_number)),
        ("limits", account.balance),
    )
    done: list[Check] = []
    async with account:
        for step, ask in steps:
            try:
                done.append(await ask())
            except ProviderError as error:
                done.append(Check(step, ok=False, words=str(error)))
            if step == "key" and not done[-1].ok:
                break
    return done


class _Trying(TwilioAccount):
    """The steps of trying an account out."""

    async def account(self) -> Check:
        """Whether the key is taken, and what kind of account it is."""
        found = await self._asked("")
        status, kind = text_of(found, "status"), text_of(found, "type")
        name = said(text_of(found, "friendly_name")) or self._settings.account_sid
        if status != "active":
            words = f"The account {name} is {said(status) or 'not active'}. {FUND}"
            return Check("key", ok=False, words=words)
        if kind == "Trial":
            fix = CODES[21608].fix
            return Check("key", ok=True, words=f"{name}: {CODES[21608].words.lower()}. {fix}")
        return Check("key", ok=True, words=f"The key is taken; the account {name} is active.")

    async def sender(self, number: str) -> Check:
        """Whether the sending number is the account's and can send texts."""
        if number.startswith(SERVICE):
            words = "A messaging service chooses the number; that it has one is seen on sending."
            return Check("sender", ok=True, words=words)
        if not NUMBER.fullmatch(number):
            return Check("sender", ok=False, words=f"There is no number to send from. {FROM}")
        body = await self._asked("/IncomingPhoneNumbers", {"PhoneNumber": number})
        listed = body.get("incoming_phone_numbers")
        numbers = [each for each in listed or () if isinstance(each, dict)]
        found = next((each for each in numbers if text_of(each, "phone_number") == number), None)
        if found is None:
            words = f"{number} is not a number of this account. {FROM}"
            return Check("sender", ok=False, words=words)
        can = found.get("capabilities")
        if isinstance(can, dict) and can.get("sms") is False:
            return Check("sender", ok=False, words=f"{number} cannot send texts. {FROM}")
        if _DEMO_WEBHOOK in text_of(found, "sms_url"):
            words = (
                f"{number} answers every text with Twilio's demo message. Clear its webhook for"
                " messages in Twilio's console."
            )
            return Check("sender", ok=False, words=words)
        return Check("sender", ok=True, words=f"{number} is yours and can send texts.")

    async def balance(self) -> Check:
        """How much money is left; of an account below another one Twilio does not say it."""
        answer = await self._api.get(path_of(self._settings, "/Balance"))
        found = answer.object() if answer.ok else {}
        left, currency = text_of(found, "balance"), said(text_of(found, "currency"))
        amount = amount_of(left)
        if amount is None:
            return Check("limits", ok=True, words="Twilio does not say what is left.")
        words = f"{amount:.2f} {currency} are left."
        if amount <= 0:
            return Check("limits", ok=False, words=f"{words} {FUND}")
        return Check("limits", ok=True, words=words)

    async def _asked(self, what: str, params: Mapping[str, str | int] | None = None) -> Any:
        answer = await self._api.get(path_of(self._settings, what), params)
        if not answer.ok:
            raise refusal(self._api, answer)
        return answer.object()
