"""What must be in order before a campaign starts, each with why and what to do about it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from crm_tui.config import Settings
from crm_tui.db.engine import ReadSession
from crm_tui.errors import UserError
from crm_tui.providers.sender_policy import SenderPolicy
from crm_tui.services.campaigns.drafts import Step


class Verdict(StrEnum):
    """What came of a check; only BLOCKS keeps a campaign from starting."""

    PASSED = "passed"
    WARNING = "warning"
    BLOCKS = "blocks"


@dataclass(frozen=True, slots=True)
class Check:
    """One line of the compliance list.

    Attributes:
        check: what was looked at, in two or three words.
        why: what was found, a sentence.
        fix: what to do about it; "" where nothing is to be done.
    """

    check: str
    verdict: Verdict
    why: str
    fix: str = ""


class Blocked(UserError):
    """A start that was refused; `checks` are those that block it."""

    def __init__(self, checks: Sequence[Check]) -> None:
        self.checks = tuple(checks)
        super().__init__(
            "It cannot start: " + " ".join(f"{each.why} {each.fix}".strip() for each in checks)
        )


POLICY: dict[str, str] = {}
"""What the operator acknowledges before writing to strangers through a provider, in sentences."""


async def checks(
    session: ReadSession,
    steps: Sequence[Step],
    *,
    recipients: int,
    settings: Settings,
    store: Path,
    policy: SenderPolicy | None = None,
) -> list[Check]:
    """The whole list, in the order it is read.

    Args:
        session: the store.
        steps: what would be sent.
        recipients: to how many.
        settings: who sends, and through what.
        store: the path of the store; a copied one does not send.
        policy: what the sender's domain says of itself; None where it was not looked up.
    """
    raise NotImplementedError


async def look_up_policy(settings: Settings) -> SenderPolicy | None:
    """SPF, DKIM and DMARC of the sender's domain; None where they do not apply."""
    raise NotImplementedError


def acknowledge(config: Path, provider: str) -> None:
    """Write into config.toml that the policy of a provider was read; all else in it stays.

    Raises:
        BadInput: the file cannot be read or written.
    """
    raise NotImplementedError
