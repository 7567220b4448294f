"""`crm-tui config …`: where the settings are, and what they are."""

from __future__ import annotations

from typing import Annotated

import typer

from crm_tui.cli.output import Invocation, invocation, say, show_json

app = typer.Typer(help="Where the settings are, and what they are.", no_args_is_help=True)


@app.command()
def path(context: typer.Context) -> None:
    """Print the place of the configuration file."""
    from crm_tui.config import default_config_path

    typer.echo(str(invocation(context).config or default_config_path()))


@app.command()
def show(
    context: typer.Context,
    *,
    json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")] = False,
) -> None:
    """Print the settings in force, defaults included, and what of them cannot be met."""
    import msgspec

    asked = invocation(context)
    warnings = _warnings(asked)
    settings = msgspec.to_builtins(asked.settings)
    if json:
        show_json({"store": str(asked.store), "settings": settings, "warnings": warnings})
        return
    typer.echo(f"store = {str(asked.store)!r}")
    for section, values in settings.items():
        typer.echo(f"\n[{section}]")
        for name, value in values.items():
            if isinstance(value, dict):
                typer.echo(f"\n[{section}.{name}]")
                for inner, of in value.items():
                    typer.echo(f"{inner} = {msgspec.json.encode(of).decode()}")
            else:
                written = f'"{name}"' if "." in name else name
                typer.echo(f"{written} = {msgspec.json.encode(value).decode()}")
    for warning in warnings:
        say(warning)


def _warnings(asked: Invocation) -> list[str]:
    """What the settings ask for and cannot have, and themes that are hard to read."""
    from crm_tui.config import default_config_path
    from crm_tui.keymap import read_keymap
    from crm_tui.palettes import FOLDER, SHIPPED, hard_to_read, no_such, read_own

    settings = asked.settings
    own, unusable = read_own((asked.config or default_config_path()).with_name(FOLDER))
    return [
        *read_keymap(settings.keys)[1],
        *unusable,
        *no_such(settings.appearance.theme, (*SHIPPED, *own)),
        *hard_to_read(own),
    ]
