from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.conftest import Cli


def names(cli: Cli) -> list[str]:
    return [view["name"] for view in cli("views", "list", "--json").json["views"]]


def test_a_view_is_saved_listed_replaced_deleted_and_brought_back(cli: Cli) -> None:
    saved = cli(
        *("views", "save", "No website", "-has:website", "-is:never"),
        *("--letter", "n", "--sort", "-score", "--json"),
    )
    assert saved.code == 0
    view = saved.json["view"]
    assert view["query"] == "-has:website -is:never"
    assert (view["letter"], view["sort"], view["columns"]) == ("n", "-score", None)
    assert saved.json["replaced"] is False
    assert isinstance(saved.json["undo"], int)
    assert "v n goes there" in saved.err
    assert cli("views", "list", "--json").json["views"][-1] == view

    again = cli("views", "save", "no website", "-has:url", "--json")
    assert again.json["replaced"] is True
    assert again.json["view"] | {"name": "No website", "query": "-has:website -is:never"} == (
        view | {"sort": None}
    )

    gone = cli("views", "delete", "n", "--json")
    assert gone.json["deleted"]["name"] == "no website"
    assert "no website" not in names(cli)


def test_the_views_can_be_counted(cli: Cli) -> None:
    cli("leads", "add", "Woodhaven Plumbing", "--phone", "212 555 0101")
    counts = {
        view["name"]: view["count"]
        for view in cli("views", "list", "--count", "--json").json["views"]
    }
    assert (counts["To call"], counts["No e-mail"], counts["Customers"]) == (1, 1, 0)
    shown = cli("views", "list", "--count")
    assert shown.out.splitlines()[0].split() == ["Key", "Name", "Leads", "Filter", "Sort"]
    assert shown.err == "8 views\n"


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("save", "Mine", "score>"), 2, "column 7"),
        (("save", "Mine", "", "--sort", "height"), 2, "cannot be sorted"),
        (("save", "Mine", "", "--letter", "h"), 1, "goes to Hot already"),
        (("save",), 2, "NAME"),
        (("delete", "Mine"), 1, "no view 'Mine'"),
    ],
)
def test_what_cannot_be_done_is_refused_with_a_reason(
    arguments: tuple[str, ...], code: int, said: str, cli: Cli
) -> None:
    before = names(cli)
    ran = cli("views", *arguments)
    assert ran.code == code
    assert said in ran.err
    assert names(cli) == before
