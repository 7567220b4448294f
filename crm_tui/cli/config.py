"""`crm-tui config …`: where the settings are, and what they are."""

from __future__ import annotations

from typing import Annotated

import typer

from crm_tui.cli.output import invocation, show_json

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
    """Print the settings in force, defaults included."""
    import msgspec

    asked = invocation(context)
    settings = msgspec.to_builtins(asked.settings)
    if json:
        show_json({"store": str(asked.store), "settings": settings})
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
                typer.echo(f"{name} = {msgspec.json.encode(value).decode()}")
