"""Leads by a few letters of their name, as one types them."""

from __future__ import annotations

import re

from crm_tui.db.engine import ReadSession
from crm_tui.services.lead_query import LeadQuery
from crm_tui.services.lead_rows import LeadRow, first_rows
from crm_tui.text import fold

_LOOKED_AT = 50
_MOST_WORDS = 8
_WORD = re.compile(r"[^\W_]+")


async def leads_named(session: ReadSession, typed: str, *, limit: int) -> list[LeadRow]:
    """The leads that have all the words, or beginnings of words; by their name before others.

    Nothing in what is typed is read as the filter language. Nothing typed finds nothing.
    """
    words = _WORD.findall(fold(typed))[:_MOST_WORDS]
    if not words:
        return []
    query = LeadQuery(" ".join('"or"' if word == "or" else word for word in words))
    found = await first_rows(session, query, limit=_LOOKED_AT)
    return sorted(found, key=lambda row: not _is_called(row.name, words))[:limit]


def _is_called(name: str, words: list[str]) -> bool:
    """Whether each of the words begins one of the name's."""
    own = _WORD.findall(fold(name))
    return all(any(each.startswith(word) for each in own) for word in words)
