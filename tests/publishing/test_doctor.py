from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import update

from crm_tui.config import Settings
from crm_tui.db.engine import Database
from crm_tui.db.models import Site
from crm_tui.services import erase
from crm_tui.services.doctor import Report, examine
from crm_tui.services.sites.public import PublicState
from tests.publishing.conftest import Press, within

FAILS = "raise SystemExit(1)"
CHECKS = {"published_pages", "moved_pages", "publishing", "older_pages"}


async def found(press: Press, *, fix: bool = False) -> dict[str, str]:
    """What the doctor says of publishing."""
    settings = Settings(publishing=press.settings)
    report: Report = await examine(press.db.path, settings=settings, now=press.tick(), fix=fix)
    return {each.check: each.detail for each in report.findings if each.check in CHECKS}


async def test_what_is_published_as_it_should_be_is_no_finding(press: Press) -> None:
    lead, other = await press.lead_with_site("Ace"), await press.lead_with_site("Best")
    await press.publish(lead)
    assert await found(press) == {}
    assert (await press.public(other)).state is PublicState.PRIVATE


@pytest.mark.parametrize("harm", [Path.unlink, lambda page: page.write_text("x")])
async def test_a_page_that_is_missing_or_changed_is_published_again(
    press: Press, harm: object
) -> None:
    lead = await press.lead_with_site()
    await press.publish(lead)
    page = await press.page(lead)
    assert callable(harm)
    harm(page)
    assert "missing or differs" in (await found(press))["published_pages"]
    assert await found(press, fix=True) == {"published_pages": "fixed: 1 site published"}
    assert await found(press) == {}
    assert page.read_text() == (await press.site(lead)).html


async def test_an_older_page_is_told_and_left_to_the_operator(press: Press) -> None:
    lead = await press.lead_with_site()
    await press.publish(lead)
    await press.change_texts(lead)
    page = await press.page(lead)
    before = page.read_text()
    assert list(await found(press, fix=True)) == ["older_pages"]
    assert page.read_text() == before
    page.unlink()
    assert "published_pages" in await found(press)


async def test_what_failed_is_tried_again(press: Press, tmp_path: Path) -> None:
    leads = [await press.lead_with_site(name) for name in ("Ace", "Best")]
    await press.publish(leads[1])
    press.run_before_the_public_sees_it(tmp_path / "upload.py", FAILS)
    await press.publish(leads[0])
    await press.take_down(leads[1])
    assert list(await found(press)) == ["publishing"]
    assert (await found(press, fix=True))["publishing"].startswith("sites that")
    press.run_before_the_public_sees_it(tmp_path / "upload.py", "")
    fixed = await found(press, fix=True)
    assert fixed == {"publishing": "fixed: 1 site taken down, 1 site published"}
    assert (await press.public(leads[0])).state is PublicState.PUBLISHED
    assert (await press.public(leads[1])).state is PublicState.PRIVATE


async def test_pages_of_erased_leads_are_taken_down(
    press: Press, db: Database, web: Path, tmp_path: Path
) -> None:
    lead = await press.lead_with_site()
    await press.publish(lead)
    press.run_before_the_public_sees_it(tmp_path / "upload.py", FAILS)
    settings = Settings(publishing=press.settings)
    await erase.erase(db, lead, settings=settings, now=press.tick())
    assert "erased leads" in (await found(press))["publishing"]
    press.run_before_the_public_sees_it(tmp_path / "upload.py", "")
    assert "1 page of erased leads taken down" in (await found(press, fix=True))["publishing"]
    assert await found(press) == {}
    assert within(web) == []


async def test_what_cannot_be_looked_at_is_said_and_nothing_is_tried(press: Press) -> None:
    lead = await press.lead_with_site()
    await press.publish(lead)
    kept, press.base_url = press.base_url, ""
    assert "is not set up" in (await found(press, fix=True))["published_pages"]
    press.base_url = kept
    press.web.rename(press.web.with_name("unmounted"))
    assert "is not there" in (await found(press, fix=True))["published_pages"]
    assert not press.web.exists()


async def test_a_site_at_an_old_address_is_told(press: Press, db: Database) -> None:
    lead = await press.lead_with_site()
    await press.publish(lead)
    async with db.write() as session:
        await session.execute(update(Site).values(published_url="https://old.example.com/ace/"))
    told = await found(press)
    assert list(told) == ["moved_pages"]
    assert "https://old.example.com/ace/" in told["moved_pages"]
