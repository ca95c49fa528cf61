"""The test of a provider: one real small call, and the list of its models where none is known yet. At most 10 s, two at once.

Writes what it found out (models, all of them off; the dialect; a closed circuit), renders nothing.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from providers import breaker, calls, catalogue, endpoints, environment
from providers.failures import Failure, Kind
from providers.models import LanguageModel, ModelRoute, Provider

AT_ONCE = 2
LIST_S = 4.0
TOTAL_S = 8.0  # a call that does not even end in time is waited for 2 s longer
_places = threading.BoundedSemaphore(AT_ONCE)
# These say nothing against the provider when it only has no list of models.
NO_LIST = frozenset({Kind.MODEL_GONE, Kind.BAD_REQUEST, Kind.NOT_A_STREAM})

# These say nothing against the provider when nobody has picked the model: another one is tried.
MODELS_FAULT = frozenset({Kind.MODEL_GONE, Kind.BAD_REQUEST, Kind.NOT_A_STREAM, Kind.BAD_STREAM})
TRIES = 3


class Refusal(Exception):
    """A model that was asked did not answer."""

    def __init__(self, failure: Failure, *, model: str) -> None:
        super().__init__(model)
        self.failure = failure
        self.model = model


@dataclass(frozen=True, slots=True)
class Trial:
    """How a test ended. `outcome`: answered, failed, fetched, no_list (models must be typed), busy (too many tests now)."""

    outcome: str
    kind: str = ""
    status: int | None = None
    seconds: float = 0.0
    model: str = ""
    said: str = ""
    found: int = 0
    next_key: bool = False
    saw_usage: bool = True
    honours_limit: bool = True

    def to_json(self) -> dict[str, Any]:
        """For the session, until the next page shows it."""
        return asdict(self)


def run(provider: Provider, *, model: str = "", next_key: bool = False, body: Mapping[str, Any] | None = None) -> Trial:
    """Asks the provider a few words with `model` (its name there; empty: one is chosen) and these further fields. Never raises Failure."""
    if not _places.acquire(blocking=False):
        return Trial("busy")
    began = time.monotonic()
    try:
        return _run(provider, model=model, next_key=next_key, body=body or {}, began=began)
    except Refusal as refusal:
        return _failed(refusal.failure, model=refusal.model, next_key=next_key, began=began)
    except Failure as failure:
        return _failed(failure, model=model, next_key=next_key, began=began)
    finally:
        _places.release()


def _failed(failure: Failure, *, model: str, next_key: bool, began: float) -> Trial:
    seconds = round(time.monotonic() - began, 1)
    return Trial("failed", failure.kind.value, failure.status, seconds=seconds, model=model, next_key=next_key)


def routes_to_test(provider: Provider) -> list[str]:
    """Names of the provider's chat models, those that are on first; at most 300."""
    chat = provider.routes.filter(model__kind=LanguageModel.Kind.CHAT)
    ordered = chat.order_by("-enabled", "-model__enabled", "model__position", "pk")
    return list(ordered.values_list("upstream_name", flat=True)[:300])


def _run(provider: Provider, *, model: str, next_key: bool, body: Mapping[str, Any], began: float) -> Trial:
    found = 0
    if not model and not ModelRoute.objects.filter(provider=provider).exists():
        try:
            found = fetch(provider, next_key=next_key, limit_s=LIST_S)
        except Failure as failure:
            if failure.kind in NO_LIST:
                return Trial("no_list", failure.kind.value, failure.status)
            raise
    names = [model] if model else _light_first(routes_to_test(provider))
    if not names:
        return Trial("no_list", found=found)
    model, result = _first_answer(provider, names=names[:TRIES], next_key=next_key, body=body, end=began + TOTAL_S)
    if result.failure is not None or result.dialect is None:
        raise Refusal(result.failure or Failure(Kind.INTERNAL), model=model)
    provider.dialect = {**provider.dialect, **result.dialect.to_json()}
    provider.save(update_fields=["dialect"])
    if not next_key:
        breaker.reset(provider.pk)
    return Trial(
        "answered",
        seconds=round(result.seconds, 1),
        model=model,
        said=result.text,
        found=found,
        next_key=next_key,
        saw_usage=result.saw_usage,
        honours_limit=result.honours_limit,
    )


def _light_first(names: list[str]) -> list[str]:
    return sorted(names, key=lambda name: not catalogue.is_light(name))


def _first_answer(
    provider: Provider, *, names: list[str], next_key: bool, body: Mapping[str, Any], end: float
) -> tuple[str, endpoints.ProbeResult]:
    """Asks one model after the other until one answers, as long as the model and not the provider is to blame."""
    endpoint = endpoints.endpoint_for(provider, next_key=next_key)
    result = endpoints.ProbeResult(None)
    for name in names:
        result = calls.probe(endpoint, model=name, body=body, limit_s=max(end - time.monotonic(), 2.0))
        blame = result.failure.kind if result.failure else None
        if blame not in MODELS_FAULT or end - time.monotonic() < 2.0:
            break
    return name, result


def fetch_alone(provider: Provider) -> int | None:
    """The same as `fetch` in one of the places for tests; None when they are taken. Raises Failure."""
    if not _places.acquire(blocking=False):
        return None
    try:
        return fetch(provider)
    finally:
        _places.release()


def fetch(provider: Provider, *, next_key: bool = False, limit_s: float = TOTAL_S) -> int:
    """Lists the provider's models and adds those that are new, all of them off; how many. Raises Failure."""
    endpoint = endpoints.endpoint_for(provider, next_key=next_key)
    found = calls.list_models(endpoint, limit_s=limit_s)
    before = provider.routes.count()
    environment.add_models(provider, found=found, endpoint=endpoint, switched_on=False)
    return provider.routes.count() - before
