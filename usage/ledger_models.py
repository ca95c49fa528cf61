"""The ledger: what each call took and cost. Append-only, by trigger as well; it outlives conversations and people."""

from __future__ import annotations

import uuid

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _


class LedgerEntry(models.Model):
    """One entry. Whole numbers: tokens, micro-units of the price's currency and of the organisation's, and the rate between them.

    `cost_micro` is empty where nobody has entered a price ("cost unknown"), `organisation_cost_micro` also where no rate is
    known. Erasing a person empties `person`, `person_name`, `key`, together and nothing else.
    """

    class Kind(models.TextChoices):
        SETTLE = "settle", _("call")
        ATTEMPT = "attempt", _("an attempt that was lost")
        CORRECTION = "correction", _("correction")

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    request_id = models.UUIDField()
    attempt = models.PositiveIntegerField(default=0, help_text="Of a correction: its number.")
    kind = models.CharField(max_length=16, choices=Kind.choices)
    reserved_at = models.DateTimeField(
        help_text="When the call was accepted: it counts into the periods of this moment."
    )
    at = models.DateTimeField()
    source = models.CharField(max_length=16)
    person = models.UUIDField(null=True)
    person_name = models.CharField(max_length=200, blank=True)
    team = models.UUIDField(null=True)
    team_name = models.CharField(max_length=120, blank=True)
    key = models.UUIDField(null=True)
    provider = models.UUIDField(null=True)
    provider_name = models.CharField(max_length=80, blank=True)
    model = models.UUIDField(null=True)
    model_name = models.CharField(max_length=200, blank=True)
    outcome = models.CharField(max_length=16, blank=True)
    requests = models.SmallIntegerField(default=1)
    input_tokens = models.BigIntegerField(default=0)
    cached_tokens = models.BigIntegerField(default=0)
    output_tokens = models.BigIntegerField(default=0)
    reasoning_tokens = models.BigIntegerField(default=0)
    estimated = models.BooleanField(default=False, help_text="The provider did not say what it took.")
    clamped = models.BooleanField(default=False, help_text="The provider said what cannot be.")
    overrun = models.BooleanField(default=False, help_text="It took more than was held.")
    price = models.UUIDField(null=True)
    currency = models.CharField(max_length=3, blank=True)
    cost_micro = models.BigIntegerField(null=True)
    organisation_currency = models.CharField(max_length=3, blank=True)
    organisation_cost_micro = models.BigIntegerField(null=True)
    rate_micro = models.BigIntegerField(null=True)
    reason = models.CharField(max_length=500, blank=True)
    by = models.UUIDField(null=True)

    class Meta:
        verbose_name = _("ledger entry")
        verbose_name_plural = _("ledger entries")
        constraints = (
            models.UniqueConstraint(fields=["request_id", "attempt", "kind"], name="ledger_entry_once"),
            models.UniqueConstraint(fields=["request_id"], condition=Q(kind="settle"), name="ledger_settled_once"),
            models.CheckConstraint(
                condition=Q(kind="correction")
                | Q(requests__gte=0, input_tokens__gte=0, cached_tokens__gte=0, output_tokens__gte=0)
                & Q(reasoning_tokens__gte=0),
                name="ledger_entry_not_negative",
            ),
        )
        indexes = (
            models.Index(fields=["reserved_at"], name="ledger_time"),
            models.Index(fields=["person", "reserved_at"], name="ledger_person"),
            models.Index(fields=["team", "reserved_at"], name="ledger_team"),
            models.Index(fields=["key", "reserved_at"], condition=Q(key__isnull=False), name="ledger_key"),
            models.Index(fields=["at"], condition=Q(kind="correction"), name="ledger_corrected"),
        )

    def __str__(self) -> str:
        return f"{self.request_id} {self.kind}"
