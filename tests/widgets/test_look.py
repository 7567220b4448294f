from __future__ import annotations

from enum import StrEnum

import pytest
from textual.theme import Theme

from crm_tui.palettes import SHIPPED
from crm_tui.vocabulary import ContactState, ContactStatus, Outcome, SiteStatus, WebsiteStatus
from crm_tui.widgets.look import NOTHING, THEMES, Role, status_mark


@pytest.mark.parametrize("theme", THEMES, ids=lambda theme: theme.name)
def test_a_theme_shows_every_role_in_the_colour_its_palette_gives_it(theme: Theme) -> None:
    palette = next(each for each in SHIPPED if each.name == theme.name)
    shown = theme.to_color_system().generate() | theme.variables
    for variables, colour in {
        ("foreground", "text"): palette.text,
        ("text-muted",): palette.quiet,
        ("accent", "text-accent"): palette.accent,
        ("success", "text-success"): palette.good,
        ("warning", "text-warning"): palette.attention,
        ("error", "text-error"): palette.bad,
        ("surface",): palette.surface,
        ("panel",): palette.panel,
        ("background",): palette.background,
    }.items():
        for variable in variables:
            assert shown[variable].lower() == colour


def test_only_one_theme_leaves_the_colours_to_the_terminal() -> None:
    assert [theme.name for theme in THEMES if theme.ansi] == ["terminal"]


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
