from __future__ import annotations

from pathlib import Path

import pytest

from crm_tui.config import Settings, default_store_path, load_settings, store_path
from crm_tui.errors import BadInput


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "config.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_without_a_file_the_defaults_hold() -> None:
    assert load_settings(None) == Settings()


def test_a_file_sets_what_it_names(tmp_path: Path) -> None:
    settings = load_settings(
        written(
            tmp_path,
            '[import]\ndefault_region = "CY"\n[preview]\nport = 9000\n'
            "[score]\nthreshold = 70\n[score.weights]\nno_website = 50\n",
        )
    )
    assert settings.imports.default_region == "CY"
    assert settings.preview.port == 9000
    assert settings.score.threshold == 70
    assert settings.score.weights.no_website == 50
    assert settings.score.weights.phone == Settings().score.weights.phone


def test_the_operators_zone_is_the_machines_own_unless_it_is_named(tmp_path: Path) -> None:
    assert Settings().operator.zone is None
    named = load_settings(written(tmp_path, '[operator]\ntimezone = "Asia/Nicosia"\n'))
    assert str(named.operator.zone) == "Asia/Nicosia"


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("[preview]\nport = 'x'\n", "preview.port"),
        ("[preview]\nport = 80\n", "preview.port"),
        ("[previw]\n", "previw"),
        ("[score]\nthreshold = 101\n", "score.threshold"),
        ("[score.weights]\nphone = -1\n", "score.weights"),
        ("[import]\ndefault_region = 'USA'\n", "import.default_region"),
        ("[operator]\ntimezone = 'Mars/Olympus'\n", "operator.timezone"),
        ("[operator]\ntimezone = '../etc'\n", "operator.timezone"),
        ("[tasks]\nhour = 24\n", "tasks.hour"),
        ("[sender]\nemail = 'me'\n", "sender.email"),
        ('[sender]\nname = "Ann\\nBcc: all"\n', "sender.name"),
        ("[email]\nprovider = 'pigeon'\n", "email.provider"),
        ("[sending]\nquiet_hours = '8pm'\n", "sending.quiet_hours"),
        ("[sending]\nper_hour = -1\n", "sending.per_hour"),
        ("[publishing]\nbase_url = 'http://example.com'\n", "publishing.base_url"),
        ("[providers.smtp]\nhost = 'mail.example.com'\nsecurity = 'none'\n", "providers.smtp"),
        ("[providers.smtp]\nconnections = 0\n", "providers.smtp.connections"),
        ("[providers.smtp]\npassword = 'x'\n", "password"),
        ("[providers.imap]\npoll_seconds = 1\n", "providers.imap.poll_seconds"),
        ("not toml", "not valid TOML"),
    ],
)
def test_an_error_names_the_file_and_the_field(tmp_path: Path, text: str, named: str) -> None:
    path = written(tmp_path, text)
    with pytest.raises(BadInput) as refused:
        load_settings(path)
    assert str(path) in str(refused.value)
    assert named in str(refused.value)


_PRICE = "providers.smtp.price_per_message must be at least 0 and less than 1000, such as 0.0008"
_MARGIN = "money.gross_margin must be more than 0 and at most 1, such as 0.8"
_CURRENCY = "money.currency must be a code of ISO 4217 in capitals, such as USD"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[providers.smtp]\nprice_per_message = -0.01\n", _PRICE),
        ("[providers.smtp]\nprice_per_message = 1000\n", _PRICE),
        ("[providers.smtp]\nprice_per_message = nan\n", _PRICE),
        ("[money]\ngross_margin = 0\n", _MARGIN),
        ("[money]\ngross_margin = 1.01\n", _MARGIN),
        ("[money]\ncurrency = 'ABC'\n", _CURRENCY),
        ("[money]\ncurrency = 'usd'\n", _CURRENCY),
        ("[money]\ncurrency = ''\n", _CURRENCY),
    ],
)
def test_a_setting_of_money_that_cannot_be_is_refused_with_what_it_may_be(
    tmp_path: Path, text: str, said: str
) -> None:
    with pytest.raises(BadInput) as refused:
        load_settings(written(tmp_path, text))
    assert said in str(refused.value)


def test_the_settings_of_money_may_be_as_far_as_they_say(tmp_path: Path) -> None:
    text = '[money]\ncurrency = "JPY"\ngross_margin = 1\n[providers.smtp]\nprice_per_message = {}\n'
    for price in (0, 999.99):
        settings = load_settings(written(tmp_path, text.format(price)))
        assert (settings.money.currency, settings.money.gross_margin) == ("JPY", 1)
        assert settings.providers.smtp.price_per_message == price


def test_a_named_file_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no configuration file"):
        load_settings(tmp_path / "none.toml")


def test_the_store_is_the_option_else_the_variable_else_the_data_folder(tmp_path: Path) -> None:
    environment = {"CRM_TUI_DB": str(tmp_path / "b.db")}
    assert store_path(str(tmp_path / "a.db"), environment) == tmp_path / "a.db"
    assert store_path(None, environment) == tmp_path / "b.db"
    assert store_path(None, {}) == default_store_path()


def test_a_url_is_refused_without_showing_its_password() -> None:
    with pytest.raises(BadInput) as refused:
        store_path("postgresql://me:secret@host/crm", {})
    assert "not supported yet" in str(refused.value)
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost"])
def test_mail_in_the_clear_may_go_to_this_machine_alone(tmp_path: Path, host: str) -> None:
    text = f'[providers.smtp]\nhost = "{host}"\nport = 2525\nsecurity = "none"\n'
    assert load_settings(written(tmp_path, text)).providers.smtp.host == host
