"""Reading what the operator types into the fields of a lead."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from zoneinfo import available_timezones

from crm_tui.config import Settings
from crm_tui.errors import BadInput, WrongUsage
from crm_tui.services import contacts, points
from crm_tui.services.search import folded, sort_name
from crm_tui.vocabulary import ContactKind

EDITABLE = (
    "name",
    "category",
    "street",
    "city",
    "region",
    "postal_code",
    "country",
    "phone",
    "email",
    "website",
    "timezone",
)
"""The fields the operator can set, in the order a form shows them."""

CONTACTS = {name: kind for kind, name in points.PRIMARY_COLUMNS.items()}
"""The fields that are contact points, and of which kind."""


def read(
    fields: Mapping[str, str], settings: Settings, *, country: str | None = None
) -> dict[str, Any]:
    """Columns from what was typed: text or None, and a contacts.Contact for a contact point.

    Args:
        fields: what was typed, by names of EDITABLE; empty text clears a field.
        settings: for the region of phones where no country is known.
        country: of the lead, where it is not among the fields.

    Raises:
        WrongUsage: there is no such field.
        BadInput: a value cannot be used.
    """
    unknown = sorted(set(fields) - set(EDITABLE))
    if unknown:
        raise WrongUsage(
            f"A lead has no field {unknown[0]!r} that can be set; "
            f"choose from {', '.join(EDITABLE)}."
        )
    given = {name: " ".join(text.split()) for name, text in fields.items()}
    if "name" in given and not given["name"]:
        raise BadInput("A lead needs a name.")
    region = _country(given.get("country", country or "")) or settings.imports.default_region
    values: dict[str, Any] = {}
    for name, text in given.items():
        if name in CONTACTS:
            values[name] = _contact(name, text, region) if text else None
        else:
            known = {"country": _country, "timezone": _timezone}.get(name)
            values[name] = known(text) if known else text or None
    if "name" in values:
        values["sort_name"] = sort_name(values["name"])
    return values | folded(values)


def _country(text: str) -> str | None:
    if not text:
        return None
    from crm_tui.services.addresses import country_code  # noqa: PLC0415 - slow to import

    code = country_code(text)
    if not code:
        raise BadInput(f"{text!r} is not a country; use its two letters, such as US or CY.")
    return code


def _timezone(text: str) -> str | None:
    known = {name.casefold(): name for name in available_timezones()}
    if text and text.casefold() not in known:
        raise BadInput(f"{text!r} is not a time zone; use a name such as America/New_York.")
    return known[text.casefold()] if text else None


def _contact(name: str, text: str, region: str) -> contacts.Contact:
    read: contacts.Contact | None
    if name == "phone":
        read = contacts.phone(text, region)
    elif name == "email":
        read = contacts.email(text)
    else:
        read = contacts.website(text)
    if read is None or not read.valid:
        problem = read.problem if read else "it cannot be read"
        raise BadInput(f"{text!r} is no {name} that can be used: {problem}.")
    return read


def own_column(value: Any) -> Any:
    """What the business's own column will hold: a page on a network is no website of its own."""
    if isinstance(value, contacts.Contact):
        return None if value.kind is ContactKind.SOCIAL else value.value
    return value


def is_social(value: Any) -> bool:
    """Whether it is a page on a network."""
    return isinstance(value, contacts.Contact) and value.kind is ContactKind.SOCIAL
