"""`crm-tui payments link`, `links` and `request`, as scripts call them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import Cli, Ran


class Asking:
    """The command line with a configuration that has bank details and no account."""

    def __init__(self, cli: Cli, folder: Path) -> None:
        self._cli = cli
        self._config = folder / "config.toml"
        self._config.write_text(
            "[money]\nbank_details = 'IBAN GB29 NWBK'\n[sender]\nname = 'Anna Berg'\n"
            "[providers.stripe]\nbase_url = 'http://127.0.0.1:9'\nmode = 'test'\n"
        )

    def __call__(self, *arguments: str) -> Ran:
        return self._cli("--config", str(self._config), "payments", *arguments)


@pytest.fixture
def payments(cli: Cli, tmp_path: Path) -> Asking:
    cli("leads", "add", "Ace Plumbing")
    cli("plans", "add", "Basic", "--amount", "49", "--setup-fee", "99")
    return Asking(cli, tmp_path)


def test_a_request_is_a_text_a_page_and_in_the_list_until_it_is_paid(
    payments: Asking, tmp_path: Path
) -> None:
    asked = payments("link", "1", "--plan", "basic", "--bank")
    assert asked.code == 0
    assert "Please transfer 148.00 USD by " in asked.out
    assert "crm-tui payments add 1 --plan Basic --method bank" in asked.err
    request = payments("link", "1", "--plan", "basic", "--bank", "--json").json["request"]
    assert request["reference"] in asked.out
    assert (request["lead"], request["amount"], request["plan"]) == (1, "148.00 USD", "Basic")
    page = tmp_path / "request.html"
    assert payments("request", "1", "--plan", "basic", "-o", str(page)).code == 0
    assert request["reference"] in page.read_text()
    (link,) = payments("links", "--json").json["links"]
    assert (link["provider"], link["state"], link["amount"], link["url"]) == (
        "bank",
        "open",
        148.0,
        None,
    )
    assert request["reference"] in payments("links").out
    assert payments("add", "1", "--plan", "basic", "--method", "bank").code == 0
    assert payments("links", "--lead", "1", "--all", "--json").json["links"]


def test_without_a_key_or_a_network_it_says_so_and_ends_with_4(
    payments: Asking, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CRM_TUI_STRIPE_KEY", raising=False)
    ran = payments("link", "1", "--plan", "basic")
    assert (ran.code, ran.out) == (4, "")
    assert "CRM_TUI_STRIPE_KEY" in ran.err
    monkeypatch.setenv("CRM_TUI_STRIPE_KEY", "rk_test_1")
    ran = payments("link", "--where", "", "--plan", "basic", "--json")
    assert ran.code == 4
    assert ran.json["made"] == 0
    assert ran.json["problem"]
    (link,) = payments("links", "--json").json["links"]
    assert (link["state"], link["mode"]) == ("creating", "test")


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("link", "--plan", "basic"), 2, "--where QUERY"),
        (("link", "1", "--where", "", "--plan", "basic"), 2, "--where QUERY"),
        (("link", "--where", "", "--plan", "basic", "--bank"), 2, "one lead"),
        (("link", "--where", "nonsense:x", "--plan", "basic"), 2, "nonsense"),
        (("link", "1", "--plan", "gold", "--bank"), 1, "There is no plan"),
        (("link", "99", "--plan", "basic", "--bank"), 1, "99"),
        (("request", "1", "--plan", "basic"), 2, "-o"),
        (("request", "1", "--plan", "basic", "-o", "/nowhere/at/all.html"), 1, "/nowhere"),
    ],
)
def test_what_cannot_be_is_said(
    payments: Asking, arguments: tuple[str, ...], code: int, words: str
) -> None:
    ran = payments(*arguments)
    assert ran.code == code
    assert words in ran.err
