"""Picking a tag: one that is there, by a part of its name, or a new one."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from crm_tui.screens.dialogs import Pick, Picker
from crm_tui.text import plural, visible

if TYPE_CHECKING:
    from crm_tui.services.tags import TagCount


def tag_picker(hint: str, there: Iterable[TagCount], *, new: bool = False) -> Picker:
    """Picks the name of a tag.

    Args:
        hint: What the empty line says.
        there: The tags to choose from, and how many leads carry each.
        new: Whether another one can be typed.
    """
    from crm_tui.services.tags import spelled  # not before the first paint

    picks = [Pick(tag.name, visible(tag.name, 40), plural(tag.leads, "lead")) for tag in there]
    return Picker(hint, picks, new="new tag" if new else "", admit=spelled)
