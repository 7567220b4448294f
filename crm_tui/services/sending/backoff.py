"""When to try again, and when to stop trying.

Delays are full jitter (anything up to a top that grows, so that many who failed together do not
come back together), capped, and made from the message's key and the attempt: asked twice, the
answer is the same. A breaker and the rule of a campaign's bounces are plain values too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from hashlib import sha256

_NONE = timedelta()
_MOST = timedelta(days=1)
"""What a provider may ask us to wait; a date in the next century is a mistake."""


@dataclass(frozen=True, slots=True)
class Backoff:
    """How something that failed for now is tried again.

    The first wait is up to `first`, each further one up to `factor` times the one before; never
    less than `least`, never more than `cap`. After `attempts` it is given up.
    """

    first: timedelta
    cap: timedelta
    attempts: int
    factor: int = 4
    least: timedelta = _NONE

    def gives_up(self, attempt: int) -> bool:
        """Whether this many attempts were the last."""
        return attempt >= self.attempts

    def delay(self, attempt: int, key: str, *, asked: timedelta | None = None) -> timedelta:
        """How long to wait after this attempt (the first is 1) failed.

        Args:
            attempt: How many were made.
            key: What is tried; the same key and attempt wait equally long.
            asked: What the provider asked for, which is waited at least.
        """
        growth: int = self.factor ** min(max(attempt, 1) - 1, 12)  # enough for any cap
        top = max(min(self.first * growth, self.cap), self.least)
        wait = self.least + (top - self.least) * _share(f"{key}:{attempt}")
        return max(wait, min(asked, _MOST)) if asked else wait


MESSAGE = Backoff(
    first=timedelta(minutes=10),
    cap=timedelta(hours=8),
    attempts=5,
    least=timedelta(minutes=1),
)
"""A message a server did not take for now: about 5, 20, 80 and 240 minutes. Servers that greylist
take nothing in the first minute, and most things after five (RFC 6647)."""

REQUEST = Backoff(first=timedelta(seconds=1), cap=timedelta(minutes=5), attempts=6, factor=2)
"""Reading from a provider, which harms nobody when it is done twice."""


def _share(key: str) -> float:
    return int.from_bytes(sha256(key.encode()).digest()[:6], "big") / 2**48


# Circuit breaker ---------------------------------------------------------------------------------


class Circuit(StrEnum):
    """Whether a provider is used: as always, not now, or once to see whether it works again."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


@dataclass(frozen=True, slots=True)
class Breaker:
    """The failures of a provider in a row, and until when it is left alone.

    Only what is the provider's counts: no connection, a refused login, a service that is not
    available. A recipient it refuses is a success of the provider. What waits for a closed circuit
    was not tried: it uses up no attempt.
    """

    failures: int = 0
    until: datetime | None = None

    def state(self, now: datetime) -> Circuit:
        """Whether the provider is used now.

        Nothing is left alone for longer than a day: an end beyond that was set by a wrong clock.
        """
        if self.until is None:
            return Circuit.CLOSED
        return Circuit.OPEN if now < self.until <= now + _MOST else Circuit.HALF_OPEN

    def wait(self, now: datetime) -> timedelta:
        """How long the provider is left alone still."""
        return max(self.until - now, _NONE) if self.until else _NONE


_FAILURES = 5
_PAUSE = Backoff(
    first=timedelta(minutes=1),
    cap=timedelta(minutes=30),
    attempts=0,
    factor=2,
    least=timedelta(seconds=30),
)
_TRIAL = timedelta(minutes=2)
"""How long one trial may take before another is made: longer than any time-out of ours."""


def trial(breaker: Breaker, now: datetime) -> Breaker:
    """The breaker while one message tries a provider that was left alone.

    It is written before the trial, so that no second one goes with it; should the program die
    over it, the next comes two minutes later.
    """
    return Breaker(breaker.failures, now + _TRIAL)


def failed(breaker: Breaker, now: datetime, *, key: str, asked: timedelta | None = None) -> Breaker:
    """The breaker after the provider failed; the fifth time in a row opens it.

    Each failure after that leaves it alone for longer, up to half an hour.

    Args:
        breaker: What was known of the provider.
        now: The time, aware UTC.
        key: The provider's name.
        asked: What it asked for, which leaves it alone at once.
    """
    failures = breaker.failures + 1
    if failures < _FAILURES and not asked:
        return Breaker(failures)
    pause = _PAUSE.delay(max(failures - _FAILURES, 0) + 1, key, asked=asked)
    return Breaker(failures, now + pause)


def succeeded() -> Breaker:
    """The breaker after the provider did its work: closed, nothing remembered."""
    return Breaker()


# Bounces -----------------------------------------------------------------------------------------

LAST = 50
"""How many of a campaign's last messages are looked at."""
_ENOUGH = 20
_PERCENT = 5


def too_many_bounces(hard: Sequence[bool]) -> str:
    """Why a campaign should pause itself, in words; "" while it should not.

    Above 5 % hard bounces of the last 50 messages whose end is told, once there are 20: mailbox
    providers begin to refuse a sender not far above that.

    Args:
        hard: For each message that went, the newest last, whether it bounced hard.
    """
    last = hard[-LAST:]
    bounced = sum(last)
    if len(last) < _ENOUGH or bounced * 100 <= _PERCENT * len(last):
        return ""
    share = f"{bounced * 100 / len(last):.0f} %"
    return (
        f"{bounced} of the last {len(last)} addresses do not exist ({share}; more than"
        f" {_PERCENT} % harms your own address): look at the list before you go on."
    )
