"""What sites are to be made from, and their pages: the part of building that needs no store."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from crm_tui.errors import BadInput
from crm_tui.services.sites.facts import SiteFacts, content_hash
from crm_tui.services.sites.render import Renderer
from crm_tui.services.sites.texts import SiteTexts, default_texts, parse
from crm_tui.services.sites.themes import choose_theme
from crm_tui.text import visible
from crm_tui.vocabulary import SiteStatus


@dataclass(frozen=True, slots=True)
class Present:
    """The site a business has, as far as building it again has to know it."""

    id: int
    slug: str
    status: SiteStatus
    texts: str | None
    content_hash: str
    out_of_date: bool


@dataclass(frozen=True, slots=True)
class Plan:
    """What a site is to be made from; with a `problem`, why it cannot be made."""

    business_id: int
    facts: SiteFacts
    site: Present | None
    theme: str = ""
    texts: SiteTexts | None = None
    content_hash: str = ""
    problem: str = ""

    @property
    def unchanged(self) -> bool:
        """Whether the site already says all this."""
        return self.site is not None and self.site.content_hash == self.content_hash


@dataclass(frozen=True, slots=True)
class Page:
    """A rendered page; with a `problem`, why there is none."""

    plan: Plan
    html: str = ""
    problem: str = ""


def plan_sites(
    renderer: Renderer, facts: Mapping[int, SiteFacts], present: Mapping[int, Present]
) -> list[Plan]:
    """What the site of each business is to be made from.

    The theme follows the category; the texts are the operator's own where there are some, else
    those that fit the facts. Run it in a thread: hashing a chunk takes a while.
    """
    themes = renderer.themes
    plans = []
    for business_id, known in facts.items():
        site = present.get(business_id)
        try:
            theme = choose_theme(known.line_of_work, themes)
            own = site.texts if site else None
            texts = parse(own) if own else default_texts(known, themes[theme])
            digest = content_hash(known, texts, themes[theme].fingerprint)
            plans.append(Plan(business_id, known, site, theme, texts, digest))
        except Exception as error:  # noqa: BLE001 - one business must not stop the others
            plans.append(Plan(business_id, known, site, problem=_in_words(error)))
    return plans


def render_pages(renderer: Renderer, plans: list[Plan]) -> list[Page]:
    """The pages of sites, or why there is none. Run it in a thread."""
    pages = []
    for plan in plans:
        if plan.texts is None:
            pages.append(Page(plan, problem=plan.problem))
            continue
        try:
            html = renderer.render(plan.facts, plan.texts, plan.theme)
            pages.append(Page(plan, html))
        except Exception as error:  # noqa: BLE001 - likewise
            pages.append(Page(plan, problem=_in_words(error)))
    return pages


def _in_words(error: Exception) -> str:
    """Why a page could not be made; a defect is named by its kind."""
    if isinstance(error, BadInput):
        return str(error)
    return f"making its page failed ({type(error).__name__}: {visible(str(error), 200)})"
