"""Alerts: what is not well is noticed, written down and told once in a quiet time; and once that all is well again.

A row is written in the transaction that notices, with a row for each message; portal.alert_sending sends those. Nothing is repaired here.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from django.conf import settings
from django.db import transaction

from accounts.models import Organisation
from chat.claims import HOPELESS
from chat.models import WorkerHeartbeat
from portal import vitals
from portal.models import Alert, AlertMessage, AlertSettings
from providers.models import ProviderState
from usage import alerts as money

Kind = Alert.Kind
What = AlertMessage.What
CALM = dt.timedelta(minutes=5)
"""What was not seen for so long is well again: what comes and goes is one alert."""
ENOUGH = 10
"""Fewer answers than this say nothing about how many fail."""
LOST = dt.timedelta(hours=1)
WATCHED = frozenset(Kind.values) - {Kind.LEDGER, Kind.TEST}
"""What `watch` looks at; the ledger is checked by a job of its own."""


@dataclass(frozen=True, slots=True)
class Found:
    """Something that is not well now."""

    kind: str
    subject: str = ""
    name: str = ""
    facts: dict[str, Any] = field(default_factory=dict)


def settings_row() -> AlertSettings:
    """Whom to tell and when; as it is from the start while nobody has said anything."""
    return AlertSettings.objects.order_by("pk").first() or AlertSettings(pk=1)


def watch(*, now: dt.datetime) -> int:
    """Looks at everything and writes down what changed; how many alerts are open then."""
    wanted = settings_row()
    return settle(_look(wanted, now=now), kinds=WATCHED, wanted=wanted, now=now)


def ledger(drifts: int, *, now: dt.datetime) -> None:
    """What the daily check of the ledger found."""
    found = [Found(Kind.LEDGER, facts={"drifts": drifts})] if drifts else []
    settle(found, kinds=frozenset({Kind.LEDGER}), wanted=settings_row(), now=now)


def settle(found: Iterable[Found], *, kinds: frozenset[str], wanted: AlertSettings, now: dt.datetime) -> int:
    """Compares what is not well with the rows of these kinds: opens, tells again, closes. Safe to run twice and at once."""
    there = {(each.kind, each.subject): each for each in found}
    quiet = dt.timedelta(minutes=wanted.quiet_minutes)
    with transaction.atomic():
        rows = Alert.objects.select_for_update().filter(closed_at=None, kind__in=kinds).order_by("pk")
        known = {(row.kind, row.subject): row for row in rows}
        for key, row in known.items():
            if key in there:
                _goes_on(row, there[key], quiet=quiet, wanted=wanted, now=now)
            elif now - row.seen_at >= CALM or row.kind == Kind.LEDGER:
                _close(row, wanted=wanted, now=now)
        for key, each in there.items():
            if key not in known:
                _open(each, quiet=quiet, wanted=wanted, now=now)
    return Alert.objects.filter(closed_at=None).count()


def _open(found: Found, *, quiet: dt.timedelta, wanted: AlertSettings, now: dt.datetime) -> None:
    former = (
        Alert.objects.filter(kind=found.kind, subject=found.subject, told_at__gt=now - quiet).order_by("-pk").first()
    )
    if former is not None:  # told a moment ago: it goes on without another word
        Alert.objects.filter(pk=former.pk).update(closed_at=None, seen_at=now, facts=found.facts)
        return
    row, made = Alert.objects.get_or_create(
        kind=found.kind, subject=found.subject, closed_at=None,
        defaults={"subject_name": found.name[:200], "facts": found.facts, "opened_at": now, "seen_at": now, "told_at": now},
    )  # fmt: skip
    if made:
        tell(row, What.RAISED, wanted=wanted, now=now)


def _goes_on(row: Alert, found: Found, *, quiet: dt.timedelta, wanted: AlertSettings, now: dt.datetime) -> None:
    row.seen_at, row.facts = now, found.facts
    again = now - row.told_at >= quiet
    if again:
        row.told_at = now
    row.save(update_fields=["seen_at", "facts", "told_at"])
    if again:
        tell(row, What.STILL, wanted=wanted, now=now)


def _close(row: Alert, *, wanted: AlertSettings, now: dt.datetime) -> None:
    Alert.objects.filter(pk=row.pk, closed_at=None).update(closed_at=now)
    last = row.messages.order_by("-pk").values_list("what", flat=True).first()
    if last != What.WELL:
        tell(row, What.WELL, wanted=wanted, now=now)


def tell(row: Alert, what: str, *, wanted: AlertSettings, now: dt.datetime) -> None:
    """A message to each address, in the caller's transaction."""
    places = [(True, each) for each in addresses(wanted)] + (
        [(False, wanted.webhook_url)] if wanted.webhook_url else []
    )
    AlertMessage.objects.bulk_create(
        AlertMessage(alert=row, what=what, by_mail=by_mail, to=to, at=now, due_at=now) for by_mail, to in places
    )


def addresses(wanted: AlertSettings) -> list[str]:
    """Whom a letter goes to."""
    return wanted.emails.replace(",", " ").split()


def test(*, now: dt.datetime) -> Alert:
    """An alert that says nothing but that alerts arrive."""
    with transaction.atomic():
        row = Alert.objects.create(kind=Kind.TEST, opened_at=now, seen_at=now, told_at=now, closed_at=now)
        tell(row, What.RAISED, wanted=settings_row(), now=now)
    return row


# --- what is not well -----------------------------------------------------------------------------------------------------


def _look(wanted: AlertSettings, *, now: dt.datetime) -> list[Found]:
    found = vitals.look(now=now)
    return [
        *_money(now=now),
        *_providers(),
        *_answers(wanted, now=now),
        *_queue(found, wanted=wanted),
        *_workers(found, now=now),
    ]


def _money(*, now: dt.datetime) -> list[Found]:
    found = []
    for budget in money.budgets(now=now, currency=Organisation.get().currency):
        facts = {"percent": budget.percent, "used": budget.used, "limit": budget.limit}
        found.append(Found(Kind.BUDGET_80, budget.quota, budget.name, facts))
        if budget.percent >= 100:
            found.append(Found(Kind.BUDGET_100, budget.quota, budget.name, facts))
    return found + [Found(Kind.PRICE, each.model, each.name, {"calls": each.calls}) for each in money.unpriced(now=now)]


def _providers() -> list[Found]:
    """Those whose circuit opened again after a pause, or for a reason that no pause mends."""
    rows = ProviderState.objects.exclude(circuit=ProviderState.Circuit.CLOSED).filter(provider__enabled=True)
    return [
        Found(Kind.PROVIDER, str(state.provider.uuid), state.provider.name, {"reason": state.reason})
        for state in rows.select_related("provider")
        if state.openings >= 2 or state.reason in HOPELESS
    ]


def _answers(wanted: AlertSettings, *, now: dt.datetime) -> list[Found]:
    every, bad = vitals.recent_failures(now=now)
    if every < ENOUGH or bad * 100 < wanted.error_percent * every:
        return []
    return [Found(Kind.ERRORS, facts={"failed": bad, "answers": every, "percent": bad * 100 // every})]


def _queue(found: vitals.Vitals, *, wanted: AlertSettings) -> list[Found]:
    if found.oldest_s < wanted.queue_s:
        return []
    return [Found(Kind.QUEUE, facts={"seconds": round(found.oldest_s), "waiting": found.answers["queued"]})]


def _workers(found: vitals.Vitals, *, now: dt.datetime) -> list[Found]:
    """None at all, and each that fell silent and that no younger one on its machine stands in for."""
    beats = list(WorkerHeartbeat.objects.filter(stopping=False, beat_at__gt=now - LOST).order_by("pk"))
    silent = [each for each in beats if (now - each.beat_at).total_seconds() >= settings.WORKER_SILENT_S]
    lost = [
        Found(Kind.WORKER_LOST, str(each.pk), str(each))
        for each in silent
        if not any(other.host == each.host and other.started_at > each.beat_at for other in beats)
    ]
    return [*([] if found.workers else [Found(Kind.WORKERS)]), *lost]
