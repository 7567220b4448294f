"""Themes: folders with a manifest, templates, one stylesheet and the words of their trades.

The shipped ones are in `crm_tui/templates/sites/`; the operator's own, in a folder the caller
names, are added to them and replace one of the same name. docs/themes.md tells how to write one.
"""

from __future__ import annotations

import hashlib
import math
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib.resources import files
from pathlib import Path
from typing import TypeVar

import msgspec

from crm_tui.errors import BadInput
from crm_tui.services.sites.texts import FACT_NAMES, LABELS
from crm_tui.text import fold, visible

FALLBACK = "professional"
NO_FIT = (-math.inf, 0)
SHARED = "_shared"
PAGE = "page.html"
STYLESHEET = "style.css"

# Every palette says these; what each is for is in docs/themes.md.
COLOURS = (
    "page",
    "surface",
    "tint",
    "ink",
    "muted",
    "line",
    "accent",
    "on_accent",
    "accent_text",
    "deep",
    "on_deep",
    "deep_muted",
    "glow",
)

# Several ways to say one thing; the first that fits the known facts is taken.
Wording = tuple[str, ...]

_WORD = re.compile(r"[^\W_]+")
_COLOUR = re.compile(r"#[0-9a-f]{6}\Z")
_NAME = re.compile(r"[a-z0-9][a-z0-9-]*\Z")
_Shape = TypeVar("_Shape", bound=msgspec.Struct)
_KINDS = {".html", ".svg", ".css"}


class Trade(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What sites of one trade say and show.

    Attributes:
        name: The trade, for the reader of the file.
        keywords: Words of a category that mean this trade; "plumb*" also means "plumbing".
        palettes: The palettes that suit it, if not all of the theme do.
        services: Title to text; steps likewise.
        questions: Question to answers, of which one that fits the known facts is taken.
        schema: The type of schema.org's LocalBusiness.
        emblem: The drawing, `art/<emblem>.svg` in the theme's folder.
    """

    name: str
    keywords: tuple[str, ...] = ()
    schema: str = "LocalBusiness"
    emblem: str
    palettes: tuple[str, ...] = ()
    headline: Wording = ()
    tagline: Wording = ()
    about: Wording = ()
    area: Wording = ()
    services: dict[str, str] = msgspec.field(default_factory=dict)
    steps: dict[str, str] = msgspec.field(default_factory=dict)
    questions: dict[str, Wording] = msgspec.field(default_factory=dict)
    labels: dict[str, str] = msgspec.field(default_factory=dict)


class _Common(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    headline: Wording = ()
    tagline: Wording = ()
    about: Wording = ()
    area: Wording = ()
    services: dict[str, str] = msgspec.field(default_factory=dict)
    steps: dict[str, str] = msgspec.field(default_factory=dict)
    questions: dict[str, Wording] = msgspec.field(default_factory=dict)


class _Words(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    trades: tuple[Trade, ...]
    common: _Common = msgspec.field(default_factory=_Common)
    labels: dict[str, str] = msgspec.field(default_factory=dict)


class _Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    title: str
    description: str
    version: str
    palettes: dict[str, dict[str, str]]
    keywords: tuple[str, ...] = ()
    texts: str = "texts.toml"


@dataclass(frozen=True)
class Theme:
    """One theme, read and checked.

    Attributes:
        keywords: Words of a category that the theme serves, those of its trades included.
        palettes: Name to colours, each colour by its role.
        trades: The last one is for every business that no keyword names.
        templates: Every file by its name in the theme, the shared ones as `_shared/…`.
    """

    name: str
    title: str
    description: str
    version: str
    folder: Path
    keywords: tuple[str, ...]
    palettes: Mapping[str, Mapping[str, str]]
    trades: tuple[Trade, ...]
    labels: Mapping[str, str]
    templates: Mapping[str, str]

    def path_of(self, template: str) -> Path:
        """The file that holds a template."""
        return (shipped_folder() if template.startswith(f"{SHARED}/") else self.folder) / template

    @cached_property
    def fingerprint(self) -> str:
        """The version and a hash of every file a page is made from: differs when a page may."""
        digest = hashlib.sha256(repr(sorted(self.palettes.items())).encode())
        digest.update(repr(self.trades).encode())
        for name, text in sorted(self.templates.items()):
            digest.update(f"{name}\0{text}\0".encode())
        return f"{self.name} {self.version} {digest.hexdigest()[:16]}"

    def palette_for(self, key: str, line_of_work: str) -> str:
        """The palette of a business, always the same one for the same key."""
        names = sorted(self.trade_for(line_of_work).palettes or self.palettes)
        return names[hashlib.sha256(f"palette {key}".encode()).digest()[0] % len(names)]

    def trade_for(self, category: str) -> Trade:
        """The trade that a category means, else the last one, which is for everybody."""
        best = max(self.trades, key=lambda trade: _fit(category, trade.keywords))
        return best if _fit(category, best.keywords) > NO_FIT else self.trades[-1]


def choose_theme(category: str, themes: Mapping[str, Theme]) -> str:
    """The theme that serves a category, else the professional one."""
    best = max(sorted(themes), key=lambda name: _fit(category, themes[name].keywords))
    if _fit(category, themes[best].keywords) > NO_FIT or FALLBACK not in themes:
        return best
    return FALLBACK


def _fit(category: str, keywords: Iterable[str]) -> tuple[float, int]:
    """How well keywords fit a category: what is named first tells most, then the longest.

    "HVAC contractor" is about heating, and a "coffee shop" about coffee.
    """
    words = " ".join(["", *_WORD.findall(fold(category)), ""])
    fit = NO_FIT
    for keyword in keywords:
        stem = keyword.rstrip("*")
        at = words.find(f" {stem}" if stem != keyword else f" {stem} ")
        if at >= 0:
            fit = max(fit, (-at, len(stem)))
    return fit


# Loading


def shipped_folder() -> Path:
    """Where the themes that come with the program are, and the files that all themes share."""
    return Path(str(files("crm_tui") / "templates" / "sites"))


def load_themes(own: Path | None = None) -> dict[str, Theme]:
    """The shipped themes and the operator's own, by name.

    Args:
        own: The folder with the operator's themes; it need not exist.

    Raises:
        BadInput: A theme that cannot be used: one sentence with the file and the field.
    """
    shipped = shipped_folder()
    shared = _read_files(shipped / SHARED, prefix=f"{SHARED}/")
    themes = {}
    for parent in [shipped, own] if own is not None and own.is_dir() else [shipped]:
        for folder in sorted(parent.iterdir()):
            if folder.is_dir() and not folder.name.startswith((".", "_")):
                themes[folder.name] = load_theme(folder, shared)
    return themes


def load_theme(folder: Path, shared: Mapping[str, str]) -> Theme:
    """One theme from its folder; `shared` are the files that every theme may include."""
    if not _NAME.match(folder.name):
        raise BadInput(
            f"The theme folder {visible(str(folder))} needs a name of small letters, digits and hyphens."
        )
    manifest_file = folder / "manifest.toml"
    manifest = _read_toml(manifest_file, _Manifest)
    _check_palettes(manifest.palettes, manifest_file)
    words_file = folder / manifest.texts
    if words_file.parent != folder:
        raise _unusable(manifest_file, "texts", "has to be a file in the same folder")
    words = _read_toml(words_file, _Words)
    if not words.trades:
        raise _unusable(words_file, "trades", "has to hold at least one trade")
    templates = {**shared, **_read_files(folder)}
    for needed in (PAGE, STYLESHEET):
        if needed not in templates:
            raise BadInput(f"The theme {folder.name} has no {needed}: add {folder / needed}.")
    trades = tuple(_complete(trade, words.common) for trade in words.trades)
    _check_words(trades, words, words_file, templates, manifest.palettes)
    spoken = [keyword for trade in trades for keyword in trade.keywords]
    return Theme(
        name=folder.name,
        title=manifest.title,
        description=manifest.description,
        version=manifest.version,
        folder=folder,
        keywords=tuple(dict.fromkeys([*manifest.keywords, *spoken])),
        palettes=manifest.palettes,
        trades=trades,
        labels=words.labels,
        templates=templates,
    )


def _complete(trade: Trade, common: _Common) -> Trade:
    """A trade with the common words where it has none of its own; questions are added up."""
    return msgspec.structs.replace(
        trade,
        headline=trade.headline or common.headline,
        tagline=trade.tagline or common.tagline,
        about=trade.about or common.about,
        area=trade.area or common.area,
        services=trade.services or common.services,
        steps=trade.steps or common.steps,
        questions=trade.questions | (common.questions | trade.questions),
    )


def _check_palettes(palettes: Mapping[str, Mapping[str, str]], source: Path) -> None:
    if not palettes:
        raise _unusable(source, "palettes", "has to hold at least one palette")
    for name, palette in palettes.items():
        for role in palette:
            if role not in COLOURS:
                raise _unusable(source, f"palettes.{name}.{role}", "is not a colour a page uses")
        for role in COLOURS:
            if not _COLOUR.match(palette.get(role, "")):
                raise _unusable(source, f"palettes.{name}.{role}", "has to be a colour as #1a2b3c")


def _check_words(
    trades: tuple[Trade, ...],
    words: _Words,
    source: Path,
    templates: Mapping[str, str],
    palettes: Mapping[str, Mapping[str, str]],
) -> None:
    for label in [*words.labels, *(label for trade in trades for label in trade.labels)]:
        if label not in LABELS:
            raise _unusable(source, f"labels.{label}", "is not a label; see docs/themes.md")
    for index, trade in enumerate(trades):
        if f"art/{trade.emblem}.svg" not in templates:
            drawing = f"has no drawing art/{trade.emblem}.svg"
            raise _unusable(source, f"trades[{index}].emblem", drawing)
        for palette in trade.palettes:
            if palette not in palettes:
                missing = f"names the palette {palette}, which the manifest does not have"
                raise _unusable(source, f"trades[{index}].palettes", missing)
        if not trade.headline:
            raise _unusable(source, f"trades[{index}].headline", "is missing")
    for found in re.finditer(r"(?<!\{)\{(\w*)\}", str(msgspec.to_builtins(words))):
        if found[1] not in FACT_NAMES and found[1]:
            raise _unusable(source, f"{{{found[1]}}}", "is not a fact; see docs/themes.md")


def _read_files(folder: Path, *, prefix: str = "") -> dict[str, str]:
    return {
        prefix + path.relative_to(folder).as_posix(): _read(path)
        for path in sorted(folder.rglob("*"))
        if path.suffix in _KINDS and path.is_file()
    }


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        reason = error.strerror or "it cannot be read"
        raise BadInput(f"The theme file {visible(str(path))} cannot be read: {reason}.") from None
    except UnicodeDecodeError:
        raise BadInput(f"The theme file {visible(str(path))} is not UTF-8 text.") from None


def _read_toml(path: Path, shape: type[_Shape]) -> _Shape:
    try:
        return msgspec.convert(tomllib.loads(_read(path)), shape)
    except tomllib.TOMLDecodeError as error:
        raise BadInput(
            f"The theme file {visible(str(path))} is not TOML: {visible(str(error))}."
        ) from None
    except msgspec.ValidationError as error:
        reason, _, place = str(error).replace("`", "").partition(" - at ")
        reason = reason.replace("Object contains unknown", "there is no")
        reason = reason.replace("Object missing required", "there has to be a")
        at = place.removeprefix("$.").removeprefix("$")
        where = f" in {at}" if at else ""
        raise BadInput(
            f"The theme file {visible(str(path))} cannot be used{where}: {visible(reason)}."
        ) from None


def _unusable(source: Path, field: str, reason: str) -> BadInput:
    return BadInput(
        f"The theme file {visible(str(source))} cannot be used: {visible(field)} {reason}."
    )
