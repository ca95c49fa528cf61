"""The log of calls: search, one call with its life, and a file. For staff with the permission all of it; for a team's manager what her
team pays for. Never a text, never a title. Other people learn not even that there is such a page.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from accounts import audit, clock, teams
from accounts.administration import administrator
from accounts.middleware import organisation_of
from accounts.models import Team, User
from providers.models import LanguageModel, Provider
from usage import call_export, call_life, call_search, call_words, moments
from usage.call_search import Search
from usage.models import Invocation, Source

SEE = "usage.view_invocation"
View = Callable[..., HttpResponse]


@dataclass(frozen=True, slots=True)
class Place:
    """Where the pages stand: in the administration, or (`team`) with the team of a manager."""

    team: Team | None = None

    @property
    def only(self) -> UUID | None:
        return self.team.uuid if self.team else None

    @property
    def home(self) -> str:
        return self._at("overview")

    @property
    def file(self) -> str:
        return self._at("export")

    def of(self, request_id: UUID) -> str:
        return self._at("call", request_id)

    def _at(self, name: str, *more: UUID) -> str:
        if self.team is None:
            return reverse(f"calls:{name}", args=more)
        return reverse(f"team_calls:{name}", args=[self.team.uuid, *more])


def of_team(view: View) -> View:
    """For the manager of the team in the address; for everybody else there is no such page."""

    @wraps(view)
    def guarded(request: HttpRequest, team: UUID, *args: Any, **kwargs: Any) -> HttpResponse:
        assert isinstance(request.user, User)
        managed = next((each for each in teams.managed_by(request.user) if each.uuid == team), None)
        if managed is None:
            raise Http404
        return view(request, Place(managed), *args, **kwargs)

    return login_required(guarded)


def of_everybody(view: View) -> View:
    """For staff with the permission."""

    @wraps(view)
    def placed(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        return view(request, Place(), *args, **kwargs)

    return administrator(SEE)(placed)  # type: ignore[return-value]  # a guard of any view


def _overview(request: HttpRequest, place: Place) -> HttpResponse:
    """Search and list, newest first. Every condition stands in the address, so a search can be kept and handed on."""
    tz = moments.zone(organisation_of(request))
    search = call_search.read(request.GET, tz=tz)
    before = call_search.cursor(request.GET)
    page = call_search.find(search, team=place.only, before=before)
    told = search.told()
    context = {
        "place": place,
        "search": search,
        "told": told,
        "rows": [(call, place.of(call.request_id), call_words.TONES.get(call.outcome, "")) for call in page.calls],
        "page": page,
        "older": f"?{urlencode({**told, 'before': page.after})}" if page.after else "",
        "is_later": before is not None,
        "newest": f"?{urlencode(told)}" if told else place.home,
        "choices": _choices(search),
        "person": _name_of(search),
        "since": _typed(search.since, tz=tz),
        "until": _typed(search.until, tz=tz),
        "zone": tz.key,
    }
    with timezone.override(tz):
        return render(request, "usage/calls.html", context)


def _call(request: HttpRequest, place: Place, request_id: UUID) -> HttpResponse:
    """One call: its life, what it took, what it cost, what limited it."""
    organisation = organisation_of(request)
    life = call_life.of(request_id, currency=organisation.currency)
    if life is None or (place.only is not None and life.team != place.only):
        raise Http404
    tz = moments.zone(organisation)
    call = life.call
    context = {
        "place": place,
        "life": life,
        "call": call,
        "tone": call_words.TONES.get(call.outcome, "") if call else "",
        "error": call_words.error(call.error_kind) if call else "",
        "zone": tz.key,
    }
    with timezone.override(tz):
        return render(request, "usage/call.html", context)


def _export(request: HttpRequest, place: Place) -> HttpResponse:
    """What the search finds as a file; that it was taken is an event of the audit trail."""
    tz = moments.zone(organisation_of(request))
    search = call_search.read(request.POST, tz=tz)
    with transaction.atomic():
        file = call_export.as_csv(search, team=place.only, before=call_search.cursor(request.POST), tz=tz)
        changes: dict[str, Any] = {"calls": (None, file.count)}
        if told := search.told():
            changes["filter"] = (None, told)
        audit.record("calls.exported", request=request, target=place.team, changes=changes)
    answer = HttpResponse(file.body, content_type="text/csv; charset=utf-8")
    answer["Content-Disposition"] = f'attachment; filename="calls-{clock.now().astimezone(tz):%Y-%m-%d-%H%M}.csv"'
    return answer


def _choices(search: Search) -> dict[str, list[tuple[str, str]]]:
    """What may be chosen, by field. What is asked for and gone since can still be seen to be asked for."""
    found: dict[str, list[tuple[str, str]]] = {
        "team": _named(Team.objects.order_by("name").values_list("uuid", "name"), search.team),
        "model": _named(LanguageModel.objects.order_by("name").values_list("uuid", "name"), search.model),
        "provider": _named(Provider.objects.order_by("name").values_list("uuid", "name"), search.provider),
        "source": [(value, str(words)) for value, words in Source.choices],
        "outcome": [(value, str(words)) for value, words in call_words.CHOICES.items()],
        "error": [(value, str(words)) for value, words in call_words.ERRORS.items()],
    }
    return found


def _named(rows: Any, wanted: str) -> list[tuple[str, str]]:
    pairs = [(str(uuid), name) for uuid, name in rows]
    return pairs if not wanted or wanted in dict(pairs) else [*pairs, (wanted, wanted)]


def _name_of(search: Search) -> str:
    """Who is meant, where an id is asked for."""
    if not call_search.is_id(search.person):
        return ""
    rows = Invocation.every.filter(person=search.person).order_by("-created_at")
    return rows.values_list("person_name", flat=True).first() or ""


def _typed(at: Any, *, tz: Any) -> str:
    """As the browser's field for a day and a time wants it, on the organisation's clock."""
    return at.astimezone(tz).strftime("%Y-%m-%dT%H:%M") if at else ""


overview = require_safe(of_everybody(_overview))
call = require_safe(of_everybody(_call))
export = require_POST(of_everybody(_export))
team_overview = require_safe(of_team(_overview))
team_call = require_safe(of_team(_call))
team_export = require_POST(of_team(_export))
