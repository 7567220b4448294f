"""The third page of the wizard: how it looks to each who gets it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from textual.containers import VerticalScroll
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Static

from crm_tui.errors import BadInput, CrmError, UserError
from crm_tui.screens.wizard_pages import PlanPage
from crm_tui.services.campaigns import preview, trial
from crm_tui.services.campaigns.steps import Step
from crm_tui.services.campaigns.variants import OWN
from crm_tui.services.texting import NO_CONSENT
from crm_tui.text import visible, visible_lines
from crm_tui.widgets.facts import styled
from crm_tui.widgets.forms import Form, LineField
from crm_tui.widgets.look import TROUBLE, Role


class PreviewPage(PlanPage, inherit_bindings=False):
    """Each mail as its recipient will get it, those that lack something first."""

    AREA = "preview"
    TITLE = "Preview"
    FOOTER = ("preview.person", "preview.person_before", "preview.other", "preview.try")
    DEFAULT_CSS = """
    PreviewPage {
        & #whose { height: auto; padding: 0 3; }
        & #mail-pane { height: 1fr; margin-top: 1; padding: 1 3; background: $surface; }
        & #mail { height: auto; max-width: 88; }
    }
    """

    def compose(self) -> Iterable[Widget]:
        """Whose mail, and the mail."""
        yield Static(id="whose")
        with VerticalScroll(id="mail-pane"):
            yield Static(id="mail")
        self._person = 0
        self._position = 1
        self._letter = OWN

    async def enter(self) -> None:
        """Find who lacks something, and show the first mail."""
        self._person = 0
        if (self._position, self._letter) not in self._texts:
            self._position, self._letter = 1, OWN
        if self.plan.looked is None:
            await self.plan.look(lambda _done, _total: None)
        if self.plan.lacking is None:
            self.query_one("#whose", Static).update(styled("Looking at each mail …", Role.QUIET))
            await self.plan.find_lacking()
        await self._show()

    @property
    def _texts(self) -> list[tuple[int, str]]:
        """Every text of every message, by the message's number and the text's letter."""
        return [
            (number, letter)
            for number, step in enumerate(self.plan.steps, start=1)
            for letter in step.texts
        ]

    @property
    def _said(self) -> Sequence[Step]:
        """The messages with the text that is shown."""
        return preview.saying(self.plan.steps, self._position, self._letter)

    async def _show(self) -> None:
        ids, lacking = self.plan.recipients, self.plan.lacking or {}
        if not ids or not self.plan.steps:
            self.query_one("#whose", Static).update(styled("There is no mail to show."))
            return
        lead = ids[self._person % len(ids)]
        db = await self.wizard.host.store()
        async with db.read() as session:
            shown = await preview.mail(
                session,
                self._said,
                self._position,
                lead,
                settings=self.wizard.host.settings,
            )
        place = f"{self._person % len(ids) + 1:,} of {len(ids):,}"
        if len(self.plan.steps) > 1:
            place += f" · message {self._position} of {len(self.plan.steps)}"
        if self.plan.steps[self._position - 1].variant:
            place += f" · text {self._letter.upper()}"
        if lacking:
            all_of = "all" if len(lacking) == len(ids) else f"the first {len(lacking):,}"
            place += f" · {all_of} held for what is missing"
        lines = [styled(place, Role.QUIET), styled("To       ", Role.QUIET) + styled(shown.to)]
        if shown.size:
            lines.append(styled("Text     ", Role.QUIET) + styled(shown.size, Role.STRONG))
        else:
            lines.append(styled("Subject  ", Role.QUIET) + styled(shown.subject, Role.STRONG))
        if why := shown.missing or lacking.get(lead, ""):
            words = f"{TROUBLE} Held: {why}."
            words += "" if why == NO_CONSENT else " An example stands in its place."
            lines.append(styled(words, Role.ATTENTION))
        self.query_one("#whose", Static).update(Content("\n").join(lines))
        self.query_one("#mail", Static).update(Content(visible_lines(shown.text)))
        self.query_one("#mail-pane", VerticalScroll).scroll_home(animate=False)

    def action_person(self) -> None:
        """The next recipient's mail."""
        self._go(1)

    def action_person_before(self) -> None:
        """The mail of the recipient before."""
        self._go(-1)

    def _go(self, by: int) -> None:
        self._person += by
        self.wizard.in_order(self._show(), group="preview")

    def action_other(self) -> None:
        """The next message to the same recipient; of two texts that are tried, each."""
        texts = self._texts
        if not texts:
            return
        at = (self._position, self._letter)
        after = texts.index(at) + 1 if at in texts else 0
        self._position, self._letter = texts[after % len(texts)]
        self.wizard.in_order(self._show(), group="preview")

    def action_try(self) -> None:
        """Send this mail to oneself."""
        host = self.wizard.host
        ids = self.plan.recipients
        lead = ids[self._person % len(ids)] if ids else None

        async def save(values: Mapping[str, str]) -> None:
            try:
                tried = await trial.send(
                    await host.store(),
                    self._said,
                    self._position,
                    values["to"].strip(),
                    business_id=lead,
                    settings=host.settings,
                    environment=host.mail_work.environ,
                    now=host.now(),
                )
            except UserError:
                raise
            except CrmError as error:  # what the provider said
                raise BadInput(str(error)) from None
            host.say(f"Sent to {tried.to}: {visible(tried.subject, 60)}", Role.GOOD)

        field = LineField("to", "To", host.settings.sender.email)
        self.app.push_screen(Form("Send this mail to yourself", [field], save=save, verb="Send"))
