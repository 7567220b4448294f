from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

import pytest
from textual.color import Color
from textual.theme import Theme

from crm_tui.vocabulary import ContactState, ContactStatus, Outcome, SiteStatus, WebsiteStatus
from crm_tui.widgets.look import DARK, LIGHT, NOTHING, THEMES, Role, status_mark

AA_TEXT = 4.5


def luminance(color: Color) -> float:
    """Relative luminance as WCAG 2 defines it."""
    channels = [value / 255 for value in (color.r, color.g, color.b)]
    linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    """The WCAG contrast ratio of two colours, 1 to 21."""
    light, dark = sorted((luminance(Color.parse(one)), luminance(Color.parse(other))), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def texts(theme: Theme) -> Iterable[str]:
    variables = theme.to_color_system().generate() | theme.variables
    for name in ("foreground", "text-muted", "success", "warning", "error", "accent"):
        yield variables[name]
        yield variables["text" if name == "foreground" else name]


@pytest.mark.parametrize("theme", THEMES, ids=lambda theme: theme.name)
@pytest.mark.parametrize("surface", ["background", "surface", "panel"])
def test_every_text_colour_reaches_aa_on_every_surface(theme: Theme, surface: str) -> None:
    ground = theme.to_color_system().generate()[surface]
    too_faint = {text: contrast(text, ground) for text in texts(theme)}
    assert {text: ratio for text, ratio in too_faint.items() if ratio < AA_TEXT} == {}


def test_the_contrast_formula_agrees_with_the_standard() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("theme", THEMES, ids=lambda theme: theme.name)
def test_the_surfaces_are_shades_apart_not_colours_apart(theme: Theme) -> None:
    assert theme.background is not None
    assert theme.surface is not None
    assert theme.panel is not None
    assert 1.02 < contrast(theme.background, theme.surface) < 1.25
    assert 1.02 < contrast(theme.surface, theme.panel) < 1.3


def test_there_is_a_dark_theme_and_a_light_one_with_the_same_variables() -> None:
    assert DARK.dark
    assert not LIGHT.dark
    assert DARK.variables.keys() == LIGHT.variables.keys()


@pytest.mark.parametrize(
    "word",
    [
        word
        for words in (ContactStatus, WebsiteStatus, SiteStatus, Outcome, ContactState)
        for word in words
    ],
)
def test_every_status_word_has_a_shape_a_word_and_a_role(word: StrEnum) -> None:
    mark = status_mark(word)
    assert len(mark.shape) == 1
    assert mark.label == f"{mark.shape} {word.replace('_', ' ')}"
    assert mark.role in set(Role)


def test_a_word_nobody_knows_is_shown_as_plain_text() -> None:
    assert status_mark("on holiday") == (NOTHING, "on holiday", Role.TEXT)
