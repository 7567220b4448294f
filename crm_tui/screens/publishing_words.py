"""What is said before and after sites are published or taken down."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from crm_tui.text import plural, visible
from crm_tui.widgets.look import Role

if TYPE_CHECKING:
    from crm_tui.services.publishing.batch import Failure
    from crm_tui.services.publishing.publish import PublishReport
    from crm_tui.services.publishing.takedown import TakedownReport

_NO_WAY_BACK = "Undo cannot take it back"


def ask_to_publish(count: int) -> str:
    """The question before several sites are published."""
    return (
        f"Publish {plural(count, 'site')}? Anybody with the address can read them then. "
        f"{_NO_WAY_BACK}; they can be taken down."
    )


def ask_to_take_down(count: int) -> str:
    """The question before sites are taken down."""
    whose = "the site" if count == 1 else plural(count, "site")
    return (
        f"Take {whose} down? Links to {'it' if count == 1 else 'them'} in mails that were sent "
        f"lead nowhere then. {_NO_WAY_BACK}; publishing again brings back the same address."
    )


def publish_words(report: PublishReport, wanted: int) -> tuple[str, Role]:
    """What became of publishing."""
    if wanted == 1 and report.published and not report.settled:
        return f"Published: {report.sites[0].url} . {_NO_WAY_BACK}.", Role.GOOD
    if wanted == 1 and report.unchanged:
        return f"The public reads it as it is already: {report.sites[0].url}", Role.GOOD
    parts = [f"published {plural(report.published, 'site')}"] if report.published else []
    if report.unchanged:
        parts.append(f"{report.unchanged:,} were public as they are already")
    if report.settled:
        parts.append(f"{len(report.settled):,} that had failed before went along")
    if report.released:
        parts.append(f"{plural(report.released, 'mail')} waited for that and can go")
    return _summed_up(parts, report.failures, "published", cancelled=report.cancelled)


def takedown_words(report: TakedownReport) -> tuple[str, Role]:
    """What became of taking down."""
    parts = [f"took down {plural(len(report.sites), 'site')}"] if report.sites else []
    if elsewhere := [each.elsewhere for each in report.sites if each.elsewhere]:
        parts.append(f"{elsewhere[0]} is not where pages go now: take it down there")
    return _summed_up(parts, report.failures, "taken down", cancelled=report.cancelled)


def _summed_up(
    parts: list[str], failures: Sequence[Failure], done: str, *, cancelled: bool
) -> tuple[str, Role]:
    if cancelled:
        parts.append("stopped")
    if failures:
        first = failures[0]
        name = visible(first.business, 40)
        whom = name if len(failures) == 1 else f"{len(failures):,} sites, the first {name},"
        verb = "was" if len(failures) == 1 else "were"
        parts.append(f"{whom} {verb} not {done}: {first.reason}")
    words = "; ".join(parts) or "there was nothing to do"
    role = Role.BAD if failures else Role.ATTENTION if cancelled else Role.GOOD
    return f"{words[:1].upper()}{words[1:]}.", role
