"""What could be meant by what is being typed: fields, and the values there are of them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NamedTuple

from crm_tui.db.engine import ReadSession
from crm_tui.services.filters import dates, fields, known_values
from crm_tui.services.filters.fields import CUSTOM, FIELDS, Field, Kind
from crm_tui.services.filters.parse import FIELD
from crm_tui.services.filters.render import name, value
from crm_tui.text import fold

_AGES = ("1d", "7d", "2w", "30d", "3m", "1y")
_AFTER = {Kind.NUMBER: ">=", Kind.TIME: "<"}
"""What follows the name of a field most often; a colon otherwise."""

_BETWEEN = re.compile(r"(?:[\s()]|-(?=\S|\Z))*")
_WORD = re.compile(r'[^\s()"]*')
_PHRASE = re.compile(r'"((?:[^"\\]|\\.)*)"\*?', re.DOTALL)
_BARE = re.compile(r'[^\s,()"]*')


class Candidate(NamedTuple):
    """One thing that could be meant.

    Attributes:
        insert: what takes the place of what was typed.
        shown: what a list of candidates shows of it; outside text.
        leads: how many leads have the value, archived ones aside; None where that is not counted.
        hint: what a field is, in a few words; else ''.
    """

    insert: str
    shown: str
    leads: int | None = None
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Completion:
    """What could stand in the place of `text[start:end]`, the likeliest first."""

    start: int
    end: int
    candidates: tuple[Candidate, ...]


class Place(NamedTuple):
    """What is being typed at the cursor: the value of a field, or (None) a word or a field."""

    start: int
    typed: str
    field: Field | None = None
    operator: str = ""


async def complete(session: ReadSession, text: str, cursor: int, *, limit: int = 12) -> Completion:
    """What could be meant at the cursor of a query that is being typed.

    Never an error: where the text cannot be read, there are no candidates. At a million leads it
    takes up to 0.2 s, for outcomes, sources and tags 0.6 s; cancelling the task stops it.

    Args:
        session: the store.
        text: the whole line.
        cursor: before which character of it the cursor stands, from 0.
        limit: at most so many candidates.
    """
    place = place_at(text[:cursor])
    if place is None:
        return Completion(cursor, cursor, ())
    rest = _BARE.match(text, cursor)
    assert rest is not None
    if place.field is None:
        found = await _names(session, place.typed)
    else:
        found = await _values(session, place.field, place.operator, place.typed, limit)
    return Completion(place.start, rest.end(), tuple(found[:limit]))


def place_at(typed: str) -> Place | None:
    """What is being typed at the end of a text; None in a phrase, where anything may follow."""
    at = 0
    while True:
        between = _BETWEEN.match(typed, at)
        assert between is not None
        at = between.end()
        if found := FIELD.match(typed, at):
            at = found.end()
            while True:
                ended = _end_of_value(typed, at)
                if ended is None:
                    return _in_value(found, typed, at)
                if typed[ended] != ",":
                    at = ended
                    break
                at = ended + 1
        elif typed.startswith('"', at):
            phrase = _PHRASE.match(typed, at)
            if phrase is None or phrase.end() == len(typed):
                return None
            at = phrase.end()
        else:
            word = _WORD.match(typed, at)
            assert word is not None
            if word.end() == len(typed):
                return Place(at, word[0])
            at = word.end()


def _end_of_value(typed: str, at: int) -> int | None:
    """Where the value that begins here has ended; None where it is still being typed."""
    at += typed.startswith("~", at)
    found = (_PHRASE if typed.startswith('"', at) else _BARE).match(typed, at)
    return None if found is None or found.end() == len(typed) else found.end()


def _in_value(found: re.Match[str], typed: str, at: int) -> Place | None:
    field = fields.field(found["name"])
    if field is None:
        return None
    text = typed[at:].removeprefix("~").removeprefix('"').removesuffix('"')
    return Place(at, text, field, found["operator"])


async def _names(session: ReadSession, typed: str) -> list[Candidate]:
    key = typed.lower()
    known = [
        Candidate(field.name + _AFTER.get(field.kind, ":"), field.name, hint=field.hint)
        for field in FIELDS.values()
    ]
    if key and (CUSTOM.startswith(key) or key.startswith(CUSTOM)):
        known += [
            Candidate(f"{name(CUSTOM + own)}:", f"{CUSTOM}{own}", hint="your own")
            for own in await known_values.own_names(session)
        ]
    return [candidate for candidate in known if candidate.shown.lower().startswith(key)]


async def _values(
    session: ReadSession, field: Field, operator: str, typed: str, limit: int
) -> list[Candidate]:
    key = fold(typed)
    lists = operator in {":", "="}
    if field.kind is Kind.WORDS and lists:
        counts = await known_values.words(session, field.name)
        known = [
            Candidate(word, word, counts.get(word, 0 if counts else None)) for word in field.words
        ]
    elif field.kind is Kind.TIME:
        known = [
            Candidate(word, word)
            for word in ((*field.words, *dates.WORDS) if lists else (*_AGES, *dates.WORDS))
        ]
    elif field.kind is Kind.TEXT and lists:
        return [
            Candidate(value(text, of=field.name), text, count)
            for text, count in await known_values.texts(session, field.name, typed, limit=limit)
        ]
    else:
        return []
    begins = [candidate for candidate in known if candidate.shown.startswith(key)]
    return begins + [c for c in known if key in c.shown and c not in begins]
