"""Teams in the administration: the list, one team with its people. Rights are asked here, deeds stand in accounts.teams."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts import people_queries, teams
from accounts.administration import administrator
from accounts.models import Team, User
from accounts.people_forms import Member, TeamFields
from accounts.refusals import NotPossible, Refused
from accounts.setup_people import acting, done


@require_http_methods(["GET", "HEAD", "POST"])
@administrator("accounts.view_team")
def team_list(request: HttpRequest) -> HttpResponse:
    """All teams; a post makes one."""
    form = TeamFields(request.POST if request.method == "POST" else None)
    if request.method != "POST":
        return render(request, "setup/teams.html", {"teams": teams.listed(), "form": form})
    if not acting(request).has_perm("accounts.add_team"):
        raise Refused
    if form.is_valid():
        given = form.cleaned_data
        try:
            team = teams.make(name=given["name"], cost_centre=given["cost_centre"], by=acting(request), request=request)
        except NotPossible as refused:
            form.add_error("name", str(refused.message))
        else:
            return HttpResponseRedirect(reverse("setup_accounts:team", args=[team.uuid]))
    return render(request, "setup/teams.html", {"teams": teams.listed(), "form": form}, status=400)


@require_safe
@administrator("accounts.view_team")
def team(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Who is in the team, who manages it, whom it pays for."""
    return _page(request, _found(uuid))


def _page(request: HttpRequest, found: Team, *, status: int = 200, **bound: Any) -> HttpResponse:
    cursor = request.GET.get("after", "").replace("\x00", "")[:254]
    listing = people_queries.members(found.pk, cursor=cursor)
    context = {
        "team": found,
        "members": listing.people,
        "next_cursor": listing.next_cursor,
        "is_later": bool(cursor),
        "form": TeamFields({"name": found.name, "cost_centre": found.cost_centre}),
        "joining": Member(initial={"role": "member"}),
        "suggestions": people_queries.suggestions(),
        "roles": teams.Role.choices,
    } | bound
    return render(request, "setup/team.html", context, status=status)


@require_POST
@administrator("accounts.view_team", "accounts.change_team")
def change(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Name and cost centre."""
    found = _found(uuid)
    form = TeamFields(request.POST)
    if form.is_valid():
        given = form.cleaned_data
        try:
            teams.change(
                found, name=given["name"], cost_centre=given["cost_centre"], by=acting(request), request=request
            )
        except NotPossible as refused:
            form.add_error("name", str(refused.message))
        else:
            return done(request, lambda: _("Saved."), back=_address(found))
    return _page(request, found, status=400, form=form)


@require_POST
@administrator("accounts.view_team", "accounts.delete_team")
def delete(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Takes the team away; its people stay."""
    found = _found(uuid)

    def deed() -> str:
        teams.delete(found, by=acting(request), request=request)
        return _("The team %(team)s is gone; its people stay.") % {"team": found.name}

    return done(request, deed, back=reverse("setup_accounts:teams"))


@require_POST
@administrator("accounts.view_team", "accounts.change_team")
def add(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Another member."""
    found = _found(uuid)
    form = Member(request.POST)
    if not form.is_valid():
        return _page(request, found, status=400, joining=form)
    person, role = form.cleaned_data["person"], form.cleaned_data["role"]

    def deed() -> str:
        teams.set_role(person, team=found, role=role, by=acting(request), request=request)
        return _("%(person)s is in the team.") % {"person": person}

    return done(request, deed, back=_address(found))


@require_POST
@administrator("accounts.view_team", "accounts.change_team")
def member(request: HttpRequest, uuid: UUID, person: UUID) -> HttpResponse:
    """Another role (`role=`), or out of the team (`do=leave`)."""
    found = _found(uuid)
    who = get_object_or_404(User, uuid=person, memberships__team=found)
    role = request.POST.get("role", "")

    def deed() -> str | None:
        if request.POST.get("do") == "leave":
            teams.leave(who, team=found, by=acting(request), request=request)
            return _("%(person)s is no longer in the team.") % {"person": who}
        if role not in teams.Role.values:
            return None
        teams.set_role(who, team=found, role=role, by=acting(request), request=request)
        return _("Saved. It counts from this person's next request on.")

    return done(request, deed, back=_address(found))


def _found(uuid: UUID) -> Team:
    return get_object_or_404(Team, uuid=uuid)


def _address(team: Team) -> str:
    return reverse("setup_accounts:team", args=[team.uuid])
