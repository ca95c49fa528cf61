"""How a model is asked, in the browser: its providers in order, a test of one, further fields and modes. For administrators only.

A test is the only thing here that waits for anybody (providers.trials: at most 10 s).
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.views.decorators.http import require_POST

from accounts import audit
from accounts.administration import administrator
from providers import bodies, model_views, modes, serving, trials
from providers.model_views import MODELS
from providers.models import LanguageModel, ModelRoute, Provider
from providers.serving_forms import Further, Ways
from providers.views import CHANGE


def _back(model: LanguageModel, part: str) -> HttpResponseRedirect:
    return HttpResponseRedirect(f"{reverse('providers:model', args=[model.uuid])}#{part}", status=303)


@require_POST
@administrator(CHANGE, MODELS)
def change(request: HttpRequest, uuid: UUID, provider: UUID) -> HttpResponse:
    """Up, down, on, off, or away."""
    model = get_object_or_404(LanguageModel, uuid=uuid)
    route = get_object_or_404(ModelRoute.objects.select_related("provider"), model=model, provider__uuid=provider)
    serving.change(model, provider=route.provider, what=request.POST.get("do", ""), request=request)
    return _back(model, "served")


@require_POST
@administrator(CHANGE, MODELS)
def add(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """A further provider, the last in the order."""
    model = get_object_or_404(LanguageModel, uuid=uuid)
    form = Further(request.POST, model=model)
    if not form.is_valid():
        return model_views.page(request, model, further=form)
    provider: Provider = form.cleaned_data["provider"]
    serving.add(model, provider=provider, name=form.cleaned_data["upstream_name"], request=request)
    return _back(model, "served")


@require_POST
@administrator(CHANGE, MODELS)
def test(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """One real small call to one of the model's providers, with its further fields and those of a mode."""
    model = get_object_or_404(LanguageModel, uuid=uuid)
    routes = serving.in_order(model)
    wanted = request.POST.get("provider", "")
    route = next((each for each in routes if str(each.provider.uuid) == wanted), routes[0] if routes else None)
    if route is not None:
        fields = modes.body(model, request.POST.get("mode", ""))
        trial = trials.run(route.provider, model=route.upstream_name, body=fields)
        model_views.keep(request, model, trial, provider=route.provider, mode=request.POST.get("mode", ""))
    return _back(model, "tested")


@require_POST
@administrator(CHANGE, MODELS)
def ways(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Further fields of every call, and the modes."""
    model = get_object_or_404(LanguageModel, uuid=uuid)
    form = Ways(request.POST)
    if not form.is_valid():
        return model_views.page(request, model, ways=form)
    after = {"body": form.cleaned_data["extra"], "modes": [mode.to_json() for mode in form.made]}
    with transaction.atomic():
        before = {"body": model.body, "modes": model.modes}
        LanguageModel.objects.filter(pk=model.pk).update(**after)
        changes = {
            _TOLD[name]: [_told(before[name]), _told(after[name])] for name in after if before[name] != after[name]
        }
        if changes:
            audit.record("model.changed", request=request, target=model, changes=changes)
    return _back(model, "ways")


_TOLD = {"body": "further_fields", "modes": "modes"}


def _told(value: Any) -> Any:
    """Fields as they are written; of modes the name and the fields."""
    if isinstance(value, list):
        return [f"{row.get('name', '')}: {bodies.written(row.get('body') or {})}".strip(": ") for row in value]
    return bodies.written(value)
