"""A step of a campaign: what one message says, or two texts of it, and when it goes."""

from __future__ import annotations

from dataclasses import dataclass, replace

from crm_tui.errors import BadInput
from crm_tui.services.campaigns.variants import OWN, SECOND, Variant
from crm_tui.services.sending.compose import step_template
from crm_tui.services.sending.hours import read_delay
from crm_tui.services.templating.checking import check, uses_payment, uses_site
from crm_tui.services.templating.files import Kind, Template
from crm_tui.text import plain_line, visible
from crm_tui.vocabulary import Channel

OWN_TEXT = "own text"
"""What the template of a step is called that was written for it alone."""
_TITLE = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One message of a campaign.

    Attributes:
        template: what its template is called.
        source: the template's whole text, subject included, as it is kept with the campaign.
        delay: how long after the step before, "3d"; None for the first.
        version: goes up with each change; 1 in a draft.
        channel: what it goes through; a text message has no subject.
        variant: a second text that a part of the recipients get; None where none is tried.
    """

    template: str
    source: str
    is_html: bool = False
    delay: str | None = None
    version: int = 1
    channel: Channel = Channel.EMAIL
    variant: Variant | None = None

    def read(self) -> Template:
        """The template it is made from."""
        return step_template(self.template, self.source, html=self.is_html, channel=self.channel)

    @property
    def subject(self) -> str:
        """The subject, with its merge fields; "" of a text message."""
        return self.read().subject

    @property
    def title(self) -> str:
        """What it is known by in a list: the subject, or how a text message begins."""
        read = self.read()
        return read.subject or visible(" ".join(read.body.split()), _TITLE)

    @property
    def uses_site(self) -> bool:
        """Whether it names the public address of the site, in one of its texts."""
        return any(uses_site(each.read()) for each in self.texts.values())

    @property
    def uses_payment(self) -> bool:
        """Whether it names the page to pay at, in one of its texts."""
        return any(uses_payment(each.read()) for each in self.texts.values())

    @property
    def texts(self) -> dict[str, Step]:
        """The step with each of its texts as its own, by their letters."""
        own = replace(self, variant=None)
        if self.variant is None:
            return {OWN: own}
        said = self.variant
        second = replace(
            own,
            template=said.template,
            source=said.source,
            is_html=said.is_html,
            version=said.version,
        )
        return {OWN: own, SECOND: second}

    def with_text(self, letter: str, text: Step, *, share: int | None = None) -> Step:
        """The step with what another one says as one of its texts.

        Args:
            letter: which text; the second one may be new.
            text: says it.
            share: how many of a hundred get the second one; as before, or half, when None.

        Raises:
            BadInput: the other text is of another channel, or nobody would get one of them.
        """
        if (letter == SECOND or self.variant) and text.channel is not self.channel:
            raise BadInput("Two texts of one message are both mails, or both text messages.")
        if letter == OWN:
            return replace(text, delay=self.delay, version=self.version, variant=self.variant)
        known = self.variant or Variant(template=text.template, source=text.source)
        second = replace(
            known,
            template=text.template,
            source=text.source,
            is_html=text.is_html,
            share=known.share if share is None else share,
        )
        return replace(self, variant=second)


def step_of(template: Template, *, delay: str | None = None, subject: str | None = None) -> Step:
    """A step that says what a template says, under another subject if one is given.

    Raises:
        BadInput: the template cannot be sent, or the delay is none.
    """
    if subject is not None and template.kind is Kind.SMS:
        raise BadInput("A text message has no subject.")
    source = template.source if subject is None else _under(template, subject)
    step = Step(
        template=template.name,
        source=source,
        is_html=template.kind is Kind.HTML,
        channel=template.channel,
        delay=None if delay is None else str(read_delay(delay)),
    )
    sendable(step)
    return step


def sendable(step: Step) -> None:
    """See that a step can be sent.

    Raises:
        BadInput: its template cannot be used, says where and why; or both its texts are the same.
    """
    if step.variant is not None and step.variant.source == step.source:
        raise BadInput("Both texts say the same: change the subject or the words of one of them.")
    for text in step.texts.values():
        problems = check(text.read())
        if problems:
            raise BadInput(
                f"The template {visible(text.template, 60)} cannot be sent: {problems[0].sentence}"
            )


def _under(template: Template, subject: str) -> str:
    """The text of a template with another subject in it."""
    said = plain_line(subject)
    if not said:
        raise BadInput("A subject cannot be empty.")
    text = template.source.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    lines = text.split("\n")
    # Where there is no subject it goes below the first line, which opens the headers.
    at, following = (
        (template.subject_line - 1, template.subject_line) if template.subject else (1, 1)
    )
    return "\n".join([*lines[:at], f"subject: {said}", *lines[following:]])
