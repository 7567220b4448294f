"""`crm-tui backup`, `restore`, `doctor` and `demo`: looking after a store."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from crm_tui.cli.output import Exit, Invocation, invocation, say, show_json, show_table
from crm_tui.clock import utc_now
from crm_tui.text import plural

if TYPE_CHECKING:
    from crm_tui.config import Settings

Json = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]


def register(app: typer.Typer) -> None:
    """Add the commands to the root of the command line."""
    app.command()(backup)
    app.command()(restore)
    app.command()(doctor)
    app.command()(demo)


def backup(
    context: typer.Context,
    file: Annotated[
        Path | None,
        typer.Argument(help="The file to make, or a folder [default: beside the store]."),
    ] = None,
    *,
    json: Json = False,
) -> None:
    """Copy the store, the settings, templates and themes into one checked file."""
    from crm_tui.services.backup import make_backup

    asked = invocation(context)
    made = make_backup(asked.store, file, config_path=asked.config, now=utc_now())
    if json:
        show_json({"file": str(made), "bytes": made.stat().st_size})
        return
    say(f"Backed up to {made} ({made.stat().st_size / 1e6:,.1f} MB); opened and checked.")


def restore(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="A backup.")],
    *,
    json: Json = False,
) -> None:
    """Put a backup in the place of the store; what is there is backed up first."""
    from crm_tui.services.restore import restore as bring_back

    asked = invocation(context)
    result = bring_back(file, asked.store, now=utc_now(), config_path=asked.config)
    if json:
        show_json(
            {
                "file": str(result.file),
                "saved": str(result.saved) if result.saved else None,
                "leads": result.leads,
                "sites": result.sites,
                "migrated_from": result.migrated_from,
                "files_restored": list(result.files.restored),
                "files_kept": list(result.files.kept),
                "sending_stopped": True,
            }
        )
        return
    say(
        f"Restored {plural(result.leads, 'lead')} and {plural(result.sites, 'site')} "
        f"from {result.file}."
    )
    if result.saved:
        say(f"What was there before is kept as {result.saved}.")
    if result.migrated_from:
        say("The backup was of an older version and was brought up to this one.")
    for words, names in (
        ("Also restored", result.files.restored),
        ("Kept as they are now", result.files.kept),
    ):
        if names:
            say(f"{words}: {', '.join(names)}.")
    say("Sending is stopped until you let it go: what was sent since the backup is not known here.")


def doctor(
    context: typer.Context,
    *,
    fix: Annotated[bool, typer.Option("--fix", help="Repair what can be repaired safely.")] = False,
    json: Json = False,
) -> None:
    """Check the store: the file, statuses, sites, the search index and more."""
    from crm_tui.services.doctor import examine

    asked = invocation(context)
    import asyncio

    report = asyncio.run(
        examine(
            asked.store, settings=asked.settings, now=utc_now(), fix=fix, progress=_show_progress
        )
    )
    if json:
        findings = [
            {
                "check": finding.check,
                "severity": finding.severity,
                "count": finding.count,
                "detail": finding.detail,
            }
            for finding in report.findings
        ]
        show_json({"ok": report.ok, "findings": findings})
    else:
        if report.findings:
            show_table(
                ("Check", "Severity", "Count", "Detail"),
                [(f.check, f.severity, f.count, f.detail) for f in report.findings],
            )
        say(_verdict(ok=report.ok, fix=fix))
    if not report.ok:
        raise typer.Exit(Exit.REFUSED)


def demo(context: typer.Context) -> None:
    """Open the app on a throw-away store of 500 invented leads with campaigns; nothing is sent."""
    import asyncio
    import tempfile

    from crm_tui.cli.running import need_terminal, open_app
    from crm_tui.services.demo import open_world

    need_terminal()
    asked = invocation(context)
    settings = asked.settings
    say("Making a demo: 500 invented leads, their sites and campaigns …")
    with tempfile.TemporaryDirectory(prefix="crm-tui-demo-", ignore_cleanup_errors=True) as folder:
        store, own = asyncio.run(open_world(Path(folder), settings, now=utc_now()))
        open_app(_Demo(store, asked.config, own), throw_away=True)


class _Demo(Invocation):
    """An invocation on the demo, with the settings of the demo."""

    def __init__(self, store: Path, config: Path | None, settings: Settings) -> None:
        super().__init__(str(store), config)
        self._own = settings

    @property
    def settings(self) -> Settings:
        """Those of the demo."""
        return self._own


def _show_progress(check: str) -> None:
    """On a large store the checks take their time; only a person at a terminal wants to know."""
    if sys.stderr.isatty():
        say(f"Checking {check.replace('_', ' ')} …")


def _verdict(*, ok: bool, fix: bool) -> str:
    if ok:
        return "The store is sound."
    if fix:
        return "The store has errors that cannot be repaired safely; see what each line says."
    return "The store has errors; `crm-tui doctor --fix` repairs what it can."
