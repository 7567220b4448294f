"""A lead in the making: what every reader does with the values of a record."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

from crm_tui.services import contacts
from crm_tui.services.addresses import Address
from crm_tui.services.contacts import Contact
from crm_tui.services.imports import cells
from crm_tui.services.imports.captured import CapturedLead, CapturedPoint, RejectedRow
from crm_tui.services.imports.table import CELL_LIMIT
from crm_tui.vocabulary import ContactKind

CLOSED_TAG = "closed"
_LONGEST_WARNING = 60
# Links to a network that name nobody on it: share buttons and the network's own pages.
_NOBODYS_PAGE = re.compile(
    r"https?://[^/]+/(?:|pages/|intent/.*|share.*|sharer.*|dialog/.*|home.*|login.*|profile\.php"
    r"|tr|plugins/.*|in/|company/|user/|channel/|watch|embed/.*)\Z"
)


class Draft:
    """Collects the points, leftovers and warnings of one record."""

    __slots__ = ("_points", "_seen", "custom", "region", "row", "warnings")

    def __init__(self, row: int, region: str) -> None:
        self.row = row
        self.region = region.upper()
        self.custom: dict[str, Any] = {}
        self.warnings: list[str] = []
        self._points: list[CapturedPoint] = []
        self._seen: set[tuple[ContactKind, str]] = set()

    @property
    def points(self) -> Sequence[CapturedPoint]:
        """What was collected so far."""
        return self._points

    def phone(self, value: object, *, person: str = "", title: str = "", warn: bool = True) -> None:
        """Every phone of a cell."""
        if written := cells.text(value):
            self._add("phone", contacts.phones(written, self.region), person, title, warn=warn)

    def email(self, value: object, *, person: str = "", title: str = "", warn: bool = True) -> None:
        """Every e-mail address of a cell."""
        if written := cells.text(value):
            found = contacts.emails(written)
            self._add("e-mail", found, person, title, warn=warn)
            if warn and not found:
                self.warn("e-mail", written, "the name of a file, not an e-mail address")

    def website(self, value: object, *, warn: bool = True) -> None:
        """Every web address of a cell, social pages as such; e-mail addresses as those."""
        written = cells.text(value)
        if "@" in written and "/" not in written:
            self.email(written, warn=warn)
        elif written:
            self._add("website", contacts.websites(written), "", "", warn=warn)

    def social(self, value: object) -> None:
        """A page on a network, unless the link names nobody there."""
        written = cells.text(value)
        if not written:
            return
        for found in contacts.websites(written):
            if found.valid and not _NOBODYS_PAGE.match(found.value):
                self._put(CapturedPoint(ContactKind.SOCIAL, found.value, found.raw))

    def point(self, point: CapturedPoint) -> None:
        """A point that is normalised already."""
        self._put(point)

    def _add(
        self, what: str, found: Iterable[Contact], person: str, title: str, *, warn: bool
    ) -> None:
        for contact in found:
            self._put(CapturedPoint.of(contact, person=person, title=title))
            if warn and not contact.valid:
                self.warn(what, contact.raw, contact.problem)

    def _put(self, point: CapturedPoint) -> None:
        key = (point.kind, point.value)
        if key not in self._seen:
            self._seen.add(key)
            self._points.append(point)

    def warn(self, what: str, written: str, problem: str) -> None:
        """Note a cell that could not be read."""
        self.warnings.append(f"{what} “{written[:_LONGEST_WARNING]}”: {problem}")

    def keep(self, name: str, value: object) -> None:
        """Keep a leftover, unless it says nothing."""
        if isinstance(value, str):
            value = cells.lines(value)
        if value not in (None, "", [], {}):
            self.custom[name] = cells.plain_json(value)

    def closed(self, value: object) -> tuple[str, ...]:
        """Keep a status such as CLOSED_PERMANENTLY, and tag what will not open again.

        Such a business is imported nevertheless: the list may be wrong, and the operator can
        filter by the tag; leaving it out would bring it back with the next list.
        """
        words = cells.text(value).replace("_", " ").lower()
        if "clos" not in words or ("permanent" not in words and "temporar" not in words):
            return ()
        permanent = "permanent" in words
        self.custom["business_status"] = "closed " + ("permanently" if permanent else "temporarily")
        return (CLOSED_TAG,) if permanent else ()

    def lead(
        self, name: str, address: Address, *, person: str = "", **fields: Any
    ) -> CapturedLead | RejectedRow:
        """The lead, named by its person, site, address or number where it has no name."""
        name = name or person or self._name_from_points()
        if not name:
            return RejectedRow(self.row, "no name, and nothing to name it by")
        if len(name) > CELL_LIMIT:
            return RejectedRow(self.row, "a name of over 1 MB", name[:200])
        return CapturedLead(
            row=self.row,
            name=name,
            street=address.street or None,
            city=address.city or None,
            region=address.region or None,
            postal_code=address.postal_code or None,
            country=address.country or None,
            points=tuple(self._points),
            custom=self.custom,
            warnings=tuple(self.warnings),
            **fields,
        )

    def _name_from_points(self) -> str:
        usable = [point for point in self._points if point.valid]
        for point in usable:
            if point.domain:
                return point.domain
        return next((point.person or point.value for point in usable), "")
