"""The program's entry: `crm-tui`, or `python -m crm_tui`."""

from __future__ import annotations

import sys


def main() -> None:
    """Answer --version at once; hand everything else to the command line."""
    if sys.argv[1:] == ["--version"]:
        from crm_tui import __version__  # noqa: PLC0415 - kept beside its only use

        sys.stdout.write(f"crm-tui {__version__}\n")
        return
    try:
        from crm_tui.cli.running import run  # noqa: PLC0415 - not needed for the version

        run()
    except KeyboardInterrupt:  # before there is anybody to see to it
        sys.exit(130)


if __name__ == "__main__":
    main()
