"""Dealing with mail in Today: whose an answer is, whether a mail was sent, why nothing is read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from crm_tui.screens.dialogs import Pick, Picker
from crm_tui.text import visible
from crm_tui.widgets.look import Role

if TYPE_CHECKING:
    from crm_tui.screens.base import AppScreen
    from crm_tui.services.inbox.matching import Item
    from crm_tui.services.today import Line

_OTHER = "another lead"
_SENT = "sent"
_AGAIN = "again"
_WHOM, _SHORT = 50, 25
_NEW = "a new lead"


# Whose it is


async def read_mail(screen: AppScreen, item_id: int) -> None:
    """Show the whole text of a mail that waits for its lead."""
    db = await screen.host.store()
    from crm_tui.screens.lead_entry import EntryReader
    from crm_tui.services.inbox import matching
    from crm_tui.services.timeline import TimelineEntry
    from crm_tui.vocabulary import EventKind

    async with db.read() as session:
        item = await matching.item(session, item_id)
    entry = TimelineEntry(
        item.id,
        "",
        item.at,
        EventKind.PAYMENT_SUCCEEDED if item.is_payment else EventKind.REPLIED,
        item.subject or "without a subject",
        f"{item.text}\n\nIt waits because {item.reason}.".lstrip(),
        item.author,
    )
    screen.app.push_screen(EntryReader(entry, zone=screen.host.settings.operator.zone))


async def match(screen: AppScreen, item_id: int) -> None:
    """Ask whose a mail is, with the leads it may be about; what is picked gets it."""
    db = await screen.host.store()
    from crm_tui.services.inbox import matching
    from crm_tui.vocabulary import UnmatchedKind

    async with db.read() as session:
        item = await matching.item(session, item_id)
    picks = [Pick(str(lead.id), visible(lead.name, 40), lead.why) for lead in item.suggestions]
    picks.append(Pick(_OTHER, "Another lead", "found by its name"))

    def picked(value: str | None) -> None:
        known = {pick.value for pick in picks}
        if value == _OTHER:
            _find(screen, item)
        elif value in known:
            screen.work(_link(screen, item, int(value or 0)), group="match")
        elif value:
            screen.work(_create(screen, item, value), group="match")

    hint = f"Whose is the mail of {_short(item)}?"
    if item.is_payment:
        hint = f"Whose are {item.words}?"
    new = "" if item.kind is UnmatchedKind.BOUNCE else _NEW
    screen.app.push_screen(Picker(hint, picks, new=new), picked)


def _find(screen: AppScreen, item: Item) -> None:
    from crm_tui.screens.lead_finder import LeadFinder

    def found(lead_id: int | None) -> None:
        if lead_id is not None:
            screen.work(_link(screen, item, lead_id), group="match")

    hint = f"The lead {_short(item)} wrote about"
    if item.is_payment:
        hint = f"The lead of {item.words}"
    screen.app.push_screen(LeadFinder(hint, screen, but=0), found)


def _short(item: Item) -> str:
    """Who wrote, in few words: a hint is one line of a small terminal."""
    return visible(item.author.partition(" <")[0], _SHORT)


async def _link(screen: AppScreen, item: Item, lead_id: int) -> None:
    db = await screen.host.store()
    from crm_tui.services import leads, undo
    from crm_tui.services.inbox import matching

    now, settings = screen.host.now(), screen.host.settings
    async with db.read() as session:
        name = await leads.require(session, lead_id)
    words = f"linked {item.words} to {visible(name, _WHOM)}"
    async with undo.action(db, words, now=now) as session:
        await matching.link(session, item.id, lead_id, settings=settings, now=now)
    _done(screen, words)


async def _create(screen: AppScreen, item: Item, name: str) -> None:
    db = await screen.host.store()
    from crm_tui.services import undo
    from crm_tui.services.inbox import matching

    now, settings = screen.host.now(), screen.host.settings
    words = f"made the lead {visible(name, _WHOM)} of {item.words}"
    async with undo.action(db, words, now=now) as session:
        await matching.create(session, item.id, name, settings=settings, now=now)
    _done(screen, words)


def _done(screen: AppScreen, words: str) -> None:
    screen.data_changed()
    screen.host.say(f"{words[:1].upper()}{words[1:]}.{screen.way_back()}", Role.GOOD)


# Whether it was sent


def settle(screen: AppScreen, line: Line) -> None:
    """Ask what became of a message of which nobody knows whether it was sent."""
    picks = [
        Pick(_SENT, "It was sent", "it goes on from there"),
        Pick(_AGAIN, "Send it again", "they may get it twice"),
    ]

    def picked(value: str | None) -> None:
        if value is not None:
            screen.work(_settle(screen, line, sent=value == _SENT), group="settle")

    hint = f"Was the mail to {visible(line.name, _WHOM)} sent? Your Sent folder tells"
    screen.app.push_screen(Picker(hint, picks), picked)


async def _settle(screen: AppScreen, line: Line, *, sent: bool) -> None:
    db = await screen.host.store()
    from crm_tui.services.sending.account import account
    from crm_tui.services.sending.recover import decide

    now, mine = screen.host.now(), account(screen.host.settings)
    async with db.write() as session:
        await decide(session, line.record, sent=sent, account=mine, now=now)
    screen.data_changed()
    became = "was sent" if sent else "will be sent again"
    screen.host.say(f"The mail to {visible(line.name, _WHOM)} {became}.", Role.GOOD)


# Why nothing is read


def explain(screen: AppScreen, line: Line) -> None:
    """Say since when the mailbox cannot be read, what that means, and what helps."""
    words = (
        f"{line.what}\n\n"
        "Nothing is sent meanwhile, so that nobody who answered gets another mail. It is tried again "
        "by itself, and this line goes when the mailbox is read.\n\n"
        "crm-tui providers test imap says what works and what does not."
    )
    _show(screen, line, "The mailbox cannot be read", words)


def explain_provider(screen: AppScreen, line: Line) -> None:
    """Say since when a provider cannot be polled, what that means, and where it is mended."""
    words = (
        f"{line.what}\n\n"
        f"What became of messages, and what came in, is not known until then. {line.name} keeps it "
        "for a while and tells it later; text messages wait meanwhile, for nobody knows who answered "
        "STOP. It is tried again by itself, and this line goes when it is polled.\n\n"
        "enter on this line leads to the account in the settings: e changes it, t tries it out."
    )
    _show(screen, line, f"{line.name} cannot be polled", words)


def explain_dispute(screen: AppScreen, line: Line) -> None:
    """Say what a dispute is, and what there is to do until when."""
    words = (
        f"{line.what}\n\n"
        "The payer's bank has taken the payment back for now. At the provider you can accept that, or "
        "answer with what shows that it was agreed: the mails, the page, the invoice. What is not "
        "answered in time is lost, with a fee.\n\n"
        "This line goes by itself when the bank has decided, or with x when you have answered."
    )
    _show(screen, line, "A payment is disputed", words)


async def to_settings(screen: AppScreen, line: Line) -> None:
    """Show the account of a provider in the settings."""
    from crm_tui.screens.settings import SettingsScreen

    await screen.app.run_action("settings")
    if isinstance(screen.app.screen, SettingsScreen):
        screen.app.screen.go_to(line.name)


def _show(screen: AppScreen, line: Line, title: str, words: str) -> None:
    from crm_tui.screens.lead_entry import EntryReader
    from crm_tui.services.timeline import TimelineEntry
    from crm_tui.vocabulary import EventKind

    at = line.at or screen.host.now()
    entry = TimelineEntry(line.id, "", at, EventKind.DEFERRED, title, words, line.name)
    screen.app.push_screen(EntryReader(entry, zone=screen.host.settings.operator.zone))
