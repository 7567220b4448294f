"""What is known of customers for their invoices: name, address, country and tax number."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import func, select, true, update

from crm_tui.db.engine import ReadSession, WriteSession
from crm_tui.db.models import Customer, Event
from crm_tui.errors import BadInput, NotFound, WrongUsage
from crm_tui.services import events, leads
from crm_tui.services.events import OPERATOR, NewEvent
from crm_tui.text import plain_line, visible
from crm_tui.vocabulary import EventKind

_ADDRESS = ("street", "city", "region", "postal_code")
FIELDS = ("name", "email", *_ADDRESS, "country", "tax_id")
"""What can be said of a customer."""

LONGEST = 300

_COUNTRY = re.compile(r"[A-Z]{2}\Z")
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\Z")


async def details(session: ReadSession, business_id: int) -> dict[str, str]:
    """What is known of a customer, by FIELDS; "" is nothing.

    Raises:
        NotFound: there is no such lead, or it has bought nothing.
    """
    name = await leads.require(session, business_id)
    row = (
        await session.execute(
            select(
                Customer.name, Customer.email, Customer.address, Customer.country, Customer.tax_id
            ).where(Customer.business_id == business_id)
        )
    ).first()
    if row is None:
        raise NotFound(
            f"{visible(name, 60)} is no customer: it has bought nothing. Record its payment with "
            f"`crm-tui payments add {business_id}`."
        )
    address = row.address or {}
    known = {"name": row.name, "email": row.email, "country": row.country, "tax_id": row.tax_id}
    known |= {field: address.get(field) for field in _ADDRESS}
    return {field: known[field] or "" for field in FIELDS}


async def edit(
    session: WriteSession, business_id: int, changes: Mapping[str, str], *, now: datetime
) -> tuple[str, ...]:
    """Change what is known of a customer; "" clears a field. Returns those that really changed.

    Raises:
        NotFound: there is no such lead, or it has bought nothing.
        WrongUsage: there is no such field.
        BadInput: a value cannot be used.
    """
    known = await details(session, business_id)
    wanted = {field: _value(field, text) for field, text in changes.items()}
    changed = tuple(field for field in FIELDS if field in wanted and wanted[field] != known[field])
    if not changed:
        return ()
    after = known | wanted
    await session.execute(
        update(Customer)
        .where(Customer.business_id == business_id)
        .values(
            **{field: after[field] or None for field in ("name", "email", "country", "tax_id")},
            address=await _address(session, business_id, after),
        )
    )
    words = ", ".join(field.replace("_", " ") for field in changed)
    told = NewEvent(
        business_id,
        EventKind.EDITED,
        now,
        f"changed {words} for invoices",
        OPERATOR,
        data={"customer": [*changed]},
    )
    await events.record(session, told, now=now)
    return changed


async def typed_columns(session: ReadSession, business_id: int) -> set[str]:
    """The columns of a customer that the operator wrote: no payment changes them."""
    fields = func.json_each(Event.data, "$.customer").table_valued("value")
    rows = await session.scalars(
        select(fields.c.value)
        .select_from(Event)
        .join(fields, true())
        .where(
            Event.business_id == business_id,
            Event.kind == EventKind.EDITED,
            Event.is_voided.is_(False),
        )
    )
    return {"address" if field in _ADDRESS else field for field in rows}


async def _address(
    session: ReadSession, business_id: int, after: Mapping[str, str]
) -> dict[str, Any] | None:
    """The address as it is kept: what a provider told beside our fields stays."""
    kept = await session.scalar(select(Customer.address).where(Customer.business_id == business_id))
    others = {name: value for name, value in (kept or {}).items() if name not in _ADDRESS}
    address = others | {field: after[field] for field in _ADDRESS if after[field]}
    return address or None


def _value(field: str, text: str) -> str:
    if field not in FIELDS:
        raise WrongUsage(f'"{plain_line(field)}" is nothing of a customer: {", ".join(FIELDS)}.')
    value = plain_line(text)
    if len(value) > LONGEST:
        raise BadInput(f"The {field.replace('_', ' ')} has {LONGEST} characters at most.")
    if field == "country" and value:
        value = value.upper()
        if not _COUNTRY.match(value):
            raise BadInput(
                f'"{plain_line(text)}" is no country: write its two letters, such as US.'
            )
    if field == "email" and value and not _EMAIL.match(value):
        raise BadInput(f'"{value}" is no e-mail address.')
    return value
