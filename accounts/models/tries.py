"""How often something was tried lately, and what a person is to be told at the next sign-in."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from accounts.models.people import User


class Tries(models.Model):
    """One count, of what only `accounts.tries` can name: tries with one account, letters to one address."""

    key = models.CharField(max_length=64, primary_key=True)  # SHA-256: no address or name stands here
    count = models.PositiveIntegerField()
    ends = models.BigIntegerField(db_index=True)  # seconds since 1970: a new count begins then

    class Meta:
        verbose_name = _("count of tries")
        verbose_name_plural = _("counts of tries")

    def __str__(self) -> str:
        return f"{self.key[:8]} {self.count}"


class Notice(models.Model):
    """What was done to a person's account by somebody else, until she has read it: for when no mail could tell her."""

    class Kind(models.TextChoices):
        FACTOR_RESET = "factor_reset", _("The second factor was removed.")
        LINK_MADE = "link_made", _("A link to choose a new password was made.")
        CHATS_OPENED = "chats_opened", _("Conversations were opened.")

    user = models.ForeignKey(User, models.CASCADE, related_name="notices")
    kind = models.CharField(max_length=16, choices=Kind.choices)
    by = models.CharField(max_length=254, blank=True)  # the name of whoever did it
    created_at = models.DateTimeField(db_default=Now())
    read_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = _("notice")
        verbose_name_plural = _("notices")
        indexes: ClassVar = [models.Index(fields=["user"], condition=models.Q(read_at=None), name="notice_unread")]

    def __str__(self) -> str:
        return f"{self.kind} {self.user_id}"
