"""What may be used: limits, the counters of their periods, raises for a while, requests for more, and who was told.

Rules on rows only; usage.quotas is the one writer of counters, usage.rules the one of limits.
"""

from __future__ import annotations

import uuid

from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

NOBODY = uuid.UUID(int=0)
"""The subject of what concerns no single person, team or key: the organisation's own counter."""


class Scope(models.TextChoices):
    """Whose use a limit counts, and for whom it stands."""

    ORGANISATION = "organisation", _("the whole organisation together")
    TEAM = "team", _("a team together")
    MEMBER = "member", _("each member of a team")
    PERSON = "person", _("a person")
    KEY = "key", _("an API key")
    EACH = "each", _("each person")


class Unit(models.TextChoices):
    """What is counted. The last three are no amounts of a period: how many answers at once, the size of one prompt, of one answer."""

    REQUESTS = "requests", _("questions")
    TOKENS = "tokens", _("tokens")
    INPUT = "input", _("tokens of questions")
    OUTPUT = "output", _("tokens of answers")
    COST = "cost", _("money")
    AT_ONCE = "at_once", _("answers at once")
    PROMPT = "prompt", _("tokens of one question with its history")
    ANSWER = "answer", _("tokens of one answer")


class Period(models.TextChoices):
    """A calendar window in the organisation's time zone; NONE for what has no window."""

    MINUTE = "minute", _("minute")
    HOUR = "hour", _("hour")
    DAY = "day", _("day")
    WEEK = "week", _("week")
    MONTH = "month", _("month")
    NONE = "none", _("at any time")


class AtLimit(models.TextChoices):
    """What happens when it is used up."""

    BLOCK = "block", _("block")
    SWITCH = "switch", _("use another model")
    WARN = "warn", _("only warn")


SINGLE = (Scope.TEAM, Scope.MEMBER, Scope.PERSON, Scope.KEY)
"""Scopes that name a team, a person or a key."""
TIMELESS = (Unit.AT_ONCE, Unit.PROMPT, Unit.ANSWER)
"""Units without a period."""


class Quota(models.Model):
    """One limit. `amount` is in its unit; money in micro-units of the organisation's currency.

    `of_models` holds UUIDs of models as text, none: all. Never deleted, because counters point at it: `removed_at`.
    """

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    scope = models.CharField(_("for"), max_length=16, choices=Scope.choices)
    subject = models.UUIDField(default=NOBODY)
    subject_name = models.CharField(max_length=254, blank=True)
    unit = models.CharField(_("what"), max_length=16, choices=Unit.choices)
    period = models.CharField(_("per"), max_length=8, choices=Period.choices)
    of_models = models.JSONField(_("models"), default=list, blank=True)
    models_key = models.CharField(max_length=64, blank=True, editable=False)
    amount = models.BigIntegerField(_("amount"))
    at_limit = models.CharField(_("at the limit"), max_length=8, choices=AtLimit.choices, default=AtLimit.BLOCK)
    switch_to = models.UUIDField(_("other model"), null=True, blank=True)
    enabled = models.BooleanField(_("on"), default=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    changed_at = models.DateTimeField(default=timezone.now, editable=False)
    removed_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        verbose_name = _("limit")
        verbose_name_plural = _("limits")
        constraints = (
            models.CheckConstraint(condition=Q(amount__gte=0), name="quota_not_negative"),
            models.CheckConstraint(
                condition=Q(scope__in=SINGLE) & ~Q(subject=NOBODY) | ~Q(scope__in=SINGLE) & Q(subject=NOBODY),
                name="quota_names_whom",
            ),
            models.CheckConstraint(
                condition=Q(unit__in=TIMELESS, period="none") | ~Q(unit__in=TIMELESS) & ~Q(period="none"),
                name="quota_period_fits_unit",
            ),
            models.CheckConstraint(
                condition=Q(at_limit="switch", switch_to__isnull=False) | ~Q(at_limit="switch") & Q(switch_to=None),
                name="quota_switch_names_model",
            ),
            models.UniqueConstraint(
                fields=["scope", "subject", "unit", "period", "models_key"],
                condition=Q(removed_at=None),
                name="quota_once",
            ),
        )
        indexes = (
            models.Index(fields=["subject", "scope"], condition=Q(removed_at=None, enabled=True), name="quota_of"),
        )

    def __str__(self) -> str:
        return f"{self.scope} {self.amount} {self.unit} / {self.period}"


class QuotaPeriod(models.Model):
    """The counter of one limit, one subject, one window [starts_at, ends_at): a new window is a new row, nothing is ever reset.

    `opening` is what had been used in the window before the row was made; `used` includes it. `cap` is what the last reservation
    was measured with, for display: it decides nothing.
    """

    quota = models.ForeignKey(Quota, models.PROTECT, related_name="periods")
    subject = models.UUIDField(default=NOBODY)
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    opening = models.BigIntegerField(default=0)
    used = models.BigIntegerField(default=0)
    held = models.BigIntegerField(default=0)
    cap = models.BigIntegerField(default=0)

    class Meta:
        verbose_name = _("period of a limit")
        verbose_name_plural = _("periods of limits")
        constraints = (
            models.UniqueConstraint(fields=["quota", "subject", "starts_at"], name="quota_period_once"),
            models.CheckConstraint(
                condition=Q(used__gte=0, held__gte=0, opening__gte=0), name="quota_period_not_negative"
            ),
            models.CheckConstraint(condition=Q(starts_at__lt=F("ends_at")), name="quota_period_forward"),
        )
        indexes = (
            models.Index(fields=["subject", "-ends_at"], name="quota_period_of"),
            models.Index(fields=["ends_at"], name="quota_period_open"),
        )

    def __str__(self) -> str:
        return f"{self.quota_id} {self.subject} {self.starts_at:%Y-%m-%d %H:%M}"


class QuotaGrant(models.Model):
    """More for a while: `amount` on top of the limit for `subject` (a person, team, key; nobody: the organisation) until `until`."""

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    quota = models.ForeignKey(Quota, models.PROTECT, related_name="grants")
    subject = models.UUIDField(default=NOBODY)
    amount = models.BigIntegerField(_("more"))
    starts_at = models.DateTimeField()
    until = models.DateTimeField(_("until"))
    reason = models.CharField(_("reason"), max_length=500, blank=True)
    granted_by = models.UUIDField(null=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        verbose_name = _("raise")
        verbose_name_plural = _("raises")
        constraints = (
            models.CheckConstraint(condition=Q(amount__gt=0), name="quota_grant_gives"),
            models.CheckConstraint(condition=Q(starts_at__lt=F("until")), name="quota_grant_forward"),
        )
        indexes = (models.Index(fields=["quota", "subject", "until"], name="quota_grant_of"),)

    def __str__(self) -> str:
        return f"{self.amount} more until {self.until:%Y-%m-%d %H:%M}"


class QuotaRequest(models.Model):
    """Somebody asks for more of a limit, with a reason; one open request a person and limit."""

    class State(models.TextChoices):
        OPEN = "open", _("open")
        GRANTED = "granted", _("granted")
        REFUSED = "refused", _("refused")

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    quota = models.ForeignKey(Quota, models.PROTECT, related_name="requests")
    person = models.UUIDField()
    person_name = models.CharField(max_length=200, blank=True)
    reason = models.CharField(_("reason"), max_length=500)
    amount = models.BigIntegerField(_("how much more"), null=True)
    state = models.CharField(max_length=8, choices=State.choices, default=State.OPEN)
    grant = models.OneToOneField(QuotaGrant, models.PROTECT, null=True, related_name="request")
    answer = models.CharField(_("answer"), max_length=500, blank=True)
    decided_by = models.UUIDField(null=True)
    decided_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        verbose_name = _("request for more")
        verbose_name_plural = _("requests for more")
        constraints = (
            models.UniqueConstraint(fields=["quota", "person"], condition=Q(state="open"), name="quota_request_one"),
            models.CheckConstraint(
                condition=Q(state="open", decided_at=None) | ~Q(state="open") & Q(decided_at__isnull=False),
                name="quota_request_decided_has_time",
            ),
            models.CheckConstraint(
                condition=Q(state="granted", grant__isnull=False) | ~Q(state="granted") & Q(grant=None),
                name="quota_request_granted_gives",
            ),
        )

    def __str__(self) -> str:
        return f"{self.person_name} {self.state}"


class QuotaNotice(models.Model):
    """A period has come to 80 % or 100 % of its limit: written once, whoever is told of it."""

    period = models.ForeignKey(QuotaPeriod, models.PROTECT, related_name="notices")
    percent = models.PositiveSmallIntegerField()
    at = models.DateTimeField()

    class Meta:
        verbose_name = _("notice of a limit")
        verbose_name_plural = _("notices of limits")
        constraints = (models.UniqueConstraint(fields=["period", "percent"], name="quota_notice_once"),)

    def __str__(self) -> str:
        return f"{self.period_id} {self.percent} %"
