from __future__ import annotations

import importlib.util
from dataclasses import fields
from pathlib import Path
from types import ModuleType

import pytest

from crm_tui.providers.base import Capabilities
from crm_tui.providers.catalog import NAMES, TITLES, capabilities

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def maker() -> ModuleType:
    """The program that makes the page, which stands beside it."""
    spec = importlib.util.spec_from_file_location(
        "providers_page", ROOT / "docs" / "providers" / "make.py"
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_providers_page_says_what_the_adapters_say(maker: ModuleType) -> None:
    assert maker.PAGE.read_text(encoding="utf-8") == maker.page(), "run `make docs`"


def test_the_providers_page_leaves_nothing_out(maker: ModuleType) -> None:
    page = maker.page()
    for name in NAMES:
        for field in fields(Capabilities):
            said = getattr(capabilities(name), field.name)
            if field.name not in {"name", "channel"} and isinstance(said, str):
                assert said.replace("|", "\\|") in page, (name, field.name)


def test_every_provider_says_everything_and_is_called_the_same_everywhere() -> None:
    for name in NAMES:
        can = capabilities(name)
        assert (can.name, can.title) == (name, TITLES[name])
        assert all(getattr(can, each.name) not in {"", None} for each in fields(can))
        assert len(can.price_date) == 7
