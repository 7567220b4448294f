"""Reading a file as leads: the one way in for imports and for their preview."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from crm_tui.errors import BadInput
from crm_tui.services.imports.captured import CapturedLead, ReadOptions, RejectedRow
from crm_tui.services.imports.readers import gosom, outscraper, own, places, plain
from crm_tui.services.imports.sniff import sniff
from crm_tui.services.imports.source import Source

Reader = Callable[[Source, ReadOptions], Iterator[CapturedLead | RejectedRow]]

_READERS: Mapping[str, Reader] = {
    "outscraper": outscraper.read,
    "gosom": gosom.read,
    "places": places.read,
    "csv": plain.read,
    "crm-tui": own.read,
}


def read(source: Source, options: ReadOptions) -> Iterator[CapturedLead | RejectedRow]:
    """Every record of a file, one by one, in a thread's own time.

    `source.position()` of `source.size` says how far it has come. Memory does not depend on the
    number of records.

    Raises:
        BadInput: Nothing in the table can name a lead, or a JSON document breaks off further on.
    """
    return _READERS[source.format](source, options)


@dataclass(frozen=True, slots=True)
class Preview:
    """What a file seems to be, and its first rows as they would be imported.

    `headers`, `mapping`, `delimiter` and `sample` (the cells as they stand) are empty where the
    format has no columns to choose from. There are no rows while nothing in a table names them;
    `problem` says so then.
    """

    path: Path
    format: str
    encoding: str
    delimiter: str
    headers: tuple[str, ...]
    mapping: Mapping[str, str]
    sample: tuple[tuple[str, ...], ...]
    rows: tuple[CapturedLead | RejectedRow, ...]
    size: int
    problem: str = ""


def preview(
    path: Path, options: ReadOptions, *, forced: str | None = None, limit: int = 10
) -> Preview:
    """Look at a file without importing it.

    Raises:
        BadInput: It cannot be imported; the sentence says why and what to do.
    """
    with sniff(path, forced=forced) as source:
        mapping: Mapping[str, str] = {}
        sample: tuple[tuple[str, ...], ...] = ()
        rows: tuple[CapturedLead | RejectedRow, ...] = ()
        problem = ""
        if source.format == "csv":
            mapping = plain.mapping_of(source, options)
            sample = plain.sample(source, limit)
            try:
                plain.check_names(source, mapping)
            except BadInput as error:
                problem = str(error)
        if source.format != "legacy" and not problem:
            rows = tuple(islice(read(source, options), limit))
            if not rows:
                raise BadInput(f"{path} holds no leads. Export the list again.")
        return Preview(
            path=path,
            format=source.format,
            encoding=source.encoding if source.format != "legacy" else "",
            delimiter=source.delimiter if source.layout == "table" else "",
            headers=source.headers if source.format == "csv" else (),
            mapping=mapping,
            sample=sample,
            rows=rows,
            size=source.size,
            problem=problem,
        )
