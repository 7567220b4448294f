"""Writing into config.toml that the policy of a provider was read."""

from __future__ import annotations

from pathlib import Path

from crm_tui.config import load_settings
from crm_tui.services.config_file import change


def acknowledge(config: Path, provider: str) -> bool:
    """Note that the operator knows a provider's policy; everything else in the file stays.

    Returns whether it was not noted before. A file that is not there is made.

    Raises:
        BadInput: the file cannot be read or written.
    """
    known = load_settings(config).compliance.policies_acknowledged if config.exists() else ()
    if provider in known:
        return False
    return change(config, {"compliance": {"policies_acknowledged": [*known, provider]}})
