from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.conftest import Cli


@pytest.fixture
def two(cli: Cli) -> tuple[int, int]:
    """Two leads that may be the same."""
    for name, more in (("Ada Plumbing", "--city=Queens"), ("Ada Plumbing Inc", "--duplicate")):
        assert cli("leads", "add", name, "--phone", "718 555 0142", more).code == 0
    return 1, 2


def test_duplicates_are_listed_with_the_reason(cli: Cli, two: tuple[int, int]) -> None:
    expected = [{"leads": [1, 2], "reason": "same phone and a similar name", "certainty": 90}]
    assert cli("leads", "duplicates", "--json").json == expected
    assert cli("leads", "duplicates", "--lead", "2", "--json").json == expected
    ran = cli("leads", "duplicates", "--limit", "5")
    assert "Ada Plumbing Inc" in ran.out
    assert "1 pair of leads" in ran.err


def test_leads_that_are_not_the_same_are_not_listed_again(cli: Cli, two: tuple[int, int]) -> None:
    assert cli("leads", "distinct", "2", "1", "--json").json == {"distinct": [2, 1], "undo": 3}
    assert cli("leads", "duplicates", "--json").json == []
    assert "are not the same" in cli("undo", "--json").json["undone"]
    assert len(cli("leads", "duplicates", "--json").json) == 1


def test_merging_splitting_and_taking_both_back(cli: Cli, two: tuple[int, int]) -> None:
    ran = cli("leads", "merge", "1", "2", "--take", "name=2", "--json")
    assert ran.json == {"kept": 1, "merged": [2], "undo": 3}
    assert "Merged Ada Plumbing Inc into Ada Plumbing" in ran.err
    assert cli("leads", "show", "1", "--json").json["lead"]["name"] == "Ada Plumbing Inc"
    gone = cli("leads", "show", "2")
    assert gone.code == 1
    assert "Lead 2 (Ada Plumbing Inc) was merged into lead 1" in gone.err
    ran = cli("leads", "split", "2", "--json")
    assert (ran.code, ran.json) == (0, {"kept": 1, "split": 2, "undo": 4, "left": []})
    assert cli("leads", "list", "--json").json["total"] == 2
    assert cli("undo", "--json").json["undone"].startswith("split Ada Plumbing Inc")
    assert cli("leads", "list", "--json").json["total"] == 1
    assert cli("undo", "--json").json["undone"] == "merged Ada Plumbing Inc into Ada Plumbing"
    assert cli("leads", "list", "--json").json["total"] == 2
    assert cli("redo").code == 0
    assert cli("leads", "split", "1").code == 0


def test_a_split_that_leaves_something_says_so_with_its_exit_code(
    cli: Cli, two: tuple[int, int]
) -> None:
    cli("leads", "edit", "2", "category=Plumber")
    cli("leads", "merge", "1", "2")
    cli("leads", "edit", "1", "category=Roofer")
    ran = cli("leads", "split", "2", "--json")
    assert ran.code == 3
    assert ran.json["left"] == [{"id": 1, "why": "category changed since"}]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("merge", "1", "9"), "There is no lead 9"),
        (("split", "1"), "nothing to split"),
        (("split", "9"), "There is no lead 9"),
        (("distinct", "1", "1"), "one lead"),
        (("erase", "9"), "There is no lead 9"),
    ],
)
def test_what_cannot_be_done_is_refused_with_a_sentence(
    cli: Cli, two: tuple[int, int], arguments: tuple[str, ...], words: str
) -> None:
    ran = cli("leads", *arguments)
    assert ran.code == 1
    assert words in ran.err
    assert cli("leads", "list", "--json").json["total"] == 2


def test_erasing_asks_first_and_then_leaves_nothing(
    cli: Cli, two: tuple[int, int], tmp_path: Path
) -> None:
    assert cli("backup", str(tmp_path / "b.db")).code == 0
    cli("leads", "note", "2", "secret")
    ran = cli("leads", "erase", "2")
    assert ran.code == 1
    assert "It cannot be undone." in ran.err
    assert "1 contact point" in ran.err
    asked = cli("leads", "erase", "2", "--json")
    assert (asked.code, asked.json["erased"]) == (1, None)
    assert cli("leads", "list", "--json").json["total"] == 2
    done = cli("leads", "erase", "2", "--yes", "--json")
    assert (done.code, done.json["erased"], done.json["problems"]) == (0, 2, [])
    assert cli("leads", "list", "--json").json["total"] == 1
    again = cli("leads", "erase", "2", "--yes")
    assert again.code == 1
    assert "was erased on" in again.err


def test_of_an_erased_lead_only_that_it_was_erased_is_shown_and_nothing_can_be_added(
    cli: Cli,
) -> None:
    cli("leads", "add", "Ada", "--category", "Plumber", "--city", "Queens")
    cli("leads", "call", "1", "--outcome", "talked")
    cli("leads", "erase", "1", "--yes")
    shown = cli("leads", "show", "1", "--json")
    assert (shown.code, set(shown.json), set(shown.json["lead"])) == (
        0,
        {"lead"},
        {"id", "erased_at"},
    )
    told = cli("leads", "show", "1")
    assert (told.code, told.out) == (0, "")
    assert "Lead 1 was erased on" in told.err
    for arguments in (
        ("edit", "1", "name=Back"),
        ("note", "1", "was Ada"),
        ("call", "1", "--outcome", "talked"),
        ("set-status", "1", "replied"),
        ("tag", "1", "vip"),
        ("merge", "1", "2"),
    ):
        refused = cli("leads", *arguments)
        assert refused.code == 1
        assert "Lead 1 was erased on" in refused.err
    assert cli("tasks", "add", "1", "call", "--when", "tomorrow").code == 1
    assert cli("leads", "export", "is:archived or -is:archived").out.count("\n") == 1


def test_a_phone_of_somebody_erased_is_taken_only_when_it_is_meant(cli: Cli) -> None:
    cli("leads", "add", "Ada", "--phone", "718 555 0142")
    cli("leads", "add", "Bea")
    assert cli("leads", "erase", "1", "--yes").code == 0
    for arguments in (
        ("leads", "add", "Cy", "--phone", "718 555 0142"),
        ("leads", "edit", "2", "phone=718 555 0142"),
    ):
        ran = cli(*arguments)
        assert ran.code == 1
        assert "erased on request" in ran.err
        assert cli(*arguments, "--duplicate").code == 0
