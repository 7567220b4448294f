"""Changing config.toml: what is set is set, and everything else in it stays as it was written."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

import msgspec
import tomlkit
from tomlkit.exceptions import TOMLKitError

from crm_tui.config import Settings, default_config_path, load_settings
from crm_tui.config.checks import problems
from crm_tui.errors import BadInput

Changes = Mapping[str, Mapping[str, Any]]
"""What is to be set: values by their names, by section ("email", "providers.mailgun")."""


def change(config: Path | None, changes: Changes) -> bool:
    """Set something in the configuration file, which is made where there is none.

    What holds already, by default or as it is written, is not written.

    Args:
        config: the file; the default one where none is named.
        changes: what is to be set.

    Returns whether anything was set otherwise before.

    Raises:
        BadInput: a value cannot be set, or the file cannot be read or written; it is as it was.
    """
    file = config or default_config_path()
    text = _read(file)
    before = _parse(text, file)
    changes = _other(before, changes)
    wanted = deepcopy(before)
    for section, values in changes.items():
        _table(wanted, section, file).update(values)
    if wanted == before:
        return False
    written = _written(text, changes, file)
    if _parse(written, file) != wanted:
        raise BadInput(
            f"{file} is written in a way that cannot be changed from here. Set there yourself: "
            + "; ".join(f"{', '.join(values)} under [{each}]" for each, values in changes.items())
            + "."
        )
    _check(wanted)
    _write(file, written)
    return True


def read_again(config: Path | None, before: Settings) -> Settings:
    """The settings as the file has them now, but for the looks, which a start may have changed.

    Raises:
        BadInput: the file cannot be used.
    """
    settings = load_settings(config)
    return msgspec.structs.replace(settings, appearance=before.appearance)


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError) as error:
        raise _unreadable(file, error) from None


def _parse(text: str, file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise _unreadable(file, error) from None


def _unreadable(file: Path, error: Exception) -> BadInput:
    return BadInput(f"The configuration file {file} cannot be read: {error}.")


def _other(before: Mapping[str, Any], changes: Changes) -> Changes:
    """What of the changes is not so already."""
    try:
        holds = msgspec.to_builtins(msgspec.convert(before, Settings))
    except msgspec.ValidationError:
        return changes
    left = {}
    for section, values in changes.items():
        its: Any = holds
        for name in section.split("."):
            its = its[name]
        left[section] = {name: value for name, value in values.items() if its[name] != value}
    return {section: values for section, values in left.items() if values}


def _table(document: Any, section: str, file: Path) -> Any:
    for name in section.split("."):
        document = document.setdefault(name, {})
        if not isinstance(document, dict):
            raise BadInput(f"In {file}, {section} is no section.")
    return document


def _written(text: str, changes: Changes, file: Path) -> str:
    try:
        document = tomlkit.parse(text)
        for section, values in changes.items():
            table: Any = document
            *above, last = section.split(".")
            for name in above:
                table = table.setdefault(name, tomlkit.table(is_super_table=True))
            table = table.setdefault(last, tomlkit.table())
            for name, value in values.items():
                table[name] = value
        return tomlkit.dumps(document)
    except (TOMLKitError, KeyError, TypeError, ValueError) as error:
        raise _unreadable(file, error) from None


def _check(wanted: Mapping[str, Any]) -> None:
    try:
        settings = msgspec.convert(wanted, Settings)
    except msgspec.ValidationError as error:
        raise BadInput(f"That cannot be set: {error}.") from None
    for problem in problems(settings):
        raise BadInput(f"That cannot be set: {problem}.")


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
