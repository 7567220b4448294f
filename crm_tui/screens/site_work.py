"""Building sites and showing them, for every screen that offers it.

The app holds one `SiteWork`: it keeps the themes it compiled and the server of the previews.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from crm_tui.text import plural
from crm_tui.widgets.look import Role

if TYPE_CHECKING:
    from crm_tui.screens.base import Host, Job
    from crm_tui.services.publishing.publish import PublishReport
    from crm_tui.services.publishing.takedown import TakedownReport
    from crm_tui.services.sites.browser import Opened, Shown
    from crm_tui.services.sites.build import BuildReport
    from crm_tui.services.sites.listing import SiteLine
    from crm_tui.services.sites.preview import Preview
    from crm_tui.services.sites.render import Renderer


class SiteWork:
    """The renderer and the preview server of one run of the app, made when first needed.

    Args:
        host: The app.
        themes: The folder with the operator's own themes; it need not exist.
        environ: The environment variables that say whether there is a browser here.
    """

    def __init__(self, host: Host, *, themes: Path, environ: Mapping[str, str]) -> None:
        self._host = host
        self._themes = themes
        self.environ = environ
        self._renderer: Renderer | None = None
        self._preview: Preview | None = None

    async def build(self, lead_ids: Sequence[int], job: Job | None = None) -> BuildReport:
        """Build the sites of these leads.

        Args:
            lead_ids: Which, in this order.
            job: What progress is told to, and what says whether to stop.

        Raises:
            UserError: A theme cannot be read, or the store not be written.
        """
        from crm_tui.services.sites.build import build_sites

        return await build_sites(
            await self._host.store(),
            lead_ids,
            renderer=await self._themed(),
            clock=self._host.now,
            undoable=True,
            progress=job.progress if job else lambda _done, _total: None,
            cancelled=lambda: job is not None and job.cancelled,
        )

    def why_not_publish(self) -> str | None:
        """What is missing in the settings before anything can be published."""
        from crm_tui.services.publishing.publisher import not_set_up

        return not_set_up(self._host.settings.publishing) or None

    async def publish(self, site_ids: Sequence[int], job: Job) -> PublishReport:
        """Publish these sites; undo cannot take that back.

        Raises:
            UserError: Publishing is not set up, pages cannot be put, or the store not be written.
        """
        from crm_tui.services.publishing.publish import publish_sites
        from crm_tui.services.publishing.publisher import open_publisher

        return await publish_sites(
            await self._host.store(),
            site_ids,
            publisher=open_publisher(self._host.settings.publishing),
            clock=self._host.now,
            progress=job.progress,
            cancelled=lambda: job.cancelled,
        )

    async def unpublish(self, site_ids: Sequence[int], job: Job) -> TakedownReport:
        """Take these sites off the web.

        Raises:
            UserError: As in `publish`.
        """
        from crm_tui.services.publishing.publisher import open_publisher
        from crm_tui.services.publishing.takedown import unpublish_sites

        return await unpublish_sites(
            await self._host.store(),
            site_ids,
            publisher=open_publisher(self._host.settings.publishing),
            clock=self._host.now,
            progress=job.progress,
            cancelled=lambda: job.cancelled,
        )

    async def try_again(self, also: Sequence[int], job: Job) -> tuple[str, Role]:
        """Publish and take down what could not be; what became of it.

        Args:
            also: Sites that are published even if that was stopped.
            job: What progress is told to, and what says whether to stop.

        Raises:
            UserError: As in `publish`.
        """
        from crm_tui.services.publishing.again import try_now
        from crm_tui.services.publishing.publisher import open_publisher

        again = await try_now(
            await self._host.store(),
            open_publisher(self._host.settings.publishing),
            also=also,
            clock=self._host.now,
            progress=job.progress,
            cancelled=lambda: job.cancelled,
        )
        said = " ".join(filter(None, (again.words, again.problem)))
        return said or "Nothing has failed any more.", Role.BAD if again.problem else Role.GOOD

    async def public_address(self, lead_id: int) -> str | None:
        """Where the public reads a lead's site; None where it does not."""
        from crm_tui.services.publishing.choosing import public_address

        db = await self._host.store()
        async with db.read() as session:
            return await public_address(session, lead_id)

    async def show(self, lead_id: int) -> Opened | Shown:
        """Open a lead's newest site in a browser, or say how to, and write that on its timeline.

        Raises:
            UserError: The lead has no site, or the preview cannot be served.
        """
        from crm_tui.services.sites.listing import newest_of

        db = await self._host.store()
        async with db.read() as session:
            site = await newest_of(session, lead_id)
        return await self.show_site(site)

    async def show_site(self, site: SiteLine) -> Opened | Shown:
        """Open one site, as `show` does.

        Raises:
            UserError: The preview cannot be served.
        """
        from crm_tui.services.sites.browser import show_page
        from crm_tui.services.sites.listing import prepare_preview

        db, settings = await self._host.store(), self._host.settings.preview
        await prepare_preview(db, site, now=self._host.now())
        return await asyncio.to_thread(
            show_page, await self._served(site), self.environ, no_browser=not settings.browser
        )

    async def address(self, lead_id: int) -> str:
        """Where a lead's newest site can be looked at while the app runs.

        Raises:
            UserError: The lead has no site, or the preview cannot be served.
        """
        from crm_tui.services.sites.listing import newest_of

        db = await self._host.store()
        async with db.read() as session:
            site = await newest_of(session, lead_id)
        return await self._served(site)

    async def _served(self, site: SiteLine) -> str:
        from crm_tui.services.sites.preview import Preview

        db, settings = await self._host.store(), self._host.settings.preview
        if self._preview is None:
            self._preview = Preview(db.path, db.site_folder, port=settings.port)
        return await asyncio.to_thread(self._preview.address, site.slug)

    async def read_texts(self, site_id: int) -> str:
        """The texts of a site as the file the operator edits.

        Raises:
            UserError: The site has none to edit.
        """
        from crm_tui.services.sites import editing

        db, renderer = await self._host.store(), await self._themed()
        async with db.read() as session:
            return await editing.read_texts(session, site_id, themes=renderer.themes)

    async def save_texts(self, site_id: int, text: str) -> bool:
        """Keep edited texts; returns whether anything changed.

        Raises:
            BadInput: The texts cannot be used; the sentence names the line and the field.
        """
        from crm_tui.services.sites import editing

        db, renderer = await self._host.store(), await self._themed()
        async with db.write() as session:
            return await editing.save_texts(
                session, site_id, text, themes=renderer.themes, now=self._host.now()
            )

    def close(self) -> None:
        """Stop serving previews; harmless when none were."""
        if self._preview is not None:
            self._preview.close()
            self._preview = None

    async def _themed(self) -> Renderer:
        if self._renderer is None:
            self._renderer = await asyncio.to_thread(self._read_themes)
        return self._renderer

    def _read_themes(self) -> Renderer:
        from crm_tui.services.sites.render import Renderer
        from crm_tui.services.sites.themes import load_themes

        return Renderer(load_themes(self._themes))


def build_words(report: BuildReport, wanted: int) -> tuple[str, Role]:
    """What became of a build, and what to do about what failed."""
    if wanted == 1 and report.built:
        return f"Built {report.sites[0].slug}. o opens it.", Role.GOOD
    if wanted == 1 and report.unchanged:
        return "The site is up to date already. o opens it.", Role.GOOD
    parts = [f"Built {plural(report.built, 'site')}"] if report.built else []
    if report.unchanged:
        parts.append(f"{plural(report.unchanged, 'site')} up to date already")
    if report.cancelled:
        reached = report.built + report.unchanged + len(report.failures)
        parts.append(f"stopped after {reached:,} of {wanted:,}")
    if report.failures:
        first = report.failures[0]
        parts.append(f"{len(report.failures):,} failed, the first {first.name}: {first.reason}")
    words = ", ".join(parts)
    role = Role.BAD if report.failures else Role.ATTENTION if report.cancelled else Role.GOOD
    return f"{words[:1].upper()}{words[1:]}.", role
