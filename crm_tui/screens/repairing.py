"""Giving a site that came without a lead its lead: what would become of it, and doing it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from crm_tui.screens.dialogs import Confirm
from crm_tui.widgets.look import Role

if TYPE_CHECKING:
    from crm_tui.screens.base import AppScreen
    from crm_tui.services.sites.repair import Proposal


async def propose(screen: AppScreen, unmatched_id: int) -> None:
    """Propose a lead for a site that waits for one; where that is accepted, the site gets it.

    Args:
        screen: the screen in front; it reads its data again afterwards.
        unmatched_id: what waits.

    Raises:
        NotFound: no such site waits.
    """
    db = await screen.host.store()
    from crm_tui.services.sites import repair

    region = screen.host.settings.imports.default_region
    proposal = await repair.proposal(db, unmatched_id, region=region)

    def accept(yes: bool | None) -> None:  # noqa: FBT001 - Textual's callback
        if yes:
            screen.work(_accept(screen, unmatched_id), group="repair")

    verb = "Link it" if proposal.business_id else "Create the lead"
    screen.app.push_screen(Confirm(proposal_words(proposal), verb=verb), accept)


async def _accept(screen: AppScreen, unmatched_id: int) -> None:
    db = await screen.host.store()
    from crm_tui.services.sites import repair

    repaired = await repair.accept(
        db, unmatched_id, settings=screen.host.settings, now=screen.host.now()
    )
    screen.data_changed()
    how = "a new lead was created" if repaired.created else "it was linked"
    screen.host.say(f"{repaired.slug} has its lead: {how}.", Role.GOOD)


def proposal_words(proposal: Proposal) -> str:
    """What would become of a site without a lead, in sentences."""
    said = proposal.candidate.fields
    place = " ".join(filter(None, (said["region"], said["postal_code"])))
    facts = (said["phone"], said["email"], said["street"], said["city"], place)
    told = ", ".join(filter(None, (said["name"], *facts)))
    sentences = [
        f"{proposal.slug} came without a lead: {proposal.reason}.",
        f"Its page says: {told}.",
    ]
    if proposal.business_id:
        sentences.append(
            f"That is lead {proposal.business_id}, {proposal.business}: {proposal.why}."
        )
    elif proposal.why:
        sentences.append(f"No lead is the same; it {proposal.why}.")
    else:
        sentences.append("No lead that is there has any of this.")
    return " ".join(sentences)
