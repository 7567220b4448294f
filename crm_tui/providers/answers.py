"""What a provider's API answered: its JSON, its clock, and how long it wants to be left alone."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from crm_tui.providers.base import Unavailable

CUT_OFF = "the answer was no JSON, or only a part of it"

_LONGEST_WAIT = 31 * 24 * 3600.0
"""Seconds a provider may ask for; a month is what a quota takes to come back."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a provider answered."""

    status: int
    headers: Mapping[str, str]
    """By their names in lower case."""
    content: bytes

    @property
    def ok(self) -> bool:
        """Whether it is a success."""
        return 200 <= self.status < 300

    @property
    def text(self) -> str:
        """The body as text."""
        return self.content.decode("utf-8", "replace")

    def json(self) -> Any:
        """The body as JSON, such as can be kept: no halves of characters, no infinite numbers.

        Raises:
            Unavailable: it was cut off on its way, or is none.
        """
        try:
            found = json.loads(self.content, parse_constant=_no_number, parse_float=_float)
            if rb"\ud" in self.content.lower():
                whole = json.dumps(found, ensure_ascii=False).encode("utf-8", "replace")
                found = json.loads(whole)
        except (ValueError, RecursionError):
            raise Unavailable(CUT_OFF) from None
        return found

    @property
    def is_cut_off(self) -> bool:
        """Whether it is a success that says it is JSON and is not, or only a part of it."""
        if not self.ok or "json" not in self.headers.get("content-type", ""):
            return False
        try:
            self.json()
        except Unavailable:
            return True
        return False

    def object(self) -> dict[str, Any]:
        """The body as a JSON object.

        Raises:
            Unavailable: it is none.
        """
        found = self.json()
        if not isinstance(found, dict):
            raise Unavailable("the answer was no JSON object")
        return found

    @property
    def server_time(self) -> datetime | None:
        """What the provider's clock says, aware UTC."""
        return read_http_date(self.headers.get("date", ""))

    def retry_after(self, now: datetime | None = None) -> float | None:
        """Seconds to wait, by Retry-After in either of its forms; None where it does not say.

        Args:
            now: what a date is counted from; the answer's own clock, where it has one.
        """
        value = self.headers.get("retry-after", "").strip()
        if re.fullmatch(r"[0-9]+(\.[0-9]+)?", value):
            return min(float(value), _LONGEST_WAIT)
        at = read_http_date(value)
        since = self.server_time or now or datetime.now(UTC)
        if at is None:
            return None
        return min(max((at - since).total_seconds(), 0.0), _LONGEST_WAIT)


def _no_number(_name: str) -> None:
    """NaN and the infinities, which are no JSON and cannot be kept as such."""


def _float(written: str) -> float | None:
    found = float(written)
    return found if math.isfinite(found) else None


def read_http_date(value: str) -> datetime | None:
    """A date of a header (RFC 9110), aware UTC; None where it is none."""
    try:
        at = parsedate_to_datetime(value)
        return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
