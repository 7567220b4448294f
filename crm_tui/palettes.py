"""Palettes: the ten colours a theme gives to our roles; the shipped ones, and the operator's own.

An operator's palette is a file `<name>.toml` in the folder `ui-themes` beside config.toml:

    dark = true
    background = "#15181d"
    accent = "#6fb3f2"

What it leaves out is as in the shipped dark palette, or the light one where `dark` is false.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import msgspec

from crm_tui.text import visible

FOLDER = "ui-themes"
"""Where the operator's own palettes are, beside the configuration file."""

READABLE = 4.5
"""The contrast of text with its ground that WCAG 2 asks for at level AA."""

_COLOUR = re.compile(r"#[0-9a-fA-F]{6}\Z")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9 _-]{0,39}\Z")
_MOST_BYTES = 20_000


class Palette(msgspec.Struct, frozen=True, kw_only=True):
    """The colours of a theme, as "#rrggbb".

    Attributes:
        name: What it is called in the settings and where themes are chosen.
        dark: Whether light text stands on dark ground.
        background: The ground of everything.
        surface: A shade apart: the top and bottom line, dialogs.
        panel: Another shade apart: the line under the cursor.
        line: Borders and scrollbars.
        text: What is read.
        quiet: What is there if wanted.
        accent: Where the eye should be.
        good: What went well.
        attention: What wants looking at.
        bad: What went wrong.
    """

    name: str
    dark: bool
    background: str
    surface: str
    panel: str
    line: str
    text: str
    quiet: str
    accent: str
    good: str
    attention: str
    bad: str


GROUNDS = ("background", "surface", "panel")
INKS = ("text", "quiet", "accent", "good", "attention", "bad")
_ROLES = (*GROUNDS, "line", *INKS)

DARK = Palette(
    name="dark",
    dark=True,
    background="#15181d",
    surface="#1c2027",
    panel="#262c36",
    line="#3a4250",
    text="#d3d8e0",
    quiet="#8c95a3",
    accent="#6fb3f2",
    good="#7fc48f",
    attention="#dfb45e",
    bad="#ee8078",
)
"""The default."""

LIGHT = Palette(
    name="light",
    dark=False,
    background="#fbfaf8",
    surface="#f2f0ec",
    panel="#e4e8ee",
    line="#c9cdd3",
    text="#2a2f36",
    quiet="#5c6470",
    accent="#0b5cab",
    good="#1d6f3c",
    attention="#7f5000",
    bad="#b02a22",
)

HIGH_CONTRAST = Palette(
    name="high-contrast",
    dark=True,
    background="#000000",
    surface="#141414",
    panel="#00306b",
    line="#b8b8b8",
    text="#ffffff",
    quiet="#d6d6d6",
    accent="#ffd84d",
    good="#7dff9b",
    attention="#ffc46b",
    bad="#ffb0a8",
)
"""Every text on every ground at 7 to 1 or more (WCAG AAA)."""

TERMINAL = Palette(
    name="terminal",
    dark=True,
    background="ansi_default",
    surface="ansi_default",
    panel="ansi_bright_black",
    line="ansi_bright_black",
    text="ansi_default",
    quiet="ansi_bright_black",
    accent="ansi_cyan",
    good="ansi_green",
    attention="ansi_yellow",
    bad="ansi_red",
)
"""The terminal's own 16 colours; `ansi_bright_black` is shown as faint ink and as reversed ground."""

SHIPPED = (DARK, LIGHT, HIGH_CONTRAST, TERMINAL)


def read_own(folder: Path) -> tuple[list[Palette], list[str]]:
    """The operator's palettes in a folder, and a sentence for each file that cannot be used."""
    found: list[Palette] = []
    warnings: list[str] = []
    for path in sorted(folder.glob("*.toml")) if folder.is_dir() else ():
        try:
            found.append(_read(path))
        except ValueError as error:
            warnings.append(f"The theme file {visible(str(path))} cannot be used: {error}.")
    return found, warnings


def no_such(name: str, palettes: Sequence[Palette]) -> list[str]:
    """A sentence where the theme of the settings is not among these."""
    names = [palette.name for palette in palettes]
    if name in names:
        return []
    return [f"There is no theme {visible(name, 40)!r}; there are {', '.join(names)}."]


def hard_to_read(palettes: Iterable[Palette]) -> list[str]:
    """A sentence for each palette some of whose text is too faint, with the worst of it."""
    sentences = []
    for palette in palettes:
        if found := sorted(faint(palette), key=lambda each: each[2]):
            ink, ground, ratio = found[0]
            sentences.append(
                f"The theme {palette.name} is hard to read: {ink} on {ground} has a contrast of "
                f"{ratio:.1f}, and {READABLE} is needed."
            )
    return sentences


def faint(palette: Palette) -> Iterator[tuple[str, str, float]]:
    """The texts of a palette that are hard to read: ink, ground, and their contrast.

    What the colours of the terminal are is not known; none of them is called hard to read.
    """
    if palette is TERMINAL:
        return
    for ink in INKS:
        for ground in GROUNDS:
            ratio = contrast(getattr(palette, ink), getattr(palette, ground))
            if ratio < READABLE:
                yield ink, ground, ratio


def contrast(one: str, other: str) -> float:
    """The contrast ratio of two colours as WCAG 2 defines it, 1 to 21."""
    light, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def _luminance(colour: str) -> float:
    channels = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _read(path: Path) -> Palette:
    """The palette in a file; a ValueError says what is wrong with it."""
    if not _NAME.match(path.stem):
        raise ValueError("its name may have letters, digits, spaces, - and _")
    if path.stem in {palette.name for palette in SHIPPED}:
        raise ValueError(f"{path.stem} is the name of a theme that comes with the program")
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise ValueError("it is too large for a theme")
        written = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ValueError((error.strerror or "it cannot be read").lower()) from None
    except UnicodeDecodeError:
        raise ValueError("it is not UTF-8 text") from None
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"it is not valid TOML: {visible(str(error))}") from None
    for role, value in written.items():
        _check(role, value)
    base = DARK if written.get("dark", True) else LIGHT
    return msgspec.structs.replace(base, **written, name=path.stem)


def _check(role: str, value: object) -> None:
    if role == "dark":
        if not isinstance(value, bool):
            raise ValueError("dark is true or false")
    elif role not in _ROLES:
        raise ValueError(f"{visible(role, 40)} is no role; there are dark, {', '.join(_ROLES)}")
    elif not isinstance(value, str) or not _COLOUR.match(value):
        raise ValueError(f'{role} must be a colour such as "#6fb3f2"')
