"""Every benchmark runs; what does not depend on the machine's speed is asserted."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

import pytest

from benchmarks import __main__ as everything
from benchmarks import (
    bulk,
    calling,
    duplicates,
    erasing,
    figures,
    idle,
    importing,
    keys,
    memory,
    polling,
    scale,
    searching,
    sending,
    sites,
    sqlite_basics,
    start,
    typed,
    words,
)
from benchmarks.measure import Measure, Verdict
from benchmarks.scale import Scale

TINY = Scale(leads=2_000, import_rows=400, sites=20, bulk=600, runs=1, keys=6)


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scale, "CACHE", tmp_path_factory.getbasetemp() / "benchmark-stores")


def misses(measures: Sequence[Measure], *units: str) -> list[str]:
    """The measures in these units that miss their limit."""
    return [m.what for m in measures if m.unit in units and m.verdict is Verdict.MISS]


@pytest.mark.pty
def test_the_start_is_measured() -> None:
    measures = start.run(TINY)
    assert measures[0].value is not None
    assert len(measures) == 3


@pytest.mark.pty
def test_no_key_writes_more_than_it_may() -> None:
    measures = keys.run(TINY)
    assert len(measures) == 2 * len(keys.MOTIONS)
    assert misses(measures, "bytes") == []


@pytest.mark.pty
def test_typing_is_measured() -> None:
    assert all(measure.value is not None for measure in typed.run(TINY))


@pytest.mark.pty
def test_the_memory_is_measured() -> None:
    (measure,) = memory.run(TINY)
    assert measure.value is not None
    assert measure.value > 10


def test_version_and_help_import_nothing_heavy() -> None:
    assert misses(words.run(TINY), "modules") == []


def test_searching_and_sorting_are_measured() -> None:
    assert all(measure.value is not None for measure in searching.run(TINY))


def test_sqlite_alone_is_measured() -> None:
    assert all(measure.value is not None for measure in sqlite_basics.run(TINY))


def test_an_import_merges_what_repeats() -> None:
    rate, *_ = importing.run(TINY)
    created = int(rate.note.partition(" created")[0])
    assert 380 <= created < TINY.import_rows - 10


def test_the_same_list_is_the_same_file(tmp_path: Path) -> None:
    one = importing.write_list(tmp_path / "one.csv", 50).read_bytes()
    two = importing.write_list(tmp_path / "two.csv", 50).read_bytes()
    assert one == two
    assert len(one.splitlines()) == 51


def test_sites_built_again_are_the_same() -> None:
    assert misses(sites.run(TINY), "sites", "pages") == []


def test_bulk_changes_their_undo_and_redo_are_measured() -> None:
    measures = bulk.run(TINY)
    assert [m.what for m in measures] == [
        "a bulk change: slowest",
        "its undo: slowest",
        "its redo: slowest",
    ]
    assert all(measure.value is not None for measure in measures)


@pytest.mark.parametrize("benchmark", [calling, duplicates, erasing, figures])
def test_calling_duplicates_erasing_and_figures_are_measured(benchmark: ModuleType) -> None:
    assert all(measure.value is not None for measure in benchmark.run(TINY))


@pytest.mark.pty
def test_nothing_is_written_while_nothing_happens() -> None:
    assert misses(idle.run(TINY), "bytes") == []


def test_every_benchmark_is_part_of_the_whole() -> None:
    alone = {path.stem for path in scale.HERE.glob("*.py") if "alone(run)" in path.read_text()}
    assert alone == set(everything.ALL)


def test_sending_is_measured_and_keeps_nothing_of_what_it_sent() -> None:
    measures = sending.run(TINY)
    assert [m.unit for m in measures] == ["", "MB", "", "MB"]
    assert misses(measures, "MB") == []


def test_polling_is_measured_and_what_is_told_again_writes_nothing() -> None:
    measures = polling.run(TINY)
    assert misses(measures, "rows") == []
    assert all(measure.value for measure in measures[:2])
