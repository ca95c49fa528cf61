"""What providers asked for, beside what the ledger says in the same currency. The only writer of invoices.

An invoice may come and change after its month is closed: it is no part of the frozen figures, and each change is in the audit trail.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from uuid import UUID

from django.db import transaction
from django.http import HttpRequest

from accounts import audit, clock
from accounts.models import User
from providers import money
from usage.limit_models import NOBODY
from usage.models import Invoice
from usage.month_report import Sums
from usage.months import Month


@dataclass(frozen=True, slots=True)
class Compared:
    """One model at one provider, or (`model` is NOBODY) all of a provider's. `counted`: the ledger's micro-units by currency."""

    provider: UUID
    model: UUID
    counted: Mapping[str, int]
    unpriced: int = 0
    invoice: Invoice | None = None

    @property
    def currency(self) -> str:
        """The invoice's, else the one in which the ledger has most; empty where it has none."""
        if self.invoice is not None:
            return self.invoice.currency
        return max(self.counted, key=lambda name: self.counted[name], default="")

    @property
    def ledger_micro(self) -> int:
        return self.counted.get(self.currency, 0)

    @property
    def difference_micro(self) -> int | None:
        """Above 0: the provider asks for more than was counted. None without an invoice."""
        return None if self.invoice is None else self.invoice.amount_micro - self.ledger_micro

    @property
    def percent(self) -> float | None:
        """The same of what was counted; None where nothing was."""
        difference = self.difference_micro
        return None if difference is None or not self.ledger_micro else 100 * difference / self.ledger_micro


@dataclass(slots=True)
class Balance:
    """All invoices of a month in one currency, and what the ledger says of what they are for."""

    invoiced_micro: int = 0
    ledger_micro: int = 0

    @property
    def difference_micro(self) -> int:
        return self.invoiced_micro - self.ledger_micro

    @property
    def percent(self) -> float | None:
        return 100 * self.difference_micro / self.ledger_micro if self.ledger_micro else None


@dataclass(slots=True)
class _Whole:
    """What a provider's models add up to."""

    counted: dict[str, int] = field(default_factory=dict)
    unpriced: int = 0
    models: list[Compared] = field(default_factory=list)


def of_month(first: dt.date) -> list[Invoice]:
    """Those that were entered. One query."""
    return list(Invoice.objects.filter(first=first).order_by("pk"))


def of_months(wanted: Iterable[Month]) -> dict[dt.date, list[Invoice]]:
    """The same of several months, by their first day. One query."""
    found: dict[dt.date, list[Invoice]] = {}
    for row in Invoice.objects.filter(first__in=[month.first for month in wanted]).order_by("pk"):
        found.setdefault(row.first, []).append(row)
    return found


def compared(of_models: Mapping[tuple[UUID, UUID], Sums], invoices: Iterable[Invoice]) -> list[Compared]:
    """Each provider as a whole, followed by its models: those that were used, and those that an invoice is for."""
    entered = {(row.provider, row.model): row for row in invoices}
    found: dict[UUID, _Whole] = {}
    for (model, provider), sums in of_models.items():
        if provider == NOBODY or not (sums.own or sums.unpriced or sums.tokens):
            continue
        whole = found.setdefault(provider, _Whole())
        for currency, micro in sums.own.items():
            whole.counted[currency] = whole.counted.get(currency, 0) + micro
        whole.unpriced += sums.unpriced
        if model != NOBODY:
            whole.models.append(Compared(provider, model, sums.own, sums.unpriced, entered.get((provider, model))))
    for (provider, model), row in entered.items():
        whole = found.setdefault(provider, _Whole())
        if model != NOBODY and all(each.model != model for each in whole.models):
            whole.models.append(Compared(provider, model, {}, 0, row))
    listed: list[Compared] = []
    for provider, whole in found.items():
        listed.append(Compared(provider, NOBODY, whole.counted, whole.unpriced, entered.get((provider, NOBODY))))
        listed += whole.models
    return listed


def balance(rows: Iterable[Compared]) -> dict[str, Balance]:
    """By currency. Where a provider's whole invoice is there, those of its models are parts of it and count no second time."""
    every = list(rows)
    whole = {row.provider for row in every if row.model == NOBODY and row.invoice is not None}
    found: dict[str, Balance] = {}
    for row in every:
        if row.invoice is None or (row.model != NOBODY and row.provider in whole):
            continue
        into = found.setdefault(row.currency, Balance())
        into.invoiced_micro += row.invoice.amount_micro
        into.ledger_micro += row.ledger_micro
    return dict(sorted(found.items()))


def enter(
    first: dt.date, *, provider: tuple[UUID, str], model: tuple[UUID, str], amount_micro: int | None, currency: str, by: User,
    request: HttpRequest | None = None,
) -> Invoice | None:  # fmt: skip
    """What was asked for, in micro-units of `currency`; None takes it back. A repeat changes nothing and is no event."""
    with transaction.atomic():
        audit.hold()  # two who enter the same one at once: the second finds the first's
        mine = Invoice.objects.filter(first=first, provider=provider[0], model=model[0])
        row = mine.first()
        before = None if row is None else f"{money.to_text(row.amount_micro)} {row.currency}"
        after = None if amount_micro is None else f"{money.to_text(amount_micro)} {currency}"
        if before == after:
            return row
        changes: audit.Changes = {
            "month": (None, f"{first:%Y-%m}"), "provider": (None, provider[1]), "model": (None, model[1] or None),
            "amount": (before, after),
        }  # fmt: skip
        if amount_micro is None:
            assert row is not None
            audit.record("invoice.removed", actor=by, request=request, target=row, changes=changes)
            mine.delete()
            return None
        kept = {"currency": currency, "amount_micro": amount_micro, "entered_at": clock.now(), "entered_by": by.uuid}
        if row is None:
            names = {"provider_name": provider[1], "model_name": model[1]}
            row = Invoice.objects.create(first=first, provider=provider[0], model=model[0], **names, **kept)
        else:
            mine.update(**kept)
            row.refresh_from_db()
        audit.record("invoice.entered", actor=by, request=request, target=row, changes=changes)
    return row
