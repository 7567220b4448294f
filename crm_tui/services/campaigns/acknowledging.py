"""Writing into config.toml that the policy of a provider was read."""

from __future__ import annotations

import os
from pathlib import Path

import tomlkit
from tomlkit.exceptions import TOMLKitError
from tomlkit.items import Table

from crm_tui.errors import BadInput


def acknowledge(config: Path, provider: str) -> bool:
    """Note that the operator knows a provider's policy; everything else in the file stays.

    Returns whether it was not noted before. A file that is not there is made.

    Raises:
        BadInput: the file cannot be read or written.
    """
    document = _read(config)
    section = document.setdefault("compliance", tomlkit.table())
    if not isinstance(section, Table):
        raise BadInput(f"In {config}, compliance is no section.")
    known = [str(each) for each in section.get("policies_acknowledged", [])]
    if provider in known:
        return False
    section["policies_acknowledged"] = [*known, provider]
    _write(config, tomlkit.dumps(document))
    return True


def _read(config: Path) -> tomlkit.TOMLDocument:
    try:
        return tomlkit.parse(config.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return tomlkit.document()
    except (OSError, UnicodeDecodeError, TOMLKitError) as error:
        raise BadInput(f"The configuration file {config} cannot be read: {error}.") from None


def _write(config: Path, text: str) -> None:
    """Replace the file by a whole one; a link to it stays one."""
    target = config.resolve()
    unfinished = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        unfinished.write_text(text, encoding="utf-8")
        if target.exists():
            unfinished.chmod(target.stat().st_mode & 0o777)
        unfinished.replace(target)
    except OSError as error:
        unfinished.unlink(missing_ok=True)
        raise BadInput(
            f"The configuration file {config} cannot be written: {error.strerror}."
        ) from None
