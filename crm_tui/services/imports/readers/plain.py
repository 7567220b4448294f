"""Any other table: what its columns mean is given or guessed, the rest is kept as it is."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, time
from functools import partial
from itertools import islice
from typing import Any

from crm_tui.errors import BadInput
from crm_tui.services import hours
from crm_tui.services.addresses import Address, complete, country_code
from crm_tui.services.imports import cells, mapping, table
from crm_tui.services.imports.captured import CapturedLead, ReadOptions, RejectedRow
from crm_tui.services.imports.cells import DateOrder
from crm_tui.services.imports.readers.draft import Draft
from crm_tui.services.imports.source import Source
from crm_tui.vocabulary import ContactStatus, Outcome

_SAMPLE_ROWS = 100
_DATED_ROWS = 2000
_DATE_FIELDS = ("last_contacted", "follow_up", "created_at")
_MORNING = time(9)
_NUMBERS: Mapping[str, tuple[Callable[[object], float | int | None], str]] = {
    "latitude": (partial(cells.number, least=-90, most=90), "a latitude"),
    "longitude": (partial(cells.number, least=-180, most=180), "a longitude"),
    "rating": (partial(cells.number, least=0, most=5), "a rating from 0 to 5"),
    "review_count": (cells.count, "a count"),
    "photo_count": (cells.count, "a count"),
}
_TEXTS = ("category", "timezone", "place_id", "google_id", "follow_up_note")


def mapping_of(source: Source, options: ReadOptions) -> dict[str, str]:
    """The mapping a table is read with: the one given, else a guess.

    Raises:
        BadInput: A column is mapped that the table does not have.
    """
    if options.mapping is None:
        return mapping.guess(source.headers, sample(source, _SAMPLE_ROWS))
    words = [f"{column}={field}" for column, field in options.mapping.items()]
    return mapping.parse_map(words, source.headers)


def check_names(source: Source, found: Mapping[str, str]) -> None:
    """Make sure that something names the rows of a table.

    Raises:
        BadInput: Nothing does.
    """
    if not any(field in mapping.NAMING for field in found.values()):
        columns = ", ".join(source.headers[:12])
        raise BadInput(
            f"{source.path}: no column could be recognised as the business's name. Say which one "
            f"it is with --map COLUMN=name. The columns are {columns}."
        )


def sample(source: Source, limit: int) -> tuple[tuple[str, ...], ...]:
    """The cells of a table's first good rows."""
    good = (tuple(row) for _, row, problem in table.records(source) if not problem)
    return tuple(islice(good, limit))


def read(source: Source, options: ReadOptions) -> Iterator[CapturedLead | RejectedRow]:
    """Every record of the table."""
    found = mapping_of(source, options)
    check_names(source, found)
    plain = _Plain(source, found, options)
    name_at = plain.first("name", default=0)
    for row, record, problem in table.records(source):
        if problem:
            yield RejectedRow(row, problem, table.name_in(record, name_at))
        elif any(map(str.strip, record)):
            yield plain.lead(record, row)


class _Plain:
    """A table's columns by field, worked out once for all its rows."""

    def __init__(self, source: Source, found: Mapping[str, str], options: ReadOptions) -> None:
        self._headers = source.headers
        self._options = options
        self._columns: dict[str, list[int]] = {}
        for at, header in enumerate(source.headers):
            self._columns.setdefault(found.get(header, mapping.CUSTOM), []).append(at)
        self._custom = self._columns.pop(mapping.CUSTOM, [])
        self._columns.pop(mapping.IGNORE, None)
        for field, columns in self._columns.items():
            if field not in mapping.REPEATABLE:
                self._custom += columns[1:]
        self._texts = [(field, self.first(field)) for field in _TEXTS if field in self._columns]
        self._numbers = [
            (field, self.first(field), *_NUMBERS[field])
            for field in _NUMBERS
            if field in self._columns
        ]
        self._history = {
            "status",
            "outcome",
            "do_not_contact",
            *_DATE_FIELDS,
        } & self._columns.keys()
        self._orders = self._date_orders(source)

    def first(self, field: str, default: int = -1) -> int:
        """The column of a field that has one."""
        return self._columns.get(field, [default])[0]

    def _date_orders(self, source: Source) -> dict[str, DateOrder]:
        dated = [field for field in _DATE_FIELDS if field in self._columns]
        if not dated:
            return {}
        rows = [
            row for _, row, problem in islice(table.records(source), _DATED_ROWS) if not problem
        ]
        usual = cells.usual_date_order(self._options.default_region)
        return {
            field: cells.date_order(row[self.first(field)] for row in rows) or usual
            for field in dated
        }

    def lead(self, record: Sequence[str], row: int) -> CapturedLead | RejectedRow:
        """One row."""
        draft = Draft(row, self._options.default_region)
        address = self._address(record, draft)
        if address.country:
            draft.region = address.country
        person = self._add_points(record, draft)
        fields = self._facts(record, draft)
        self._read_words(record, draft, fields)
        if self._history:
            self._read_history(record, draft, fields)
        for at in self._custom:
            if record[at]:
                draft.keep(self._headers[at], cells.unprotected(record[at]))
        name_at = self.first("name")
        name = cells.unprotected(cells.text(record[name_at])) if name_at >= 0 else ""
        return draft.lead(name, address, person=person, **fields)

    def _add_points(self, record: Sequence[str], draft: Draft) -> str:
        """Collect the ways to reach the business; returns the person they reach."""
        columns = self._columns
        names = (cells.text(record[at]) for at in columns.get("person", ()))
        person = " ".join(filter(None, names))
        title_at = self.first("title")
        title = cells.text(record[title_at]) if title_at >= 0 else ""
        for at in columns.get("phone", ()):
            draft.phone(record[at], person=person, title=title)
        for at in columns.get("email", ()):
            draft.email(record[at], person=person, title=title)
        if person and not draft.points:
            draft.keep("contact_person", f"{person}, {title}" if title else person)
        for at in columns.get("website", ()):
            draft.website(record[at])
        for at in columns.get("social", ()):
            draft.social(record[at])
        return person

    def _facts(self, record: Sequence[str], draft: Draft) -> dict[str, Any]:
        fields: dict[str, Any] = {}
        for field, at in self._texts:
            if written := cells.text(record[at]):
                fields[field] = cells.unprotected(written)
        for field, at, read_number, kind in self._numbers:
            if written := cells.text(record[at]):
                fields[field] = read_number(written)
                if fields[field] is None:
                    self._unreadable(draft, at, written, f"not {kind}")
        return fields

    def _address(self, record: Sequence[str], draft: Draft) -> Address:
        columns = self._columns

        def one(field: str) -> str:
            return cells.text(record[columns[field][0]]) if field in columns else ""

        country = one("country")
        code = country_code(country) if country else ""
        if country and not code:
            self._unreadable(draft, columns["country"][0], country, "not a country")
        street = ", ".join(
            filter(None, (cells.address(record[at]) for at in columns.get("street", ())))
        )
        known = Address(street, one("city"), one("region"), one("postal_code"), code)
        if "address" in columns:
            return complete(known, cells.address(record[columns["address"][0]]))
        return known

    def _read_words(self, record: Sequence[str], draft: Draft, fields: dict[str, Any]) -> None:
        columns = self._columns
        if "hours" in columns and (written := cells.lines(record[columns["hours"][0]])):
            fields["hours"] = hours.parse(written)
            if fields["hours"] is None:
                self._unreadable(draft, columns["hours"][0], written, "not opening hours")
        if "tags" in columns:
            fields["tags"] = tuple(tag for at in columns["tags"] for tag in cells.words(record[at]))
        if "notes" in columns:
            notes = (cells.unprotected(cells.lines(record[at])) for at in columns["notes"])
            fields["notes"] = tuple(filter(None, notes))

    def _read_history(self, record: Sequence[str], draft: Draft, fields: dict[str, Any]) -> None:
        columns = self._columns
        status: ContactStatus | None = None
        outcome: Outcome | None = None
        reason: str | None = None
        if "status" in columns and (written := cells.text(record[columns["status"][0]])):
            status, outcome, never = cells.status(written)
            if never:
                reason = f"“{written}” in the imported list"
            elif status is None:
                self._unreadable(draft, columns["status"][0], written, "not a known status")
        if "outcome" in columns and (written := cells.text(record[columns["outcome"][0]])):
            outcome = cells.outcome(written) or outcome
            if cells.outcome(written) is None:
                self._unreadable(draft, columns["outcome"][0], written, "not a known outcome")
        if "do_not_contact" in columns:
            reason = cells.do_not_contact(record[columns["do_not_contact"][0]]) or reason
        fields.update(status=status, outcome=outcome, do_not_contact=reason)
        for field in self._orders:
            fields[field] = self._date(record, draft, field)

    def _date(self, record: Sequence[str], draft: Draft, field: str) -> datetime | None:
        at = self._columns[field][0]
        written = cells.text(record[at])
        if not written:
            return None
        found = cells.moment(
            written,
            order=self._orders[field],
            zone=self._options.zone,
            at=_MORNING if field == "follow_up" else time(0),
        )
        if found is None:
            self._unreadable(draft, at, written, "not a date")
        return found

    def _unreadable(self, draft: Draft, at: int, written: str, problem: str) -> None:
        """A cell that does not say what its column is for: kept under its header, and reported."""
        draft.keep(self._headers[at], written)
        draft.warn(self._headers[at], written, problem)
