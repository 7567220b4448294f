from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.conftest import Cli

FIELDS = {
    "id", "lead", "name", "what", "due_at", "overdue", "done", "done_at", "created_at",
}  # fmt: skip


@pytest.fixture
def lead(cli: Cli) -> str:
    """The number of a lead that is there."""
    return str(cli("leads", "add", "Woodhaven Plumbing", "--json").json["lead"]["id"])


def test_a_follow_up_is_added_listed_put_off_and_done(cli: Cli, lead: str) -> None:
    added = cli("tasks", "add", lead, "call back", "--when", "in 2 hours", "--json")
    assert added.code == 0
    assert isinstance(added.json["undo"], int)
    (task,) = added.json["tasks"]
    assert set(task) == FIELDS
    assert (task["lead"], task["name"]) == (int(lead), "Woodhaven Plumbing")
    ahead = datetime.fromisoformat(task["due_at"]) - datetime.now(UTC)
    assert timedelta(hours=1, minutes=58) < ahead <= timedelta(hours=2)
    assert cli("tasks", "list", "--json").json == {"tasks": [task]}

    moved = cli("tasks", "snooze", str(task["id"]), "--until", "in 3 weeks", "--json")
    assert moved.json["tasks"][0]["due_at"] > task["due_at"]
    assert cli("tasks", "list", "--due", "--json").json == {"tasks": []}

    closed = cli("tasks", "done", str(task["id"]), "--json")
    assert closed.json["tasks"][0]["done"] is True
    assert cli("tasks", "list", "--json").json == {"tasks": []}
    everything = cli("tasks", "list", "--all", "--lead", lead, "--json").json
    assert everything["tasks"] == closed.json["tasks"]
    again = cli("tasks", "done", str(task["id"]), "--json")
    assert (again.code, again.json["undo"]) == (0, None)


def test_people_get_a_table_and_sentences(cli: Cli, lead: str) -> None:
    added = cli("tasks", "add", lead, "call back", "--when", "2099-12-01T10:00:00Z")
    assert added.code == 2
    added = cli("tasks", "add", lead, "call back", "--when", "in 2 hours")
    assert added.err.startswith("Follow-up set: call back, Woodhaven Plumbing (follow-up 1); due ")
    assert added.out == ""
    listed = cli("tasks", "list")
    assert listed.out.splitlines()[1].endswith("Woodhaven Plumbing  call back")
    assert listed.err == "1 follow-up\n"


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("add", "1", "call", "--when", "soon"), 2, '"soon" is no time'),
        (("add", "1", "call", "--when", "yesterday"), 2, "is past"),
        (("add", "1", "call"), 2, "--when"),
        (("add", "1", " ", "--when", "tomorrow"), 1, "Say what"),
        (("add", "99", "call", "--when", "tomorrow"), 1, "no lead 99"),
        (("done", "99"), 1, "no follow-up 99"),
        (("done",), 2, "ID"),
        (("snooze", "99", "--until", "tomorrow"), 1, "no follow-up 99"),
        (("list", "--lead", "99"), 1, "no lead 99"),
    ],
)
def test_what_cannot_be_done_is_refused_with_a_reason(
    arguments: tuple[str, ...], code: int, said: str, cli: Cli, lead: str
) -> None:
    assert lead == "1"
    ran = cli("tasks", *arguments)
    assert ran.code == code
    assert said in ran.err
    assert cli("tasks", "list", "--all", "--json").json == {"tasks": []}


def test_the_zone_and_hour_of_the_settings_hold(
    cli: Cli, lead: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    config = tmp_path_factory.mktemp("config") / "config.toml"
    config.write_text('[operator]\ntimezone = "Asia/Kolkata"\n[tasks]\nhour = 7\n')
    added = cli("--config", str(config), "tasks", "add", lead, "x", "--when", "friday", "--json")
    due = datetime.fromisoformat(added.json["tasks"][0]["due_at"])
    assert (due.hour, due.minute) == (1, 30)
