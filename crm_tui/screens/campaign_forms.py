"""The form that asks where the ledger of a campaign is to be written."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

from crm_tui.errors import BadInput
from crm_tui.text import visible
from crm_tui.widgets.facts import styled
from crm_tui.widgets.forms import Form, LineField
from crm_tui.widgets.look import Role


def ledger_form(name: str, usual: str, save: Callable[[Path], Awaitable[None]]) -> Form:
    """A ledger to be written to a file; one that is there is replaced when that was said twice."""
    agreed: Path | None = None

    async def store(values: Mapping[str, str]) -> None:
        nonlocal agreed
        path, is_there = _file(values["path"].strip() or usual)
        if path != agreed and is_there:
            agreed = path
            raise BadInput(f"{visible(path.name, 60)} is there already. enter again replaces it.")
        await save(path)

    return Form(
        f"Export the ledger of {name}",
        [LineField("path", "File", hint=usual)],
        save=store,
        verb="Export",
        about=styled("CSV: every message, its state, its reason and its times.", Role.QUIET),
    )


def _file(typed: str) -> tuple[Path, bool]:
    """The file that was typed, in the folder the app was started in, and whether it is there."""
    path = Path(typed).expanduser().absolute()
    return path, path.exists()
