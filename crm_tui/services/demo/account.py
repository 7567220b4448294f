"""The account of the demo: a folder for mails that go nowhere, another for pages nobody publishes."""

from __future__ import annotations

from pathlib import Path

from msgspec.structs import replace

from crm_tui.config import Settings
from crm_tui.config.sections import (
    ComplianceSettings,
    EmailSettings,
    ProviderSettings,
    PublishingSettings,
    SenderSettings,
    SendingSettings,
)

PER_HOUR = 1200
"""One every three seconds: slow enough to be watched."""


def demo_settings(settings: Settings, folder: Path) -> Settings:
    """The operator's settings, but with an account whose mails and pages stay in a folder."""
    return replace(
        settings,
        sender=SenderSettings(
            name="Sam Demo",
            email="sam@demo.example",
            postal_address="Demo Street 1\nSpringfield",
        ),
        email=EmailSettings(provider="outbox", outbox=str(folder / "outbox")),
        publishing=PublishingSettings(
            path=str(folder / "public"), base_url="https://previews.demo.example"
        ),
        providers=ProviderSettings(),
        sending=SendingSettings(
            per_hour=PER_HOUR,
            per_day=0,
            warm_up=False,
            quiet_hours="",
            weekdays_only=False,
            contacted_days=0,
        ),
        compliance=ComplianceSettings(manual_unsubscribe=True),
    )
