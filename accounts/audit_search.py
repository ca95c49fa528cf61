"""Reads of the audit trail: what a search finds, newest first, in pages of which none costs more than a bounded look. Writes nothing.

Numbers have no gaps, so a number is the cursor and a range of numbers bounds the work: words are looked for in SPAN events at a
time, and the page says how far back it has looked. One action or one person is found by index, however far back.
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace

from django.db.models import QuerySet
from django.http import QueryDict
from django.utils import timezone

from accounts import openings
from accounts.audit_actions import ACTIONS
from accounts.models import AuditEvent, User

PAGE = 50
SPAN = 100_000
LONGEST = 100
MOST_NUMBER = 10**18


@dataclass(frozen=True, slots=True)
class Search:
    """What is asked for; everything empty is everything. `since` and `until` are days of the reader's clock, both included."""

    who: str = ""
    what: str = ""  # an action, or the word before its dot
    whom: str = ""
    address: str = ""
    since: dt.date | None = None
    until: dt.date | None = None

    @property
    def is_narrow(self) -> bool:
        return self != Search()

    def told(self) -> dict[str, str]:
        """The fields that are filled in, as they stand in an address."""
        pairs = {field.name: str(getattr(self, field.name) or "") for field in fields(self)}
        return {name: value for name, value in pairs.items() if value}


@dataclass(frozen=True, slots=True)
class Page:
    """A page of events. `after` is the cursor of the next one (0: there is none); `looked_back_to` is set when the look ended early."""

    events: list[AuditEvent]
    after: int = 0
    looked_back_to: dt.datetime | None = None


def read(given: QueryDict) -> Search:
    """A search from an address or a form. What makes no sense counts as empty."""
    words = {name: given.get(name, "").replace("\x00", "").strip()[:LONGEST] for name in ("who", "whom", "address")}
    what = given.get("what", "")
    known = what in ACTIONS or any(action.startswith(f"{what}.") for action in ACTIONS)
    return Search(**words, what=what if known else "", since=_day(given.get("since")), until=_day(given.get("until")))


def cursor(given: QueryDict) -> int:
    """The number below which a page begins; 0: at the newest event."""
    text = given.get("before", "")
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 19 else 0


def find(search: Search, *, before: int = 0, most: int = PAGE) -> Page:
    """The newest `most` events below the number `before` (0: all) that fit. Two to five queries, whatever the trail's length."""
    rows, scans = _matching(search)
    top, bottom = _range(search, before=before, head=scans)
    floor = max(bottom, top - SPAN) if scans else bottom
    found = list(rows.filter(number__lt=top, number__gte=floor).order_by("-number")[: most + 1])
    if len(found) > most:
        return Page(found[:most], after=found[most - 1].number)
    if floor <= bottom or floor <= 1:
        return Page(found)
    reached = AuditEvent.objects.filter(number=floor).values_list("at", flat=True).first()
    return Page(found, after=floor, looked_back_to=reached)


def walk(search: Search, *, before: int = 0, most: int = 500) -> Iterator[AuditEvent]:
    """Everything that fits, newest first, page by page."""
    page = find(search, before=before, most=most)
    yield from page.events
    while page.after:
        page = find(search, before=page.after, most=most)
        yield from page.events


def about(person: User, *, before: int = 0, most: int = PAGE) -> Page:
    """What concerned this person's account, content and keys, by whomever; but for looks of which she is not told (yet)."""
    rows = AuditEvent.objects.filter(concerns=person.uuid, number__lt=before or MOST_NUMBER)
    found = list(rows.exclude(target__in=openings.hidden_from(person)).order_by("-number")[: most + 1])
    return Page(found[:most], after=found[most - 1].number if len(found) > most else 0)


def last_proof() -> AuditEvent | None:
    """The newest result of the daily check."""
    proofs = AuditEvent.objects.filter(action__in=("audit.verified", "audit.broken"))
    return proofs.order_by("-number").first()


def _matching(search: Search) -> tuple[QuerySet[AuditEvent], bool]:
    """The events that fit, and whether finding them takes looking at each."""
    rows, scans = AuditEvent.objects.all(), False
    if search.what in ACTIONS:
        rows = rows.filter(action=search.what)
    elif search.what:
        rows, scans = rows.filter(action__startswith=f"{search.what}."), True
    if search.who:
        person = _person(search.who)
        rows = rows.filter(actor=person) if person else rows.filter(actor_name__icontains=search.who)
        scans = scans or person is None
    if search.whom:
        person = _person(search.whom)
        rows = rows.filter(concerns=person) if person else rows.filter(target_name__icontains=search.whom)
        scans = scans or person is None
    if search.address:
        rows, scans = rows.filter(address__startswith=search.address), True
    # Two conditions use one index at most.
    narrow = [search.what, search.who, search.whom]
    return _in_days(rows, search=search), scans or sum(map(bool, narrow)) > 1


def _person(words: str) -> uuid.UUID | None:
    """The person whose whole e-mail this is; anything else is looked for as a part of a name."""
    email = words.rpartition("<")[2].rstrip(">").strip().lower()
    return User.objects.filter(email=email).values_list("uuid", flat=True).first() if "@" in email else None


def _in_days(rows: QuerySet[AuditEvent], *, search: Search) -> QuerySet[AuditEvent]:
    if search.since:
        rows = rows.filter(at__gte=_midnight(search.since))
    if search.until:
        rows = rows.filter(at__lt=_midnight(search.until, later=1))
    return rows


def _range(search: Search, *, before: int, head: bool) -> tuple[int, int]:
    """The numbers between which to look: below the first, from the second on. The days' own ends are found by index."""
    bottom, top = 1, before or MOST_NUMBER
    days = replace(Search(), since=search.since, until=search.until)
    inside = _in_days(AuditEvent.objects.all(), search=days)
    if search.since:
        first = inside.order_by("at", "number").values_list("number", flat=True).first()
        bottom = MOST_NUMBER if first is None else first
    if search.until or (head and not before):
        order = ("-at", "-number") if search.until else ("-number",)
        last = inside.order_by(*order).values_list("number", flat=True).first() or 0
        top = min(top, last + 1)
    return top, bottom


def _day(text: str | None) -> dt.date | None:
    try:
        day = dt.date.fromisoformat((text or "")[:10])
    except ValueError:
        return None
    return day if 2000 <= day.year < 2200 else None


def _midnight(day: dt.date, *, later: int = 0) -> dt.datetime:
    """The day's beginning on the reader's clock."""
    return timezone.make_aware(dt.datetime.combine(day + dt.timedelta(days=later), dt.time()))
