"""Letters in the administration: whether mail works at all, a test letter to oneself, and those that could not be sent."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.contrib import messages
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from accounts import audit, mail
from accounts.administration import administrator
from accounts.models import Mail, User

MOST = 100


@require_safe
@administrator("accounts.change_mail")
def overview(request: HttpRequest) -> HttpResponse:
    """How mail is set up, the last test letter, what waits and what failed."""
    failed = list(mail.failed()[: MOST + 1])
    context = {
        "configured": mail.mail_configured(),
        "sender": settings.DEFAULT_FROM_EMAIL,
        "test": Mail.objects.filter(kind="test", to=_user(request).email).order_by("-pk").first(),
        "waiting": mail.waiting().count(),
        "failed": failed[:MOST],
        "more": len(failed) > MOST,
    }
    return render(request, "setup/mail.html", context)


@require_POST
@administrator("accounts.change_mail")
def test(request: HttpRequest) -> HttpResponse:
    """A letter to whoever presses the button."""
    user = _user(request)
    with transaction.atomic():
        sent = mail.send("test", to=user.email, language=get_language() or "", context={"user": user})
        if sent is not None:
            audit.record("mail.tested", request=request)
    if sent is None and mail.mail_configured():
        messages.error(request, _("That were many test letters. Wait a while before the next one."))
    return HttpResponseRedirect(reverse("setup_accounts:mail"))


@require_POST
@administrator("accounts.change_mail")
def resend(request: HttpRequest, number: uuid.UUID) -> HttpResponse:
    """Tries a letter again that was given up."""
    letter = _letter(number)
    with transaction.atomic():
        done = mail.resend(letter)
        if done:
            audit.record("mail.resent", request=request, target=letter)
    if done:
        messages.success(request, _("It is on its way again."))
    else:
        messages.error(
            request,
            _("This letter cannot be sent again: its text is no longer kept. Send a new one from where it began."),
        )
    return HttpResponseRedirect(reverse("setup_accounts:mail"))


@require_POST
@administrator("accounts.change_mail")
def discard(request: HttpRequest, number: uuid.UUID) -> HttpResponse:
    """Takes a letter that was given up off the list."""
    letter = _letter(number)
    with transaction.atomic():
        if mail.discard(letter):
            audit.record("mail.discarded", request=request, target=letter)
    return HttpResponseRedirect(reverse("setup_accounts:mail"))


def _letter(number: uuid.UUID) -> Mail:
    letter = mail.failed().filter(uuid=number).first()
    if letter is None:
        raise Http404
    return letter


def _user(request: HttpRequest) -> User:
    assert isinstance(request.user, User)
    return request.user
