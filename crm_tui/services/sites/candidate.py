"""The business a page speaks of, normalised, as it would be looked for and created."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from crm_tui.services import addresses, contacts
from crm_tui.services.addresses import Address
from crm_tui.services.contacts import Contact
from crm_tui.services.imports.match import Identity, identity
from crm_tui.services.search import sort_name
from crm_tui.services.sites.reading import PageFacts


@dataclass(frozen=True, slots=True)
class Candidate:
    """A business as its page tells of it; what the page does not say is empty.

    Attributes:
        phones: Valid ones in E.164, the first one first.
        emails: Valid ones, likewise.
        unusable: What the page gives as a phone or an e-mail address, but is none.
    """

    name: str
    category: str
    address: Address
    phones: tuple[Contact, ...]
    emails: tuple[Contact, ...]
    unusable: tuple[str, ...]

    @property
    def identity(self) -> Identity:
        """What leads to the business, if it is there already."""
        return identity(
            self.name,
            sort_name(self.name),
            self.address.postal_code or None,
            points=[(each.kind, each.value, each.domain) for each in (*self.phones, *self.emails)],
        )

    @property
    def fields(self) -> dict[str, str]:
        """What the page says, by the names of a lead's fields."""
        return {
            "name": self.name,
            "category": self.category,
            "street": self.address.street,
            "city": self.address.city,
            "region": self.address.region,
            "postal_code": self.address.postal_code,
            "country": self.address.country,
            "phone": self.phones[0].value if self.phones else "",
            "email": self.emails[0].value if self.emails else "",
        }


def candidate(page: PageFacts, *, region: str, name: str) -> Candidate:
    """Normalise what a page says.

    Args:
        page: What was read from it.
        region: ISO 3166 alpha-2 of phones where the page names no country.
        name: What the business is called if the page does not say.
    """
    stated = Address(
        street=page.street,
        city=page.city,
        region=page.region,
        postal_code=page.postal_code,
        country=addresses.country_code(page.country) if page.country else "",
    )
    address = addresses.complete(stated, page.address)
    called = [contacts.phone(raw, address.country or region) for raw in page.phones]
    written = [contact for raw in page.emails for contact in contacts.emails(raw)]
    return Candidate(
        name=page.name or name,
        category=page.category,
        address=address,
        phones=_valid(called),
        emails=_valid(written),
        unusable=tuple(each.raw for each in (*called, *written) if not each.valid),
    )


def _valid(found: Iterable[Contact]) -> tuple[Contact, ...]:
    return tuple({each.value: each for each in found if each.valid}.values())
