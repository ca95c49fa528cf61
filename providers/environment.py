"""The providers that the environment names: rows, models, known prices. Runs at every start; a repeat changes nothing.

Key and address are never stored. For commands: the web process only calls it from an administrator's button.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from django.conf import settings
from django.db import transaction
from django.db.models import Max

from providers import calls, catalogue, prices
from providers.endpoints import Endpoint, ModelInfo, endpoint_for
from providers.failures import Failure
from providers.models import LanguageModel, ModelRoute, Provider
from providers.simulator import demo, modes

ABSENT = "absent"
"""Mark in a provider's dialect: switched off here since the environment no longer names it; its return ends that."""
Source = Provider.Source


def sync(*, limit_s: float = calls.LIMIT_S) -> list[str]:
    """Makes the rows agree with the settings; returns what was done, in English lines for the console."""
    lines: list[str] = []
    forced = settings.SIMULATOR and settings.SIMULATOR_URL  # then nobody's account may pay by accident
    if (settings.OPENAI_API_KEY or settings.OPENAI_BASE_URL) and not forced:
        provider = _present(
            Source.ENVIRONMENT, name="OpenAI" if not settings.OPENAI_BASE_URL else "Environment", lines=lines
        )
        lines += fetch_models(provider, only=settings.OPENAI_MODELS, limit_s=limit_s)
    else:
        _gone(Source.ENVIRONMENT, lines=lines)
    if forced or (settings.SIMULATOR_URL and not _somebody_answers()):
        provider = _present(Source.SIMULATOR, name="Simulator", lines=lines)
        names = (demo.MODEL, *(modes.PREFIX + name for name in modes.MODES))
        lines += add_models(provider, found=[ModelInfo(name) for name in names], only=[demo.MODEL], enforce=False)
    else:
        _gone(Source.SIMULATOR, lines=lines)
    return lines


def fetch_models(provider: Provider, *, only: Sequence[str] = (), limit_s: float = calls.LIMIT_S) -> list[str]:
    """Lists the provider's models and makes rows for new ones. That a provider does not answer is said, not raised.

    `only`: exactly these of its models are on, whether it lists them or not.
    """
    try:
        endpoint = endpoint_for(provider)
        found = calls.list_models(endpoint, limit_s=limit_s)
    except Failure as failure:
        lines = [f"{provider.name}: the models could not be listed ({failure})"]
        return lines + add_models(provider, found=[ModelInfo(name) for name in only], only=only)
    listed = {model.id for model in found}
    found += [ModelInfo(name) for name in only if name not in listed]
    return add_models(provider, found=found, only=only, endpoint=endpoint)


@transaction.atomic
def add_models(
    provider: Provider,
    *,
    found: Iterable[ModelInfo],
    only: Sequence[str] = (),
    enforce: bool = True,
    endpoint: Endpoint | None = None,
    switched_on: bool = True,
) -> list[str]:
    """Rows for models that are new here. With `only` exactly those are on: of the new, and with `enforce` of all.

    `switched_on=False`: the new ones wait, with their routes off, until somebody chooses.
    """
    base_url = endpoint.base_url if endpoint else ""
    routed = set(provider.routes.values_list("upstream_name", flat=True))
    place = {name: index for index, name in enumerate(only)}
    new = [info for info in found if info.id not in routed]
    new.sort(key=lambda info: (place.get(info.id, len(place)), -info.created, info.id))
    last: int = LanguageModel.objects.aggregate(last=Max("position"))["last"] or 0
    on = 0
    for index, info in enumerate(new):
        chat = catalogue.kind_of(info.id, base_url=base_url, owner=info.owned_by)
        enabled = switched_on and (info.id in place if only else chat == LanguageModel.Kind.CHAT)
        route = _add(provider, info=info, kind=chat, enabled=enabled, position=last + index + 1, base_url=base_url)
        if not switched_on:
            ModelRoute.objects.filter(pk=route.pk).update(enabled=False)
        on += enabled
    lines = [f"{provider.name}: {len(new)} new models, {on} of them on"] if new else []
    if only and enforce:
        lines += _switch(provider, only=only)
    return lines


def _add(
    provider: Provider, *, info: ModelInfo, kind: LanguageModel.Kind, enabled: bool, position: int, base_url: str
) -> ModelRoute:
    known = catalogue.listed(info.id, base_url=base_url) or catalogue.listed(info.id, owner=info.owned_by)
    window = known.context_window if known and known.context_window else None
    model, made = LanguageModel.objects.get_or_create(
        slug=info.id,
        defaults={
            "name": info.id,
            "kind": LanguageModel.Kind.CHAT if enabled else kind,
            "enabled": enabled,
            "position": position,
            **({"context_window": window} if window else {}),
        },
    )
    if enabled and not made and not model.enabled:
        LanguageModel.objects.filter(pk=model.pk).update(enabled=True)
    behind = ModelRoute.objects.filter(model=model).aggregate(last=Max("position"))["last"]
    route = ModelRoute.objects.create(
        model=model, provider=provider, upstream_name=info.id, position=0 if behind is None else behind + 1
    )
    prices.fill(route, base_url=base_url)
    return route


def _switch(provider: Provider, *, only: Sequence[str]) -> list[str]:
    """Exactly these of the provider's models are on; what another provider serves as well is not switched off."""
    mine = LanguageModel.objects.filter(routes__provider=provider)
    others = ModelRoute.objects.exclude(provider=provider).filter(provider__enabled=True, enabled=True)
    on = mine.filter(routes__upstream_name__in=only, enabled=False)
    off = mine.exclude(routes__upstream_name__in=only).exclude(routes__in=others).filter(enabled=True)
    on_ids, off_ids = list(on.values_list("pk", flat=True)), list(off.values_list("pk", flat=True))
    LanguageModel.objects.filter(pk__in=on_ids).update(enabled=True, kind=LanguageModel.Kind.CHAT)
    LanguageModel.objects.filter(pk__in=off_ids).update(enabled=False)
    if not on_ids and not off_ids:
        return []
    return [f"{provider.name}: OPENAI_MODELS switched {len(on_ids)} models on and {len(off_ids)} off"]


def _present(source: Source, *, name: str, lines: list[str]) -> Provider:
    provider = Provider.objects.filter(source=source).first()
    if provider is None:
        taken = Provider.objects.filter(name=name).exists()
        provider = Provider.objects.create(name=f"{name} ({source.label})" if taken else name, source=source)
        lines.append(f"{provider.name}: added")
    elif not provider.enabled and provider.dialect.get(ABSENT):
        provider.dialect = {key: value for key, value in provider.dialect.items() if key != ABSENT}
        provider.enabled = True
        provider.save(update_fields=["dialect", "enabled"])
        lines.append(f"{provider.name}: on again")
    return provider


def _gone(source: Source, *, lines: list[str]) -> None:
    for provider in Provider.objects.filter(source=source, enabled=True):
        provider.dialect = {**provider.dialect, ABSENT: True}
        provider.enabled = False
        provider.save(update_fields=["dialect", "enabled"])
        lines.append(f"{provider.name}: switched off")


def end_demonstration() -> None:
    """Switches the simulator off as soon as a real provider answers, unless SIMULATOR=1 wants it."""
    if not settings.SIMULATOR and _somebody_answers():
        _gone(Source.SIMULATOR, lines=[])


def _somebody_answers() -> bool:
    """Whether a provider other than the simulator is on and serves a model that is on."""
    routes = ModelRoute.objects.filter(enabled=True, provider__enabled=True, model__enabled=True)
    return routes.exclude(provider__source=Source.SIMULATOR).exists()
