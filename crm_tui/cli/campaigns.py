"""`crm-tui campaigns …`: making campaigns, looking at them, adding to them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from crm_tui.cli import campaign_running, campaign_variants
from crm_tui.cli.campaign_variants import Text
from crm_tui.cli.campaign_words import (
    Campaign,
    Json,
    delay_of,
    first_recipient,
    look_up_domains,
    row_document,
    say_added,
    show_document,
    state_words,
    template_of,
)
from crm_tui.cli.completions import query_words, template_names
from crm_tui.cli.long_work import progress_of, stop_on_interrupt
from crm_tui.cli.output import MOST_ID, Exit, invocation, say, show_json, show_table, with_store
from crm_tui.cli.tasks import time_ahead
from crm_tui.clock import utc_now
from crm_tui.text import plural, visible, visible_lines

if TYPE_CHECKING:
    from crm_tui.config import Settings
    from crm_tui.db.engine import Database
    from crm_tui.services.campaigns.drafts import Draft
    from crm_tui.services.campaigns.freezing import Frozen
    from crm_tui.services.campaigns.listing import CampaignRow
    from crm_tui.services.campaigns.preview import Shown
    from crm_tui.services.campaigns.steps import Step

app = typer.Typer(
    help="Write to many leads: create, start, follow, pause and end campaigns.",
    no_args_is_help=True,
)
campaign_running.register(app)
campaign_variants.register(app)

Query = Annotated[
    str,
    typer.Option(
        "--audience",
        metavar="QUERY",
        help="Whom it is for, such as 'city:Queens has:email'; '' means all.",
        autocompletion=query_words,
    ),
]
SparedDays = Annotated[
    int | None,
    typer.Option(
        "--contacted-days",
        metavar="N",
        help="Leave out whom another message went to within N days, or who waits for one; "
        "0 leaves nobody out for that. Without it, as the settings say.",
        min=0,
    ),
]
Template = Annotated[
    str,
    typer.Option(
        "--template",
        metavar="NAME",
        help="What the mail or text message says.",
        autocompletion=template_names,
    ),
]


@app.command()
def create(
    context: typer.Context,
    name: Annotated[str, typer.Option("--name", help="What it is called; nobody else sees it.")],
    audience: Query,
    template: Template,
    step: Annotated[
        list[str] | None,
        typer.Option(
            "--step",
            metavar="NAME",
            help="The template of a further mail to those who do not answer; needs --after.",
            autocompletion=template_names,
        ),
    ] = None,
    after: Annotated[
        list[str] | None,
        typer.Option("--after", metavar="DELAY", help="How long that step waits: 3d, 2bd, 4h, 1w."),
    ] = None,
    subject: Annotated[
        str | None, typer.Option(help="Another subject than the template's; all steps share it.")
    ] = None,
    at: Annotated[
        str | None,
        typer.Option("--at", metavar="TIME", help="Not before this time, 'tomorrow 9'."),
    ] = None,
    contacted_days: SparedDays = None,
    *,
    json: Json = False,
) -> None:
    """Create a campaign as a draft: nothing is sent before it is started."""
    if len(step or ()) != len(after or ()):
        raise typer.BadParameter("Every --step needs its --after, such as: --step T2 --after 3d.")
    settings = invocation(context).settings
    from crm_tui.services.campaigns.audience import Audience
    from crm_tui.services.campaigns.drafts import Draft

    draft = Draft(
        name=name,
        audience=Audience(audience, spared_days=contacted_days),
        steps=_steps(context, template, subject, step or (), after or ()),
        starts_at=None if at is None else time_ahead(context, at),
    )
    campaign, frozen = with_store(context, lambda db: _create(db, draft, settings), back_up=True)
    if json:
        show_json(
            {
                "id": campaign,
                "audience": frozen.recipients,
                "excluded": _excluded(frozen),
                "messages": frozen.recipients * len(draft.steps),
                "held": frozen.held,
                "no_consent": frozen.no_consent,
                "without_link": frozen.without_link,
                "recent": frozen.recent,
            }
        )
    say_added(frozen, f"Campaign {campaign} is a draft for")
    if any(each.channel == "sms" for each in draft.steps):
        from crm_tui.services.campaigns.text_checks import why_no_texts

        if why := why_no_texts(settings):
            say(why)
    if frozen.stopped:
        say(f"Stopped before all were taken down; `campaigns start {campaign}` does the rest.")
        raise typer.Exit(Exit.IN_PART)
    say(f"Look at it: crm-tui campaigns preview {campaign}. Start it: campaigns start {campaign}.")


def _steps(
    context: typer.Context,
    first: str,
    subject: str | None,
    further: Sequence[str],
    delays: Sequence[str],
) -> tuple[Step, ...]:
    from crm_tui.services.campaigns.steps import step_of

    return (
        step_of(template_of(context, first), subject=subject),
        *(
            step_of(template_of(context, each), delay=delay_of(delay))
            for each, delay in zip(further, delays, strict=True)
        ),
    )


async def _create(db: Database, draft: Draft, settings: Settings) -> tuple[int, Frozen]:
    from crm_tui.services.campaigns import drafts, freezing

    await look_up_domains(db, draft.audience, settings)
    with stop_on_interrupt() as stopped, progress_of("Taking recipients down") as progress:
        now = utc_now()
        campaign = await drafts.save(db, None, draft, now=now)
        frozen = await freezing.freeze(
            db, campaign, settings=settings, now=now, progress=progress, cancelled=stopped
        )
    return campaign, frozen


def _excluded(frozen: Frozen) -> list[dict[str, Any]]:
    return [{"reason": each.reason, "count": each.count} for each in frozen.excluded]


@app.command("list")
def list_campaigns(context: typer.Context, *, json: Json = False) -> None:
    """List all campaigns: those that are not over first."""

    async def work(db: Database) -> list[CampaignRow]:
        from crm_tui.services.campaigns.listing import campaigns

        async with db.read() as session:
            return await campaigns(session)

    found = with_store(context, work)
    if json:
        show_json({"campaigns": [row_document(each) for each in found]})
        return
    show_table(
        ("ID", "Name", "State", "Leads", "Messages", "Sent", "Waiting", "Answers"),
        [
            (
                each.id,
                visible(each.name, 40),
                state_words(each.state, each.pause_reason),
                each.recipients,
                each.counts.audience,
                each.counts.sent,
                each.counts.queued,
                next(rate.numerator for rate in each.rates if rate.name == "reply"),
            )
            for each in found
        ],
    )
    say(plural(len(found), "campaign"))


@app.command()
def show(context: typer.Context, campaign: Campaign, *, json: Json = False) -> None:
    """Show a campaign: its counts, its rates, its steps."""

    async def work(db: Database) -> None:
        await show_document(db, campaign, json=json)

    with_store(context, work)


@app.command()
def ledger(
    context: typer.Context,
    campaign: Campaign,
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[FILTER]", help="Which messages: state:failed step:2 text:b is:held words."
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="Write them into a CSV file."),
    ] = None,
    *,
    left_out: Annotated[
        bool, typer.Option("--left-out", help="Who was left out, and why, instead.")
    ] = False,
    json: Json = False,
) -> None:
    """Show every message of a campaign with what became of it."""
    from crm_tui.services.campaigns.ledger import read_filter

    wanted = read_filter(" ".join(words or ()))

    async def work(db: Database) -> None:
        from crm_tui.cli import campaign_words
        from crm_tui.services.campaigns import drafts
        from crm_tui.services.campaigns import ledger as service

        async with db.read() as session:
            await drafts.load(session, campaign)
        if output is not None:
            written = await service.export(db, campaign, wanted, output)
            say(f"{plural(written, 'message')} written to {output}.")
        elif left_out:
            await campaign_words.show_left_out(db, campaign, json=json)
        else:
            await campaign_words.show_ledger(db, campaign, wanted, json=json)

    with_store(context, work)


@app.command()
def preview(
    context: typer.Context,
    campaign: Campaign,
    lead: Annotated[
        int | None,
        typer.Option("--lead", metavar="ID", help="As this lead gets it.", min=1, max=MOST_ID),
    ] = None,
    step: Annotated[int, typer.Option("--step", help="Which mail of it.", min=1)] = 1,
    text: Text = "a",
    *,
    json: Json = False,
) -> None:
    """Show a mail as a recipient will get it."""
    settings = invocation(context).settings

    async def work(db: Database) -> Shown:
        from crm_tui.services.campaigns import drafts
        from crm_tui.services.campaigns import preview as service

        async with db.read() as session:
            kept = await drafts.load(session, campaign)
            chosen = lead or await first_recipient(session, campaign)
            said = service.saying(kept.draft.steps, step, text.lower())
            return await service.mail(session, said, step, chosen, settings=settings)

    shown = with_store(context, work)
    if json:
        show_json(
            {
                "lead": shown.business_id,
                "to": shown.to,
                "subject": shown.subject,
                "text": shown.text,
                "html": shown.html,
                "missing": shown.missing or None,
                "segments": shown.segments,
            }
        )
        return
    if shown.missing:
        say(f"It would wait: {shown.missing}. What is missing is shown as in the examples.")
    say(f"To: {shown.to}")
    if shown.size:
        say(f"Text message: {shown.size}.")
    else:
        say(f"Subject: {shown.subject}")
    typer.echo(visible_lines(shown.text), nl=bool(shown.size))


@app.command()
def add(
    context: typer.Context,
    campaign: Campaign,
    audience: Query,
    contacted_days: SparedDays = None,
    *,
    json: Json = False,
) -> None:
    """Add more recipients to a campaign, one that runs, too."""
    settings = invocation(context).settings

    async def work(db: Database) -> Frozen:
        from crm_tui.services.campaigns import freezing
        from crm_tui.services.campaigns.audience import Audience

        more = Audience(audience, spared_days=contacted_days)
        await look_up_domains(db, more, settings)
        with stop_on_interrupt() as stopped, progress_of("Adding recipients") as progress:
            return await freezing.add(
                db,
                campaign,
                more,
                settings=settings,
                now=utc_now(),
                progress=progress,
                cancelled=stopped,
            )

    frozen = with_store(context, work)
    if json:
        show_json(
            {
                "id": campaign,
                "added": frozen.recipients,
                "excluded": _excluded(frozen),
                "recent": frozen.recent,
            }
        )
    say_added(frozen, f"Added to campaign {campaign}:")
    if frozen.stopped:
        raise typer.Exit(Exit.IN_PART)


@app.command()
def edit(
    context: typer.Context,
    campaign: Campaign,
    template: Template,
    step: Annotated[int, typer.Option("--step", help="Which mail of it.", min=1)] = 1,
    subject: Annotated[str | None, typer.Option(help="Another subject.")] = None,
    after: Annotated[
        str | None, typer.Option("--after", metavar="DELAY", help="Another delay: 3d, 2bd, 4h.")
    ] = None,
    text: Text = "a",
    *,
    json: Json = False,
) -> None:
    """Have a step of a paused campaign say what a template says now, to those who wait for it."""
    found = template_of(context, template)
    delay = None if after is None else delay_of(after)

    async def work(db: Database) -> int:
        from crm_tui.services.campaigns import drafts, mending
        from crm_tui.services.campaigns.steps import step_of

        async with db.write() as session:
            steps = await drafts.steps_of(session, campaign)
            known = steps[step - 1].delay if step <= len(steps) else None
            new = step_of(found, subject=subject, delay=delay or known)
            return await mending.edit_step(
                session, campaign, step, new, letter=text.lower(), now=utc_now()
            )

    version = with_store(context, work)
    if json:
        show_json({"id": campaign, "step": step, "version": version})
    say(f"Step {step} of campaign {campaign} is changed: version {version}.")


@app.command()
def delete(
    context: typer.Context,
    campaign: Campaign,
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Delete a draft, for good; one that was started stays on record."""
    from crm_tui.services.campaigns import drafts

    campaign_running.confirm(f"Delete campaign {campaign}? This cannot be undone.", yes=yes)
    with_store(context, lambda db: drafts.delete(db, campaign))
    say(f"Campaign {campaign} is deleted.")
