"""The registry as one operator has it: the actions with the keys that are in force."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from crm_tui.actions import Action, action, actions_in


@dataclass(frozen=True, slots=True)
class Keymap:
    """The keys that are in force: the registry's, where the operator has not chosen others.

    Attributes:
        chosen: Keys by the id of their action.
    """

    chosen: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def action(self, action_id: str) -> Action:
        """The action of this id, with its keys."""
        return self._with_keys(action(action_id))

    def actions_in(self, *areas: str) -> Sequence[Action]:
        """The actions of these areas with their keys, area by area."""
        return [self._with_keys(each) for each in actions_in(*areas)]

    def _with_keys(self, of: Action) -> Action:
        keys = self.chosen.get(of.id)
        return of if keys is None else replace(of, keys=keys)


DEFAULT_KEYMAP = Keymap()
"""The keys of the registry."""
