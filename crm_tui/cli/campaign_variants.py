"""`crm-tui campaigns variant`: a second text of a step, to see which does better."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from crm_tui.cli.campaign_words import Campaign, Json, look_up_domains, template_of
from crm_tui.cli.completions import template_names
from crm_tui.cli.long_work import progress_of, stop_on_interrupt
from crm_tui.cli.output import Exit, invocation, say, show_json, with_store
from crm_tui.clock import utc_now
from crm_tui.text import visible

if TYPE_CHECKING:
    from crm_tui.config import Settings
    from crm_tui.db.engine import Database
    from crm_tui.services.campaigns.figures import StepFigures
    from crm_tui.services.campaigns.steps import Step
    from crm_tui.services.templating.files import Template

Text = Annotated[
    str,
    typer.Option("--text", metavar="A|B", help="Which of its texts, where two are tried."),
]


def register(campaigns: typer.Typer) -> None:
    """Add the command to those about campaigns."""
    campaigns.command()(variant)


def variant(
    context: typer.Context,
    campaign: Campaign,
    step: Annotated[int, typer.Option("--step", help="Which mail of it.", min=1)] = 1,
    template: Annotated[
        str | None,
        typer.Option(
            "--template",
            metavar="NAME",
            help="What the second text says; without it, what the step says.",
            autocompletion=template_names,
        ),
    ] = None,
    subject: Annotated[
        str | None, typer.Option(help="Another subject for the second text.")
    ] = None,
    share: Annotated[
        int, typer.Option("--share", help="How many of a hundred get it.", min=1, max=99)
    ] = 50,
    *,
    remove: Annotated[bool, typer.Option("--remove", help="Try one text only.")] = False,
    json: Json = False,
) -> None:
    """Try a second text of a step on a part of the recipients; before the campaign starts."""
    settings = invocation(context).settings
    if remove == bool(template or subject):
        raise typer.BadParameter(
            "Say what the second text is, --template or --subject; or --remove."
        )
    found = None if template is None else template_of(context, template)

    async def work(db: Database) -> tuple[Step, bool]:
        return await _try(db, campaign, step, found, subject, share, settings, remove=remove)

    changed, stopped = with_store(context, work)
    second = changed.variant
    if json:
        show_json(
            {
                "id": campaign,
                "step": step,
                "variant": None
                if second is None
                else {
                    "letter": "b",
                    "template": second.template,
                    "subject": changed.texts["b"].subject,
                    "share": second.share,
                },
            }
        )
    if second is None:
        say(f"Step {step} of campaign {campaign} has one text.")
    else:
        say(f"Step {step} of campaign {campaign}: {second.share} of a hundred get the second text.")
    if stopped:
        say(f"Stopped before all were taken down; `campaigns start {campaign}` does the rest.")
        raise typer.Exit(Exit.IN_PART)


async def _try(
    db: Database,
    campaign: int,
    position: int,
    template: Template | None,
    subject: str | None,
    share: int,
    settings: Settings,
    *,
    remove: bool,
) -> tuple[Step, bool]:
    """Keep the draft with a second text; the step, and whether taking down was stopped."""
    from dataclasses import replace

    from crm_tui.services.campaigns import drafts, freezing, preview
    from crm_tui.services.campaigns.steps import step_of
    from crm_tui.services.campaigns.variants import SECOND

    async with db.read() as session:
        kept = await drafts.require_draft(session, campaign)
    step = preview.step_at(kept.draft.steps, position)
    if remove:
        changed = replace(step, variant=None)
    else:
        said = step_of(template or step.read(), delay=step.delay, subject=subject)
        changed = step.with_text(SECOND, said, share=share)
    steps = (*kept.draft.steps[: position - 1], changed, *kept.draft.steps[position:])
    await drafts.save(db, campaign, replace(kept.draft, steps=steps), now=utc_now())
    if not kept.frozen:
        return changed, False
    await look_up_domains(db, kept.draft.audience, settings)
    with stop_on_interrupt() as stopped, progress_of("Taking recipients down") as progress:
        frozen = await freezing.freeze(
            db, campaign, settings=settings, now=utc_now(), progress=progress, cancelled=stopped
        )
    return changed, frozen.stopped


def step_document(figures: StepFigures) -> dict[str, Any]:
    """The texts of a step and what they tell, as a document has them."""
    from dataclasses import asdict

    from crm_tui.services.campaigns.figures import documents

    return {
        "variants": [
            {
                "letter": each.letter,
                "template": each.template,
                "subject": each.subject,
                "share": each.share,
                "version": each.version,
                "counts": each.counts.plain(),
                "held": each.counts.held,
                "rates": documents(each.rates),
            }
            for each in figures.variants
        ],
        "verdict": None if figures.verdict is None else asdict(figures.verdict),
    }


def say_texts(figures: StepFigures) -> None:
    """Say what came of each text of a step, each rate with its interval, and what that tells."""
    from crm_tui.services.campaigns.chance import share_words

    for each in figures.variants:
        say(
            f"Step {figures.position}, text {each.letter.upper()}, to {each.share} of a hundred: "
            f"{visible(each.subject or each.template, 60)}"
        )
        counts = each.counts
        told = [f"{counts.sent:,} of {counts.audience:,} sent"]
        told += [
            f"{rate.name} {share_words(rate.share)}"
            for rate in each.rates
            if rate.measured and rate.denominator
        ]
        say(f"  {', '.join(told)}")
    if figures.verdict is not None:
        say(f"  {figures.verdict.sentence}")
