"""What the demo says of itself: what there is to look at, and what its recipients do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from crm_tui.actions import key_words
from crm_tui.text import visible

if TYPE_CHECKING:
    from crm_tui.keymap import Keymap
    from crm_tui.services.demo.world import Came

_NAME = 30


def begins(keymap: Keymap) -> str:
    """What to look at first; it fits into a line of a small terminal."""
    campaigns, today, preview = (
        _key(keymap, each)
        for each in ("everywhere.campaigns", "everywhere.today", "business.preview")
    )
    return (
        f"Demo: a campaign runs by itself. {campaigns} shows it, {today} what comes back, "
        f"{preview} a site."
    )


def tells(came: Sequence[Came], keymap: Keymap) -> str:
    """What somebody did, the one who answered before others; "" where nobody did anything."""
    from crm_tui.services.demo.world import Reaction

    today = _key(keymap, "everywhere.today")
    words = {
        Reaction.ANSWERS: f"{{}} answered: {today} shows it.",
        Reaction.OPTS_OUT: "{} wants no more mail and gets none.",
        Reaction.BOUNCES: "the mail to {} came back; no other goes there.",
    }
    for reaction, sentence in words.items():
        for each in came:
            if each.reaction is reaction:
                return "Demo: " + sentence.replace("{}", visible(each.name, _NAME))
    return ""


def _key(keymap: Keymap, action_id: str) -> str:
    keys = keymap.action(action_id).keys
    return key_words(keys[0]) if keys else ":"
