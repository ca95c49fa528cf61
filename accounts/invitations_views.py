"""Where an invitation leads: one page from the link to the empty chat. For whoever holds the link; nobody else learns anything.

A link that is wrong, used, replaced, withdrawn or too old gets one and the same page.
"""

from __future__ import annotations

from typing import Any

from allauth.account.adapter import get_adapter
from allauth.account.internal.flows.login import record_authentication
from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils import translation
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from accounts import house_rules, invitations
from accounts.invitations_forms import Entering
from accounts.middleware import organisation_of
from accounts.models import Invitation, User
from accounts.refusals import NotPossible

# The link is a secret: of the page's address only the site's name goes to whatever is loaded or opened from it.
# ("no-referrer" would make the browser call its own form's origin "null", which the CSRF check refuses.)
REFERRER = "strict-origin"


@never_cache
@sensitive_post_parameters("password1", "password2")
@require_http_methods(["GET", "HEAD", "POST"])
def accept(request: HttpRequest, token: str) -> HttpResponse:
    """The form, and the account that it makes."""
    invitation = invitations.find(token)
    with translation.override(_language(request, invitation=invitation)):
        response = _accept(request, invitation=invitation)
    response["Referrer-Policy"] = REFERRER
    return response


def _language(request: HttpRequest, *, invitation: Invitation | None) -> str:
    """The language that the inviter chose, unless one was chosen in this browser."""
    wanted = invitation.language if invitation and settings.LANGUAGE_COOKIE_NAME not in request.COOKIES else ""
    return wanted or translation.get_language() or settings.LANGUAGE_CODE


def _accept(request: HttpRequest, *, invitation: Invitation | None) -> HttpResponse:
    if invitation is None:
        return render(request, "accounts/invitation_over.html", status=404)
    if isinstance(request.user, User):
        return render(request, "accounts/invitation_other.html", {"invitation": invitation}, status=409)
    invitations.hold(request, invitation)
    form = _form(request, invitation=invitation)
    refused: NotPossible | None = None
    if request.method == "POST" and not organisation_of(request).sso_only and form.is_valid():
        try:
            return _come_in(request, invitation=invitation, given=form.cleaned_data)
        except NotPossible as problem:
            refused = problem
    return _page(request, invitation=invitation, form=form, refused=refused)


def _page(request: HttpRequest, *, invitation: Invitation, form: Entering, refused: NotPossible | None) -> HttpResponse:
    if refused is not None and refused.code == "invitation_over":
        return render(request, "accounts/invitation_over.html", status=404)
    organisation = organisation_of(request)
    context = {
        "invitation": invitation,
        "form": form,
        "refused": refused,
        "rules": house_rules.present(organisation),
        "passwords": not organisation.sso_only,
    }
    return render(request, "accounts/invitation.html", context, status=409 if refused else 200)


def _form(request: HttpRequest, *, invitation: Invitation) -> Entering:
    initial = {
        "name": invitation.name,
        "language": invitation.language or translation.get_language(),
        "time_zone": invitation.time_zone,
    }
    has_rules = house_rules.present(organisation_of(request)) is not None
    return Entering(request.POST or None, initial=initial, email=invitation.email, has_rules=has_rules)


def _come_in(request: HttpRequest, *, invitation: Invitation, given: dict[str, Any]) -> HttpResponse:
    """Makes the account and signs it in: the next page is the empty chat. Raises NotPossible."""
    # Rules that changed while the page was open are asked for again before the first message.
    shown, agrees = request.POST.get("rules", ""), bool(given.get("agrees"))
    newcomer = invitations.Newcomer(
        name=given["name"],
        language=given["language"],
        time_zone=given["time_zone"],
        password=given["password1"],
        house_rules_read=house_rules.agreement(organisation_of(request), agrees=agrees, shown=shown),
    )
    user = invitations.accept(invitation, newcomer=newcomer, request=request)
    record_authentication(request, user, method="password", email=user.email)
    get_adapter(request).login(request, user)
    return HttpResponseRedirect(reverse("home"))
