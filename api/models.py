"""What is kept so that a repeat is a repeat: the answer to a call with an Idempotency-Key. Rules on the row only; see api.repeats."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db import models
from django.utils import timezone


class StoredAnswer(models.Model):
    """A call and what was answered. `status` is empty while it is being carried out; `body` is sealed, it may hold a secret."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    key = models.CharField(max_length=64)
    request = models.CharField(max_length=64)
    status = models.PositiveSmallIntegerField(null=True)
    headers = models.JSONField[Any, Any](default=dict)
    body = models.TextField(blank=True)
    created_at = models.DateTimeField(default=timezone.now, db_index=True)

    class Meta:
        constraints = (models.UniqueConstraint(fields=["user", "key"], name="stored_answer_once"),)

    def __str__(self) -> str:
        return f"{self.key[:8]} {self.status or ''}"
