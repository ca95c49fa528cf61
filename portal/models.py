"""Rows of the site itself: periodic jobs, web processes, counts for monitors, alerts and what was sent of them, letters of months.

Rules on rows only; who writes them stands in schedule, samples, tally and alerts.
"""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _


class PeriodicJob(models.Model):
    """When a job of the schedule last began; whoever moves `last_run_at` on runs it."""

    name = models.CharField(max_length=100, primary_key=True)
    last_run_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.name


class WebProcess(models.Model):
    """What one web process has counted since its start, and how many polls it holds: written every few seconds."""

    uuid = models.UUIDField(primary_key=True, default=uuid.uuid4)
    beat_at = models.DateTimeField(db_index=True)
    held_polls = models.PositiveIntegerField(default=0)
    requests = models.JSONField(default=dict)

    def __str__(self) -> str:
        return str(self.uuid)


class Tally(models.Model):
    """How many calls there were of each kind, up to the call `upto`: one row, moved on by whoever asks."""

    upto = models.BigIntegerField(default=0)
    counts = models.JSONField(default=dict)

    def __str__(self) -> str:
        return str(self.upto)


class AlertSettings(models.Model):
    """Whom alerts go to and when: one row."""

    emails = models.CharField(_("e-mail addresses"), max_length=500, blank=True)
    webhook_url = models.CharField(_("webhook"), max_length=500, blank=True)
    webhook_secret = models.CharField(max_length=500, blank=True)
    quiet_minutes = models.PositiveIntegerField(_("quiet time"), default=60)
    error_percent = models.PositiveSmallIntegerField(_("share of failed answers"), default=20)
    queue_s = models.PositiveIntegerField(_("wait of a question"), default=60)

    def __str__(self) -> str:
        return "alerts"


class Alert(models.Model):
    """Something that is not well, from when it was noticed until it was well again. At most one open row for a kind and a subject."""

    class Kind(models.TextChoices):
        BUDGET_80 = "budget_80", _("most of a budget is used")
        BUDGET_100 = "budget_100", _("a budget is used up")
        PROVIDER = "provider", _("a provider does not answer")
        ERRORS = "errors", _("many answers fail")
        QUEUE = "queue", _("questions wait for long")
        WORKERS = "workers", _("no worker is there")
        WORKER_LOST = "worker_lost", _("a worker is gone")
        LEDGER = "ledger", _("the ledger does not agree")
        PRICE = "price", _("a price is missing")
        TEST = "test", _("a test")

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    kind = models.CharField(max_length=16, choices=Kind.choices)
    subject = models.CharField(max_length=64, blank=True)
    subject_name = models.CharField(max_length=200, blank=True)
    facts = models.JSONField(default=dict)
    opened_at = models.DateTimeField()
    seen_at = models.DateTimeField()
    told_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = _("alert")
        verbose_name_plural = _("alerts")
        constraints = (
            models.UniqueConstraint(fields=["kind", "subject"], condition=Q(closed_at=None), name="alert_one_open"),
        )
        indexes = (models.Index(fields=["-opened_at"], name="alert_time"),)

    def __str__(self) -> str:
        return f"{self.kind} {self.subject}"


class AlertMessage(models.Model):
    """One message about an alert to one place: written with what it is about, sent afterwards, tried again until it is given up."""

    class State(models.TextChoices):
        WAITING = "waiting", _("on its way")
        SENT = "sent", _("sent")
        FAILED = "failed", _("given up")

    class What(models.TextChoices):
        RAISED = "raised", _("alert")
        STILL = "still", _("still so")
        WELL = "well", _("all well again")

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    alert = models.ForeignKey(Alert, models.CASCADE, related_name="messages")
    what = models.CharField(max_length=8, choices=What.choices)
    by_mail = models.BooleanField()
    to = models.CharField(max_length=500)
    at = models.DateTimeField()
    state = models.CharField(max_length=8, choices=State.choices, default=State.WAITING)
    tries = models.PositiveSmallIntegerField(default=0)
    due_at = models.DateTimeField()
    sent_at = models.DateTimeField(null=True)
    error = models.CharField(max_length=200, blank=True)

    class Meta:
        verbose_name = _("message about an alert")
        verbose_name_plural = _("messages about alerts")
        indexes = (models.Index(fields=["due_at"], condition=Q(state="waiting"), name="alert_message_due"),)

    def __str__(self) -> str:
        return f"{self.what} {self.to}"


class MonthRules(models.Model):
    """When months close by themselves: one row."""

    close_after_days = models.PositiveSmallIntegerField(_("days after its end"), null=True, blank=True)

    def __str__(self) -> str:
        return "months"


class MonthReader(models.Model):
    """Somebody who is sent the month report, while she may see it."""

    user = models.OneToOneField(settings.AUTH_USER_MODEL, models.CASCADE, related_name="month_letter")

    def __str__(self) -> str:
        return str(self.user)


class MonthLetter(models.Model):
    """That the letter of a month was dealt with: whoever writes the row sends it, once."""

    first = models.DateField(unique=True)
    at = models.DateTimeField()
    letters = models.PositiveIntegerField(default=0)

    def __str__(self) -> str:
        return f"{self.first:%Y-%m}"
