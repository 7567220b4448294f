"""Settings from one TOML file, checked field by field, and the places files live in.

msgspec does the checking instead of pydantic-settings: it names the field in its errors as well,
and imports in a fraction of the time (docs/decisions/0002).
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path

import msgspec
import platformdirs

from crm_tui.config.checks import problems
from crm_tui.config.sections import (
    AppearanceSettings,
    BackupSettings,
    ClipboardSettings,
    ComplianceSettings,
    EmailSettings,
    ImapSettings,
    ImportSettings,
    MoneySettings,
    OperatorSettings,
    PreviewSettings,
    ProviderSettings,
    PublishingSettings,
    ScoreSettings,
    ScoreWeights,
    SenderSettings,
    SendingSettings,
    Settings,
    SmtpSettings,
    TaskSettings,
)
from crm_tui.errors import BadInput

__all__ = [
    "APP",
    "AppearanceSettings",
    "BackupSettings",
    "ClipboardSettings",
    "ComplianceSettings",
    "EmailSettings",
    "ImapSettings",
    "ImportSettings",
    "MoneySettings",
    "OperatorSettings",
    "PreviewSettings",
    "ProviderSettings",
    "PublishingSettings",
    "ScoreSettings",
    "ScoreWeights",
    "SenderSettings",
    "SendingSettings",
    "Settings",
    "SmtpSettings",
    "TaskSettings",
    "default_config_path",
    "default_store_path",
    "load_settings",
    "store_path",
]

APP = "crm-tui"
_URL = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)


def default_config_path() -> Path:
    """Where config.toml is looked for when none is named."""
    return platformdirs.user_config_path(APP) / "config.toml"


def default_store_path() -> Path:
    """The store in the platform's data folder."""
    return platformdirs.user_data_path(APP) / "crm.db"


def load_settings(path: Path | None) -> Settings:
    """Read the settings from `path`, or from the default place if there is a file.

    Raises:
        BadInput: the file is missing, not TOML, or has a field that cannot be used.
    """
    source = path or default_config_path()
    if path is None and not source.exists():
        return Settings()
    try:
        raw = tomllib.loads(source.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise BadInput(f"There is no configuration file {source}.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"The configuration file {source} cannot be read: {error}.") from None
    except tomllib.TOMLDecodeError as error:
        raise BadInput(f"The configuration file {source} is not valid TOML: {error}.") from None
    try:
        settings = msgspec.convert(raw, Settings)
    except msgspec.ValidationError as error:
        raise BadInput(f"In the configuration file {source}: {_in_words(error)}.") from None
    for problem in problems(settings):
        raise BadInput(f"In the configuration file {source}: {problem}.")
    return settings


def store_path(option: str | None, environment: Mapping[str, str]) -> Path:
    """The store named by --db, else by CRM_TUI_DB, else the default one.

    Raises:
        BadInput: a URL of another kind of database was named.
    """
    named = option or environment.get("CRM_TUI_DB") or ""
    if not named:
        return default_store_path()
    if _URL.match(named):
        raise BadInput(
            f"The store must be the path of an SQLite file, not a URL ({named.split('://')[0]}://…)."
            " Other databases are not supported yet."
        )
    return Path(named).expanduser().absolute()


def _in_words(error: msgspec.ValidationError) -> str:
    problem, _, place = str(error).partition(" - at `$")
    field = place.rstrip("`").lstrip(".")
    return f"{field}: {problem[0].lower()}{problem[1:]}" if field else problem
