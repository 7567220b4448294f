"""What a host of public pages has to do for us, whichever it is."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Protocol

from crm_tui.config import PublishingSettings
from crm_tui.errors import BadInput, CrmError

_ADDRESS = re.compile(r"https://[!-;=?-~]+\Z", re.IGNORECASE)


class Unfinished(CrmError):
    """The host did not take a batch; says why, in words without a full stop."""


class Publisher(Protocol):
    """A host of public pages. Pages are known by their site's slug; nothing else is touched."""

    def url(self, slug: str) -> str:
        """The public address of a page, whether or not it is there."""

    async def check(self, *, store: Path | None = None, first: bool = False) -> None:
        """See that pages could be put at all, or taken away.

        Args:
            store: the store whose pages are to be put; a place that is not apart from it is refused.
            first: whether nothing has been published yet: then a place that is not there is no
                disk that was forgotten, and may be made.

        Raises:
            BadInput: they could not; the sentence says what to do.
        """

    async def holds(self, pages: Mapping[str, str | None]) -> set[str]:
        """Which of these pages are there exactly so; None stands for any page."""

    async def read(self, slugs: Collection[str]) -> dict[str, str]:
        """The pages of these that are there, by slug."""

    async def put(self, pages: Mapping[str, str]) -> dict[str, str]:
        """Put pages; returns the reason, by slug, for each that could not be."""

    async def remove(self, slugs: Collection[str]) -> dict[str, str]:
        """Take pages away; returns the reason, by slug, for each that could not be."""

    async def finish(self, *, cancelled: Callable[[], bool]) -> None:
        """Have what was put and removed take effect for the public.

        Raises:
            Unfinished: it did not, or `cancelled` said to stop.
        """


def open_publisher(settings: PublishingSettings) -> Publisher:
    """The host that the settings name.

    Raises:
        BadInput: publishing is not set up, or not so that it could work.
    """
    from crm_tui.services.publishing.folder import FolderPublisher  # noqa: PLC0415 - implements this

    if problem := not_set_up(settings):
        raise BadInput(problem)
    base = settings.base_url.rstrip("/")
    if not _ADDRESS.match(base):
        raise BadInput(
            "base_url in [publishing] must be written with plain letters only, as a browser sends "
            "it: a name such as bücher.example is xn--bcher-kva.example."
        )
    return FolderPublisher(
        settings.path, base, command=settings.command, timeout=settings.timeout_seconds
    )


def not_set_up(settings: PublishingSettings) -> str:
    """What is missing in the settings, as a sentence; "" where nothing is."""
    missing = [name for name in ("path", "base_url") if not getattr(settings, name).strip()]
    if not missing:
        return ""
    return (
        f"Publishing is not set up: [publishing] in config.toml needs {' and '.join(missing)}. "
        "The guide tells how."
    )
