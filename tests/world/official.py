"""What adapters ask and fakes answer, held against the providers' own descriptions of their APIs.

The descriptions are not part of this repository: they are looked for in the folder that the
environment variable CRM_TUI_SPECS names, or in shared/specs beside the project's folder. Where there
are none, the test is skipped and says so.

    checked = Checked(world.transport(), Official.of("resend"))
    async with ResendSender(settings, key, transport=checked) as sender: ...
    checked.assert_clean()
"""

from __future__ import annotations

import json
import os
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import httpx
import pytest
import yaml
from openapi_core import Config, OpenAPI
from openapi_core.datatypes import RequestParameters
from openapi_core.exceptions import OpenAPIError
from openapi_core.templating.paths.finders import APICallPathFinder
from werkzeug.datastructures import Headers, ImmutableMultiDict

_HOST = "https://official.test"
_FILES = {
    "resend": "resend.json",
    "mailgun": "mailgun.openapi.yaml",
    "brevo": "brevo.swagger_definition_v3.yml",
    "twilio": "twilio_api_v2010.json",
}
# A form that takes fields of any name: what such names begin with.
_FREE_FIELDS = {"mailgun": ("h:", "v:")}

FALSE_ALARMS: dict[str, tuple[tuple[str, str], ...]] = {
    "resend": (),
    "mailgun": (
        *(
            (f"request GET /v3/mg.example.org/{name}: {words}", "its own words call it optional")
            for name in ("bounces", "complaints", "unsubscribes")
            for words in (
                *(f"Missing required query parameter: {p}" for p in ("term", "page", "address")),
                "the query has address, which is not described",
            )
        ),
        *(
            (f"answer GET /v3/mg.example.org/{name}: $.items[0].created_at:", "its example is text")
            for name in ("bounces", "complaints", "unsubscribes")
        ),
        *(
            (f"{part} GET /v3/mg.example.org/events/", "the URLs of next pages are not described")
            for part in ("request", "answer")
        ),
        (
            "answer GET /v3/domains/mg.example.org/messages/",
            "the answer to Accept: message/rfc2822 is not described",
        ),
    ),
    "brevo": (),
    "twilio": (),
}
"""Violations that are none: what they begin with (see `Violation`), and why they are none."""


@dataclass(frozen=True, slots=True)
class Violation:
    """Something that is not as the description has it; as text "request POST /emails: words"."""

    part: str
    """request or answer."""
    operation: str
    """The method and the path below the provider."""
    words: str

    def __str__(self) -> str:
        return f"{self.part} {self.operation}: {self.words}"


def find_specs() -> Path | None:
    """The folder of the descriptions; None where there is none."""
    named = os.environ.get("CRM_TUI_SPECS")
    beside = Path(__file__).parents[2].parent / "shared" / "specs"
    folder = Path(named) if named else beside
    return folder if folder.is_dir() else None


class Official:
    """The description of one provider's API."""

    def __init__(self, name: str, description: dict[str, Any]) -> None:
        self.name = name
        self._description = description
        config = Config(spec_validator_cls=None)
        self._app = OpenAPI.from_dict(description, config=config)

    @classmethod
    def of(cls, name: str) -> Official:
        """The description of a provider; read once per process. Skips the test where it is absent."""
        folder = find_specs()
        if folder is None or not (folder / _FILES[name]).is_file():
            pytest.skip(f"the official description {_FILES[name]} is not here (CRM_TUI_SPECS)")
        return _read(name, folder / _FILES[name])

    def schema(self, name: str) -> dict[str, Any]:
        """A schema of the description by its name."""
        found: dict[str, Any] = self._description["components"]["schemas"][name]
        return found

    def check(
        self, request: httpx.Request, response: httpx.Response | None, *, below: str = ""
    ) -> list[Violation]:
        """What is wrong with a request whose content is read, and with the answer to it.

        Args:
            request: as an adapter sent it.
            response: as a fake answered, its content read; not looked at from 300 on.
            below: the path on the fake's side that stands for the provider's host.
        """
        path = request.url.path.removeprefix(below)
        operation = f"{request.method} {path}"
        asked = _Asked(request, path)
        found = [
            Violation("request", operation, words)
            for words in (*_words(self._app.iter_request_errors(asked)), *self._strangers(asked))
        ]
        if response is not None and response.status_code < 300:
            answers = self._app.iter_response_errors(asked, _Answered(response))
            found += [Violation("answer", operation, words) for words in _words(answers)]
        return [each for each in found if not self._is_false(each)]

    def _strangers(self, asked: _Asked) -> Iterator[str]:
        """Names that the description does not have, which it need not forbid: mostly misspelled."""
        finder = APICallPathFinder(self._app.spec, base_url=_HOST)
        try:
            found = finder.find(asked.method, _HOST + asked.path)
        except OpenAPIError:
            return  # told already
        holder = self._description["paths"][found.path_result.pattern]
        operation = holder[asked.method]
        described = {
            each["name"]
            for each in map(
                self._resolved, [*holder.get("parameters", ()), *operation.get("parameters", ())]
            )
            if each["in"] == "query"
        }
        yield from (
            f"the query has {name}, which is not described"
            for name in asked.parameters.query
            if name not in described
        )
        body = self._resolved(operation.get("requestBody", {})).get("content", {})
        kind = asked.content_type.partition(";")[0]
        schema = self._resolved(body.get(kind, {}).get("schema", {}))
        free = _FREE_FIELDS.get(self.name, ()) if kind == "multipart/form-data" else ()
        if free:
            schema = {**schema, "additionalProperties": False}
        yield from (
            f"the body has {name}, which is not described"
            for name in self._strange_names(schema, asked.names())
            if not name.startswith(free)
        )

    def _strange_names(self, schema: dict[str, Any], value: Any) -> Iterator[str]:
        """Names within a value that are in no schema for it."""
        if isinstance(value, list):
            for item in value:
                for each in self._alternatives(schema):
                    yield from self._strange_names(each.get("items", {}), item)
        if not isinstance(value, dict):
            return
        schemas = self._alternatives(schema)
        properties = {k: v for each in schemas for k, v in each.get("properties", {}).items()}
        if not properties or any(each.get("additionalProperties") for each in schemas):
            return
        for name, inner in value.items():
            if name not in properties:
                yield name
            else:
                yield from self._strange_names(properties[name], inner)

    def _alternatives(self, schema: dict[str, Any]) -> list[dict[str, Any]]:
        """A schema and all that it is put together from."""
        schema = self._resolved(schema)
        parts = [each for word in ("allOf", "oneOf", "anyOf") for each in schema.get(word, ())]
        return [schema, *(each for part in parts for each in self._alternatives(part))]

    def _resolved(self, schema: dict[str, Any]) -> dict[str, Any]:
        while "$ref" in schema:
            found: Any = self._description
            for name in schema["$ref"].removeprefix("#/").split("/"):
                found = found[name.replace("~1", "/").replace("~0", "~")]
            schema = found
        return schema

    def _is_false(self, violation: Violation) -> bool:
        words = str(violation)
        return any(words.startswith(begin) for begin, _why in FALSE_ALARMS[self.name])


@dataclass
class Checked(httpx.AsyncBaseTransport):
    """A transport that holds everything it carries against a description.

    Attributes:
        below: the path that stands for the provider's host ("/resend" unless told); requests to
            other paths pass unchecked, so that transports for several providers can be nested.
        violations: what was wrong, in order.
        checked: how many requests were held against it.
        cut: how many successes were no whole JSON, as the world's faults make them.
    """

    transport: httpx.AsyncBaseTransport
    official: Official
    below: str = ""
    violations: list[Violation] = field(default_factory=list)
    checked: int = 0
    cut: int = 0

    def __post_init__(self) -> None:
        self.below = self.below or f"/{self.official.name}"

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await request.aread()
        response = await self.transport.handle_async_request(request)
        content = await response.aread()
        await response.aclose()
        again = httpx.Response(
            response.status_code,
            headers=[
                pair for pair in response.headers.multi_items() if pair[0] != "content-encoding"
            ],
            content=content,
            extensions=response.extensions,
        )
        if request.url.path.startswith(f"{self.below}/"):
            self.checked += 1
            whole = self._is_whole(again)
            self.violations += self.official.check(
                request, again if whole else None, below=self.below
            )
        return again

    async def aclose(self) -> None:
        """Close what carries the requests."""
        await self.transport.aclose()

    def assert_clean(self) -> None:
        """See that something was checked, and nothing was wrong with it."""
        assert self.checked, f"no request went to {self.below}"
        said = Counter(map(str, self.violations))
        assert not said, "\n".join(f"{count}x {words}" for words, count in said.most_common(20))

    def _is_whole(self, response: httpx.Response) -> bool:
        if response.status_code >= 300 or "json" not in response.headers.get("content-type", ""):
            return True
        try:
            json.loads(response.content)
        except ValueError:
            self.cut += 1
            return False
        return True


class _Asked:
    """A request, as openapi-core wants it."""

    def __init__(self, request: httpx.Request, path: str) -> None:
        self.host_url = _HOST
        self.path = path
        self.method = request.method.lower()
        self.body = request.content
        self.content_type = request.headers.get("content-type", "")
        self.parameters = RequestParameters(
            query=ImmutableMultiDict(request.url.params.multi_items()),
            header=Headers(request.headers.multi_items()),
        )

    def names(self) -> Any:
        """The body: what JSON says, or a form's fields without their values."""
        if self.content_type.startswith("application/json"):
            return json.loads(self.body)
        if self.content_type.startswith("application/x-www-form-urlencoded"):
            return dict(parse_qsl(self.body.decode(), keep_blank_values=True))
        parts = self.body.split(b'form-data; name="')[1:]
        return {part.partition(b'"')[0].decode(): "" for part in parts}


class _Answered:
    """A response, as openapi-core wants it."""

    def __init__(self, response: httpx.Response) -> None:
        self.status_code = response.status_code
        self.headers = Headers(response.headers.multi_items())
        self.content_type = response.headers.get("content-type", "application/json")
        self.data = response.content


def _words(errors: Iterable[BaseException]) -> Iterator[str]:
    """What went wrong, with what lies beneath it."""
    with warnings.catch_warnings():
        # What a description calls deprecated is still described.
        warnings.simplefilter("ignore")
        for error in errors:
            schema_errors: list[Any] = []
            beneath: BaseException | None = error
            while beneath is not None:
                schema_errors += getattr(beneath, "schema_errors", ())
                beneath = beneath.__cause__
            said = [str(error)] if not schema_errors or "parameter" in str(error) else []
            said += [f"{each.json_path}: {each.message}" for each in schema_errors]
            yield " | ".join(" ".join(each.split())[:400] for each in said)


@cache
def _read(name: str, path: Path) -> Official:
    text = path.read_text(encoding="utf-8")
    description = json.loads(text) if path.suffix == ".json" else yaml.load(text, _Loader)
    if description["openapi"].startswith("3.1"):
        _make_nullable(description)
    description["servers"] = [{"url": _HOST}]
    for path_item in description["paths"].values():
        path_item.pop("servers", None)
        for operation in path_item.values():
            if isinstance(operation, dict) and "responses" in operation:
                answers = operation["responses"]
                operation["responses"] = {str(status): each for status, each in answers.items()}
    return Official(name, description)


def _make_nullable(part: Any) -> None:
    """Say `nullable`, which OpenAPI 3.1 does not know any more, as 3.1 says it."""
    for each in part.values() if isinstance(part, dict) else part:
        if isinstance(each, dict | list):
            _make_nullable(each)
    if (
        isinstance(part, dict)
        and part.get("nullable") is True
        and isinstance(part.get("type"), str)
    ):
        part["type"] = [part["type"], "null"]
        if "enum" in part:
            part["enum"] = [*part["enum"], None]


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """YAML without dates: some of Brevo's examples are none."""


_Loader.yaml_implicit_resolvers = {
    letter: [each for each in resolvers if each[0] != "tag:yaml.org,2002:timestamp"]
    for letter, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
