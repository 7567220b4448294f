"""Two leads side by side, field by field: what each says, and whose value the merged one gets."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import TYPE_CHECKING, Any

from crm_tui.screens import lead_facts
from crm_tui.services.contacts import phone_words
from crm_tui.services.merge import FIELDS
from crm_tui.text import fold, plural
from crm_tui.vocabulary import Outcome
from crm_tui.widgets.columns import GAP, Cell, Column
from crm_tui.widgets.look import NOTHING, REACHED, Role
from crm_tui.widgets.row_paint import GUTTER

if TYPE_CHECKING:
    from crm_tui.services.duplicates import Suggestion
    from crm_tui.services.merge import Side

_LABEL = 11
_NAME, _WHY = 21, 30
_LABELS = {"email": "E-mail", "timezone": "Time zone"}


class Taken(Enum):
    """Where the merged lead gets a field from."""

    KEPT = "the kept lead"
    OTHER = "the other"
    SAME = "both say the same"
    BOTH = "both are kept"


@dataclass(frozen=True, slots=True)
class FieldRow:
    """One field of two leads.

    Attributes:
        id: Its place.
        field: Its name in services.merge.FIELDS; "" for what is not chosen but united.
        label: What it is called.
        kept: What the kept lead says.
        other: What the other says.
        taken: Whose value the merged lead gets.
    """

    id: int
    field: str
    label: str
    kept: str
    other: str
    taken: Taken

    @property
    def can_be_chosen(self) -> bool:
        """Whether both say something, and not the same."""
        return bool(self.field and self.kept and self.other) and self.taken is not Taken.SAME


@dataclass(frozen=True, slots=True)
class PairRow:
    """A suggestion in the list: the names of both leads, and why they may be the same."""

    id: int
    kept: str
    other: str
    why: str
    at_hand: Suggestion


PAIR_COLUMNS: tuple[Column[PairRow], ...] = (
    Column(
        "kept",
        "Keep",
        lambda row, _now: Cell(row.kept, Role.STRONG),
        width=_NAME,
        widest=44,
        sortable=False,
    ),
    Column(
        "other",
        "The other",
        lambda row, _now: Cell(row.other),
        width=_NAME,
        widest=44,
        rank=1,
        sortable=False,
    ),
    Column(
        "why",
        "Why",
        lambda row, _now: Cell(row.why, Role.QUIET),
        width=_WHY,
        widest=40,
        rank=2,
        sortable=False,
    ),
)


def field_rows(kept: Side, other: Side, from_other: Mapping[str, bool]) -> list[FieldRow]:
    """The fields of two leads.

    Args:
        kept: The lead that is kept.
        other: The one that goes into it.
        from_other: By the names of fields, whether the other's value was chosen.
    """
    rows: list[FieldRow] = []
    for name in FIELDS:
        one, two = (_VALUES[name](side.business) for side in (kept, other))
        if one or two:
            taken = _taken(one, two, chosen=from_other.get(name, False))
            label = _LABELS.get(name, name.capitalize())
            rows.append(FieldRow(len(rows), name, label, one, two, taken))
    for label, words in _UNITED:
        one, two = words(kept), words(other)
        if one or two:
            rows.append(FieldRow(len(rows), "", label, one, two, Taken.BOTH))
    return rows


def field_columns(kept: Side, other: Side, width: int) -> tuple[Column[FieldRow], ...]:
    """Label, kept and other; the two leads share the width there is."""
    room = max((width - 1 - GUTTER - _LABEL - 2 * GAP) // 2, 10)
    return (
        Column("label", "", _label_cell, width=_LABEL, sortable=False),
        Column(
            "kept",
            f"Keep: lead {kept.business['id']}",
            _kept_cell,
            width=room,
            sortable=False,
        ),
        Column(
            "other",
            f"Goes into it: lead {other.business['id']}",
            _other_cell,
            width=room,
            sortable=False,
        ),
    )


def _taken(kept: str, other: str, *, chosen: bool) -> Taken:
    if fold(kept) == fold(other):
        return Taken.SAME
    return Taken.OTHER if not kept or (chosen and other) else Taken.KEPT


def _label_cell(row: FieldRow, _now: datetime) -> Cell:
    return Cell(row.label, Role.QUIET)


def _kept_cell(row: FieldRow, _now: datetime) -> Cell:
    return _value_cell(row.kept, row.taken, Taken.KEPT)


def _other_cell(row: FieldRow, _now: datetime) -> Cell:
    return _value_cell(row.other, row.taken, Taken.OTHER)


def _value_cell(value: str, taken: Taken, own: Taken) -> Cell:
    """A value with a mark where it is taken, and another where it is not."""
    if taken in {Taken.SAME, Taken.BOTH}:
        return Cell(f"  {value}", Role.QUIET if taken is Taken.SAME else Role.TEXT)
    if taken is own:
        return Cell(f"{REACHED} {value}", Role.STRONG)
    return Cell(f"{NOTHING} {value}" if value else "", Role.QUIET)


# Values in words ---------------------------------------------------------------------------------


def _text(column: str) -> Callable[[Mapping[str, Any]], str]:
    return lambda business: business[column] or ""


def _address(business: Mapping[str, Any]) -> str:
    return ", ".join(lead_facts.address(business))


def _phone(business: Mapping[str, Any]) -> str:
    return phone_words(business["phone"]) if business["phone"] else ""


def _rating(business: Mapping[str, Any]) -> str:
    if business["rating"] is None:
        return ""
    reviews = business["review_count"]
    return f"{business['rating']:.1f}" + (f" ({plural(reviews, 'review')})" if reviews else "")


def _photos(business: Mapping[str, Any]) -> str:
    return plural(business["photo_count"], "photo") if business["photo_count"] else ""


def _hours(business: Mapping[str, Any]) -> str:
    hours = business["hours"]
    return f"open on {plural(len(hours), 'day')}" if hours else ""


def _outcome(business: Mapping[str, Any]) -> str:
    if business["outcome"] is Outcome.OPEN:
        return ""
    word, reason = business["outcome"].replace("_", " "), business["outcome_reason"]
    return f"{word}: {reason}" if reason else word


_VALUES: dict[str, Callable[[Mapping[str, Any]], str]] = {
    "name": _text("name"),
    "category": _text("category"),
    "address": _address,
    "phone": _phone,
    "email": _text("email"),
    "website": _text("website"),
    "rating": _rating,
    "photos": _photos,
    "hours": _hours,
    "timezone": _text("timezone"),
    "outcome": _outcome,
}


def _status(side: Side) -> str:
    return str(side.business["contact_status"])


def _never(side: Side) -> str:
    return side.business["do_not_contact_reason"] or ""


def _points(side: Side) -> str:
    return plural(len(side.points), "contact") if side.points else ""


def _work(side: Side) -> str:
    counts = (
        (side.entries, "line", None),
        (side.tasks, "follow-up", None),
        (side.sites, "site", None),
    )
    return ", ".join(plural(count, word, many) for count, word, many in counts if count)


_UNITED: Sequence[tuple[str, Callable[[Side], str]]] = (
    ("Status", _status),
    ("Never", _never),
    ("Contacts", _points),
    ("Tags", lambda side: ", ".join(side.tags)),
    ("Timeline", _work),
    ("Source", lambda side: str(side.business["source"])),
)
"""What is not chosen: all of both is kept."""
