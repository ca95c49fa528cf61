"""Invitations in the administration: one, a file of them, again, withdrawn; and the domains that may register.

A link is shown once, on the page that answers the post; what was mailed is not shown at all.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from accounts import audit, invitations, invitations_csv, mail
from accounts.administration import administrator
from accounts.csv_file import Unreadable
from accounts.invitations_csv import Line
from accounts.middleware import organisation_of
from accounts.models import Invitation, Organisation
from accounts.people_forms import Domains, Guest, Upload
from accounts.refusals import NotPossible
from accounts.setup_people import acting, done

PAGE = 50


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@administrator("accounts.add_user")
def invitation_list(request: HttpRequest) -> HttpResponse:
    """The form for one, and the list with its states."""
    by = acting(request)
    form = Guest(
        request.POST if request.method == "POST" else None, may_choose_team=by.has_perm("accounts.change_team")
    )
    if request.method == "POST" and form.is_valid():
        try:
            sent = invitations.invite(form.guest(), by=by, request=request, days=form.cleaned_data["days"])
        except NotPossible as refused:
            form.add_error("email", str(refused.message))
        else:
            return shown_once(request, sent)
    return _page(request, form=form)


def _page(request: HttpRequest, *, status: int = 200, **given: Any) -> HttpResponse:
    by = acting(request)
    may_choose_team = by.has_perm("accounts.change_team")
    shown = Paginator(invitations.listed(), PAGE).get_page(request.GET.get("page"))
    organisation = organisation_of(request)
    context = {
        "form": Guest(may_choose_team=may_choose_team),
        "upload": Upload(),
        "shown": shown,
        "rows": [(row, invitations.state_of(row)) for row in shown],
        "mailed": mail.mail_configured(),
        "may_choose_team": may_choose_team,
        "domains": Domains(instance=organisation) if by.has_perm("accounts.change_organisation") else None,
    } | given
    return render(request, "setup/invitations.html", context, status=status)


def shown_once(request: HttpRequest, sent: invitations.Sent) -> HttpResponse:
    """After one invitation: back to the list when it was mailed, else the link to copy."""
    if not sent.mailed:
        return render(request, "setup/invitation_made.html", {"sent": sent, "mailed": mail.mail_configured()})
    messages.success(request, _("The invitation is on its way to %(email)s.") % {"email": sent.invitation.email})
    return HttpResponseRedirect(reverse("setup_accounts:invitations"))


@never_cache
@require_POST
@administrator("accounts.add_user")
def upload(request: HttpRequest) -> HttpResponse:
    """A file with one guest a line; the answer says what came of each line."""
    by = acting(request)
    form = Upload(request.POST, request.FILES)
    if not form.is_valid():
        return _page(request, status=400, upload=form)
    file = form.cleaned_data["file"]
    try:
        lines = invitations_csv.read(file.read(invitations_csv.MOST_BYTES + 1))
    except Unreadable as problem:
        form.add_error("file", str(problem.message))
        return _page(request, status=400, upload=form)
    report = invitations_csv.invite_all(
        lines,
        by=by,
        request=request,
        days=form.cleaned_data["days"],
        may_choose_team=by.has_perm("accounts.change_team"),
    )
    return render(request, "setup/invitations_report.html", _counted(report))


def _counted(report: list[Line]) -> dict[str, Any]:
    made = [line for line in report if line.sent]
    known = [line for line in report if line.code in ("colleague", "invited", "waits", "deactivated")]
    return {
        "report": report,
        "made": len(made),
        "known": len(known),
        "wrong": len(report) - len(made) - len(known),
        "links": any(line.sent and not line.sent.mailed for line in report),
    }


@never_cache
@require_POST
@administrator("accounts.add_user")
def again(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """A new link (`do=resend`), or none any more (`do=revoke`)."""
    row = get_object_or_404(Invitation, uuid=uuid)
    if request.POST.get("do") == "revoke":

        def deed() -> str:
            invitations.revoke(row, by=acting(request), request=request)
            return _("Withdrawn. The link of %(email)s no longer works.") % {"email": row.email}

        return done(request, deed, back=reverse("setup_accounts:invitations"))
    try:
        sent = invitations.resend(row, by=acting(request), request=request)
    except NotPossible as refused:
        messages.error(request, str(refused.message))
        return HttpResponseRedirect(reverse("setup_accounts:invitations"))
    return shown_once(request, sent)


@require_POST
@administrator("accounts.add_user", "accounts.change_organisation")
def domains(request: HttpRequest) -> HttpResponse:
    """Whose people may register by themselves."""
    organisation = Organisation.get()
    before = organisation.open_domains
    form = Domains(request.POST, instance=organisation)
    if not form.is_valid():
        return _page(request, status=400, domains=form)
    organisation.save(update_fields=["open_domains"])
    if organisation.open_domains != before:
        changes = {"open_domains": (before, organisation.open_domains)}
        audit.record("organisation.changed", request=request, target=organisation, changes=changes)
    messages.success(request, _("Saved."))
    return HttpResponseRedirect(reverse("setup_accounts:invitations"))
