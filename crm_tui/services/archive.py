"""The operator's own files in a backup: config.toml, and the folders of templates and themes.

They are kept in a table `sqlar`, the SQLite Archive format, so that `sqlite3 BACKUP -A` lists
them. Follows "SQLite Archive Files" of the SQLite documentation.
"""

from __future__ import annotations

import sqlite3
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from crm_tui.errors import BadInput
from crm_tui.text import visible

CONFIG = "config.toml"
FOLDERS = ("templates", "themes")
"""The folders beside config.toml that hold what the operator wrote."""

LARGEST = 20 * 1024 * 1024
"""Bytes above which a file is not one of a theme."""


@dataclass(frozen=True, slots=True)
class Unpacked:
    """Which files came out of a backup, and which were left because one was there already."""

    restored: tuple[str, ...]
    kept: tuple[str, ...]


def pack(connection: sqlite3.Connection, config: Path) -> None:
    """Put the configuration file and what belongs to it into the archive table of a backup.

    Raises:
        BadInput: one of the files cannot be read.
    """
    connection.execute(
        "CREATE TABLE sqlar (name TEXT PRIMARY KEY, mode INT, mtime INT, sz INT, data BLOB)"
    )
    for name, path in _own_files(config):
        try:
            content = path.read_bytes()
            status = path.stat()
        except OSError as error:
            raise BadInput(f"{path} cannot be read for the backup: {error.strerror}.") from None
        smaller = zlib.compress(content)
        connection.execute(
            "INSERT INTO sqlar VALUES (?, ?, ?, ?, ?)",
            (
                name,
                status.st_mode,
                int(status.st_mtime),
                len(content),
                smaller if len(smaller) < len(content) else content,
            ),
        )


def read(connection: sqlite3.Connection) -> dict[str, bytes]:
    """The files of a backup by name; those that no backup of ours would hold are left out.

    Raises:
        BadInput: a file of the archive is damaged.
    """
    if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'sqlar'").fetchone():
        return {}
    files: dict[str, bytes] = {}
    for name, size, data in connection.execute("SELECT name, sz, data FROM sqlar ORDER BY name"):
        if not _is_ours(name) or not isinstance(data, bytes) or not 0 <= size <= LARGEST:
            continue
        try:
            content = data if len(data) == size else zlib.decompressobj().decompress(data, size)
        except zlib.error:
            content = b""
        if len(content) != size:
            raise BadInput(f"The file {visible(name)} in the backup is damaged.")
        files[name] = content
    return files


def unpack(files: Mapping[str, bytes], config: Path) -> Unpacked:
    """Write the files of a backup that are missing; those that are there are kept as they are."""
    restored: list[str] = []
    kept: list[str] = []
    for name, content in files.items():
        target = config if name == CONFIG else config.parent.joinpath(*PurePosixPath(name).parts)
        if target.exists():
            kept.append(name)
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
        restored.append(name)
    return Unpacked(tuple(restored), tuple(kept))


def drop(connection: sqlite3.Connection) -> None:
    """Take the archive table out; a store has none."""
    connection.execute("DROP TABLE IF EXISTS sqlar")


def _own_files(config: Path) -> Iterator[tuple[str, Path]]:
    """Each file of the operator, with its name in the archive."""
    if config.is_file():
        yield CONFIG, config
    for folder in FOLDERS:
        for path in sorted((config.parent / folder).rglob("*")):
            inside = path.relative_to(config.parent)
            ours = path.is_file() and not path.is_symlink() and path.stat().st_size <= LARGEST
            if ours and not any(part.startswith(".") for part in inside.parts):
                yield inside.as_posix(), path


def _is_ours(name: object) -> bool:
    """Whether this is a name that `pack` gives: config.toml, or a file inside the two folders."""
    if name == CONFIG:
        return True
    if not isinstance(name, str) or "\\" in name or "\0" in name:
        return False
    parts = PurePosixPath(name).parts
    return len(parts) > 1 and parts[0] in FOLDERS and not any(p.startswith(".") for p in parts)
