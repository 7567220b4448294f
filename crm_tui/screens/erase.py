"""Erasing a lead for good: what goes, and a word to type before it does."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING

from textual.content import Content

from crm_tui.errors import BadInput
from crm_tui.text import plural, visible
from crm_tui.widgets.facts import styled
from crm_tui.widgets.forms import Form, LineField
from crm_tui.widgets.look import Role

if TYPE_CHECKING:
    from crm_tui.services.erase import Erasure, Extent

WORD = "erase"
"""What has to be typed."""


def erase_form(found: Extent, erase: Callable[[], Awaitable[None]]) -> Form:
    """What goes, and the line for the word; `erase` is called once it stands there."""

    async def save(values: Mapping[str, str]) -> None:
        if values["word"].strip().lower() != WORD:
            raise BadInput(f"Type the word {WORD} to do it, or leave with esc.")
        await erase()

    return Form(
        f"Erase {visible(found.name, 50)}",
        [LineField("word", f"Type {WORD}", "")],
        save=save,
        verb="Erase for good",
        about=_about(found),
    )


def _about(found: Extent) -> Content:
    parts = [
        styled(
            "This cannot be undone. Nothing that tells who it is stays, and no import brings it "
            "back; it still counts in figures.",
            Role.BAD,
        )
    ]
    if words := found.words():
        parts.append(styled("With it go ", Role.QUIET) + styled(", ".join(words)) + styled("."))
    if found.invoices:
        parts.append(styled(found.invoices, Role.ATTENTION))
    if found.backups:
        names = ", ".join(found.backups[-3:])
        more = len(found.backups) - 3
        also = f" and {more} more" if more > 0 else ""
        parts.append(
            styled(
                f"{plural(len(found.backups), 'backup')} made before will still hold it: ",
                Role.ATTENTION,
            )
            + styled(f"{names}{also}.")
        )
    if found.mentioned:
        leads = ", ".join(str(lead) for lead in found.mentioned[:5])
        parts.append(styled(f"Notes of other leads that mention it stay: lead {leads}."))
    return Content("\n").join(parts)


def erased_words(erased: Erasure) -> str:
    """What an erasure came to, in a sentence or two."""
    words = "Erased for good."
    if erased.backups:
        held = plural(len(erased.backups), "backup")
        words += f" {held} made before still {'holds' if len(erased.backups) == 1 else 'hold'} it."
    return " ".join([words, *erased.problems])
