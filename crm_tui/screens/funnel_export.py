"""What the funnel shows, written to a file: as CSV or JSON, or all of it as a report to be read."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Awaitable, Callable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from crm_tui.screens.chosen_file import ChosenFile
from crm_tui.screens.funnel_sheet import Table
from crm_tui.text import visible
from crm_tui.widgets.choice import Option
from crm_tui.widgets.facts import styled
from crm_tui.widgets.forms import ChoiceField, Form, LineField
from crm_tui.widgets.look import Role

if TYPE_CHECKING:
    from crm_tui.screens.base import AppScreen, Job

_KINDS = {
    "csv": Option("csv", "CSV, for a spreadsheet: what is shown here"),
    "json": Option("json", "JSON, for a program: what is shown here"),
    "html": Option("html", "HTML, to read and print: every view and chart"),
}


def ask(
    screen: AppScreen,
    tables: Mapping[str, Table],
    name: str,
    report: Callable[[Path, Job], Awaitable[None]] | None = None,
) -> None:
    """Ask for a format and a file, and write it.

    Args:
        screen: Where it was asked for.
        tables: What is shown.
        name: What it is called, for the name of the file.
        report: Writes everything as a page to be read, which is a job; where there is none, it is not
            offered.
    """
    day = screen.host.now().astimezone(screen.host.settings.operator.zone).date()
    file = ChosenFile()

    async def save(values: Mapping[str, str]) -> None:
        kind = values["kind"]
        usual = f"{'report' if kind == 'html' else name}-{day}.{kind}"
        path = await file.path(values["path"], usual)
        if kind == "html" and report is not None:

            async def body(job: Job) -> None:
                await report(path, job)
                exported(path)

            screen.host.start_job("Report", body)
        else:
            await _write(path, as_csv(tables) if kind == "csv" else as_json(tables))
            exported(path)

    def exported(path: Path) -> None:
        screen.host.say(f"Exported to {visible(str(path))}.", Role.GOOD)

    kinds = [option for kind, option in _KINDS.items() if report is not None or kind != "html"]
    screen.app.push_screen(
        Form(
            "Export",
            [
                ChoiceField("kind", "Format", kinds, "csv"),
                LineField("path", "File", hint=f"{name}-{day}, in this folder"),
            ],
            save=save,
            verb="Export",
            about=styled("Numbers as they are, money in the currency's major unit.", Role.QUIET),
        )
    )


async def _write(path: Path, text: str) -> None:
    from crm_tui.services.export import replacing

    async with replacing(path) as file:
        file.write(text)


def as_csv(tables: Mapping[str, Table]) -> str:
    """The tables as CSV, one below the other, each under its names."""
    from crm_tui.services.export import protected

    text = io.StringIO(newline="")
    writer = csv.writer(text)
    for number, table in enumerate(tables.values()):
        if number:
            writer.writerow(())
        writer.writerow(table.names)
        writer.writerows(
            [protected(cell) if isinstance(cell, str) else cell for cell in row]
            for row in table.rows
        )
    return text.getvalue()


def as_json(tables: Mapping[str, Table]) -> str:
    """The tables as one document: {"stages": [{"stage": "captured", …}]}."""
    document = {
        name: [dict(zip(table.names, map(_plain, row), strict=True)) for row in table.rows]
        for name, table in tables.items()
    }
    return json.dumps(document, ensure_ascii=False, indent=2) + "\n"


def _plain(value: Any) -> Any:
    return float(value) if isinstance(value, Decimal) else value
