"""`crm-tui sites publish` and `unpublish`, as scripts call them."""

from __future__ import annotations

import shutil
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

import pytest

from tests.conftest import Cli, Ran

BASE = "https://previews.example.com"


class Publishing:
    """The command line with a configuration that names a folder on the web."""

    def __init__(self, cli: Cli, folder: Path) -> None:
        self.cli = cli
        self.web = folder / "web"
        self.web.mkdir()
        self.config = folder / "config.toml"
        self.set_up()

    def set_up(self, *command: str) -> None:
        """Write the configuration, with this command."""
        listed = ", ".join(f"'{each}'" for each in command)
        self.config.write_text(
            f"[publishing]\nkind = 'folder'\npath = '{self.web}'\nbase_url = '{BASE}/'\n"
            f"command = [{listed}]\n"
        )

    def __call__(self, *arguments: str) -> Ran:
        return self.cli("--config", str(self.config), "sites", *arguments)

    def pages(self) -> list[str]:
        return sorted(each.name for each in self.web.iterdir())


@pytest.fixture
def sites(cli: Cli, tmp_path: Path) -> Publishing:
    """Three leads, of which two have a site."""
    for name, city in (("Ace", "Queens"), ("Best", "Newark"), ("Cut", "Queens")):
        cli("leads", "add", name, "--city", city)
    cli("sites", "build", "1", "2")
    return Publishing(cli, tmp_path)


def test_publishing_says_how_many_and_where(sites: Publishing) -> None:
    ran = sites("publish", "city:Queens", "--json")
    assert ran.code == 0
    assert (ran.json["published"], ran.json["unchanged"], ran.json["failed"]) == (1, 0, 0)
    (site,) = ran.json["sites"]
    assert site["url"] == f"{BASE}/{site['slug']}/"
    assert ran.json["without_site"] == 1
    assert "1 published, 0 unchanged, 0 failed." in ran.err
    assert "Undo cannot take that back" in ran.err
    assert "1 lead has no site" in ran.err
    assert sites.pages() == [site["slug"]]


def test_without_a_query_all_sites_are_published_and_the_second_time_none(
    sites: Publishing,
) -> None:
    assert sites("publish", "--json").json["published"] == 2
    again = sites("publish", "", "--json")
    assert (again.code, again.json["published"], again.json["unchanged"]) == (0, 0, 2)


def test_the_address_of_one_goes_to_stdout_alone(sites: Publishing) -> None:
    ran = sites("publish", "id:2")
    assert ran.out == f"{BASE}/{sites.pages()[0]}/\n"


def test_what_fails_is_named_with_exit_3_and_published_by_trying_again(
    sites: Publishing, tmp_path: Path
) -> None:
    script = tmp_path / "upload.py"
    script.write_text("print('\\x1b[31mno route to host\\x1b[0m'); raise SystemExit(12)")
    sites.set_up(sys.executable, str(script))
    ran = sites("publish", "--json")
    assert ran.code == 3
    assert (ran.json["published"], ran.json["unchanged"], ran.json["failed"]) == (0, 0, 2)
    assert {each["name"] for each in ran.json["failures"]} == {"Ace", "Best"}
    assert "failed: no route to host (exit status 12)." in ran.err
    assert "\x1b" not in ran.err

    listed = {each["business"]: each for each in sites("list", "--json").json["sites"]}
    assert (listed["Ace"]["public"], listed["Ace"]["published_url"]) == ("failed", None)
    assert "no route to host" in listed["Ace"]["publish_problem"]
    assert "no route to host" in sites("list").out

    sites.set_up()
    ran = sites("publish", "--json")
    assert (ran.code, ran.json["published"], ran.json["failed"]) == (0, 2, 0)


def test_the_worker_tries_again_when_it_is_time_and_ends_with_4_where_it_fails_still(
    sites: Publishing, cli: Cli, store_path: Path
) -> None:
    config = ("--config", str(sites.config), "worker", "--once", "--json")
    sites.set_up("no-such-program")
    assert "tried again by the worker in a few minutes" in sites("publish").err
    ran = cli(*config)
    assert (ran.code, "published" in ran.err) == (0, False)
    it_is_time(store_path)
    ran = cli(*config)
    assert (ran.code, ran.json["sent"]) == (4, 0)
    words = (
        "2 sites, the first Ace, were not published: no-such-program cannot be run: No such file"
    )
    assert words in ran.err
    sites.set_up()
    it_is_time(store_path)
    assert cli(*config).code == 0
    assert len(sites.pages()) == 2
    assert sites("publish", "--json").json["unchanged"] == 2


def it_is_time(store: Path) -> None:
    """Let the pause between two tries be over."""
    with closing(sqlite3.connect(store, isolation_level=None)) as connection:
        over = """UPDATE setting SET value = json_set(value, '$.until', '2020-01-01T00:00:00+00:00')
            WHERE name = 'publishing_retry'"""
        assert connection.execute(over).rowcount == 1


def test_the_list_says_where_the_public_reads_a_site_and_what_is_older(
    sites: Publishing, cli: Cli
) -> None:
    sites("publish", "id:1")
    cli("leads", "edit", "1", "category=Bakery")
    cli("sites", "build", "1")
    by_name = {each["business"]: each for each in sites("list", "--json").json["sites"]}
    assert by_name["Ace"]["public"] == "older"
    assert by_name["Ace"]["published_url"] == f"{BASE}/{sites.pages()[0]}/"
    assert by_name["Ace"]["published_at"] is not None
    assert (by_name["Best"]["public"], by_name["Best"]["published_url"]) == ("private", None)
    assert f"{BASE}/{sites.pages()[0]}/, older than the preview" in sites("list").out
    shown = cli("leads", "show", "1", "--json").json
    assert shown["sites"][0]["public"] == "older"


def test_unpublishing_takes_down_what_the_query_names(sites: Publishing) -> None:
    sites("publish")
    assert sites("unpublish").code == 2
    ran = sites("unpublish", "city:Newark", "--json")
    assert (ran.code, ran.json["unpublished"], ran.json["failed"]) == (0, 1, 0)
    assert len(sites.pages()) == 1
    assert sites("unpublish", "", "--json").json["unpublished"] == 1
    assert sites.pages() == []
    assert sites("unpublish", "", "--json").json["unpublished"] == 0


@pytest.mark.parametrize("command", ["publish", "unpublish"])
def test_what_is_not_set_up_is_refused_in_a_sentence(
    sites: Publishing, cli: Cli, command: str
) -> None:
    ran = cli("sites", command, "")
    assert (ran.code, ran.out) == (1, "")
    assert ran.err == (
        "Publishing is not set up: [publishing] in config.toml needs path and base_url. The guide "
        "tells how.\n"
    )


def test_the_folder_is_made_before_the_first_page_and_missed_after_it(sites: Publishing) -> None:
    sites.web.rmdir()
    assert sites("publish", "").code == 0
    assert sites.web.is_dir()
    shutil.rmtree(sites.web)
    for command in ("publish", "unpublish"):
        ran = sites(command, "")
        assert ran.code == 1
        assert "is not there. Make it, or mount its disk." in ran.err


def test_a_query_that_cannot_be_read_publishes_nothing(sites: Publishing) -> None:
    assert sites("publish", "colour:red").code in {1, 2}
    assert sites("publish", "-city:Queens", "--json").json["published"] == 1
    assert len(sites.pages()) == 1


def test_publishing_leaves_nothing_for_undo(sites: Publishing, cli: Cli) -> None:
    before = cli("undo", "--list", "--json").json
    sites("publish")
    assert cli("undo", "--list", "--json").json == before
