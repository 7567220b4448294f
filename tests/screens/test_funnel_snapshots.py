"""How the funnel looks, its other views, and what is behind a figure."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.screens.looks import Look, SnapCompare, pressed

SMALL, LARGE = Look(80, 24), Look(160, 50)


@pytest.fixture(autouse=True)
def _nothing_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("crm_tui.app._MAIL_AFTER", 3600.0)


@pytest.mark.parametrize("look", [SMALL, LARGE], ids=str)
@pytest.mark.parametrize(
    "keys",
    [("4", "p", *"30", "enter"), ("4", "t"), ("4", "G", "k", "k", "enter")],
    ids=["compared", "charts", "figure"],
)
def test_the_funnel_looks_as_agreed(
    look: Look, keys: tuple[str, ...], demo: Path, snap_compare: SnapCompare
) -> None:
    assert look.compare(snap_compare, demo, run_before=pressed(*keys), theme="light")


@pytest.mark.parametrize("look", [Look(80, 24, shapes=False), Look(80, 24, colour=False)], ids=str)
def test_bars_and_charts_need_no_colour_and_no_shapes(
    look: Look, demo: Path, snap_compare: SnapCompare
) -> None:
    assert look.compare(snap_compare, demo, run_before=pressed("4", "t"))


def test_an_empty_funnel_looks_as_agreed(store_path: Path, snap_compare: SnapCompare) -> None:
    assert SMALL.compare(snap_compare, store_path, run_before=pressed("4"), theme="light")
