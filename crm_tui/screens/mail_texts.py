"""A mail to one lead: from a template or blank, as it will go, to be changed before it is queued."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from crm_tui.config import default_config_path
from crm_tui.screens.dialogs import Pick, Picker
from crm_tui.services.sending.single import Letter
from crm_tui.services.templating.files import Template, Templates, own_folder
from crm_tui.widgets.facts import styled
from crm_tui.widgets.forms import Form, LineField, TextField
from crm_tui.widgets.look import Role

if TYPE_CHECKING:
    from crm_tui.screens.base import Host

BLANK = ""
"""What is picked for a mail without a template."""


class LetterForm(Form):
    """A form with room for a mail."""

    DEFAULT_CSS = """
    LetterForm {
        & #form { width: 88; }
        & Fields TextBox { height: 12; }
    }
    """


def templates_of(host: Host) -> Templates:
    """The templates that come with the program, and the operator's own."""
    return Templates(own_folder(host.config or default_config_path()))


def template_picker(templates: Mapping[str, Template]) -> Picker:
    """Which template a mail begins with, if any."""
    picks = [Pick(BLANK, "Blank", "your own words")]
    picks += [Pick(name, name, each.subject) for name, each in templates.items()]
    return Picker("Which template", picks)


def letter_form(letter: Letter, whom: str, save: Callable[[Letter], Awaitable[None]]) -> LetterForm:
    """A mail as it will go.

    Args:
        letter: What it says.
        whom: The lead's name.
        save: Queues it; a UserError of it is shown.
    """

    async def store(values: Mapping[str, str]) -> None:
        subject, text = values["subject"].strip(), values["text"]
        html = letter.html if text.strip() == letter.text.strip() else None
        await save(replace(letter, subject=subject, text=text, html=html))

    about = f"To {letter.to}"
    if letter.html is not None:
        about += ". Its template is HTML; a text that is changed goes as text alone."
    return LetterForm(
        f"Answer {whom}" if letter.in_reply_to else f"Mail to {whom}",
        [LineField("subject", "Subject", letter.subject), TextField("text", "Text", letter.text)],
        save=store,
        verb="Send",
        about=styled(about, Role.QUIET),
    )
