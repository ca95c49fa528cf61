"""Sums over calls, so that a page over a month need not read them: by quarter of an hour (UTC), and by person and day. Rows only.

Four narrow tables rather than one with every column: team x model x provider x source x person would have nearly as many rows as
there are calls. What concerns machines (models, providers, errors, times) has quarters and no people; what concerns people and
teams has days and no providers. Nobody is `NOBODY`, because a unique rule does not see two empty values as the same.
"""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from usage.limit_models import NOBODY

QUARTER_S = 900
"""A bucket is the number of whole quarters of an hour since 1970, UTC: every zone's day begins at one of them."""
BINS = 24
FIRST_MS = 50
EDGES = tuple(round(FIRST_MS * 2 ** (n * 2 / 3)) for n in range(BINS - 1))
"""Bin n holds what took less than EDGES[n] ms, and at least the edge before; the last one all else (from about 22 minutes)."""
MEASURES = ("queue", "ttft", "duration")


class Rollup(models.Model):
    """What happened in a quarter of an hour: `scope` is a team, or NOBODY for the whole organisation (each call is in both)."""

    scope = models.UUIDField(default=NOBODY)
    bucket = models.IntegerField()
    model = models.UUIDField(default=NOBODY)
    provider = models.UUIDField(default=NOBODY)
    source = models.CharField(max_length=16)
    outcome = models.CharField(max_length=16, blank=True, help_text="Empty: a correction.")
    error_kind = models.CharField(max_length=32, blank=True)
    currency = models.CharField(max_length=3, blank=True)
    organisation_currency = models.CharField(max_length=3, blank=True)
    calls = models.IntegerField(default=0)
    lost = models.IntegerField(default=0, help_text="Tries that were lost and may be billed, of calls that went on.")
    estimated = models.IntegerField(default=0)
    unknown = models.IntegerField(default=0, help_text="Entries with tokens whose cost nobody knows.")
    busy_ms = models.BigIntegerField(default=0, help_text="Time at the provider, of all calls together.")
    input_tokens = models.BigIntegerField(default=0)
    cached_tokens = models.BigIntegerField(default=0)
    output_tokens = models.BigIntegerField(default=0)
    reasoning_tokens = models.BigIntegerField(default=0)
    cost_micro = models.BigIntegerField(default=0)
    organisation_cost_micro = models.BigIntegerField(default=0)
    corrections = models.IntegerField(default=0)
    corrected_tokens = models.BigIntegerField(default=0)
    corrected_micro = models.BigIntegerField(
        default=0, help_text="In the organisation's currency, made in this quarter."
    )

    KEY = (
        "scope",
        "bucket",
        "model",
        "provider",
        "source",
        "outcome",
        "error_kind",
        "currency",
        "organisation_currency",
    )

    class Meta:
        verbose_name = _("sums of a quarter of an hour")
        verbose_name_plural = _("sums by quarter of an hour")
        constraints = (
            models.UniqueConstraint(
                fields=[
                    "scope", "bucket", "model", "provider", "source", "outcome", "error_kind", "currency",
                    "organisation_currency",
                ],
                name="rollup_once",
            ),
        )  # fmt: skip

    def __str__(self) -> str:
        return f"{self.bucket} {self.source} {self.calls}"


class RollupTimes(models.Model):
    """How long calls took that began in a quarter of an hour, as log-spaced histograms. Titles are nobody's wait: not in it."""

    scope = models.UUIDField(default=NOBODY)
    bucket = models.IntegerField()
    model = models.UUIDField(default=NOBODY)
    provider = models.UUIDField(default=NOBODY)
    queue_max = models.IntegerField(default=0)
    ttft_max = models.IntegerField(default=0)
    duration_max = models.IntegerField(default=0)

    KEY = ("scope", "bucket", "model", "provider")

    class Meta:
        verbose_name = _("times of a quarter of an hour")
        verbose_name_plural = _("times by quarter of an hour")
        constraints = (
            models.UniqueConstraint(fields=["scope", "bucket", "model", "provider"], name="rollup_times_once"),
        )

    def __str__(self) -> str:
        return f"{self.bucket} {self.model}"


HISTOGRAMS = {measure: tuple(f"{measure}_{n:02}" for n in range(BINS)) for measure in MEASURES}
for _names in HISTOGRAMS.values():
    for _name in _names:
        RollupTimes.add_to_class(_name, models.IntegerField(default=0))


class PersonDay(models.Model):
    """What a person used on a day (of the organisation's clock as it was then), by team, key and model."""

    day = models.DateField()
    person = models.UUIDField(default=NOBODY)
    team = models.UUIDField(default=NOBODY)
    key = models.UUIDField(default=NOBODY)
    model = models.UUIDField(default=NOBODY)
    currency = models.CharField(max_length=3, blank=True)
    organisation_currency = models.CharField(max_length=3, blank=True)
    calls = models.IntegerField(default=0, help_text="Questions; titles are none.")
    failed = models.IntegerField(default=0, help_text="Of these failed or interrupted.")
    unknown = models.IntegerField(default=0)
    input_tokens = models.BigIntegerField(default=0)
    cached_tokens = models.BigIntegerField(default=0)
    output_tokens = models.BigIntegerField(default=0)
    reasoning_tokens = models.BigIntegerField(default=0)
    cost_micro = models.BigIntegerField(default=0)
    organisation_cost_micro = models.BigIntegerField(default=0)
    corrections = models.IntegerField(default=0)
    corrected_tokens = models.BigIntegerField(default=0)
    corrected_micro = models.BigIntegerField(default=0)

    KEY = ("day", "person", "team", "key", "model", "currency", "organisation_currency")

    class Meta:
        verbose_name = _("day of a person")
        verbose_name_plural = _("days of people")
        constraints = (
            models.UniqueConstraint(
                fields=["day", "person", "team", "key", "model", "currency", "organisation_currency"],
                name="person_day_once",
            ),
        )
        indexes = (
            models.Index(fields=["team", "day"], name="person_day_team"),
            models.Index(fields=["person", "day"], name="person_day_person"),
        )

    def __str__(self) -> str:
        return f"{self.day} {self.calls}"


class Rejection(models.Model):
    """Questions that were refused before there was a call: how many in a quarter of an hour, and why (the code of the refusal)."""

    scope = models.UUIDField(default=NOBODY)
    bucket = models.IntegerField()
    source = models.CharField(max_length=16)
    reason = models.CharField(max_length=32)
    refused = models.IntegerField(default=0)

    KEY = ("scope", "bucket", "source", "reason")

    class Meta:
        verbose_name = _("refused questions")
        verbose_name_plural = _("refused questions")
        constraints = (models.UniqueConstraint(fields=["scope", "bucket", "source", "reason"], name="rejection_once"),)

    def __str__(self) -> str:
        return f"{self.bucket} {self.reason} {self.refused}"
