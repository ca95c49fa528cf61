"""What an administrator does for somebody who has lost a way in: a link to a new password, and taking a lost second factor away."""

from __future__ import annotations

import uuid

from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from accounts import audit, notices, one_time_links, openings, passwords, people, second_factor
from accounts.administration import administrator
from accounts.confirmation import confirmed
from accounts.models import Notice, OneTimeLink, Organisation, User
from accounts.refusals import NotPossible, Refused

MAY = "accounts.change_user"


@require_POST
@administrator(MAY)
@confirmed
def make_link(request: HttpRequest, number: uuid.UUID) -> HttpResponse:
    """The answer to the post is the only place where the link ever stands."""
    person, by = _person(request, number)
    if Organisation.get().sso_only:
        messages.error(request, _("Passwords are switched off here: this person signs in through the company."))
        return HttpResponseRedirect(_page(person))
    with transaction.atomic():
        _link, path = one_time_links.make(person, purpose=OneTimeLink.Purpose.PASSWORD, by=by)
        notices.tell(person, kind=Notice.Kind.LINK_MADE, by=by)
        audit.record("password.link_made", request=request, target=person)
    context = {"person": person, "address": passwords.absolute(path, request=request)}
    return render(request, "setup/one_time_link.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@administrator(MAY)
@confirmed
def reset_factor(request: HttpRequest, number: uuid.UUID) -> HttpResponse:
    """Asks once, then takes the second factor away and signs the person out everywhere."""
    person, by = _person(request, number)
    if request.method != "POST":
        context = {"person": person, "enrolled": second_factor.enrolled(person)}
        return render(request, "setup/reset_factor.html", context)
    if second_factor.reset(person, by=by, request=request):
        messages.success(request, _("Removed. The person is told, and signs in with the password alone the next time."))
    return HttpResponseRedirect(_page(person))


@require_POST
@administrator(MAY)
@confirmed
def opening_right(request: HttpRequest, number: uuid.UUID) -> HttpResponse:
    """Who may open conversations with a reason: administrators say so, of somebody else."""
    by = request.user
    assert isinstance(by, User)
    if not by.is_superuser:
        raise Refused
    person = get_object_or_404(User, uuid=number, is_service=False)
    try:
        if openings.set_right(person, by=by, on=request.POST.get("right") == "on", request=request):
            messages.success(request, _("Saved. It counts from the next request on."))
    except NotPossible as refused:
        messages.error(request, str(refused.message))
    return HttpResponseRedirect(_page(person))


def _person(request: HttpRequest, number: uuid.UUID) -> tuple[User, User]:
    """Whom, and who asks: staff is in reach of administrators only, and nobody does this to the own account."""
    by = request.user
    assert isinstance(by, User)
    person = get_object_or_404(User, uuid=number, is_active=True, is_service=False)
    if person.pk == by.pk or not people.in_reach(by, person=person):
        raise Refused
    return person, by


def _page(person: User) -> str:
    return reverse("setup_accounts:person", args=[person.uuid])
