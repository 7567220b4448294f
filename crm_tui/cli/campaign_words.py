"""What the commands about campaigns share: what their options name, and what they say."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from crm_tui.cli.long_work import progress_of, stop_on_interrupt
from crm_tui.cli.output import MOST_ID, invocation, say, show_json, show_table
from crm_tui.clock import local_stamp, utc_now
from crm_tui.errors import BadInput, NotFound, WrongUsage
from crm_tui.text import plural, visible
from crm_tui.vocabulary import Channel

if TYPE_CHECKING:
    from datetime import datetime

    from crm_tui.config import Settings
    from crm_tui.db.engine import Database, ReadSession
    from crm_tui.services.campaigns.audience import Audience
    from crm_tui.services.campaigns.figures import Rate
    from crm_tui.services.campaigns.freezing import Frozen
    from crm_tui.services.campaigns.gate import Check
    from crm_tui.services.campaigns.ledger import LedgerFilter, LedgerRow
    from crm_tui.services.campaigns.listing import CampaignRow
    from crm_tui.services.templating.files import Template, Templates

Json = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]
Campaign = Annotated[
    int, typer.Argument(metavar="ID", help="The campaign's number.", min=1, max=MOST_ID)
]

_ROWS = 500


def config_path(context: typer.Context) -> Path:
    """The configuration file."""
    from crm_tui.config import default_config_path

    return invocation(context).config or default_config_path()


def some_templates(context: typer.Context) -> Templates:
    """The templates there are."""
    from crm_tui.services.templating.files import Templates, own_folder

    return Templates(own_folder(config_path(context)))


def template_of(context: typer.Context, name: str) -> Template:
    """The template that an option names; wrong usage where there is none."""
    try:
        return some_templates(context).named(name)
    except NotFound as error:
        raise WrongUsage(str(error)) from None


def delay_of(text: str) -> str:
    """The delay that an option names, as it is kept; wrong usage where it is none."""
    from crm_tui.services.sending.hours import read_delay

    try:
        return str(read_delay(text))
    except BadInput as error:
        raise WrongUsage(str(error)) from None


async def first_recipient(session: ReadSession, campaign: int) -> int:
    """The lead that a campaign writes to first.

    Raises:
        NotFound: it writes to nobody.
    """
    from crm_tui.services.campaigns.ledger import first_lead

    found = await first_lead(session, campaign)
    if found is None:
        raise NotFound(f"Campaign {campaign} has no recipients yet; name a lead with --lead.")
    return found


def iso(at: datetime | None) -> str | None:
    """A time as a document has it."""
    return None if at is None else at.isoformat()


def state_words(state: str, why: str | None) -> str:
    """The state of a campaign, and why it is paused."""
    return f"{state}: {visible(why, 80)}" if why else state


async def look_up_domains(db: Database, wanted: Audience, settings: Settings) -> None:
    """Look up which domains take mail, where that is not known; ctrl+c skips it."""
    from crm_tui.services.campaigns import domains
    from crm_tui.services.campaigns.audience import look

    lookup = domains.lookup_for(settings)
    if lookup is None:
        return
    with stop_on_interrupt() as stopped, progress_of("Looking up domains") as progress:
        now = utc_now()
        found = await look(db, wanted, settings=settings, now=now, cancelled=stopped)
        asked = await domains.to_look_up(db, (each.address for each in found.recipients), now=now)
        told = await domains.look_up(
            db, lookup, asked, now=now, progress=progress, cancelled=stopped
        )
    if not told:
        say("Domains could not be looked up just now; nobody is left out for that.")


def say_added(frozen: Frozen, beginning: str) -> None:
    """Say who was taken in, and who was left out."""
    say(f"{beginning} {plural(frozen.recipients, 'lead')}.")
    if frozen.no_consent:
        say(
            f"{frozen.no_consent:,} of {frozen.recipients:,} have not agreed to text messages: held"
            " until they do (crm-tui leads consent)."
        )
    if frozen.without_link:
        say(
            f"{frozen.without_link:,} of them have no payment link, which a message names: "
            "crm-tui payments link --where QUERY --plan P makes them."
        )
    if frozen.held:
        say(f"{frozen.held:,} of them wait until their site is published: crm-tui sites publish")
    if frozen.recent:
        them = plural(frozen.recent, "of them was", "of them were")
        say(
            f"{them} written to lately, or {'waits' if frozen.recent == 1 else 'wait'} in another "
            "campaign; --contacted-days 30 leaves them out."
        )
    left = sum(each.count for each in frozen.excluded)
    if left:
        say(f"{plural(left, 'lead is', 'leads are')} left out:")
    for each in frozen.excluded:
        say(f"  {each.count:>6,}  {each.reason}")


def say_checks(checks: Sequence[Check]) -> None:
    """Say what was looked at, and what to do about it."""
    shapes = {"passed": "ok   ", "warning": "look ", "blocks": "stop "}
    for each in checks:
        say(f"{shapes[each.verdict]} {each.check}: {each.why}")
        if each.fix:
            say(f"      {each.fix}")


def row_document(row: CampaignRow) -> dict[str, Any]:
    """A line of the list as a document has it."""
    from crm_tui.services.campaigns.figures import documents

    return {
        "id": row.id,
        "name": row.name,
        "state": row.state,
        "pause_reason": row.pause_reason,
        "recipients": row.recipients,
        "steps": row.steps,
        "counts": row.counts.plain(),
        "held": row.counts.held,
        "rates": documents(row.rates),
        "created_at": iso(row.created_at),
        "starts_at": iso(row.starts_at),
        "started_at": iso(row.started_at),
        "ended_at": iso(row.ended_at),
        "next_due_at": iso(row.next_due_at),
    }


async def show_document(db: Database, campaign: int, *, json: bool) -> None:
    """Show a campaign with its figures, and as a document with every message."""
    from crm_tui.cli.campaign_variants import say_texts, step_document
    from crm_tui.services.campaigns import drafts, figures, ledger

    async with db.read() as session:
        kept = await drafts.load(session, campaign)
        found = await figures.figures(session, campaign)
    if json:
        show_json(
            {
                "id": kept.id,
                "name": kept.draft.name,
                "state": kept.state,
                "pause_reason": kept.pause_reason,
                "counts": found.counts.plain(),
                "held": found.counts.held,
                "recipients": found.recipients,
                "rates": figures.documents(found.rates),
                "steps": [
                    {
                        "step": each.position,
                        "template": each.template,
                        "channel": step.channel,
                        "subject": step.subject,
                        "delay": step.delay,
                        "version": step.version,
                        "counts": each.counts.plain(),
                        "held": each.counts.held,
                        "rates": figures.documents(each.rates),
                        **step_document(each),
                    }
                    for each, step in zip(found.steps, kept.draft.steps, strict=True)
                ],
                "messages": [
                    message_document(row)
                    for row in await _rows(db, campaign, ledger.read_filter(""))
                ],
                "starts_at": iso(kept.draft.starts_at),
                "started_at": iso(kept.started_at),
                "ended_at": iso(kept.ended_at),
            }
        )
        return
    counts = found.counts
    say(f"{kept.draft.name}: {state_words(kept.state, kept.pause_reason)}")
    channels = {step.channel for step in kept.draft.steps}
    say(f"{plural(found.recipients, 'lead')}, {plural(counts.audience, noun_of(channels))}")
    show_table(
        (
            "Step",
            "Template",
            "Messages",
            "Waiting",
            "Held",
            "Sent",
            "Failed",
            "Skipped",
            "Uncertain",
        ),
        [
            (
                each.position,
                visible(each.template, 40),
                each.counts.audience,
                each.counts.queued,
                each.counts.held,
                each.counts.sent,
                each.counts.failed,
                each.counts.skipped + each.counts.canceled,
                each.counts.uncertain,
            )
            for each in found.steps
        ],
    )
    for rate in found.rates:
        say(rate_words(rate))
    for each in found.steps:
        say_texts(each)


def noun_of(channels: Collection[Channel]) -> str:
    """What messages through these channels are called, one of them."""
    if Channel.SMS not in channels:
        return "mail"
    return "message" if Channel.EMAIL in channels else "text message"


def rate_words(rate: Rate) -> str:
    """A rate with its counts: "open: 3 of 40 (7.5%), 12 with machines; 5 more not measured"."""
    if not rate.measured:
        return f"{rate.name}: not measured"
    if rate.value is None:
        return f"{rate.name}: nothing {'delivered' if rate.raw is not None else 'sent'} yet"
    said = f"{rate.name}: {rate.numerator:,} of {rate.denominator:,} ({rate.value:.1%})"
    if rate.raw is not None and rate.raw != rate.numerator:
        said += f", {rate.raw:,} with machines"
    return f"{said}; {rate.unmeasured:,} more not measured" if rate.unmeasured else said


async def _rows(db: Database, campaign: int, wanted: LedgerFilter) -> list[LedgerRow]:
    from crm_tui.services.campaigns import ledger

    ids = await ledger.order(db, campaign, wanted)
    found: list[LedgerRow] = []
    for start in range(0, len(ids), _ROWS):
        async with db.read() as session:
            found += await ledger.rows(session, ids[start : start + _ROWS])
    return found


def message_document(row: LedgerRow) -> dict[str, Any]:
    """A message as a document has it."""
    return {
        "id": row.id,
        "business_id": row.business_id,
        "name": row.name,
        "step": row.step,
        "to": row.address,
        "channel": row.channel,
        "segments": row.segments,
        "state": row.state,
        "reason": row.reason,
        "message_id": row.message_id,
        "variant": row.variant,
        "due_at": iso(row.due_at),
        "sent_at": iso(row.sent_at),
        "delivered_at": iso(row.delivered_at),
        "opened_at": iso(row.opened_at),
        "clicked_at": iso(row.clicked_at),
        "machine_opened_at": iso(row.machine_opened_at),
        "machine_clicked_at": iso(row.machine_clicked_at),
        "machine": row.machine,
        "replied_at": iso(row.replied_at),
        "bounced_at": iso(row.bounced_at),
        "unsubscribed_at": iso(row.unsubscribed_at),
        "complained_at": iso(row.complained_at),
        "version": row.version,
    }


async def show_ledger(db: Database, campaign: int, wanted: LedgerFilter, *, json: bool) -> None:
    """Show messages of a campaign."""
    found = await _rows(db, campaign, wanted)
    if json:
        show_json({"messages": [message_document(row) for row in found]})
        return
    show_table(
        ("ID", "Lead", "Name", "Step", "To", "State", "When", "Reason"),
        [
            (
                row.id,
                row.business_id,
                visible(row.name, 30),
                row.step,
                row.address,
                "held" if row.is_held else row.state,
                _when(row.sent_at or row.due_at),
                visible(row.reason or "", 80),
            )
            for row in found
        ],
    )
    say(plural(len(found), "message"))


def _when(at: datetime | None) -> str:
    return "" if at is None else local_stamp(at)


async def show_left_out(db: Database, campaign: int, *, json: bool) -> None:
    """Show who was left out of a campaign."""
    from crm_tui.services.campaigns import ledger

    found: list[ledger.LeftOutRow] = []
    while True:
        async with db.read() as session:
            some = await ledger.left_out(session, campaign, most=_ROWS, offset=len(found))
        found += some
        if len(some) < _ROWS:
            break
    if json:
        show_json(
            {
                "left_out": [
                    {
                        "business_id": each.business_id,
                        "name": each.name,
                        "email": each.email,
                        "reason": each.reason,
                    }
                    for each in found
                ]
            }
        )
        return
    show_table(
        ("Lead", "Name", "E-mail", "Reason"),
        [(each.business_id, visible(each.name, 40), each.email, each.reason) for each in found],
    )
    say(plural(len(found), "lead"))
