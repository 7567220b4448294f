"""How good a lead is: 0-100, from factors the operator weighs, each with its reason."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from operator import mul

import msgspec

from crm_tui.config import ScoreSettings
from crm_tui.text import fold, plural

# Trades whose customers search for them nearby, and who sell more with a site of their own.
FITTING = (
    "plumb", "hvac", "heating", "cooling", "air condition", "electric", "roof", "locksmith",
    "carpent", "paint", "tile", "floor", "mason", "contractor", "builder", "remodel", "handyman",
    "landscap", "garden", "lawn", "tree", "pest", "clean", "moving", "mover", "garage", "auto",
    "car ", "mechanic", "tire", "tyre", "tow", "salon", "hair", "barber", "beauty", "nail", "spa",
    "massage", "tattoo", "gym", "fitness", "yoga", "restaurant", "cafe", "coffee", "bar", "bakery",
    "pizz", "taver", "grill", "cater", "florist", "photograph", "vet", "pet", "dog", "dent",
    "physio", "chiropr", "lawyer", "attorney", "law ", "account", "tax", "insur", "estate",
    "tutor", "school of", "driving", "daycare", "sewer", "drain", "septic", "water", "repair",
)  # fmt: skip

MANY_REVIEWS = 100
_LOG_OF_MANY = math.log1p(MANY_REVIEWS)
ENOUGH_PHOTOS = 10
FRESH = timedelta(days=30)
STALE = timedelta(days=180)


class ScoreFacts(msgspec.Struct, frozen=True, gc=False):
    """What the score is made from. `website` is an address of its own; `rating` is 0-5."""

    website: str | None
    rating: float | None
    review_count: int | None
    photo_count: int | None
    email: str | None
    phone: str | None
    category: str | None
    captured_at: datetime


@dataclass(frozen=True, slots=True)
class Factor:
    """One factor of a score: its name, the points it gave out of `most`, and why."""

    factor: str
    points: float
    most: float
    why: str


@dataclass(frozen=True, slots=True)
class Score:
    """A score of 0-100 and the factors it is the sum of."""

    total: int
    factors: tuple[Factor, ...]


def explain(facts: ScoreFacts, settings: ScoreSettings, *, now: datetime) -> Score:
    """The score with its factors; `total` is `points` of the same facts."""
    shares = _shares(facts, settings, now)
    scale = _scale(settings)
    weights = _weights(settings)
    reasons = _reasons(facts, now)
    factors = tuple(
        Factor(
            factor=name.replace("_", " "),
            points=round(share * weights[name] * scale, 1),
            most=round(weights[name] * scale, 1),
            why=reasons[name],
        )
        for name, share in zip(weights, shares, strict=True)
    )
    return Score(points(facts, settings, now=now), factors)


def points(facts: ScoreFacts, settings: ScoreSettings, *, now: datetime) -> int:
    """The score alone."""
    return scorer(settings, now=now)(facts)


def scorer(settings: ScoreSettings, *, now: datetime) -> Callable[[ScoreFacts], int]:
    """What gives the score alone, for many leads at once."""
    weights, scale = tuple(_weights(settings).values()), _scale(settings)

    def score(facts: ScoreFacts) -> int:
        total: float = sum(map(mul, _shares(facts, settings, now), weights))
        return min(100, max(0, round(total * scale)))

    return score


@lru_cache(maxsize=8)
def _weights(settings: ScoreSettings) -> Mapping[str, float]:
    return msgspec.structs.asdict(settings.weights)


@lru_cache(maxsize=8)
def _scale(settings: ScoreSettings) -> float:
    return 100 / sum(_weights(settings).values())


def _shares(facts: ScoreFacts, settings: ScoreSettings, now: datetime) -> tuple[float, ...]:
    """How much of each factor's weight the facts earn, 0-1, in the order of the weights."""
    return (
        0.0 if facts.website else 1.0,
        max(0.0, ((facts.rating or 0) - 3) / 2),
        min(1.0, math.log1p(facts.review_count or 0) / _LOG_OF_MANY),
        min(1.0, (facts.photo_count or 0) / ENOUGH_PHOTOS),
        1.0 if facts.email else 0.0,
        1.0 if facts.phone else 0.0,
        _fit(facts.category, settings.categories),
        _freshness(facts.captured_at, now),
    )


@lru_cache(maxsize=4096)
def _fit(category: str | None, categories: tuple[str, ...]) -> float:
    if not category:
        return 0.0
    folded = fold(category) + " "
    words = tuple(fold(word) for word in categories) or FITTING
    return 1.0 if any(word in folded for word in words) else 0.3


def _freshness(captured_at: datetime, now: datetime) -> float:
    age = now - captured_at
    if age <= FRESH:
        return 1.0
    return 0.5 if age <= STALE else 0.0


def _reasons(facts: ScoreFacts, now: datetime) -> dict[str, str]:
    days = max(0, (now - facts.captured_at).days)
    return {
        "no_website": "has a website of its own" if facts.website else "has no website of its own",
        "rating": "no rating" if facts.rating is None else f"rated {facts.rating:.1f} of 5",
        "reviews": plural(facts.review_count, "review") if facts.review_count else "no reviews",
        "photos": plural(facts.photo_count, "photo") if facts.photo_count else "no photos known",
        "email": "has an e-mail address" if facts.email else "no e-mail address",
        "phone": "has a phone" if facts.phone else "no phone",
        "category": facts.category or "no category",
        "freshness": f"captured {plural(days, 'day')} ago" if days else "captured today",
    }
