"""`/metrics` for Prometheus: the same figures whichever web process is asked, for they are read from rows. Guarded; names nobody.

Without METRICS_TOKEN and METRICS_ADDRESSES there is no such page.
"""

from __future__ import annotations

import datetime as dt
import hmac
import ipaddress
from collections.abc import Iterable, Iterator
from typing import Any

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from accounts import clock
from portal import samples, tally, vitals
from portal.models import Alert, WebProcess

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
Labels = dict[str, str]
METRICS = {
    "portal_answers": ("gauge", "Answers under way, by state."),
    "portal_queue_oldest_seconds": ("gauge", "How long the first question that could begin has waited."),
    "portal_workers": ("gauge", "Workers that are alive."),
    "portal_worker_places": ("gauge", "Answers that they can write at once."),
    "portal_providers": ("gauge", "Providers that are on."),
    "portal_providers_broken": ("gauge", "Of these, how many do not answer."),
    "portal_broker_up": ("gauge", "Whether the broker is there."),
    "portal_held_polls": ("gauge", "Polls that a web process holds."),
    "portal_alerts_open": ("gauge", "Alerts that are open, by kind."),
    "portal_calls_total": ("counter", "Calls that ended, by outcome and source."),
    "portal_errors_total": ("counter", "Calls that went wrong, by kind."),
    "portal_refusals_total": ("counter", "Questions that were refused, by reason."),
    "portal_tokens_total": ("counter", "Tokens, by kind. Cached ones are part of input, reasoning ones of output."),
    "portal_request_seconds": ("histogram", "Time to answer a request, by status and web process."),
}
"""Every metric: its type, and what it says."""


@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """The figures of this moment; 404 for whoever may not see them."""
    if not may_see(request):
        raise Http404
    answer = HttpResponse(text(now=clock.now()), content_type=CONTENT_TYPE)
    answer["Cache-Control"] = "no-store"
    return answer


def may_see(request: HttpRequest) -> bool:
    """Who shows the token, or comes from one of the addresses; where both are set, both are asked for."""
    token, networks = settings.METRICS_TOKEN, settings.METRICS_ADDRESSES
    if not token and not networks:
        return False
    shown = request.headers.get("Authorization", "").encode()
    if token and not hmac.compare_digest(shown, f"Bearer {token}".encode()):
        return False
    return not networks or _among(request.META.get("REMOTE_ADDR", ""), networks)


def text(*, now: dt.datetime) -> str:
    """The page."""
    lines: list[str] = []
    rows = dict(_rows(now=now))
    for name, (kind, words) in METRICS.items():
        lines += [f"# HELP {name} {words}", f"# TYPE {name} {kind}"]
        lines += [f"{name}{part}{_told(labels)} {value:g}" if isinstance(value, float) else f"{name}{part}{_told(labels)} {value}"
                  for part, labels, value in rows.get(name, ())]  # fmt: skip
    return "\n".join(lines) + "\n"


Row = tuple[str, Labels, float | int]


def _rows(*, now: dt.datetime) -> Iterator[tuple[str, list[Row]]]:
    found = vitals.look(now=now)
    yield "portal_answers", [("", {"state": state}, n) for state, n in found.answers.items()]
    plain = {
        "queue_oldest_seconds": found.oldest_s,
        "workers": found.workers,
        "worker_places": found.places,
        "providers": found.providers,
        "providers_broken": len(found.broken),
        "broker_up": int(vitals.broker.there()),
    }
    for name, value in plain.items():
        yield f"portal_{name}", [("", {}, value)]
    processes = list(WebProcess.objects.filter(beat_at__gt=now - samples.GONE).order_by("pk"))
    yield "portal_held_polls", [("", {"process": str(each.pk)}, each.held_polls) for each in processes]
    yield "portal_request_seconds", [row for each in processes for row in _histogram(str(each.pk), each.requests)]
    kinds = list(Alert.objects.filter(closed_at=None).values_list("kind", flat=True))
    yield (
        "portal_alerts_open",
        [("", {"kind": kind}, kinds.count(kind)) for kind in Alert.Kind.values if kind != Alert.Kind.TEST],
    )
    counts = tally.bring_up(now=now)
    names = {"calls": ("outcome", "source"), "errors": ("kind",), "refusals": ("reason",), "tokens": ("kind",)}
    for what, labels in names.items():
        yield f"portal_{what}_total", list(_counter(counts, what=what, names=labels))


def _counter(counts: tally.Counts, *, what: str, names: tuple[str, ...]) -> Iterator[Row]:
    for key, n in sorted(counts.items()):
        kind, *values = key.split("|")
        if kind == what:
            yield "", dict(zip(names, values, strict=True)), n


def _histogram(process: str, requests: dict[str, Any]) -> Iterator[Row]:
    for status, seen in sorted(requests.items()):
        labels, so_far = {"process": process, "status": status}, 0
        for most, count in zip((*samples.BUCKETS, None), seen["counts"], strict=True):
            so_far += count
            yield "_bucket", labels | {"le": "+Inf" if most is None else f"{most:g}"}, so_far
        yield "_sum", labels, float(seen["seconds"])
        yield "_count", labels, so_far


def _told(labels: Labels) -> str:
    inside = ",".join(f'{name}="{_escaped(value)}"' for name, value in labels.items())
    return f"{{{inside}}}" if inside else ""


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _among(address: str, networks: Iterable[str]) -> bool:
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
        return any(ip in ipaddress.ip_network(network, strict=False) for network in networks)
    except ValueError:
        return False
