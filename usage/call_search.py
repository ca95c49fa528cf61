"""Reads of the log of calls: what a search finds, newest first, in pages of which none costs more than a bounded look. Writes nothing.

One condition that has an index is found however far back. What has to be looked at call by call (a word, a second condition) is
looked for among the newest SPAN of what the index finds, and the page says how far back that was.
"""

from __future__ import annotations

import datetime as dt
import re
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, replace
from zoneinfo import ZoneInfo

from django.db.models import Exists, OuterRef, Q, QuerySet
from django.http import QueryDict

from accounts.models import User
from usage import call_lines, call_words
from usage.models import CallLine, Invocation, Source
from usage.rollups import BAD

PAGE = 50
SPAN = 50_000
LONGEST = 100
IDS = ("key", "model", "provider", "team")
"""Conditions that are an id, or nothing."""
_START = re.compile(r"[0-9a-f]{8,31}")


@dataclass(frozen=True, slots=True)
class Search:
    """What is asked for; everything empty is everything. From `since` (included) until `until` (not included)."""

    q: str = ""
    request: str = ""
    person: str = ""  # an id, a whole e-mail address, or a part of a name
    team: str = ""
    key: str = ""
    model: str = ""
    provider: str = ""
    source: str = ""
    outcome: str = ""
    error: str = ""
    since: dt.datetime | None = None
    until: dt.datetime | None = None

    @property
    def is_narrow(self) -> bool:
        return self != Search()

    @property
    def is_further(self) -> bool:
        """Whether a condition is set that stands behind "more"."""
        return replace(self, q="", person="", outcome="") != Search()

    def told(self) -> dict[str, str]:
        """What is filled in, as it stands in an address."""
        names = ("q", "request", "person", *IDS, "source", "outcome", "error")
        moments = {"from": self.since, "to": self.until}
        pairs = {name: getattr(self, name) for name in names}
        pairs |= {name: "" if at is None else at.isoformat().replace("+00:00", "Z") for name, at in moments.items()}
        return {name: value for name, value in pairs.items() if value}


@dataclass(frozen=True, slots=True)
class Page:
    """A page of calls. `after` is the cursor of the next one ("": there is none); `looked_back_to` is set when the look ended early."""

    calls: list[Invocation]
    after: str = ""
    looked_back_to: dt.datetime | None = None


@dataclass(frozen=True, slots=True)
class Cursor:
    """Below which call a page begins."""

    at: dt.datetime
    id: int

    def __str__(self) -> str:
        return f"{self.at.astimezone(dt.UTC):%Y%m%dT%H%M%S.%f}-{self.id}"


def read(given: QueryDict, *, tz: ZoneInfo) -> Search:
    """A search from an address or a form. What makes no sense counts as empty; a moment without a zone is on the clock of `tz`."""
    word = {name: given.get(name, "").replace("\x00", "").strip()[:LONGEST] for name in ("q", "request", "person")}
    ids = {name: str(_uuid(given.get(name, "")) or "") for name in IDS}
    chosen = {
        name: value if (value := given.get(name, "")) in known else ""
        for name, known in (("source", Source.values), ("outcome", call_words.CHOICES), ("error", call_words.ERRORS))
    }
    moments = {"since": moment(given.get("from", ""), tz=tz), "until": moment(given.get("to", ""), tz=tz)}
    return Search(**word, **ids, **chosen, **moments)  # type: ignore[arg-type]  # texts and moments, each by its name


def moment(text: str, *, tz: ZoneInfo) -> dt.datetime | None:
    """ISO 8601, in UTC; None for what is none. A plus that became a blank on its way is understood."""
    try:
        at = dt.datetime.fromisoformat(re.sub(r" (?=\d\d:?\d\d$)", "+", text.strip()[:40]))
        at = at if at.tzinfo else at.replace(tzinfo=tz)
        at = at.astimezone(dt.UTC)
    except (ValueError, OverflowError):
        return None
    return at if 2000 <= at.year < 2200 else None


def cursor(given: QueryDict) -> Cursor | None:
    """Where a page begins; None: at the newest call."""
    at, _dash, number = given.get("before", "").partition("-")
    try:
        found = dt.datetime.strptime(at, "%Y%m%dT%H%M%S.%f").replace(tzinfo=dt.UTC)
    except ValueError:
        return None
    return Cursor(found, int(number)) if number.isascii() and number.isdecimal() and len(number) < 19 else None


def find(search: Search, *, team: uuid.UUID | None = None, before: Cursor | None = None, most: int = PAGE) -> Page:
    """The newest `most` calls below the cursor that fit; with `team` only what that team pays for. Two or three queries."""
    rows = _below(_in_time(Invocation.every.all(), search=search), before=before)
    first, others = _conditions(search, team=team)
    rows = rows.filter(first)
    floor = None
    if others:
        floor = rows.order_by("-created_at").values_list("created_at", flat=True)[SPAN : SPAN + 1].first()
    found = rows.filter(*others)
    if floor is not None:
        found = found.filter(created_at__gt=floor)
    calls = list(found.order_by("-created_at", "-id")[: most + 1])
    if len(calls) > most:
        return Page(calls[:most], after=str(Cursor(calls[most - 1].created_at, calls[most - 1].pk)))
    if floor is None:
        return Page(calls)
    return Page(calls, after=str(Cursor(floor, 10**18 - 1)), looked_back_to=floor)


def walk(search: Search, *, team: uuid.UUID | None = None, before: Cursor | None = None) -> Iterator[Invocation]:
    """Everything that fits, newest first, page by page."""
    page = find(search, team=team, before=before, most=500)
    yield from page.calls
    while page.after:
        page = find(search, team=team, before=cursor(QueryDict(f"before={page.after}")), most=500)
        yield from page.calls


def _conditions(search: Search, *, team: uuid.UUID | None) -> tuple[Q, list[Q]]:
    """The condition whose index is walked, and what is looked at in each call that it finds."""
    indexed: list[Q] = []
    others: list[Q] = []
    if search.request:
        (indexed if (by_id := _by_id(search.request)) else others).append(by_id or Q(pk=None))
    if search.key:
        indexed.append(Q(key=search.key))
    if search.person:
        person = _person(search.person)
        (indexed if person else others).append(Q(person=person) if person else Q(person_name__icontains=search.person))
    if search.error:
        indexed.append(Q(error_kind=search.error) & ~Q(error_kind=""))
    if search.outcome:
        many = search.outcome in ("done", call_words.ANSWERS)
        (others if many else indexed).append(_of_outcome(search.outcome))
    for mine in {search.team, str(team or "")} - {""}:
        indexed.append(Q(team=mine))
    if search.model:
        indexed.append(Q(model=search.model))
    others += [Q(**{name: getattr(search, name)}) for name in ("provider", "source") if getattr(search, name)]
    if search.q:
        by_id = _by_id(search.q)
        (indexed if by_id else others).append(by_id or _words(search.q))
    first, *more = indexed or [Q()]
    return first, more + others


def _of_outcome(outcome: str) -> Q:
    if outcome == call_words.BAD:
        return Q(outcome__in=sorted(BAD)) & ~Q(outcome="done") & ~Q(source=Source.TITLE)
    if outcome == call_words.ANSWERS:
        return ~Q(outcome=call_lines.REFUSED) & ~Q(source=Source.TITLE)
    return Q(outcome=outcome) if outcome == "done" else Q(outcome=outcome) & ~Q(outcome="done")


def _by_id(text: str) -> Q | None:
    """A request's whole id, or at least eight digits from its beginning."""
    digits = text.lower().replace("-", "")
    if (whole := _uuid(digits)) is not None:
        return Q(request_id=whole)
    if not _START.fullmatch(digits):
        return None
    ends = (uuid.UUID(digits.ljust(32, fill)) for fill in "0f")
    return Q(request_id__gte=next(ends), request_id__lte=next(ends))


def _words(text: str) -> Q:
    """A word in the names that the call was written down with, in how it ended, or in one of its lines."""
    named = Q()
    for field in ("person_name", "team_name", "model_name", "provider_name"):
        named |= Q(**{f"{field}__icontains": text})
    kinds = call_words.meaning(text, CallLine.Kind)
    of_line = Q(kind__in=kinds) | Q(reason__in=call_words.meaning(text, call_words.ERRORS)) | Q(detail__icontains=text)
    lines = CallLine.objects.filter(of_line, request_id=OuterRef("request_id"))
    ended = Q(outcome__in=call_words.meaning(text, call_words.OUTCOMES))
    wrong = Q(error_kind__in=call_words.meaning(text, call_words.ERRORS))
    return named | ended | wrong | Q(Exists(lines))


def _person(text: str) -> uuid.UUID | None:
    """The person whose id or whole e-mail this is."""
    email = text.rpartition("<")[2].rstrip(">").strip().lower()
    if "@" in email:
        return User.objects.filter(email=email).values_list("uuid", flat=True).first()
    return _uuid(text)


def _in_time(rows: QuerySet[Invocation], *, search: Search) -> QuerySet[Invocation]:
    if search.since:
        rows = rows.filter(created_at__gte=search.since)
    return rows.filter(created_at__lt=search.until) if search.until else rows


def _below(rows: QuerySet[Invocation], *, before: Cursor | None) -> QuerySet[Invocation]:
    if before is None:
        return rows
    return rows.filter(created_at__lte=before.at).exclude(created_at=before.at, id__gte=before.id)


def is_id(text: str) -> bool:
    """Whether this is the id of somebody or something."""
    return _uuid(text) is not None


def _uuid(text: str) -> uuid.UUID | None:
    try:
        return uuid.UUID(text) if len(text) in (32, 36) else None
    except ValueError:
        return None
