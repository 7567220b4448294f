"""What was spent on winning customers: the list of it, a form to add to it, and taking back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING

from crm_tui.errors import BadInput, asked_as
from crm_tui.screens.base import AppScreen
from crm_tui.screens.dialogs import Confirm
from crm_tui.screens.funnel_sheet import Line, Sheet, Table, column, money
from crm_tui.text import fold, visible
from crm_tui.widgets.columns import Cell
from crm_tui.widgets.facts import styled
from crm_tui.widgets.forms import Form, LineField
from crm_tui.widgets.look import Role

if TYPE_CHECKING:
    from crm_tui.db.engine import Database
    from crm_tui.services.campaigns.listing import CampaignRow
    from crm_tui.services.figures.base import Scope
    from crm_tui.services.spending import NewSpend, SpendLine

_MOST = 2_000
"""Lines that are listed; the command line lists all of them."""

_KINDS = ("ads", "tools", "lists", "travel")
_NOTHING = "Nothing was spent in this time. a writes down what was."
_RULE = "What was spent counts towards CAC, with what messages cost. a adds a line, x removes one."


async def read(db: Database, scope: Scope) -> Sheet:
    """What was spent on the days of the period; a filter of leads leaves it whole."""
    from crm_tui.services import spending

    since, until = days_of(scope)
    async with db.read() as session:
        lines = await spending.listed(session, since=since, until=until, limit=_MOST)
    return spend_sheet(lines)


def days_of(scope: Scope) -> tuple[date | None, date | None]:
    """The first and the last day of the period, in the operator's zone."""
    zone, since, until = scope.standpoint.zone, scope.period.since, scope.period.until
    first = None if since is None else since.astimezone(zone).date()
    if until is None:
        return first, None
    last = until.astimezone(zone)
    return first, date.fromordinal(
        last.date().toordinal() - (last.time().isoformat() == "00:00:00")
    )


def spend_sheet(lines: Sequence[SpendLine]) -> Sheet:
    """The lines as a view."""
    from crm_tui.money import major

    shown = [
        Line(
            each.id,
            (
                Cell(each.spent_on.isoformat(), Role.QUIET),
                Cell(each.kind, Role.STRONG),
                Cell(money(major(each.amount, each.currency), each.currency)),
                Cell(each.campaign or each.source or "", Role.TEXT),
                Cell(each.note or "", Role.QUIET),
            ),
        )
        for each in lines
    ]
    names = ("id", "spent_on", "kind", "amount", "currency", "campaign", "source", "note")
    rows = [
        (
            each.id,
            each.spent_on.isoformat(),
            each.kind,
            major(each.amount, each.currency),
            each.currency,
            each.campaign,
            each.source,
            each.note,
        )
        for each in lines
    ]
    columns = (
        column(0, "day", "Day", 10, rank=1),
        column(1, "kind", "For what", 12, widest=24),
        column(2, "amount", "Amount", 14, right=True),
        column(3, "of", "Campaign or source", 18, widest=36, rank=2),
        column(4, "note", "Note", 12, widest=60, rank=3),
    )
    return Sheet(
        lambda _: columns, shown, {"spend": Table(names, rows)}, nothing=_NOTHING, rule=_RULE
    )


async def add(screen: AppScreen) -> None:
    """Ask what was spent, and write it down."""
    db, settings = await screen.host.store(), screen.host.settings
    from crm_tui.services import spending
    from crm_tui.services.campaigns import listing

    async with db.read() as session:
        campaigns = await listing.campaigns(session)
        known = [each.kind for each in await spending.listed(session, limit=_MOST)]
    today = spending.today_in(settings.operator.zone, screen.host.now())

    def understood(values: Mapping[str, str]) -> NewSpend:
        with asked_as("day"):
            spent_on = _day(values["day"], today)
        with asked_as("campaign"):
            campaign_id = _campaign(values["campaign"], campaigns)
        return spending.new_spend(
            amount=values["amount"],
            currency=values["currency"],
            kind=values["kind"],
            spent_on=spent_on,
            today=today,
            campaign_id=campaign_id,
            source=values["source"],
            note=values["note"],
        )

    async def save(values: Mapping[str, str]) -> None:
        from crm_tui.services import undo

        now, new = screen.host.now(), understood(values)
        said = spending.words(new.amount, new.currency, new.kind, new.spent_on)
        async with undo.action(db, f"wrote down spend: {said}", now=now) as session:
            await spending.add(session, new, now=now)
        await screen.host.look_for_changes()
        screen.host.say(f"Written down: {said}.{screen.way_back()}", Role.GOOD)

    names = [visible(each.name, 60) for each in campaigns]
    fields = [
        LineField("amount", "Amount", hint="90.00"),
        LineField("currency", "Currency", settings.money.currency),
        LineField(
            "kind", "For what", hint="ads", picks=tuple(dict.fromkeys([*known, *_KINDS]))[:8]
        ),
        LineField("day", "Day", today.isoformat()),
        LineField("campaign", "Campaign", hint="none", picks=tuple(names[:6])),
        LineField("source", "Source", hint="none"),
        LineField("note", "Note"),
    ]
    about = styled("For a campaign, for a source of leads, or for neither.", Role.QUIET)
    form = Form("Spend", fields, save=save, verb="Write down", about=about)
    screen.app.push_screen(form)


def _day(typed: str, today: date) -> date:
    if not typed.strip():
        return today
    try:
        return date.fromisoformat(typed.strip())
    except ValueError:
        raise BadInput(f'"{visible(typed, 40)}" is no day: write it like {today}.') from None


def _campaign(typed: str, campaigns: Sequence[CampaignRow]) -> int | None:
    """The campaign of a name, the newest of several; or of a number."""
    wanted = fold(typed)
    if not wanted:
        return None
    for each in sorted(campaigns, key=lambda each: -each.id):
        if wanted in {fold(each.name), str(each.id)}:
            return each.id
    raise BadInput(f'There is no campaign "{visible(typed, 60)}".')


def remove(screen: AppScreen, line: Line) -> None:
    """Ask whether a line is to be removed, and remove it."""
    _, kind, amount, *_ = (cell.text for cell in line.cells)

    def answered(wanted: bool | None) -> None:  # noqa: FBT001 - Textual's callback
        if wanted:
            screen.in_order(_remove(screen, line.id), group="write")

    question = f"Remove {amount} on {visible(kind)}, {line.cells[0].text}?"
    screen.app.push_screen(Confirm(question, verb="Remove it"), answered)


async def _remove(screen: AppScreen, spend_id: int) -> None:
    db = await screen.host.store()
    from crm_tui.services import spending, undo

    entry, now = undo.Entry(), screen.host.now()
    async with undo.action(db, "removed spend", now=now, entry=entry) as session:
        line = await spending.remove(session, spend_id)
        entry.words = f"removed spend: {line.words}"
    await screen.host.look_for_changes()
    screen.host.say(f"Removed: {line.words}.{screen.way_back()}", Role.GOOD)
