"""`crm-tui report`: one page that needs nothing else, tables, or a document."""

from __future__ import annotations

import asyncio
import csv
import re
from datetime import timedelta
from html.parser import HTMLParser
from pathlib import Path

import pytest
from sqlalchemy import update

from crm_tui.db.engine import Database
from crm_tui.db.models import Campaign
from crm_tui.vocabulary import Interval, Mode, PaymentState, SubscriptionState
from tests.conftest import Cli
from tests.figures.histories import (
    BEGIN,
    Change,
    History,
    Lead,
    Mail,
    Paid,
    Spent,
    Subscribed,
    write,
)

_NASTY = '<script>alert("1")</script> & =1+1\x1b[31m'
_HISTORY = History(
    leads=tuple(
        Lead(number, BEGIN + timedelta(days=number), _NASTY if number % 2 else "Maps")
        for number in range(1, 9)
    ),
    mails=tuple(
        Mail(
            number, number % 3 or None, BEGIN + timedelta(days=10 + number), sent=True,
            bounced=False, provider="mailgun", opened=bool(number % 2), replied=False, cost=None,
        )
        for number in range(1, 9)
    ),
    paid=tuple(
        Paid(
            number, BEGIN + timedelta(days=30 * number), 4_900, "USD" if number < 3 else "JPY",
            Mode.MANUAL, PaymentState.SUCCEEDED, (), (),
        )
        for number in range(1, 4)
    ),
    subscribed=(
        Subscribed(
            1,
            Mode.MANUAL,
            (Change(BEGIN, SubscriptionState.ACTIVE, 4_900, "USD", Interval.MONTH),),
        ),
    ),
    spent=(Spent(BEGIN.date(), 9_000, "USD", 1, None),),
)  # fmt: skip


@pytest.fixture
def store(store_path: Path) -> Path:
    """A store with a little of everything, and a campaign with a nasty name."""

    async def fill() -> None:
        db = Database(store_path)
        await write(db, _HISTORY)
        async with db.write() as session:
            await session.execute(update(Campaign).where(Campaign.id == 1).values(name=_NASTY))
        await db.close()

    asyncio.run(fill())
    return store_path


class _Page(HTMLParser):
    """What stands in a page: its elements, its text, and what is open at the end."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.open: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [f"{name}={value}" for name, value in attrs if name in {"src", "href"}]
        if tag not in {"meta", "br"}:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] != "style":
            self.text += data


@pytest.mark.usefixtures("store")
def test_a_terminal_is_told_how_far_it_is_and_a_file_is_not(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = str(tmp_path / "report.html")
    assert "Report:" not in cli("report", "--html", target).err
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    said = cli("report", "--html", target, "--from", "2026-01-01").err.split("\r")
    assert [line.removesuffix("\x1b[K") for line in said if line.startswith("Report:")] == [
        f"Report: {part} of 10" for part in range(11)
    ]
    assert said[-1] == f"\x1b[KReport written to {target}.\n"


@pytest.mark.usefixtures("store")
def test_the_page_stands_by_itself_and_runs_nothing(cli: Cli, tmp_path: Path) -> None:
    target = tmp_path / "report.html"
    assert cli("report", "--html", str(target)).code == 0
    text = target.read_text(encoding="utf-8")
    page = _Page()
    page.feed(text)
    page.close()
    assert page.open == []
    assert page.links == []
    assert not {"script", "link", "img", "iframe"} & set(page.tags)
    assert not re.search(r"url\(|@import|https?:", text)
    assert '<script>alert("1")</script> & =1+1' in page.text
    assert "\x1b" not in text
    for words in ("MRR", "49.00 USD", "Lead → customer", "Cohorts", "Revenue by touch"):
        assert words in page.text.replace("\u00a0", " ")
    assert page.tags.count("figure") == 3
    assert page.tags.count("svg") == 3 + 9


@pytest.mark.usefixtures("store")
def test_the_document_says_what_the_commands_say(cli: Cli) -> None:
    told = cli("report", "--json").json
    assert told["stages"] == cli("funnel", "--json").json["stages"]
    assert told["figures"] == cli("kpis", "--json").json["figures"]
    assert sum(each["leads"] for each in told["cohorts"]) == 8
    assert {each["currency"] for each in told["attribution"]} == {"USD", "JPY"}
    assert sum(each["linear"] for each in told["attribution"] if each["currency"] == "JPY") == 4_900
    (own,) = [each for each in told["campaigns"] if each["campaign"] == 1 and each["spend"]]
    assert (own["spend"], own["currency"]) == (90.0, "USD")
    some = cli("report", "--json", "--from", "2026-06-03", "--to", "2026-06-04").json
    assert some["stages"][0]["count"] == 2
    assert some["from"].startswith("2026-06-0")


@pytest.mark.usefixtures("store")
def test_every_part_is_a_table(cli: Cli, tmp_path: Path) -> None:
    folder = tmp_path / "made" / "tables"
    assert cli("report", "--csv", str(folder), "--where", "source:Maps").code == 0
    read = {}
    for path in folder.iterdir():
        with path.open(encoding="utf-8", newline="") as file:
            read[path.stem] = list(csv.DictReader(file))
    assert set(read) == {
        "funnel", "figures", "series", "cohorts", "campaigns", "sources", "attribution",
    }  # fmt: skip
    assert read["funnel"][0]["count"] == "4"
    assert {each["source"] for each in read["sources"]} == {"Maps", "no source"}
    everything = tmp_path / "all"
    assert cli("report", "--csv", str(everything)).code == 0
    text = (everything / "sources.csv").read_text(encoding="utf-8")
    assert "\x1b" not in text
    assert cli("report", "--csv", str(folder / "funnel.csv")).code == 1


def test_an_empty_store_makes_a_page_too(cli: Cli, tmp_path: Path) -> None:
    target = tmp_path / "empty.html"
    assert cli("report", "--html", str(target), "--csv", str(tmp_path / "t"), "--json").code == 0
    text = target.read_text(encoding="utf-8")
    assert "Nothing was paid in the period." in text
    assert "not enough data" in text
    assert cli("report").code == 2
    assert cli("report", "--html", str(tmp_path)).code == 1
    assert cli("report", "--html", str(target), "--from", "soon").code == 2


@pytest.mark.usefixtures("store")
def test_figures_stand_beside_those_of_the_period_before(cli: Cli, tmp_path: Path) -> None:
    target = tmp_path / "june.html"
    days = ("--from", "2026-07-01", "--to", "2026-07-31")
    assert cli("report", "--html", str(target), *days).code == 0
    text = target.read_text(encoding="utf-8")
    assert "1 Jul 2026 to 31 Jul 2026" in text
    assert "before: 49.00 USD" in text
