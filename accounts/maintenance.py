"""Maintenance: nobody but staff sends anything new, what was sent before goes on, and everybody is told. Sets and tells; stops no worker.

Workers need no word of it: what is queued or being written is answered as always, and when nothing is left they have drained.
"""

from __future__ import annotations

import datetime as dt
from typing import Any

from django.db import transaction
from django.http import HttpRequest
from django.utils import formats, timezone
from django.utils.translation import gettext as _

from accounts import audit, clock
from accounts.models import Organisation, User

SOON_S, LATE_S, USUAL_S = 60, 3600, 300
"""The least, the most and (where no end is known) the usual pause that programs are asked for, in seconds."""


def under_way(organisation: Organisation) -> bool:
    """Whether there is maintenance now."""
    return organisation.maintenance_since is not None


def stops(user: User, *, organisation: Organisation) -> bool:
    """Whether this person sends nothing now."""
    return under_way(organisation) and not user.is_staff


def retry_after(organisation: Organisation) -> int:
    """Seconds after which a program may try again."""
    if organisation.maintenance_until is None:
        return USUAL_S
    left = (organisation.maintenance_until - clock.now()).total_seconds()
    return round(min(max(left, SOON_S), LATE_S))


def until(organisation: Organisation) -> str:
    """When it will probably be over, on the reader's clock; empty when nobody has said or the moment has passed."""
    end = organisation.maintenance_until
    if end is None or end <= clock.now():
        return ""
    local = timezone.localtime(end)
    same_day = local.date() == timezone.localdate()
    return formats.time_format(local) if same_day else formats.date_format(local, "SHORT_DATETIME_FORMAT")


def words(organisation: Organisation) -> str:
    """What happens, what is kept, until when: for a refusal. The organisation's own note stands at its end."""
    end = until(organisation)
    if end:
        text = _("Maintenance until about %(time)s: nothing new can be sent. Your text is kept in this box.") % {
            "time": end
        }
    else:
        text = _("Maintenance: nothing new can be sent for now. Your text is kept in this box.")
    return f"{text} {organisation.maintenance_note}".strip()


def switch(
    *,
    on: bool,
    end: dt.datetime | None = None,
    note: str = "",
    request: HttpRequest | None = None,
    by_command: bool = False,
) -> bool:
    """Begins it (or changes end and note of one that is under way), or ends it; False when nothing had to be changed."""
    with transaction.atomic():
        row = Organisation.objects.select_for_update().get(pk=Organisation.get().pk)
        began = (row.maintenance_since or clock.now()) if on else None
        after: dict[str, Any] = {
            "maintenance_since": began,
            "maintenance_until": end if on else None,
            "maintenance_note": note if on else "",
        }
        changes = {name: [getattr(row, name), value] for name, value in after.items() if getattr(row, name) != value}
        if not changes:
            return False
        Organisation.objects.filter(pk=row.pk).update(**after)
        action = "organisation.maintenance_on" if on else "organisation.maintenance_off"
        kind = "command" if by_command else ""
        audit.record(action, request=request, target=row, changes=changes, actor_kind=kind)
    return True
