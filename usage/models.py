"""What it costs: one row per call to a provider, and the hold that precedes it.

No foreign key leaves this room: rows outlive conversations and people, so person, team and key are UUID columns with names copied.
"""

from __future__ import annotations

import uuid
from typing import ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _

from providers.models import History
from usage.ledger_models import LedgerEntry
from usage.limit_models import Quota, QuotaGrant, QuotaNotice, QuotaPeriod, QuotaRequest
from usage.line_models import CallLine
from usage.month_models import ClosedMonth, Invoice, MonthLine
from usage.rollup_models import PersonDay, Rejection, Rollup, RollupTimes
from usage.sources import Source

__all__ = [
    "CallLine",
    "ClosedMonth",
    "ExchangeRate",
    "Invocation",
    "Invoice",
    "LedgerEntry",
    "MonthLine",
    "PersonDay",
    "Quota",
    "QuotaGrant",
    "QuotaNotice",
    "QuotaPeriod",
    "QuotaRequest",
    "Rejection",
    "Reservation",
    "ReservationLine",
    "Rollup",
    "RollupTimes",
    "Source",
    "new_request_id",
]


class Reservation(models.Model):
    """What a call may cost at most, held from before it is queued until exactly one settlement."""

    class State(models.TextChoices):
        HELD = "held", _("held")
        SETTLED = "settled", _("settled")
        RELEASED = "released", _("released")

    request_id = models.UUIDField(unique=True)
    source = models.CharField(max_length=16, choices=Source.choices)
    person = models.UUIDField(null=True, db_index=True)
    team = models.UUIDField(null=True)
    key = models.UUIDField(null=True)
    model = models.UUIDField(null=True)
    state = models.CharField(max_length=16, choices=State.choices, default=State.HELD)
    tokens = models.BigIntegerField(default=0, help_text="The most it may take, in tokens: prompt and answer.")
    input_tokens = models.BigIntegerField(default=0, help_text="Of these the prompt.")
    output_tokens = models.BigIntegerField(default=0, help_text="Of these the answer: what the provider is told.")
    cost_micro = models.BigIntegerField(null=True, help_text="The most it may cost, where a limit in money applies.")
    lines = models.PositiveSmallIntegerField(default=0, help_text="From how many periods it takes.")
    created_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True)
    # A hold whose owner is not a Generation carries its own lease, and usage.recovery settles it.
    lease_expires_at = models.DateTimeField(null=True)
    dispatched_at = models.DateTimeField(null=True)
    estimate = models.BigIntegerField(
        default=0, help_text="What its prompt takes in tokens if nobody can say any more."
    )
    # With a default in the database: during an update the former version still writes rows.
    produced = models.BigIntegerField(
        db_default=0, default=0, help_text="Tokens of its answer when the lease was renewed."
    )
    provider = models.UUIDField(null=True, help_text="Who is asked; such a hold takes one of its places.")

    class Meta:
        constraints = (
            models.CheckConstraint(condition=models.Q(tokens__gte=0), name="reservation_not_negative"),
            models.CheckConstraint(
                condition=models.Q(state="held", closed_at=None) | ~models.Q(state="held") & ~models.Q(closed_at=None),
                name="reservation_closed_has_time",
            ),
        )
        indexes = (models.Index(fields=["state"], condition=models.Q(state="held"), name="reservation_held"),)

    def __str__(self) -> str:
        return f"{self.request_id} {self.state}"


class ReservationLine(models.Model):
    """What one hold takes from one period: `amount` in the limit's unit while it is held, `used` once it is closed."""

    reservation = models.ForeignKey(Reservation, models.PROTECT, related_name="taken")
    period = models.ForeignKey(QuotaPeriod, models.PROTECT, related_name="lines")
    amount = models.BigIntegerField()
    used = models.BigIntegerField(null=True)

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=["reservation", "period"], name="reservation_line_once"),
            models.CheckConstraint(
                condition=models.Q(amount__gte=0) & (models.Q(used=None) | models.Q(used__gte=0)),
                name="reservation_line_not_negative",
            ),
        )

    def __str__(self) -> str:
        return f"{self.reservation_id} takes {self.amount} of {self.period_id}"


REFUSED = "refused"
"""The outcome of a question that never became a call."""


class Calls(models.Manager["Invocation"]):
    """Calls: what was refused is none, and no sum counts it."""

    def get_queryset(self) -> models.QuerySet[Invocation]:
        return super().get_queryset().exclude(outcome=REFUSED)


class Invocation(models.Model):
    """One call as an administrator counts it: who, what model, how long, how many tokens, how it ended. Never its text.

    `objects` are the calls; `every` has the questions that were refused as well, for whoever looks for one.
    """

    request_id = models.UUIDField(unique=True)
    source = models.CharField(max_length=16, choices=Source.choices)
    person = models.UUIDField(null=True)
    person_name = models.CharField(max_length=200, blank=True)
    team = models.UUIDField(null=True)
    team_name = models.CharField(max_length=120, blank=True)
    key = models.UUIDField(null=True)
    provider = models.UUIDField(null=True)
    provider_name = models.CharField(max_length=80, blank=True)
    model = models.UUIDField(null=True)
    model_name = models.CharField(max_length=200, blank=True)
    created_at = models.DateTimeField()
    finished_at = models.DateTimeField()
    queue_ms = models.PositiveIntegerField(null=True)
    ttft_ms = models.PositiveIntegerField(null=True, help_text="From the call's start to its first text.")
    duration_ms = models.PositiveIntegerField(default=0, help_text="From the question to the end.")
    outcome = models.CharField(max_length=16, help_text="done, failed, cancelled, interrupted or refused")
    error_kind = models.CharField(max_length=32, blank=True)
    attempts = models.PositiveIntegerField(default=0)
    tries = models.PositiveIntegerField(default=0)
    input_tokens = models.BigIntegerField(default=0)
    cached_tokens = models.BigIntegerField(default=0)
    output_tokens = models.BigIntegerField(default=0)
    reasoning_tokens = models.BigIntegerField(default=0)
    estimated = models.BooleanField(default=False)
    # The provider's money, the organisation's, the rate between them and the price row: filled once prices are in use.
    price = models.UUIDField(null=True)
    currency = models.CharField(max_length=3, blank=True)
    cost_micro = models.BigIntegerField(null=True)
    organisation_currency = models.CharField(max_length=3, blank=True)
    organisation_cost_micro = models.BigIntegerField(null=True)
    rate_micro = models.BigIntegerField(
        null=True, help_text="Organisation's micro-units for 1,000,000 of the provider's."
    )

    objects = Calls()
    every: ClassVar[models.Manager[Invocation]] = models.Manager()

    class Meta:
        verbose_name = _("call")
        verbose_name_plural = _("calls")
        indexes = (
            models.Index(fields=["-created_at"], name="invocation_time"),
            models.Index(fields=["person", "-created_at"], name="invocation_person"),
            models.Index(fields=["team", "-created_at"], name="invocation_team"),
            models.Index(fields=["model", "-created_at"], name="invocation_model"),
            models.Index(fields=["key", "-created_at"], condition=models.Q(key__isnull=False), name="invocation_key"),
            # What did not end well is little of it all, and what one looks for.
            models.Index(
                fields=["outcome", "-created_at"], condition=~models.Q(outcome="done"), name="invocation_outcome"
            ),
            models.Index(
                fields=["error_kind", "-created_at"], condition=~models.Q(error_kind=""), name="invocation_error"
            ),
        )

    def __str__(self) -> str:
        return f"{self.request_id} {self.outcome}"


class ExchangeRate(History):
    """What 1,000,000 micro-units of `currency` are in micro-units of `into`, from a date on: entered or imported, never fetched.

    `into` was the organisation's currency when it was entered; after a change of that only rates into the new one count.
    """

    currency = models.CharField(_("currency"), max_length=3)
    into = models.CharField(_("into"), max_length=3)
    rate_micro = models.BigIntegerField(_("rate"))

    class Meta(History.Meta):
        verbose_name = _("exchange rate")
        verbose_name_plural = _("exchange rates")
        constraints = (
            models.UniqueConstraint(fields=["currency", "into", "effective_from"], name="rate_one_a_date"),
            models.CheckConstraint(condition=models.Q(rate_micro__gt=0), name="rate_positive"),
        )

    def __str__(self) -> str:
        return f"{self.currency} {self.into} {self.effective_from:%Y-%m-%d}"


def new_request_id() -> uuid.UUID:
    """The id that ties a call's hold, row, ledger entry and log lines together."""
    return uuid.uuid4()
