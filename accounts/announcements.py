"""Announcements: a word to everybody for a while, which each person puts away for herself. Text only: nothing in it is ever markup."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.db.models import Exists, Max, OuterRef
from django.http import HttpRequest

from accounts import audit, clock
from accounts.models import Announcement, AnnouncementRead, Organisation, User

MOST = 3
"""So many are shown at a time, the newest first."""
FIELDS = ("text", "level", "starts_at", "ends_at")


def shown_to(user: User, *, organisation: Organisation) -> list[Announcement]:
    """What this person has not put away. Nothing is asked where no announcement can be in force."""
    now = clock.now()
    if organisation.announced_until is None or organisation.announced_until <= now:
        return []
    read = AnnouncementRead.objects.filter(announcement=OuterRef("pk"), user=user)
    present = Announcement.objects.filter(starts_at__lte=now, ends_at__gt=now)
    return list(present.exclude(Exists(read)).order_by("-level", "-starts_at", "-pk")[:MOST])


def put_away(announcement: Announcement, *, user: User) -> None:
    """Harmless when repeated."""
    AnnouncementRead.objects.bulk_create(
        [AnnouncementRead(announcement=announcement, user=user)], ignore_conflicts=True
    )


def save(announcement: Announcement, *, before: Announcement | None, request: HttpRequest) -> None:
    """A new one, or a changed one. One whose words have changed is shown again to everybody."""
    with transaction.atomic():
        announcement.save()
        if before is not None and before.text != announcement.text:
            announcement.reads.all().delete()
        _tell(announcement, before=before, request=request)
        _note_end()


def remove(announcement: Announcement, *, request: HttpRequest) -> None:
    """Taken away at once, for everybody."""
    with transaction.atomic():
        audit.record(
            "announcement.removed", request=request, target=announcement, changes={"words": [announcement.text, None]}
        )
        announcement.delete()
        _note_end()


def _tell(announcement: Announcement, *, before: Announcement | None, request: HttpRequest) -> None:
    changes: dict[str, list[Any]] = {
        _TOLD.get(name, name): [getattr(before, name, None), getattr(announcement, name)]
        for name in FIELDS
        if getattr(before, name, None) != getattr(announcement, name)
    }
    action = "announcement.changed" if before else "announcement.made"
    if changes:
        audit.record(action, request=request, target=announcement, changes=changes)


# The trail takes no field called text, which could hold what somebody asked; this is what an administrator told everybody.
_TOLD = {"text": "words"}


def _note_end() -> None:
    last = Announcement.objects.aggregate(last=Max("ends_at"))["last"]
    Organisation.objects.update(announced_until=last)
