"""The one registry of actions: what can be done where, and with which keys.

Footer, help, palette, keymap and docs/keys.md are all read from here. An action's id is
"<area>.<name>"; the widget, screen or app that owns the area implements `action_<name>`. Keys are
written as a person would say them: "j", "G", "ctrl+d", "enter", "?", "g g" for two in a row, and
"v letter" for one that is followed by any letter or digit, which the method is given. No key needs
more than a plain terminal sends. A screen that is not built has no line here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache


@dataclass(frozen=True, slots=True)
class Action:
    """One thing the operator can do.

    Attributes:
        id: "<area>.<name>".
        keys: The keys that do it, the one to show first.
        title: What it does, as help and palette say it; the footer, up to the first comma.
        instead_of: The id of the action further out whose key it takes over where it is at hand.
    """

    id: str
    keys: tuple[str, ...]
    title: str
    instead_of: str = ""

    @property
    def area(self) -> str:
        """Where the action is at hand."""
        return self.id.partition(".")[0]

    @property
    def name(self) -> str:
        """What its method is called, after `action_`."""
        return self.id.partition(".")[2]


ANY_LETTER = "letter"
"""The second of two keys in a row, where it may be any letter or digit."""

AREA_TITLES = {
    "everywhere": "Everywhere",
    "list": "Lists",
    "business": "A business",
    "leads": "Leads",
    "lead": "Lead",
    "today": "Today",
    "answer": "An answer",
    "calls": "Calling through a list",
    "campaigns": "Campaigns",
    "campaign": "A campaign",
    "ledger": "A campaign's ledger",
    "adding": "Adding leads to a campaign",
    "left_out": "Who is left out of a campaign",
    "wizard": "Making a campaign",
    "audience": "Making a campaign: audience",
    "message": "Making a campaign: message",
    "preview": "Making a campaign: preview",
    "when": "Making a campaign: when",
    "review": "Making a campaign: review",
    "funnel": "Funnel",
    "figure": "What is behind a figure",
    "sites": "Sites",
    "duplicates": "Leads that may be the same",
    "merge": "Two leads side by side",
    "import": "Importing a list",
    "columns": "Columns of a list",
    "report": "Report of an import",
    "worker": "Worker log",
    "suppression": "Suppression list",
    "plans": "Plans and prices",
    "settings": "Settings",
}
"""What the areas are called."""

SCREENS: dict[str, tuple[str, ...]] = {
    "leads": ("leads", "business", "list"),
    "lead": ("lead", "answer", "business", "list"),
    "today": ("today", "answer", "business", "list"),
    "calls": ("calls", "business"),
    "campaigns": ("campaigns", "campaign", "list"),
    "ledger": ("ledger", "campaign", "list"),
    "adding": ("adding", "audience", "list"),
    "left_out": ("left_out", "list"),
    "wizard": ("wizard", "audience", "message", "preview", "when", "review", "list"),
    "funnel": ("funnel", "list"),
    "figure": ("figure", "list"),
    "sites": ("sites", "list"),
    "duplicates": ("duplicates", "list"),
    "merge": ("merge", "list"),
    "import": ("import", "list"),
    "columns": ("columns", "list"),
    "report": ("report", "list"),
    "worker": ("worker", "list"),
    "suppression": ("suppression", "list"),
    "plans": ("plans", "list"),
    "settings": ("settings", "list"),
}
"""The areas at hand on each screen, beside "everywhere": no key may mean two things among them."""

ACTIONS: tuple[Action, ...] = (
    Action("everywhere.leads", ("1",), "Leads"),
    Action("everywhere.today", ("2",), "Today"),
    Action("everywhere.campaigns", ("3",), "Campaigns"),
    Action("everywhere.funnel", ("4",), "Funnel"),
    Action("everywhere.sites", ("5",), "Sites"),
    Action("everywhere.settings", ("6",), "Settings"),
    Action("everywhere.palette", (":", "ctrl+p"), "Do something by name"),
    Action("everywhere.help", ("?",), "Keys"),
    Action("everywhere.back", ("escape",), "One step back or clear"),
    Action("everywhere.close", ("q",), "Close, or quit"),
    Action("everywhere.stop", ("ctrl+c",), "Cancel what is running"),
    Action("everywhere.undo", ("u",), "Undo"),
    Action("everywhere.redo", ("ctrl+r",), "Redo"),
    Action("everywhere.duplicates", (), "Leads that may be the same"),
    Action("everywhere.worker_log", (), "Worker log"),
    Action("everywhere.suppression", (), "Suppression list: who is not to be contacted"),
    Action("everywhere.plans", (), "Plans and prices"),
    Action("everywhere.theme", (), "Choose a theme"),
    Action("list.down", ("j", "down"), "Down"),
    Action("list.up", ("k", "up"), "Up"),
    Action("list.half_down", ("ctrl+d",), "Half a page down"),
    Action("list.half_up", ("ctrl+u",), "Half a page up"),
    Action("list.page_down", ("pagedown",), "Page down"),
    Action("list.page_up", ("pageup",), "Page up"),
    Action("list.first", ("g g", "home"), "To the top"),
    Action("list.last", ("G", "end"), "To the end"),
    Action("list.open", ("enter", "l"), "Open"),
    Action("list.select", ("space",), "Select"),
    Action("list.range", ("V",), "Select a range"),
    Action("list.all", ("*",), "Select all that match"),
    Action("list.invert", ("~",), "Invert the selection"),
    Action("business.call", ("a",), "Call"),
    Action("business.note", ("n",), "Note"),
    Action("business.mail", ("m",), "Mail"),
    Action("business.follow_up", ("f",), "Follow up"),
    Action("business.edit", ("e",), "Edit"),
    Action("business.status", ("s",), "Set status"),
    Action("business.outcome", ("O",), "Outcome"),
    Action("business.pay", ("$",), "Payment, made by hand"),
    Action("business.pay_link", ("L",), "Payment link, or a payment request"),
    Action("business.tag", ("t",), "Tag"),
    Action("business.untag", ("T",), "Take a tag off"),
    Action("business.campaign", ("c",), "Campaign"),
    Action("business.join", ("J",), "Add to a campaign, one that was started"),
    Action("business.build", ("b",), "Build site"),
    Action("business.preview", ("o",), "Open preview"),
    Action("business.publish", ("P",), "Publish site, which undo cannot take back"),
    Action("business.unpublish", (), "Take the published site down"),
    Action("business.consent", ("K",), "Consent to text messages"),
    Action("business.never", ("D",), "Never contact again"),
    Action("business.allow", (), "Allow contact again"),
    Action("business.archive", ("A",), "Archive, or bring back"),
    Action("business.merge", ("M",), "Merge"),
    Action("business.rescore", (), "Score again"),
    Action("business.export", ("E",), "Export"),
    Action("business.copy_phone", ("y p",), "Copy phone"),
    Action("business.copy_email", ("y e",), "Copy e-mail address"),
    Action("business.copy_site", ("y u",), "Copy address of the site"),
    Action("business.copy_address", ("y a",), "Copy postal address"),
    Action("business.erase", (), "Erase for good"),
    Action("leads.filter", ("/",), "Filter"),
    Action("leads.view", ("v letter",), "Saved view"),
    Action("leads.sort", (",",), "Sort"),
    Action("leads.columns", ("|",), "Columns"),
    Action("leads.pane", ("p",), "The lead beside the list"),
    Action("leads.facets", ("F",), "Count by a field"),
    Action("leads.calls", ("C",), "Call through this list"),
    Action("leads.import", ("I",), "Import a list"),
    Action("leads.demo", (), "Look around in a demo"),
    Action("lead.done", ("x",), "Follow-up done"),
    Action("lead.snooze", ("z",), "Put off follow-up"),
    Action("lead.previous", ("[",), "Previous lead"),
    Action("lead.next", ("]",), "Next lead"),
    Action("lead.reply", ("r",), "Reply, to their newest mail"),
    Action("lead.human", ("H",), "By a person, not by a machine"),
    Action("lead.kinds", ("/",), "Filter the timeline"),
    Action("lead.facts", ("p",), "Facts"),
    Action("lead.leave", ("h",), "Back to the list"),
    Action("today.done", ("x",), "Done with it"),
    Action("today.snooze", ("z",), "Put off"),
    Action("today.repair", ("r",), "Sort out"),
    Action("today.pane", ("p",), "The lead beside the list"),
    Action("answer.interested", ("+",), "Interested"),
    Action("answer.later", ("=",), "Later"),
    Action("answer.no", ("-",), "No"),
    Action("answer.wrong", ("w",), "Wrong person"),
    Action("calls.save", ("enter",), "Save and go on"),
    Action("calls.skip", ("]",), "Skip"),
    Action("calls.previous", ("[",), "Back"),
    Action("calls.leave", ("h",), "End"),
    Action("campaigns.new", ("c",), "New campaign"),
    Action("campaign.state", ("S",), "Pause, or resume"),
    Action("campaign.add", ("a",), "Add leads, also while it runs"),
    Action("campaign.cancel", ("X",), "Cancel, or delete a draft"),
    Action("campaign.retry", ("R",), "Retry, of failed and held mails"),
    Action("campaign.export", ("E",), "Export the ledger"),
    Action("ledger.filter", ("/",), "Filter"),
    Action("ledger.edit", ("e",), "Edit a step"),
    Action("ledger.left_out", ("o",), "Left out, and why"),
    Action("ledger.skip", ("x",), "Take out, the leads of these mails"),
    Action("ledger.leave", ("h",), "Back to the list"),
    Action("adding.add", ("enter",), "Add them", instead_of="list.open"),
    Action("adding.leave", ("h",), "Back to the campaign"),
    Action("left_out.leave", ("h",), "Back to the campaign"),
    Action("wizard.next", ("enter", "]"), "Next", instead_of="list.open"),
    Action("wizard.previous", ("[",), "Back"),
    Action("wizard.name", ("N",), "Name it"),
    Action("audience.filter", ("/",), "Filter"),
    Action("audience.left_out", ("o",), "Left out, and why"),
    Action("audience.channel", ("c",), "Channel of the first message, mail or text"),
    Action("audience.recent", ("f",), "Leave out recent, those who got mail lately"),
    Action("message.template", ("t",), "Template"),
    Action("message.edit", ("e",), "Edit text"),
    Action("message.add", ("a",), "Add a message"),
    Action("message.delay", ("d",), "Delay"),
    Action("message.variant", ("b",), "Second text, to see which does better"),
    Action("message.remove", ("x",), "Take the message out"),
    Action("preview.person", ("n",), "Next recipient"),
    Action("preview.person_before", ("p",), "Before"),
    Action("preview.other", ("s",), "Other message"),
    Action("preview.try", ("m",), "Mail to yourself"),
    Action("when.time", ("w",), "Begin at a time"),
    Action("review.start", ("S",), "Start"),
    Action("review.acknowledge", ("A",), "Read the provider's policy"),
    Action("review.again", ("r",), "Look again"),
    Action("funnel.period", ("p",), "Period"),
    Action("funnel.filter", ("/",), "Filter"),
    Action("funnel.next", ("]",), "Next view"),
    Action("funnel.previous", ("[",), "View before"),
    Action("funnel.stages", ("f",), "Funnel and figures"),
    Action("funnel.campaigns", ("c",), "Campaigns and sources"),
    Action("funnel.revenue", ("r",), "Revenue, by first and last touch"),
    Action("funnel.cohorts", ("w",), "Cohorts, by the week leads were found"),
    Action("funnel.charts", ("t",), "Charts over time"),
    Action("funnel.spend", ("s",), "Spend"),
    Action("funnel.add", ("a",), "Add spend"),
    Action("funnel.remove", ("x",), "Remove spend"),
    Action("funnel.export", ("E",), "Export, as CSV, JSON or a report"),
    Action("figure.export", ("E",), "Export these records"),
    Action("figure.leave", ("h",), "Back to the funnel"),
    Action("sites.preview", ("o",), "Open preview"),
    Action("sites.build", ("b",), "Build again"),
    Action("sites.publish", ("P",), "Publish, which undo cannot take back"),
    Action("sites.unpublish", (), "Take the published site down"),
    Action("sites.texts", ("e",), "Edit texts"),
    Action("sites.repair", ("r",), "Repair"),
    Action("sites.repair_all", ("R",), "Repair all"),
    Action("duplicates.merge", ("M",), "Merge"),
    Action("duplicates.distinct", ("x", "-"), "Not the same"),
    Action("duplicates.again", ("r",), "Look again"),
    Action("merge.choose", ("space",), "Take the other's", instead_of="list.select"),
    Action("merge.swap", ("s",), "Keep the other"),
    Action("merge.merge", ("M",), "Merge"),
    Action("merge.distinct", ("x", "-"), "Not the same"),
    Action("merge.next", ("]",), "Next pair"),
    Action("merge.previous", ("[",), "Pair before"),
    Action("import.start", ("i",), "Import"),
    Action("import.rehearse", ("d",), "Try it"),
    Action("import.columns", ("m",), "Columns"),
    Action("import.tag", ("t",), "Tag"),
    Action("import.format", ("f",), "Format"),
    Action("columns.change", ("enter",), "Change what it means", instead_of="list.open"),
    Action("columns.leave", ("h",), "Back to the list"),
    Action("report.kinds", ("/",), "Show other rows"),
    Action("report.undo", ("u",), "Take the import back", instead_of="everywhere.undo"),
    Action("suppression.add", ("a",), "Add, somebody not to be contacted"),
    Action("suppression.remove", ("x", "-"), "Take off the list"),
    Action("suppression.filter", ("/",), "Filter"),
    Action("worker.sending", ("S",), "Stop sending, or let it go"),
    Action("plans.add", ("a",), "Add a plan"),
    Action("plans.edit", ("e",), "Edit"),
    Action("plans.archive", ("x",), "Archive, or offer again"),
    Action("settings.edit", ("e",), "Edit, or add the account"),
    Action("settings.test", ("t",), "Try it, with calls that harm nobody"),
    Action("settings.use", ("u",), "Send through it", instead_of="everywhere.undo"),
    Action("settings.forget", ("x",), "Forget its key"),
    Action("settings.sections", ("h",), "Sections"),
)


@cache
def actions_in(*areas: str) -> Sequence[Action]:
    """The actions of these areas, area by area, in the order of the registry."""
    return tuple(action for area in areas for action in ACTIONS if action.area == area)


@cache
def action(action_id: str) -> Action:
    """The action of this id; asking for one that is not in the registry is a defect."""
    return next(action for action in ACTIONS if action.id == action_id)


_KEY_WORDS = {"escape": "esc", "pagedown": "pgdn", "pageup": "pgup", ANY_LETTER: "a–z"}


def key_words(keys: str) -> str:
    """A key as it is shown: "esc", "pgdn", "g g", "v a–z"."""
    return " ".join(_KEY_WORDS.get(key, key) for key in keys.split(" "))
