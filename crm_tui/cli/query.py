"""A query as the argument of a command: which leads a command is about.

A query may begin with a minus sign (`leads list '-has:website'`), where other commands have their
options. A command made with `cls=QueryCommand` therefore knows its long options and a lone `-o`;
every other argument belongs to the query, and what follows `--` always does.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperArgument, TyperCommand, TyperOption

from crm_tui.cli.completions import query_words
from crm_tui.cli.output import invocation
from crm_tui.clock import utc_now

if TYPE_CHECKING:
    from crm_tui.services.lead_query import LeadQuery

Query = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="QUERY",
        help="""Which leads, such as 'city:Queens -has:website score>=70'; '' means all.""",
        show_default=False,
        autocompletion=query_words,
    ),
]
"""The argument of a command that takes a query; several words are joined by spaces."""

_LIKE_AN_OPTION = re.compile(r"--[a-z][a-z-]*(?:=.*)?", re.DOTALL)


class QueryCommand(TyperCommand):
    """A command whose arguments are a query, minus signs and all; it has no `-h`."""

    def __init__(self, name: str | None, **settings: Any) -> None:
        context = {
            **(settings.pop("context_settings", None) or {}),
            "help_option_names": ["--help"],
        }
        super().__init__(name, context_settings=context, **settings)

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Tell the options from the query before the parser takes the one for the other."""
        values = {
            name: 0 if option.is_flag else option.nargs
            for option in self.get_params(ctx)
            if isinstance(option, TyperOption)
            for name in (*option.opts, *option.secondary_opts)
        }
        options: list[str] = []
        query: list[str] = []
        rest = iter(args)
        for argument in rest:
            if argument == "--":
                query += rest
            else:
                _sort_in(argument, rest, values, options, query)
        return super().parse_args(ctx, [*options, "--", *query])

    def shell_complete(self, ctx: Any, incomplete: str) -> list[Any]:
        """Options, and after a minus the words of a query that it negates as well."""
        found = list(super().shell_complete(ctx, incomplete))
        if incomplete.startswith("-"):
            *_, query = (each for each in self.get_params(ctx) if isinstance(each, TyperArgument))
            found += query.shell_complete(ctx, incomplete)
        return found


def _sort_in(
    argument: str,
    rest: Iterator[str],
    values: dict[str, int],
    options: list[str],
    query: list[str],
) -> None:
    name, equals, _ = argument.partition("=")
    if argument in values:
        options += (argument, *islice(rest, values[argument]))
    elif name in values and name.startswith("--") and equals:
        options.append(argument)
    elif _LIKE_AN_OPTION.fullmatch(argument):
        options.append(argument)  # a slip: the parser says that there is no such option
    else:
        query.append(argument)


def lead_query(
    context: typer.Context, words: Sequence[str] | None, sort: str | None = None
) -> LeadQuery:
    """The leads a command is about.

    Raises:
        WrongUsage: the query cannot be read, or there is no such column to sort by.
    """
    from crm_tui.services.filters import Standpoint
    from crm_tui.services.lead_query import LeadQuery, Sort

    order = None if sort is None else Sort.parse(sort)
    standpoint = Standpoint.of(invocation(context).settings, utc_now())
    return LeadQuery(" ".join(words or ()), order, standpoint)
