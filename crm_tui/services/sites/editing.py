"""The texts of a site as the operator edits them, kept over every rebuild."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import select, update

from crm_tui.db.engine import ReadSession, WriteSession
from crm_tui.db.models import Site
from crm_tui.errors import NotFound, UserError
from crm_tui.services import events
from crm_tui.services.events import OPERATOR, NewEvent
from crm_tui.services.sites import gather
from crm_tui.services.sites.texts import SiteTexts, default_texts, dump, parse
from crm_tui.services.sites.themes import Theme, choose_theme
from crm_tui.vocabulary import EventKind


async def read_texts(session: ReadSession, site_id: int, *, themes: Mapping[str, Theme]) -> str:
    """The texts of a site as the file the operator edits (TOML).

    Raises:
        NotFound: there is no such site.
        UserError: its page came from elsewhere and has no texts.
    """
    own, default = await _texts(session, site_id, themes)
    return own or dump(default)


async def save_texts(
    session: WriteSession, site_id: int, text: str, *, themes: Mapping[str, Theme], now: datetime
) -> bool:
    """Keep edited texts, and mark the site out of date until it is built again.

    Texts that say what the theme says by itself are not kept, so that they go on following the
    facts. Returns whether anything changed.

    Raises:
        NotFound: there is no such site.
        UserError: its page came from elsewhere and has no texts.
        BadInput: the texts cannot be used; the sentence names the line and the field.
    """
    own, default = await _texts(session, site_id, themes)
    edited = parse(text, source="The texts")
    if edited == (parse(own) if own else default):
        return False
    kept = None if edited == default else text
    business_id = await session.scalar(
        update(Site)
        .where(Site.id == site_id)
        .values(texts=kept, out_of_date=True)
        .returning(Site.business_id)
        .execution_options(synchronize_session=None)
    )
    assert business_id is not None
    summary = "changed the texts of the site" if kept else "the site's own texts were taken back"
    event = NewEvent(business_id, EventKind.EDITED, now, summary, OPERATOR, site_id=site_id)
    await events.record(session, event, now=now)
    return True


async def _texts(
    session: ReadSession, site_id: int, themes: Mapping[str, Theme]
) -> tuple[str | None, SiteTexts]:
    """The operator's own texts of a site, if any, and those it would have without."""
    row = (
        await session.execute(
            select(Site.business_id, Site.slug, Site.theme, Site.texts).where(Site.id == site_id)
        )
    ).first()
    if row is None:
        raise NotFound(f"There is no site {site_id}.")
    if row.theme == gather.IMPORTED:
        raise UserError(
            f"The page of {row.slug} was imported as it is and has no texts to edit. "
            "Build a site for the lead to get one that has."
        )
    facts = (await gather.site_facts(session, [row.business_id]))[row.business_id]
    return row.texts, default_texts(facts, themes[choose_theme(facts.line_of_work, themes)])
