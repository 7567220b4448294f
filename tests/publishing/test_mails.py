"""A campaign whose mails link to the site, from before it is published until it is taken down."""

from __future__ import annotations

from pathlib import Path

from crm_tui.db.engine import Database
from crm_tui.services.sending.compose import NO_SITE
from crm_tui.vocabulary import MessageState
from tests.publishing.conftest import Press
from tests.sending.queue import MONDAY, Desk, add_campaign, add_leads, states

OFFER = "---\nsubject: A site\n---\nLook: {{ site.url }}\n{{ unsubscribe }}\n"


async def test_no_mail_goes_with_a_link_that_leads_nowhere(
    press: Press, db: Database, tmp_path: Path
) -> None:
    (lead,) = await add_leads(db, 1, MONDAY)
    press.now = MONDAY
    await press.build(lead)
    await add_campaign(db, [lead], MONDAY, steps=((OFFER, None),))
    queue = Desk(db)
    held = [(MessageState.QUEUED, NO_SITE)]

    assert await queue.send(press.tick()) == []
    assert await states(db) == held
    press.run_before_the_public_sees_it(tmp_path / "upload.py", "raise SystemExit(1)")
    await press.publish(lead)
    assert await queue.send(press.tick()) == []
    assert await states(db) == held

    press.run_before_the_public_sees_it(tmp_path / "upload.py", "")
    report = await press.publish(lead)
    assert report.released == 1
    await press.take_down(lead)
    assert await queue.send(press.tick()) == []
    assert await states(db) == held

    await press.publish(lead)
    (mail,) = await queue.send(press.tick())
    assert f"Look: {(await press.site(lead)).published_url}\n" in mail.text
