"""Whose value each field of a merged lead gets: a pure decision over the leads' columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from crm_tui.services.imports.match import same_postal_code
from crm_tui.services.search import FOLDED, folded, sort_name
from crm_tui.text import fold
from crm_tui.vocabulary import ContactKind, Outcome

Values = Mapping[str, Any]
"""The columns of a lead by name."""

Choices = Mapping[str, int]
"""The id of the lead whose value is taken, by the name of the field."""


@dataclass(frozen=True, slots=True)
class Field:
    """What is chosen as one: a column, or several that make sense only together.

    Attributes:
        name: as choices name it.
        columns: the columns of a business.
        point: of a contact, its kind: chosen is which one is the primary.
    """

    name: str
    columns: tuple[str, ...]
    point: ContactKind | None = None


ADDRESS = ("street", "city", "region", "postal_code", "country")
_PLACE = ("latitude", "longitude")

FIELDS = {
    field.name: field
    for field in (
        Field("name", ("name",)),
        Field("category", ("category",)),
        Field("address", ADDRESS + _PLACE),
        Field("phone", ("phone",), ContactKind.PHONE),
        Field("email", ("email",), ContactKind.EMAIL),
        Field("website", ("website",), ContactKind.WEBSITE),
        Field("rating", ("rating", "review_count")),
        Field("photos", ("photo_count",)),
        Field("hours", ("hours",)),
        Field("timezone", ("timezone",)),
        Field("outcome", ("outcome", "outcome_reason")),
    )
}
"""What can be chosen, in the order it is shown."""


def united(kept: Values, others: Sequence[Values], choices: Choices) -> dict[str, Any]:
    """The columns of the kept lead that change, contacts left out.

    Its own values win, empty ones are filled from the others in their order, and a choice wins
    over both. The address is filled only from a lead at the same place: no mixture of two.
    Must not be contacted wins, and so does being in the list over being in the archive.
    """
    values = dict(kept)
    for name, field in FIELDS.items():
        if field.point is not None:
            continue
        if (chosen := choices.get(name, kept["id"])) != kept["id"]:
            lead = next(each for each in others if each["id"] == chosen)
            values.update({column: lead[column] for column in field.columns})
        for lead in others:
            _fill(values, lead, field)
    values["custom"] = {**_customs(others), **kept["custom"]}
    _stop(values, others)
    if any(lead["archived_at"] is None for lead in others):
        values["archived_at"] = None
    values["place_id"] = next((p for p in _all("place_id", kept, others) if p), None)
    changes = {name: value for name, value in values.items() if value != kept[name]}
    if "name" in changes:
        changes["sort_name"] = sort_name(changes["name"])
    return changes | folded({name: changes[name] for name in FOLDED if name in changes})


def is_empty(lead: Values, field: Field) -> bool:
    """Whether a lead says nothing in a field."""
    return all(lead[column] is None or lead[column] is Outcome.OPEN for column in field.columns)


def _fill(values: dict[str, Any], lead: Values, field: Field) -> None:
    """Fill what is empty in a field from another lead."""
    if field.name == "outcome":
        if is_empty(values, field):
            values.update({column: lead[column] for column in field.columns})
        return
    columns = _fillable_address(values, lead) if field.name == "address" else field.columns
    values.update({column: lead[column] for column in columns if values[column] is None})


def _fillable_address(values: Values, lead: Values) -> tuple[str, ...]:
    """The parts of the address, unless the two are of different places."""
    for name in ("street", "city", "country"):
        if values[name] and lead[name] and fold(values[name]) != fold(lead[name]):
            return ()
    codes = values["postal_code"], lead["postal_code"]
    if all(codes) and not same_postal_code(*codes):
        return ()
    whole = all(values[name] is None and lead[name] is not None for name in _PLACE)
    return ADDRESS + _PLACE if whole else ADDRESS


def _customs(others: Sequence[Values]) -> dict[str, Any]:
    """What the others' custom fields say; of two, the first one counts."""
    customs: dict[str, Any] = {}
    for lead in reversed(others):
        customs |= lead["custom"]
    return customs


def _stop(values: dict[str, Any], others: Sequence[Values]) -> None:
    """Take over from any of the others that nobody may contact it."""
    for lead in others:
        if lead["do_not_contact"] and not values["do_not_contact"]:
            values["do_not_contact"] = True
            values["do_not_contact_reason"] = lead["do_not_contact_reason"]


def _all(name: str, kept: Values, others: Sequence[Values]) -> list[Any]:
    return [kept[name], *(lead[name] for lead in others)]
