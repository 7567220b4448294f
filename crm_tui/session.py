"""What the app keeps for its next start: the places one was at, and text that was not saved.

A session is one small JSON file beside the store, `<store>.session.json`, which only its owner can
read. It is a convenience: where it cannot be used, the app starts afresh and says so. It is read
before the first paint, so everything here is synchronous and small.

    session = Session.load(store_path)
    session.theme = "light"
    session.save()
"""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Annotated

import msgspec

from crm_tui.errors import UserError
from crm_tui.text import visible

MOST_SELECTED = 20_000
"""Ids of a selection that are kept; a longer one is let go, and its length kept to say so."""

MOST_DRAFTS = 20
"""Unsaved texts that are kept; the oldest give way."""

_MOST_BYTES = 4_000_000

Id = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
"""The id of a row: what the store and the list's array of ids can hold."""


class Selected(msgspec.Struct, frozen=True, omit_defaults=True):
    """What was selected in a list.

    Attributes:
        ids: The rows; with `all_but`, the rows that are not selected.
        all_but: Whether everything but `ids` is selected.
        lost: How many were selected where that were too many to keep; 0 otherwise.
    """

    ids: tuple[Id, ...] = ()
    all_but: bool = False
    lost: int = 0

    @classmethod
    def of(cls, ids: Sequence[int], *, all_but: bool = False) -> Selected:
        """The selection of these ids, or of all but them, as far as it can be kept."""
        if len(ids) > MOST_SELECTED:
            return cls(lost=len(ids))
        return cls(tuple(ids), all_but)


class Place(msgspec.Struct, omit_defaults=True):
    """Where one was on a screen; every screen keeps what it has.

    Attributes:
        view: The name of the saved view the list shows, "" for none.
        filter: The filter line as typed.
        sort: The column sorted by, as --sort takes it ("score", "-score"); "" for the usual order.
        columns: The chosen columns in their order, each with its width; 0 for its own width.
        usual: The columns chosen for lists that are no view with columns of its own.
        cursor: The id under the cursor; on the page of one lead, that lead.
        above: How many rows of the window stood above the cursor.
        selected: What was selected.
        opened: The row whose page was open above the list.
        pane: Whether the detail pane was shown.
        period: The time the figures are of, as it was chosen ("30d", "2026-10"); "" for all of it.
    """

    view: str = ""
    filter: str = ""
    sort: str = ""
    columns: dict[str, int] = {}
    usual: dict[str, int] = {}
    cursor: Id | None = None
    above: int = 0
    selected: Selected = Selected()
    opened: Id | None = None
    pane: bool = False
    period: str = ""


class Draft(msgspec.Struct, frozen=True):
    """Text that was typed into a form and not saved.

    Attributes:
        action: The id of the action that opens the form ("business.note").
        lead: The lead it is about.
        title: What the form was called ("Note about Woodhaven Plumbing").
        values: What stood in its fields, by their names.
        at: When it was kept, aware UTC.
    """

    action: str
    lead: Id
    title: str
    values: dict[str, str]
    at: Annotated[datetime, msgspec.Meta(tz=True)]

    @property
    def key(self) -> str:
        """What tells it from other drafts: one for each action and lead."""
        return draft_key(self.action, self.lead)

    def words(self, limit: int) -> str:
        """The longest of its texts, which is the one to know it by, as one line."""
        return visible(" ".join(max(self.values.values(), key=len, default="").split()), limit)


def draft_key(action: str, lead: int) -> str:
    """The key of what is typed for this action on this lead."""
    return f"{action}:{lead}"


class _Content(msgspec.Struct, omit_defaults=True):
    """The file."""

    theme: str = ""
    area: str = ""
    places: dict[str, Place] = {}
    drafts: list[Draft] = []


@dataclass(slots=True)
class Session:
    """What is kept, and where.

    Attributes:
        path: The file; None where nothing is to be kept (a store that is thrown away).
        theme: The name of the chosen theme, "" for the one of the settings.
        area: The area in front ("leads"), "" for the first one.
        places: Where one was, by area.
        drafts: Unsaved texts by their key, the oldest first.
        trouble: Why the file could not be used, as a sentence; "" when it could.
    """

    path: Path | None = None
    theme: str = ""
    area: str = ""
    places: dict[str, Place] = field(default_factory=dict)
    drafts: dict[str, Draft] = field(default_factory=dict)
    trouble: str = ""
    _settled: set[str] = field(default_factory=set)

    @classmethod
    def load(cls, store: Path) -> Session:
        """The session of a store; an empty one where there is none, or none that can be used.

        A file that cannot be used is kept aside as `….session.json.bad`, and `trouble` says so.
        """
        path = session_path(store)
        try:
            content = _read(path)
        except FileNotFoundError:
            return cls(path)
        except (OSError, ValueError) as error:
            return cls(path, trouble=_set_aside(path, error))
        drafts = {draft.key: draft for draft in content.drafts}
        return cls(path, content.theme, content.area, content.places, drafts)

    def save(self) -> None:
        """Write the file in one step: whoever reads it finds the old one or the new one.

        Where two apps share a store, the one that ends last decides about places; the drafts of
        both are kept.

        Raises:
            UserError: It cannot be written.
        """
        if self.path is None:
            return
        drafts = {**self._drafts_of_others(), **self.drafts}
        latest = sorted(drafts.values(), key=lambda draft: draft.at)[-MOST_DRAFTS:]
        content = _Content(self.theme, self.area, self.places, latest)
        fresh = self.path.with_name(f"{self.path.name}.{os.getpid()}")
        try:
            fresh.unlink(missing_ok=True)
            handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(handle, "wb") as file:
                file.write(msgspec.json.encode(content))
            fresh.replace(self.path)
        except OSError as error:
            with suppress(OSError):
                fresh.unlink(missing_ok=True)
            raise UserError(
                f"Where you were could not be kept in {self.path}: {error.strerror}."
            ) from None

    def keep(self, draft: Draft) -> None:
        """Keep an unsaved text, in place of an older one of the same action and lead."""
        self.drafts.pop(draft.key, None)
        self.drafts[draft.key] = draft
        self._settled.discard(draft.key)

    def settle(self, key: str) -> Draft | None:
        """Let an unsaved text go, because it was taken up again or is not wanted; what it was."""
        self._settled.add(key)
        return self.drafts.pop(key, None)

    def forget(self, lead: int) -> None:
        """Let go of everything that is kept about a lead."""
        for key in [key for key, draft in self.drafts.items() if draft.lead == lead]:
            self.settle(key)

    def _drafts_of_others(self) -> dict[str, Draft]:
        """What another app on the same store has kept since this one began."""
        if self.path is None:
            return {}
        try:
            there = _read(self.path).drafts
        except (OSError, ValueError):
            return {}
        return {draft.key: draft for draft in there if draft.key not in self._settled}


def session_path(store: Path) -> Path:
    """The file that belongs to a store."""
    return store.with_name(f"{store.name}.session.json")


def _read(path: Path) -> _Content:
    # Opening a pipe would wait for somebody to write into it.
    found = path.stat()
    if not stat.S_ISREG(found.st_mode) or found.st_size > _MOST_BYTES:
        raise ValueError("this is no session")
    return msgspec.json.decode(path.read_bytes(), type=_Content)


def _set_aside(path: Path, error: OSError | ValueError) -> str:
    reason = error.strerror if isinstance(error, OSError) else "it cannot be understood"
    words = f"Where you were is not known any more: {path.name} could not be read ({reason})."
    try:
        path.replace(path.with_name(f"{path.name}.bad"))
    except OSError:
        return words
    return f"{words} It is kept as {path.name}.bad."
