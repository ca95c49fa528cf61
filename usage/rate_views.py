"""Exchange rates in the administration, and in which currency the organisation counts. Rates are entered or imported, never fetched."""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts import audit
from accounts.administration import administrator
from accounts.middleware import organisation_of
from accounts.refusals import NotPossible
from usage import moments, price_files, rates
from usage.models import ExchangeRate
from usage.price_forms import File, OwnCurrency, RateFields
from usage.price_views import MAY, as_file, file_page

ORGANISATION = "accounts.change_organisation"


@require_http_methods(["GET", "HEAD", "POST"])
@administrator(MAY)
def overview(request: HttpRequest) -> HttpResponse:
    """The rates in force, those to come and those before; a post enters one."""
    form = _form(request, bound=request.method == "POST")
    if request.method == "POST" and form.is_valid():
        given = form.cleaned_data
        try:
            rates.enter(given["currency"], given["rate"], starts=given["starts"], request=request)
        except NotPossible as refused:
            form.add_error("starts", str(refused.message))
        else:
            messages.success(request, _("Saved."))
            return HttpResponseRedirect(reverse("prices:rates"))
    return show(request, form=form)


def _form(request: HttpRequest, *, bound: bool) -> RateFields:
    organisation = organisation_of(request)
    wanted = tuple(rates.missing(organisation.currency))
    post = request.POST if bound else None
    return RateFields(post, into=organisation.currency, wanted=wanted, tz=moments.zone(organisation))


def show(request: HttpRequest, *, form: RateFields | None = None, upload: File | None = None) -> HttpResponse:
    """The page, with the forms as they were left."""
    into = organisation_of(request).currency
    in_force = rates.in_force(into)
    context = {
        "into": into,
        "rows": [(row, in_force.get(row.currency) == row) for row in rates.history(into)[:500]],
        "missing": rates.missing(into),
        "form": form or _form(request, bound=False),
        "upload": upload or File(),
        "own": OwnCurrency(now_in=into),
    }
    refused = upload is not None or (form is not None and bool(form.errors))
    return render(request, "setup/rates.html", context, status=422 if refused else 200)


@require_POST
@administrator(MAY)
def remove(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Takes back a rate that has not begun."""
    try:
        rates.remove(get_object_or_404(ExchangeRate, uuid=uuid), request=request)
    except NotPossible as refused:
        messages.error(request, str(refused.message))
    else:
        messages.success(request, _("Taken back."))
    return HttpResponseRedirect(reverse("prices:rates"))


@require_safe
@administrator(MAY)
def export(request: HttpRequest) -> HttpResponse:
    """Every rate as a file that can be edited and read again."""
    return as_file(price_files.export_rates(organisation_of(request)), name="exchange-rates")


@require_POST
@administrator(MAY)
def read_file(request: HttpRequest) -> HttpResponse:
    """First what a file would do; posted again from there, it is done."""
    return file_page(request, plan=price_files.plan_rates, here="prices:rates_file", back="prices:rates", refused=show)


@require_POST
@administrator(MAY, ORGANISATION)
def own_currency(request: HttpRequest) -> HttpResponse:
    """In which currency the organisation counts from now on. What was counted stays as it was."""
    organisation = organisation_of(request)
    form = OwnCurrency(request.POST, now_in=organisation.currency)
    if form.is_valid() and form.cleaned_data["currency"] != organisation.currency:
        changes: audit.Changes = {"currency": [organisation.currency, form.cleaned_data["currency"]]}
        with transaction.atomic():
            organisation.currency = form.cleaned_data["currency"]
            organisation.save(update_fields=["currency"])
            audit.record("organisation.changed", request=request, target=organisation, changes=changes)
        messages.success(request, _("Saved. What was counted before stays as it was."))
    return HttpResponseRedirect(reverse("prices:rates"))
