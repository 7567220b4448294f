"""`crm-tui leads mail …`: one mail to one lead, through the queue."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from crm_tui.cli.campaign_words import template_of
from crm_tui.cli.completions import template_names
from crm_tui.cli.one_lead import Json, LeadId
from crm_tui.cli.output import invocation, say, show_json, with_store
from crm_tui.clock import utc_now
from crm_tui.errors import BadInput
from crm_tui.text import plain_line

if TYPE_CHECKING:
    from crm_tui.db.engine import Database, ReadSession
    from crm_tui.services.sending.account import Account
    from crm_tui.services.sending.single import Letter
    from crm_tui.services.templating.files import Template


def register(leads: typer.Typer) -> None:
    """Add the command to those about leads."""
    leads.command()(mail)


def mail(
    context: typer.Context,
    lead: LeadId,
    template: Annotated[
        str | None,
        typer.Option(
            "--template", metavar="NAME", help="What it says.", autocompletion=template_names
        ),
    ] = None,
    subject: Annotated[str | None, typer.Option(help="The subject.")] = None,
    body: Annotated[
        str | None, typer.Option("--body", metavar="TEXT", help="The text; - reads it from stdin.")
    ] = None,
    *,
    reply: Annotated[
        bool, typer.Option("--reply", help="Answer the newest mail of the lead, in its thread.")
    ] = False,
    edit: Annotated[bool, typer.Option("--edit", help="Open the text in $EDITOR first.")] = False,
    json: Json = False,
) -> None:
    """Write to one lead: from a template, or your own words; the worker sends it."""
    if template is not None and (body is not None or reply):
        raise typer.BadParameter("A mail says what its template says: leave out --body or --reply.")
    if template is None and body is None and not edit and not sys.stdin.isatty():
        raise typer.BadParameter("Say what to write: --template, --body or --edit.")
    chosen = None if template is None else template_of(context, template)
    given = sys.stdin.read() if body == "-" else body

    async def work(db: Database) -> tuple[int, Letter]:
        from crm_tui.services.sending import single

        mine = await _account(context, db)
        async with db.read() as session:
            letter = await _begun(session, lead, chosen, mine, reply=reply)
        letter = _worded(letter, subject, given, edit=edit)
        async with db.write(durable=True) as session:
            return await single.queue(session, letter, mine, now=utc_now()), letter

    message, letter = with_store(context, work)
    if json:
        show_json({"message": message, "lead": lead, "to": letter.to, "subject": letter.subject})
    say(f"The mail to {letter.to} waits for the worker: {letter.subject}")


async def _account(context: typer.Context, db: Database) -> Account:
    from crm_tui.services.sending import standing
    from crm_tui.services.sending.account import account

    settings = invocation(context).settings
    if not settings.sender.email:
        raise BadInput("No sender is set: set name and email under [sender] in config.toml.")
    async with db.read() as session:
        home = standing.home_of(db.path)
        known = await standing.read_standing(session, settings.email.provider, home=home)
    return account(settings, plus=known.plus)


async def _begun(
    session: ReadSession, lead: int, template: Template | None, mine: Account, *, reply: bool
) -> Letter:
    from crm_tui.services.sending import single

    if template is not None:
        return await single.from_template(session, lead, template, mine)
    return await (single.reply if reply else single.blank)(session, lead)


def _worded(letter: Letter, subject: str | None, body: str | None, *, edit: bool) -> Letter:
    """The mail with the words that were given; those of the editor begin with its subject."""
    letter = replace(
        letter,
        subject=letter.subject if subject is None else plain_line(subject),
        text=letter.text if body is None else f"{body}{letter.text}",
    )
    if not edit and body is None and not letter.marks:
        edit = True
    if not edit:
        return letter
    from crm_tui.widgets.editor import edit_text, editor_command

    written = edit_text(
        f"Subject: {letter.subject}\n\n{letter.text.lstrip() or ''}", editor_command(os.environ)
    )
    head, _, text = written.partition("\n")
    name, colon, said = head.partition(":")
    if not colon or name.strip().lower() != "subject":
        raise BadInput('The first line must be the subject: "Subject: …". Nothing was queued.')
    return replace(letter, subject=said.strip(), text=text.lstrip("\n"), html=None)
