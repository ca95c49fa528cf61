"""A manager's view of the own team under /me/team/: who is in it, and nothing else. For everybody else there is no such page."""

from __future__ import annotations

from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from accounts import people_queries, teams
from accounts.models import User


@require_safe
@login_required
def my_team(request: HttpRequest, uuid: UUID | None = None) -> HttpResponse:
    """The members of a team that this person manages; the first one without a choice."""
    assert isinstance(request.user, User)
    managed = teams.managed_by(request.user)
    team = next((each for each in managed if uuid is None or each.uuid == uuid), None)
    if team is None:
        raise Http404
    cursor = request.GET.get("after", "").replace("\x00", "")[:254]
    listing = people_queries.members(team.pk, cursor=cursor)
    context = {
        "team": team,
        "teams": managed,
        "members": listing.people,
        "next_cursor": listing.next_cursor,
        "is_later": bool(cursor),
    }
    return render(request, "accounts/my_team.html", context)
