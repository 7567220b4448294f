"""Make docs/keys.md from the registry of actions: `make docs`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from crm_tui.actions import AREA_TITLES, Action, actions_in, key_words

PAGE = Path(__file__).parent.parent / "keys.md"

_INTRODUCTION = """\
# Keys

This page is made from the program's own list of actions (`make docs`). In the app, `?` shows the
keys of the screen you are on, and `:` does anything by its name.

To have other keys, name the action in the configuration file (`crm-tui config path`) with a key or
a list of keys; two keys with a space between them are pressed one after the other, and `[]` leaves
an action without a key:

```toml
[keys]
"leads.sort" = "S"
"list.down" = ["n", "down"]
"list.first" = "f4 f4"
"everywhere.close" = []
```

What cannot be is said once at the start, and that action keeps the key it has here. Keys are single
characters, `enter`, `esc`, `tab`, `space`, `backspace`, `delete`, `insert`, `home`, `end`, `pgup`,
`pgdn`, `up`, `down`, `left`, `right`, `f1` to `f24`, and those with `ctrl+`, `alt+` or `shift+` before
them. What is typed into a text field is never taken for a key.
"""


def page() -> str:
    """The whole page."""
    areas = [area for area in AREA_TITLES if actions_in(area)]
    return "\n".join((_INTRODUCTION, *(_section(area) for area in areas)))


def _section(area: str) -> str:
    return "\n".join((f"## {AREA_TITLES[area]}", "", *_table(actions_in(area)), ""))


def _table(actions: Sequence[Action]) -> Iterator[str]:
    yield "| keys | what it does | id |"
    yield "|---|---|---|"
    for each in actions:
        keys = " ".join(f"`{_escaped(key_words(key))}`" for key in each.keys) or "(by name)"
        yield f"| {keys} | {each.title} | `{each.id}` |"


def _escaped(key: str) -> str:
    return key.replace("|", "\\|")


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    print(f"Wrote {PAGE}")
