"""Alerts in the administration: what is not well now, whom it is told, what was sent, and what could not be."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from accounts import audit, clock, sealing
from accounts.administration import administrator
from portal import alert_sending, alert_words, alerts
from portal.alert_forms import WhomToTell
from portal.models import Alert, AlertMessage, AlertSettings

MAY = "portal.change_alertsettings"
FIELDS = ("emails", "webhook_url", "quiet_minutes", "error_percent", "queue_s")
MOST = 30


@require_http_methods(["GET", "HEAD", "POST"])
@administrator(MAY)
def overview(request: HttpRequest) -> HttpResponse:
    """The page; posted, whom to tell is saved."""
    row = alerts.settings_row()
    form = WhomToTell(
        request.POST if request.method == "POST" else None, initial={name: getattr(row, name) for name in FIELDS}
    )
    if request.method == "POST" and form.is_valid():
        save(row, form.cleaned_data, request=request)
        messages.success(request, _("Saved."))
        return HttpResponseRedirect(reverse("alerts:overview"))
    sent = AlertMessage.objects.select_related("alert").order_by("-pk")[:MOST]
    context = {
        "form": form,
        "open": [
            (row, alert_words.of(row), alert_words.way(row))
            for row in Alert.objects.filter(closed_at=None).order_by("-pk")
        ],
        "sent": [(row, alert_words.of_message(row)) for row in sent],
        "has_secret": bool(row.webhook_secret),
        "tells": bool(row.emails or row.webhook_url),
    }
    return render(request, "setup/alerts.html", context, status=422 if form.errors else 200)


def save(row: AlertSettings, given: dict[str, Any], *, request: HttpRequest) -> None:
    """Writes the row and tells the audit trail what it was before; of a secret only that there is another one."""
    changes = {name: (getattr(row, name), given[name]) for name in FIELDS if getattr(row, name) != given[name]}
    for name in FIELDS:
        setattr(row, name, given[name])
    if given["secret"]:
        row.webhook_secret = sealing.seal(given["secret"], purpose=alert_sending.PURPOSE)
        changes["signature"] = (None, _("another one"))
    if not changes:
        return
    with transaction.atomic():
        row.save()
        audit.record("alerts.changed", request=request, changes=changes)


@require_POST
@administrator(MAY)
def test(request: HttpRequest) -> HttpResponse:
    """A test to everybody whom alerts go to, at once: what comes of it stands in the list."""
    row = alerts.test(now=clock.now())
    if not row.messages.exists():
        messages.error(request, _("Nobody is told yet: enter an address first."))
    else:
        alert_sending.send_due()
        failed = row.messages.exclude(state=AlertMessage.State.SENT).count()
        if failed:
            messages.error(request, _("Not every message could be sent. The list says why; they are tried again."))
        else:
            messages.success(request, _("The test was sent."))
    return HttpResponseRedirect(reverse("alerts:overview"))


@require_POST
@administrator(MAY)
def again(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Sends a message again that was given up."""
    row = get_object_or_404(AlertMessage, uuid=uuid)
    if alert_sending.again(row):
        messages.success(request, _("It is on its way again."))
    return HttpResponseRedirect(reverse("alerts:overview"))
