from __future__ import annotations

from crm_tui.config import default_config_path
from crm_tui.palettes import FOLDER
from tests.conftest import Cli


def configure(text: str) -> None:
    path = default_config_path()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def test_keys_and_appearance_are_shown_as_they_are_set(cli: Cli) -> None:
    configure('[keys]\n"leads.sort" = "S"\n[appearance]\ntheme = "light"\n')
    ran = cli("config", "show")
    assert ran.code == 0
    assert '[keys]\n"leads.sort" = "S"' in ran.out
    assert 'theme = "light"' in ran.out
    assert ran.err == ""
    assert cli("config", "show", "--json").json["warnings"] == []


def test_what_cannot_be_met_is_said_beside_the_settings(cli: Cli) -> None:
    configure('[keys]\n"leads.sort" = "j"\n[appearance]\ntheme = "dusk"\n')
    folder = default_config_path().with_name(FOLDER)
    folder.mkdir()
    (folder / "bad.toml").write_text("nonsense")
    (folder / "fog.toml").write_text('text = "#30343a"')
    ran = cli("config", "show")
    assert ran.code == 0
    keys, file, theme, faint = ran.err.splitlines()
    assert "leads.sort stays ,, because j is Down (list.down) there." in keys
    assert "bad.toml cannot be used: it is not valid TOML" in file
    assert "There is no theme 'dusk'; there are dark, light" in theme
    assert "The theme fog is hard to read: text on panel has a contrast of 1.1" in faint
    assert len(cli("config", "show", "--json").json["warnings"]) == 4


def test_ascii_is_an_option_before_the_command_too(cli: Cli) -> None:
    assert cli("--ascii", "config", "show", "--json").json["settings"]["appearance"]["ascii"]
