"""What is remembered of the erased: salted hashes of their keys, by which they are known again.

A hash says nothing to a reader. Whoever has the store, its salt included, can try a number or an
address and see whether it is among the erased, and no more (docs/decisions/0018).
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b

from sqlalchemy import select
from sqlalchemy.dialects.sqlite import insert

from crm_tui.db.engine import ReadSession, WriteSession
from crm_tui.db.models import ErasedKey, Setting
from crm_tui.errors import BadInput
from crm_tui.services.contacts import Contact
from crm_tui.services.imports.match import By, Identity, bare_name, plain_code
from crm_tui.vocabulary import ContactKind, ErasedKind

REASON = "erased on request"
"""Why a row of a list is left out."""

SALT = "erasure_salt"
"""The setting that holds the salt, made by the first erasure."""

_KINDS = {
    By.LEGACY: ErasedKind.KEY,
    By.ROW: ErasedKind.KEY,
    By.PLACE_ID: ErasedKind.PLACE_ID,
    By.GOOGLE_ID: ErasedKind.PLACE_ID,
    By.KEY: ErasedKind.KEY,
    By.PHONE: ErasedKind.PHONE,
    By.EMAIL: ErasedKind.EMAIL,
    By.DOMAIN: ErasedKind.DOMAIN,
    By.TWIN: ErasedKind.NAME,
}
_IDS = (By.LEGACY, By.ROW, By.PLACE_ID, By.GOOGLE_ID, By.KEY)
_PEOPLE = (By.PHONE, By.EMAIL)
_PLACES = (By.PLACE_ID, By.GOOGLE_ID)


@dataclass(frozen=True, slots=True)
class Erased:
    """The keys of everybody erased, as hashes."""

    salt: bytes
    hashes: frozenset[str]

    def is_known(self, identity: Identity) -> bool:
        """Whether an id says that this is one of the erased, whatever it looks like otherwise."""
        return bool(self.hashes) and self._any(_keys(identity, _IDS))

    def may_be_known(self, identity: Identity) -> bool:
        """Whether anything says so: an id, a phone, an address; a domain with the name or postcode.

        As in comparing leads, a name with a postcode, or a domain, says nothing of two places
        that both have ids of their own.
        """
        if not self.hashes:
            return False
        sure = _keys(identity, (*_IDS, *_PEOPLE))
        near = _near(identity, placed=False)
        if not any(by in identity.keys for by in _PLACES):
            near += _near(identity, placed=True)
        return self._any([*sure, *near])

    def has_legacy(self, external_id: str) -> bool:
        """Whether a record of an old store was of one of the erased."""
        return self._any([(ErasedKind.KEY, external_id)])

    def has_contact(self, contact: Contact) -> bool:
        """Whether a phone or an e-mail address was one of theirs."""
        kinds = {ContactKind.PHONE: ErasedKind.PHONE, ContactKind.EMAIL: ErasedKind.EMAIL}
        kind = kinds.get(contact.kind)
        return kind is not None and self._any([(kind, contact.value)])

    def _any(self, keys: Iterable[tuple[ErasedKind, str]]) -> bool:
        return bool(self.hashes) and any(_hash(self.salt, *key) in self.hashes for key in keys)


NOBODY = Erased(b"", frozenset())
"""Before anybody was erased."""


async def load_erased(session: ReadSession) -> Erased:
    """What is remembered of the erased."""
    hashes = frozenset(await session.scalars(select(ErasedKey.hash)))
    salt = await session.scalar(select(Setting.value).where(Setting.name == SALT))
    return Erased(bytes.fromhex(salt or ""), hashes)


async def remember(session: WriteSession, identities: Iterable[Identity], *, now: datetime) -> None:
    """Keep hashes of everything that leads to somebody who is being erased."""
    salt = await _salt(session)
    rows: dict[str, ErasedKind] = {}
    for identity in identities:
        placed = any(by in identity.keys for by in _PLACES)
        keys = _keys(identity, (*_IDS, *_PEOPLE)) + _near(identity, placed=placed)
        rows |= {_hash(salt, kind, value): kind for kind, value in keys}
    if rows:
        await session.execute(
            insert(ErasedKey).on_conflict_do_nothing(),
            [{"hash": key, "kind": kind, "erased_at": now} for key, kind in rows.items()],
        )


async def refuse_erased(session: ReadSession, contact: Contact) -> None:
    """See that a phone or address that is typed in is not one of the erased.

    Raises:
        BadInput: it is.
    """
    erased = await load_erased(session)
    if erased.has_contact(contact):
        raise BadInput(
            f"{contact.value} belongs to somebody who was {REASON}. If it may be kept all the "
            "same, add it with --duplicate."
        )


async def _salt(session: WriteSession) -> bytes:
    """The salt of this store, made when it is needed first."""
    fresh = insert(Setting).values(name=SALT, value=secrets.token_hex(32))
    await session.execute(fresh.on_conflict_do_nothing())
    salt = await session.scalar(select(Setting.value).where(Setting.name == SALT))
    return bytes.fromhex(salt or "")


def _hash(salt: bytes, kind: ErasedKind, value: str) -> str:
    said = f"{kind}\0{value}".encode("utf-8", "surrogatepass")
    return blake2b(said, key=salt, digest_size=16).hexdigest()


def _keys(identity: Identity, kinds: Iterable[By]) -> list[tuple[ErasedKind, str]]:
    return [(_KINDS[by], value) for by in kinds for value in identity.keys.get(by, ())]


def _near(identity: Identity, *, placed: bool) -> list[tuple[ErasedKind, str]]:
    """What says who it is only together: a domain with the name or postcode, and those two.

    `placed` tells those whose place has an id from those whose has none.
    """
    mark = "placed" if placed else ""
    name = bare_name(identity.name)
    code = plain_code(identity.postal_code or "")
    keys = [(ErasedKind.NAME, f"{mark}\0{twin}") for twin in identity.keys.get(By.TWIN, ())]
    for domain in identity.keys.get(By.DOMAIN, ()):
        keys.append((ErasedKind.DOMAIN, f"{mark}\0{domain}\0name\0{name}"))
        if code:
            keys.append((ErasedKind.DOMAIN, f"{mark}\0{domain}\0code\0{code}"))
    return keys
