"""One way to providers' APIs: when it asks again, where it goes, and what it never says."""

from __future__ import annotations

import asyncio
import base64
import gzip
import logging
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
import rich.traceback
from hypothesis import given
from hypothesis import strategies as st

from crm_tui.providers import http
from crm_tui.providers.base import (
    LoginRefused,
    Misconfigured,
    ProviderError,
    Unavailable,
    Unclear,
)
from crm_tui.providers.http import Answer, Api, Login, read_http_date
from crm_tui.providers.secrets import Lookup, Secret

KEY = "key-0123456789abcdef"
BASE = "https://api.mail.example"
FIX = "Look the key up at mail.example."

Said = httpx.Response | Exception


class Script:
    """Answers in turn, the last again and again; and what was asked and waited for."""

    def __init__(self, *answers: Said, jitter: float = 1.0, **api: Any) -> None:
        self.answers = answers
        self.asked: list[httpx.Request] = []
        self.waited: list[float] = []
        api.setdefault("login", Login(Lookup.of(Secret(KEY)), header="X-Key"))
        self.api = Api(
            "Mail",
            api.pop("base_url", BASE),
            api.pop("login"),
            FIX,
            transport=httpx.MockTransport(self._answer),
            sleep=self._sleep,
            jitter=lambda: jitter,
            **api,
        )

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        said = self.answers[min(len(self.asked), len(self.answers)) - 1]
        if isinstance(said, Exception):
            raise said
        return httpx.Response(said.status_code, headers=said.headers, content=said.content)

    async def _sleep(self, seconds: float) -> None:
        self.waited.append(seconds)


OK = httpx.Response(200, json={"fine": True})


def status(code: int, text: str = "", **headers: str) -> httpx.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx.Response(code, text=text, headers=named)


# -- asking again --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "trouble",
    [
        status(429),
        status(500),
        status(502),
        status(503),
        status(504),
        httpx.ConnectError("refused"),
        httpx.ConnectTimeout("timed out"),
        httpx.ReadTimeout("timed out"),
        httpx.RemoteProtocolError("server disconnected"),
        httpx.Response(200, content=b'{"fine": tr', headers={"content-type": "application/json"}),
        httpx.Response(200, content=b"<html>", headers={"content-type": "application/json"}),
    ],
)
async def test_reading_is_tried_again(trouble: Said) -> None:
    script = Script(trouble, trouble, OK)

    answer = await script.api.get("events")

    assert answer.object() == {"fine": True}
    assert len(script.asked) == 3
    assert len(script.waited) == 2


async def test_pauses_are_of_random_length_below_a_bound_that_doubles() -> None:
    longest, half = Script(status(500)), Script(status(500), jitter=0.5)
    for script in (longest, half):
        with pytest.raises(Unavailable, match="has trouble"):
            await script.api.get("events")

    assert longest.waited == [1, 2, 4, 8]
    assert half.waited == [0.5, 1, 2, 4]


async def test_a_search_by_post_is_reading() -> None:
    script = Script(status(503), OK)

    answer = await script.api.read("POST", "logs", json={"limit": 1})

    assert answer.ok
    assert [request.method for request in script.asked] == ["POST", "POST"]


@pytest.mark.parametrize("code", [200, 204, 301, 302, 400, 404, 409, 410, 422, 501])
async def test_other_answers_are_the_adapter_s(code: int) -> None:
    script = Script(status(code, location="https://elsewhere.example/"))

    assert (await script.api.get("events")).status == code
    assert len(script.asked) == 1


async def test_an_account_that_was_stopped_is_not_taken_for_a_wrong_key() -> None:
    script = Script(httpx.Response(403, json={"message": "Your account is suspended"}))
    async with script.api as api:
        with pytest.raises(
            Misconfigured, match=r"stopped this account .* ask its support"
        ) as stopped:
            await api.get("mails")
    assert not isinstance(stopped.value, LoginRefused)


async def test_a_provider_that_never_answers_is_asked_for_about_a_minute() -> None:
    seconds = 0.0

    def clock() -> float:
        nonlocal seconds
        seconds += 30  # until each answer is given up
        return seconds

    script = Script(httpx.ReadTimeout("no answer"), clock=clock)
    async with script.api as api:
        with pytest.raises(Unavailable, match="broke off"):
            await api.get("mails")
    assert len(script.asked) == 2


@pytest.mark.parametrize(
    ("headers", "pause"),
    [
        ({"retry-after": "7"}, 7),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after": "0"}, 0),
        (
            {
                "retry-after": "Sun, 22 Nov 2026 09:30:20 GMT",
                "date": "Sun, 22 Nov 2026 09:30:05 GMT",
            },
            15,
        ),
        (
            {
                "retry-after": "Sunday, 22-Nov-26 09:30:06 GMT",
                "date": "Sun, 22 Nov 2026 09:30:05 GMT",
            },
            1,
        ),
        (
            {
                "retry-after": "Sun, 22 Nov 2026 09:30:00 GMT",
                "date": "Sun, 22 Nov 2026 09:30:05 GMT",
            },
            0,
        ),
        ({"retry-after": "soon"}, 1),
        ({"retry-after": "-5"}, 1),
        ({}, 1),
    ],
)
async def test_a_provider_is_left_alone_for_as_long_as_it_asks(
    headers: dict[str, str], pause: float
) -> None:
    for code in (429, 503):
        script = Script(httpx.Response(code, headers=headers), OK)

        await script.api.get("events")

        assert script.waited == [pause]


async def test_headers_of_its_own_say_how_long_after_too_many_requests() -> None:
    def wait(answer: Answer) -> float | None:
        return float(answer.headers["x-reset"])

    script = Script(status(429, x_reset="9"), OK, wait=wait)

    await script.api.get("events")

    assert script.waited == [9]


async def test_nobody_waits_within_a_poll_for_what_takes_longer_than_a_minute() -> None:
    script = Script(status(429, retry_after="3600"))

    with pytest.raises(Unavailable, match="asked less often") as caught:
        await script.api.get("events")

    assert caught.value.after == 3600
    assert len(script.asked) == 1
    assert script.waited == []


async def test_an_absurd_pause_is_a_month_at_most() -> None:
    for asked in ("9" * 400, "Fri, 31 Dec 9999 23:59:59 GMT"):
        with pytest.raises(Unavailable) as caught:
            await Script(status(429, retry_after=asked)).api.get("events")

        assert caught.value.after == 31 * 24 * 3600


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("120", 120),
        (" 0 ", 0),
        ("1.5", 1.5),
        ("Mon, 23 Nov 2026 12:01:30 GMT", 90),
        ("Mon, 23 Nov 2026 12:01:30 -0000", 90),
        ("Monday, 23-Nov-26 12:01:30 GMT", 90),
        ("Mon, 23 Nov 2026 11:00:00 GMT", 0),
        ("soon", None),
        ("-5", None),
        ("²", None),
        ("", None),
    ],
)
def test_a_pause_is_seconds_or_a_date_by_the_provider_s_own_clock(
    value: str, seconds: float | None
) -> None:
    headers = {"retry-after": value, "date": "Mon, 23 Nov 2026 12:00:00 GMT"}

    assert Answer(429, headers, b"").retry_after() == seconds


@given(st.text(max_size=60))
def test_no_date_and_no_pause_of_a_header_raises(value: str) -> None:
    read_http_date(value)
    wait = Answer(429, {"retry-after": value, "date": value}, b"").retry_after()

    assert wait is None or 0 <= wait <= 31 * 24 * 3600


def test_dates_of_headers_are_utc() -> None:
    at = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)

    assert read_http_date("Sun, 22 Nov 2026 09:30:00 GMT") == at
    assert read_http_date("Sun, 22 Nov 2026 10:30:00 +0100") == at
    assert read_http_date("Sun, 22 Nov 2026 09:30:00 -0000") == at
    assert read_http_date("yesterday") is None


# -- sending -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (status(500), Unclear),
        (status(502, "<html>Bad gateway</html>"), Unclear),
        (httpx.ReadTimeout("timed out"), Unclear),
        (httpx.ReadError("connection reset"), Unclear),
        (httpx.WriteError("broken pipe"), Unclear),
        (httpx.WriteTimeout("timed out"), Unclear),
        (httpx.RemoteProtocolError("server disconnected"), Unclear),
        (status(429, retry_after="3"), Unavailable),
        (httpx.ConnectError("refused"), Unavailable),
        (httpx.ConnectTimeout("timed out"), Unavailable),
        (httpx.PoolTimeout("no connection free"), Unavailable),
        (httpx.ProxyError("407 Proxy Authentication Required"), Unavailable),
        (status(401), LoginRefused),
        (status(403), LoginRefused),
    ],
)
async def test_sending_is_done_once_and_says_whether_it_may_have_been_done(
    answer: Said, kind: type[ProviderError]
) -> None:
    script = Script(answer)

    with pytest.raises(ProviderError) as caught:
        await script.api.send("messages", json={"to": "bob"})

    assert type(caught.value) is kind
    assert len(script.asked) == 1
    assert script.waited == []


@pytest.mark.parametrize("code", [200, 202, 302, 400, 404, 409, 422])
async def test_other_answers_to_sending_are_the_adapter_s(code: int) -> None:
    answer = await Script(status(code, "said")).api.send("messages", json={})

    assert (answer.status, answer.text) == (code, "said")


async def test_an_explanation_goes_before_the_status() -> None:
    def explain(answer: Answer, words: str) -> ProviderError | None:
        return Misconfigured(f"No domain: {words}", fix="Add it.") if "domain" in words else None

    for code in (400, 403, 429):
        script = Script(status(code, "the domain is unknown"), explain=explain)
        with pytest.raises(Misconfigured, match="No domain: the domain is unknown"):
            await script.api.send("messages", json={})
        with pytest.raises(Misconfigured, match="No domain"):
            await script.api.get("events")
        assert script.waited == []
    with pytest.raises(Unclear):
        await Script(status(500, "the domain"), explain=explain).api.send("messages", json={})


# -- real connections ----------------------------------------------------------------------------------

Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def serving(talk: Talk) -> AsyncIterator[str]:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        await talk(reader, writer)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


def over_the_network(base: str) -> Api:
    async def no_sleep(seconds: float) -> None:
        del seconds

    return Api("Mail", base, Login(Lookup.of(Secret(KEY)), header="X-Key"), FIX, sleep=no_sleep)


async def test_nobody_listening_is_certain_and_a_lost_answer_is_not() -> None:
    async def hang_up(_reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        return

    async with serving(hang_up) as base:
        api = over_the_network(base)
        async with api:
            with pytest.raises(Unclear, match="was lost"):
                await api.send("messages", json={})
            with pytest.raises(Unavailable, match="broke off"):
                await api.get("events")
    api = over_the_network(base)
    async with api:
        with pytest.raises(Unavailable, match="cannot be reached"):
            await api.send("messages", json={})


async def test_an_answer_that_ends_too_early_is_no_answer() -> None:
    async def cut_off(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"id": "1"}')

    async with serving(cut_off) as base, over_the_network(base) as api:
        with pytest.raises(Unclear):
            await api.send("messages", json={})
        with pytest.raises(Unavailable):
            await api.get("events")


async def test_an_answer_without_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "_LARGEST", 1024 * 1024)
    sent = 0

    async def pour(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        try:
            while sent < 200:
                writer.write(b" " * 1024 * 1024)
                sent += 1
                await writer.drain()
        except ConnectionError:
            return

    async with serving(pour) as base:
        api = over_the_network(base)
        async with api:
            with pytest.raises(Unclear, match="too large"):
                await api.send("messages", json={})
    assert sent < 50


async def test_a_small_answer_that_unpacks_to_a_large_one_is_given_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(http, "_LARGEST", 1024 * 1024)
    packed = gzip.compress(b" " * (1024 * 1024 + 1))
    script = Script(httpx.Response(200, headers={"content-encoding": "gzip"}))
    script.api.transport = httpx.MockTransport(
        lambda _request: httpx.Response(
            200, headers={"content-encoding": "gzip"}, stream=httpx.ByteStream(packed)
        )
    )

    with pytest.raises(Unavailable, match="too large"):
        await script.api.get("events")


async def test_what_is_not_packed_as_it_says_is_trouble() -> None:
    script = Script(OK)
    script.api.transport = httpx.MockTransport(
        lambda _request: httpx.Response(
            200, headers={"content-encoding": "gzip"}, stream=httpx.ByteStream(b"plain")
        )
    )

    with pytest.raises(Unavailable, match="broke off"):
        await script.api.get("events")


# -- where it goes -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    [
        f"{BASE}/next?page=2",
        f"{BASE}:443/next",
        "https://API.MAIL.EXAMPLE/next",
        "https://storage-eu.mail.example/1",
        "https://files.example/1",
    ],
)
async def test_pages_of_the_provider_are_followed(url: str) -> None:
    script = Script(OK, hosts=(".mail.example", "files.example"))

    await script.api.get(url)

    assert script.asked[0].headers["x-key"] == KEY


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example/next",
        "http://api.mail.example/next",
        f"{BASE}:8443/next",
        f"{BASE}:80/next",
        f"{BASE}.evil.example/next",
        f"{BASE}@evil.example/next",
        f"https://{KEY}@evil.example/next",
        "https://user:password@api.mail.example/next",
        "https://api.mail.example\\@evil.example/next",
        "https://evil.example\\.mail.example/next",
        "https://evil.example#@api.mail.example",
        "https://evil.example?@api.mail.example",
        "https://evilmail.example/next",
        "https://sub.files.example/1",
        "https://files.example:444/1",
        "http://files.example/1",
        "https://api.mail.example。evil.example/next",
        "https://api.m\u0430il.example/",
        "https://files.ex\u0430mple/1",
        "https://ﬁles.example/1",
        "https://files.example%2eevil.example/",
        "https://files.example%00.mail.example/",
        "https://files.example\t.mail.example/",
        "https:///evil.example/next",
        "https://[::1]/next",
        "https://[::1",
        "https://127.0.0.1/next",
        "https://api.mail.example:99999/",
        "https://api.mail.example:port/",
        "ftp://api.mail.example/",
        "file:///etc/passwd?x=://",
        "javascript://api.mail.example/%0a",
        "://",
        " https://api.mail.example/next",
        "next?to=https://evil.example/",
    ],
)
async def test_the_key_goes_to_nobody_else(url: str) -> None:
    script = Script(OK, hosts=(".mail.example", "files.example"))

    for asking in (script.api.get, script.api.send):
        with pytest.raises(Unavailable, match="which is not its own") as caught:
            await asking(url)
        assert KEY not in str(caught.value)

    assert script.asked == []
    assert script.waited == []


@given(
    st.text(alphabet="aehilmpx.:/@\\#?%[]-0129 \t\n。аﬁ", max_size=40).map(
        lambda each: f"https://{each}"
    )
)
def test_whatever_is_allowed_is_followed_to_an_allowed_host(url: str) -> None:
    api = Script(OK, base_url="https://a.mail.example", hosts=(".a.example", "hi.example")).api

    if api.allows(url):
        host = httpx.URL(url).host
        assert host == "a.mail.example" or host.endswith(".a.example") or host == "hi.example"


async def test_redirections_are_not_followed() -> None:
    script = Script(status(302, location="https://evil.example/"))

    assert (await script.api.get("events")).status == 302
    assert [request.url.host for request in script.asked] == ["api.mail.example"]


@pytest.mark.parametrize(
    "base",
    [
        "http://api.mail.example",
        "http://10.0.0.1",
        "http://127.0.0.1.evil.example",
        "http://localhost.evil.example",
        "ftp://127.0.0.1",
        "",
        "api.mail.example",
        "https://",
        "https:///events",
        "https://[",
        "https://user:password@api.mail.example",
        "https://api.mail.example:port",
    ],
)
async def test_a_base_without_tls_is_only_this_machine(base: str) -> None:
    script = Script(OK, base_url=base)

    for asking in (script.api.get, script.api.send):
        with pytest.raises(Misconfigured, match="base_url of Mail is no https address"):
            await asking("events")

    assert script.asked == []


@pytest.mark.parametrize("base", ["http://127.0.0.1:8025", "http://[::1]:8025", "http://localhost"])
async def test_a_server_on_this_machine_needs_no_tls(base: str) -> None:
    script = Script(OK, base_url=f"{base}/v3/")

    await script.api.get("/events", {"limit": 5})

    assert str(script.asked[0].url) == f"{base}/v3/events?limit=5"


# -- what it never says --------------------------------------------------------------------------------

BASIC = base64.b64encode(f"api:{KEY}".encode()).decode()


@pytest.mark.parametrize(
    "echo",
    [
        f"Bad key {KEY}",
        f'{{"message": "Bad key {KEY}"}}',
        f'{{"error": "Authorization: Basic {BASIC}"}}',
        "x" * 490 + KEY,
        f"{KEY[:5]}\x00{KEY[5:]}",
        f"{KEY[:5]}\x1b{KEY[5:]} and so on",
    ],
)
async def test_a_server_that_repeats_the_key_does_not_make_it_known(echo: str) -> None:
    login = Login(Lookup.of(Secret(KEY)), user="api")
    for code in (400, 401, 429, 500):
        script = Script(status(code, echo), login=login)
        try:
            said = script.api.words(await script.api.send("messages", json={}))
        except ProviderError as error:
            said = f"{error} {error!r} {error.args}"

        assert said
        assert not any(part in said for part in (KEY, BASIC, KEY[:8]))


@pytest.mark.parametrize("login", [{"header": "X-Key"}, {"user": "api"}])
async def test_neither_a_traceback_nor_its_listing_of_variables_has_the_key(
    login: dict[str, str],
) -> None:
    for error in (RuntimeError("out of order"), httpx.ReadError("reset"), httpx.ConnectError("no")):
        script = Script(error, login=Login(Lookup.of(Secret(KEY)), **login))
        with pytest.raises((RuntimeError, ProviderError)) as caught:
            await script.api.send("messages", json={"to": "bob"})

        listed = rich.traceback.Traceback.extract(
            caught.type,
            caught.value,
            caught.tb,
            show_locals=True,
            locals_max_length=1000,
            locals_max_string=10_000,
        )
        variables = [
            f"{name} = {node}"
            for stack in listed.stacks
            for frame in stack.frames
            for name, node in (frame.locals or {}).items()
        ]
        told = "\n".join([*traceback.format_exception(caught.value, chain=True), *variables])
        assert "messages" in told
        assert KEY not in told
        assert BASIC not in told


async def test_no_log_has_a_query_or_the_key(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)

    async def answer(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")

    async with serving(answer) as base, over_the_network(base) as api:
        await api.get("events", {"recipient": "bob@bakery.example"})

    told = "\n".join(f"{record.name} {record.getMessage()}" for record in caplog.records)
    assert "bakery" not in told
    assert KEY not in told


@pytest.mark.parametrize("key", ["re_\nX-Other: 1", "re_ä", "re_\x00", "\n", ""])
async def test_what_cannot_be_a_key_is_said_and_not_shown(key: str) -> None:
    script = Script(OK, login=Login(Lookup.of(Secret(key)), header="X-Key"))

    with pytest.raises(Misconfigured, match="line break or a letter beyond ASCII") as caught:
        await script.api.get("events")

    assert "re_" not in str(caught.value)
    assert script.asked == []


async def test_a_line_break_behind_a_key_is_no_part_of_it() -> None:
    script = Script(OK, login=Login(Lookup.of(Secret(f" {KEY}\n")), header="X-Key"))

    await script.api.get("events")

    assert script.asked[0].headers["x-key"] == KEY


async def test_without_a_key_nothing_is_asked() -> None:
    script = Script(OK, login=Login(Lookup.of(None), header="X-Key"))

    with pytest.raises(Misconfigured, match="no key for Mail") as caught:
        await script.api.get("events")

    assert str(caught.value).endswith(FIX)
    assert script.asked == []


async def test_a_key_that_is_refused_is_looked_up_anew_the_next_time() -> None:
    keys = ["old", "old", "new"]

    async def find() -> Secret:
        return Secret(keys.pop(0) if len(keys) > 1 else keys[0])

    script = Script(
        status(401), status(401), status(401), OK, login=Login(Lookup(find), header="X-Key")
    )
    for _ in range(3):
        with pytest.raises(LoginRefused) as caught:
            await script.api.get("events")
        assert str(caught.value).endswith(FIX)
    await script.api.get("events")

    assert [request.headers["x-key"] for request in script.asked] == ["old", "old", "new", "new"]


# -- answers -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("content", [b"", b"{", b"[1", b"\xff", b"not json", b"[" * 100_000])
def test_what_is_no_json_is_trouble(content: bytes) -> None:
    with pytest.raises(Unavailable):
        Answer(200, {}, content).json()


@pytest.mark.parametrize("content", [b"[]", b"1", b"null", b'"x"'])
def test_what_is_no_object_is_trouble(content: bytes) -> None:
    assert Answer(200, {}, content).json() is None or content != b"null"
    with pytest.raises(Unavailable):
        Answer(200, {}, content).object()


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ('{"message": "No such\\u001b[31m domain"}', "No such[31m domain"),
        ('{"error_message": "No"}', "No"),
        ('{"error": "No"}', "No"),
        ('{"Message": "No"}', "No"),
        ('{"error": {"message": "deep"}}', "deep"),
        ('{"error": {"code": 7}}', '{"error": {"code": 7}}'),
        ("Forbidden", "Forbidden"),
        ("<HTML><body>Bad gateway</body></HTML>", ""),
        ("two\nlines", "two lines"),
        ("", ""),
    ],
)
async def test_the_words_of_a_refusal_are_one_safe_line(body: str, words: str) -> None:
    script = Script(OK)

    assert script.api.words(Answer(400, {}, body.encode())) == words


async def test_a_refusal_too_deep_to_be_read_is_a_refusal() -> None:
    script = Script(httpx.Response(400, text="[" * 100_000))
    async with script.api as api:
        assert (await api.get("events")).status == 400


async def test_requests_at_once_share_one_client_and_one_look_up() -> None:
    looked = 0

    async def find() -> Secret:
        nonlocal looked
        looked += 1
        await asyncio.sleep(0)
        return Secret(KEY)

    script = Script(OK, login=Login(Lookup(find), header="X-Key"))
    async with script.api as api:
        answers: Sequence[Answer] = await asyncio.gather(*(api.get("events") for _ in range(20)))

    assert all(answer.ok for answer in answers)
    assert looked == 1
