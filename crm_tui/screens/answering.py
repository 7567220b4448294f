"""Answering what a lead wrote, in its thread."""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING

from crm_tui.vocabulary import EventKind

if TYPE_CHECKING:
    from crm_tui.screens.business_actions import BusinessScreen, Target
    from crm_tui.services.sending.single import Letter

REPLY = "lead.reply"
WRITTEN = (EventKind.REPLIED, EventKind.UNSUBSCRIBED)
"""The entries of the timeline that can be answered, where they came by mail."""


async def reply(screen: BusinessScreen, lead: Target) -> None:
    """Ask for an answer to the newest mail of a lead, with what it says quoted, and queue it.

    Raises:
        NotFound: it has written none.
    """
    from crm_tui.screens.mail_texts import letter_form
    from crm_tui.services.sending import single
    from crm_tui.services.sending.account import account

    db, mine = await screen.host.store(), account(screen.host.settings)
    async with db.read() as session:
        letter = await single.reply(session, lead.id)
    if not mine.address:
        screen.host.say("Nobody is set who writes: [sender] name and email in the settings.")
        return

    async def save(written: Letter) -> None:
        async with db.write() as session:
            await single.queue(session, written, mine, now=screen.host.now())
        screen.host.say(f"The answer to {lead.called} goes as soon as the limits let it.")
        await screen.show_again(array("q", (lead.id,)))

    screen.ask(letter_form(letter, lead.called, save), action=REPLY, lead=lead.id)
