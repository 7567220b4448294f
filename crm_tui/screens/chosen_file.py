"""The file a form asks for; one that is there is replaced when that was said twice."""

from __future__ import annotations

import asyncio
from pathlib import Path

from crm_tui.errors import BadInput
from crm_tui.text import visible


class ChosenFile:
    """Where a form writes, in the folder the app was started in; its field is called "path"."""

    def __init__(self) -> None:
        self._agreed: Path | None = None

    async def path(self, typed: str, usual: str) -> Path:
        """The file that was typed, or the usual one where none was.

        Raises:
            BadInput: it is there already, and that was not said before.
        """
        path = _absolute(typed.strip() or usual)
        if path != self._agreed and await asyncio.to_thread(path.exists):
            self._agreed = path
            words = f"{visible(path.name, 60)} is there already. enter again replaces it."
            raise BadInput(words, at="path")
        return path


def _absolute(name: str) -> Path:
    return Path(name).expanduser().absolute()
