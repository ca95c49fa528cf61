"""What is done about months: closing one, entering an invoice, the rules. Rights are asked here; deeds stand in usage."""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from accounts import clock
from accounts.administration import administrator
from accounts.middleware import organisation_of
from accounts.models import User
from accounts.refusals import NotPossible
from chat import running
from portal import month_letters, month_tables, month_words, months
from portal.month_forms import Asked
from portal.months import MAY, MAY_CLOSE, found, sheet_of
from providers import money
from providers.models import Provider
from usage import invoices, moments, month_closing
from usage.invoices import Compared
from usage.limit_models import NOBODY
from usage.months import Month


@require_http_methods(["GET", "HEAD", "POST"])
@administrator(MAY, MAY_CLOSE)
def close(request: HttpRequest, month: str) -> HttpResponse:
    """Asks once, then closes the month; while it cannot be closed, says why."""
    there, tz = found(request, month)
    page = reverse("months:month", args=[there.name])
    if there.closed is not None:
        messages.success(request, _("This month is closed already."))
        return HttpResponseRedirect(page)
    still = running.begun_before(there.ends_at)
    if request.method == "POST":
        assert isinstance(request.user, User)
        zone = moments.zone(organisation_of(request))
        try:
            _row, is_new = month_closing.close(there.first, tz=zone, by=request.user, running=still, request=request)
        except NotPossible as refused:
            messages.error(request, str(refused.message))
            return HttpResponseRedirect(page)
        done = _("Closed. What stands here stays as it is.") if is_new else _("This month is closed already.")
        messages.success(request, done)
        return HttpResponseRedirect(page)
    sheet = sheet_of(request, there, team=None, tz=tz)
    context = {
        "month": there,
        "title": month_words.title(there.first),
        "page": page,
        "refused": _why_not(there, still=still),
        "sums": sheet.report.sums,
        "total": money.rounded(sheet.report.sums.total_micro, sheet.currency),
        "open_invoices": sum(each.model == NOBODY and each.invoice is None for each in sheet.compared),
    }
    return render(request, "months/close.html", context)


def _why_not(there: Month, *, still: int) -> str:
    try:
        month_closing.refuse(there, now=clock.now(), running=still)
    except NotPossible as refused:
        return str(refused.message)
    return ""


@require_http_methods(["GET", "HEAD", "POST"])
@administrator(MAY, MAY_CLOSE)
def invoice(request: HttpRequest, month: str, provider: UUID, model: UUID) -> HttpResponse:
    """What a provider asked for in the month, for one model or (the model's number is zeros) for all of them."""
    there, tz = found(request, month)
    sheet = sheet_of(request, there, team=None, tz=tz)
    each = next((row for row in sheet.compared if (row.provider, row.model) == (provider, model)), None)
    names = _names(each, sheet, provider=provider, model=model)
    each = each or Compared(provider, model, {})
    currencies = [each.currency] if each.currency else []
    currencies += [*each.counted, sheet.currency]
    initial = {"amount": money.to_text(each.invoice.amount_micro) if each.invoice else "", "currency": currencies[0]}
    form = Asked(request.POST if request.method == "POST" else None, currencies=currencies, initial=initial)
    page = reverse("months:month", args=[there.name])
    if request.method == "POST" and form.is_valid():
        assert isinstance(request.user, User)
        invoices.enter(
            there.first, provider=(provider, names[0]), model=(model, names[1]), amount_micro=form.cleaned_data["amount"],
            currency=form.cleaned_data["currency"], by=request.user, request=request,
        )  # fmt: skip
        messages.success(request, _("Saved."))
        return HttpResponseRedirect(f"{page}#h-invoices")
    context = {
        "title": month_words.title(there.first),
        "page": page,
        "form": form,
        "provider": names[0],
        "model": names[1],
        "invoice": each.invoice,
        "counted": month_tables.several(each.counted).text,
        "unpriced": each.unpriced,
    }
    return render(request, "months/invoice.html", context, status=422 if form.errors else 200)


def _names(each: Compared | None, sheet: month_tables.Sheet, *, provider: UUID, model: UUID) -> tuple[str, str]:
    """How provider and model are called; 404 for a pair that nothing can be entered for."""
    if each is not None:
        return month_tables.provider_of(sheet, each), "" if model == NOBODY else month_tables.model_of(sheet, each)
    name = Provider.objects.filter(uuid=provider).values_list("name", flat=True).first()
    if name is None or model != NOBODY:
        raise Http404
    return name, ""


@require_POST
@administrator(MAY, MAY_CLOSE)
def rules(request: HttpRequest) -> HttpResponse:
    """When months close by themselves, and who is sent the report."""
    form = month_letters.form(request.POST)
    if not form.is_valid():
        return months.list_page(request, form=form)
    assert isinstance(request.user, User)
    month_letters.save(form.cleaned_data, by=request.user, request=request)
    messages.success(request, _("Saved."))
    return HttpResponseRedirect(reverse("months:overview"))
