"""Finding the file to import: what is in a folder, and what was imported lately."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy.dialects.sqlite import insert

from crm_tui.db.engine import ReadSession, WriteSession
from crm_tui.db.models import Setting

_LISTS = frozenset({".csv", ".tsv", ".txt", ".json", ".jsonl", ".ndjson", ".db", ".sqlite"})
_RECENT = "recent_imports"
_KEPT = 8
_MOST_ENTRIES = 200


@dataclass(frozen=True, slots=True)
class Entry:
    """A folder, or a file that may be a list; size in bytes."""

    path: Path
    is_folder: bool
    size: int = 0


def folder_of(typed: str, *, start: Path) -> tuple[Path, str]:
    """The folder that what was typed lies in, and the beginning of a name in it."""
    expanded = os.path.expanduser(typed)  # noqa: PTH111 - Path drops a slash at the end
    head, tail = os.path.split(expanded)
    return start / head, tail


def entries(typed: str, *, start: Path) -> list[Entry]:
    """Folders and lists that complete what was typed, folders first; reads the disk.

    Hidden ones are listed once a dot is typed. A folder that cannot be read has none.
    """
    folder, beginning = folder_of(typed, start=start)
    found: list[Entry] = []
    try:
        with os.scandir(folder) as listed:
            for each in listed:
                name = each.name.casefold()
                hidden = name.startswith(".") and not beginning.startswith(".")
                if hidden or not name.startswith(beginning.casefold()):
                    continue
                if each.is_dir():
                    found.append(Entry(Path(each.path), is_folder=True))
                elif os.path.splitext(name)[1] in _LISTS:  # noqa: PTH122 - a name, not a path
                    found.append(Entry(Path(each.path), is_folder=False, size=each.stat().st_size))
    except OSError:
        return []
    found.sort(key=lambda entry: (not entry.is_folder, entry.path.name.casefold()))
    return found[:_MOST_ENTRIES]


def file_at(typed: str, *, start: Path) -> Path | None:
    """The file that was typed in full, if there is one; reads the disk."""
    if not typed or "\0" in typed:
        return None
    folder, name = folder_of(typed, start=start)
    path = folder / name
    return path if path.is_file() else None


async def recent_files(session: ReadSession) -> list[Path]:
    """The files imported lately, the last one first."""
    saved = await session.get(Setting, _RECENT)
    names: Sequence[object] = saved.value if saved and isinstance(saved.value, list) else ()
    return [Path(name) for name in names if isinstance(name, str)]


async def remember_file(session: WriteSession, path: Path) -> None:
    """Put a file at the top of those imported lately."""
    others = [each for each in await recent_files(session) if each != path]
    statement = insert(Setting).values(
        name=_RECENT, value=[str(each) for each in [path, *others][:_KEPT]]
    )
    await session.execute(
        statement.on_conflict_do_update(
            index_elements=[Setting.name], set_={"value": statement.excluded.value}
        )
    )
