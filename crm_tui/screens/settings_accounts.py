"""The accounts of the settings: their list, all that is known of one, and the forms about it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import TYPE_CHECKING

from crm_tui.clock import ago, since_words
from crm_tui.text import visible
from crm_tui.widgets.choice import Option
from crm_tui.widgets.columns import Cell, Column
from crm_tui.widgets.facts import Fact, styled
from crm_tui.widgets.forms import ChoiceField, Field, Form, LineField
from crm_tui.widgets.look import NOTHING, REACHED, TROUBLE, Role

if TYPE_CHECKING:
    from crm_tui.config import Settings
    from crm_tui.services.accounts.about import Can, Check
    from crm_tui.services.accounts.known import Needed
    from crm_tui.services.accounts.listing import Account
    from crm_tui.widgets.forms import Save

KEY_FIELD = "key"
"""The field of a form that is never shown, nor kept."""

_MARKS = {
    "works": (REACHED, Role.GOOD),
    "not used yet": (NOTHING, Role.TEXT),
    "fails": (TROUBLE, Role.BAD),
    "left alone": (TROUBLE, Role.ATTENTION),
    "waits for you": (TROUBLE, Role.ATTENTION),
    "not set": (NOTHING, Role.QUIET),
}
_SECURITY = (
    Option("starttls", "STARTTLS"),
    Option("tls", "TLS"),
    Option("none", "None, for a server on this machine"),
)
_REGIONS = (Option("us", "United States"), Option("eu", "European Union"))
_MODES = (Option("live", "Live, real money"), Option("test", "Test, play money"))
_OWN = Option("own", "As base_url has it")
GAPS_SHOWN = 5


@dataclass(frozen=True, slots=True)
class AccountRow:
    """A line of the list: the account, and its state in words."""

    id: int
    account: Account
    state: str


def _state(row: AccountRow, _now: datetime) -> Cell:
    shape, role = _MARKS[row.account.state.value]
    return Cell(f"{shape} {row.state}", role)


def _name(row: AccountRow, _now: datetime) -> Cell:
    return Cell(row.account.title, Role.STRONG if row.account.is_set else Role.TEXT)


ACCOUNT_COLUMNS: tuple[Column[AccountRow], ...] = (
    Column("name", "Account", _name, width=8, sortable=False),
    Column("state", "State", _state, width=15, widest=24, rank=1, sortable=False),
    Column(
        "does",
        "At present",
        lambda row, _now: Cell(row.account.does),
        width=11,
        rank=2,
        sortable=False,
    ),
    Column(
        "polled",
        "Polled",
        lambda row, now: Cell(ago(row.account.last_poll_at, now), Role.QUIET),
        width=6,
        widest=10,
        rank=3,
        align="right",
        sortable=False,
    ),
    Column(
        "event",
        "Newest",
        lambda row, now: Cell(ago(row.account.last_event_at, now), Role.QUIET),
        width=6,
        widest=10,
        rank=4,
        align="right",
        sortable=False,
    ),
)


def standing_facts(row: AccountRow, *, now: datetime, zone: tzinfo | None) -> Sequence[Fact]:
    """How an account stands, what is wrong and what to do first."""
    from crm_tui.services.accounts import telling

    account = row.account
    shape, role = _MARKS[account.state.value]
    facts = [Fact("State", f"{shape} {row.state}", account.does, role)]
    if account.problem:
        facts.append(Fact("Problem", account.problem, role=Role.ATTENTION))
    facts.append(Fact("Where", account.where))
    if account.is_set:
        what = "Password" if account.name in {"smtp", "imap"} else "Key"
        facts.append(Fact(what, telling.key_words(account)))
    facts.append(Fact("Last sent", _when(account.sent_at, now, zone)))
    facts.append(Fact("Polled", _when(account.last_poll_at, now, zone)))
    facts.append(Fact("Newest event", _when(account.last_event_at, now, zone)))
    facts.append(Fact("Clock", telling.skew_words(account), role=Role.ATTENTION))
    for number, gap in enumerate(account.gaps[:GAPS_SHOWN]):
        words = telling.gap_words(gap, zone=zone)
        facts.append(Fact("" if number else "Not told", words, role=Role.ATTENTION))
    if more := len(account.gaps) - GAPS_SHOWN:
        facts.append(Fact("", f"and {more:,} before" if more > 0 else ""))
    return facts


def _when(at: datetime | None, now: datetime, zone: tzinfo | None) -> str:
    if at is None:
        return ""
    past = ago(at, now, zone=zone)
    return since_words(at, now, zone=zone) + (f", {past}" if past[:1].isdigit() else "")


def trial_facts(checks: Sequence[Check]) -> Sequence[Fact]:
    """What a trial found, step by step."""
    return [
        Fact(
            each.step.capitalize(),
            f"{REACHED if each.ok else TROUBLE} {each.words}",
            role=Role.TEXT if each.ok else Role.BAD,
        )
        for each in checks
    ]


def capability_facts(can: Can, *, acknowledged: bool) -> Sequence[Fact]:
    """What the provider can do, what it costs and what it forbids."""
    if can.channel == "payments":
        return [
            Fact("Policy", can.policy),
            Fact("Price", can.price, can.price_date),
            Fact("Limits", can.limits),
            Fact("Links", can.links),
            Fact("Asked twice", can.idempotency),
            Fact("Told", can.told),
            Fact("Fees", can.fees),
            Fact("Modes", can.modes),
            Fact("Kept", can.retention),
            Fact("Source", can.source),
        ]
    known = "you confirmed to know it" if acknowledged else ""
    return [
        Fact("Policy", can.policy, known),
        Fact("Price", can.price, can.price_date),
        Fact("Limits", can.limits),
        Fact("Sends", can.send),
        Fact("Sent twice", can.idempotency),
        Fact("Delivered", can.delivery),
        Fact("Opens", can.opened),
        Fact("Clicks", can.clicked),
        Fact("Machines", can.machine),
        Fact("Bounces", can.bounce_kind),
        Fact("Answers", can.inbound),
        Fact("Kept", can.retention),
        Fact("Source", can.source),
    ]


def account_form(account: Account, settings: Settings, can: Can, save: Save) -> Form:
    """Asks for what an account needs to be told; what is typed as its key is never shown."""
    from crm_tui.services.accounts.known import NEEDED, key_title, values_of

    values = values_of(account.name, settings)
    fields = [_field(each, values[each.name]) for each in NEEDED[account.name]]
    title = key_title(account.name)
    hint = "empty keeps the one there is" if account.key else "goes into the keyring"
    label = title[0].upper() + title[1:]
    fields.append(LineField(KEY_FIELD, label, hint=hint, hidden=True))
    verb = "Change" if account.is_set else "Add"
    return Form(
        f"{verb} {account.title}",
        fields,
        save=save,
        verb="Save and try it",
        about=styled(visible(can.policy), Role.QUIET),
    )


def _field(needed: Needed, value: str) -> Field:
    if needed.name == "security":
        return ChoiceField(needed.name, needed.label, _SECURITY, value)
    if needed.name == "mode":
        return ChoiceField(needed.name, needed.label, _MODES, value)
    if needed.name == "region":
        options = (*_REGIONS, _OWN) if value == _OWN.value else _REGIONS
        return ChoiceField(needed.name, needed.label, options, value)
    return LineField(needed.name, needed.label, value, hint=needed.hint)


def told(values: Mapping[str, str]) -> dict[str, str]:
    """What a form says besides the key."""
    return {name: value for name, value in values.items() if name != KEY_FIELD}
