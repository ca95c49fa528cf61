"""Who may look into whose conversations and did, what may not be removed, and who was erased. Rows only; rules stand in their modules."""

from __future__ import annotations

import uuid

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from accounts.models.people import Team, User

MOST_REASON = 500


class Opening(models.Model):
    """One look of `reader` into `person`'s conversations: for a reason, a span of their messages, and minutes. Ends by itself.

    `tell_at` is when its person is told (empty: never), as the organisation's rule stood when it was asked for.
    """

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    reader = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+")
    person = models.ForeignKey(User, models.CASCADE, related_name="openings")
    reason = models.CharField(_("reason"), max_length=MOST_REASON, blank=True)
    since = models.DateTimeField()
    until = models.DateTimeField()
    minutes = models.PositiveSmallIntegerField()
    by_two = models.BooleanField(default=False)  # a second one had to agree
    second = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+")
    asked_at = models.DateTimeField()
    opened_at = models.DateTimeField(null=True)
    ends_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    tell_at = models.DateTimeField(null=True)
    told_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = _("look into conversations")
        verbose_name_plural = _("looks into conversations")
        constraints = (
            models.CheckConstraint(condition=Q(since__lt=F("until")), name="opening_forward"),
            models.CheckConstraint(
                condition=Q(opened_at=None, ends_at=None) | Q(opened_at__isnull=False, ends_at__isnull=False),
                name="opening_open_has_end",
            ),
            models.CheckConstraint(
                condition=Q(by_two=False) | Q(opened_at=None) | ~Q(second=None), name="opening_by_two"
            ),
            models.CheckConstraint(condition=~Q(reader=F("person")), name="opening_of_another"),
        )
        indexes = (
            models.Index(fields=["person", "-asked_at"], name="opening_of"),
            models.Index(fields=["tell_at"], condition=Q(told_at=None, tell_at__isnull=False), name="opening_to_tell"),
        )

    def __str__(self) -> str:
        return str(self.uuid)

    @property
    def name(self) -> str:
        """How the audit trail calls it: by whose conversations they are."""
        return self.person.name

    @property
    def email(self) -> str:
        return self.person.email


class LegalHold(models.Model):
    """While it stands nothing of its people is removed: not by age, not from the bin, not by erasing. Who joins its team is covered too."""

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    team = models.ForeignKey(Team, models.SET_NULL, null=True, blank=True, related_name="+")
    team_name = models.CharField(max_length=120, blank=True)
    reason = models.CharField(_("reason"), max_length=MOST_REASON)
    set_by = models.UUIDField(null=True)
    set_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = _("legal hold")
        verbose_name_plural = _("legal holds")

    def __str__(self) -> str:
        return str(self.uuid)


class HeldPerson(models.Model):
    """Somebody whom a hold covers, from the moment she was in its team until it ends, whether she stays there or not."""

    hold = models.ForeignKey(LegalHold, models.CASCADE, related_name="people")
    person = models.ForeignKey(User, models.CASCADE, related_name="holds")

    class Meta:
        constraints = (models.UniqueConstraint(fields=["hold", "person"], name="held_person_once"),)

    def __str__(self) -> str:
        return f"{self.hold_id}: {self.person_id}"


class Erasure(models.Model):
    """That a person was erased: what there was, what went, when, by whom. It is its own receipt and names nobody who was erased."""

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    person = models.UUIDField(unique=True)
    by = models.UUIDField(null=True)
    by_name = models.CharField(max_length=254, blank=True)
    planned = models.JSONField(default=dict)  # {"part": rows}
    erased = models.JSONField(default=dict)
    started_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)
    busy_until = models.DateTimeField(null=True)  # somebody carries on until then; whoever died leaves it behind
    event = models.PositiveBigIntegerField(null=True)  # its number in the audit trail
    event_hash = models.CharField(max_length=64, blank=True)

    class Meta:
        verbose_name = _("erasure")
        verbose_name_plural = _("erasures")

    def __str__(self) -> str:
        return str(self.uuid)
