"""Leads whose only address is nobody's: they get nothing, and the reason is that address."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from crm_tui.config import Settings
from crm_tui.db.engine import Database
from crm_tui.services import setting_aside
from crm_tui.services.campaigns.audience import Audience, ReasonCount, look
from crm_tui.services.imports.run import import_file
from tests.campaigns.making import a_frozen, add_leads, settings_to_send

LIST = """\
name,email
Placeholder,hello@yoursite.com
Another,user@domain.com
Words,not an address
Broken,joe@@acme..com
Tool,abc123@sentry.io
Nothing,
Both,user@domain.com; joe@both-plumbing.com
Machine,noreply@machine-plumbing.com
"""
PLACEHOLDER = "a placeholder, not somebody's address"


async def test_the_reason_is_that_of_the_address_and_not_that_there_is_none(
    db: Database, settings: Settings, now: datetime, tmp_path: Path
) -> None:
    path = tmp_path / "leads.csv"
    path.write_text(LIST)
    await import_file(db, path, settings=settings, now=now)
    found = await look(db, Audience(""), settings=settings_to_send(), now=now)
    assert [each.address for each in found.recipients] == ["joe@both-plumbing.com"]
    assert {each.name: (each.address, each.reason) for each in found.left_out} == {
        "Placeholder": ("hello@yoursite.com", PLACEHOLDER),
        "Another": ("user@domain.com", PLACEHOLDER),
        "Words": ("not an address", "not an e-mail address"),
        "Broken": ("joe@@acme..com", "not an e-mail address"),
        "Tool": (
            "abc123@sentry.io",
            "left in the page by its tools, not the business's address",
        ),
        "Nothing": (None, "no e-mail address"),
        "Machine": (
            "noreply@machine-plumbing.com",
            "an address for machines or complaints, which nobody reads for business",
        ),
    }
    _, frozen = await a_frozen(db, settings_to_send(), now)
    assert frozen.excluded[:2] == [
        ReasonCount(PLACEHOLDER, 2),
        ReasonCount("not an e-mail address", 2),
    ]
    assert sum(each.count for each in frozen.excluded) == 7


async def test_an_address_the_operator_let_go_is_why_nothing_goes_to_its_lead(
    db: Database, settings: Settings, now: datetime
) -> None:
    (lead,) = await add_leads(db, 1, now)
    async with db.write() as session:
        await setting_aside.address(session, 1, score=settings.score, now=now)
    found = await look(db, Audience(ids=(lead,)), settings=settings_to_send(), now=now)
    (left,) = found.left_out
    assert (left.address, left.reason) == (
        "joe@plumber1.com",
        "invalid: the address is marked as wrong",
    )
