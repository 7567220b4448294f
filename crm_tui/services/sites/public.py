"""What the public reads of a site, as far as its row knows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import or_

from crm_tui.db.models import Site
from crm_tui.vocabulary import SiteStatus


class PublicState(StrEnum):
    """How a site stands with the public."""

    PRIVATE = "private"
    PUBLISHED = "published"
    OLDER = "older"
    FAILED = "failed"
    LEFT = "left"

    @property
    def words(self) -> str:
        """The same as it is shown."""
        return _WORDS[self]


_WORDS = {
    PublicState.PRIVATE: "not published",
    PublicState.PUBLISHED: "published",
    PublicState.OLDER: "published, older than the preview",
    PublicState.FAILED: "publishing failed",
    PublicState.LEFT: "perhaps still public",
}


SLASH = "/"
"""What stands in `published_hash` before the number of the payment link on the public page, if any."""


def preview_of(published_hash: str) -> str:
    """The hash of the preview that a public page was made of."""
    return published_hash.partition(SLASH)[0]


@dataclass(frozen=True, slots=True)
class Public:
    """The public side of a site.

    Attributes:
        url: where it can be read; None where nobody may be sent there.
        at: when it was last published, aware UTC.
        problem: why it could not be published or taken down when that was last tried.
        state: how it stands.
    """

    url: str | None
    at: datetime | None
    problem: str | None
    state: PublicState

    @classmethod
    def of(
        cls,
        url: str | None,
        at: datetime | None,
        problem: str | None,
        published_hash: str | None,
        content_hash: str,
    ) -> Public:
        """The public side of a row, from its PUBLIC columns in their order."""
        if url is not None:
            is_current = preview_of(published_hash or "") == content_hash
            state = PublicState.PUBLISHED if is_current else PublicState.OLDER
        elif published_hash is not None:
            state = PublicState.LEFT
        else:
            state = PublicState.PRIVATE if problem is None else PublicState.FAILED
        return cls(url, at, problem, state)


PUBLIC: tuple[Any, ...] = (
    Site.published_url,
    Site.published_at,
    Site.publish_problem,
    Site.published_hash,
    Site.content_hash,
)
"""The columns of a site that say it, for a statement's end."""

IS_OUT = or_(
    Site.published_url.is_not(None),
    Site.published_hash.is_not(None),
    Site.publish_problem.is_not(None),
    Site.status == SiteStatus.PUBLISHED,
)
"""Sites of which something may be public."""
