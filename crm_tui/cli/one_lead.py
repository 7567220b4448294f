"""What the command line does to one lead; every command is one action that undo takes back."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from crm_tui.cli.completions import tags
from crm_tui.cli.output import MOST_ID, invocation, say, show_json, with_store
from crm_tui.cli.tasks import time_ahead
from crm_tui.clock import parse_time, utc_now
from crm_tui.errors import WrongUsage
from crm_tui.vocabulary import CallOutcome, ContactStatus

if TYPE_CHECKING:
    from crm_tui.db.engine import Database, WriteSession
    from crm_tui.services.bulk import Change

Json = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]
LeadId = Annotated[int, typer.Argument(metavar="ID", help="The lead's number.", min=1, max=MOST_ID)]
Tag = Annotated[str, typer.Argument(metavar="TAG", help="The tag.", autocompletion=tags)]


def register(leads: typer.Typer) -> None:
    """Add the commands to those about leads."""
    on_timeline = (note, call, set_status, human)
    for command in (add, edit, *on_timeline, tag, untag, consent, never, allow, archive, unarchive):
        leads.command(command.__name__.replace("_", "-"))(command)


def add(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="The business's name.")],
    category: Annotated[str, typer.Option()] = "",
    street: Annotated[str, typer.Option()] = "",
    city: Annotated[str, typer.Option()] = "",
    region: Annotated[str, typer.Option()] = "",
    postal_code: Annotated[str, typer.Option()] = "",
    country: Annotated[str, typer.Option(help="Two letters, such as US.")] = "",
    phone: Annotated[str, typer.Option()] = "",
    email: Annotated[str, typer.Option()] = "",
    website: Annotated[str, typer.Option()] = "",
    *,
    duplicate: Annotated[
        bool, typer.Option("--duplicate", help="Add it although another lead has its phone.")
    ] = False,
    json: Json = False,
) -> None:
    """Add a lead by hand."""
    settings = invocation(context).settings
    typed = {
        "name": name,
        "category": category,
        "street": street,
        "city": city,
        "region": region,
        "postal_code": postal_code,
        "country": country,
        "phone": phone,
        "email": email,
        "website": website,
    }

    async def work(db: Database) -> None:
        from crm_tui.services import leads, undo

        entry, now = undo.Entry(), utc_now()
        async with undo.action(db, f"added {name.strip()}", now=now, entry=entry) as session:
            lead = await leads.add(session, typed, settings=settings, now=now, duplicate=duplicate)
        said = f"Added lead {lead}: {name}."
        await _answer(context, db, lead, said, entry.id, json=json)

    with_store(context, work)


def edit(
    context: typer.Context,
    lead: LeadId,
    assignments: Annotated[
        list[str], typer.Argument(metavar="FIELD=VALUE…", help="An empty value clears the field.")
    ],
    *,
    duplicate: Annotated[
        bool, typer.Option("--duplicate", help="Take a phone or e-mail of somebody erased.")
    ] = False,
    json: Json = False,
) -> None:
    """Change fields of a lead, such as: leads edit 12 city=Queens phone="718 555 0142"."""
    settings = invocation(context).settings
    changes = dict(assignment(text) for text in assignments)
    fields = ", ".join(name.replace("_", " ") for name in changes)

    async def work(session: WriteSession, now: datetime) -> str:
        from crm_tui.services import leads

        changed = await leads.edit(
            session, lead, changes, settings=settings, now=now, duplicate=duplicate
        )
        return f"Changed {', '.join(changed)}." if changed else "Nothing was different."

    _act(context, lead, lambda name: f"changed {fields} of {name}", work, json=json)


def note(
    context: typer.Context,
    lead: LeadId,
    text: Annotated[str, typer.Argument(help="The note.")],
    *,
    json: Json = False,
) -> None:
    """Write a note on a lead's timeline."""

    async def work(session: WriteSession, now: datetime) -> str:
        from crm_tui.services import timeline

        await timeline.add_note(session, lead, text, now=now)
        return f"The note is on the timeline of lead {lead}."

    _act(context, lead, lambda name: f"note on {name}", work, json=json)


def call(
    context: typer.Context,
    lead: LeadId,
    outcome: Annotated[CallOutcome, typer.Option(help="How it went.")],
    note: Annotated[str, typer.Option(help="What was said.")] = "",
    follow_up: Annotated[
        str | None,
        typer.Option("--follow-up", metavar="TIME", help="When to call again, 'in 2 weeks'."),
    ] = None,
    *,
    json: Json = False,
) -> None:
    """Log a phone call with a lead."""
    due = None if follow_up is None else time_ahead(context, follow_up)
    zone = invocation(context).settings.operator.zone

    async def work(session: WriteSession, now: datetime) -> str:
        from crm_tui.services import calling

        logged = await calling.log(
            session, lead, outcome, note=note, follow_up_at=due, now=now, zone=zone
        )
        said = f"The call is on the timeline of lead {lead}."
        other = logged.next_phone
        return f"{said} Its number to call now is {other}." if other else said

    _act(context, lead, lambda name: f"call with {name}", work, json=json)


def set_status(
    context: typer.Context,
    lead: LeadId,
    status: Annotated[ContactStatus, typer.Argument(help="The contact status.")],
    *,
    json: Json = False,
) -> None:
    """Set the contact status by hand; what happens later still counts."""

    async def work(session: WriteSession, now: datetime) -> str:
        from crm_tui.services import timeline

        await timeline.set_status(session, lead, status, now=now)
        return f"Lead {lead} is now {status}."

    _act(context, lead, lambda name: f"set the status of {name} to {status}", work, json=json)


def tag(context: typer.Context, lead: LeadId, tag: Tag, *, json: Json = False) -> None:
    """Tag a lead."""
    from crm_tui.services import bulk

    _change(context, lead, bulk.add_tag(tag), json=json)


def untag(context: typer.Context, lead: LeadId, tag: Tag, *, json: Json = False) -> None:
    """Take a tag off a lead."""
    from crm_tui.services import bulk

    _change(context, lead, bulk.remove_tag(tag), json=json)


def consent(
    context: typer.Context,
    lead: LeadId,
    how: Annotated[
        str, typer.Option("--how", help="How they agreed, such as 'asked for it on the phone'.")
    ] = "",
    date: Annotated[
        str | None,
        typer.Option("--date", metavar="WHEN", help="When, 2026-11-20 [default: now]."),
    ] = None,
    *,
    withdraw: Annotated[
        bool, typer.Option("--withdraw", help="They take it back; --how may say why.")
    ] = False,
    json: Json = False,
) -> None:
    """Record that a lead agreed to text messages at its main number, or takes that back."""
    zone = invocation(context).settings.operator.zone
    given_at = None if date is None else parse_time(date, zone=zone)
    if date is not None and (given_at is None or withdraw):
        raise typer.BadParameter(
            "--withdraw counts from now." if withdraw else f"{date!r} is no date; write 2026-11-20."
        )
    done = "took back the consent of {}" if withdraw else "recorded the consent of {}"

    async def work(session: WriteSession, now: datetime) -> str:
        from crm_tui.services import consent as service

        await service.for_lead(session, lead, how, withdraw_it=withdraw, given_at=given_at, now=now)
        return (
            f"Lead {lead} gets no more text messages."
            if withdraw
            else f"Lead {lead} agreed to text messages."
        )

    _act(context, lead, lambda name: f"{done.format(name)} (text messages)", work, json=json)


def never(
    context: typer.Context,
    lead: LeadId,
    reason: Annotated[str, typer.Option(help="Why, such as 'asked us to stop'.")],
    *,
    json: Json = False,
) -> None:
    """Never contact a lead again, at none of its addresses."""
    from crm_tui.services import bulk

    _change(context, lead, bulk.never_contact(reason), json=json)


def allow(context: typer.Context, lead: LeadId, *, json: Json = False) -> None:
    """Allow contact with a lead again, unless it said itself that it wants none."""
    from crm_tui.services import bulk

    _change(context, lead, bulk.allow_contact(), json=json)


def human(
    context: typer.Context,
    lead: LeadId,
    event: Annotated[
        int,
        typer.Argument(
            metavar="EVENT", help="The entry, as leads show --json has it.", min=1, max=MOST_ID
        ),
    ],
    *,
    json: Json = False,
) -> None:
    """Say that a person opened or clicked what was taken for a machine's doing."""

    async def work(session: WriteSession, now: datetime) -> str:
        from crm_tui.services.machine_marks import mark_human

        await mark_human(session, lead, event, now=now)
        return f"Entry {event} of lead {lead} counts as a person's."

    _act(context, lead, lambda name: f"said that a person read the mail to {name}", work, json=json)


def archive(context: typer.Context, lead: LeadId, *, json: Json = False) -> None:
    """Put a lead away; lists leave it out."""
    from crm_tui.services import bulk

    _change(context, lead, bulk.archive(), json=json)


def unarchive(context: typer.Context, lead: LeadId, *, json: Json = False) -> None:
    """Bring a lead back from the archive."""
    from crm_tui.services import bulk

    _change(context, lead, bulk.unarchive(), json=json)


def assignment(text: str) -> tuple[str, str]:
    """A field and its value, as an argument says them.

    Raises:
        WrongUsage: the argument says none.
    """
    field, equals, value = text.partition("=")
    if not equals:
        raise WrongUsage(f"{text!r} is no change; write FIELD=VALUE, such as city=Queens.")
    return field.strip().replace("-", "_"), value


def _act(
    context: typer.Context,
    lead: int,
    words: Callable[[str], str],
    work: Callable[[WriteSession, datetime], Awaitable[str]],
    *,
    json: bool,
) -> None:
    """Do something to a lead as one action, and say what `work` says.

    `words` are those of undo, given the lead's name.
    """

    async def act(db: Database) -> None:
        from crm_tui.services import leads, undo

        entry, now = undo.Entry(), utc_now()
        async with db.read() as session:
            name = await leads.require(session, lead)
        async with undo.action(db, words(name), now=now, entry=entry) as session:
            said = await work(session, now)
        await _answer(context, db, lead, said, entry.id, json=json)

    with_store(context, act)


def _change(context: typer.Context, lead: int, change: Change, *, json: bool) -> None:
    """Do to one lead what can be done to many."""

    async def act(db: Database) -> None:
        from crm_tui.services import bulk, leads

        async with db.read() as session:
            await leads.require(session, lead)
        result = await bulk.run(db, [lead], change, now=utc_now())
        words = result.words if result.changed else "nothing was different"
        said = f"{words[:1].upper()}{words[1:]}."
        await _answer(context, db, lead, said, result.entry_id, json=json)

    with_store(context, act)


async def _answer(
    context: typer.Context, db: Database, lead: int, said: str, undo_id: int | None, *, json: bool
) -> None:
    from crm_tui.services import documents

    say(said)
    if json:
        threshold = invocation(context).settings.score.threshold
        async with db.read() as session:
            (document,) = await documents.documents_of(session, [lead], threshold=threshold)
        show_json({"lead": document, "undo": undo_id})
