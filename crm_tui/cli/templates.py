"""`crm-tui templates …`: the texts that mails are made from."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from crm_tui.cli.completions import template_names
from crm_tui.cli.output import MOST_ID, Exit, invocation, say, show_json, show_table, with_store
from crm_tui.errors import BadInput
from crm_tui.text import plural, visible_lines
from crm_tui.vocabulary import Channel

if TYPE_CHECKING:
    from crm_tui.db.engine import Database
    from crm_tui.services.templating.facts import MailFacts
    from crm_tui.services.templating.files import Template, Templates

app = typer.Typer(
    help="The texts that mails are made from: list, show, check, edit.", no_args_is_help=True
)

Json = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]
Name = Annotated[
    str,
    typer.Argument(
        metavar="NAME", help="What the template is called.", autocompletion=template_names
    ),
]


@app.command("list")
def list_templates(context: typer.Context, *, json: Json = False) -> None:
    """List the templates: those that came with the program, and your own."""
    from crm_tui.services.templating import checking

    found = _templates(context).every()
    if json:
        show_json({"templates": [_document(template) for template in found.values()]})
        return
    show_table(
        ("Name", "Kind", "From", "Subject"),
        [
            (
                template.name,
                template.kind.value,
                "crm-tui" if template.shipped else "you",
                template.subject,
            )
            for template in found.values()
        ],
    )
    say(plural(len(found), "template"))
    wrong = [template.name for template in found.values() if checking.check(template)]
    if wrong:
        say(f"Not fit to be sent: {', '.join(wrong)}. `templates check` says why.")


@app.command()
def show(
    context: typer.Context,
    name: Name,
    lead: Annotated[
        int | None,
        typer.Option("--lead", metavar="ID", help="As this lead would get it.", min=1, max=MOST_ID),
    ] = None,
    *,
    html: Annotated[
        bool, typer.Option("--html", help="With --lead: the HTML part, not the text.")
    ] = False,
    json: Json = False,
) -> None:
    """Show a template, or the mail a lead would get from it."""
    template = _templates(context).named(name)
    if lead is None:
        if html:
            raise typer.BadParameter("--html shows a part of a mail: say --lead ID, too.")
        if json:
            show_json(_document(template) | _details(template))
        else:
            sys.stdout.write(visible_lines(template.source))
        return
    from crm_tui.services.templating.rendering import render

    mail = render(template, _facts(context, lead))
    if html and mail.html is None:
        raise BadInput(f"{template.name} is text alone; it has no HTML part.")
    if json:
        show_json(
            {
                "template": template.name,
                "lead": lead,
                "subject": mail.subject,
                "text": mail.text,
                "html": mail.html,
                "fields": list(mail.fields_used),
            }
        )
        return
    if template.channel is Channel.SMS:
        sys.stdout.write(f"{visible_lines(mail.text)}\n")
        return
    say(f"Subject: {mail.subject}")
    sys.stdout.write(visible_lines(mail.html if html and mail.html else mail.text))


@app.command()
def check(
    context: typer.Context,
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="[NAME]", help="One template [default: all].", autocompletion=template_names
        ),
    ] = None,
    *,
    json: Json = False,
) -> None:
    """See whether templates can be sent; says file, line and what is wrong where not."""
    from crm_tui.services.templating import checking

    templates = _templates(context)
    chosen = [templates.named(name)] if name is not None else list(templates.every().values())
    problems = [(template, problem) for template in chosen for problem in checking.check(template)]
    if json:
        show_json(
            {
                "checked": len(chosen),
                "problems": [
                    {
                        "template": template.name,
                        "file": str(template.path),
                        "line": problem.line,
                        "problem": problem.words,
                    }
                    for template, problem in problems
                ],
            }
        )
    for template, problem in problems:
        say(f"{template.path}, {problem.sentence}")
    if problems:
        raise typer.Exit(Exit.REFUSED)
    say(f"{plural(len(chosen), 'template')} in order.")


@app.command()
def path(context: typer.Context) -> None:
    """Print the folder of your own templates."""
    typer.echo(str(_templates(context).own))


@app.command()
def fields(*, json: Json = False) -> None:
    """List what a template can say, with an example of each."""
    from crm_tui.services.templating.fields import FIELDS

    if json:
        show_json(
            {
                "fields": [
                    {"name": field.name, "hint": field.hint, "example": field.example}
                    for field in FIELDS.values()
                ]
            }
        )
        return
    show_table(
        ("Field", "What it is", "Example"),
        [
            (f"{{{{ {field.name} }}}}", field.hint, str(field.example).replace("\n", ", "))
            for field in FIELDS.values()
        ],
    )


@app.command()
def edit(
    context: typer.Context,
    name: Name,
    begin_with: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="OTHER",
            help="Write a new template, beginning with a copy of this one.",
            autocompletion=template_names,
        ),
    ] = None,
) -> None:
    """Edit a template in $EDITOR; one that came with the program becomes your own copy."""
    from crm_tui.services.templating import checking, files
    from crm_tui.widgets.editor import edit_text, editor_command

    templates = _templates(context)
    template = files.to_edit(templates, name, begin_with=begin_with)
    command = editor_command(os.environ)
    suffix = f".{template.kind.value}" if template.kind is files.Kind.HTML else ".txt"
    text = template.source
    while True:
        edited = edit_text(text, command, suffix=suffix)
        if edited == text and text == template.source:
            say("Nothing was changed.")
            return
        text = edited
        saved = files.save_own(templates, template, text)
        problems = checking.check(saved)
        for problem in problems:
            say(f"In {problem.sentence}")
        if not problems:
            say(f"Saved {saved.path}; it can be sent.")
            return
        say(f"Saved {saved.path}, but it cannot be sent like this.")
        if not (sys.stdin.isatty() and typer.confirm("Edit again?", default=True, err=True)):
            raise typer.Exit(Exit.REFUSED)
        template = saved


def _templates(context: typer.Context) -> Templates:
    from crm_tui.config import default_config_path
    from crm_tui.services.templating.files import Templates, own_folder

    return Templates(own_folder(invocation(context).config or default_config_path()))


def _facts(context: typer.Context, lead: int) -> MailFacts:
    """What a mail to a lead can say; what is not settled yet is as in the examples, and said."""
    from dataclasses import replace

    from crm_tui.services.templating.facts import EXAMPLE
    from crm_tui.services.templating.fields import FIELDS

    sender = invocation(context).settings.sender

    async def work(db: Database) -> MailFacts:
        from crm_tui.services.leads import require
        from crm_tui.services.templating.gathering import mail_facts

        async with db.read() as session:
            await require(session, lead)
            return (await mail_facts(session, [lead]))[lead]

    known = replace(
        with_store(context, work),
        sender_name=sender.name,
        sender_email=sender.email,
        sender_postal_address=sender.postal_address,
    )
    made_up = {
        name: getattr(EXAMPLE, name)
        for name in (
            "site_url",
            "payment_url",
            "sender_name",
            "sender_email",
            "sender_postal_address",
            "unsubscribe",
        )
        if not getattr(known, name)
    }
    if made_up:
        say(
            "Not known yet, and shown as an example: "
            + ", ".join(each.name for each in FIELDS.values() if each.attribute in made_up)
            + "."
        )
    return replace(known, **made_up)


def _document(template: Template) -> dict[str, Any]:
    return {"name": template.name, "channel": template.channel, "subject": template.subject}


def _details(template: Template) -> dict[str, Any]:
    """What is to be known of one template besides its name and subject."""
    from crm_tui.services.templating import checking

    return {
        "kind": template.kind.value,
        "description": template.description,
        "shipped": template.shipped,
        "file": str(template.path),
        "fields": sorted(checking.fields_of(template)),
        "uses_site": checking.uses_site(template),
        "uses_payment": checking.uses_payment(template),
        "has_opt_out": checking.has_opt_out(template),
        "source": template.source,
    }
