from __future__ import annotations

from pathlib import Path

import pytest

from crm_tui.palettes import (
    DARK,
    GROUNDS,
    HIGH_CONTRAST,
    INKS,
    LIGHT,
    SHIPPED,
    TERMINAL,
    Palette,
    contrast,
    faint,
    read_own,
)


def test_the_contrast_formula_agrees_with_the_standard() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("palette", [p for p in SHIPPED if p is not TERMINAL], ids=lambda p: p.name)
def test_every_text_reaches_aa_on_every_ground(palette: Palette) -> None:
    assert list(faint(palette)) == []


def test_high_contrast_reaches_aaa() -> None:
    for ink in INKS:
        for ground in GROUNDS:
            assert contrast(getattr(HIGH_CONTRAST, ink), getattr(HIGH_CONTRAST, ground)) >= 7


@pytest.mark.parametrize("palette", [DARK, LIGHT], ids=lambda p: p.name)
def test_the_grounds_are_shades_apart_not_colours_apart(palette: Palette) -> None:
    assert 1.02 < contrast(palette.background, palette.surface) < 1.25
    assert 1.02 < contrast(palette.surface, palette.panel) < 1.3


def test_without_a_folder_there_are_no_own_palettes(tmp_path: Path) -> None:
    assert read_own(tmp_path / "none") == ([], [])


def test_an_own_palette_has_the_colours_it_names_and_the_rest_of_a_shipped_one(
    tmp_path: Path,
) -> None:
    (tmp_path / "dusk.toml").write_text('accent = "#ff00FF"\n')
    (tmp_path / "paper.toml").write_text('dark = false\ntext = "#000000"\n')
    (dusk, paper), warnings = read_own(tmp_path)
    assert warnings == []
    assert (dusk.name, dusk.accent, dusk.text) == ("dusk", "#ff00FF", DARK.text)
    assert (paper.name, paper.text, paper.quiet) == ("paper", "#000000", LIGHT.quiet)


@pytest.mark.parametrize(
    ("name", "content", "because"),
    [
        ("a", b"not toml", "it is not valid TOML"),
        ("a", b"\xff\xfe", "it is not UTF-8 text"),
        ("a", b'acent = "#ffffff"', "acent is no role"),
        ("a", b'name = "b"', "name is no role"),
        ("a", b'accent = "red"', 'accent must be a colour such as "#6fb3f2"'),
        ("a", b"accent = 5", "accent must be a colour"),
        ("a", b'dark = "yes"', "dark is true or false"),
        ("a", b"#" * 20_001, "it is too large for a theme"),
        ("light", b"", "light is the name of a theme that comes with the program"),
        ("a\x1b]0;x", b"", "its name may have letters, digits, spaces, - and _"),
    ],
)
def test_a_palette_that_cannot_be_used_is_one_warning(
    tmp_path: Path, name: str, content: bytes, because: str
) -> None:
    (tmp_path / f"{name}.toml").write_bytes(content)
    (tmp_path / "good.toml").write_text("")
    palettes, warnings = read_own(tmp_path)
    assert [palette.name for palette in palettes] == ["good"]
    assert len(warnings) == 1
    assert because in warnings[0]
    assert "\x1b" not in warnings[0]


def test_a_palette_that_is_hard_to_read_says_where(tmp_path: Path) -> None:
    (tmp_path / "fog.toml").write_text('text = "#30343a"\n')
    (fog,), _ = read_own(tmp_path)
    assert [(ink, ground) for ink, ground, _ in faint(fog)] == [("text", each) for each in GROUNDS]
