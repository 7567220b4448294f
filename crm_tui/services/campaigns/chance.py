"""What a few numbers can tell: how sure a rate is, and whether two differ by more than chance."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, sqrt
from typing import NamedTuple

LEAST = 30
"""Recipients of each text before anything is said of them."""
LEAST_EXPECTED = 5
"""Of each text so many who did, and who did not, are to be expected if both do alike (Cochran)."""

_Z = 1.959963984540054
"""So many standard deviations to either side hold 95 % of a normal distribution."""

_MORE = {"open": "opens", "click": "clicks", "reply": "answers"}
_NOBODY = {"open": "nobody has opened it", "click": "nobody has clicked", "reply": "no answer"}


class Share(NamedTuple):
    """How many of how many did something."""

    events: int
    of: int


def interval(share: Share) -> tuple[float, float] | None:
    """Where the true rate lies, 95 times of 100: Wilson's score interval; None of nobody.

    From 0 to 1. Wilson, Journal of the American Statistical Association 22 (1927).

    Raises:
        ValueError: more did it than there are, or fewer than none.
    """
    events, of = share
    if not 0 <= events <= of:
        raise ValueError(f"{events} of {of} is no share")
    if not of:
        return None
    rate, square = events / of, _Z * _Z
    middle = rate + square / (2 * of)
    half = _Z * sqrt(rate * (1 - rate) / of + square / (4 * of * of))
    whole = 1 + square / of
    # The bounds of none and of all are exact, but for what floats lose.
    low = 0.0 if not events else (middle - half) / whole
    high = 1.0 if events == of else (middle + half) / whole
    return low, high


def share_words(share: Share) -> str:
    """A share as it is never without: "12 of 80 (9–24%)"."""
    sure = interval(share)
    said = f"{share.events:,} of {share.of:,}"
    return said if sure is None else f"{said} ({_percent(*sure)})"


def _percent(low: float, high: float) -> str:
    return f"{100 * low:.0f}–{100 * high:.0f}%"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What can be said of two texts.

    Attributes:
        rate: by which rate they were compared: "open", "click" or "reply".
        sentence: what can be said, for people.
        enough: whether there is enough to say anything.
        winner: "a" or "b" where one does better by more than chance; else None.
    """

    rate: str
    sentence: str
    enough: bool = False
    winner: str | None = None


def verdict(rate: str, a: Share, b: Share) -> Verdict:
    """Which of two texts does better, if that can be said.

    Nothing is said before each text has `LEAST` recipients and, if both did alike, `LEAST_EXPECTED`
    of each would have done it and as many not. From then on a two-sided test of two proportions,
    with their common rate, has to come out at 95 %.
    """
    missing = _missing(a, b)
    if missing is None:
        return Verdict(rate, f"Not enough data yet: {_NOBODY[rate]} so far.")
    if missing:
        sentence = f"Not enough data yet: about {missing:,} more recipients needed."
        return Verdict(rate, sentence)
    if not _differ(a, b):
        told = f"A {share_words(a)}, B {share_words(b)}"
        sentence = f"No difference in {_MORE[rate]} that could not be chance: {told}."
        return Verdict(rate, sentence, enough=True)
    better, winner, worse = ("B", b, a) if b.events * a.of > a.events * b.of else ("A", a, b)
    told = f"{share_words(winner)} against {share_words(worse)}"
    sentence = f"{better} gets more {_MORE[rate]}: {told}."
    return Verdict(rate, sentence, enough=True, winner=better.lower())


def _missing(a: Share, b: Share) -> int | None:
    """How many more recipients it takes, about; None where nobody did it and that cannot be told."""
    did, of = a.events + b.events, a.of + b.of
    if min(a.of, b.of) >= LEAST and not did:
        return None
    rarer = min(did, of - did)
    least = max(LEAST, ceil(LEAST_EXPECTED * of / rarer)) if rarer else LEAST
    return sum(max(least - each.of, 0) for each in (a, b))


def _differ(a: Share, b: Share) -> bool:
    common = (a.events + b.events) / (a.of + b.of)
    spread = sqrt(common * (1 - common) * (1 / a.of + 1 / b.of))
    return spread > 0 and abs(a.events / a.of - b.events / b.of) / spread > _Z
