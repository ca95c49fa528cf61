"""Accounts of programs in the administration: the list, a new one, one with its owner, switching it off and on.

Keys have pages of their own; teams are joined as on a person's page.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts import people, people_queries, service_accounts, teams
from accounts.administration import administrator
from accounts.models import Team, User
from accounts.people_forms import Joining, Program
from accounts.refusals import NotPossible, Refused
from accounts.setup_people import acting, done

MANAGE = "accounts.manage_service_accounts"


@require_http_methods(["GET", "HEAD", "POST"])
@administrator(MANAGE)
def program_list(request: HttpRequest) -> HttpResponse:
    """All of them; a post makes one."""
    by = acting(request)
    form = Program(request.POST if request.method == "POST" else None, initial={"owner": by.email})
    if request.method == "POST" and form.is_valid():
        given = form.cleaned_data
        try:
            account = service_accounts.make(name=given["name"], owner=given["owner"], by=by, request=request)
        except NotPossible as refused:
            form.add_error("owner", str(refused.message))
        else:
            return HttpResponseRedirect(_address(account))
    context = {
        "programs": service_accounts.listed(),
        "form": form,
        "suggestions": people_queries.suggestions(),
    }
    return render(request, "setup/programs.html", context, status=400 if form.errors else 200)


@require_safe
@administrator()
def program(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """One of them, for whoever sees people or manages programs."""
    by = acting(request)
    if not (by.has_perm(MANAGE) or by.has_perm("accounts.view_user")):
        raise Refused
    return _page(request, _found(uuid))


def _page(request: HttpRequest, found: User, *, status: int = 200, **bound: Any) -> HttpResponse:
    joining = Joining(initial={"role": "member"})
    joining.offer(Team.objects.exclude(memberships__user=found))
    context = {
        "person": found,
        "may_manage": acting(request).has_perm(MANAGE),
        "form": Program({"name": found.name, "owner": found.owner.email if found.owner else ""}),
        "joining": joining,
        "roles": teams.Role.choices,
        "suggestions": people_queries.suggestions(),
    } | bound
    return render(request, "setup/program.html", context, status=status)


@require_POST
@administrator(MANAGE)
def change(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Another name or owner."""
    found = _found(uuid)
    form = Program(request.POST)
    if not form.is_valid():
        return _page(request, found, status=400, form=form)
    given = form.cleaned_data

    def deed() -> str | None:
        changed = service_accounts.change(
            found, name=given["name"], owner=given["owner"], by=acting(request), request=request
        )
        return _("Saved.") if changed else None

    return done(request, deed, back=_address(found))


@require_POST
@administrator(MANAGE)
def power(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Switches it off (`to=off`: its keys end) or on again."""
    found = _found(uuid)

    def deed() -> str:
        if request.POST.get("to") == "on":
            people.reactivate(found, by=acting(request), request=request)
            return _("Switched on. Keys of before stay ended; new ones can be made.")
        people.deactivate(found, by=acting(request), request=request)
        return _("Switched off. Every key and running answer of this account has ended.")

    return done(request, deed, back=_address(found))


def _found(uuid: UUID) -> User:
    found = people_queries.person_for(uuid)
    if not found.is_service:
        raise Http404
    return found


def _address(account: User) -> str:
    return reverse("setup_accounts:program", args=[account.uuid])
