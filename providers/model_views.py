"""Models in the browser: choose which of a provider's are offered, name them, put them in order. For administrators only."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.conf import settings
from django.core.paginator import Paginator
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST

from accounts import audit, audit_changes
from accounts.administration import administrator
from providers import audience, choosing, failure_words, modes, prices, serving, trials, views
from providers.audience import Audience
from providers.failures import Failure
from providers.forms import Names, Shown
from providers.models import LanguageModel, ModelRoute, Provider
from providers.serving_forms import Further, Ways
from providers.views import CHANGE, circuit_of, found, show, to

MODELS = "providers.change_languagemodel"


@require_http_methods(["GET", "HEAD", "POST"])
@administrator(CHANGE, MODELS)
def choose(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Checkboxes for the provider's models: chat models first proposed, the others on request; a search, pages of 60."""
    provider = found(uuid)
    if request.method == "POST":
        return _chosen(request, provider)
    query = request.GET.get("q", "")[:100].replace("\x00", "").strip()
    everything = bool(request.GET.get("all"))
    routes = choosing.listed(provider, query=query, everything=everything)
    shown = Paginator(routes, choosing.PAGE).get_page(request.GET.get("page"))
    proposed, none = choosing.is_new(provider), bool(request.GET.get("none"))
    context: dict[str, Any] = {
        "provider": provider,
        "query": query,
        "everything": everything,
        "others": 0 if everything else provider.routes.count() - choosing.listed(provider).count(),
        "shown": shown,
        "rows": _rows(list(shown), proposed=proposed, none=none),
        "none": none,
        "is_new": proposed,
        "fixed": provider.source == Provider.Source.ENVIRONMENT and bool(settings.OPENAI_MODELS),
    }
    return render(request, "setup/choose.html", context)


def _rows(routes: list[ModelRoute], *, proposed: bool, none: bool) -> list[dict[str, Any]]:
    """The routes as the form shows them, with what they cost."""
    known = prices.in_force(routes)
    return [
        {
            "route": route,
            "on": not none and _selected(route, proposed=proposed),
            "price": known.get((route.model_id, route.provider_id)),
        }
        for route in routes
    ]


def _selected(route: ModelRoute, *, proposed: bool) -> bool:
    """On already, or proposed because it can chat and nobody has chosen yet."""
    on = route.enabled and route.model.enabled
    return on or (proposed and route.model.kind == LanguageModel.Kind.CHAT)


def _chosen(request: HttpRequest, provider: Provider) -> HttpResponse:
    shown = {int(pk) for pk in request.POST.get("shown", "").split(",") if pk.isdecimal() and len(pk) < 19}
    on = {int(pk) for pk in request.POST.getlist("on") if pk.isdecimal() and len(pk) < 19}
    with transaction.atomic():
        before = _on(provider)
        choosing.choose(provider, shown=shown, on=on & shown)
        after = _on(provider)
        changes: dict[str, list[Any]] = {}
        if before != after:
            changes["models"] = [sorted(before - after), sorted(after - before)]
        if request.POST.get("enable") and not provider.enabled:
            choosing.switch(provider, on=True)
            changes["enabled"] = [False, True]
        if changes:
            audit.record("provider.changed", request=request, target=provider, changes=changes)
    return HttpResponseRedirect(reverse("providers:overview"))


def _on(provider: Provider) -> set[str]:
    """The names of the models that colleagues get from it."""
    routes = provider.routes.filter(enabled=True, model__enabled=True)
    return set(routes.values_list("upstream_name", flat=True))


@require_POST
@administrator(CHANGE, MODELS)
def add_names(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Models typed by hand."""
    provider = found(uuid)
    form = Names(request.POST)
    if not form.is_valid():
        return show(request, provider, names=form)
    with transaction.atomic():
        choosing.add_by_name(provider, names=form.cleaned_data["names"])
        changes = {"models_known": [None, form.cleaned_data["names"]]}
        audit.record("provider.changed", request=request, target=provider, changes=changes)
    return to(provider)


@require_POST
@administrator(CHANGE, MODELS)
def fetch(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Asks the provider for its list again; what is new is off."""
    provider = found(uuid)
    try:
        count = trials.fetch_alone(provider)
    except Failure as failure:
        views.keep(request, provider, trials.Trial("failed", failure.kind.value, failure.status))
        return to(provider)
    views.keep(request, provider, trials.Trial("fetched" if count is not None else "busy", found=count or 0))
    return to(provider)


@require_http_methods(["GET", "HEAD", "POST"])
@administrator(CHANGE, MODELS)
def edit(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """What colleagues read about a model, and its limits."""
    model = get_object_or_404(LanguageModel.objects.prefetch_related("routes__provider"), uuid=uuid)
    form = Shown(request.POST or None, instance=model)
    if request.method == "POST" and form.is_valid():
        with transaction.atomic():
            form.instance.save(update_fields=list(form.fields))
            if changes := audit_changes.of_form(form):
                audit.record("model.changed", request=request, target=model, changes=changes)
        return HttpResponseRedirect(reverse("providers:overview"))
    return page(request, model, form=form)


def page(
    request: HttpRequest,
    model: LanguageModel,
    *,
    form: Shown | None = None,
    refused: Audience | None = None,
    further: Further | None = None,
    ways: Ways | None = None,
) -> HttpResponse:
    """All of a model, with the form that was refused as it was left."""
    routes = serving.in_order(model)
    known = prices.in_force(routes)
    others = further or Further(model=model)
    context = {
        "form": form or Shown(instance=model),
        "audience": refused or Audience.of(model),
        "model": model,
        "slug": model.slug,
        "routes": [{"route": route, "circuit": circuit_of(route.provider)} for route in routes],
        "further": others,
        "can_add": Provider.objects.exclude(routes__model=model).exists(),
        "adding": further is not None,
        "ways": ways or Ways.of(model),
        "modes": modes.of(model),
        "setting_ways": ways is not None,
        "trial": _taken(request, model),
        "prices": [(route, known.get((route.model_id, route.provider_id))) for route in routes],
    }
    status = 400 if refused else 422 if further or ways else 200
    return render(request, "setup/model.html", context, status=status)


SESSION_KEY = "model_trial"


def keep(request: HttpRequest, model: LanguageModel, trial: trials.Trial, *, provider: Provider, mode: str) -> None:
    """Leaves a test's result for the next page."""
    about = {"of": str(model.uuid), "at": provider.name, "provider": str(provider.uuid), "mode": mode}
    request.session[SESSION_KEY] = {**trial.to_json(), **about}


def _taken(request: HttpRequest, model: LanguageModel) -> dict[str, Any] | None:
    left = request.session.get(SESSION_KEY)
    if not isinstance(left, dict) or left.get("of") != str(model.uuid):
        return None
    del request.session[SESSION_KEY]
    if left["outcome"] == "failed":
        left["what"], left["advice"] = failure_words.explain(left["kind"])
    return left


@require_POST
@administrator(CHANGE, MODELS)
def restrict(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """For everybody, or for certain teams."""
    model = get_object_or_404(LanguageModel, uuid=uuid)
    form = Audience(request.POST)
    if not form.is_valid():
        return page(request, model, refused=form)
    audience.restrict(model, form=form, request=request)
    return HttpResponseRedirect(reverse("providers:overview"))


MOVES: dict[str, int | None] = {"up": -1, "down": 1, "default": None}


@require_POST
@administrator(CHANGE, MODELS)
def order(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Moves a model in the list, makes it the default, or takes it away from colleagues."""
    model = get_object_or_404(LanguageModel, uuid=uuid)
    what = request.POST.get("do", "")
    before = model.position, model.enabled
    with transaction.atomic():
        if what in MOVES:
            choosing.move(model, by=MOVES[what])
        elif what == "off":
            choosing.withdraw(model)
        model.refresh_from_db(fields=["position", "enabled"])
        pairs: dict[str, list[Any]] = {"position": [before[0], model.position], "enabled": [before[1], model.enabled]}
        if changes := {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}:
            audit.record("model.changed", request=request, target=model, changes=changes)
    return HttpResponseRedirect(reverse("providers:overview"))
