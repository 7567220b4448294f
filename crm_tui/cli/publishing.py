"""`crm-tui sites publish` and `unpublish`: what the public reads."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import typer

from crm_tui.cli.long_work import progress_of, stop_on_interrupt
from crm_tui.cli.one_lead import Json
from crm_tui.cli.output import Exit, invocation, say, show_json, with_store
from crm_tui.cli.query import Query, QueryCommand, lead_query
from crm_tui.clock import utc_now
from crm_tui.text import plural, visible

if TYPE_CHECKING:
    from crm_tui.db.engine import Database
    from crm_tui.services.publishing.batch import Failure, Report
    from crm_tui.services.publishing.publish import PublishReport
    from crm_tui.services.publishing.takedown import TakedownReport

_NAMED = 20


def register(sites: typer.Typer) -> None:
    """Add the commands to those about sites."""
    sites.command("publish", cls=QueryCommand)(publish)
    sites.command("unpublish", cls=QueryCommand)(unpublish)


def publish(context: typer.Context, query: Query = None, *, json: Json = False) -> None:
    """Publish the sites of leads, of all without a query; undo cannot take it back."""
    from crm_tui.services.publishing.publisher import open_publisher

    publisher = open_publisher(invocation(context).settings.publishing)
    wanted = lead_query(context, query)

    async def work(db: Database) -> tuple[PublishReport, int]:
        from crm_tui.services.lead_rows import order
        from crm_tui.services.publishing import choosing
        from crm_tui.services.publishing.publish import publish_sites

        leads = await order(db, wanted)
        async with db.read() as session:
            chosen = await choosing.to_publish(session, leads)
        with stop_on_interrupt() as stopped, progress_of("Publishing") as progress:
            report = await publish_sites(
                db,
                chosen,
                publisher=publisher,
                clock=utc_now,
                progress=progress,
                cancelled=stopped,
            )
        return report, len(leads) - len(chosen)

    report, without = with_store(context, work)
    if json:
        show_json(_publish_document(report, without))
    _say_published(report, without)
    if len(report.sites) == 1 and not json:
        typer.echo(report.sites[0].url)
    if report.failures or report.cancelled:
        raise typer.Exit(Exit.IN_PART)


def unpublish(context: typer.Context, query: Query = None, *, json: Json = False) -> None:
    """Take the sites of leads off the web; links in mails that were sent lead nowhere then."""
    if query is None:
        raise typer.BadParameter("Say which leads with a query; '' means all.")
    from crm_tui.services.publishing.publisher import open_publisher

    publisher = open_publisher(invocation(context).settings.publishing)
    wanted = lead_query(context, query)

    async def work(db: Database) -> TakedownReport:
        from crm_tui.services.lead_rows import order
        from crm_tui.services.publishing import choosing
        from crm_tui.services.publishing.takedown import unpublish_sites

        leads = await order(db, wanted)
        async with db.read() as session:
            chosen = await choosing.to_take_down(session, leads)
        with stop_on_interrupt() as stopped, progress_of("Taking down") as progress:
            return await unpublish_sites(
                db,
                chosen,
                publisher=publisher,
                clock=utc_now,
                progress=progress,
                cancelled=stopped,
            )

    report = with_store(context, work)
    if json:
        show_json(_takedown_document(report))
    _say_taken_down(report)
    if report.failures or report.cancelled:
        raise typer.Exit(Exit.IN_PART)


def _publish_document(report: PublishReport, without: int) -> dict[str, Any]:
    return {
        "published": report.published,
        "unchanged": report.unchanged,
        "failed": len(report.failures),
        "without_site": without,
        "settled": len(report.settled),
        "released": report.released,
        "cancelled": report.cancelled,
        "sites": [
            {
                "slug": site.slug,
                "business_id": site.business_id,
                "url": site.url,
                "changed": site.changed,
            }
            for site in report.sites
        ],
        "failures": _failure_documents(report.failures),
    }


def _takedown_document(report: TakedownReport) -> dict[str, Any]:
    return {
        "unpublished": len(report.sites),
        "unchanged": report.unchanged,
        "failed": len(report.failures),
        "cancelled": report.cancelled,
        "sites": [
            {"slug": site.slug, "business_id": site.business_id, "elsewhere": site.elsewhere}
            for site in report.sites
        ],
        "failures": _failure_documents(report.failures),
    }


def _failure_documents(failures: Sequence[Failure]) -> list[dict[str, Any]]:
    return [
        {
            "slug": each.slug,
            "business_id": each.business_id,
            "name": each.business,
            "reason": each.reason,
        }
        for each in failures
    ]


def _say_published(report: PublishReport, without: int) -> None:
    _say_failures(report.failures)
    said = (
        f"{report.published:,} published, {report.unchanged:,} unchanged, "
        f"{len(report.failures):,} failed."
    )
    say(f"Stopped: {said}" if report.cancelled else said)
    _say_what_comes(report)
    if report.settled:
        say(f"{plural(len(report.settled), 'site')} that had failed before went along.")
    if report.released:
        say(f"{plural(report.released, 'message')} waited for that and can go now.")
    if report.published:
        say("Undo cannot take that back; this takes it down: crm-tui sites unpublish.")
    if without:
        say(f"{plural(without, 'lead has', 'leads have')} no site; see: crm-tui sites build")


def _say_taken_down(report: TakedownReport) -> None:
    _say_failures(report.failures)
    for each in report.sites:
        if each.elsewhere:
            say(f"{each.elsewhere} is not where pages go now. Take it down there.")
    said = f"{len(report.sites):,} taken down, {len(report.failures):,} failed."
    say(f"Stopped: {said}" if report.cancelled else said)
    _say_what_comes(report)


def _say_what_comes(report: Report) -> None:
    """Say that what failed is not forgotten."""
    if report.failures and not report.cancelled:
        say(
            "What failed is tried again by the worker in a few minutes, and by this command at once."
        )


def _say_failures(failures: Sequence[Failure]) -> None:
    """Say once why sites failed, and which."""
    by_reason: dict[str, list[str]] = {}
    for each in failures:
        name = f"{visible(each.business, 60)} (lead {each.business_id})" if each.slug else "A site"
        by_reason.setdefault(each.reason, []).append(name)
    for reason, names in list(by_reason.items())[:_NAMED]:
        more = f" and {len(names) - 3:,} more" if len(names) > 3 else ""
        say(f"{', '.join(names[:3])}{more}: {reason}.")
    if len(by_reason) > _NAMED:
        say("… and others; --json names all.")
