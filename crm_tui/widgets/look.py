"""The look: the themes, the meanings text can have, and how each status word is shown.

One background, one surface a shade apart, one panel for the line under the cursor, one accent for
where the eye should be. Every text colour reaches WCAG AA on all three. The themes fill Textual's
own variables, so every widget (ours or a stock one) and every other theme speaks the same words:
`$foreground`, `$text-muted` (quiet), `$success` (good), `$warning` (attention), `$error` (bad),
`$accent`.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from textual.theme import Theme

from crm_tui.palettes import SHIPPED, Palette
from crm_tui.vocabulary import (
    CampaignState,
    ContactState,
    ContactStatus,
    MessageState,
    Outcome,
    SiteStatus,
    WebsiteStatus,
)


class Role(StrEnum):
    """What a piece of text means to the eye; a theme gives it a colour."""

    TEXT = "text"
    STRONG = "strong"
    QUIET = "quiet"
    GOOD = "good"
    ATTENTION = "attention"
    BAD = "bad"
    ACCENT = "accent"


class Mark(NamedTuple):
    """How a status is shown: a shape, the word itself, and its role. Never a colour alone."""

    shape: str
    word: str
    role: Role

    @property
    def label(self) -> str:
        """Shape and word, the words of a column starting at the same cell."""
        return f"{self.shape} {self.word}"


NOTHING, BEGUN, REACHED, TROUBLE = "○", "◐", "●", "▲"

_STATUS_MARKS: dict[str, tuple[str, Role]] = {
    ContactStatus.PENDING: (NOTHING, Role.QUIET),
    ContactStatus.EMAILED: (BEGUN, Role.TEXT),
    ContactStatus.TEXTED: (BEGUN, Role.TEXT),
    ContactStatus.CALLED: (BEGUN, Role.TEXT),
    ContactStatus.OPENED: (BEGUN, Role.ATTENTION),
    ContactStatus.CLICKED: (REACHED, Role.ATTENTION),
    ContactStatus.REPLIED: (REACHED, Role.GOOD),
    ContactStatus.PURCHASED: (REACHED, Role.GOOD),
    WebsiteStatus.NONE: (NOTHING, Role.QUIET),
    WebsiteStatus.GENERATING: (BEGUN, Role.ATTENTION),
    WebsiteStatus.GENERATED: (BEGUN, Role.TEXT),
    WebsiteStatus.PUBLISHED: (REACHED, Role.GOOD),
    WebsiteStatus.SOLD: (REACHED, Role.GOOD),
    WebsiteStatus.FAILED: (TROUBLE, Role.BAD),
    WebsiteStatus.ARCHIVED: (NOTHING, Role.QUIET),
    SiteStatus.PREVIEW: (BEGUN, Role.TEXT),
    Outcome.OPEN: (NOTHING, Role.QUIET),
    Outcome.INTERESTED: (REACHED, Role.GOOD),
    Outcome.LATER: (BEGUN, Role.ATTENTION),
    Outcome.WON: (REACHED, Role.GOOD),
    Outcome.LOST: (NOTHING, Role.QUIET),
    Outcome.WRONG_CONTACT: (TROUBLE, Role.BAD),
    ContactState.UNKNOWN: (NOTHING, Role.QUIET),
    ContactState.OK: (REACHED, Role.GOOD),
    ContactState.SOFT_BOUNCED: (BEGUN, Role.ATTENTION),
    ContactState.BOUNCED: (TROUBLE, Role.BAD),
    ContactState.COMPLAINED: (TROUBLE, Role.BAD),
    ContactState.UNSUBSCRIBED: (TROUBLE, Role.BAD),
    ContactState.STOPPED: (TROUBLE, Role.BAD),
    ContactState.INVALID: (TROUBLE, Role.BAD),
    CampaignState.DRAFT: (NOTHING, Role.QUIET),
    CampaignState.RUNNING: (BEGUN, Role.GOOD),
    CampaignState.PAUSED: (TROUBLE, Role.ATTENTION),
    CampaignState.FINISHED: (REACHED, Role.TEXT),
    CampaignState.CANCELED: (NOTHING, Role.QUIET),
    MessageState.QUEUED: (NOTHING, Role.QUIET),
    MessageState.SENDING: (BEGUN, Role.ATTENTION),
    MessageState.SENT: (REACHED, Role.TEXT),
    MessageState.SKIPPED: (NOTHING, Role.QUIET),
    MessageState.UNCERTAIN: (TROUBLE, Role.ATTENTION),
}


def status_mark(word: str) -> Mark:
    """The mark of any status word (contact, website, site, outcome, contact point, campaign, message)."""
    shape, role = _STATUS_MARKS.get(word, (NOTHING, Role.TEXT))
    return Mark(shape, word.replace("_", " "), role)


def theme_of(palette: Palette) -> Theme:
    """A palette as Textual's theme."""
    return Theme(
        name=palette.name,
        dark=palette.dark,
        ansi=palette.background.startswith("ansi_"),
        primary=palette.accent,
        secondary=palette.quiet,
        accent=palette.accent,
        foreground=palette.text,
        background=palette.background,
        surface=palette.surface,
        panel=palette.panel,
        success=palette.good,
        warning=palette.attention,
        error=palette.bad,
        variables={
            "background": palette.background,
            "foreground": palette.text,
            "accent": palette.accent,
            "success": palette.good,
            "warning": palette.attention,
            "error": palette.bad,
            "ansi-background": palette.background,
            "ansi-foreground": palette.text,
            "surface": palette.surface,
            "panel": palette.panel,
            "text": palette.text,
            "text-muted": palette.quiet,
            "text-disabled": palette.quiet,
            "foreground-muted": palette.quiet,
            "foreground-disabled": palette.quiet,
            "text-primary": palette.accent,
            "text-secondary": palette.quiet,
            "text-accent": palette.accent,
            "text-success": palette.good,
            "text-warning": palette.attention,
            "text-error": palette.bad,
            "border": palette.line,
            "border-blurred": palette.line,
            "block-cursor-foreground": palette.text,
            "block-cursor-background": palette.panel,
            "block-cursor-text-style": "bold",
            "block-cursor-blurred-foreground": palette.text,
            "block-cursor-blurred-background": palette.surface,
            "block-hover-background": palette.surface,
            "input-cursor-background": palette.accent,
            "input-cursor-foreground": palette.background,
            "input-selection-background": palette.panel,
            "input-selection-foreground": palette.text,
            "button-foreground": palette.text,
            "button-color-foreground": palette.background,
            "button-focus-text-style": "bold",
            "scrollbar": palette.line,
            "scrollbar-hover": palette.quiet,
            "scrollbar-active": palette.quiet,
            "scrollbar-background": palette.background,
            "scrollbar-background-hover": palette.background,
            "scrollbar-background-active": palette.background,
            "scrollbar-corner-color": palette.background,
            "link-color": palette.accent,
            "link-color-hover": palette.accent,
            "link-background-hover": palette.panel,
        },
    )


THEMES = tuple(theme_of(palette) for palette in SHIPPED)
"""The shipped ones."""

DARK, LIGHT, HIGH_CONTRAST, TERMINAL = THEMES
