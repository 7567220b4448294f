"""Records as names and values, whether they come from a table or from JSON."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from crm_tui.services.imports import documents, table
from crm_tui.services.imports.captured import CapturedLead, ReadOptions, RejectedRow
from crm_tui.services.imports.source import Source

_NAME_COLUMNS = ("name", "title")

ToLead = Callable[[Mapping[str, Any], int, ReadOptions], CapturedLead | RejectedRow]


def mappings(
    source: Source, options: ReadOptions, to_lead: ToLead
) -> Iterator[CapturedLead | RejectedRow]:
    """The leads of a file that a program wrote; its damaged records are rejected alone."""
    if source.layout == "table":
        return _from_table(source, options, to_lead)
    return _from_json(source, options, to_lead)


def _from_table(
    source: Source, options: ReadOptions, to_lead: ToLead
) -> Iterator[CapturedLead | RejectedRow]:
    columns = [header.lower() for header in source.headers]
    name_at = next((columns.index(name) for name in _NAME_COLUMNS if name in columns), 0)
    for row, cells, problem in table.records(source):
        if problem:
            yield RejectedRow(row, problem, table.name_in(cells, name_at))
        else:
            yield to_lead(dict(zip(columns, cells, strict=True)), row, options)


def _from_json(
    source: Source, options: ReadOptions, to_lead: ToLead
) -> Iterator[CapturedLead | RejectedRow]:
    for row, record, problem in documents.items(source):
        if record is None:
            yield RejectedRow(row, problem)
        else:
            yield to_lead(record, row, options)
