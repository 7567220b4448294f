from __future__ import annotations

import sqlite3
import sys
from pathlib import Path

import pytest
from sqlalchemy import update

from crm_tui.config import Settings
from crm_tui.db.engine import Database
from crm_tui.db.models import Setting, Site
from crm_tui.services import erase
from crm_tui.services.publishing import batch, choosing, leftovers
from crm_tui.services.sites.public import PublicState
from crm_tui.vocabulary import SiteStatus, WebsiteStatus
from tests.publishing.conftest import Press, within

FAILS = "print('no route to host'); raise SystemExit(255)"


def bytes_of(store: Path) -> bytes:
    return b"".join(
        each.read_bytes() for each in store.parent.glob(f"{store.name}*") if each.is_file()
    )


def with_publishing(press: Press) -> Settings:
    return Settings(publishing=press.settings)


async def test_taking_down_removes_the_page_and_leaves_the_preview(
    press: Press, db: Database, web: Path
) -> None:
    lead = await press.lead_with_site()
    await press.publish(lead)
    report = await press.take_down(lead)

    assert [each.business_id for each in report.sites] == [lead]
    assert within(web) == []
    site = await press.site(lead)
    assert (site.status, site.published_url, site.published_hash, site.published_at) == (
        SiteStatus.PREVIEW, None, None, None
    )  # fmt: skip
    assert (await press.public(lead)).state is PublicState.PRIVATE
    assert await press.website_status(lead) is WebsiteStatus.GENERATED
    assert await press.told(lead) == ["site published", "site taken down"]
    assert (db.site_folder / site.slug / "index.html").exists()
    again = await press.take_down(lead)
    assert (again.sites, again.failures) == ([], [])
    assert (await press.publish(lead)).published == 1


async def test_mails_lose_the_address_before_the_page_goes(
    press: Press, db: Database, store_path: Path, tmp_path: Path
) -> None:
    """What a mail says is looked at by the command, which runs before the pages are gone."""
    lead = await press.lead_with_site()
    await press.publish(lead)
    seen = tmp_path / "seen"
    press.run_before_the_public_sees_it(
        tmp_path / "look.py",
        f"import sqlite3; row = sqlite3.connect({str(store_path)!r}).execute("
        "'SELECT published_url, status, publish_problem FROM site').fetchone(); "
        f"open({str(seen)!r}, 'w').write(repr(row))",
    )
    await press.take_down(lead)
    assert seen.read_text() == "(None, 'preview', 'taking it down was cut off')"
    async with db.read() as session:
        assert await choosing.public_address(session, lead) is None


async def test_a_page_that_may_still_be_public_is_called_so_until_it_is_gone(
    press: Press, tmp_path: Path
) -> None:
    lead = await press.lead_with_site()
    await press.publish(lead)
    press.run_before_the_public_sees_it(tmp_path / "upload.py", FAILS)
    report = await press.take_down(lead)

    assert report.failures[0].reason.endswith("failed: no route to host (exit status 255)")
    public = await press.public(lead)
    assert (public.state, public.url) == (PublicState.LEFT, None)
    assert await press.website_status(lead) is WebsiteStatus.GENERATED
    assert await press.told(lead) == ["site published"]

    press.run_before_the_public_sees_it(tmp_path / "upload.py", "")
    assert len((await press.take_down(lead)).sites) == 1
    assert (await press.public(lead)).state is PublicState.PRIVATE
    assert await press.told(lead) == ["site published", "site taken down"]


async def test_what_could_not_be_published_can_be_let_go(
    press: Press, web: Path, tmp_path: Path
) -> None:
    lead = await press.lead_with_site()
    press.run_before_the_public_sees_it(tmp_path / "upload.py", FAILS)
    await press.publish(lead)
    assert len(within(web)) == 1
    press.run_before_the_public_sees_it(tmp_path / "upload.py", "")
    await press.take_down(lead)
    assert within(web) == []
    assert (await press.public(lead)).state is PublicState.PRIVATE
    assert await press.told(lead) == []


async def test_all_sites_of_a_lead_go_and_those_of_others_stay(
    press: Press, web: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch, "CHUNK", 2)
    leads = [await press.lead_with_site(f"Business {number}") for number in range(5)]
    await press.publish(*leads)
    steps: list[tuple[int, int]] = []
    report = await press.take_down(
        *leads[:3], progress=lambda done, total: steps.append((done, total))
    )
    assert (len(report.sites), steps) == (3, [(2, 3), (3, 3)])
    assert len(within(web)) == 2


async def test_cancelling_leaves_the_rest_public_and_finishes_what_is_begun(
    press: Press, web: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch, "CHUNK", 1)
    leads = [await press.lead_with_site(f"Business {number}") for number in range(3)]
    await press.publish(*leads)
    seen: list[int] = []
    press.run_before_the_public_sees_it(
        tmp_path / "upload.py", f"open({str(tmp_path / 'ran')!r}, 'w')"
    )
    report = await press.take_down(
        *leads, progress=lambda done, _total: seen.append(done), cancelled=lambda: bool(seen)
    )
    assert report.cancelled
    assert [each.business_id for each in report.sites] == leads[:1]
    assert (tmp_path / "ran").exists()
    assert len(within(web)) == 2
    assert (await press.public(leads[1])).state is PublicState.PUBLISHED


async def test_a_page_published_elsewhere_is_named(press: Press) -> None:
    lead = await press.lead_with_site()
    press.base_url = "https://old.example.com"
    await press.publish(lead)
    known = (await press.site(lead)).published_url
    press.base_url = "https://new.example.com"
    report = await press.take_down(lead)
    assert [each.elsewhere for each in report.sites] == [known]


async def test_a_site_an_old_store_called_published_can_be_taken_down(
    press: Press, db: Database
) -> None:
    lead = await press.lead_with_site()
    async with db.write() as session:
        await session.execute(update(Site).values(status=SiteStatus.PUBLISHED))
    assert (await press.public(lead)).state is PublicState.PRIVATE
    assert len((await press.take_down(lead)).sites) == 1
    assert (await press.site(lead)).status is SiteStatus.PREVIEW


async def test_erasing_takes_the_published_page_down(
    press: Press, db: Database, store_path: Path, web: Path, tmp_path: Path
) -> None:
    lead, other = await press.lead_with_site("Zephyrine"), await press.lead_with_site("Best")
    await press.publish(lead, other)
    press.run_before_the_public_sees_it(
        tmp_path / "upload.py", f"open({str(tmp_path / 'ran')!r}, 'w')"
    )
    erased = await erase.erase(db, lead, settings=with_publishing(press), now=press.tick())
    assert erased.problems == []
    assert within(web) == [(await press.site(other)).slug]
    assert (tmp_path / "ran").exists()
    async with db.read() as session:
        assert await session.get(Setting, leftovers.LEFT) is None
    assert b"zephyrine" not in bytes_of(store_path).lower()


async def test_a_page_of_an_erased_lead_that_could_not_go_goes_with_the_next_batch(
    press: Press, db: Database, store_path: Path, tmp_path: Path
) -> None:
    lead, other = await press.lead_with_site("Ace"), await press.lead_with_site("Best")
    await press.publish(lead)
    press.run_before_the_public_sees_it(tmp_path / "upload.py", FAILS)
    erased = await erase.erase(db, lead, settings=with_publishing(press), now=press.tick())
    assert len(erased.problems) == 1
    assert "could not be taken down yet" in erased.problems[0]
    assert "no route to host" in erased.problems[0]

    await press.publish(other)  # which fails as well
    press.run_before_the_public_sees_it(
        tmp_path / "upload.py", f"open({str(tmp_path / 'ran')!r}, 'w')"
    )
    assert (await press.publish(other)).published == 1
    with sqlite3.connect(store_path) as connection:
        left = connection.execute("SELECT count(*) FROM setting WHERE name = ?", [leftovers.LEFT])
        assert left.fetchone() == (0,)


async def test_erasing_where_nothing_was_public_runs_no_command(
    press: Press, db: Database, tmp_path: Path
) -> None:
    lead = await press.lead_with_site()
    press.command = (sys.executable, "-c", f"open({str(tmp_path / 'ran')!r}, 'w')")
    erased = await erase.erase(db, lead, settings=with_publishing(press), now=press.tick())
    assert erased.problems == []
    assert not (tmp_path / "ran").exists()


async def test_a_page_that_was_put_and_never_recorded_goes_when_its_lead_is_erased(
    press: Press, db: Database, web: Path
) -> None:
    lead = await press.lead_with_site()
    site = await press.site(lead)
    await press.publisher.put({site.slug: site.html})
    await erase.erase(db, lead, settings=with_publishing(press), now=press.tick())
    assert within(web) == []


async def test_erasing_without_the_settings_names_the_address(press: Press, db: Database) -> None:
    lead = await press.lead_with_site()
    await press.publish(lead)
    url = (await press.site(lead)).published_url
    erased = await erase.erase(db, lead, settings=Settings(), now=press.tick())
    assert erased.problems == [f"Take down where it was published: {url}."]
