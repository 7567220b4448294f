"""The commands of the root: what each is for, and the module it is read from when it is asked for.

To import all of them and to build their options takes longer than most of them run, and longer than
the app takes to its first picture.
"""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping
from importlib import import_module
from typing import Any, NamedTuple

import typer
import typer.main
from typer.core import TyperCommand, TyperGroup


class Part(NamedTuple):
    """One command, or one group of commands, of the root.

    Attributes:
        about: the first sentence of its help.
        module: where it is, under `crm_tui.cli`. A module that has `register` adds its commands to
            the root with it; any other is a group, `app`.
    """

    about: str
    module: str


PARTS = {
    "leads": Part("List, show, add and edit leads.", "leads"),
    "import": Part(
        "Import lists of leads; what is there already is merged, not repeated.", "imports"
    ),
    "imports": Part("List, show and take back imports.", "imports"),
    "tasks": Part("Follow-ups: list, add, done, put off.", "tasks"),
    "views": Part("Saved views of the lead list: list, save, delete.", "views"),
    "sites": Part("Build, list, open, repair and publish preview sites.", "sites"),
    "templates": Part("The texts that mails are made from: list, show, check, edit.", "templates"),
    "campaigns": Part(
        "Write to many leads: create, start, follow, pause and end campaigns.", "campaigns"
    ),
    "inbox": Part(
        "Answers, bounces, opt-outs and payments that belong to no lead yet: list, link, dismiss.",
        "inbox",
    ),
    "suppression": Part(
        "Who must not be contacted: list, add, remove, import, export.", "suppression"
    ),
    "plans": Part("What is sold: add, list, edit, archive.", "plans"),
    "payments": Part("Payments: ask, record, list, give back.", "payments"),
    "customers": Part("Customers: list, edit.", "customers"),
    "subscriptions": Part("Subscriptions: list, end, pause, resume, change.", "customers"),
    "spend": Part("What was spent on winning customers: add, list, import, remove.", "spend"),
    "funnel": Part(
        "How many leads reached each stage, such as: funnel --from 2026-09-01 --where city:Queens.",
        "funnel",
    ),
    "kpis": Part("Every figure of a period, such as: kpis --from 2026-09-01 --explain.", "funnel"),
    "report": Part(
        "Tell everything at once, such as: report --from 2026-09-01 --html autumn.html.", "report"
    ),
    "worker": Part(
        "Work without the app, until ctrl+c: read the mailbox and send what is due.", "worker"
    ),
    "providers": Part(
        "Accounts for mail, text messages and payments: list, add, use and try them.", "providers"
    ),
    "undo": Part(
        "Take back the last thing that was done; leads changed since are left, and named.", "undo"
    ),
    "redo": Part("Do again what was undone last.", "undo"),
    "backup": Part(
        "Copy the store, the settings, templates and themes into one checked file.", "care"
    ),
    "restore": Part(
        "Put a backup in the place of the store; what is there is backed up first.", "care"
    ),
    "doctor": Part(
        "Check the store: the file, statuses, sites, the search index and more.", "care"
    ),
    "config": Part("Where the settings are, and what they are.", "config"),
    "completions": Part("Print the script that completes commands in your shell.", "completions"),
    "demo": Part(
        "Open the app on a throw-away store of 500 invented leads with campaigns; nothing is sent.",
        "care",
    ),
}


class Root(TyperGroup):
    """The root of the command line, with `PARTS` as its commands."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.commands = _Commands()

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """List the commands in the help, of which no more is needed than what they are for."""
        commands = self.commands
        self.commands = {name: TyperCommand(name, help=part.about) for name, part in PARTS.items()}
        try:
            super().format_commands(ctx, formatter)
        finally:
            self.commands = commands

    def list_commands(self, ctx: Any) -> list[str]:
        """The names, in the order of the work."""
        del ctx
        return list(PARTS)


class _Commands(MutableMapping[str, Any]):
    """The commands by name, each read when it is asked for."""

    def __init__(self) -> None:
        self._read: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in self._read:
            self._read.update(_read(name))
        return self._read[name]

    def __setitem__(self, name: str, command: Any) -> None:
        self._read[name] = command

    def __delitem__(self, name: str) -> None:
        del self._read[name]

    def __iter__(self) -> Iterator[str]:
        return iter(PARTS)

    def __len__(self) -> int:
        return len(PARTS)


def _read(name: str) -> dict[str, Any]:
    """The command, and what else its module adds to the root."""
    module = import_module(f"crm_tui.cli.{PARTS[name].module}")
    root = typer.Typer(rich_markup_mode=None)
    if hasattr(module, "register"):
        module.register(root)
    else:
        root.add_typer(module.app, name=name)
    return dict(typer.main.get_group(root).commands)
