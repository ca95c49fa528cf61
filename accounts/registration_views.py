"""Registering by oneself, where domains are open: the form, the confirmation by a letter, and "waits for approval".

Strangers see the same answer for every address of those domains; everywhere else the page says who makes accounts.
"""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_safe

from accounts import house_rules, mail, registration
from accounts.invitations_forms import Confirming, Registering
from accounts.invitations_views import REFERRER
from accounts.middleware import organisation_of
from accounts.models import Organisation, User
from accounts.refusals import NotPossible


@never_cache
@sensitive_post_parameters("password1", "password2")
@require_http_methods(["GET", "HEAD", "POST"])
def register(request: HttpRequest) -> HttpResponse:
    """The form; or, while no domain is open, who makes accounts."""
    organisation = organisation_of(request)
    domains = registration.domains(organisation)
    if not domains or organisation.sso_only:
        return render(request, "account/signup_closed.html", status=403)
    if isinstance(request.user, User):
        return HttpResponseRedirect(settings.LOGIN_REDIRECT_URL)
    form = Registering(request.POST or None, has_rules=house_rules.present(organisation) is not None)
    problem: NotPossible | None = None
    if request.method == "POST" and form.is_valid():
        if not registration.may(form.cleaned_data["email"], organisation=organisation):
            problem = NotPossible(
                "domain", _("Only addresses at %(domains)s may register here.") % {"domains": ", ".join(domains)}
            )
        else:
            problem = _asked(request, given=form.cleaned_data, organisation=organisation)
            if problem is None:
                return HttpResponseRedirect(reverse("account_registered"))
    context = {
        "form": form,
        "problem": problem,
        "domains": domains,
        "rules": house_rules.present(organisation),
    }
    status = 429 if problem and problem.code == "too_many_tries" else 200
    return render(request, "accounts/register.html", context, status=status)


def _asked(request: HttpRequest, *, given: dict[str, Any], organisation: Organisation) -> NotPossible | None:
    shown, agrees = request.POST.get("rules", ""), bool(given.get("agrees"))
    applicant = registration.Applicant(
        email=given["email"],
        name=given["name"],
        password=given["password1"],
        time_zone=given["time_zone"],
        house_rules_read=house_rules.agreement(organisation, agrees=agrees, shown=shown),
    )
    try:
        registration.ask(applicant, request=request)
    except NotPossible as problem:
        return problem
    return None


@never_cache
@require_safe
def registered(request: HttpRequest) -> HttpResponse:
    """The one answer to everybody who registered."""
    return render(request, "accounts/registered.html", {"by_mail": mail.mail_configured()})


@never_cache
@sensitive_post_parameters("password")
@require_http_methods(["GET", "HEAD", "POST"])
def confirm(request: HttpRequest, token: str) -> HttpResponse:
    """Where the letter leads: the password of the form once more, then an administrator decides."""
    response = _confirm(request, token=token)
    response["Referrer-Policy"] = REFERRER
    return response


def _confirm(request: HttpRequest, *, token: str) -> HttpResponse:
    row = registration.find(token)
    if row is None:
        return render(request, "accounts/registration_over.html", status=404)
    form = Confirming(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            if registration.confirm(row, password=form.cleaned_data["password"], request=request):
                return HttpResponseRedirect(reverse("account_waits"))
        except NotPossible:
            return render(request, "accounts/registration_over.html", status=404)
        form.add_error("password", _("This is not the password of the registration."))
    return render(request, "accounts/registration_confirm.html", {"form": form, "row": row})


@never_cache
@require_safe
def waits(request: HttpRequest) -> HttpResponse:
    """Waits for approval: all that somebody sees who has registered and has not been let in yet."""
    return render(request, "accounts/waits.html")
