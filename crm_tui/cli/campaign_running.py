"""`crm-tui campaigns …`: starting campaigns, and what is done to those that were started."""

from __future__ import annotations

import os
import sys
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, Any

import typer

from crm_tui.cli.campaign_variants import Text
from crm_tui.cli.campaign_words import Campaign, Json, config_path, first_recipient, say_checks
from crm_tui.cli.long_work import progress_of
from crm_tui.cli.output import MOST_ID, Exit, invocation, say, show_json, with_store
from crm_tui.clock import local_stamp, utc_now
from crm_tui.errors import NotFound, UserError
from crm_tui.text import plural, visible_lines

if TYPE_CHECKING:
    from datetime import datetime

    from crm_tui.db.engine import Database, WriteSession
    from crm_tui.services.campaigns.gate import Check
    from crm_tui.services.campaigns.running import Started
    from crm_tui.services.campaigns.trial import Tried

_MANY = 50
"""A send to more than this asks to type the number."""

Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]
Ids = Annotated[
    list[int] | None,
    typer.Argument(metavar="[LEAD]...", help="Numbers of leads.", min=1, max=MOST_ID),
]


def register(campaigns: typer.Typer) -> None:
    """Add the commands to those about campaigns."""
    for command in (check, start, pause, resume, cancel, retry, skip, policy):
        campaigns.command()(command)
    campaigns.command("test")(send_test)


def check(context: typer.Context, campaign: Campaign, *, json: Json = False) -> None:
    """See what must be in order before a campaign starts."""
    settings = invocation(context).settings

    async def work(db: Database) -> list[Check]:
        from crm_tui.services import consent
        from crm_tui.services.campaigns import drafts, figures, gate

        found = await gate.look_up_policy(settings)
        async with db.read() as session:
            kept = await drafts.load(session, campaign)
            counts = (await figures.figures(session, campaign)).recipients
            return await gate.checks(
                session,
                kept.draft.steps,
                recipients=counts,
                settings=settings,
                store=db.path,
                policy=found,
                no_consent=await consent.missing(session, campaign),
            )

    checks = with_store(context, work)
    if json:
        show_json(
            {
                "checks": [
                    {"check": each.check, "verdict": each.verdict, "why": each.why, "fix": each.fix}
                    for each in checks
                ]
            }
        )
    say_checks(checks)
    if any(each.verdict == "blocks" for each in checks):
        raise typer.Exit(Exit.REFUSED)


def start(
    context: typer.Context, campaign: Campaign, *, yes: Yes = False, json: Json = False
) -> None:
    """Start a campaign: from now on the worker sends it. What was sent cannot be taken back."""
    if not yes:
        _ask_to_start(context, campaign)
    settings = invocation(context).settings

    async def work(db: Database) -> tuple[Started, str]:
        from crm_tui.services.campaigns import drafts, gate, running

        found = await gate.look_up_policy(settings)
        with progress_of("Starting") as progress:
            started = await running.start(
                db, campaign, settings=settings, now=utc_now(), policy=found, progress=progress
            )
        async with db.read() as session:
            return started, (await drafts.load(session, campaign)).state

    from crm_tui.services.campaigns.gate import Blocked

    try:
        started, state = with_store(context, work, back_up=True)
    except Blocked as error:
        if json:
            show_json(
                {
                    "blocked": [
                        {"check": each.check, "why": each.why, "fix": each.fix}
                        for each in error.checks
                    ]
                }
            )
        say(f"Campaign {campaign} cannot start yet.")
        say_checks(error.checks)
        raise typer.Exit(Exit.REFUSED) from None
    if json:
        show_json(
            {
                "id": campaign,
                "state": state,
                "recipients": started.recipients,
                "dropped": started.dropped,
            }
        )
    say(f"Campaign {campaign} runs: {plural(started.recipients, 'lead')}.")
    if started.dropped:
        say(
            f"{plural(started.dropped, 'lead is', 'leads are')} left out after all; see its ledger."
        )
    say("The worker sends it, in the app or as `crm-tui worker`.")


def _ask_to_start(context: typer.Context, campaign: int) -> None:
    """Say how many it goes to and until when, and ask.

    Raises:
        UserError: there is nobody to ask, or they say no.
    """
    settings = invocation(context).settings

    async def work(db: Database) -> tuple[int, datetime | None]:
        from crm_tui.services.campaigns import audience, drafts, preview

        now = utc_now()
        async with db.read() as session:
            kept = await drafts.require_draft(session, campaign)
        found = await audience.look(
            db, kept.draft.audience, settings=settings, now=now, channels=kept.draft.channels
        )
        ids = [each.business_id for each in found.recipients]
        until = await preview.finish_time(
            db, kept.draft.steps, ids, settings=settings, now=kept.draft.starts_at or now
        )
        return len(ids), until

    number, until = with_store(context, work)
    ends = "in more than five years" if until is None else local_stamp(until)
    say(
        f"It goes to {plural(number, 'lead')}, by your limits until about {ends}. "
        "What was sent cannot be taken back."
    )
    if number > _MANY and sys.stdin.isatty():
        typed = typer.prompt(f"Type {number} to start it", err=True)
        if typed.strip() != str(number):
            raise UserError("It was not started.")
        return
    confirm(f"Start campaign {campaign}?", yes=False)


def confirm(question: str, *, yes: bool) -> None:
    """Ask before what cannot be undone.

    Raises:
        UserError: the answer is no, or there is nobody to ask.
    """
    if yes:
        return
    if not sys.stdin.isatty():
        raise UserError(f"{question} Say --yes to do it.")
    if not typer.confirm(question, err=True):
        raise UserError("Nothing was done.")


def pause(context: typer.Context, campaign: Campaign, *, json: Json = False) -> None:
    """Pause a campaign: nothing of it is sent but what is on its way."""
    from crm_tui.services.campaigns import running

    async def work(session: WriteSession) -> str:
        await running.pause(session, campaign, now=utc_now())
        return f"Campaign {campaign} is paused."

    _change(context, campaign, work, json=json)


def resume(context: typer.Context, campaign: Campaign, *, json: Json = False) -> None:
    """Go on with a campaign that was paused."""
    from crm_tui.services.campaigns import running

    async def work(session: WriteSession) -> str:
        await running.resume(session, campaign, now=utc_now())
        return f"Campaign {campaign} goes on."

    _change(context, campaign, work, json=json)


def cancel(
    context: typer.Context, campaign: Campaign, *, yes: Yes = False, json: Json = False
) -> None:
    """End a campaign for good: what was not sent yet never will be. Not undoable."""
    from crm_tui.services.campaigns import running

    confirm(
        f"Cancel campaign {campaign}? What was not sent yet never will be; this cannot be undone.",
        # A script has said what it wants; a person may have mistyped the number.
        yes=yes or not sys.stdin.isatty(),
    )
    canceled = with_store(context, lambda db: running.cancel(db, campaign, now=utc_now()))
    if json:
        show_json({"id": campaign, "state": "canceled", "canceled": canceled})
    say(f"Campaign {campaign} is canceled; {plural(canceled, 'message')} will not be sent.")


def retry(
    context: typer.Context,
    campaign: Campaign,
    message: Annotated[
        list[int] | None,
        typer.Option("--message", metavar="ID", help="Only this message.", min=1, max=MOST_ID),
    ] = None,
    *,
    json: Json = False,
) -> None:
    """Send again what failed, and look again at what is held."""
    from crm_tui.services.campaigns import mending

    async def work(session: WriteSession) -> str:
        number = await mending.retry(session, campaign, now=utc_now(), ids=message or ())
        return (
            f"{plural(number, 'message waits', 'messages wait')} to be sent again."
            if number
            else "Nothing of it failed or is held."
        )

    _change(context, campaign, work, json=json)


def skip(
    context: typer.Context, campaign: Campaign, leads: Ids = None, *, json: Json = False
) -> None:
    """Take leads out of a campaign; what was not sent to them is skipped."""
    from crm_tui.services.campaigns import mending

    if not leads:
        raise typer.BadParameter("Name leads by their numbers.")

    async def work(db: Database) -> tuple[int, str]:
        from crm_tui.services.campaigns import drafts

        number = await mending.take_out(db, campaign, leads, now=utc_now())
        async with db.read() as session:
            return number, (await drafts.load(session, campaign)).state

    number, state = with_store(context, work)
    if json:
        show_json({"id": campaign, "state": state})
    say(f"{plural(number, 'message is', 'messages are')} skipped; `crm-tui undo` takes it back.")


def _change(
    context: typer.Context,
    campaign: int,
    work: Callable[[WriteSession], Awaitable[str]],
    *,
    json: bool,
) -> None:
    """Do something to a campaign in one transaction, and say what `work` says."""

    async def act(db: Database) -> tuple[str, str]:
        from crm_tui.services.campaigns import drafts

        async with db.write(durable=True) as session:
            said = await work(session)
        async with db.read() as session:
            return said, (await drafts.load(session, campaign)).state

    said, state = with_store(context, act)
    if json:
        show_json({"id": campaign, "state": state})
    say(said)


def send_test(
    context: typer.Context,
    campaign: Campaign,
    to: Annotated[str, typer.Option("--to", metavar="ADDRESS", help="Your own address.")],
    lead: Annotated[
        int | None,
        typer.Option("--lead", metavar="ID", help="As this lead would get it.", min=1, max=MOST_ID),
    ] = None,
    step: Annotated[int, typer.Option("--step", help="Which mail of it.", min=1)] = 1,
    text: Text = "a",
    *,
    json: Json = False,
) -> None:
    """Send a mail of a campaign to yourself, at once; it counts for nothing."""
    settings = invocation(context).settings
    from crm_tui.providers.base import Blocked, ProviderError, Refused, Unsendable

    async def work(db: Database) -> Tried:
        from crm_tui.services.campaigns import drafts, preview, trial

        async with db.read() as session:
            kept = await drafts.load(session, campaign)
            try:
                chosen = lead or await first_recipient(session, campaign)
            except NotFound:
                chosen = None
        return await trial.send(
            db,
            preview.saying(kept.draft.steps, step, text.lower()),
            step,
            to,
            business_id=chosen,
            settings=settings,
            environment=os.environ,
            now=utc_now(),
        )

    try:
        tried = with_store(context, work)
    except (Refused, Blocked, Unsendable) as error:
        if json:
            show_json({"id": campaign, "to": to, "sent": False, "reason": error.words})
        say(f"The test mail was refused: {error.words}")
        raise typer.Exit(Exit.REFUSED) from None
    except ProviderError as error:
        say(f"The test mail was not sent: {error}")
        raise typer.Exit(Exit.PROVIDER_FAILED) from None
    if json:
        show_json(_tried(campaign, tried))
    say(f"Sent to {tried.to}: {tried.subject}")
    if tried.example:
        say("What is not known of the lead is as in the examples.")


def _tried(campaign: int, tried: Tried) -> dict[str, Any]:
    return {
        "id": campaign,
        "to": tried.to,
        "sent": True,
        "subject": tried.subject,
        "message_id": tried.message_id,
        "example": tried.example,
    }


def policy(
    context: typer.Context,
    *,
    accept: Annotated[
        bool, typer.Option("--accept", help="You know what your provider allows; note it.")
    ] = False,
    json: Json = False,
) -> None:
    """Show what your providers may hold against messages nobody asked for; accept it once."""
    from crm_tui.services.campaigns.policies import has_policy, policy_of, unread

    settings, config = invocation(context).settings, config_path(context)
    used = [each for each in (settings.email.provider, settings.sms.provider) if each]
    missing = unread(settings, texts=True)
    if accept and missing:
        from crm_tui.services.campaigns.acknowledging import acknowledge

        for each in missing:
            acknowledge(config, each)
        missing = []
    told = [
        {"provider": each, "acknowledged": each not in missing, "policy": policy_of(each)}
        for each in used
    ]
    if json:
        show_json({**told[0], "providers": told, "config": str(config)})
    elif not accept:
        for each in filter(has_policy, used):
            typer.echo(visible_lines(policy_of(each)))
    if not any(map(has_policy, used)):
        say("The outbox sends nothing; there is no policy to accept.")
    elif accept:
        say(f"Noted in {config}.")
    else:
        say("Accept it: crm-tui campaigns policy --accept" if missing else "You accepted it.")
