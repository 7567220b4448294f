"""The last pages of the wizard: when it goes, and all of it once more before it starts."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Static

from crm_tui.config import default_config_path
from crm_tui.screens.base import Job
from crm_tui.screens.campaign_forms import ask_to_send
from crm_tui.screens.dialogs import Confirm
from crm_tui.screens.follow_up import Ahead, when_field
from crm_tui.screens.wizard_pages import PlanPage, delay_words
from crm_tui.services.campaigns import gate, preview, running
from crm_tui.services.campaigns.acknowledging import acknowledge
from crm_tui.services.campaigns.gate import Blocked, Check, Verdict
from crm_tui.services.campaigns.policies import policy_of, unread
from crm_tui.services.campaigns.variants import SECOND
from crm_tui.services.when import say_when
from crm_tui.text import plain_line, plural
from crm_tui.vocabulary import Channel
from crm_tui.widgets.facts import Fact, Facts, styled
from crm_tui.widgets.forms import Form
from crm_tui.widgets.look import REACHED, TROUBLE, Role

if TYPE_CHECKING:
    from crm_tui.config import Settings
    from crm_tui.db.engine import ReadSession
    from crm_tui.screens.wizard_plan import Plan

_ORDER = (Verdict.BLOCKS, Verdict.WARNING, Verdict.PASSED)

_MARKS = {
    Verdict.PASSED: (REACHED, Role.QUIET),
    Verdict.WARNING: (TROUBLE, Role.ATTENTION),
    Verdict.BLOCKS: (TROUBLE, Role.BAD),
}

_FIXED_HERE = {
    f"Read it, and then: {gate.ACKNOWLEDGE}": "A shows it, and notes that you have read it.",
    f"If nothing else sends from this data any more: {gate.LET_GO}": (
        "If nothing else sends from this data any more: the worker log (:) lets it go."
    ),
    gate.OTHER_LEADS: "[ leads back to the first page: / there chooses others, o says why.",
    gate.NO_MESSAGE: "[ leads back to the second page: t there takes a template, e writes one.",
    gate.CORRECT: "[ leads back to the second page: e there corrects it.",
    gate.SAY_ALWAYS: f"[ leads back to the second page: e there corrects it. {gate.SAY_ALWAYS}",
    gate.WHEN_ONLINE: "r looks again when you are online.",
}
"""What is done about a check without leaving the app, in the place of the command."""

_READ_AT_START = " It is read when crm-tui starts; this draft stays."


def _fix(check: Check) -> str:
    """What is to be done about a check, as one does it here."""
    fix = _FIXED_HERE.get(check.fix, check.fix)
    return fix + _READ_AT_START if "config.toml" in fix else fix


def _quietly(_done: int, _total: int) -> None:
    """How far it is, where nobody is told."""


class WhenPage(PlanPage, inherit_bindings=False):
    """When it goes: at once or at a time, within the limits, and about until when."""

    AREA = "when"
    TITLE = "When"
    FOOTER = ("when.time",)
    DEFAULT_CSS = """
    WhenPage VerticalScroll { height: 1fr; padding: 0 3; }
    WhenPage #until { height: auto; margin-top: 1; }
    """

    def compose(self) -> Iterable[Widget]:
        """The time, the limits, and the end that follows."""
        with VerticalScroll():
            yield Facts(label_width=16)
            yield Static(id="until")

    async def enter(self) -> None:
        """Show when it goes, and estimate the end."""
        host = self.wizard.host
        starts_at = self.plan.draft.starts_at
        begins = "as soon as it is started"
        if starts_at is not None:
            zone = host.settings.operator.zone
            begins = say_when(starts_at, now=host.now(), zone=zone)
        self.query_one(Facts).set_facts(
            [Fact("Begins", begins, role=Role.STRONG), *_limits(host.settings)]
        )
        self._say(styled("Reckoning about when it ends …", Role.QUIET))
        if self.plan.looked is None:
            await self.plan.look(_quietly)
        await self._estimate()

    async def _estimate(self) -> None:
        host, number = self.wizard.host, len(self.plan.recipients)
        end = await self.plan.finish()
        mails = plural(number * len(self.plan.steps), "mail")
        if end is None:
            words = f"At this pace, {mails} take more than five years."
        else:
            said = say_when(end, now=host.now(), zone=host.settings.operator.zone)
            words = f"{mails} to {plural(number, 'lead')}: the last goes about {said}."
        later = " Who answers meanwhile gets no more." if len(self.plan.steps) > 1 else ""
        self._say(styled(words, Role.STRONG) + styled(later, Role.QUIET))

    def _say(self, words: Content) -> None:
        self.query_one("#until", Static).update(words)

    def action_time(self) -> None:
        """Say when the first mails may go."""
        ahead = Ahead.of(self.wizard.host)

        async def save(values: Mapping[str, str]) -> None:
            text = values["time"].strip()
            self.plan.choose(starts_at=ahead.read(text) if text else None)
            await self.wizard.keep_draft()
            self.wizard.work(self.enter(), group="when")

        field = when_field(ahead, name="time", label="Begin", hint="empty: when it is started")
        self.app.push_screen(Form("When the first mails may go", [field], save=save))


def _limits(settings: Settings) -> Iterable[Fact]:
    sending = settings.sending
    pace = [f"{sending.per_hour:,} an hour"] if sending.per_hour else []
    pace += [f"{sending.per_day:,} a day"] if sending.per_day else []
    yield Fact("At most", ", ".join(pace) or "no limit")
    if sending.warm_up and sending.per_day:
        yield Fact("", "10 on the first day, 10 more on each day after")
    quiet = sending.quiet_hours
    yield Fact("Quiet", f"{quiet}, where the recipient is" if quiet else "never")
    yield Fact("Days", "Monday to Friday" if sending.weekdays_only else "every day")


class ReviewPage(PlanPage, inherit_bindings=False):
    """All of it on one page, what must be in order, and the start."""

    AREA = "review"
    TITLE = "Review"
    FOOTER = ("review.start", "review.acknowledge", "review.again")
    DEFAULT_CSS = """
    ReviewPage VerticalScroll { height: 1fr; padding: 0 3; }
    ReviewPage #progress { height: auto; margin-top: 1; }
    ReviewPage #checks { margin-top: 1; }
    """

    def __init__(self, plan: Plan) -> None:
        super().__init__(plan)
        self._checks: list[Check] = []
        self._policy: Any = None
        self._agreed: tuple[int, ...] = ()
        self._text_size = ""

    def compose(self) -> Iterable[Widget]:
        """The counts, and the list of what is checked."""
        with VerticalScroll():
            yield Facts(label_width=17, id="chosen")
            yield Static(id="progress")
            yield Facts(label_width=17, id="checks")

    async def enter(self) -> None:
        """Look at everything once more; a campaign without a name is given one."""
        if not self.plan.draft.name:
            day = self.wizard.host.now().astimezone(self.wizard.host.settings.operator.zone)
            asked = plain_line(self.plan.audience.query or "")[:60] or "Campaign"
            self.plan.choose(name=f"{asked}, {day.day} {day:%b}")
            self.wizard.show_head()
        self._say(styled("Looking at what must be in order …", Role.QUIET))
        self._show_facts()
        self.wizard.work(self._check(), group="review")

    def _show_facts(self) -> None:
        host, draft, looked = self.wizard.host, self.plan.draft, self.plan.looked
        facts = [Fact("Name", draft.name, "N changes it")]
        if looked is not None:
            held = f"{looked.held:,} wait for their site: P in the list publishes it"
            held = held if looked.held else ""
            facts.append(Fact("To", plural(len(looked.recipients), "lead"), held))
            if looked.without_link:
                words = f"{looked.without_link:,} have no payment link: L in the list makes them"
                facts.append(Fact("", words, role=Role.ATTENTION))
            if looked.no_consent:
                words = f"{looked.no_consent:,} of {len(looked.recipients):,} have no consent: held"
                facts.append(Fact("", words, role=Role.ATTENTION))
            out = "; ".join(f"{each.count:,} {each.reason}" for each in looked.excluded[:3])
            facts.append(Fact("Left out", f"{len(looked.left_out):,}", out))
        for number, step in enumerate(draft.steps, start=1):
            label = "Message" if number == 1 else ""
            facts.append(Fact(label, step.title, delay_words(step)))
            if step.variant is not None:
                words = f"instead, to {step.variant.share} of 100"
                facts.append(Fact("", step.texts[SECOND].title, words))
        if self._text_size:
            facts.append(Fact("Text message", self._text_size, "to the first of them"))
        begins = "at once"
        if draft.starts_at is not None:
            zone = host.settings.operator.zone
            begins = say_when(draft.starts_at, now=host.now(), zone=zone)
        facts.append(Fact("Begins", begins))
        self.query_one("#chosen", Facts).set_facts(facts)

    async def _check(self) -> None:
        """Look up what can be, then everybody and the whole list again."""

        def progress(_done: int, total: int) -> None:
            self._say(styled(f"Looking up {plural(total, 'domain')} …", Role.QUIET))

        await self.plan.look(_quietly)
        await self.plan.look_up_domains(progress)
        self._policy = await gate.look_up_policy(self.wizard.host.settings)
        await self._judge()

    async def _judge(self) -> None:
        """Look at everybody and at what must be in order, as it is now."""
        host = self.wizard.host
        db = await host.store()
        looked = await self.plan.look(_quietly)
        async with db.read() as session:
            self._checks = await gate.checks(
                session,
                self.plan.steps,
                recipients=len(looked.recipients),
                settings=host.settings,
                store=db.path,
                policy=self._policy,
                no_consent=looked.no_consent,
            )
            self._text_size = await self._size_of_texts(session)
        self._show_facts()
        self._show_checks()

    async def _size_of_texts(self, session: ReadSession) -> str:
        """What the first text message takes and costs, as the first recipient gets it."""
        texts = (at for at, step in enumerate(self.plan.steps, 1) if step.channel is Channel.SMS)
        position, recipients = next(texts, None), self.plan.recipients
        if position is None or not recipients:
            return ""
        shown = await preview.mail(
            session,
            self.plan.steps,
            position,
            recipients[0],
            settings=self.wizard.host.settings,
        )
        return shown.size

    async def read_again(self) -> None:
        """Judge again, once that was done a first time."""
        if self._checks:
            await self._judge()

    def _show_checks(self) -> None:
        """What blocks the start before what may matter before what is in order."""
        facts = []
        for each in sorted(self._checks, key=lambda check: _ORDER.index(check.verdict)):
            shape, role = _MARKS[each.verdict]
            facts.append(Fact(each.check, f"{shape} {each.why}", role=role))
            if each.fix:
                facts.append(Fact("", _fix(each)))
        self.query_one("#checks", Facts).set_facts(facts)
        if blocking := len(self._blocking):
            words = plural(blocking, "thing is", "things are")
            self._say(styled(f"{words} to be put in order before it can start:", Role.BAD))
        else:
            sends = f"S sends it to {plural(len(self.plan.recipients), 'lead')}."
            self._say(styled("It can start. ", Role.GOOD) + styled(sends, Role.STRONG))

    def _say(self, words: Content) -> None:
        progress = self.query_one("#progress", Static)
        progress.update(words)
        progress.display = bool(words)

    def action_again(self) -> None:
        """Look at everything again, after something was put in order."""
        self.plan.forget_offline()
        self.wizard.work(self.enter(), group="enter")

    def action_acknowledge(self) -> None:
        """Read what the provider allows, and say that one has."""
        texts = any(step.channel is Channel.SMS for step in self.plan.steps)
        mails = not self.plan.steps or any(
            step.channel is Channel.EMAIL for step in self.plan.steps
        )
        missing = unread(self.wizard.host.settings, mails=mails, texts=texts)
        if not missing:
            self.wizard.host.say("There is nothing to acknowledge.")
            return
        provider = missing[0]
        words = policy_of(provider)

        def agree(wanted: bool | None) -> None:  # noqa: FBT001 - Textual's callback
            if wanted:
                self.wizard.in_order(self._acknowledge(provider), group="write")

        dialog = Confirm(words, verb="I have read this, and keep to it", careful=True)
        self.app.push_screen(dialog, agree)

    async def _acknowledge(self, provider: str) -> None:
        host = self.wizard.host
        config = host.config or default_config_path()
        await asyncio.to_thread(acknowledge, config, provider)
        known = host.settings.compliance
        known = replace(known, policies_acknowledged=(*known.policies_acknowledged, provider))
        host.settings = replace(host.settings, compliance=known)
        self.action_again()

    # Starting

    @property
    def _blocking(self) -> list[Check]:
        return [each for each in self._checks if each.verdict is Verdict.BLOCKS]

    def why_not(self, action_id: str) -> str | None:
        """A start needs all in order."""
        if action_id == "review.start":
            return self.why_not_done() or None
        return None

    def why_not_done(self) -> str:
        """What blocks the start."""
        if not self._checks:
            return "It is still being looked at whether all is in order."
        if self._blocking:
            first = self._blocking[0]
            return f"{first.why} {_fix(first)}".strip()
        return ""

    def action_start(self) -> None:
        """Start it."""
        self.wizard.action_next()

    async def finish(self) -> None:
        """See that it is as it is shown; then ask, and start."""
        shown = set(self.plan.recipients)
        self._say(styled("Looking at everybody once more …", Role.QUIET))
        await self._judge()
        self._agreed = tuple(self.plan.recipients)
        if why := self.why_not_done():
            self.wizard.host.say(why)
        elif changed := len(shown ^ set(self._agreed)):
            more = plural(len(self._agreed), "lead")
            differ = plural(changed, "lead joined or left", "leads joined or left")
            self.wizard.host.say(f"Meanwhile {differ}: it goes to {more} now. S starts it.")
        else:
            number = len(self._agreed)
            question = (
                f"Send to {plural(number, 'lead')}? What was sent cannot be undone; S pauses it."
            )
            ask_to_send(self.app, number, question, verb="Send to", then=self._start_it)

    def _start_it(self) -> None:
        # Once the question is gone: the ledger takes the place of what is in front.
        self.call_later(self.wizard.host.start_job, "Starting the campaign", self._start)

    async def _start(self, job: Job) -> None:
        host = self.wizard.host
        assert self.plan.id is not None
        try:
            started = await running.start(
                await host.store(),
                self.plan.id,
                settings=host.settings,
                now=host.now(),
                policy=self._policy,
                agreed=self._agreed,
                progress=job.progress,
            )
        except Blocked as error:
            self._checks = [*error.checks]
            self._show_checks()
            raise
        await self.wizard.started(started.id)
        words = f"It runs: {plural(started.recipients, 'lead')}."
        if fewer := len(self._agreed) - started.recipients:
            words += f" {fewer:,} fewer than you agreed to; o says why."
        host.say(words, Role.GOOD)
