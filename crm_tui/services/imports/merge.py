"""What a lead adds to a business that is there: it fills what is empty, and overwrites nothing.

What the operator has emptied stays empty: that was said, not missing.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from crm_tui.services.imports.captured import CapturedLead, CapturedPoint
from crm_tui.services.imports.known import Known, KnownPoint
from crm_tui.services.imports.match import same_postal_code
from crm_tui.services.imports.prepare import Prepared
from crm_tui.services.points import PRIMARY_COLUMNS
from crm_tui.services.search import FOLDED, folded
from crm_tui.text import fold
from crm_tui.vocabulary import Outcome

Filled = dict[str, list[Any]]
"""What was written into fields, by name: [before, after]."""

_FACTS = ("category", "timezone", "rating", "review_count", "photo_count", "hours", "place_id")
_ADDRESS = ("street", "city", "region", "postal_code", "country")
_ON_THE_MAP = ("latitude", "longitude")
_OF_A_POINT = ("person", "title", "label")


def fill_fields(known: Known, prepared: Prepared) -> Filled:
    """Fill the empty columns of a business, and what its `custom` lacks."""
    values, new = known.values, prepared.values
    fields = _FACTS + _fillable_address(values, new)
    filled: Filled = {
        name: [None, new[name]]
        for name in fields
        if values[name] is None and new[name] is not None and name not in known.emptied
    }
    if values["outcome"] is Outcome.OPEN and new["outcome"] is not Outcome.OPEN:
        filled["outcome"] = [Outcome.OPEN, new["outcome"]]
        filled["outcome_reason"] = [values["outcome_reason"], new["outcome_reason"]]
    values.update({name: after for name, (_, after) in filled.items()})
    values.update(folded({name: values[name] for name in filled if name in FOLDED}))
    added = {k: v for k, v in prepared.lead.custom.items() if k not in values["custom"]}
    if added:
        values["custom"] = values["custom"] | added
        filled |= {f"custom.{name}": [None, value] for name, value in added.items()}
    return filled


def _fillable_address(values: dict[str, Any], new: dict[str, Any]) -> tuple[str, ...]:
    """The parts of the address, unless the two are of different places: no mixture of both."""
    for name in ("city", "country"):
        if values[name] and new[name] and fold(values[name]) != fold(new[name]):
            return ()
    codes = values["postal_code"], new["postal_code"]
    if all(codes) and not same_postal_code(*codes):
        return ()
    streets = values["street"], new["street"]
    if all(streets) and fold(streets[0]) != fold(streets[1]):
        return tuple(name for name in _ADDRESS if name != "street")
    whole = all(values[name] is None and new[name] is not None for name in _ON_THE_MAP)
    return _ADDRESS + _ON_THE_MAP if whole else _ADDRESS


def add_points(known: Known, lead: CapturedLead) -> list[tuple[KnownPoint, CapturedPoint]]:
    """Add the contact points a business lacks; the first usable one of a kind is the primary.

    A new lead of our own export keeps the one it had, though it was found to be wrong since.
    """
    added = []
    for captured in lead.points:
        if (captured.kind, captured.value) in known.points:
            continue
        column = PRIMARY_COLUMNS.get(captured.kind)
        if column in known.emptied and known.emptied[column] == captured.value:
            continue
        point = KnownPoint(
            captured.kind,
            captured.value,
            captured.person or None,
            captured.title or None,
            captured.label or None,
            captured.domain or None,
            usable=captured.valid,
        )
        known.points[captured.kind, captured.value] = point
        added.append((point, captured))
        may_lead = captured.valid or (captured.primary and known.new)
        if column and may_lead and known.values[column] is None:
            point.primary = True
            known.values[column] = captured.value
    return added


def fill_points(known: Known, lead: CapturedLead) -> Iterator[tuple[KnownPoint, Filled]]:
    """Fill who a contact point reaches, where the business has the point but not that."""
    for captured in lead.points:
        point = known.points.get((captured.kind, captured.value))
        if point is None:
            continue
        filled: Filled = {}
        for name in _OF_A_POINT:
            after = getattr(captured, name)
            if after and getattr(point, name) is None:
                setattr(point, name, after)
                filled[name] = [None, after]
        if filled:
            yield point, filled
