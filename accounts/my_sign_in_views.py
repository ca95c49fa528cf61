"""What a person sees and does about her own ways in: where she is signed in, her address, what was done to her account."""

from __future__ import annotations

import uuid

from django.contrib.auth import logout
from django.contrib.auth.decorators import login_required
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts import audit, devices, email_change, login_sessions, mail, notices
from accounts.confirmation import confirmed
from accounts.forms import NewAddress
from accounts.models import LoginSession, Organisation, User

MOST = 100


@require_safe
@login_required
def sign_ins(request: HttpRequest) -> HttpResponse:
    """Where you are signed in."""
    assert isinstance(request.user, User)
    here = login_sessions.current(request)
    rows = list(login_sessions.living(request.user)[:MOST])
    rows.sort(key=lambda row: str(row.uuid) != here)
    shown = [{"row": row, "device": devices.words(row.device), "here": str(row.uuid) == here} for row in rows]
    return render(request, "accounts/sign_ins.html", {"sign_ins": shown, "ended": "ended" in request.GET})


@require_POST
@login_required
def end_sign_in(request: HttpRequest, number: uuid.UUID) -> HttpResponse:
    """Ends one; the own one is a sign-out."""
    assert isinstance(request.user, User)
    user = request.user
    row = LoginSession.objects.filter(uuid=number, user=user).first()
    if row is None:
        raise Http404
    if str(row.uuid) == login_sessions.current(request):
        logout(request)
        return HttpResponseRedirect(reverse("account_login"))
    with transaction.atomic():
        if login_sessions.end(row, because="ended_by_owner"):
            changes = {"device": (devices.words(row.device), None)}
            audit.record("sign_in.cut", request=request, target=user, changes=changes)
    return HttpResponseRedirect(f"{reverse('accounts:sign_ins')}?ended")


@require_POST
@login_required
def end_all_sign_ins(request: HttpRequest) -> HttpResponse:
    """Signs out everywhere, here too."""
    assert isinstance(request.user, User)
    user = request.user
    with transaction.atomic():
        login_sessions.end_all(user, because="ended_by_owner")
        audit.record("person.signed_out", request=request, target=user)
    logout(request)
    return HttpResponseRedirect(reverse("account_login"))


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
@confirmed
def email(request: HttpRequest) -> HttpResponse:
    """Another address: a link goes to it."""
    assert isinstance(request.user, User)
    if Organisation.get().sso_only or not mail.mail_configured():
        return render(request, "account/email_off.html", {"sso_only": Organisation.get().sso_only})
    form = NewAddress(request.POST or None, user=request.user)
    if request.method == "POST" and form.is_valid():
        wanted = form.cleaned_data["email"]
        if email_change.ask(request.user, email=wanted, request=request):
            return render(request, "account/email_asked.html", {"email": wanted})
        return render(request, "account/email_enough.html", {"email": wanted}, status=429)
    return render(request, "account/email.html", {"form": form})


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def my_notices(request: HttpRequest) -> HttpResponse:
    """What somebody else did to her account; the button says that she has read it."""
    assert isinstance(request.user, User)
    back = (request.POST if request.method == "POST" else request.GET).get("next", "")
    if not url_has_allowed_host_and_scheme(back, allowed_hosts=None):
        back = reverse("home")
    unread = list(notices.unread(request.user))
    if request.method == "POST" or not unread:
        notices.read(request.user)
        return HttpResponseRedirect(back)
    return render(request, "accounts/notices.html", {"notices": unread, "next": back})
