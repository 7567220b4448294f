"""2 is for a command that is worded wrongly, 1 for one that is understood and refused."""

from __future__ import annotations

import shlex

import pytest

from tests.conftest import Cli


@pytest.fixture
def two(cli: Cli) -> None:
    cli("leads", "add", "Acme Roofing", "--city", "Queens", "--phone", "718 555 0142")
    cli("leads", "add", "Best Bakery", "--city", "Queens")


WRONG = [
    ("leads list --sort shoes", "choose one of score, name,"),
    ("leads list --sort -shoes", "choose one of score, name,"),
    ("leads list --sort ''", "choose one of score, name,"),
    ("leads list --limit -1", "--limit"),
    ("leads list 'score>'", "column 7"),
    ("leads bulk '' --set shoes=2", "choose from name, category,"),
    ("leads bulk '' --set shoes=2 --yes", "choose from name, category,"),
    ("leads bulk '' --set city", "write FIELD=VALUE"),
    ("leads bulk '' --set-status happy", "'pending', 'emailed'"),
    ("leads bulk '' --set-outcome happy", "'open', 'interested'"),
    ("leads bulk '' --tag a --untag b", "one thing to do"),
    ("leads bulk ''", "one thing to do"),
    ("leads bulk --tag a", "which leads"),
    ("leads bulk '' --follow-up someday", "no time"),
    ("leads bulk '' --tag a --what 'call back'", "--follow-up"),
    ("leads bulk 'shoes:2' --tag a", "column 1"),
    ("leads edit 1 shoes=2", "choose from name, category,"),
    ("leads edit 1 city", "write FIELD=VALUE"),
    ("leads call 1", "--outcome"),
    ("leads call 1 --outcome happy", "'no_answer', 'voicemail'"),
    ("leads call 1 --outcome later --follow-up someday", "no time"),
    ("leads call one --outcome later", "'ID'"),
    ("leads merge 1", "OTHER"),
    ("leads merge 1 1", "at least two different leads"),
    ("leads merge 1 2 --take phone", "write FIELD=VALUE"),
    ("leads merge 1 2 --take phone=two", "write FIELD=ID"),
    ("leads merge 1 2 --take shoes=2", "choose from name, category,"),
    ("leads split one", "'ID'"),
    ("leads duplicates --limit 0", "--limit"),
    ("leads duplicates --lead one", "--lead"),
    ("leads erase one --yes", "'ID'"),
    ("leads erase", "'ID'"),
    ("leads export 'shoes:2'", "column 1"),
    ("leads export --format xml", "'csv', 'json'"),
    ("leads export --json", "-o FILE"),
    ("undo --id one", "--id"),
    ("undo --list --id 1", "--list"),
    ("redo --id 0", "--id"),
    ("tasks add 1 call", "--when"),
    ("tasks add 1 call --when someday", "no time"),
    ("tasks snooze 1 --until someday", "no time"),
    ("tasks done", "'ID…'"),
    ("tasks list --lead one", "--lead"),
    ("views save Mine --sort shoes", "choose one of score, name,"),
    ("views save Mine 'shoes:2'", "column 1"),
    ("views save Mine '' --letter ab", "a–z"),
    ("views save Mine '' --letter v", "Choose another"),
    ("views save", "'NAME'"),
    ("views delete", "'NAME'"),
    ("completions powershell", "'bash', 'zsh', 'fish'"),
    ("completions", "'SHELL"),
    ("import list.csv --region XX", "two letters"),
]

REFUSED = [
    ("leads bulk '' --set name=", "needs a name"),
    ("leads bulk '' --set country=Narnia", "not a country"),
    ("leads bulk '' --tag ' '", "letter or a digit"),
    ("leads bulk '' --never ' '", "Say why"),
    ("leads call 9 --outcome later", "no lead 9"),
    ("leads merge 1 9", "no lead 9"),
    ("leads merge 1 2 --take phone=9", "Lead 9 is none"),
    ("leads split 1", "nothing to split"),
    ("leads duplicates --lead 9", "no lead 9"),
    ("leads erase 1", "cannot be undone"),
    ("leads erase 9 --yes", "no lead 9"),
    ("leads export -o /nowhere/leads.csv", "/nowhere/leads.csv"),
    ("undo --id 9", "no action 9"),
    ("redo", "nothing to redo"),
    ("tasks add 1 ' ' --when tomorrow", "Say what"),
    ("tasks done 9", "no follow-up 9"),
    ("views save ' '", "needs a name"),
    ("views delete Mine", "no view 'Mine'"),
]


@pytest.mark.usefixtures("two")
@pytest.mark.parametrize(
    ("line", "said", "code"),
    [(*each, 2) for each in WRONG] + [(*each, 1) for each in REFUSED],
    ids=lambda value: value if isinstance(value, str) and " " in value else "",
)
def test_what_is_wrong_is_told_from_what_is_refused(
    cli: Cli, line: str, said: str, code: int
) -> None:
    before = cli("leads", "list", "--json").json
    ran = cli(*shlex.split(line))
    assert ran.code == code, ran.err
    assert said.casefold() in " ".join(ran.err.split()).casefold()
    assert ran.out == ""
    assert cli("leads", "list", "--json").json == before
