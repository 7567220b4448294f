from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from crm_tui.errors import BadInput
from crm_tui.services.sites.themes import Theme, choose_theme, load_themes

THEMES = load_themes()
PALETTES = [(theme, palette) for theme in THEMES.values() for palette in theme.palettes]

# Text colours and the backgrounds they stand on in the shipped stylesheets.
PAIRS = [
    *((text, ground) for text in ("ink", "muted", "accent_text") for ground in ("page", "surface")),
    *((text, "tint") for text in ("ink", "muted", "accent_text")),
    ("on_accent", "accent"),
    ("on_deep", "deep"),
    ("deep_muted", "deep"),
    ("glow", "deep"),
]


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """The operator's folder with one theme, a copy of a shipped one."""
    folder = tmp_path / "themes"
    shutil.copytree(THEMES["trades"].folder, folder / "mine")
    return folder


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def contrast(first: str, second: str) -> float:
    """The contrast ratio of two colours, as WCAG 2 defines it: 1 to 21."""

    def luminance(colour: str) -> float:
        channels = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    darker, lighter = sorted((luminance(first), luminance(second)))
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize(
    ("theme", "palette"), PALETTES, ids=[f"{theme.name}-{palette}" for theme, palette in PALETTES]
)
def test_every_text_can_be_read_on_its_ground(theme: Theme, palette: str) -> None:
    colours = theme.palettes[palette]
    for text, ground in PAIRS:
        ratio = contrast(colours[text], colours[ground])
        assert ratio >= 4.5, f"{text} on {ground}: {ratio:.2f}"


def test_there_are_four_themes_with_palettes_to_choose_from() -> None:
    assert set(THEMES) >= {"trades", "beauty", "food", "professional"}
    assert all(len(theme.palettes) >= 3 for theme in THEMES.values())
    assert sum(len(theme.trades) for theme in THEMES.values()) >= 25


@pytest.mark.parametrize(
    ("category", "theme", "trade"),
    [
        ("Plumber", "trades", "Plumber"),
        ("HVAC contractor", "trades", "Heating and air conditioning"),
        ("Septic system service", "trades", "Plumber"),
        ("Plumbing supply store", "trades", "Plumber"),
        ("Handyman/Handywoman/Handyperson", "trades", "Handyman"),
        ("General contractor", "trades", "Builder"),
        ("Auto repair shop", "trades", "Garage"),
        ("Window cleaning service", "trades", "Cleaner"),
        ("Barber shop", "beauty", "Barber"),
        ("Day spa", "beauty", "Spa and massage"),
        ("Hair salon", "beauty", "Hairdresser"),
        ("steak_house", "food", "Restaurant"),
        ("Coffee shop", "food", "Café"),
        ("Café", "food", "Café"),
        ("Seafood restaurant", "food", "Fish"),
        ("Wine bar", "food", "Bar"),
        ("Law firm", "professional", "Lawyer"),
        ("Lawn care service", "trades", "Gardener"),
        ("Dental clinic", "professional", "Dentist"),
        ("Real estate agency", "professional", "Estate agent"),
        ("Florist", "professional", "Shop"),
        ("Piano tuning", "professional", "Everybody else"),
        ("", "professional", "Everybody else"),
        ("水道屋", "professional", "Everybody else"),
    ],
)
def test_a_category_finds_its_theme_and_trade(category: str, theme: str, trade: str) -> None:
    assert choose_theme(category, THEMES) == theme
    assert THEMES[theme].trade_for(category).name == trade


def test_two_plumbers_do_not_look_the_same_and_one_always_does() -> None:
    theme = THEMES["trades"]
    seen = {theme.palette_for(str(number), "Plumber") for number in range(40)}
    assert seen == set(theme.palettes)
    assert theme.palette_for("7", "Plumber") == theme.palette_for("7", "Plumber")


def test_a_trade_may_keep_to_palettes_that_suit_it() -> None:
    theme = THEMES["beauty"]
    seen = {theme.palette_for(str(number), "Barber shop") for number in range(40)}
    assert seen == {"sage", "slate"}


def test_own_themes_are_added_and_replace_one_of_the_same_name(own: Path) -> None:
    shutil.copytree(own / "mine", own / "food")
    edit(own / "food" / "manifest.toml", 'title = "Workshop"', 'title = "Mine"')
    themes = load_themes(own)
    assert set(themes) == {*THEMES, "mine"}
    assert themes["food"].title == "Mine"


def test_no_folder_of_own_themes_is_no_error(tmp_path: Path) -> None:
    assert set(load_themes(tmp_path / "nothing")) == set(THEMES)


def test_a_changed_file_changes_the_fingerprint(own: Path) -> None:
    before = load_themes(own)["mine"].fingerprint
    assert before == load_themes(own)["mine"].fingerprint
    edit(own / "mine" / "style.css", "margin", "padding")
    assert before != load_themes(own)["mine"].fingerprint


@pytest.mark.parametrize(
    ("file", "old", "new", "said"),
    [
        (
            "manifest.toml",
            "title =",
            "titel =",
            "manifest.toml cannot be used: there is no field titel",
        ),
        ("manifest.toml", 'version = "1"', "version = 1", "in version: Expected str, got int"),
        ("manifest.toml", '"#ffffff"', '"white"', "palettes.harbour.page has to be a colour"),
        ("manifest.toml", '"#ffffff"', '"#fff;}"', "palettes.harbour.page has to be a colour"),
        ("manifest.toml", "ink = ", "inc = ", "palettes.harbour.inc is not a colour a page uses"),
        ("manifest.toml", "title =", "title", "is not TOML"),
        ("texts.toml", 'emblem = "pipes"', 'emblem = "../x"', "trades[0].emblem has no drawing"),
        ("texts.toml", "see_services", "see_nothing", "labels.see_nothing is not a label"),
        ("texts.toml", "{city}", "{town}", "{town} is not a fact"),
        ("texts.toml", 'schema = "Plumber"', "schema = 1", "in trades[0].schema: Expected str"),
    ],
)
def test_a_theme_that_cannot_be_used_is_named_with_file_and_field(
    own: Path, file: str, old: str, new: str, said: str
) -> None:
    edit(own / "mine" / file, old, new)
    with pytest.raises(BadInput) as caught:
        load_themes(own)
    assert str(own / "mine" / file) in str(caught.value)
    assert said in str(caught.value)


@pytest.mark.parametrize("file", ["manifest.toml", "texts.toml", "page.html", "style.css"])
def test_a_missing_file_is_named(own: Path, file: str) -> None:
    (own / "mine" / file).unlink()
    with pytest.raises(BadInput, match=file):
        load_themes(own)


def test_a_file_that_is_not_text_is_named(own: Path) -> None:
    (own / "mine" / "style.css").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(BadInput, match=r"style\.css is not UTF-8"):
        load_themes(own)
