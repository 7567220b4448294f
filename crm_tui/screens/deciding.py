"""What is decided about two leads that may be the same: merged into one, or said to be two."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Coroutine, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from crm_tui.screens.base import AppScreen
from crm_tui.services import duplicates, merge, undo
from crm_tui.services.duplicates import Suggestion
from crm_tui.text import visible
from crm_tui.widgets.look import Role

if TYPE_CHECKING:
    from crm_tui.db.engine import ReadSession

_NAME = 40


class DecidingScreen(AppScreen):
    """A screen on which pairs of leads are decided; both ways are one action that undo takes back."""

    decided = ""
    """What was decided last on this screen, in a sentence."""

    @abstractmethod
    async def read_pairs(self) -> None:
        """Read and show again what there is to decide."""

    def decide(self, decision: Coroutine[Any, Any, None]) -> None:
        """Write a decision; keys typed ahead wait until what is left to decide is shown."""
        self.in_order(decision, group="write")

    async def merge_pair(self, pair: Suggestion, choices: Mapping[str, int]) -> None:
        """Make one lead of two, and say so."""
        db = await self.host.store()
        now, score = self.host.now(), self.host.settings.score
        async with db.read() as session:
            words = await merge.words_of_merge(session, pair.keep_id, [pair.other_id])
        async with undo.action(db, words, now=now) as session:
            await merge.merge(session, pair.keep_id, [pair.other_id], choices, score=score, now=now)
        await self._say_done(words)

    async def tell_apart(self, pair: Suggestion) -> None:
        """Remember that two leads are not the same, and say so."""
        db = await self.host.store()
        now = self.host.now()
        async with db.read() as session:
            names = await self.names(session, [pair])
        one, other = names[pair.keep_id], names[pair.other_id]
        words = f"said that {one} and {other} are not the same"
        async with undo.action(db, words, now=now) as session:
            await duplicates.say_distinct(session, pair.keep_id, pair.other_id, now=now)
        await self._say_done(words)

    async def names(self, session: ReadSession, pairs: Sequence[Suggestion]) -> dict[int, str]:
        """The names of all leads of these pairs, not too long."""
        ids = [lead for pair in pairs for lead in (pair.keep_id, pair.other_id)]
        found = await merge.names(session, ids)
        return {lead: visible(found.get(lead, f"lead {lead}"), _NAME) for lead in ids}

    async def _say_done(self, words: str) -> None:
        """Say what was done, and let the screens know of it."""
        self.decided = f"{words[:1].upper()}{words[1:]}.{self.way_back()}"
        await self.host.look_for_changes()
        await self.read_pairs()
        self.host.say(self.decided, Role.GOOD)
