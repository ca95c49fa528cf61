"""What befell a call besides its ordinary life: a line for each thing out of the ordinary. Never its text, never a title, never a name.

The ordinary (asked, taken, first text, end) stands in the call's row, so that an answer that goes well has no lines.
"""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _


class CallLine(models.Model):
    """One line. `reason` is a word of the code, `detail` a number or a model's name."""

    class Kind(models.TextChoices):
        CLAIMED = "claimed", _("taken by a worker")
        DISPATCHED = "dispatched", _("sent to the provider")
        FIRST_TEXT = "first_text", _("first text")
        FAILED = "failed", _("the provider failed")
        RETRIED = "retried", _("back to the queue, to be tried again")
        FELL_BACK = "fell_back", _("another model or provider took it")
        HANDED_BACK = "handed_back", _("handed back by a worker that stopped")
        LOST = "lost", _("its worker was lost")
        WAITED = "waited", _("let in after it had waited for allowance")

    request_id = models.UUIDField(db_index=True)
    at = models.DateTimeField()
    kind = models.CharField(max_length=16, choices=Kind.choices)
    attempt = models.PositiveIntegerField(default=0)
    reason = models.CharField(max_length=32, blank=True)
    detail = models.CharField(max_length=80, blank=True)

    class Meta:
        verbose_name = _("line of a call")
        verbose_name_plural = _("lines of calls")

    def __str__(self) -> str:
        return f"{self.request_id} {self.kind}"
