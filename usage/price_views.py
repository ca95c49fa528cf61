"""Prices in the administration: what each model costs at each provider, from when on; what nobody knows; files.

Rights are asked here; deeds stand in providers.prices and usage.price_files. The past can be seen and not touched.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.administration import administrator
from accounts.csv_file import Unreadable
from accounts.middleware import organisation_of
from accounts.refusals import NotPossible
from providers import prices
from providers.models import ModelRoute, Price
from usage import moments, price_files, rates
from usage.metrics import unknown_calls
from usage.price_files import Line
from usage.price_forms import File, PriceFields

MAY = "providers.change_provider"
PAGE = 60
LONGEST = 100
MOST_UNPRICED = 50


@require_safe
@administrator(MAY)
def overview(request: HttpRequest) -> HttpResponse:
    """What has no price, and every model with what it costs now."""
    return show(request)


def show(request: HttpRequest, *, upload: File | None = None) -> HttpResponse:
    """The page; `upload` is a form that was refused."""
    ours = organisation_of(request).currency
    query = request.GET.get("q", "").replace("\x00", "").strip()[:LONGEST]
    everything = bool(query or request.GET.get("all"))
    shown = Paginator(prices.pairs(query, only_on=not everything), PAGE).get_page(request.GET.get("page"))
    routes = list(shown)
    in_force, to_come = prices.in_force(routes), prices.to_come(routes)
    unpriced = list(prices.unpriced()[:MOST_UNPRICED])
    calls = unknown_calls(route.model.uuid for route in unpriced) if unpriced else {}
    context = {
        "query": query,
        "everything": everything,
        "shown": shown,
        "rows": [_row(route, in_force=in_force, to_come=to_come) for route in routes],
        "unpriced": [(route, calls.get(route.model.uuid, 0)) for route in unpriced],
        "missing": rates.missing(ours),
        "currency": ours,
        "upload": upload or File(),
    }
    return render(request, "setup/prices.html", context, status=422 if upload else 200)


def _row(route: ModelRoute, *, in_force: dict[prices.Key, Price], to_come: dict[prices.Key, Price]) -> dict[str, Any]:
    key = (route.model_id, route.provider_id)
    on = route.enabled and route.provider.enabled and route.model.enabled
    return {"route": route, "on": on, "price": in_force.get(key), "next": to_come.get(key)}


@require_POST
@administrator(MAY)
def fill(request: HttpRequest) -> HttpResponse:
    """The price list's prices for models that never had one; what has one is not touched."""
    done = left = 0
    for route in prices.unpriced()[:MOST_UNPRICED]:
        if prices.fill(route, request=request):
            done += 1
        else:
            left += 1
    if done:
        messages.success(request, ngettext("%d price was filled in.", "%d prices were filled in.", done) % done)
    if left:
        text = ngettext("%d model is not in the price list.", "%d models are not in the price list.", left) % left
        messages.error(request, text)
    return HttpResponseRedirect(reverse("prices:overview"))


@require_http_methods(["GET", "HEAD", "POST"])
@administrator(MAY)
def pair(request: HttpRequest, model: UUID, provider: UUID) -> HttpResponse:
    """One model at one provider: its history, and a new price. `?list`: the form holds what the price list says."""
    routes = ModelRoute.objects.select_related("model", "provider")
    route = get_object_or_404(routes, model__uuid=model, provider__uuid=provider)
    history = list(prices.history(route)[:200])
    begun = next((price for price in history if not price.is_future), None)
    offer = prices.offered(route)
    initial = _initial(request, begun=begun, offer=offer)
    known = (begun.currency if begun else "", offer.currency if offer else "", organisation_of(request).currency)
    tz = moments.zone(organisation_of(request))
    form = PriceFields(request.POST if request.method == "POST" else None, initial=initial, known=known, tz=tz)
    if request.method == "POST" and form.is_valid():
        try:
            draft = form.draft()
            if offer is not None and prices.same_amounts(offer, draft):
                draft = form.draft(offer.origin)
            made = prices.enter(route, draft, request=request)
        except NotPossible as refused:
            form.add_error("starts", str(refused.message))
        else:
            messages.success(
                request, _("Saved. It is in force.") if not made.is_future else _("Saved. It begins on its date.")
            )
            return HttpResponseRedirect(request.path)
    context = {
        "route": route,
        "begun": begun,
        "coming": [price for price in history if price.is_future],
        "before": [price for price in history if not price.is_future and price != begun],
        "offer": None
        if offer is None or prices.same(begun, offer)
        else Price(currency=offer.currency, **offer.amounts),
        "form": form,
        "zone": tz.key,
    }
    return render(request, "setup/price.html", context, status=422 if form.errors else 200)


def _initial(request: HttpRequest, *, begun: Price | None, offer: prices.Draft | None) -> dict[str, Any]:
    if offer is not None and ("list" in request.GET or begun is None):
        return {"currency": offer.currency, **offer.amounts}
    if begun is not None:
        return {"currency": begun.currency, **prices.amounts_of(begun)}
    return {"currency": organisation_of(request).currency}


@require_POST
@administrator(MAY)
def remove(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Takes back a price that has not begun."""
    price = get_object_or_404(Price.objects.select_related("model", "provider"), uuid=uuid)
    try:
        prices.remove(price, request=request)
    except NotPossible as refused:
        messages.error(request, str(refused.message))
    else:
        messages.success(request, _("Taken back."))
    return HttpResponseRedirect(reverse("prices:pair", args=[price.model.uuid, price.provider.uuid]))


@require_safe
@administrator(MAY)
def export(request: HttpRequest) -> HttpResponse:
    """Every price as a file that can be edited and read again."""
    return as_file(price_files.export_prices(organisation_of(request)), name="prices")


@require_POST
@administrator(MAY)
def read_file(request: HttpRequest) -> HttpResponse:
    """First what a file would do; posted again from there, it is done."""
    return file_page(request, plan=price_files.plan_prices, here="prices:file", back="prices:overview", refused=show)


def as_file(body: bytes, *, name: str) -> HttpResponse:
    """A CSV file to keep."""
    answer = HttpResponse(body, content_type="text/csv; charset=utf-8")
    answer["Content-Disposition"] = f'attachment; filename="{name}-{timezone.localdate()}.csv"'
    return answer


def file_page(
    request: HttpRequest,
    *,
    plan: Callable[..., list[Line]],
    here: str,
    back: str,
    refused: Callable[..., HttpResponse],
) -> HttpResponse:
    """Looks at a file (`file`), or takes one that was looked at (`text`), as far as it still means the same."""
    form = File(request.POST, request.FILES)
    if not form.is_valid():
        return refused(request, upload=form)
    file, text = form.cleaned_data["file"], form.cleaned_data["text"]
    content = file.read(price_files.MOST_BYTES + 1) if file else text.encode()
    try:
        lines = plan(content, organisation_of(request))
        if not file:
            done = price_files.take(lines, request=request)
            messages.success(request, ngettext("%d line was taken.", "%d lines were taken.", done) % done)
            return HttpResponseRedirect(reverse(back))
    except Unreadable as problem:
        form.add_error("file", str(problem.message))
        return refused(request, upload=form)
    except NotPossible as problem:
        form.add_error("file", str(problem.message))
        return refused(request, upload=form)
    count = {outcome: sum(line.outcome == outcome for line in lines) for outcome in ("new", "same", "wrong")}
    context = {
        "lines": lines,
        "count": count,
        "text": price_files.as_text(content),
        "here": reverse(here),
        "back": reverse(back),
    }
    return render(request, "setup/price_file.html", context)
