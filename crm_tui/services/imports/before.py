"""What the store holds that matters for some records: looked up for all of them at once."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

from sqlalchemy import func, select, text

from crm_tui.db.engine import ReadSession
from crm_tui.db.models import RawRecord
from crm_tui.services.erased import load_erased
from crm_tui.services.imports.captured import CapturedSite
from crm_tui.services.imports.known import candidates, load
from crm_tui.services.imports.match import Identity, identity
from crm_tui.services.imports.plan import Record
from crm_tui.services.imports.prepare import Prepared
from crm_tui.services.imports.rows import LEGACY, Before

_LAST_IDS = text("SELECT name, seq FROM sqlite_sequence WHERE name IN ('business', 'site')")


def identities(records: Iterable[Record]) -> list[Identity]:
    """What leads to the businesses that records are, or are sites of."""
    found = []
    for record in records:
        if isinstance(record, Prepared):
            found.append(record.identity)
        elif isinstance(record, CapturedSite) and record.owner:
            found.append(identity("", "", None, legacy=(record.owner,)))
    return found


def raw_ids(records: Iterable[Record]) -> list[str]:
    """The ids of records of an old store."""
    found = []
    for record in records:
        if isinstance(record, CapturedSite):
            found.append(record.raw.external_id)
        elif isinstance(record, Prepared) and record.lead.raw is not None:
            found.append(record.lead.raw.external_id)
    return found


async def load_before(session: ReadSession, records: Sequence[Record]) -> Before:
    """Look up what the store holds."""
    prepared = [record for record in records if isinstance(record, Prepared)]
    found = await candidates(session, identities(records))
    history = any(each.has_history for each in prepared)
    last: dict[str, int] = dict((await session.execute(_LAST_IDS)).all())
    return Before(
        known=await load(session, found, history=history),
        raw=await _known_raw(session, raw_ids(records)),
        last_business=last.get("business", 0),
        last_site=last.get("site", 0),
        erased=await load_erased(session),
    )


async def _known_raw(session: ReadSession, external_ids: Sequence[str]) -> set[str]:
    if not external_ids:
        return set()
    asked = func.json_each(json.dumps(external_ids)).table_valued("value")
    return set(
        await session.scalars(
            select(RawRecord.external_id).where(
                RawRecord.source == LEGACY, RawRecord.external_id.in_(select(asked.c.value))
            )
        )
    )


_CHANGES = text("SELECT total_changes(), data_version FROM pragma_data_version")


async def changes(session: ReadSession) -> tuple[int, int]:
    """A mark that differs when anything was written since, by this connection or another.

    Marks of the same connection can be compared, and of no other.
    """
    own, others = (await session.execute(_CHANGES)).one()
    return own, others
