from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

from crm_tui.actions import ACTIONS

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def maker() -> ModuleType:
    """The program that makes the page, which stands beside it."""
    spec = importlib.util.spec_from_file_location("keys_page", ROOT / "docs" / "keys" / "make.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_keys_page_is_the_registry_as_it_is(maker: ModuleType) -> None:
    assert maker.PAGE.read_text(encoding="utf-8") == maker.page(), "run `make docs`"


def test_the_keys_page_names_every_action(maker: ModuleType) -> None:
    page = maker.page()
    assert [action.id for action in ACTIONS if f"`{action.id}`" not in page] == []
