"""What must be in order before a campaign starts."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any, Literal

import pytest
from msgspec.structs import replace

from crm_tui.config import Settings, load_settings
from crm_tui.config.sections import (
    ComplianceSettings,
    EmailSettings,
    ImapSettings,
    ProviderSettings,
    SenderSettings,
    SmsSettings,
    SmtpSettings,
)
from crm_tui.db.engine import Database
from crm_tui.errors import BadInput
from crm_tui.providers.catalog import TITLES, capabilities
from crm_tui.providers.sender_policy import Line, SenderPolicy
from crm_tui.services.campaigns import gate
from crm_tui.services.campaigns.acknowledging import acknowledge
from crm_tui.services.campaigns.gate import Check, Verdict
from crm_tui.services.campaigns.policies import policy_of, unread
from crm_tui.services.campaigns.steps import Step
from crm_tui.services.sending import standing
from tests.campaigns.making import a_step, settings_to_send, through_smtp

FAR = "smtp.berg-sites.com"
SMTP = through_smtp(settings_to_send(), 25)
TWILIO = SmsSettings(provider="twilio")


def far() -> Settings:
    """Settings for a server elsewhere."""
    return replace(SMTP, providers=ProviderSettings(smtp=SmtpSettings(host=FAR)))


async def checked(
    db: Database, settings: Settings, *, steps: tuple[Step, ...] = (a_step(),), **more: Any
) -> dict[str, Check]:
    async with db.read() as session:
        found = await gate.checks(
            session, steps, settings=settings, store=db.path, **{"recipients": 3, **more}
        )
    return {each.check: each for each in found}


def blocking(found: dict[str, Check]) -> list[str]:
    return [name for name, each in found.items() if each.verdict is Verdict.BLOCKS]


@pytest.mark.parametrize("settings", [settings_to_send(), SMTP])
async def test_when_all_is_set_nothing_blocks(db: Database, settings: Settings) -> None:
    found = await checked(db, settings)
    assert {each.verdict for each in found.values()} == {Verdict.PASSED}
    assert all(each.why and not each.fix for each in found.values())


@pytest.mark.parametrize(
    ("settings", "check"),
    [
        (replace(SMTP, sender=replace(SMTP.sender, name=" ")), "sender name"),
        (replace(SMTP, sender=replace(SMTP.sender, email="")), "sender address"),
        (replace(SMTP, sender=replace(SMTP.sender, email="nobody at home")), "sender address"),
        (replace(SMTP, sender=replace(SMTP.sender, postal_address="\n")), "postal address"),
        (replace(SMTP, compliance=ComplianceSettings(policies_acknowledged=("smtp",))), "opt-out"),
        (
            replace(SMTP, compliance=ComplianceSettings(manual_unsubscribe=True)),
            "provider's policy",
        ),
        (replace(SMTP, providers=ProviderSettings()), "mail server"),
    ],
)
async def test_what_is_missing_blocks_and_says_what_to_do(
    db: Database, settings: Settings, check: str
) -> None:
    found = await checked(db, settings)
    assert blocking(found) == [check]
    assert found[check].why.endswith(".")
    assert found[check].fix


@pytest.mark.parametrize("address", ["test@example.com", "noreply@berg-sites.com"])
async def test_what_address_mail_comes_from_is_the_operators_choice(
    db: Database, address: str
) -> None:
    settings = replace(SMTP, sender=replace(SMTP.sender, email=address))
    assert blocking(await checked(db, settings)) == []


@pytest.mark.parametrize("provider", ["mailgun", "resend", "brevo"])
async def test_a_provider_of_mail_is_gated_as_the_own_mailbox_is(
    db: Database, provider: Literal["mailgun", "resend", "brevo"]
) -> None:
    through = replace(SMTP, email=EmailSettings(provider=provider))
    found = await checked(db, through)
    assert blocking(found) == ["provider's policy"]
    assert TITLES[provider] in found["mail server"].why
    assert gate.applies(through)
    assert capabilities(provider).policy.rstrip(".") in policy_of(provider)
    known = replace(SMTP.compliance, policies_acknowledged=(provider,))
    assert blocking(await checked(db, replace(through, compliance=known))) == []
    nobody_reads = replace(known, manual_unsubscribe=False)
    found = await checked(db, replace(through, compliance=nobody_reads))
    assert blocking(found) == ["opt-out"]


def test_the_policies_of_mails_and_of_text_messages_are_confirmed_each() -> None:
    both = replace(settings_to_send(), email=EmailSettings(provider="brevo"), sms=TWILIO)
    nothing = replace(both, compliance=ComplianceSettings())
    assert unread(nothing, texts=True) == ["brevo", "twilio"]
    assert unread(nothing, texts=False) == ["brevo"]
    assert unread(nothing, mails=False, texts=True) == ["twilio"]
    assert unread(both, texts=True) == ["brevo"]


async def test_a_mailbox_that_is_read_is_a_way_to_opt_out(db: Database) -> None:
    read = replace(
        SMTP,
        compliance=ComplianceSettings(policies_acknowledged=("smtp",)),
        providers=ProviderSettings(smtp=SMTP.providers.smtp, imap=ImapSettings(host="127.0.0.1")),
    )
    assert blocking(await checked(db, read)) == []


async def test_what_does_not_apply_to_the_outbox_passes(db: Database) -> None:
    outbox = replace(
        Settings(),
        email=EmailSettings(provider="outbox"),
        sender=SenderSettings(name="Ann", email="ann@berg-sites.com", postal_address="1 Main"),
    )
    assert blocking(await checked(db, outbox)) == []


async def test_nobody_to_write_to_blocks(db: Database) -> None:
    assert blocking(await checked(db, SMTP, recipients=0)) == ["recipients"]


@pytest.mark.parametrize(
    ("source", "why"),
    [
        ("Hello {{ unsubscribe }}", "{{ sender.postal_address }}"),
        ("Hello {{ sender.postal_address }}", "{{ unsubscribe }}"),
        (
            "{{ sender.postal_address }}{% if business.city %}{{ unsubscribe }}{% endif %}",
            "{{ unsubscribe }}",
        ),
        ("{{ nonsense }}", "cannot be sent"),
    ],
)
async def test_every_step_says_how_to_opt_out_and_where_the_sender_is(
    db: Database, source: str, why: str
) -> None:
    bad = Step(template="bad", source=f"---\nsubject: x\n---\n{source}\n", delay="3d")
    found = await checked(db, SMTP, steps=(a_step(), bad))
    assert blocking(found) == ["step 2"]
    assert why in found["step 2"].why


async def test_no_message_blocks(db: Database) -> None:
    assert blocking(await checked(db, SMTP, steps=())) == ["message"]


async def test_a_store_that_was_stopped_blocks(db: Database) -> None:
    async with db.write() as session:
        await standing.stop(session, "it was restored from a backup")
    found = await checked(db, SMTP)
    assert blocking(found) == ["sending"]
    assert "restored from a backup" in found["sending"].why
    assert "crm-tui worker --let-go" in found["sending"].fix


async def test_what_the_senders_domain_says_warns_and_never_blocks(db: Database) -> None:
    offline = await checked(db, far())
    assert offline["SPF, DKIM, DMARC"].verdict is Verdict.WARNING
    told = SenderPolicy(
        Line("SPF", ok=True, says="SPF is set."),
        Line("DKIM", ok=None, says="Nobody knows."),
        Line("DMARC", ok=False, says="No DMARC.", fix="Add one."),
    )
    found = await checked(db, far(), policy=told)
    assert blocking(found) == []
    assert [found[name].verdict for name in ("SPF", "DKIM", "DMARC")] == [
        Verdict.PASSED,
        Verdict.WARNING,
        Verdict.WARNING,
    ]
    assert found["DMARC"].fix == "Add one."


async def test_nothing_is_looked_up_for_mail_that_stays_here() -> None:
    assert await gate.look_up_policy(SMTP) is None
    assert await gate.look_up_policy(settings_to_send()) is None


# Accepting a policy --------------------------------------------------------------------------------

WRITTEN = """\
# My own notes stay.
[email]
provider = "smtp"   # through Fastmail

[compliance]
# I read it on a Sunday.
manual_unsubscribe = true
"""


def test_accepting_a_policy_is_noted_and_all_else_stays(tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text(WRITTEN)
    config.chmod(0o600)
    assert acknowledge(config, "smtp")
    assert config.read_text() == WRITTEN + 'policies_acknowledged = ["smtp"]\n'
    assert config.stat().st_mode & 0o777 == 0o600
    assert load_settings(config).compliance.policies_acknowledged == ("smtp",)
    assert not acknowledge(config, "smtp")
    assert acknowledge(config, "other")
    assert tomllib.loads(config.read_text())["compliance"]["policies_acknowledged"] == [
        "smtp",
        "other",
    ]


def test_a_configuration_that_is_not_there_is_made(tmp_path: Path) -> None:
    config = tmp_path / "new" / "config.toml"
    assert acknowledge(config, "smtp")
    assert load_settings(config).compliance.policies_acknowledged == ("smtp",)


def test_a_link_to_the_configuration_stays_one(tmp_path: Path) -> None:
    real, link = tmp_path / "dotfiles.toml", tmp_path / "config.toml"
    real.write_text(WRITTEN)
    link.symlink_to(real)
    acknowledge(link, "smtp")
    assert link.is_symlink()
    assert "policies_acknowledged" in real.read_text()


@pytest.mark.parametrize("text", ["not = = toml", "compliance = 3\n"])
def test_a_configuration_that_cannot_be_used_is_left_alone(tmp_path: Path, text: str) -> None:
    config = tmp_path / "config.toml"
    config.write_text(text)
    with pytest.raises(BadInput, match=r"config\.toml"):
        acknowledge(config, "smtp")
    assert config.read_text() == text
