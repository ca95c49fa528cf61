"""People in the administration: the list, a person's page, and the deeds on it. Rights are asked here, rules in accounts.people."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts import belongings, people, people_queries, registration, teams
from accounts.administration import administrator
from accounts.confirmation import confirmed
from accounts.models import Team, User
from accounts.people_forms import Joining, Leaving, NameAndEmail, Rights
from accounts.refusals import NotPossible

CHANGE = ("accounts.view_user", "accounts.change_user")


@require_safe
@administrator("accounts.view_user")
def people_list(request: HttpRequest) -> HttpResponse:
    """Everybody, page by page, narrowed by words and by what they are."""
    show = request.GET.get("show", "")
    show = show if show in people_queries.SHOWS else "active"
    text = request.GET.get("q", "").replace("\x00", "")[: people_queries.LONGEST]
    cursor = request.GET.get("after", "").replace("\x00", "")[:254]
    found = people_queries.find(text=text, show=show, cursor=cursor)
    shows = [(slug, words, slug == show) for slug, (words, _rows) in people_queries.SHOWS.items()]
    context = {
        "people": found.people,
        "next_cursor": found.next_cursor,
        "is_later": bool(cursor),
        "query": text,
        "show": show,
        "shows": shows,
        "waiting": people_queries.waiting(),
    }
    return render(request, "setup/people.html", context)


@require_safe
@administrator("accounts.view_user")
def person(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """One person: who it is, teams, rights, sign-in, keys, and the way out. A program has a page of its own."""
    found = people_queries.person_for(uuid)
    if found.is_service:
        return HttpResponseRedirect(page_of(found))
    return person_page(request, found)


def person_page(request: HttpRequest, found: User, *, status: int = 200, **bound: Any) -> HttpResponse:
    """The page; `bound` replaces a form by the one that was refused."""
    by = acting(request)
    may_change = by.has_perms(CHANGE) and people.in_reach(by, person=found)
    joinable = Team.objects.exclude(memberships__user=found)
    context = {
        "person": found,
        "may_change": may_change,
        "is_self": by.pk == found.pk,
        "may_set_rights": by.is_superuser and by.pk != found.pk,
        "named": NameAndEmail({"name": found.name, "email": found.email}),
        "rights": Rights(initial=Rights.of(found)),
        "joining": Joining(initial={"role": "member"}),
        "roles": teams.Role.choices,
    } | bound
    joining = context["joining"]
    assert isinstance(joining, Joining)
    joining.offer(joinable)
    return render(request, "setup/person.html", context, status=status)


@require_POST
@administrator(*CHANGE)
def rename(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Another name or e-mail. With another address the account is somebody else's, so she proves first who she is."""
    found = people_queries.person_for(uuid)
    form = NameAndEmail(request.POST)
    if not form.is_valid():
        return person_page(request, found, status=400, named=form)
    moves = form.cleaned_data["email"].strip().lower() != found.email
    return (confirmed(_rename) if moves else _rename)(request, found=found, given=form.cleaned_data)


def _rename(request: HttpRequest, *, found: User, given: dict[str, str]) -> HttpResponse:
    def deed() -> str | None:
        changed = people.rename(found, by=acting(request), name=given["name"], email=given["email"], request=request)
        return _("Saved.") if changed else None

    return done(request, deed, back=page_of(found))


@require_POST
@administrator(*CHANGE)
@confirmed
def set_rights(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Colleague, staff or administrator."""
    found = people_queries.person_for(uuid)
    form = Rights(request.POST)
    if not form.is_valid():
        return person_page(request, found, status=400, rights=form)
    role, bundles = form.cleaned_data["role"], form.cleaned_data["bundles"]

    def deed() -> str | None:
        changed = people.set_rights(
            found,
            by=acting(request),
            is_staff=role == "staff",
            is_superuser=role == "administrator",
            bundles=bundles,
            request=request,
        )
        return _("Saved. It counts from this person's next request on.") if changed else None

    return done(request, deed, back=page_of(found))


@require_POST
@administrator("accounts.view_user", "accounts.change_team")
def join(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Into a team, or another role in one."""
    found = people_queries.person_for(uuid)
    form = Joining(request.POST)
    form.offer(Team.objects.all())
    if not form.is_valid():
        return person_page(request, found, status=400, joining=form)
    team, role = form.cleaned_data["team"], form.cleaned_data["role"]

    def deed() -> str:
        teams.set_role(found, team=team, role=role, by=acting(request), request=request)
        return _("Saved. It counts from this person's next request on.")

    return done(request, deed, back=page_of(found))


@require_POST
@administrator("accounts.view_user", "accounts.change_team")
def membership(request: HttpRequest, uuid: UUID, team: UUID) -> HttpResponse:
    """Out of a team, or: this team pays."""
    found, group = people_queries.person_for(uuid), get_object_or_404(Team, uuid=team)

    def deed() -> str:
        if request.POST.get("do") == "pay":
            teams.let_pay(found, team=group, by=acting(request), request=request)
            return _("From now on %(team)s pays.") % {"team": group.name}
        teams.leave(found, team=group, by=acting(request), request=request)
        return _("No longer in %(team)s.") % {"team": group.name}

    return done(request, deed, back=page_of(found))


@require_POST
@administrator(*CHANGE)
def sign_out(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Ends every sign-in of the person."""
    found = people_queries.person_for(uuid)

    def deed() -> str:
        people.sign_out_everywhere(found, by=acting(request), request=request)
        return _("Signed out everywhere. API keys go on working.")

    return done(request, deed, back=page_of(found))


@require_http_methods(["GET", "HEAD", "POST"])
@administrator(*CHANGE)
def deactivate(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Shows what the person owns and asks who takes it over; then cuts everything."""
    found = people_queries.person_for(uuid)
    form = Leaving(request.POST if request.method == "POST" else None)
    if request.method != "POST" or not form.is_valid():
        context = {
            "person": found,
            "form": form,
            "belongings": belongings.of(found),
            "suggestions": people_queries.suggestions(),
        }
        return render(request, "setup/person_leaves.html", context, status=400 if request.method == "POST" else 200)

    def deed() -> str:
        people.deactivate(found, by=acting(request), heir=form.cleaned_data["heir"], request=request)
        return _("Switched off. Every sign-in, key and running answer of this account has ended.")

    return done(request, deed, back=page_of(found))


@require_POST
@administrator(*CHANGE)
def reactivate(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Lets the person in again."""
    found = people_queries.person_for(uuid)

    def deed() -> str:
        people.reactivate(found, by=acting(request), request=request)
        return _("Switched on. Keys and sign-ins of before stay ended; new ones can be made.")

    return done(request, deed, back=page_of(found))


@require_POST
@administrator("accounts.view_user", "accounts.add_user")
def approve(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Lets somebody in who registered, or declines: `do` is approve or decline."""
    found = people_queries.person_for(uuid)
    back = reverse("setup_accounts:people") + "?show=waiting"

    def deed() -> str:
        if request.POST.get("do") == "decline":
            told = registration.decline(found, by=acting(request), request=request)
            return _("Declined; a letter says so.") if told else _("Declined. No letter is sent: tell the person.")
        told = registration.approve(found, by=acting(request), request=request)
        return _("Let in; a letter says so.") if told else _("Let in. No letter is sent: tell the person.")

    return done(request, deed, back=back)


def acting(request: HttpRequest) -> User:
    """Whoever is signed in; the guard has let only people through."""
    assert isinstance(request.user, User)
    return request.user


def page_of(person: User) -> str:
    """Where the page of a person or of a program is."""
    return reverse(f"setup_accounts:{'program' if person.is_service else 'person'}", args=[person.uuid])


def done(request: HttpRequest, deed: Callable[[], str | Promise | None], *, back: str) -> HttpResponse:
    """Carries the deed out and says on the next page what came of it; None says nothing."""
    try:
        words = deed()
    except NotPossible as refused:
        messages.error(request, str(refused.message))
    else:
        if words:
            messages.success(request, str(words))
    return HttpResponseRedirect(back)
