"""Months of the bill: what was counted in one, frozen when it is closed, and what providers asked for. Rows only.

A closed month is append-only, by trigger as well: `sealed` is the last thing that is written, and from then on no line comes,
changes or goes. Erasing a person empties `person` and `person_name` of her lines, together and nothing else. Invoices are no
part of it: they are entered and changed whenever they come.
"""

from __future__ import annotations

import uuid

from django.db import models
from django.utils.translation import gettext_lazy as _

from usage.limit_models import NOBODY


class ClosedMonth(models.Model):
    """One that is over for good: `first` is its first day, [starts_at, ends_at) what it was on the organisation's clock then."""

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    first = models.DateField(unique=True)
    zone = models.CharField(max_length=64)
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    currency = models.CharField(max_length=3)
    closed_at = models.DateTimeField()
    closed_by = models.UUIDField(null=True, help_text="Empty: by itself.")
    lines = models.PositiveIntegerField(default=0)
    digest = models.CharField(max_length=64, blank=True, help_text="SHA-256 of its lines, without whom they are of.")
    sealed = models.BooleanField(default=False)

    class Meta:
        verbose_name = _("closed month")
        verbose_name_plural = _("closed months")
        constraints = (
            models.CheckConstraint(condition=models.Q(ends_at__gt=models.F("starts_at")), name="closed_month_is_one"),
        )

    def __str__(self) -> str:
        return self.name

    @property
    def name(self) -> str:
        """As addresses, files and the audit trail say it: "2026-10"."""
        return f"{self.first:%Y-%m}"


class MonthLine(models.Model):
    """What one person used of one model at one provider for one team in a closed month, with the names of that day.

    Whole numbers, as in the ledger. `calls` are questions: titles are none. `cost_micro` is in `currency` (empty: no price was
    known), `organisation_cost_micro` and `corrected_micro` in `organisation_currency` (empty: nor was a rate).
    """

    month = models.ForeignKey(ClosedMonth, models.PROTECT, related_name="of")
    cost_centre = models.CharField(max_length=64, blank=True)
    team = models.UUIDField(default=NOBODY)
    team_name = models.CharField(max_length=120, blank=True)
    person = models.UUIDField(null=True)
    person_name = models.CharField(max_length=254, blank=True)
    model = models.UUIDField(default=NOBODY)
    model_name = models.CharField(max_length=200, blank=True)
    provider = models.UUIDField(default=NOBODY)
    provider_name = models.CharField(max_length=80, blank=True)
    currency = models.CharField(max_length=3, blank=True)
    organisation_currency = models.CharField(max_length=3, blank=True)
    calls = models.BigIntegerField(default=0)
    unknown = models.BigIntegerField(default=0, help_text="Entries with tokens whose cost nobody knows.")
    input_tokens = models.BigIntegerField(default=0)
    cached_tokens = models.BigIntegerField(default=0)
    output_tokens = models.BigIntegerField(default=0)
    reasoning_tokens = models.BigIntegerField(default=0)
    cost_micro = models.BigIntegerField(default=0)
    organisation_cost_micro = models.BigIntegerField(default=0)
    corrections = models.BigIntegerField(default=0)
    corrected_tokens = models.BigIntegerField(default=0)
    corrected_micro = models.BigIntegerField(default=0)

    class Meta:
        verbose_name = _("line of a closed month")
        verbose_name_plural = _("lines of closed months")
        indexes = (
            models.Index(fields=["month", "team"], name="month_line_team"),
            models.Index(fields=["person"], condition=models.Q(person__isnull=False), name="month_line_person"),
        )

    def __str__(self) -> str:
        return f"{self.month_id} {self.team_name} {self.model_name}"


class Invoice(models.Model):
    """What a provider asked for in a month: for one model, or (`model` is NOBODY) for all of them together.

    Names are those of the day on which it was entered; what it was before stands in the audit trail.
    """

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    first = models.DateField(help_text="The first day of the month.")
    provider = models.UUIDField()
    provider_name = models.CharField(max_length=80)
    model = models.UUIDField(default=NOBODY)
    model_name = models.CharField(max_length=200, blank=True)
    currency = models.CharField(max_length=3)
    amount_micro = models.BigIntegerField()
    entered_at = models.DateTimeField()
    entered_by = models.UUIDField(null=True)

    class Meta:
        verbose_name = _("invoice")
        verbose_name_plural = _("invoices")
        constraints = (
            models.UniqueConstraint(fields=["first", "provider", "model"], name="invoice_once"),
            models.CheckConstraint(condition=models.Q(amount_micro__gte=0), name="invoice_not_negative"),
        )

    def __str__(self) -> str:
        return self.name

    @property
    def name(self) -> str:
        """ "2026-10 OpenAI", with the model where it is for one."""
        return f"{self.first:%Y-%m} {self.provider_name} {self.model_name}".rstrip()
