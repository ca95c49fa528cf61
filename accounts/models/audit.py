"""What was done, by whom, to what: a chain that nobody can change unseen. Message text never enters it."""

from __future__ import annotations

import uuid

from django.db import models
from django.utils.translation import gettext_lazy as _


class AuditEvent(models.Model):
    """One deed. Append-only by trigger; `hash` covers the row and the hash before it. No foreign keys: it outlives everybody.

    Personal columns enter the chain as salted digests (accounts.audit_chain), so that erasing a person may blank them: the
    actor's (name, address, device) and the target's (name, private) each with the salt of their own.
    """

    number = models.PositiveBigIntegerField(unique=True)  # 1, 2, 3 … without a gap
    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    at = models.DateTimeField(_("when"), db_index=True)
    action = models.CharField(_("what"), max_length=64)  # "person.deactivated", "key.made", …
    actor_kind = models.CharField(max_length=16)  # person, service, key, command, system, anonymous
    actor = models.UUIDField(null=True, blank=True)
    actor_name = models.CharField(_("who"), max_length=254, blank=True)
    target_kind = models.CharField(max_length=32, blank=True)
    target = models.UUIDField(null=True, blank=True)
    target_name = models.CharField(_("whom or what"), max_length=254, blank=True)
    # The person whose account, key or content was touched: what "who looked" lists.
    concerns = models.UUIDField(null=True, blank=True)
    changes = models.JSONField(
        _("before and after"), default=dict
    )  # {"field": [before, after]}; no secrets, no message text
    private = models.JSONField(default=dict)  # the part of the changes that is personal: names, addresses
    address = models.CharField(max_length=64, blank=True)
    device = models.CharField(max_length=200, blank=True)
    request_id = models.CharField(max_length=64, blank=True)
    personal = models.CharField(max_length=64)  # salted digest of the actor's personal columns
    salt = models.CharField(max_length=32, blank=True)  # blanked with them
    target_personal = models.CharField(max_length=64, blank=True)  # the same for the target; empty: nothing personal
    target_salt = models.CharField(max_length=32, blank=True)
    previous = models.CharField(max_length=64, unique=True)  # a hash has one successor
    hash = models.CharField(max_length=64, unique=True)

    class Meta:
        verbose_name = _("event")
        verbose_name_plural = _("events")
        # Each list is read from the newest event on, so `number` stands in every index.
        indexes = (
            models.Index(fields=["action", "number"], name="audit_by_action"),
            models.Index(fields=["actor", "number"], name="audit_by_actor"),
            models.Index(fields=["target", "number"], name="audit_by_target"),
            models.Index(fields=["concerns", "number"], name="audit_by_concerns"),
        )

    def __str__(self) -> str:
        return f"{self.number} {self.action}"
