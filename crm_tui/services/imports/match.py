"""Which business a lead is: a pure decision over what leads to both.

The rules are the domain's (Duplicates). Identities are compared pairwise by `compare`; an `Index`
keeps those of many businesses by everything that can lead to them, so that a lead is only compared
with the few that share something with it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

from rapidfuzz import fuzz

from crm_tui.services.contacts import is_role_address
from crm_tui.text import fold
from crm_tui.vocabulary import ContactKind

SIMILAR = 85
"""From this token set ratio (0-100) on, two folded names are similar."""

LOOKED_AT = 50
"""How many businesses that share one key are looked at, the oldest first. What more share says
nothing about who they are: the number of a call centre, the domain of an agency."""

# Legal forms say nothing about who somebody is, and are left out as often as not.
_LEGAL_FORMS = frozenset(
    """
    co company corp corporation inc incorporated limited llc llp lp ltd pc plc pllc
    ag eg ek ev gbr gmbh kg ohg ug sa sarl sas sl slu spa srl bv nv vof ab as aps oy oü pty
    """.split()
)
_WORD = re.compile(r"\w+")
_NAME_COMPARED = 200


class By(StrEnum):
    """What can lead to a business, the surest first."""

    LEGACY = "id in the old store"
    ROW = "row of a list"
    PLACE_ID = "place id"
    GOOGLE_ID = "Google id"
    KEY = "key"
    PHONE = "phone"
    EMAIL = "e-mail"
    DOMAIN = "domain"
    TWIN = "name and postcode"


_RANK = {by: rank for rank, by in enumerate(By)}
_PLACES = (By.PLACE_ID, By.GOOGLE_ID)


@dataclass(frozen=True, slots=True)
class Identity:
    """What tells a business from others. `keys` holds values by what they are; empty ones lack."""

    name: str
    postal_code: str | None
    keys: dict[By, frozenset[str]]


def identity(
    name: str,
    sort_name: str,
    postal_code: str | None,
    *,
    points: Iterable[tuple[ContactKind, str, str | None]] = (),
    place_ids: Iterable[str | None] = (),
    google_ids: Iterable[str | None] = (),
    own_keys: Iterable[str | None] = (),
    legacy: Iterable[str | None] = (),
    rows: Iterable[str | None] = (),
) -> Identity:
    """The identity of a business or a lead.

    Args:
        name: As written.
        sort_name: As services.search.sort_name gives it.
        postal_code: As written.
        points: Usable contact points: kind, normalised value, registrable domain.
        place_ids: Google's place ids, aliases included.
        google_ids: Google's feature ids ("0x…:0x…").
        own_keys: Keys (UUIDs) this program gave.
        legacy: Ids in an old store.
        rows: What rows without any id say of who it is.
    """
    keys = {
        By.LEGACY: legacy,
        By.ROW: rows,
        By.PLACE_ID: place_ids,
        By.GOOGLE_ID: google_ids,
        By.KEY: own_keys,
        **_of_points(points),
        By.TWIN: (f"{sort_name}\n{postal_code}",) if postal_code else (),
    }
    return Identity(
        name,
        postal_code,
        {by: found for by, values in keys.items() if (found := frozenset(filter(None, values)))},
    )


def _of_points(points: Iterable[tuple[ContactKind, str, str | None]]) -> dict[By, list[str | None]]:
    """Phones, e-mails and domains; an address of a desk ("info@…") leads to nobody in particular.

    Free mail providers have no domain here (services.contacts), nor have pages on networks.
    """
    phones: list[str | None] = []
    emails: list[str | None] = []
    domains: list[str | None] = []
    for kind, value, domain in points:
        if kind is ContactKind.PHONE:
            phones.append(value)
        elif kind is ContactKind.WEBSITE:
            domains.append(domain)
        elif kind is ContactKind.EMAIL and not is_role_address(value):
            emails.append(value)
            domains.append(domain)
    return {By.PHONE: phones, By.EMAIL: emails, By.DOMAIN: domains}


class Verdict(StrEnum):
    """What a comparison comes to."""

    SAME = "same"
    ALIKE = "alike"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Likeness:
    """The verdict, by what the two were compared, and why in words."""

    verdict: Verdict
    by: By
    why: str


_OTHER = Likeness(Verdict.OTHER, By.TWIN, "")


def compare(one: Identity, other: Identity) -> Likeness:
    """Whether two identities are of the same business; the order of the two does not matter.

    Equal rows of lists without ids are one business. A place id they share makes them
    the same, place ids that differ make them different whatever else they share. Otherwise the same
    key or phone merges; the same domain or e-mail address only with a similar name or the same
    postcode. Anything less makes them alike: a suggestion.
    """
    shared = {
        by for by, values in one.keys.items() if not values.isdisjoint(other.keys.get(by, ()))
    }
    for by in (By.LEGACY, By.ROW, *_PLACES):
        if by in shared:
            return _same(by)
    if any(by in one.keys and by in other.keys for by in _PLACES):
        return _OTHER
    for by in (By.KEY, By.PHONE):
        if by in shared:
            return _same(by)
    for by in (By.EMAIL, By.DOMAIN):
        if by in shared:
            return _near(one, other, by)
    if By.TWIN in shared:
        return Likeness(Verdict.ALIKE, By.TWIN, f"same {By.TWIN}")
    return _OTHER


def _same(by: By) -> Likeness:
    return Likeness(Verdict.SAME, by, f"same {by}")


def _near(one: Identity, other: Identity, by: By) -> Likeness:
    if similar(one.name, other.name):
        return Likeness(Verdict.SAME, by, f"same {by} and a similar name")
    if same_postal_code(one.postal_code, other.postal_code):
        return Likeness(Verdict.SAME, by, f"same {by} and postcode")
    return Likeness(Verdict.ALIKE, by, f"same {by}")


def similar(one: str, other: str) -> bool:
    """Whether two names may be of one business: without case, accents and legal forms."""
    return _likeness_of_names(one, other) >= SIMILAR


def _likeness_of_names(one: str, other: str) -> float:
    return fuzz.token_set_ratio(bare_name(one), bare_name(other))


@lru_cache(maxsize=4096)
def bare_name(name: str) -> str:
    """A name as names are compared: without case, accents, marks and legal forms."""
    words = _WORD.findall(fold(name[:_NAME_COMPARED]).replace("'", "").replace("\u2019", ""))
    return " ".join([word for word in words if word not in _LEGAL_FORMS] or words)


def same_postal_code(one: str | None, other: str | None) -> bool:
    """Whether two postcodes are the same; of a US ZIP+4 the first five digits count."""
    return bool(one and other) and plain_code(one or "") == plain_code(other or "")


def plain_code(code: str) -> str:
    """A postcode as postcodes are compared."""
    plain = "".join(filter(str.isalnum, code.upper()))
    return plain[:5] if plain.isdigit() and len(plain) == 9 else plain


@dataclass(frozen=True, slots=True)
class Found:
    """What was found for a lead: the business it is, or one it only looks like, and why."""

    same: int | None = None
    alike: int | None = None
    why: str = ""


class Index:
    """Businesses by everything that can lead to them."""

    def __init__(self) -> None:
        self._identities: dict[int, Identity] = {}
        self._by: dict[tuple[By, str], list[int]] = {}

    def __contains__(self, business_id: int) -> bool:
        return business_id in self._identities

    def add(self, business_id: int, known: Identity) -> None:
        """Add a business, or what has become known of one that is there."""
        before = self._identities.get(business_id)
        if before is not None:
            known = _united(before, known)
        self._identities[business_id] = known
        for by, values in known.keys.items():
            for value in values:
                ids = self._by.setdefault((by, value), [])
                if business_id not in ids:
                    ids.append(business_id)

    def leads_to(self, by: By, value: str) -> int | None:
        """The oldest business a key leads to."""
        return min(self._by.get((by, value), ()), default=None)

    def name(self, business_id: int) -> str:
        """The name of a business."""
        return self._identities[business_id].name

    def find(self, wanted: Identity) -> Found:
        """The business that is the same, else one that is alike.

        Of several that are the same, the surest key decides, then the more similar name, then the
        older business.
        """
        near = {
            business_id
            for by, values in wanted.keys.items()
            for value in values
            for business_id in sorted(self._by.get((by, value), ()))[:LOOKED_AT]
        }
        if not near:
            return Found()
        found = [(compare(wanted, self._identities[each]), each) for each in sorted(near)]
        same = [pair for pair in found if pair[0].verdict is Verdict.SAME]
        if same:
            likeness, business_id = min(same, key=lambda pair: self._order(wanted, *pair))
            return Found(same=business_id, why=likeness.why)
        for likeness, business_id in found:
            if likeness.verdict is Verdict.ALIKE:
                return Found(alike=business_id, why=likeness.why)
        return Found()

    def _order(
        self, wanted: Identity, likeness: Likeness, business_id: int
    ) -> tuple[int, float, int]:
        name = self._identities[business_id].name
        return _RANK[likeness.by], -_likeness_of_names(wanted.name, name), business_id


def _united(one: Identity, other: Identity) -> Identity:
    keys = {
        by: one.keys.get(by, frozenset()) | other.keys.get(by, frozenset())
        for by in {**one.keys, **other.keys}
    }
    return Identity(one.name, one.postal_code or other.postal_code, keys)
