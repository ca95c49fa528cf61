"""Exchange rates: entering and removing them, which are in force, which are missing. The only writer of ExchangeRate.

Rates are entered or imported, never fetched. What was in force stays: a new rate starts now or later.
"""

from __future__ import annotations

import datetime as dt

from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from accounts import audit
from accounts.clock import Now, now
from accounts.models import Organisation
from accounts.refusals import NotPossible
from providers import money
from providers.models import Price
from usage.models import ExchangeRate

MOST_MICRO = 10**12
"""A million units for one: no currency is that far from another."""


def in_force(into: str) -> dict[str, ExchangeRate]:
    """The rates into this currency that are in force now, by their own. One query."""
    rows = ExchangeRate.objects.filter(into=into, effective_from__lte=Now()).order_by("effective_from", "pk")
    return {row.currency: row for row in rows}


def history(into: str) -> QuerySet[ExchangeRate]:
    """Every rate into this currency, by currency, the newest first."""
    return ExchangeRate.objects.filter(into=into).order_by("currency", "-effective_from", "-pk")


def missing(into: str) -> list[str]:
    """Currencies of prices that have begun for which there is no rate: what these cost is unknown. Two queries."""
    used = Price.objects.filter(effective_from__lte=Now()).exclude(currency=into)
    return sorted(set(used.values_list("currency", flat=True).distinct().order_by()) - in_force(into).keys())


def enter(
    currency: str, rate_micro: int, *, starts: dt.datetime | None = None, request: HttpRequest | None = None
) -> ExchangeRate:
    """From then on one `currency` is `rate_micro` millionths of the organisation's. `starts` None: now. Raises NotPossible."""
    into, moment = Organisation.get().currency, now()
    if starts is not None and starts < moment:
        raise NotPossible("past", _("The past stays as it was: choose a date to come."))
    if currency == into:
        raise NotPossible("same", _("This is the organisation's own currency: it needs no rate."))
    starts = starts or moment
    before = ExchangeRate.objects.filter(currency=currency, into=into, effective_from__lte=starts).first()
    row = ExchangeRate(currency=currency, into=into, rate_micro=rate_micro, effective_from=starts)
    changes: audit.Changes = {
        "currency": [None, currency],
        "into": [None, into],
        "effective_from": [None, starts.isoformat(timespec="minutes")],
        "rate": [money.to_text(before.rate_micro) if before else None, money.to_text(rate_micro)],
    }
    try:
        with transaction.atomic():
            row.save()
            audit.record("rate.entered", request=request, target=row, changes=changes)
    except IntegrityError:
        raise NotPossible("taken", _("A rate begins at this moment already. Remove it first.")) from None
    return row


def remove(row: ExchangeRate, *, request: HttpRequest) -> None:
    """Takes back a rate that has not begun. Raises NotPossible."""
    with transaction.atomic():
        if not ExchangeRate.objects.future().filter(pk=row.pk).delete()[0]:
            raise NotPossible("past", _("This rate is in force already: enter a new one instead."))
        changes: audit.Changes = {"currency": [row.currency, None], "rate": [money.to_text(row.rate_micro), None]}
        audit.record("rate.removed", request=request, target=row, changes=changes)
