"""What the organisation shows everybody: its picture, announcements, and which house rules were agreed to. No rules of their own here."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _


class Logo(models.Model):
    """The organisation's picture, once: a PNG written by accounts.pictures. In the database, so that every machine has it."""

    digest = models.CharField(max_length=64, unique=True)
    data = models.BinaryField()
    width = models.PositiveIntegerField()
    height = models.PositiveIntegerField()

    def __str__(self) -> str:
        return f"{self.width} x {self.height}"


class Announcement(models.Model):
    """A word to everybody who uses the chat, for a while. Each person puts it away for herself."""

    class Level(models.TextChoices):
        INFO = "info", _("for your information")
        WARN = "warn", _("important")

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    text = models.TextField(_("text"), max_length=1000)
    level = models.CharField(_("kind"), max_length=8, choices=Level.choices, default=Level.INFO)
    starts_at = models.DateTimeField(_("from"), default=timezone.now)
    ends_at = models.DateTimeField(_("until"))
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        verbose_name = _("announcement")
        verbose_name_plural = _("announcements")
        ordering = ("-starts_at", "-pk")
        constraints = (models.CheckConstraint(condition=Q(ends_at__gt=F("starts_at")), name="announcement_has_time"),)

    def __str__(self) -> str:
        return str(self.uuid)


class AnnouncementRead(models.Model):
    """That a person has put an announcement away."""

    announcement = models.ForeignKey(Announcement, models.CASCADE, related_name="reads")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = (models.UniqueConstraint(fields=["announcement", "user"], name="announcement_read_once"),)

    def __str__(self) -> str:
        return f"{self.announcement_id}: {self.user_id}"


class RulesVersion(models.Model):
    """A text of the house rules that stood here once. Never changed: another text is another version."""

    digest = models.CharField(max_length=64, unique=True)
    text = models.TextField()
    since = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ("-since", "-pk")

    def __str__(self) -> str:
        return self.digest[:8]


class RulesAgreement(models.Model):
    """That a person agreed to a version of the house rules, and when."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="rules_agreements")
    digest = models.CharField(max_length=64)
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = (models.UniqueConstraint(fields=["user", "digest"], name="rules_agreed_once"),)
        indexes = (models.Index(fields=["digest", "-at"], name="rules_agreement_version"),)

    def __str__(self) -> str:
        return f"{self.user_id}: {self.digest[:8]}"
