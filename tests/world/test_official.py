"""What holds requests and answers against the official descriptions finds what is wrong."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.world.official import Checked, Official

KEY = {
    "resend": {"Authorization": "Bearer re_test"},
    "mailgun": {"Authorization": "Basic YXBpOng="},
    "brevo": {"api-key": "x"},
    "twilio": {"Authorization": "Basic QUM6eA=="},
}
ACCOUNT = "AC" + "0" * 32
MULTIPART = [
    ("from", (None, "a@shop.example")),
    ("to", (None, "b@shop.example")),
    ("subject", (None, "Grüße")),
    ("h:Reply-To", (None, "a@shop.example")),
    ("o:tag", (None, "one")),
    ("o:tag", (None, "two")),
]
BREVO = {
    "sender": {"email": "a@shop.example"},
    "to": [{"email": "b@shop.example"}],
    "subject": "Hello",
    "textContent": "Hello",
    "headers": {"X-Own": "1"},
}
RESEND = {"from": "a@shop.example", "to": "b@shop.example", "subject": "Hello", "text": "Hi"}


def asked(name: str, method: str, path: str, **what: Any) -> httpx.Request:
    request = httpx.Request(method, f"http://127.0.0.1/{name}{path}", headers=KEY[name], **what)
    request.read()
    return request


def found(
    name: str, method: str, path: str, answer: httpx.Response | None = None, **what: Any
) -> str:
    checked = Official.of(name).check(asked(name, method, path, **what), answer, below=f"/{name}")
    return "\n".join(map(str, checked))


@pytest.mark.parametrize(
    ("name", "path", "body", "status", "answer"),
    [
        (
            "resend",
            "/emails",
            {"json": {**RESEND, "headers": {"X": "1"}, "tags": [{"name": "key", "value": "1"}]}},
            200,
            {"id": "49a3999c"},
        ),
        (
            "mailgun",
            "/v3/shop.example/messages",
            {"files": MULTIPART},
            200,
            {"id": "x", "message": "Queued"},
        ),
        ("brevo", "/smtp/email", {"json": BREVO}, 201, {"messageId": "<x@y>"}),
        (
            "twilio",
            f"/2010-04-01/Accounts/{ACCOUNT}/Messages.json",
            {"data": {"To": "+15550100", "From": "+15550101", "Body": "Grüße"}},
            201,
            {"sid": "SM" + "0" * 32},
        ),
    ],
)
def test_a_request_as_described_and_its_answer_pass(
    name: str, path: str, body: dict[str, Any], status: int, answer: dict[str, Any]
) -> None:
    assert found(name, "POST", path, httpx.Response(status, json=answer), **body) == ""


@pytest.mark.parametrize(
    ("name", "method", "path", "body", "words"),
    [
        ("resend", "POST", "/emails", {"json": {**RESEND, "to": 1}}, "$.to: 1 is not valid"),
        ("resend", "POST", "/emails", {"json": {**RESEND, "replyTo": "a"}}, "the body has replyTo"),
        ("resend", "GET", "/emails?limit=101", {}, "greater than the maximum of 100"),
        ("resend", "GET", "/emails?page=2", {}, "the query has page"),
        ("resend", "GET", "/mails", {}, "Path not found"),
        (
            "mailgun",
            "POST",
            "/v3/shop.example/messages",
            {"data": {"from": "a", "to": "b", "subject": "c"}},
            "application/x-www-form-urlencoded",
        ),
        (
            "mailgun",
            "POST",
            "/v3/shop.example/messages",
            {"files": [*MULTIPART, ("o:tagg", (None, "1"))]},
            "the body has o:tagg",
        ),
        ("mailgun", "POST", "/v3/shop.example/messages", {"files": MULTIPART[1:]}, "'from' is a"),
        ("brevo", "GET", "/smtp/statistics/events?limit=9000", {}, "the maximum of 5000"),
        (
            "twilio",
            "POST",
            f"/2010-04-01/Accounts/{ACCOUNT}/Messages.json",
            {"data": {"From": "+15550101", "Body": "Hi"}},
            "'To' is a required property",
        ),
    ],
)
def test_what_is_not_as_described_is_told(
    name: str, method: str, path: str, body: dict[str, Any], words: str
) -> None:
    assert words in found(name, method, path, **body)


def test_an_answer_that_is_not_as_described_is_told() -> None:
    answer = httpx.Response(200, json={"id": 5})

    assert "answer POST /emails: $.id: 5 is not" in found(
        "resend", "POST", "/emails", answer, json=RESEND
    )


def test_a_request_without_its_key_is_told() -> None:
    request = httpx.Request("GET", "http://127.0.0.1/resend/emails")
    request.read()

    assert "Security" in str(Official.of("resend").check(request, None, below="/resend")[0])


async def test_the_transport_checks_what_it_carries_and_passes_it_on_whole() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json={"id": 5}, headers={"ratelimit-limit": "5"})

    checked = Checked(httpx.MockTransport(answer), Official.of("resend"))
    async with httpx.AsyncClient(transport=checked, headers=KEY["resend"]) as client:
        response = await client.post("http://127.0.0.1/resend/emails", json=RESEND)
        await client.post("http://127.0.0.1/other/emails", json={})

    assert response.json() == {"id": 5}
    assert response.headers["ratelimit-limit"] == "5"
    assert checked.checked == 1
    with pytest.raises(AssertionError, match=r"answer POST /emails: \$\.id"):
        checked.assert_clean()


async def test_an_answer_cut_off_on_its_way_is_counted_and_not_held_against_the_fake() -> None:
    cut = httpx.MockTransport(
        lambda request: httpx.Response(
            200, content=b'{"id": "4', headers={"content-type": "application/json"}
        )
    )
    checked = Checked(cut, Official.of("resend"))
    async with httpx.AsyncClient(transport=checked, headers=KEY["resend"]) as client:
        await client.post("http://127.0.0.1/resend/emails", json=RESEND)

    assert checked.cut == 1
    checked.assert_clean()
