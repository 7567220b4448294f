"""A campaign sent through a fake provider, what came of it, and what the store must say then.

What happens to each mail is drawn at random but so that nobody can doubt what it was: machines come
at once or under their own name, people a minute later. So the oracle needs no rules of judging: it
knows, because it made it happen.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from crm_tui.db.types import utc_text
from tests.world.brevo import KEY as BREVO_KEY
from tests.world.brevo import FakeBrevo
from tests.world.mailgun import FakeMailgun
from tests.world.resend import DOMAIN as RESEND_DOMAIN
from tests.world.resend import KEY as RESEND_KEY
from tests.world.resend import FakeResend
from tests.world.twilio import TOKEN, FakeTwilio
from tests.world.world import FakeProvider, Happened, World

SOURCE = "---\nsubject: Hello {{ business.name }}\n---\nA site for you. {{ unsubscribe }}\n"
TEXT = "---\ndescription: hello\n---\nHello {{ business.name }}. {{ unsubscribe }}\n"
_DOMAINS = {"mailgun": FakeMailgun.domain, "brevo": "example.com", "resend": RESEND_DOMAIN}
_KEYS = {"mailgun": FakeMailgun.key, "brevo": BREVO_KEY, "resend": RESEND_KEY}
PERSON = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/130.0 Safari/537.36"
RANKS = ("pending", "emailed", "opened", "clicked", "replied")


_BEFORE_FIRST = 19_170_000_000
"""Lead 1 has the number +19170000001."""


def fill(store: Path, leads: int, at: datetime, *, texts: bool = False) -> None:
    """A running campaign to so many leads, due at once; of mails, or of text messages."""
    when = utc_text(at)
    channel = "sms" if texts else "email"
    kind = "phone" if texts else "email"
    address = f"'+' || ({_BEFORE_FIRST} + ?1)" if texts else "'lead' || ?1 || '@shop.example'"
    numbers = [(each, f"{each:032x}", when) for each in range(1, leads + 1)]
    with closing(sqlite3.connect(store)) as connection, connection:
        connection.executemany(
            "INSERT INTO business (id, key, name, sort_name, source, created_at, captured_at,"
            " updated_at) VALUES (?1, ?2, 'Shop ' || ?1, 'shop', 'test', ?3, ?3, ?3)",
            numbers,
        )
        connection.executemany(
            "INSERT INTO contact_point (business_id, kind, value, is_primary, created_at)"
            f" VALUES (?1, '{kind}', {address}, 1, ?3)",
            numbers,
        )
        connection.execute(
            "INSERT INTO campaign (id, key, name, name_folded, state, audience, created_at,"
            " updated_at) VALUES (1, 'c', 'Spring', 'spring', 'running', '{}', ?1, ?1)",
            (when,),
        )
        connection.execute(
            "INSERT INTO campaign_step (id, campaign_id, position, template, source, channel)"
            " VALUES (1, 1, 1, 'first', ?, ?)",
            (TEXT if texts else SOURCE, channel),
        )
        connection.executemany(
            "INSERT INTO message (key, business_id, origin_id, campaign_id, step_id, address,"
            " message_id, token, due_at, created_at, channel) VALUES (?2, ?1, ?1, 1, 1,"
            f" {address}, '<' || ?2 || '@sender.example>', ?2, ?3, ?3, '{channel}')",
            numbers,
        )
        if texts:
            connection.executemany(
                "INSERT INTO consent (business_id, value, given_at, how, recorded_by, recorded_at)"
                f" VALUES (?1, {address}, ?3, 'on the phone', 'Anna', ?3)",
                numbers,
            )


@dataclass
class Fate:
    """What came of one mail, as the oracle knows it."""

    status: str = "emailed"
    events: int = 0
    bounced: bool = False

    def come_to(self, status: str) -> None:
        """It came this far, or further before."""
        self.status = max(self.status, status, key=RANKS.index)


@dataclass
class Drive:
    """One provider of a world, and the fates of the mails sent through it.

    Attributes:
        events: how many things happen to each mail, on average.
    """

    world: World
    fake: FakeProvider
    events: int = 3
    fates: dict[str, Fate] = field(default_factory=dict)

    @property
    def configuration(self) -> dict[str, Any]:
        """The settings of an operator who sends through it, without limits."""
        provider: dict[str, Any] = {"base_url": self.fake.base_url}
        if isinstance(self.fake, FakeTwilio):
            of = self.fake.settings
            provider |= {"account_sid": of.account_sid, "from_number": of.from_number}
            return {
                "sender": {"name": "Anna Berg"},
                "sms": {"provider": "twilio", "per_hour": 0, "per_day": 0},
                "providers": {"twilio": provider},
                "sending": {"quiet_hours": "", "weekdays_only": False},
            }
        if isinstance(self.fake, FakeMailgun):
            provider["domain"] = self.fake.domain
        return {
            "sender": {"name": "Anna Berg", "email": f"anna@{_DOMAINS[self.fake.name]}"},
            "email": {"provider": self.fake.name},
            "providers": {self.fake.name: provider},
            "sending": {"per_hour": 0, "per_day": 0, "quiet_hours": "", "weekdays_only": False},
        }

    @property
    def environment(self) -> dict[str, str]:
        """Where its key is."""
        if isinstance(self.fake, FakeTwilio):
            return {"CRM_TUI_TWILIO_TOKEN": TOKEN}
        return {f"CRM_TUI_{self.fake.name.upper()}_KEY": _KEYS[self.fake.name]}

    def accepted(self) -> Iterator[tuple[str, str]]:
        """The provider's name of each mail it took, with our own key."""
        if isinstance(self.fake, FakeMailgun):
            yield from ((each.id, each.key) for each in self.fake.taken.values())
        if isinstance(self.fake, FakeBrevo):
            yield from ((name, mail["tags"][0]) for name, mail in self.fake.mails.items())
        if isinstance(self.fake, FakeResend):
            for name, mail in self.fake.mails.items():
                if "tags" in mail["body"]:  # else it is somebody else's
                    yield name, mail["body"]["tags"][0]["value"]
        if isinstance(self.fake, FakeTwilio):
            for text in self.fake.accepted:
                yield text.sid, f"{int(text.to) - _BEFORE_FIRST:032x}"

    def times_accepted(self) -> Counter[str]:
        """How often each of our mails was taken: once, or somebody gets it twice."""
        return Counter(key for _, key in self.accepted())

    def let_happen(self) -> None:
        """Something comes of every mail that was taken since the last time.

        They arrive as far apart as they were taken, and not thousands of them in one moment.
        """
        new = [(name, key) for name, key in self.accepted() if key not in self.fates]
        for place, (name, key) in enumerate(new):
            begin = 2 + place * self.world.tick.total_seconds()
            if isinstance(self.fake, FakeResend):
                self.fates[key] = self._states(self.fake, name, begin)
            elif isinstance(self.fake, FakeTwilio):
                self.fates[key] = self._statuses(self.fake, name, begin)
            else:
                self.fates[key] = self._fate(name, begin)

    def _states(self, resend: FakeResend, name: str, begin: float) -> Fate:
        """What becomes of a mail of which only the last state is told: one comes after another."""
        dice = self.world.random
        sent = resend.happened_to(name)[-1].at
        at = max(sent, self.world.now) + timedelta(seconds=begin)
        if dice.random() < 0.005:
            resend.happen(name, "bounced", at=at)
            to, listed = resend.mails[name]["to"][0], at + timedelta(minutes=5 * dice.random())
            resend.list_address(to, "bounce", source=name, after=listed - self.world.now)
            return Fate(events=1, bounced=True)
        fate = Fate()
        for word in ("delivered", "opened", "clicked")[: dice.randint(1, 3)]:
            at = resend.happen(name, word, at=at).at + timedelta(minutes=1)
            fate.come_to("emailed" if word == "delivered" else word)
            fate.events += 1
        return fate

    def _fate(self, name: str, begin: float) -> Fate:
        dice = self.world.random
        if dice.random() < 0.005:
            self._tell(name, "failed" if self._is_mailgun else "hardBounces", begin)
            return Fate(events=1, bounced=True)
        delivered = self._tell(name, "delivered", begin)
        touches = [
            self._touch(name, begin, 63 + 60 * number + dice.random() * 30)
            for number in range(dice.randint(0, 2 * self.events - 2))
        ]
        fate = Fate()
        for happened, status in touches:
            # One that the world moves to the moment of the event before is judged by that moment.
            if self._told_at(happened) >= self._told_at(delivered) + timedelta(seconds=10):
                fate.come_to(status)
        fate.events = len(
            {self._known_as(each) for each in (delivered, *(each for each, _ in touches))}
        )
        return fate

    def _statuses(self, twilio: FakeTwilio, sid: str, begin: float) -> Fate:
        """What becomes of a text message: it is delivered, answered or not, or comes back."""
        dice = self.world.random
        self._tell(sid, "sent", begin)
        if dice.random() < 0.005:
            self._tell(sid, "undelivered", begin + 5, error_code=30005)
            return Fate("texted", events=1, bounced=True)
        if dice.random() < 0.05:
            return Fate("texted")  # its carrier gives no receipts
        self._tell(sid, "delivered", begin + 5)
        if dice.random() < 0.7:
            return Fate("texted", events=1)
        at = self.world.now + timedelta(seconds=begin + 60)
        twilio.arrive(twilio.messages[sid].to, "Nice, call me", at=at)
        return Fate("replied", events=2)

    def _touch(self, name: str, begin: float, later: float) -> tuple[Happened, str]:
        """An open or a click, and the status it speaks for: none by a machine."""
        seconds = begin + later
        link = {"url" if self._is_mailgun else "link": "https://site.example/"}
        match self.world.random.randint(0, 4):
            case 0 | 1:
                agent = {"agent": PERSON} if self._is_mailgun else {}
                return self._tell(name, "opened", seconds, **agent), "opened"
            case 2:
                word = "clicked" if self._is_mailgun else "clicks"
                return self._tell(name, word, seconds, **link), "clicked"
            case 3 if self._is_mailgun:
                return self._tell(
                    name, "opened", seconds, agent="Mozilla/5.0", bot="apple"
                ), "emailed"
            case 3:
                return self._tell(name, "loadedByProxy", seconds), "emailed"
            case _:
                return self._tell(name, "opened", begin + 3), "opened"  # at once after the delivery

    def _tell(self, name: str, word: str, seconds: float, **facts: Any) -> Happened:
        at = self.world.now + timedelta(seconds=seconds)
        return self.fake.happen(name, word, at=at, **facts)

    def _known_as(self, happened: Happened) -> object:
        """What tells it from others: Brevo's events have no ids, and times in seconds."""
        if self._is_mailgun:
            return happened.number
        return happened.word, self._told_at(happened)

    def _told_at(self, happened: Happened) -> datetime:
        """Its time as it is told: to the thousandth of a second, or by Brevo to the second."""
        at = happened.at
        return at.replace(microsecond=at.microsecond // 1000 * 1000 if self._is_mailgun else 0)

    @property
    def _is_mailgun(self) -> bool:
        return isinstance(self.fake, FakeMailgun)


def disagreements(store: Path, drive: Drive) -> list[str]:
    """Where the store says something else than the oracle; none in the end."""
    found: list[str] = []
    with closing(sqlite3.connect(store)) as connection:
        rows = connection.execute(
            "SELECT m.key, m.state, b.contact_status, m.bounced_at IS NOT NULL,"
            " (SELECT count(*) FROM event AS e WHERE e.message_id = m.id"
            " AND e.source = m.provider AND e.kind NOT IN ('email_sent', 'sms_sent'))"
            " FROM message AS m JOIN business AS b ON b.id = m.business_id"
        ).fetchall()
        for key, state, status, bounced, events in rows:
            fate = drive.fates.get(key)
            if fate is None:
                if (state, status) not in {("uncertain", "pending"), ("queued", "pending")}:
                    found.append(f"{key} was never taken, and is {state}, {status}")
                continue
            said = (state, status, bool(bounced), events)
            known = ("sent", fate.status, fate.bounced, fate.events)
            if said != known:
                found.append(f"{key} is {said}, not {known}")
        doubled = connection.execute("SELECT count(*) - count(DISTINCT key) FROM event").fetchone()[
            0
        ]
        if doubled:
            found.append(f"{doubled} events stand there twice")
    return found
