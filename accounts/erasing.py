"""Erasing one person: looked at first, begun, carried on after whatever stopped it, done once, with a receipt in the audit trail.

What goes is what the rooms registered (accounts.personal). Refuses while a legal hold covers her and while the account is in use.
What stays, and why, stands in docs/privacy.md; a test holds every column of the database against it.
"""

from __future__ import annotations

import datetime as dt
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass

from django.db import IntegrityError, transaction
from django.db.models import Q
from django.http import HttpRequest
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from accounts import audit, clock, legal_holds, personal, personal_own
from accounts.models import Erasure, User
from accounts.refusals import NotPossible

REQUEST_S = 8.0
"""So long a page carries on; what is left then is carried on by the schedule."""
STALE_S = 60


@dataclass(frozen=True, slots=True)
class Line:
    """A part and how many rows of it there are."""

    slug: str
    title: str | Promise
    count: int


def plan(person: User) -> list[Line]:
    """What erasing would touch, part by part; parts without rows are named too."""
    return [Line(part.slug, part.title, part.count(person)) for part in personal.parts()]


def refuse(person: User, *, by: User | None) -> None:
    """Raises NotPossible where this person cannot be erased now."""
    if by is not None and by.pk == person.pk:
        raise NotPossible("oneself", _("Nobody does this to the own account. Ask another administrator."))
    if person.is_service:
        raise NotPossible("program", _("A program is no person: switch it off."))
    if person.is_active or person.is_staff or person.is_superuser:
        raise NotPossible(
            "active", _("Switch the account off and take its rights away first: somebody takes over what it owns.")
        )
    if legal_holds.is_held(person):
        raise NotPossible("held", _("A legal hold covers this person: nothing of hers may be removed until it ends."))


def begin(person: User, *, by: User | None, request: HttpRequest | None = None) -> Erasure:
    """Writes down that and what is to be erased. One a person: a repeat returns the one there is. Raises NotPossible."""
    before = Erasure.objects.filter(person=person.uuid).first()
    if before is not None and (before.finished_at or personal_own.is_erased(person)):
        return before
    refuse(person, by=by)
    if before is not None:
        return before
    counts = {line.slug: line.count for line in plan(person)}
    try:
        with transaction.atomic():
            made = Erasure.objects.create(
                person=person.uuid, by=by.uuid if by else None, by_name=str(by) if by else "", planned=counts,
                started_at=clock.now(),
            )  # fmt: skip
            kind = "command" if by is None else ""
            changes: audit.Changes = {"parts": (sum(counts.values()), None)}
            audit.record("person.erasing", actor=by, request=request, target=person, changes=changes, actor_kind=kind)
    except IntegrityError:  # somebody else began at the same moment
        made = Erasure.objects.get(person=person.uuid)
    return made


def carry_on(erasure: Erasure, *, seconds: float = REQUEST_S) -> bool:
    """Erases batch by batch, each in a short transaction, until it is done (True) or the time is over, or somebody else is at it.

    Raises NotPossible where it may not go on now: a hold came, a call is still being closed.
    """
    now = clock.now()
    free = Erasure.objects.filter(Q(busy_until=None) | Q(busy_until__lt=now), pk=erasure.pk, finished_at=None)
    if not free.update(busy_until=now + dt.timedelta(seconds=seconds + STALE_S)):
        erasure.refresh_from_db()
        return erasure.finished_at is not None
    erasure.refresh_from_db()
    try:
        return _erase(erasure, until=time.monotonic() + seconds)
    finally:
        Erasure.objects.filter(pk=erasure.pk).update(busy_until=None)


def _erase(erasure: Erasure, *, until: float) -> bool:
    person = User.objects.filter(uuid=erasure.person).first()
    for part in personal.parts() if person is not None else ():
        assert person is not None
        while part.count(person):
            if not personal_own.is_erased(person):
                refuse(person, by=None)
            done = part.erase(person)
            if not done:
                raise NotPossible(
                    "running", _("A call of this person is still being closed. What is left is erased in a minute.")
                )
            _note(erasure, slug=part.slug, more=done)
            if part.slug == "account":
                break
            if time.monotonic() > until:
                return False
    return _finish(erasure)


def carry_all_on() -> int:
    """What was begun and is not done, whoever stopped; how many were finished. May run any number of times."""
    done = 0
    for erasure in Erasure.objects.filter(finished_at=None).order_by("pk"):
        try:
            done += carry_on(erasure, seconds=REQUEST_S)
        except NotPossible:
            continue  # held or running: the next time
    return done


def lines_of(erasure: Erasure) -> Sequence[tuple[str | Promise, int, int]]:
    """The receipt: part, rows there were, rows that went."""
    titles = {part.slug: part.title for part in personal.parts()}
    slugs = [slug for slug in titles if erasure.planned.get(slug) or erasure.erased.get(slug)]
    return [(titles[slug], erasure.planned.get(slug, 0), erasure.erased.get(slug, 0)) for slug in slugs]


def receipt(erasure: Erasure) -> str:
    """The same as a file."""
    told = {
        "receipt": str(erasure.uuid),
        "person": str(erasure.person),
        "by": erasure.by_name or "manage.py",
        "started_at": erasure.started_at,
        "finished_at": erasure.finished_at,
        "planned_rows": erasure.planned,
        "erased_rows": erasure.erased,
        "audit_event": erasure.event,
        "audit_hash": erasure.event_hash,
    }
    return json.dumps(told, indent=2, default=str, ensure_ascii=False) + "\n"


def _note(erasure: Erasure, *, slug: str, more: int) -> None:
    erasure.erased = {**erasure.erased, slug: erasure.erased.get(slug, 0) + more}
    erasure.save(update_fields=["erased"])


def _finish(erasure: Erasure) -> bool:
    """The event last, in one transaction with the row: there is a receipt if and only if it stands in the chain."""
    with transaction.atomic():
        now = clock.now()
        if not Erasure.objects.filter(pk=erasure.pk, finished_at=None).update(finished_at=now):
            erasure.refresh_from_db()
            return True
        erasure.finished_at = now
        actor = User.objects.filter(uuid=erasure.by).first() if erasure.by else None
        kind = "" if actor else "command"
        changes: audit.Changes = {"account": (erasure.person, None), "parts": (erasure.planned, erasure.erased)}
        event = audit.record("person.erased", actor=actor, target=erasure, changes=changes, actor_kind=kind)
        erasure.event, erasure.event_hash = event.number, event.hash
        erasure.save(update_fields=["finished_at", "event", "event_hash"])
    return True
