"""The look: two themes of equal care, five meanings, and how each status word is shown.

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

from crm_tui.vocabulary import ContactState, ContactStatus, Outcome, SiteStatus, WebsiteStatus


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
}


def status_mark(word: str) -> Mark:
    """The mark of any status word (contact, website, site, outcome, contact point state)."""
    shape, role = _STATUS_MARKS.get(word, (NOTHING, Role.TEXT))
    return Mark(shape, word.replace("_", " "), role)


def _theme(
    name: str,
    *,
    dark: bool,
    background: str,
    surface: str,
    panel: str,
    line: str,
    text: str,
    quiet: str,
    accent: str,
    good: str,
    attention: str,
    bad: str,
) -> Theme:
    return Theme(
        name=name,
        dark=dark,
        primary=accent,
        secondary=quiet,
        accent=accent,
        foreground=text,
        background=background,
        surface=surface,
        panel=panel,
        success=good,
        warning=attention,
        error=bad,
        variables={
            "text": text,
            "text-muted": quiet,
            "text-disabled": quiet,
            "foreground-muted": quiet,
            "foreground-disabled": quiet,
            "text-primary": accent,
            "text-secondary": quiet,
            "text-accent": accent,
            "text-success": good,
            "text-warning": attention,
            "text-error": bad,
            "border": line,
            "border-blurred": line,
            "block-cursor-foreground": text,
            "block-cursor-background": panel,
            "block-cursor-text-style": "bold",
            "block-cursor-blurred-foreground": text,
            "block-cursor-blurred-background": surface,
            "block-hover-background": surface,
            "input-cursor-background": accent,
            "input-cursor-foreground": background,
            "input-selection-background": panel,
            "input-selection-foreground": text,
            "button-foreground": text,
            "button-color-foreground": background,
            "button-focus-text-style": "bold",
            "scrollbar": line,
            "scrollbar-hover": quiet,
            "scrollbar-active": quiet,
            "scrollbar-background": background,
            "scrollbar-background-hover": background,
            "scrollbar-background-active": background,
            "scrollbar-corner-color": background,
            "link-color": accent,
            "link-color-hover": accent,
            "link-background-hover": panel,
        },
    )


DARK = _theme(
    "crm-dark",
    dark=True,
    background="#15181d",
    surface="#1c2027",
    panel="#262c36",
    line="#3a4250",
    text="#d3d8e0",
    quiet="#8c95a3",
    accent="#6fb3f2",
    good="#7fc48f",
    attention="#dfb45e",
    bad="#ee8078",
)
"""The default."""

LIGHT = _theme(
    "crm-light",
    dark=False,
    background="#fbfaf8",
    surface="#f2f0ec",
    panel="#e4e8ee",
    line="#c9cdd3",
    text="#2a2f36",
    quiet="#5c6470",
    accent="#0b5cab",
    good="#1d6f3c",
    attention="#7f5000",
    bad="#b02a22",
)

THEMES = (DARK, LIGHT)
