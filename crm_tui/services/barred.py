"""Why addresses and numbers of a lead must not be used: they, or their domain, are suppressed."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import select

from crm_tui.db.engine import ReadSession
from crm_tui.db.models import Suppression
from crm_tui.db.types import listed
from crm_tui.vocabulary import SuppressionKind


def parents(host: str) -> list[str]:
    """A domain and those above it: "a.b.com", "b.com", "com"."""
    labels = host.split(".")
    return [".".join(labels[at:]) for at in range(len(labels))]


async def why_barred(session: ReadSession, values: Collection[str]) -> dict[str, str]:
    """The reasons for those of some addresses and numbers that are barred, by the value."""
    hosts = {each: parents(each.rpartition("@")[2]) for each in values if "@" in each}
    asked = set(values).union(*hosts.values())
    if not asked:
        return {}
    rows = await session.execute(
        select(Suppression.value, Suppression.reason).where(
            Suppression.value.in_(listed(asked)), Suppression.kind != SuppressionKind.BUSINESS
        )
    )
    known = {row.value: row.reason for row in rows}
    found: dict[str, str] = {}
    for value in values:
        for each in (value, *hosts.get(value, ())):
            if each in known:
                found.setdefault(value, known[each])
    return found
