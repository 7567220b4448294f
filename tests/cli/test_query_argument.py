"""A query is an argument that may begin with a minus sign; no command takes it for an option."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import typer
from hypothesis import assume, example, given
from hypothesis import strategies as st
from typer.core import TyperArgument, TyperGroup, TyperOption

from crm_tui.cli.main import app
from crm_tui.cli.query import QueryCommand
from tests.conftest import Cli


def commands(group: Any) -> Iterator[Any]:
    for command in group.commands.values():
        yield from commands(command) if isinstance(command, TyperGroup) else [command]


EVERY = list(commands(typer.main.get_command(app)))
ASKING = [command for command in EVERY if isinstance(command, QueryCommand)]

QUERIES = st.text(
    st.characters(exclude_categories=["Cs"]) | st.sampled_from("-o:hsajt= "), max_size=12
).map(lambda text: f"-{text}")


def of_command(command: Any) -> list[Any]:
    """The arguments of a command, of which the query is the last."""
    return [parameter for parameter in command.params if isinstance(parameter, TyperArgument)]


def asked(command: Any, arguments: list[str]) -> list[str]:
    """What the command is given as its query, after names where it wants them."""
    *names, query = of_command(command)
    with command.make_context(command.name, ["name"] * len(names) + arguments) as context:
        return list(context.params[query.name] or ())


def test_every_command_that_takes_a_query_reads_it_in_the_same_way() -> None:
    assert {command.name for command in ASKING} >= {"list", "export", "bulk"}
    for command in EVERY:
        takes_one = any(argument.metavar == "QUERY" for argument in of_command(command))
        assert takes_one == isinstance(command, QueryCommand), command.name


@pytest.mark.parametrize("command", ASKING, ids=lambda command: command.name)
def test_a_command_that_takes_a_query_has_no_short_option_but_one(command: Any) -> None:
    with command.make_context(command.name, ["name"]) as context:
        names = {
            name
            for option in command.get_params(context)
            if isinstance(option, TyperOption)
            for name in (*option.opts, *option.secondary_opts)
            if not name.startswith("--")
        }
    assert names <= {"-o"}


@pytest.mark.parametrize("command", ASKING, ids=lambda command: command.name)
@given(query=QUERIES)
@example(query="-has:website")
@example(query="-outcome:lost")
@example(query="-or")
@example(query="-h")
@example(query="--has:website")
@example(query="---json")
@example(query="-")
def test_no_query_is_swallowed_as_an_option(command: Any, query: str) -> None:
    """But `--word`, which says of a word twice that it is left out, and may be a misspelt option."""
    assume(not query.startswith("--") or not query[2:].partition("=")[0].replace("-", "").isalpha())
    assume(query not in {"-o", "--"})
    assert asked(command, [query]) == [query]
    assert asked(command, ["--json", query]) == [query]
    assert asked(command, [query, "--json", "plumb"]) == [query, "plumb"]


@given(query=QUERIES)
@example(query="--json")
@example(query="-o")
@example(query="--")
def test_everything_after_two_minus_signs_is_the_query(query: str) -> None:
    for command in ASKING:
        assert asked(command, ["--", query]) == [query]


def test_queries_on_the_command_line_find_leads(cli: Cli) -> None:
    cli("leads", "add", "Joe Plumbing", "--city", "New York", "--website", "https://joe.example")
    cli("leads", "add", "Ann Roofing", "--city", "New York")
    cli("leads", "add", "Ole Roofing", "--city", "Albany")

    def found(*arguments: str) -> list[str]:
        return [lead["name"] for lead in cli("leads", "list", *arguments, "--json").json["leads"]]

    assert set(found("-has:website")) == {"Ann Roofing", "Ole Roofing"}
    assert found('city:"new york" -has:website') == ["Ann Roofing"]
    assert found("-has:website", "--sort", "-name", "roof") == ["Ole Roofing", "Ann Roofing"]
    assert len(found("")) == len(found()) == 3
    exported = cli("leads", "export", "-city:albany", "--format", "json").out
    assert "Joe" in exported
    assert "Ole" not in exported


@pytest.mark.parametrize("command", ["list", "export"])
def test_a_query_that_cannot_be_read_is_wrong_usage(cli: Cli, command: str) -> None:
    ran = cli("leads", command, "score>=abc")
    assert ran.code == 2
    assert ran.err == 'score>=abc: "abc" is no number (column 8).\n'
    assert not ran.out


@pytest.mark.parametrize("slip", ["--limt", "--jsn", "--formatt=csv"])
def test_a_misspelt_option_is_no_query(cli: Cli, slip: str) -> None:
    ran = cli("leads", "list", "roof", slip)
    assert ran.code == 2
    assert "No such option" in ran.err
