"""On the first of a month the report of the one before goes to whoever was chosen and may see it; and months close by themselves where
an administrator wants that. One row a month makes sure that a letter goes once, however many workers ask and however late they come.
"""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import override

from accounts import audit, letters, mail
from accounts.models import Organisation, User
from accounts.refusals import NotPossible
from chat import running
from portal import month_tables, month_words
from portal.models import MonthLetter, MonthReader, MonthRules
from portal.month_forms import Rules
from portal.month_tables import Sheet
from usage import moments, month_closing, month_report, months
from usage.months import Month

log = logging.getLogger(__name__)
MAY = "view_closedmonth"
HOUR = 6
"""Letters of a month that is over go out from this hour of the first on, on the organisation's clock: its last answers are over then."""
EVERY = dt.timedelta(days=1)


def rules() -> MonthRules:
    """The one row; made the first time."""
    return MonthRules.objects.order_by("pk").first() or MonthRules()


def may_read() -> QuerySet[User]:
    """Staff who may see the report. Whoever has a right by a group has it here too."""
    right = Q(user_permissions__codename=MAY) | Q(groups__permissions__codename=MAY) | Q(is_superuser=True)
    people = User.objects.filter(right, is_staff=True, is_active=True, is_service=False)
    return people.distinct().order_by("name", "email")


def form(*args: Any, **kwargs: Any) -> Rules:
    """The form of the rules, as they stand."""
    row = rules()
    chosen = User.objects.filter(month_letter__isnull=False)
    initial = {"close_after_days": row.close_after_days, "readers": [person.uuid for person in chosen]}
    return Rules(*args, offered=may_read(), initial=initial, **kwargs)


def readers() -> list[User]:
    """Who is sent the report: was chosen, and may still see it."""
    return list(may_read().filter(month_letter__isnull=False))


def save(given: Mapping[str, Any], *, by: User, request: HttpRequest) -> None:
    """Writes the rules down, with what they were before in the trail; a repeat is no event."""
    row, chosen = rules(), list(given["readers"])
    before = {person.pk: str(person.uuid) for person in User.objects.filter(month_letter__isnull=False)}
    after = {person.pk: str(person.uuid) for person in chosen}
    changes: dict[str, tuple[Any, Any]] = {}
    if row.close_after_days != given["close_after_days"]:
        changes["close_after_days"] = (row.close_after_days, given["close_after_days"])
    if before != after:
        changes["readers"] = (sorted(before.values()), sorted(after.values()))
    if not changes:
        return
    with transaction.atomic():
        row.close_after_days = given["close_after_days"]
        row.save()
        MonthReader.objects.exclude(user__in=after).delete()
        MonthReader.objects.bulk_create(
            [MonthReader(user_id=pk) for pk in after if pk not in before], ignore_conflicts=True
        )
        audit.record("month.rules_changed", actor=by, request=request, changes=changes)


def run(*, now: dt.datetime) -> dict[str, int]:
    """The periodic job. How many months were closed, how many letters written."""
    organisation = Organisation.get()
    tz = moments.zone(organisation)
    return {"closed": close_due(now=now, tz=tz), "letters": write_due(organisation, now=now, tz=tz)}


def close_due(*, now: dt.datetime, tz: ZoneInfo) -> int:
    """Closes what has been over for as long as the rules say; what still runs is closed the next time."""
    days = rules().close_after_days
    if days is None:
        return 0
    closed = 0
    for month in months.open_before(now, tz=tz):
        if now < month.ends_at + days * EVERY:
            continue
        try:
            closed += month_closing.close(month.first, tz=tz, by=None, running=running.begun_before(month.ends_at))[1]
        except NotPossible as refused:
            log.info("%s is not closed yet: %s", month.name, refused.code)
    return closed


def write_due(organisation: Organisation, *, now: dt.datetime, tz: ZoneInfo) -> int:
    """The letters of the last month, unless they have been dealt with. In one transaction with the row that says so."""
    first = months.before(months.current(now, tz=tz))
    due = moments.begin_of(months.after(first), tz=tz) + dt.timedelta(hours=HOUR)
    if now < due or MonthLetter.objects.filter(first=first).exists():
        return 0
    people = readers() if mail.mail_configured() else []
    written = _letters(months.of(first, tz=tz), organisation, people, tz=tz) if people else []
    try:
        with transaction.atomic():
            row = MonthLetter.objects.create(first=first, at=now)  # the fence: of several workers one writes it
            for person, language, letter in written:
                sent = mail.send_letter(letter, kind="month", to=person.email, language=language)
                row.letters += sent is not None
            row.save(update_fields=["letters"])
    except IntegrityError:
        return 0
    return row.letters


def _letters(
    month: Month, organisation: Organisation, people: list[User], *, tz: ZoneInfo
) -> list[tuple[User, str, letters.Letter]]:
    """One for each reader, in her language, with a table that names no person."""
    sheet = Sheet(month_report.of(month, currency=organisation.currency, persons=False), tz=tz)
    link = settings.PUBLIC_URL + reverse("months:month", args=[month.name]) if settings.PUBLIC_URL else ""
    composed: dict[str, letters.Letter] = {}
    for language in {letters.language_for(person) for person in people}:
        with override(language):
            context = month_words.letter(sheet.report) | {"link": link}
            file = month_tables.text("team-models", sheet)
        letter = letters.compose("month", language=language, context=context)
        composed[language] = replace(letter, file_name=f"{month.name}.csv", file=file)
    return [(person, letters.language_for(person), composed[letters.language_for(person)]) for person in people]
