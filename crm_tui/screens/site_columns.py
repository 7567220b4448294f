"""The columns of the list of sites, and what each shows of a site or of one without a lead."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING

from crm_tui.clock import ago
from crm_tui.widgets.columns import Cell, Column
from crm_tui.widgets.look import TROUBLE, Role, status_mark

if TYPE_CHECKING:
    from crm_tui.services.sites.listing import OrphanLine, SiteLine

    SiteRow = SiteLine | OrphanLine

IMPORTED = "imported"
"""The theme of pages that came from elsewhere (services.sites.gather)."""


def _column(
    of_site: Callable[[SiteLine, datetime], Cell], of_orphan: Callable[[OrphanLine, datetime], Cell]
) -> Callable[[SiteRow, datetime], Cell]:
    def cell(row: SiteRow, now: datetime) -> Cell:
        from crm_tui.services.sites.listing import SiteLine

        return of_site(row, now) if isinstance(row, SiteLine) else of_orphan(row, now)

    return cell


def _nothing(_row: OrphanLine, _now: datetime) -> Cell:
    return Cell("")


def _status(row: SiteLine, _now: datetime) -> Cell:
    mark = status_mark(row.status)
    return Cell(mark.label, mark.role)


def _content(row: SiteLine, _now: datetime) -> Cell:
    if row.out_of_date:
        return Cell("out of date", Role.ATTENTION)
    return Cell("as imported" if row.theme == IMPORTED else "up to date", Role.QUIET)


def _public(row: SiteLine, _now: datetime) -> Cell:
    """Where the public reads it; what is wrong with that comes first."""
    from crm_tui.services.sites.public import PublicState

    public = row.public
    if public.problem:
        what = "still public: " if public.state is PublicState.LEFT else ""
        return Cell(f"{what}{public.problem}", Role.BAD)
    if public.url is None:
        return Cell("")
    address = public.url.removeprefix("https://")
    if public.state is PublicState.OLDER:
        return Cell(f"older: {address}", Role.ATTENTION)
    return Cell(address, Role.QUIET)


SITE_COLUMNS: tuple[Column[SiteRow], ...] = (
    Column(
        "business",
        "Business",
        _column(
            lambda row, _: Cell(row.business, Role.STRONG),
            lambda row, _: Cell(row.title, Role.STRONG),
        ),
        width=24,
        widest=30,
        sortable=False,
    ),
    Column(
        "state",
        "State",
        _column(_status, lambda _row, _now: Cell(f"{TROUBLE} no lead", Role.BAD)),
        width=11,
        rank=1,
        sortable=False,
    ),
    Column("content", "Content", _column(_content, _nothing), width=11, rank=2, sortable=False),
    Column(
        "theme",
        "Theme",
        _column(lambda row, _: Cell(row.theme), _nothing),
        width=12,
        rank=5,
        sortable=False,
    ),
    Column(
        "texts",
        "Texts",
        _column(lambda row, _: Cell("your own" if row.own_texts else "", Role.QUIET), _nothing),
        width=8,
        rank=6,
        sortable=False,
    ),
    Column(
        "slug",
        "Slug",
        _column(
            lambda row, _: Cell(row.slug, Role.QUIET), lambda row, _: Cell(row.reason, Role.QUIET)
        ),
        width=26,
        widest=60,
        rank=7,
        sortable=False,
    ),
    Column(
        "public",
        "Public",
        _column(_public, _nothing),
        width=12,
        widest=70,
        rank=4,
        sortable=False,
    ),
    Column(
        "built",
        "Built",
        _column(
            lambda row, now: Cell(ago(row.built_at, now), Role.QUIET),
            lambda row, now: Cell(ago(row.created_at, now), Role.QUIET),
        ),
        width=10,
        rank=3,
        sortable=False,
    ),
)
"""What fits is shown; at 80 cells: business, state, content, public address, built."""
