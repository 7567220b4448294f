"""Completing commands in the shell: the scripts, and what completes values from the store.

A script hands the line up to the cursor to the program and gets a line for each word that could
stand there: the word, a tab, what it is. That is what Typer's own script for fish asks for; one
way for all shells keeps words with spaces whole and never evaluates what comes from the store.
"""

from __future__ import annotations

import os
from contextlib import closing
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from crm_tui.cli.running import ASKED
from crm_tui.errors import UserError

_ASK = (
    f"COLUMNS=9999 {ASKED}=complete_fish _TYPER_COMPLETE_FISH_ACTION=get-args _TYPER_COMPLETE_ARGS"
)
"""What stands before the line; a narrow terminal would have descriptions wrapped."""

_BASH = f"""\
_crm_tui() {{
    local line=${{COMP_LINE:0:COMP_POINT}} found word before quote
    word=${{line##*[[:space:]]}}
    # What stands before a colon or an equals sign is a word of its own to bash, and stays.
    before=${{word%"${{word##*[:=]}}"}}
    quote=${{COMP_WORDS[COMP_CWORD]:0:1}}
    COMPREPLY=()
    while IFS= read -r found; do
        found=${{found%%$'\\t'*}}
        [[ -n $found ]] || continue
        [[ -z $before ]] || found=${{found#"$before"}}
        [[ $quote == [\\"\\'] ]] || printf -v found %q "$found"
        COMPREPLY+=("$found")
    done < <(env {_ASK}="$line" "$1" 2>/dev/null)
    [[ ${{#COMPREPLY[@]}} -ne 1 || $COMPREPLY != *: ]] || compopt -o nospace
}}
complete -o bashdefault -o default -F _crm_tui crm-tui
"""

_ZSH = f"""\
#compdef crm-tui
_crm_tui() {{
    local line
    local -a found unfinished
    for line in "${{(@f)$(env {_ASK}="${{(j: :)words[1,CURRENT]}}" $words[1] 2>/dev/null)}}"; do
        [[ -n $line ]] || continue
        [[ ${{line%%$'\t'*}} != *: ]] || unfinished=(-S '')
        found+=("${{${{line%%$'\\t'*}}//:/\\\\:}}:${{line#*$'\\t'}}")
    done
    if (( $#found )); then
        _describe 'crm-tui' found "${{unfinished[@]}}"
    else
        _files
    fi
}}
if [[ $zsh_eval_context[-1] == loadautofunc ]]; then
    _crm_tui "$@"
else
    compdef _crm_tui crm-tui
fi
"""

_FISH = f"""\
function __crm_tui_complete
    set -l found (env {_ASK}=(commandline -cp | string collect) crm-tui 2>/dev/null)
    if test -n "$found"
        printf '%s\\n' $found
    else
        __fish_complete_path (commandline -ct)
    end
end
complete --command crm-tui --no-files --arguments '(__crm_tui_complete)'
"""


class Shell(StrEnum):
    """The shells there is a script for."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"


_SCRIPTS = {Shell.BASH: _BASH, Shell.ZSH: _ZSH, Shell.FISH: _FISH}


def register(app: typer.Typer) -> None:
    """Add the command to the root."""
    app.command()(completions)


def completions(shell: Annotated[Shell, typer.Argument(help="The shell you use.")]) -> None:
    """Print the script that completes commands in your shell.

    In bash: source <(crm-tui completions bash). In zsh: the same, after compinit. In fish:
    crm-tui completions fish | source. Put that line into the file your shell reads at its start.
    """
    typer.echo(_SCRIPTS[shell], nl=False)


def answer_scripts() -> None:
    """Get ready to answer, where a script asks."""
    if ASKED in os.environ:
        from typer.completion import get_completion_inspect_parameters

        get_completion_inspect_parameters()  # makes the shells known to Typer, for one


def view_names(context: typer.Context, incomplete: str) -> list[tuple[str, str]]:
    """The saved views whose names begin so, each with its query."""
    return _ask(context, "SELECT name, query FROM saved_view ORDER BY position", incomplete)


def tags(context: typer.Context, incomplete: str) -> list[tuple[str, str]]:
    """The tags that begin so."""
    return _ask(context, "SELECT name, '' FROM tag ORDER BY name", incomplete)


def plans(context: typer.Context, incomplete: str) -> list[tuple[str, str]]:
    """The plans that are offered and begin so."""
    return _ask(
        context, "SELECT name, '' FROM plan WHERE archived_at IS NULL ORDER BY name", incomplete
    )


def slugs(context: typer.Context, incomplete: str) -> list[tuple[str, str]]:
    """The sites whose slugs begin so, each with its business."""
    return _ask(
        context,
        "SELECT slug, coalesce(business.name, '') FROM site"
        " LEFT JOIN business ON business.id = site.business_id ORDER BY slug",
        incomplete,
    )


def template_names(context: typer.Context, incomplete: str) -> list[tuple[str, str]]:
    """The templates whose names begin so, each with its description."""
    from crm_tui.config import default_config_path
    from crm_tui.services.templating.files import Templates, own_folder

    config = context.find_root().params.get("config_file") or default_config_path()
    try:
        found = Templates(own_folder(Path(config))).every().values()
    except UserError:
        return []
    return [(each.name, each.description) for each in found if each.name.startswith(incomplete)]


def query_words(_context: typer.Context, incomplete: str) -> list[tuple[str, str]]:
    """The fields of a query, and the values of those that have a few; after a minus, too."""
    from crm_tui.services.filters.fields import FIELDS

    minus = "-" if incomplete.startswith("-") else ""
    name, colon, _ = incomplete.removeprefix(minus).partition(":")
    field = FIELDS.get(name)
    if colon and field is not None:
        found = [(f"{minus}{name}:{word}", "") for word in field.words]
    else:
        found = [(f"{minus}{each.name}:", each.hint) for each in FIELDS.values()]
    return [each for each in found if each[0].startswith(incomplete)]


def _ask(context: typer.Context, question: str, incomplete: str) -> list[tuple[str, str]]:
    """Rows of the store, read without SQLAlchemy; none where anything is in the way."""
    import sqlite3

    from crm_tui.config import store_path

    try:
        path = store_path(context.find_root().params.get("db"), os.environ)
        with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, timeout=0.2)) as store:
            rows = store.execute(question).fetchall()
    except (sqlite3.Error, UserError):
        return []
    return [(word, about) for word, about in rows if word.startswith(incomplete)]
