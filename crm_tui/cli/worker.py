"""`crm-tui worker`: reads what came in and sends what is due, without the app."""

from __future__ import annotations

import os
import signal
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from crm_tui.cli.campaign_running import confirm
from crm_tui.cli.output import Exit, invocation, say, show_json, with_store
from crm_tui.clock import utc_now
from crm_tui.errors import UserError
from crm_tui.text import plural

if TYPE_CHECKING:
    from crm_tui.config import Settings
    from crm_tui.db.engine import Database
    from crm_tui.services.mailing import Report
    from crm_tui.worker import Worker

T = TypeVar("T")

_LOOK = 2.0
"""Seconds between two looks at what the worker wrote down."""


def register(app: typer.Typer) -> None:
    """Add the command to the root."""
    app.command()(worker)


def worker(
    context: typer.Context,
    *,
    once: Annotated[
        bool, typer.Option("--once", help="Read what came in, send what is due now, and end.")
    ] = False,
    let_go: Annotated[
        bool,
        typer.Option(
            "--let-go", help="Let a store send that was stopped, restored or copied; sends nothing."
        ),
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="With --let-go: do not ask.")] = False,
    json: Annotated[
        bool, typer.Option("--json", help="With --once: one JSON document on stdout.")
    ] = False,
) -> None:
    """Work without the app, until ctrl+c: read the mailbox and send what is due."""
    if once and let_go:
        raise typer.BadParameter("Say --once or --let-go, not both.")
    if json and not once:
        raise typer.BadParameter("--json tells what one pass did: say --once, too.")
    if let_go:
        _let_go(context, yes=yes)
    elif once:
        _once(context, json=json)
    else:
        _run(context)


def _once(context: typer.Context, *, json: bool) -> None:
    report = _working(context, lambda working: working.once())
    if json:
        show_json(
            {
                name: getattr(report, name)
                for name in (
                    "sent",
                    "failed",
                    "uncertain",
                    "polled",
                    "applied",
                    "unmatched",
                    "due_later",
                )
            }
        )
    say_report(report, invocation(context).settings)
    if report.problems:
        raise typer.Exit(Exit.PROVIDER_FAILED)
    if report.stopped:
        raise typer.Exit(Exit.REFUSED)


def say_report(report: Report, settings: Settings) -> None:
    """Say what a pass came to, in the words of what is set up."""
    from crm_tui.providers.catalog import APIS

    texts, asked = settings.sms.provider, settings.email.provider in APIS
    for problem in report.problems:
        say(problem)
    if report.stopped:
        say(f"Nothing was sent. Sending is stopped: {report.stopped}.")
        say("If nothing else sends from this data any more: crm-tui worker --let-go")
    if report.polled:
        read = []
        if messages := report.polled - report.payments:
            read.append(plural(messages, "record" if texts or asked else "mail"))
        if report.payments:
            read.append(plural(report.payments, "record of payments", "records of payments"))
        say(
            f"{' and '.join(read)} read: {report.applied:,} told us something, "
            f"{report.unmatched:,} wait for you in the inbox."
        )
    said = f"{plural(report.sent, 'message' if texts else 'mail')} sent"
    if report.failed:
        said += f", {report.failed:,} refused"
    if report.uncertain:
        said += f", {report.uncertain:,} uncertain"
    waiting = plural(report.due_later, "waits", "wait")
    say(f"{said}; {waiting} for later." if report.due_later else f"{said}.")


def _run(context: typer.Context) -> None:
    import asyncio

    async def run(working: Worker) -> None:
        telling = asyncio.create_task(_tell(working.db))
        try:
            await working.run(began=lambda: say("At work until you press ctrl+c."))
        finally:
            telling.cancel()
            with suppress(asyncio.CancelledError):
                await telling

    _working(context, run)
    say("Stopped.")


async def _tell(db: Database) -> None:
    """Say what the worker writes down, as it does."""
    import asyncio

    from crm_tui.services.sending import worker_log

    async with db.read() as session:
        told = {(line.id, line.at) for line in await worker_log.lines(session, most=50)}
    while True:
        await asyncio.sleep(_LOOK)
        async with db.read() as session:
            newest = await worker_log.lines(session, most=50)
        for line in reversed(newest):
            if (line.id, line.at) not in told:
                say(line.words)
        told = {(line.id, line.at) for line in newest}


def _working(context: typer.Context, work: Callable[[Worker], Awaitable[T]]) -> T:
    """Make a worker and have it work; what asks the program to end has it stop in good order.

    Raises:
        UserError: another worker is at work for the store.
    """
    from crm_tui.worker import AtWork, Worker

    settings = invocation(context).settings

    async def run(db: Database) -> T:
        working = Worker(db, settings, environment=os.environ, now=utc_now)
        with _stops(working):
            return await work(working)

    try:
        return with_store(context, run)
    except AtWork as error:
        raise UserError(str(error)) from None


@contextmanager
def _stops(working: Worker) -> Iterator[None]:
    """Have ctrl+c, SIGTERM and a lost terminal ask to stop; a second time they end the program."""
    import asyncio

    loop = asyncio.get_running_loop()
    asking = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

    def asked() -> None:
        let_go()
        working.stop()
        if waits := working.unanswered:
            say(
                f"Stopping. {plural(waits, 'message was', 'messages were')} handed over, and the answer"
                " is waited for."
            )
        else:
            say("Stopping.")

    def let_go() -> None:
        for each in asking:
            loop.remove_signal_handler(each)

    for each in asking:
        loop.add_signal_handler(each, asked)
    try:
        yield
    finally:
        let_go()


def _let_go(context: typer.Context, *, yes: bool) -> None:
    confirm(
        "Let this store send? Do so only if nothing else sends from a copy of it, or people get "
        "mails twice.",
        yes=yes,
    )

    async def work(db: Database) -> None:
        from crm_tui.services.sending import last_sent, standing

        async with db.write(durable=True) as session:
            await standing.let_go(session, standing.home_of(db.path))
        last_sent.forget(db.path)

    with_store(context, work)
    say("This store may send.")
