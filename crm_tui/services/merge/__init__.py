"""Merging leads that are one business, and splitting them again.

    async with undo.action(db, "merged Tavella into Woodhaven Plumbing", now=now) as session:
        await merge.merge(session, keep_id, [other_id], score=settings.score, now=now)

    result = await merge.split(db, other_id, settings=settings, now=now)

See docs/decisions/0017 for what is united how, and why a split takes later merges apart as well.
"""

from crm_tui.services.merge.choosing import Side, lead_sides, names, words_of_merge
from crm_tui.services.merge.fields import FIELDS, Choices
from crm_tui.services.merge.merging import merge
from crm_tui.services.merge.splitting import Split, split

__all__ = [
    "FIELDS",
    "Choices",
    "Side",
    "Split",
    "lead_sides",
    "merge",
    "names",
    "split",
    "words_of_merge",
]
