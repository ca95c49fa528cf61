"""What a person sets about herself, the language switch, and the two places where allauth's pages need a condition."""

from __future__ import annotations

from uuid import UUID

from allauth.account import views as allauth_views
from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils import translation
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from accounts import announcements, audit_views, house_rules, profile, teams
from accounts.middleware import organisation_of
from accounts.models import Announcement, User


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def my_settings(request: HttpRequest) -> HttpResponse:
    """Name, language, time zone, theme and default model."""
    assert isinstance(request.user, User)
    form = profile.Profile(request.POST or None, instance=User.objects.get(pk=request.user.pk))
    if request.method == "POST" and form.is_valid():
        profile.save(form, request=request)
        # Said in the new language, on a page in the new language.
        answer = HttpResponseRedirect(reverse("accounts:settings") + "?saved")
        if chosen := form.cleaned_data["language"]:
            _remember(answer, chosen)
        else:
            answer.delete_cookie(settings.LANGUAGE_COOKIE_NAME)
        return answer
    context = {"form": form, "saved": "saved" in request.GET, "managed": teams.managed_by(request.user)}
    context["trail"] = audit_views.latest(request.user)
    return render(request, "accounts/settings.html", context)


@login_required
def new_password(request: HttpRequest) -> HttpResponseBase:
    """allauth's page; who has no password (she signs in through the company) is told so instead of being led nowhere."""
    assert isinstance(request.user, User)
    if not request.user.has_usable_password():
        messages.info(request, _("You sign in through your company: there is no password to change."))
        return HttpResponseRedirect(reverse("accounts:settings"))
    response: HttpResponseBase = allauth_views.password_change(request)
    return response


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def rules(request: HttpRequest) -> HttpResponse:
    """The house rules, to read at any time. A POST notes that the rules shown were agreed to, and goes back; rules that
    changed meanwhile are asked for again there."""
    assert isinstance(request.user, User)
    if request.method != "POST":
        return render(request, "accounts/rules.html", {"rules": house_rules.present(organisation_of(request))})
    shown = request.POST.get("rules", "")
    house_rules.agree(request.user, shown=shown, organisation=organisation_of(request), request=request)
    back = request.POST.get("next", "")
    return HttpResponseRedirect(back if url_has_allowed_host_and_scheme(back, allowed_hosts=None) else "/")


@require_POST
@login_required
def announcement_read(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Puts an announcement away, for whoever does it alone; and goes back."""
    assert isinstance(request.user, User)
    announcements.put_away(get_object_or_404(Announcement, uuid=uuid), user=request.user)
    back = request.POST.get("next", "")
    return HttpResponseRedirect(back if url_has_allowed_host_and_scheme(back, allowed_hosts=None) else "/")


@require_POST
def language(request: HttpRequest) -> HttpResponse:
    """Switches the language: kept on the person, and in a cookie for whoever is not signed in."""
    chosen = request.POST.get("language", "")
    back = request.POST.get("next", "")
    if not url_has_allowed_host_and_scheme(back, allowed_hosts=None):
        back = "/"
    response = HttpResponseRedirect(back)
    if chosen in dict(settings.LANGUAGES):
        if isinstance(request.user, User):
            User.objects.filter(pk=request.user.pk).update(language=chosen)
        _remember(response, chosen)
        translation.activate(chosen)
    return response


def _remember(response: HttpResponse, language: str) -> None:
    """For whoever is not signed in, and for the page that follows signing out."""
    response.set_cookie(
        settings.LANGUAGE_COOKIE_NAME,
        language,
        max_age=365 * 24 * 3600,
        secure=settings.SESSION_COOKIE_SECURE,
        httponly=True,
        samesite="Lax",
    )


@require_http_methods(["GET", "HEAD", "POST"])
def forgotten(request: HttpRequest) -> HttpResponseBase:
    """Asks for a link by mail, or names whom to ask where no mail is configured."""
    sso_only = organisation_of(request).sso_only
    if sso_only or not settings.EMAIL_URL:
        return render(request, "account/no_mail.html", {"sso_only": sso_only})
    response: HttpResponseBase = allauth_views.password_reset(request)
    return response
