"""Settings from one TOML file, checked field by field, and the places files live in.

msgspec does the checking instead of pydantic-settings: it names the field in its errors as well,
and imports in a fraction of the time (docs/decisions/0002).
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from datetime import tzinfo
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
import platformdirs

from crm_tui.errors import BadInput

APP = "crm-tui"
_URL = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)


class ImportSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """[import]: how lists are read."""

    default_region: str = "US"
    """ISO 3166 region of phones whose row names no country."""


class PreviewSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """[preview]: the local server that shows sites."""

    port: int = 8765
    """Port on 127.0.0.1; the next free one is used only if it is taken."""
    browser: bool = True
    """Whether opening a preview starts a browser."""


class ScoreWeights(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """[score.weights]: what each factor counts; only their proportions matter."""

    no_website: float = 35
    rating: float = 13
    reviews: float = 12
    photos: float = 5
    email: float = 10
    phone: float = 10
    category: float = 10
    freshness: float = 5


class ScoreSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """[score]: what makes a good lead."""

    threshold: int = 60
    """Leads scored at or above this (0-100) are qualified."""
    categories: tuple[str, ...] = ()
    """Category words that fit; empty means the trades this program knows."""
    weights: ScoreWeights = ScoreWeights()


class BackupSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """[backup]: what is kept of the automatic copies."""

    daily: int = 7
    weekly: int = 4


class OperatorSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """[operator]: who works with this program, and where."""

    timezone: str = ""
    """IANA name of the zone times are read and shown in; empty is the machine's own."""

    @property
    def zone(self) -> tzinfo | None:
        """The zone; None is the machine's own."""
        return ZoneInfo(self.timezone) if self.timezone else None


class TaskSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """[tasks]: how follow-ups are read."""

    hour: int = 9
    """The hour (0-23) of a day that is named without one."""


class ClipboardSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """[clipboard]: where copied text goes."""

    command: tuple[str, ...] = ()
    """A program and its arguments that take the text on standard input; none asks the terminal."""


class AppearanceSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """[appearance]: how the app looks."""

    theme: str = "dark"
    """dark, light, high-contrast, terminal (its own 16 colours), or a file in ui-themes/."""
    ascii: bool = False
    """Whether shapes and borders are drawn with ASCII only."""
    motion: bool = True
    """Whether scrolling may glide; over SSH it never does."""


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Everything the operator can set in config.toml."""

    imports: ImportSettings = msgspec.field(default=ImportSettings(), name="import")
    preview: PreviewSettings = PreviewSettings()
    score: ScoreSettings = ScoreSettings()
    backup: BackupSettings = BackupSettings()
    clipboard: ClipboardSettings = ClipboardSettings()
    operator: OperatorSettings = OperatorSettings()
    tasks: TaskSettings = TaskSettings()
    appearance: AppearanceSettings = AppearanceSettings()
    keys: dict[str, Any] = {}
    """[keys]: a key or a list of keys by the id of an action; one that cannot be is a warning."""


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
    _check_ranges(settings, source)
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


def _known_zone(name: str) -> bool:
    try:
        return not name or bool(ZoneInfo(name))
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False


def _check_ranges(settings: Settings, source: Path) -> None:
    region = settings.imports.default_region
    weights = msgspec.structs.asdict(settings.score.weights)
    problems = {
        "import.default_region must be two letters such as US": not re.fullmatch(
            r"[A-Za-z]{2}", region
        ),
        "preview.port must be between 1024 and 65535": not 1024 <= settings.preview.port <= 65535,
        "score.threshold must be between 0 and 100": not 0 <= settings.score.threshold <= 100,
        "score.weights cannot be negative": min(weights.values()) < 0,
        "score.weights cannot all be 0": sum(weights.values()) == 0,
        "operator.timezone must be a zone such as America/New_York": not _known_zone(
            settings.operator.timezone
        ),
        "tasks.hour must be between 0 and 23": not 0 <= settings.tasks.hour <= 23,
        "backup.daily must be at least 1": settings.backup.daily < 1,
        "backup.weekly cannot be negative": settings.backup.weekly < 0,
        "clipboard.command must begin with a program": settings.clipboard.command[:1] == ("",),
    }
    for sentence, wrong in problems.items():
        if wrong:
            raise BadInput(f"In the configuration file {source}: {sentence}.")
