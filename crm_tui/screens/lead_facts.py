"""What the lead screen says about a lead beside its timeline: a page turned into words.

Everything here is pure: a `LeadPage` and the time in, content and facts out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, tzinfo
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from textual.content import Content

from crm_tui import clock
from crm_tui.screens import lead_money
from crm_tui.services import contacts, hours
from crm_tui.services.leads import LeadPage, PointRow, SiteRow, TaskRow
from crm_tui.services.sites.public import PublicState
from crm_tui.text import plural
from crm_tui.vocabulary import ContactKind, ContactState, Outcome, TaskState, WebsiteStatus
from crm_tui.widgets.facts import Fact, styled
from crm_tui.widgets.look import TROUBLE, Role, status_mark

NO_WEBSITE = "no website of its own"
_CUSTOM_SHOWN = 40
_POINT_LABELS = {
    ContactKind.PHONE: "Phone",
    ContactKind.EMAIL: "E-mail",
    ContactKind.WEBSITE: "Website",
    ContactKind.SOCIAL: "Social",
}


def statuses(page: LeadPage, *, threshold: int) -> Content:
    """How far contact, website and outcome have come, the score and the tags, in one line."""
    parts = _statuses(page, threshold)
    if page.tags:
        parts.append(styled("tags ", Role.QUIET) + styled(", ".join(page.tags)))
    return _row(parts)


def statuses_within(page: LeadPage, width: int, *, threshold: int) -> Content:
    """The statuses and the score beside the groups of facts: lines that break between them."""
    lines: list[list[Content]] = [[]]
    for part in _statuses(page, threshold):
        if lines[-1] and _row([*lines[-1], part]).cell_length > width:
            lines.append([])
        lines[-1].append(part)
    return Content("\n").join(map(_row, lines))


def _statuses(page: LeadPage, threshold: int) -> list[Content]:
    business = page.business
    contact = status_mark(business["contact_status"])
    site = status_mark(business["website_status"])
    outcome = status_mark(business["outcome"])
    score = page.score.total
    qualified = "qualified" if score >= threshold else "not qualified"
    built = "no site" if site.word == WebsiteStatus.NONE else f"site {site.word}"
    parts = [
        styled(contact.label, contact.role),
        styled(f"{site.shape} {built}", site.role),
    ]
    if any(site.out_of_date for site in page.sites):
        parts.append(styled("out of date", Role.ATTENTION))
    if business["outcome"] != Outcome.OPEN:
        parts.append(styled(outcome.label, outcome.role))
    parts.append(styled("score ", Role.QUIET) + styled(f"{score} {qualified}"))
    if business["archived_at"] is not None:
        parts.append(styled("archived", Role.QUIET))
    return parts


def warning(page: LeadPage) -> Content | None:
    """What must be known before anything is done with this lead."""
    if not page.business["do_not_contact"]:
        return None
    reason = page.business["do_not_contact_reason"]
    return styled(f"{TROUBLE} never contact: {reason}", Role.BAD)


def reach(page: LeadPage) -> Content:
    """The primary phone and e-mail and the website, in one line."""
    parts = []
    for kind in (ContactKind.PHONE, ContactKind.EMAIL):
        point = primary(page, kind)
        if point is None:
            missing = "no phone" if kind is ContactKind.PHONE else "no e-mail"
            parts.append(styled(missing, Role.QUIET))
            continue
        part = styled(_value(point), link=_link(point))
        if point.state not in {ContactState.UNKNOWN, ContactState.OK}:
            mark = status_mark(point.state)
            part += " " + styled(mark.label, mark.role)
        if point.agreed:
            part += " " + styled("texts ok", Role.QUIET)
        parts.append(part)
    website = page.business["website"]
    parts.append(styled(website, link=website) if website else styled(NO_WEBSITE))
    return _row(parts)


def place(page: LeadPage, *, now: datetime) -> Content:
    """The address in one line, with the time it is there."""
    parts = [styled(", ".join(address(page.business)), Role.QUIET)]
    if there := local_time(page.business, now):
        parts.append(styled(f"{there} there"))
    return _row(parts)


def about_business(page: LeadPage) -> Content:
    """What it is and where, in one line."""
    parts = [styled(page.business["category"] or "")]
    return _row([*parts, styled(", ".join(address(page.business)), Role.QUIET)])


def presence(page: LeadPage) -> Content:
    """What can be found of it on the web, in one line."""
    business = page.business
    website = business["website"]
    parts = [styled(website, link=website) if website else styled(NO_WEBSITE)]
    if business["rating"] is not None:
        reviews = plural(business["review_count"] or 0, "review")
        parts.append(styled(f"{business['rating']:.1f} of 5, {reviews}"))
    return _row(parts)


def next_step(page: LeadPage, *, now: datetime, zone: tzinfo | None) -> Content | None:
    """The follow-up that is due first, if there is one."""
    tasks = open_tasks(page)
    if not tasks:
        return None
    task = tasks[0]
    late = task.due_at <= now
    due = _due(task.due_at, now, zone)
    words = styled(due + ("  overdue" if late else ""), Role.ATTENTION if late else Role.TEXT)
    return styled("follow-up ", Role.QUIET) + words + "  " + styled(task.what)


def groups(
    page: LeadPage, *, now: datetime, zone: tzinfo | None, threshold: int
) -> list[list[Fact]]:
    """All facts, in groups that belong together, the ones for the next step first."""
    return [
        _headed("Follow-up", (_task_fact(task, now, zone) for task in open_tasks(page))),
        _contact_facts(page, now),
        [
            *lead_money.facts(page.money, now=now, zone=zone),
            *_headed("Site", _site_facts(page.sites, now, zone)),
            Fact("Tags", ", ".join(page.tags)),
        ],
        _score_facts(page, threshold),
        _origin_facts(page, zone),
    ]


def primary(page: LeadPage, kind: ContactKind) -> PointRow | None:
    """The primary contact point of a kind."""
    return next((p for p in page.points if p.kind is kind and p.is_primary), None)


def open_tasks(page: LeadPage) -> list[TaskRow]:
    """The follow-ups that wait, the first due first."""
    return [task for task in page.tasks if task.state is TaskState.OPEN]


def address(business: Mapping[str, Any]) -> list[str]:
    """The lines of the postal address: the street, and where that is."""
    region = " ".join(part for part in (business["region"], business["postal_code"]) if part)
    town = ", ".join(part for part in (business["city"], region, business["country"]) if part)
    return [line for line in (business["street"], town) if line]


def local_time(business: Mapping[str, Any], now: datetime) -> str:
    """The day and time of day where the lead is; "" if unknown."""
    zone = _zone_of(business)
    return f"{now.astimezone(zone):%a %H:%M}" if zone else ""


def open_now(business: Mapping[str, Any], now: datetime) -> hours.Opening | None:
    """Whether the lead is open now by its hours; None where that is not known."""
    zone = _zone_of(business)
    return hours.opening(business["hours"], now.astimezone(zone)) if zone else None


def _zone_of(business: Mapping[str, Any]) -> ZoneInfo | None:
    try:
        return ZoneInfo(business["timezone"] or "")
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None


def phone_to_call(page: LeadPage) -> PointRow | None:
    """The number to call: the primary one, unless it is known to be wrong and there is another."""
    phones = [point for point in page.points if point.kind is ContactKind.PHONE]
    return next((each for each in phones if each.state is not ContactState.INVALID), None)


def can_be_called(page: LeadPage) -> bool:
    """Whether there is a number to call, and it may be called."""
    barred = page.business["do_not_contact"] or page.business["erased_at"] is not None
    return not barred and phone_to_call(page) is not None


def phone_line(page: LeadPage, *, now: datetime, region: str = "") -> Content:
    """The number to call, as a link a terminal can dial, the time there, and whether it is open.

    Args:
        page: The lead.
        now: The current time.
        region: Where numbers are shown without the code of the country (ISO 3166).
    """
    point = phone_to_call(page)
    if point is None:
        return styled("No phone to call is known. Add one with e.", Role.ATTENTION)
    number = styled(contacts.phone_words(point.value, region), Role.ACCENT, link=_link(point))
    parts = [number.stylize("bold")]
    if point.person:
        parts.append(styled(point.person))
    if point.state not in {ContactState.UNKNOWN, ContactState.OK}:
        mark = status_mark(point.state)
        parts.append(styled(mark.label, mark.role))
    if there := local_time(page.business, now):
        parts.append(styled(f"{there} there", Role.QUIET))
    if (opening := open_now(page.business, now)) is not None:
        parts.append(styled(opening.words, Role.GOOD if opening.open else Role.ATTENTION))
    return _row(parts)


def _row(parts: Sequence[Content]) -> Content:
    return Content("   ").join(part for part in parts if part.plain)


def _headed(label: str, facts: Iterator[Fact]) -> list[Fact]:
    """The label before the first fact only."""
    return [fact._replace(label="" if number else label) for number, fact in enumerate(facts)]


def _task_fact(task: TaskRow, now: datetime, zone: tzinfo | None) -> Fact:
    late = task.due_at <= now
    note = _due(task.due_at, now, zone) + (", overdue" if late else "")
    return Fact("", task.what, note, note_role=Role.ATTENTION if late else Role.QUIET)


def _site_facts(sites: Sequence[SiteRow], now: datetime, zone: tzinfo | None) -> Iterator[Fact]:
    for site in sites:
        yield _site_fact(site, now, zone)
        if site.public.url:
            older = site.public.state is PublicState.OLDER
            note = "older than the preview" if older else ""
            role = Role.ATTENTION if older else Role.QUIET
            yield Fact("", site.public.url, note, note_role=role, link=site.public.url)
        if site.public.problem:
            left = site.public.state is PublicState.LEFT
            what = (PublicState.LEFT if left else PublicState.FAILED).words
            yield Fact("", f"{what}: {site.public.problem}", role=Role.BAD)


def _site_fact(site: SiteRow, now: datetime, zone: tzinfo | None) -> Fact:
    mark = status_mark(site.status)
    built = f"{mark.label}, built {clock.ago(site.built_at, now, zone=zone)}"
    if site.out_of_date:
        return Fact("", site.slug, f"{built}, out of date", note_role=Role.ATTENTION)
    return Fact("", site.slug, built, note_role=mark.role)


def _contact_facts(page: LeadPage, now: datetime) -> list[Fact]:
    business = page.business
    facts = [Fact("Address", "\n".join(address(business)))]
    if there := local_time(business, now):
        facts.append(Fact("Time there", there, business["timezone"]))
    for kind, label in _POINT_LABELS.items():
        of_kind = [point for point in page.points if point.kind is kind]
        several = len(of_kind) > 1
        never = bool(business["do_not_contact"])  # said above of all of it
        facts += _headed(
            label, (_point_fact(point, several=several, never=never) for point in of_kind)
        )
        if kind is ContactKind.WEBSITE and not business["website"]:
            facts.append(Fact("" if of_kind else label, NO_WEBSITE))
    opening = hours.lines(business["hours"])
    return facts + _headed("Hours", (Fact("", line) for line in opening))


def _point_fact(point: PointRow, *, several: bool, never: bool) -> Fact:
    notes = [point.person, point.label, "primary" if several and point.is_primary else ""]
    mark = status_mark(point.state)
    if point.state is not ContactState.UNKNOWN:
        notes.append(mark.label + (f": {point.state_reason}" if point.state_reason else ""))
    if point.agreed:
        notes.append(f"agreed to text messages: {point.agreed}")
    barred = bool(point.barred) and not never
    if barred:
        notes.append(f"not to be used: {point.barred}")
    note = ", ".join(note for note in notes if note)
    role = Role.BAD if barred else mark.role
    return Fact("", _value(point), note, note_role=role, link=_link(point))


def _value(point: PointRow) -> str:
    return contacts.phone_words(point.value) if point.kind is ContactKind.PHONE else point.value


def _link(point: PointRow) -> str:
    schemes = {ContactKind.PHONE: "tel:", ContactKind.EMAIL: "mailto:"}
    return schemes.get(point.kind, "") + point.value


def _score_facts(page: LeadPage, threshold: int) -> list[Fact]:
    total = page.score.total
    qualified = "qualified" if total >= threshold else f"below {threshold}, not qualified"
    facts = [Fact("Score", str(total), qualified, role=Role.STRONG)]
    for factor in sorted(page.score.factors, key=lambda factor: -factor.points):
        role = Role.TEXT if factor.points else Role.QUIET
        why = f"category: {factor.why}" if factor.why == page.business["category"] else factor.why
        facts.append(Fact("", f"{factor.points:>4.1f}  {why}", role=role))
    return facts


def _origin_facts(page: LeadPage, zone: tzinfo | None) -> list[Fact]:
    business = page.business
    reviews = plural(business["review_count"], "review") if business["review_count"] else ""
    rating = "" if business["rating"] is None else f"{business['rating']:.1f} of 5"
    captured = clock.local_stamp(business["captured_at"], zone=zone)
    facts = [
        Fact("Category", business["category"] or ""),
        Fact("Rating", rating, reviews),
        Fact("Outcome", business["outcome_reason"] or ""),
        Fact("Source", business["source"], f"captured {captured[:10]}"),
    ]
    custom = list(business["custom"].items())
    facts += [Fact(name, _plain(value)) for name, value in custom[:_CUSTOM_SHOWN]]
    if len(custom) > _CUSTOM_SHOWN:
        facts.append(Fact("", f"and {plural(len(custom) - _CUSTOM_SHOWN, 'more field')}"))
    return facts


def _plain(value: Any) -> str:
    return "" if value is None else str(value)


def _due(at: datetime, now: datetime, zone: tzinfo | None) -> str:
    """When a follow-up is due: "today 14:00", "Fri 27 Nov 09:00", "2027-01-04 09:00"."""
    due = at.astimezone(zone)
    today = now.astimezone(zone).date()
    near = {-1: "yesterday", 0: "today", 1: "tomorrow"}.get((due.date() - today).days)
    far = f"{due:%a} {due.day} {due:%b}" if due.year == today.year else f"{due:%Y-%m-%d}"
    return f"{near or far} {due:%H:%M}"
