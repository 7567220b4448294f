"""What can be done to many leads at once."""

from __future__ import annotations

from collections.abc import Callable, Collection, Coroutine, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from functools import partial
from typing import Any, Protocol

from sqlalchemy import select

from crm_tui.config import ScoreSettings, Settings
from crm_tui.db.engine import ReadSession, WriteSession
from crm_tui.db.models import Business
from crm_tui.errors import BadInput
from crm_tui.services import (
    consent,
    derived,
    fields,
    never,
    outcomes,
    shelving,
    tags,
    tasks,
    timeline,
)
from crm_tui.services.fields import FieldChange
from crm_tui.services.when import say_date
from crm_tui.text import visible
from crm_tui.vocabulary import ContactStatus, Outcome

Words = Callable[[str], str]
"""Words about leads, given who they are: "148 leads", or the name of the only one."""

_LONGEST_VALUE = 40


class Pending(Protocol):
    """Tells where a change makes a difference."""

    def __call__(
        self, session: ReadSession, ids: Sequence[int], /, *, now: datetime
    ) -> Coroutine[Any, Any, Collection[int]]:
        """Those of at most 500 leads to which it does."""
        ...


class Apply(Protocol):
    """Makes a change."""

    def __call__(
        self, session: WriteSession, ids: Sequence[int], /, *, now: datetime
    ) -> Coroutine[Any, Any, Collection[int]]:
        """Make it to those of at most 500 leads to which it makes a difference; returns them."""
        ...


def _any_number(_matched: int) -> None:
    """Admit any number of leads."""


@dataclass(frozen=True, slots=True)
class Change:
    """Something that can be done to leads.

    Attributes:
        done: what was done, as undo says it: "tagged 148 leads vip".
        asks: what is to be done, as a question begins: "tag 148 leads vip".
        pending: tells to which of at most 500 leads it makes a difference.
        apply: makes it to those.
        admit: raises BadInput where it cannot be done to so many leads.
        undoable: whether undo remembers it; what is computed is computed again instead.
    """

    done: Words
    asks: Words
    pending: Pending
    apply: Apply
    admit: Callable[[int], None] = _any_number
    undoable: bool = True


def add_tag(name: str) -> Change:
    """Tag leads.

    Raises:
        BadInput: that is no tag.
    """
    tag = tags.spelled(name)
    return Change(
        done=lambda whom: f"tagged {whom} {tag}",
        asks=lambda whom: f"tag {whom} {tag}",
        pending=_timeless(partial(tags.without, name=tag)),
        apply=partial(tags.add, name=tag),
    )


def remove_tag(name: str) -> Change:
    """Take a tag off leads.

    Raises:
        BadInput: that is no tag.
    """
    tag = tags.spelled(name)
    return Change(
        done=lambda whom: f"took the tag {tag} off {whom}",
        asks=lambda whom: f"take the tag {tag} off {whom}",
        pending=_timeless(partial(tags.carrying, name=tag)),
        apply=partial(tags.remove, name=tag),
    )


def set_status(status: ContactStatus) -> Change:
    """Set the contact status by hand."""
    return Change(
        done=lambda whom: f"set the status of {whom} to {status}",
        asks=lambda whom: f"set the status of {whom} to {status}",
        pending=_timeless(partial(timeline.other_than, status=status)),
        apply=partial(timeline.set_status_of, status=status),
    )


def set_outcome(outcome: Outcome, reason: str = "") -> Change:
    """Say what came of leads, and why."""
    words, why = outcome.replace("_", " "), " ".join(reason.split()) or None
    return Change(
        done=lambda whom: f"set the outcome of {whom} to {words}",
        asks=lambda whom: f"set the outcome of {whom} to {words}",
        pending=_timeless(partial(outcomes.other_than, outcome=outcome, reason=why)),
        apply=partial(outcomes.set_outcome, outcome=outcome, reason=why),
    )


def never_contact(reason: str) -> Change:
    """Never contact leads again.

    Raises:
        BadInput: that is no reason.
    """
    why = never.reason_words(reason)
    return Change(
        done=lambda whom: f"never contact {whom} again: {why}",
        asks=lambda whom: f"never contact {whom} again",
        pending=_timeless(never.contacted),
        apply=partial(never.never, reason=why),
    )


def allow_contact() -> Change:
    """Allow contact with leads again; not with those who said themselves that they want none."""

    async def allow(
        session: WriteSession, ids: Sequence[int], /, *, now: datetime
    ) -> Collection[int]:
        allowed = await never.allow(session, ids, now=now)
        if len(ids) == 1 and allowed.kept:
            raise BadInput(str(allowed.kept[0]))
        return allowed.changed

    return Change(
        done=lambda whom: f"allowed contact with {whom} again",
        asks=lambda whom: f"allow contact with {whom} again",
        pending=_timeless(never.allowable),
        apply=allow,
    )


def give_consent(how: str) -> Change:
    """Record that leads agreed to text messages, at their main numbers.

    Raises:
        BadInput: it is not said how.
    """
    said = consent.how_words(how)

    async def give(
        session: WriteSession, ids: Sequence[int], /, *, now: datetime
    ) -> Collection[int]:
        return (await consent.give(session, ids, said, now=now)).changed

    return Change(
        done=lambda whom: f"recorded that {whom} agreed to text messages: {said}",
        asks=lambda whom: f"record that {whom} agreed to text messages",
        pending=_timeless(consent.may_agree),
        apply=give,
    )


def archive() -> Change:
    """Put leads away."""
    return Change(
        done=lambda whom: f"archived {whom}",
        asks=lambda whom: f"archive {whom}",
        pending=_timeless(partial(shelving.standing, archived=False)),
        apply=shelving.archive,
    )


def unarchive() -> Change:
    """Bring leads back from the archive."""
    return Change(
        done=lambda whom: f"brought {whom} back from the archive",
        asks=lambda whom: f"bring {whom} back from the archive",
        pending=_timeless(partial(shelving.standing, archived=True)),
        apply=shelving.unarchive,
    )


def set_field(name: str, text: str, settings: Settings) -> Change:
    """Set a field of leads to what was typed; empty text clears it.

    Raises:
        BadInput: there is no such field, or it cannot hold that.
    """
    change = FieldChange.read(name, text, settings)
    field, value = name.replace("_", " "), visible(change.text, _LONGEST_VALUE)
    return Change(
        done=lambda whom: (
            f"set the {field} of {whom} to {value}" if value else f"cleared the {field} of {whom}"
        ),
        asks=lambda whom: (
            f"set the {field} of {whom} to {value}" if value else f"clear the {field} of {whom}"
        ),
        pending=_timeless(partial(fields.differing, change=change)),
        apply=partial(fields.set_field, change=change, settings=settings),
        admit=change.admit,
    )


def add_follow_up(what: str, due_at: datetime, *, zone: tzinfo | None, now: datetime) -> Change:
    """Note what is to be done about leads, and when (aware UTC).

    Args:
        what: what is to be done, in a line.
        due_at: when, aware UTC.
        zone: the operator's, for the words; the machine's own when None.
        now: the current time, for the words.

    Raises:
        BadInput: it does not say what is to be done, or says too much.
    """
    said, when = tasks.line(what), say_date(due_at, now=now, zone=zone)

    async def add(
        session: WriteSession, ids: Sequence[int], /, *, now: datetime
    ) -> Collection[int]:
        there = await _there(session, ids)
        await tasks.add_many(session, there, said, due_at, now=now, zone=zone)
        return there

    return Change(
        done=lambda whom: f"set a follow-up with {whom} for {when}",
        asks=lambda whom: f"set a follow-up with {whom} for {when}",
        pending=_timeless(_there),
        apply=add,
    )


def rescore(score: ScoreSettings) -> Change:
    """Score leads again; there is nothing to undo, a score always follows from the facts."""
    return Change(
        done=lambda whom: f"scored {whom} again",
        asks=lambda whom: f"score {whom} again",
        pending=partial(derived.outdated_scores, score=score),
        apply=partial(derived.rescore, score=score),
        undoable=False,
    )


async def _there(session: ReadSession, ids: Sequence[int], /) -> Sequence[int]:
    """Those of the leads that are there and were not erased."""
    found = await session.scalars(
        select(Business.id).where(Business.id.in_(ids), Business.erased_at.is_(None))
    )
    return list(found)


def _timeless(
    ask: Callable[[ReadSession, Sequence[int]], Coroutine[Any, Any, Collection[int]]],
) -> Pending:
    """A question to which the time makes no difference."""

    async def pending(
        session: ReadSession, ids: Sequence[int], /, *, now: datetime
    ) -> Collection[int]:
        _ = now
        return await ask(session, ids)

    return pending
