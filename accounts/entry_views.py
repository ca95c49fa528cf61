"""Pages for whoever holds a link: a new password, one sign-in, a new address. Opening a link does nothing; its button does.

(Mail servers open links to look for malware.) A link that is over, used or unknown gets the same page.
"""

from __future__ import annotations

from allauth.account import signals
from django.contrib.auth import login, logout
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from accounts import audit, email_change, lockout, login_sessions, one_time_links, passwords, second_factor
from accounts.forms import ChosenPassword
from accounts.models import OneTimeLink, User

BACKEND = "accounts.backend.PasswordBackend"


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def one_time_link(request: HttpRequest, token: str) -> HttpResponse:
    """A link made by an administrator or on the server."""
    link = one_time_links.find(token)
    if link is None:
        return _over(request)
    if link.purpose == OneTimeLink.Purpose.RESCUE:
        return _rescue(request, link=link)
    form = ChosenPassword(request.POST or None, user=link.user)
    if request.method == "POST" and form.is_valid():
        if not _choose(request, link=link, password=form.cleaned_data["password1"]):
            return _over(request)
        return HttpResponseRedirect(reverse("account_reset_password_from_key_done"))
    return render(request, "account/one_time_password.html", {"form": form, "link": link})


def _choose(request: HttpRequest, *, link: OneTimeLink, password: str) -> bool:
    with transaction.atomic():
        if not one_time_links.use(link):
            return False
        passwords.change(link.user, password=password)
        if request.user.is_authenticated and request.user.pk != link.user.pk:
            logout(request)
        # As after a mailed link: told to whoever listens (accounts.sessions, the audit trail).
        signals.password_reset.send(sender=User, request=request, user=link.user)
    return True


def _rescue(request: HttpRequest, *, link: OneTimeLink) -> HttpResponse:
    """Signs in once, without password, code or company. What was lost is gone; a new password is the next page."""
    if request.method != "POST":
        return render(request, "account/rescue.html", {"link": link})
    user = link.user
    with transaction.atomic():
        if not one_time_links.use(link):
            return _over(request)
        second_factor.drop(user)
        login_sessions.end_all(user, because="rescued")
        User.objects.filter(pk=user.pk).update(password_expired=True)
        user.refresh_from_db()
        audit.record("rescue.used", request=request, target=user)
    if request.user.is_authenticated:
        logout(request)
    vars(request)[login_sessions.METHOD] = "rescue"
    lockout.forget(user)
    login(request, user, backend=BACKEND)
    return HttpResponseRedirect(reverse("account_change_password"))


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def new_address(request: HttpRequest, token: str) -> HttpResponse:
    """The link out of the new mailbox."""
    wish = email_change.read(token)
    if wish is None:
        return _over(request)
    if request.method != "POST":
        return render(request, "account/email_confirm.html", {"wish": wish})
    here = request.user.pk == wish.user.pk
    if not email_change.confirm(wish, request=request):
        return render(request, "account/email_taken.html", {"wish": wish}, status=409)
    if here:
        logout(request)
    return render(request, "account/email_changed.html", {"wish": wish})


def _over(request: HttpRequest) -> HttpResponse:
    return render(request, "account/link_over.html", status=410)
