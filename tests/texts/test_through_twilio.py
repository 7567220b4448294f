"""The whole way, over a socket, with a provider that answers as Twilio does."""

from __future__ import annotations

from datetime import datetime

from msgspec.structs import replace
from sqlalchemy import select

from crm_tui.config.sections import ProviderSettings
from crm_tui.db.engine import Database
from crm_tui.db.models import ContactPoint, Message
from crm_tui.services.mailing import Report
from crm_tui.vocabulary import ContactState, EventKind, MessageState
from crm_tui.worker import Worker
from tests.campaigns.making import a_running
from tests.texts.texting import a_text, add_called, agree, rows, settings_to_text, told
from tests.world.quick import in_no_time
from tests.world.twilio import TOKEN, FakeTwilio
from tests.world.world import World


async def test_texts_go_are_delivered_and_answered_and_a_stop_ends_it(
    db: Database, now: datetime
) -> None:
    world = World(now)
    twilio = FakeTwilio(world, "twilio")
    first, second, third = await add_called(db, 3, now)
    await agree(db, [first, second], now)
    with world.serve(), in_no_time():
        settings = replace(settings_to_text(), providers=ProviderSettings(twilio=twilio.settings))
        environment = {"CRM_TUI_TWILIO_TOKEN": TOKEN}

        async def a_pass() -> Report:
            worker = Worker(db, settings, environment=environment, now=world.clock)
            return await worker.once()

        await a_running(db, settings, now, steps=(a_text(), a_text(delay="1d")))
        report = await a_pass()
        assert (report.sent, report.problems) == (2, [])
        assert [each.to for each in twilio.accepted] == ["+17185550201", "+17185550202"]
        world.pass_time(minutes=10)
        for each in twilio.accepted:
            twilio.happen(each.sid, "delivered")
        twilio.arrive("+17185550201", "Nice, call me")
        twilio.arrive("+17185550202", "Stop please")
        twilio.arrive("+17185559999", "Wrong number?")
        world.pass_time(minutes=10)
        assert (await a_pass()).problems == []
        world.pass_time(days=3)
        assert (await a_pass()).sent == 0
    kinds = {lead: [kind for kind, _ in await told(db, lead)] for lead in (first, second, third)}
    assert {EventKind.SMS_SENT, EventKind.DELIVERED, EventKind.REPLIED} <= set(kinds[first])
    assert EventKind.UNSUBSCRIBED in kinds[second]
    assert EventKind.SMS_SENT not in kinds[third]
    assert [each for each, *_ in await rows(db, Message.state)] == [
        *(MessageState.SENT, MessageState.SENT, MessageState.QUEUED),
        *(MessageState.SKIPPED, MessageState.SKIPPED, MessageState.QUEUED),
    ]
    assert all(at for (at,) in (await rows(db, Message.delivered_at))[:2])
    # A hello takes one segment, and this provider asks 0.83 cents for it.
    billed = (await rows(db, Message.segments, Message.cost, Message.currency))[:2]
    assert billed == [(1, 8300, "USD"), (1, 8300, "USD")]
    async with db.read() as session:
        states = dict(
            (await session.execute(select(ContactPoint.business_id, ContactPoint.state))).all()
        )
    assert states[second] is ContactState.STOPPED
