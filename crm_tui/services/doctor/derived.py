"""Whether what follows from other data is what it should be: events, statuses, search, scores."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence

from sqlalchemy import Select, and_, func, or_, select, text, union, update

from crm_tui.db import snapshot
from crm_tui.db.models import Business, ContactPoint, Event, SearchDoc, Site
from crm_tui.errors import StoreError
from crm_tui.services import activity, derived, points, rescoring, search, statuses
from crm_tui.services.doctor.findings import NAMED, Check, Finding, Patient, Severity, named
from crm_tui.text import plural
from crm_tui.vocabulary import ContactKind, ContactStatus, EventKind, WebsiteStatus

CHUNK = 500

_INDEX_CHECK = text("INSERT INTO search_index (search_index, rank) VALUES ('integrity-check', 1)")
_INDEX_REBUILD = text("INSERT INTO search_index (search_index) VALUES ('rebuild')")


async def find_voided(patient: Patient) -> list[Finding]:
    """Compare which events are marked as taken out with what the voided events say."""
    wrong = await _wrongly_voided(patient)
    if not wrong:
        return []
    detail = (
        f"events are on the timeline, or missing there, against what was voided: {_leads(wrong)}"
    )
    return [Finding("voided", Severity.ERROR, len(wrong), detail)]


async def repair_voided(patient: Patient) -> str:
    """Mark the events again, with the last activity and the search index that follow."""
    wrong = await _wrongly_voided(patient)
    for ids in _chunks(wrong):
        async with patient.db.write() as session:
            await activity.mark_voided(session, ids)
            await activity.renew_activity(session, ids)
            await search.index(session, ids)
    return f"events of {plural(len(wrong), 'lead')} marked again" if wrong else ""


async def _wrongly_voided(patient: Patient) -> array[int]:
    wrong = array("q")
    for ids in _chunks(await patient.db.integers(_WITH_VOIDS)):
        async with patient.db.read() as session:
            voids = await session.execute(
                select(Event.business_id, Event.key, Event.data).where(
                    Event.business_id.in_(ids), Event.kind == EventKind.VOIDED
                )
            )
            named: dict[int, dict[str, list[str]]] = {}
            for lead, key, data in voids:
                named.setdefault(lead, {})[key] = data["voids"]
            marked: dict[int, set[str]] = {}
            out = {lead: statuses.taken_out(voided) for lead, voided in named.items()}
            for lead, key, voided in await session.execute(
                select(Event.business_id, Event.key, Event.is_voided).where(
                    Event.business_id.in_(ids)
                )
            ):
                if voided != (key in out.get(lead, ())):
                    marked.setdefault(lead, set()).add(key)
        wrong.extend(sorted(marked))
    return wrong


_WITH_VOIDS = select(
    union(
        select(Event.business_id).where(Event.kind == EventKind.VOIDED),
        select(Event.business_id).where(Event.is_voided.is_(True)),
    ).subquery()
)


async def find_folded(patient: Patient) -> list[Finding]:
    """Compare the folded columns, by which the filter finds text, with what they are made from."""
    wrong = await patient.db.integers(_WRONG_FOLDED)
    if not wrong:
        return []
    detail = f"folded text differs from what it is made from: {_leads(wrong)}"
    return [Finding("folded", Severity.ERROR, len(wrong), detail)]


async def repair_folded(patient: Patient) -> str:
    """Fold the text again."""
    wrong = await patient.db.integers(_WRONG_FOLDED)
    values = {column: func.fold(getattr(Business, name)) for name, column in search.FOLDED.items()}
    for ids in _chunks(wrong):
        async with patient.db.write() as session:
            await session.execute(
                update(Business)
                .where(Business.id.in_(ids))
                .values(values)
                .execution_options(synchronize_session=None)
            )
    return f"text of {plural(len(wrong), 'lead')} folded again" if wrong else ""


_WRONG_FOLDED = select(Business.id).where(
    or_(
        *(
            getattr(Business, column).is_distinct_from(func.fold(getattr(Business, name)))
            for name, column in search.FOLDED.items()
        )
    )
)


async def find_status_drift(patient: Patient) -> list[Finding]:
    """Fold the statuses of every business that has some history, and compare."""
    drifted = await _drifted(patient)
    if not drifted:
        return []
    detail = f"stored statuses differ from what the events add up to: {_leads(drifted)}"
    return [Finding("status_drift", Severity.ERROR, len(drifted), detail)]


async def repair_status_drift(patient: Patient) -> str:
    """Write the folded statuses."""
    changed = 0
    for ids in _chunks(await _drifted(patient)):
        async with patient.db.write() as session:
            changed += await statuses.refold(session, ids)
    return f"statuses of {plural(changed, 'lead')} folded again" if changed else ""


async def _drifted(patient: Patient) -> array[int]:
    drifted = array("q")
    for ids in _chunks(await patient.db.integers(_WITH_HISTORY)):
        async with patient.db.read() as session:
            folded = await statuses.fold(session, ids)
            drifted.extend(await statuses.differing(session, folded))
    return drifted


# Every other business has no event and no site that could give it another status.
_WITH_HISTORY = select(
    union(
        select(Business.id).where(Business.contact_status != ContactStatus.PENDING),
        select(Business.id).where(Business.website_status != WebsiteStatus.NONE),
        select(Event.business_id).where(
            or_(Event.moves_to.is_not(None), Event.kind == EventKind.VOIDED)
        ),
        select(Event.business_id).where(
            Event.kind.in_((EventKind.SITE_BUILDING, EventKind.SITE_FAILED))
        ),
        select(Site.business_id),
    ).subquery()
)


async def find_primaries(patient: Patient) -> list[Finding]:
    """Compare each business's e-mail, phone and website with its primary contact points."""
    wrong = await patient.db.integers(_WRONG_PRIMARIES)
    if not wrong:
        return []
    detail = f"e-mail, phone or website differs from the primary contact point: {_leads(wrong)}"
    return [Finding("primaries", Severity.ERROR, len(wrong), detail)]


async def repair_primaries(patient: Patient) -> str:
    """Write the primary points into the businesses again, with the score that follows."""
    wrong = await patient.db.integers(_WRONG_PRIMARIES)
    for ids in _chunks(wrong):
        async with patient.db.write() as session:
            await derived.renew(session, ids, score=patient.settings.score, now=patient.now)
    return f"primary contacts of {plural(len(wrong), 'lead')} written again" if wrong else ""


def _differing_primary(kind: ContactKind, column: str) -> Select[int]:
    own = getattr(Business, column)
    primary = and_(
        ContactPoint.business_id == Business.id,
        ContactPoint.kind == kind,
        ContactPoint.is_primary.is_(True),
    )
    return (
        select(Business.id)
        .outerjoin(ContactPoint, primary)
        .where(own.is_distinct_from(ContactPoint.value))
    )


_WRONG_PRIMARIES = select(
    union(
        *(_differing_primary(kind, column) for kind, column in points.PRIMARY_COLUMNS.items())
    ).subquery()
)


async def find_search_index(patient: Patient) -> list[Finding]:
    """Compare the search index with the businesses, and have SQLite check it.

    The check needs the write lock; where it cannot be had, that is a warning.
    """
    findings = []
    wrong = await patient.db.integers(_WRONG_DOCUMENTS)
    if wrong:
        detail = f"not in the search index as they are: {_leads(wrong)}"
        findings.append(Finding("search_index", Severity.ERROR, len(wrong), detail))
    try:
        if not await _index_is_whole(patient):
            detail = "the search index differs from what it was made from"
            findings.append(Finding("search_index", Severity.ERROR, 1, detail))
    except StoreError as error:
        findings.append(Finding("search_index", Severity.WARNING, 1, f"not checked: {error}"))
    return findings


async def repair_search_index(patient: Patient) -> str:
    """Index again what is missing or differs; rebuild the index where it is not whole."""
    wrong = await patient.db.integers(_WRONG_DOCUMENTS)
    for ids in _chunks(wrong):
        async with patient.db.write() as session:
            await search.index(session, ids)
    done = [f"{plural(len(wrong), 'lead')} indexed again"] if wrong else []
    if not await _index_is_whole(patient):
        async with patient.db.write() as session:
            await session.execute(_INDEX_REBUILD)
        done.append("the search index built again")
    return ", ".join(done)


async def _index_is_whole(patient: Patient) -> bool:
    try:
        async with patient.db.write() as session:
            await session.execute(_INDEX_CHECK)
    except StoreError as error:
        if snapshot.is_damage(error):
            return False
        raise
    return True


# The notes and phones are left to the index's own check: comparing them would mean making every
# document again.
_WRONG_DOCUMENTS = (
    select(Business.id)
    .outerjoin(SearchDoc, SearchDoc.business_id == Business.id)
    .where(
        or_(
            SearchDoc.business_id.is_(None),
            SearchDoc.city != func.coalesce(Business.city, ""),
            SearchDoc.category != func.coalesce(Business.category, ""),
            func.substr(SearchDoc.name, 1, func.length(Business.name)) != Business.name,
        )
    )
)


async def find_scores(patient: Patient) -> list[Finding]:
    """Count the leads whose score is not what the settings and the day make it."""
    stale = await rescoring.would_change(patient.db, patient.settings.score, now=patient.now)
    if not stale:
        return []
    detail = "scores are not those of today's settings; the app brings them up to date"
    return [Finding("scores", Severity.WARNING, stale, detail)]


async def repair_scores(patient: Patient) -> str:
    """Score again whatever has another score now."""
    changed = 0
    for ids in _chunks(await patient.db.integers(select(Business.id))):
        async with patient.db.write() as session:
            changed += len(
                await derived.rescore(session, ids, score=patient.settings.score, now=patient.now)
            )
    return f"{plural(changed, 'lead')} scored again" if changed else ""


def _leads(ids: Sequence[int]) -> str:
    return f"leads {named([str(lead) for lead in ids[: NAMED + 1]])}"


def _chunks(ids: Sequence[int]) -> Iterator[Sequence[int]]:
    return (ids[start : start + CHUNK] for start in range(0, len(ids), CHUNK))


# What was taken out first: the statuses are folded from the events that stand.
CHECKS = (
    Check("voided", find_voided, repair_voided),
    Check("folded", find_folded, repair_folded),
    Check("status_drift", find_status_drift, repair_status_drift),
    Check("primaries", find_primaries, repair_primaries),
    Check("search_index", find_search_index, repair_search_index),
    Check("scores", find_scores, repair_scores),
)
