"""What `crm-tui sites …` says: its JSON documents and its words for people."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import typer

from crm_tui.cli.output import say
from crm_tui.text import plural, visible

if TYPE_CHECKING:
    from crm_tui.db.engine import Database
    from crm_tui.services.sites.browser import Opened, Shown
    from crm_tui.services.sites.build import BuildReport
    from crm_tui.services.sites.listing import SiteLine
    from crm_tui.services.sites.public import Public
    from crm_tui.services.sites.repair import Proposal, RepairReport


def site_document(line: SiteLine, db: Database) -> dict[str, Any]:
    """A site as a document."""
    from crm_tui.services.sites.files import page_path

    return {
        "slug": line.slug,
        "business_id": line.business_id,
        "business": line.business,
        "path": str(page_path(db.site_folder, line.slug)),
        "status": line.status,
        "theme": line.theme,
        "out_of_date": line.out_of_date,
        "own_texts": line.own_texts,
        "created_at": line.created_at.isoformat(),
        "built_at": line.built_at.isoformat(),
        "public": line.public.state,
        "published_url": line.public.url,
        "published_at": line.public.at.isoformat() if line.public.at else None,
        "publish_problem": line.public.problem,
    }


def public_words(public: Public) -> str:
    """Where the public reads a site, and what is the matter with that."""
    from crm_tui.services.sites.public import PublicState

    if public.state is PublicState.PRIVATE:
        return ""
    parts = [public.url] if public.url else [public.state.words]
    if public.state is PublicState.OLDER:
        parts.append("older than the preview")
    if public.problem:
        parts.append(visible(public.problem, 200))
    return ", ".join(parts)


def build_document(report: BuildReport) -> dict[str, Any]:
    """What a build came to, as a document."""
    return {
        "built": report.built,
        "unchanged": report.unchanged,
        "failed": len(report.failures),
        "cancelled": report.cancelled,
        "undo": report.entry_id,
        "sites": [
            {
                "slug": site.slug,
                "business_id": site.business_id,
                "path": str(site.path),
                "status": site.status,
                "changed": site.changed,
            }
            for site in report.sites
        ],
        "failures": [
            {"business_id": each.business_id, "name": each.name, "reason": each.reason}
            for each in report.failures
        ],
    }


def say_built(report: BuildReport) -> None:
    """Say what a build came to."""
    for each in report.failures[:20]:
        named = (
            f"{each.name} (lead {each.business_id})" if each.name else f"Lead {each.business_id}"
        )
        say(f"{visible(named)}: {each.reason}")
    if len(report.failures) > 20:
        say(f"… and {plural(len(report.failures) - 20, 'more failure')}; --json names all.")
    said = (
        f"{report.built:,} built, {report.unchanged:,} unchanged, {len(report.failures):,} failed."
    )
    say(f"Stopped: {said}" if report.cancelled else said.capitalize())
    if report.entry_id is not None:
        say("First sites are archived again by: crm-tui undo.")
    if len(report.sites) == 1:
        say(f"See it with: crm-tui sites open {report.sites[0].slug}")


def shown_document(result: Opened | Shown) -> dict[str, Any]:
    """Whether a browser was asked, and the way to the page where none was."""
    from crm_tui.services.sites.browser import Shown

    tunnel = result.tunnel if isinstance(result, Shown) else None
    return {"opened": not isinstance(result, Shown), "tunnel": tunnel}


def say_shown(result: Opened | Shown) -> None:
    """Say where the page is: the address on stdout, everything else on stderr."""
    from crm_tui.services.sites.browser import Shown
    from crm_tui.widgets.clipboard import copy_sequence, link_sequence, sent_words

    say(result.words)
    tunnel = result.tunnel if isinstance(result, Shown) else None
    if tunnel:
        say(f"  {tunnel}")
    linked = sys.stdout.isatty()
    address = link_sequence(result.url, result.url, os.environ) if linked else result.url
    sys.stdout.write(address + "\n")
    if tunnel and sys.stderr.isatty():
        sequence = copy_sequence(result.url, os.environ)
        sys.stderr.write(sequence)
        say(f"{sent_words('Address', sequence, os.environ)}.")


def repair_document(report: RepairReport) -> dict[str, Any]:
    """What accepting all proposals came to, as a document."""
    return {
        "repaired": len(report.repaired),
        "created": report.created,
        "linked": report.linked,
        "left": report.left,
        "sites": [
            {"slug": each.slug, "business_id": each.business_id, "created": each.created}
            for each in report.repaired
        ],
        "problems": report.problems,
    }


def proposals_document(proposals: Sequence[Proposal]) -> dict[str, Any]:
    """What would be done for every site without a lead, as a document."""
    return {
        "repaired": 0,
        "created": 0,
        "linked": 0,
        "left": len(proposals),
        "proposals": [
            {
                "slug": each.slug,
                "reason": each.reason,
                "action": "link" if each.business_id else "create",
                "business_id": each.business_id,
                "business": each.business or None,
                "why": each.why or None,
                **{name: value or None for name, value in each.candidate.fields.items()},
            }
            for each in proposals
        ],
    }


def say_proposals(proposals: Sequence[Proposal]) -> None:
    """Say what would be done for every site without a lead: the proposals go to stdout."""
    for each in proposals:
        said = each.candidate.fields
        typer.echo(f"{visible(each.slug)}: {visible(each.reason)}")
        if each.business_id:
            typer.echo(f"  link to lead {each.business_id}, {visible(each.business)} ({each.why})")
            continue
        facts = ", ".join(filter(None, (said["phone"], said["email"], said["city"])))
        typer.echo(f"  create {visible(said['name'])}{f' ({visible(facts)})' if facts else ''}")
        if each.why:
            typer.echo(f"  {visible(each.why)}")
    if proposals:
        say(f"{plural(len(proposals), 'proposal')}; accept all with: crm-tui sites repair --yes")
    else:
        say("Every site has its lead.")
