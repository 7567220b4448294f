"""Why a lead is left out of a campaign: the phrases, and which of them holds."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import NamedTuple

from crm_tui.services.campaigns.domains import domain_of
from crm_tui.services.contacts.telephone import why_no_texts
from crm_tui.services.mailable import mailable
from crm_tui.vocabulary import Channel, ContactState, ContactStatus, Outcome

ERASED = "erased"
ARCHIVED = "archived"
NO_ADDRESS = "no e-mail address"
NO_NUMBER = "no phone number for text messages"
ROLE = "a role address such as info@, which the settings leave out"
SHARED = "the address is shared by several businesses"
NO_MAIL = "the domain of the address takes no mail"
ELSEWHERE = "in another campaign that is not over"
SHARED_NUMBER = "the number is shared by several businesses"
NUMBER_IN = "another lead of this campaign has the number"
ALREADY_IN = "already in this campaign"
ADDRESS_IN = "another lead of this campaign has the address"
BOUGHT = "purchased already"
LATE = "asked for only after it was agreed who gets it"

_STATES = {
    ContactState.BOUNCED: "bounced: mail to the address came back",
    ContactState.COMPLAINED: "complained: a mail was reported as spam",
    ContactState.UNSUBSCRIBED: "unsubscribed",
    ContactState.STOPPED: "stopped: asked for no more messages",
    ContactState.INVALID: "invalid: the address is marked as wrong",
}
_NUMBER_STATES = _STATES | {
    ContactState.INVALID: "invalid: the number is marked as wrong",
    ContactState.BOUNCED: "bounced: a text message to the number came back",
}
_SETTLED = {
    Outcome.LOST: "the lead was lost",
    Outcome.WON: "the lead was won",
    Outcome.WRONG_CONTACT: "it is the wrong contact",
}


def contacted(days: int) -> str:
    """Why somebody is left out who was written to lately."""
    return f"written to within the last {days} {'day' if days == 1 else 'days'}"


class Asked(NamedTuple):
    """A lead that was asked for, with what its own row and that of its address (or number) say."""

    id: int
    name: str
    address: str | None
    person: str | None
    state: ContactState | None
    erased: bool
    archived: bool
    never: str | None
    status: ContactStatus
    outcome: Outcome
    barred: str | None
    """Why the lead itself is suppressed."""


class Known(NamedTuple):
    """What the rest of the store knows of some leads and their addresses.

    Attributes:
        barred: why addresses are suppressed, by address.
        shared: addresses that several leads have.
        dead: domains that take no mail.
        contacted, contacted_addresses: leads and addresses that were written to lately.
        elsewhere: leads that wait for a mail of another campaign.
        inside, addresses: leads in this campaign, and the addresses it writes to.
    """

    barred: dict[str, str]
    shared: set[str]
    dead: set[str]
    contacted: set[int]
    contacted_addresses: set[str]
    elsewhere: set[int]
    inside: set[int]
    addresses: set[str]


def why_not(
    lead: Asked,
    known: Known,
    *,
    role_addresses: bool,
    spared_days: int,
    channel: Channel = Channel.EMAIL,
) -> str:
    """Why a lead gets nothing, the gravest reason first; "" where it does.

    Whoever was written to within `spared_days` is left out; with 0 nobody is for that.
    """
    reasons = chain(
        _of_lead(lead, known),
        _of_number(lead, known)
        if channel is Channel.SMS
        else _of_address(lead, known, role_addresses=role_addresses),
        _of_before(lead, known, spared_days) if spared_days else (),
    )
    return next(reasons, "")


def is_recent(lead: Asked, known: Known) -> bool:
    """Whether a lead was written to lately, or waits for a mail of another campaign."""
    return any(_of_before(lead, known, 0))


def _of_lead(lead: Asked, known: Known) -> Iterator[str]:
    if lead.id in known.inside:
        yield ALREADY_IN
    if lead.erased:
        yield ERASED
    if lead.archived:
        yield ARCHIVED
    if lead.never is not None:
        yield f"do not contact: {lead.never}"
    if lead.barred is not None:
        yield f"suppressed: {lead.barred}"
    if lead.status is ContactStatus.PURCHASED:
        yield BOUGHT
    if lead.outcome in _SETTLED:
        yield _SETTLED[lead.outcome]


def _of_number(lead: Asked, known: Known) -> Iterator[str]:
    if lead.address is None:
        yield NO_NUMBER
        return
    if lead.state in _NUMBER_STATES:
        yield _NUMBER_STATES[lead.state]
    if lead.address in known.barred:
        yield f"suppressed: {known.barred[lead.address]}"
    if why := why_no_texts(lead.address):
        yield why
    if lead.address in known.addresses:
        yield NUMBER_IN
    if lead.address in known.shared:
        yield SHARED_NUMBER


def _of_address(lead: Asked, known: Known, *, role_addresses: bool) -> Iterator[str]:
    if lead.address is None:
        yield NO_ADDRESS
        return
    found = mailable(lead.address)
    if found.problem:
        yield found.problem
    if lead.state in _STATES:
        yield _STATES[lead.state]
    if lead.address in known.barred:
        yield f"suppressed: {known.barred[lead.address]}"
    if found.role and not role_addresses:
        yield ROLE
    if lead.address in known.addresses:
        yield ADDRESS_IN
    if lead.address in known.shared:
        yield SHARED
    if domain_of(lead.address) in known.dead:
        yield NO_MAIL


def _of_before(lead: Asked, known: Known, days: int) -> Iterator[str]:
    if lead.id in known.contacted or lead.address in known.contacted_addresses:
        yield contacted(days)
    if lead.id in known.elsewhere:
        yield ELSEWHERE
