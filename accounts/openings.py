"""Looks into other people's conversations ("break-glass"): who may, asked with a reason, opened for minutes, ended, told of.

Knows no conversation: chat.opened reads them and asks here first. The right is no permission of Django's, so that no administrator
has it by being one; only another administrator gives it, or the command line. Every step is an event that the person will see.
"""

from __future__ import annotations

import datetime as dt
from uuid import UUID

from django.db import transaction
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from accounts import audit, clock, notices
from accounts.models import LooksTold, Notice, Opening, Organisation, User
from accounts.refusals import NotPossible

SHORTEST_REASON = 20
MINUTES = (15, 30, 60, 120, 240)
DEFAULT_MINUTES = 60
ASKED_FOR = dt.timedelta(days=3)
"""So long a request waits for the second person."""
KEPT = 100


def may(user: User) -> bool:
    """Whether this person may look with a reason: asked of the row as it is now, never of being an administrator."""
    return User.objects.filter(pk=user.pk, is_active=True, is_staff=True, may_open_chats=True).exists()


def holders() -> QuerySet[User]:
    """Everybody who may."""
    return User.objects.filter(is_active=True, is_staff=True, may_open_chats=True).order_by("email")


def set_right(person: User, *, by: User | None, on: bool, request: HttpRequest | None = None) -> bool:
    """Gives or takes the right; False when nothing changes. Without `by` the command line acts. Raises NotPossible."""
    with transaction.atomic():
        row = User.objects.select_for_update().get(pk=person.pk)
        if by is not None:
            if not User.objects.filter(pk=by.pk, is_active=True, is_superuser=True).exists():
                raise NotPossible("not_yours", _("Only administrators change what somebody may do."))
            if by.pk == row.pk and on:
                raise NotPossible(
                    "oneself", _("Nobody gives this right to the own account. Ask another administrator.")
                )
        if on and not (row.is_active and row.is_staff):
            raise NotPossible("not_staff", _("Only administrators and staff can be given this right."))
        if row.may_open_chats == on:
            return False
        User.objects.filter(pk=row.pk).update(may_open_chats=on)
        if not on:
            _end_all(row)
        kind = "command" if by is None and request is None else ""
        action = "look.right_given" if on else "look.right_taken"
        audit.record(action, actor=by, request=request, target=row, actor_kind=kind)
    return True


def cut(person: User) -> None:
    """Who is switched off looks at nothing any more, and does not begin again by being switched on."""
    if User.objects.filter(pk=person.pk, may_open_chats=True).update(may_open_chats=False):
        _end_all(person)


def follow_rights(person: User) -> None:
    """Who is no staff any more has no right to look."""
    if User.objects.filter(pk=person.pk, may_open_chats=True, is_staff=False).update(may_open_chats=False):
        _end_all(person)


def ask(
    person: User,
    *,
    by: User,
    reason: str,
    since: dt.datetime,
    until: dt.datetime,
    minutes: int,
    request: HttpRequest | None = None,
) -> Opening:
    """Opens the conversations of `person`, or asks a second holder to agree where the organisation wants two. Raises NotPossible."""
    reason = audit.clean(reason, most=500)
    if len(reason) < SHORTEST_REASON:
        raise NotPossible("reason", _("Write down why, in a sentence: the person will read it."))
    if minutes not in MINUTES or since >= until:
        raise NotPossible("span", _("The span of time ends before it begins."))
    with transaction.atomic():
        User.objects.select_for_update().get(pk=by.pk)  # one after the other: one living look a person
        _check(by, person=person)
        now, rule = clock.now(), Organisation.get()
        if living(by).filter(person=person).exists() or waiting().filter(reader=by, person=person).exists():
            raise NotPossible("open", _("You have a look into these conversations already. End it first."))
        opening = Opening.objects.create(
            reader=by, person=person, reason=reason, since=since, until=until, minutes=minutes, asked_at=now,
            by_two=rule.looks_by_two, tell_at=_tell_at(rule, now=now),
        )  # fmt: skip
        if opening.by_two:
            _record("look.asked", opening, by=by, request=request, more=_terms(opening))
        else:
            _open(opening, by=by, request=request)
    return opening


def agree(opening: Opening, *, by: User, request: HttpRequest | None = None) -> bool:
    """The second person: from now on the first one may look. False when somebody was first or it is over. Raises NotPossible."""
    with transaction.atomic():
        found = Opening.objects.select_for_update(of=("self",)).select_related("person", "reader").get(pk=opening.pk)
        if found.opened_at or found.ended_at or not waiting().filter(pk=found.pk).exists():
            return False
        if found.reader_id == by.pk or found.reader is None:
            raise NotPossible("same", _("Somebody else has to agree."))
        _check(by, person=found.person)
        _check(found.reader, person=found.person)
        found.second = by
        _open(found, by=by, request=request)
    return True


def end(opening: Opening, *, by: User | None, request: HttpRequest | None = None) -> bool:
    """Ends it before its time, or takes a request back; False when it is over already."""
    with transaction.atomic():
        now = clock.now()
        still = Opening.objects.filter(Q(ends_at=None) | Q(ends_at__gt=now), pk=opening.pk, ended_at=None)
        if not still.update(ended_at=now):
            return False
        _record("look.ended", opening, by=by, request=request, more={})
    return True


def living(reader: User) -> QuerySet[Opening]:
    """The looks that are open for this person now. Nobody without the right has one."""
    rows = Opening.objects.filter(
        reader=reader, reader__is_active=True, reader__is_staff=True, reader__may_open_chats=True
    )
    return rows.filter(opened_at__isnull=False, ended_at=None, ends_at__gt=clock.now()).select_related("person")


def waiting() -> QuerySet[Opening]:
    """Requests that a second person has not agreed to yet."""
    fresh = Opening.objects.filter(by_two=True, opened_at=None, ended_at=None, asked_at__gt=clock.now() - ASKED_FOR)
    return fresh.select_related("person", "reader").order_by("pk")


def record_look(action: str, opening: Opening, *, by: User, request: HttpRequest, more: audit.Changes) -> int:
    """Writes down that something was read or taken along; the event's number. Within the transaction of the deed."""
    return _record(action, opening, by=by, request=request, more=more)


def known_to(person: User) -> QuerySet[Opening]:
    """The looks at her conversations of which she is to know by now, newest first."""
    told = Opening.objects.filter(person=person, opened_at__isnull=False, tell_at__lte=clock.now())
    return told.select_related("reader", "second").order_by("-pk")


def hidden_from(person: User) -> QuerySet[Opening, UUID]:
    """The looks of which she is not to know, or not yet: what concerns them is left out of what she is shown. Asks nothing itself."""
    unknown = Q(tell_at=None) | Q(tell_at__gt=clock.Now()) | Q(opened_at=None)
    return Opening.objects.filter(unknown, person=person).values_list("uuid", flat=True)


def tell_due() -> int:
    """Tells everybody whose time has come; how many. May run any number of times."""
    done = 0
    due = Opening.objects.filter(told_at=None, tell_at__lte=clock.now(), opened_at__isnull=False)
    for opening in due.select_related("person", "reader").order_by("pk")[:KEPT]:
        with transaction.atomic():
            done += _tell(opening)
    return done


def _open(opening: Opening, *, by: User, request: HttpRequest | None) -> None:
    now = clock.now()
    opening.opened_at, opening.ends_at = now, now + dt.timedelta(minutes=opening.minutes)
    opening.save(update_fields=["opened_at", "ends_at", "second"])
    if opening.tell_at and opening.tell_at <= now:
        _tell(opening)
    more = _terms(opening)
    if opening.by_two:
        more |= {"person": [None, str(opening.reader)]}
    _record("look.agreed" if opening.by_two else "look.opened", opening, by=by, request=request, more=more)


def _tell(opening: Opening) -> int:
    """Once, whoever comes first."""
    if not Opening.objects.filter(pk=opening.pk, told_at=None).update(told_at=clock.now()):
        return 0
    if opening.person.is_active:
        notices.tell(opening.person, kind=Notice.Kind.CHATS_OPENED, by=opening.reader)
    return 1


def _tell_at(rule: Organisation, *, now: dt.datetime) -> dt.datetime | None:
    if rule.looks_told == LooksTold.NEVER:
        return None
    return now + dt.timedelta(days=rule.looks_told_days if rule.looks_told == LooksTold.LATER else 0)


def _check(by: User, *, person: User) -> None:
    """As the database knows them now."""
    if not may(by):
        raise NotPossible("no_right", _("You may not open other people's conversations."))
    if person.pk == by.pk:
        raise NotPossible("oneself", _("These are your own conversations: you find them in the chat."))


def _terms(opening: Opening) -> dict[str, list[object]]:
    return {
        "ground": [None, opening.reason],
        "span_from": [None, opening.since.isoformat(timespec="minutes")],
        "span_until": [None, opening.until.isoformat(timespec="minutes")],
        "minutes": [None, opening.minutes],
    }


def _end_all(reader: User) -> None:
    now = clock.now()
    Opening.objects.filter(Q(ends_at=None) | Q(ends_at__gt=now), reader=reader, ended_at=None).update(ended_at=now)


def _record(action: str, opening: Opening, *, by: User | None, request: HttpRequest | None, more: audit.Changes) -> int:
    event = audit.record(action, actor=by, request=request, target=opening, concerns=opening.person, changes=more)
    return event.number
