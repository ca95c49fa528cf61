"""Providers in the browser: connect one, test it, change its key, turn it on or off. Pages for administrators only.

A test is the only thing here that waits for anybody (providers.trials: at most 10 s). No key is ever shown again.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError, transaction
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.translation import gettext
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts import audit, audit_changes
from accounts.administration import administrator
from providers import breaker, choosing, failure_words, keys, presets, prices, trials
from providers.endpoints import endpoint_for
from providers.failures import Failure
from providers.forms import Connection, Names, NextKey
from providers.models import Provider, ProviderState

CHANGE = "providers.change_provider"
ADD = "providers.add_provider"
SESSION_KEY = "provider_trial"
Source = Provider.Source


def address_of(provider: Provider) -> str:
    """Where it is called; for one from the environment what the environment says."""
    try:
        return provider.base_url or endpoint_for(provider).base_url
    except Failure:
        return provider.base_url


def key_hint_of(provider: Provider) -> str:
    """The key's last four characters, as far as they may be shown."""
    if provider.source == Source.ENVIRONMENT:
        return keys.hint(settings.OPENAI_API_KEY)
    return provider.key_hint


def circuit_of(provider: Provider) -> dict[str, Any]:
    """The circuit in words: `open` when nothing is sent to it now, and why."""
    state: ProviderState | None = getattr(provider, "state", None)
    if state is None or state.circuit == ProviderState.Circuit.CLOSED:
        return {"open": False}
    return {"open": True, "why": failure_words.explain(state.reason)[0], "retry_at": state.retry_at}


def found(uuid: UUID) -> Provider:
    """The provider with its counts. Raises Http404."""
    return get_object_or_404(choosing.overview(), uuid=uuid)


def to(provider: Provider) -> HttpResponseRedirect:
    return HttpResponseRedirect(reverse("providers:provider", args=[provider.uuid]))


@require_safe
@administrator(CHANGE)
def overview(request: HttpRequest) -> HttpResponse:
    """The models that colleagues see, in their order, and the providers behind them."""
    providers = [
        {"row": each, "address": address_of(each), "key": key_hint_of(each), "circuit": circuit_of(each)}
        for each in choosing.overview()
    ]
    context = {"models": list(choosing.offered()), "providers": providers, "unpriced": prices.unpriced().count()}
    return render(request, "setup/models.html", context)


@require_safe
@administrator(CHANGE, ADD)
def choose_preset(request: HttpRequest) -> HttpResponse:
    """Which service?"""
    return render(request, "setup/presets.html", {"presets": presets.PRESETS})


@require_http_methods(["GET", "HEAD", "POST"])
@administrator(CHANGE, ADD)
def connect(request: HttpRequest, slug: str) -> HttpResponse:
    """Name, address and key of a new provider; saving it tests it. It is off until models are chosen."""
    preset = presets.preset_for(slug)
    if preset is None:
        raise Http404
    provider = Provider(name=preset.name, base_url=preset.base_url, enabled=False, dialect=dict(preset.dialect))
    if Provider.objects.filter(name=preset.name).exists():
        provider.name = f"{preset.name} {Provider.objects.count() + 1}"
    form = Connection(request.POST or None, instance=provider, preset=preset)
    if request.method == "POST" and form.is_valid():
        try:
            with transaction.atomic():
                made = form.save()
                changes = audit_changes.of_new(form)
                audit.record("provider.added", request=request, target=made, changes=changes)
        except IntegrityError:  # the same name at the same moment
            form.add_error("name", gettext("This name is taken."))
        else:
            if preset.lists_models:
                keep(request, made, trials.run(made))
            return to(made)
    return render(request, "setup/connect.html", {"form": form, "preset": preset})


@require_safe
@administrator(CHANGE)
def provider_page(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """One provider: its last test, models, key and address."""
    return show(request, found(uuid))


def show(
    request: HttpRequest,
    provider: Provider,
    *,
    connection: Connection | None = None,
    next_key: NextKey | None = None,
    names: Names | None = None,
) -> HttpResponse:
    """The page, with the forms as they were left."""
    ours = provider.source == Source.DATABASE
    trial = taken(request, provider)
    context: dict[str, Any] = {
        "provider": provider,
        "ours": ours,
        "address": address_of(provider),
        "key": key_hint_of(provider),
        "circuit": circuit_of(provider),
        "trial": trial,
        "tested": trials.routes_to_test(provider),
        "is_new": choosing.is_new(provider),
        "names": names or Names(),
        "type_names": bool(names) or (trial["outcome"] == "no_list" if trial else not provider.models_known),  # type: ignore[attr-defined]  # annotated by choosing.overview
        "next_key": next_key or NextKey(),
        "connection": connection or (Connection(instance=provider) if ours else None),
        "moving": connection is not None,
    }
    refused = any(form is not None for form in (connection, next_key, names))
    return render(request, "setup/provider.html", context, status=422 if refused else 200)


def keep(request: HttpRequest, provider: Provider, trial: trials.Trial) -> None:
    """Leaves a test's result for the next page."""
    request.session[SESSION_KEY] = {"provider": str(provider.uuid), **trial.to_json()}


def taken(request: HttpRequest, provider: Provider) -> dict[str, Any] | None:
    """The result that was left for this provider's page, once."""
    left = request.session.get(SESSION_KEY)
    if not isinstance(left, dict) or left.get("provider") != str(provider.uuid):
        return None
    del request.session[SESSION_KEY]
    if left["outcome"] == "failed":
        left["what"], left["advice"] = failure_words.explain(left["kind"])
    return left


@require_POST
@administrator(CHANGE)
def test(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """One real small call, with the model that was picked and the key in use or the next one."""
    provider = found(uuid)
    model = request.POST.get("model", "")
    if model and model not in trials.routes_to_test(provider):
        model = ""  # the list has changed since the page was made
    with_next = request.POST.get("key") == "next" and bool(provider.next_key)
    keep(request, provider, trials.run(provider, model=model, next_key=with_next))
    return to(provider)


@require_POST
@administrator(CHANGE)
def next_key(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Puts a key beside the one in use (or in its place when there is none)."""
    provider = entered(uuid)
    form = NextKey(request.POST)
    if not form.is_valid():
        return show(request, provider, next_key=form)
    before = hints(provider)
    keys.paste(provider, key=form.cleaned_data["new_key"])
    with transaction.atomic():
        provider.save(update_fields=["key", "key_hint", "next_key", "next_key_hint"])
        tell_keys(request, provider, before=before)
    return to(provider)


@require_POST
@administrator(CHANGE)
def switch_key(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Makes the next key the one in use. Nothing happens when another administrator was first."""
    provider = entered(uuid)
    before = hints(provider)
    with transaction.atomic():
        if keys.switch(provider):
            breaker.reset(provider.pk)
            provider.refresh_from_db(fields=list(before))
            tell_keys(request, provider, before=before)
    return to(provider)


@require_POST
@administrator(CHANGE)
def move_address(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Name, address, proxy and places; another address needs the key again."""
    provider = entered(uuid)
    form = Connection(request.POST, instance=provider)
    if not form.is_valid():
        provider.refresh_from_db()
        return show(request, found(uuid), connection=form)
    before = hints(provider)
    with transaction.atomic():
        saved = form.save()
        breaker.reset(saved.pk)
        changes = audit_changes.of_form(form)
        if changes:
            audit.record("provider.changed", request=request, target=saved, changes=changes)
        tell_keys(request, saved, before=before)
    return to(saved)


@require_POST
@administrator(CHANGE)
def switch_provider(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """On or off. Answers that are being written are not stopped."""
    provider = found(uuid)
    on = request.POST.get("to") == "on"
    with transaction.atomic():
        choosing.switch(provider, on=on)
        changes = {"enabled": [provider.enabled, on]}
        audit.record("provider.changed", request=request, target=provider, changes=changes)
    return to(provider)


def hints(provider: Provider) -> dict[str, str]:
    """What may be told of its keys: their last characters."""
    return {"key_hint": provider.key_hint, "next_key_hint": provider.next_key_hint}


def tell_keys(request: HttpRequest, provider: Provider, *, before: dict[str, str]) -> None:
    """An event when a key is another one now."""
    after = hints(provider)
    if changes := {name: [before[name], after[name]] for name in after if before[name] != after[name]}:
        audit.record("provider.key_changed", request=request, target=provider, changes=changes)


def entered(uuid: UUID) -> Provider:
    """A provider whose key and address are ours to change. Raises Http404 for the environment's and the simulator."""
    provider = found(uuid)
    if provider.source != Source.DATABASE:
        raise Http404
    return provider
