"""What is asked about a campaign: whether mails are to go, and where its ledger is written to."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

from textual.app import App

from crm_tui.errors import BadInput
from crm_tui.screens.chosen_file import ChosenFile
from crm_tui.screens.dialogs import Confirm
from crm_tui.widgets.facts import styled
from crm_tui.widgets.forms import Form, LineField
from crm_tui.widgets.look import Role

_MANY = 50
"""A send to more leads than these asks to type the number."""


def ask_to_send(
    app: App[Any], number: int, question: str, *, verb: str, then: Callable[[], object]
) -> None:
    """Ask whether mails are to go to so many leads.

    Args:
        app: Asks.
        number: How many leads.
        question: What is about to happen.
        verb: What the button says before the number: "Send to".
        then: Called where the answer is yes.
    """
    verb = f"{verb} {number:,}"
    if number <= _MANY:

        def answered(wanted: bool | None) -> None:  # noqa: FBT001 - Textual's callback
            if wanted:
                then()

        app.push_screen(Confirm(question, verb=verb, careful=True), answered)
        return

    async def typed(values: Mapping[str, str]) -> None:
        if values["number"].replace(",", "").strip() != str(number):
            raise BadInput(f"That is not the number of leads; type {number} to send to them.")
        then()

    field = LineField("number", "How many", hint=f"type {number} to send to {number:,} leads")
    app.push_screen(Form(verb, [field], save=typed, verb=verb, about=styled(question)))


def ledger_form(name: str, usual: str, save: Callable[[Path], Awaitable[None]]) -> Form:
    """A ledger to be written to a file; one that is there is replaced when that was said twice."""
    file = ChosenFile()

    async def store(values: Mapping[str, str]) -> None:
        await save(await file.path(values["path"], usual))

    return Form(
        f"Export the ledger of {name}",
        [LineField("path", "File", hint=usual)],
        save=store,
        verb="Export",
        about=styled("CSV: every message, its state, its reason and its times.", Role.QUIET),
    )
