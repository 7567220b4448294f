"""`crm-tui suppression …`, as the contract says it."""

from __future__ import annotations

from pathlib import Path

from tests.conftest import Cli


def test_what_is_added_is_listed_and_can_be_removed(cli: Cli) -> None:
    ran = cli("suppression", "add", "Joe@Acme.com", "--reason", "asked us to stop", "--json")
    assert ran.code == 0
    assert ran.json == {
        "value": "joe@acme.com",
        "kind": "email",
        "reason": "asked us to stop",
        "added": True,
        "skipped": 0,
    }
    assert "Nothing goes to joe@acme.com any more." in ran.err
    assert cli("suppression", "add", "718-555-0142").code == 0
    again = cli("suppression", "add", "joe@acme.com", "--json")
    assert (again.code, again.json["added"], again.json["reason"]) == (0, False, "asked us to stop")
    listed = cli("suppression", "list", "--json").json["suppressions"]
    assert [(each["value"], each["kind"], each["reason"]) for each in listed] == [
        ("+17185550142", "phone", "put there by hand"),
        ("joe@acme.com", "email", "asked us to stop"),
    ]
    assert len(cli("suppression", "list", "stop", "--json").json["suppressions"]) == 1
    assert len(cli("suppression", "list", "--limit", "1", "--json").json["suppressions"]) == 1
    removed = cli("suppression", "remove", "joe@acme.com", "--reason", "a mistake", "--json")
    assert removed.json == {"value": "joe@acme.com", "kind": "email", "was": "asked us to stop"}
    assert cli("undo").code == 0
    assert "joe@acme.com" in cli("suppression", "list").out


def test_a_lead_is_barred_by_its_number(cli: Cli) -> None:
    lead = cli("leads", "add", "Joe", "--email", "joe@acme.com", "--json").json["lead"]["id"]
    assert cli("suppression", "add", f"lead:{lead}", "--reason", "closed down").code == 0
    listed = cli("suppression", "list").out
    assert f"lead:{lead}" in listed
    assert "joe@acme.com" in listed
    assert cli("leads", "list", "is:suppressed", "--json").json["total"] == 1
    assert cli("suppression", "remove", f"lead:{lead}", "--reason", "open again").code == 0
    assert cli("suppression", "list", "--json").json == {"suppressions": []}


def test_what_cannot_be_done_is_refused_in_a_sentence(cli: Cli) -> None:
    for arguments in (
        ("add", "rubbish"),
        ("add", "lead:99"),
        ("add", "joe@acme.com", "--reason", "x" * 301),
        ("remove", "joe@acme.com", "--reason", "why not"),
        ("import", "none.csv"),
    ):
        ran = cli("suppression", *arguments)
        assert (ran.code, ran.out, ran.err.count("\n")) == (1, "", 1), arguments


def test_what_was_put_there_by_hand_is_taken_off_without_a_reason(cli: Cli) -> None:
    cli("suppression", "add", "joe@acme.com")
    assert cli("suppression", "remove", "joe@acme.com").code == 0
    assert cli("suppression", "list", "--json").json == {"suppressions": []}


def test_a_list_is_imported_and_exported(cli: Cli, tmp_path: Path) -> None:
    path = tmp_path / "stop.csv"
    path.write_text("email,reason\njoe@acme.com,unsubscribed\nrubbish,\n")
    ran = cli("suppression", "import", str(path), "--json")
    assert ran.code == 3
    assert ran.json == {
        "seen": 2,
        "added": 1,
        "known": 0,
        "rejected": 1,
        "skipped": 0,
        "problems": [
            {
                "line": 3,
                "reason": "“rubbish” is no address, no number (with + and its country) and no"
                " domain; a lead is named by its number: lead:12.",
            }
        ],
    }
    assert "stop.csv: 2 lines seen: 1 added, 0 there already, 1 rejected." in ran.err
    out = tmp_path / "out.csv"
    assert cli("suppression", "export", str(out)).code == 0
    assert out.read_text().splitlines() == ["value,kind,reason", "joe@acme.com,email,unsubscribed"]
    assert cli("suppression", "export", "-").out.splitlines()[0] == "value,kind,reason"
    path.write_text("rubbish\n")
    assert cli("suppression", "import", str(path)).code == 1
