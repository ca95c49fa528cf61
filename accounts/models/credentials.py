"""What a person or a program shows to be let in. No row holds anything that could be used as it stands."""

from __future__ import annotations

import uuid

from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from accounts.models.people import User


class LoginSession(models.Model):
    """One sign-in, of a browser or of a program with JWT: what "where you are signed in" lists."""

    class Kind(models.TextChoices):
        BROWSER = "browser", _("browser")
        TOKEN = "token", _("program")

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    user = models.ForeignKey(User, models.CASCADE, related_name="login_sessions")
    kind = models.CharField(max_length=8, choices=Kind.choices)
    # SHA-256 of Django's session key; empty for tokens.
    session_digest = models.CharField(max_length=64, blank=True, db_index=True)
    session_version = models.PositiveIntegerField()
    method = models.CharField(max_length=32, blank=True)  # password, otp, passkey, sso:<slug>, rescue
    address = models.GenericIPAddressField(null=True, blank=True)
    device = models.CharField(max_length=200, blank=True)  # the User-Agent, cut
    created_at = models.DateTimeField(db_default=Now())
    last_used_at = models.DateTimeField(db_default=Now())  # written at most once a minute
    expires_at = models.DateTimeField()  # absolute: no refresh outlives it
    ended_at = models.DateTimeField(null=True, blank=True)
    ended_because = models.CharField(max_length=32, blank=True)  # signed_out, reuse, revoked, …
    # What the issuer calls this sign-in (`sid`), for back-channel logout.
    sso_session = models.CharField(max_length=255, blank=True, db_index=True)

    class Meta:
        verbose_name = _("sign-in")
        verbose_name_plural = _("sign-ins")
        indexes = (models.Index(fields=["user", "ended_at"], name="login_session_of"),)

    def __str__(self) -> str:
        return f"{self.kind} {self.uuid}"


class RefreshToken(models.Model):
    """One refresh token of a sign-in. Whoever sets `used_at` first has rotated it; anybody later has stolen or repeated it."""

    session = models.ForeignKey(LoginSession, models.CASCADE, related_name="refresh_tokens")
    digest = models.CharField(max_length=64, unique=True)  # SHA-256 of the token's jti
    created_at = models.DateTimeField(db_default=Now())
    used_at = models.DateTimeField(null=True, blank=True)
    client = models.CharField(
        max_length=64, blank=True
    )  # digest of address and User-Agent: the grace is for the same one

    class Meta:
        verbose_name = _("refresh token")
        verbose_name_plural = _("refresh tokens")

    def __str__(self) -> str:
        return f"{self.session_id} {self.digest[:8]}"


class ApiKey(models.Model):
    """A program's key: a visible prefix, SHA-256 of the whole, and what it may do (never more than its owner may today)."""

    # The same from the first key to the last one that took its place: limits are for all of them together.
    family = models.UUIDField(default=uuid.uuid4, db_index=True, editable=False)
    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    user = models.ForeignKey(User, models.CASCADE, related_name="api_keys", verbose_name=_("owner"))
    name = models.CharField(_("name"), max_length=80)
    prefix = models.CharField(_("prefix"), max_length=16, unique=True, editable=False)
    digest = models.CharField(max_length=64, unique=True, editable=False)
    scopes = models.JSONField(_("scopes"), default=list)  # ["chat", "models", …]
    model_names = models.JSONField(_("models"), default=list, blank=True)  # names; empty: all that the owner may use
    allowed_ips = models.JSONField(_("addresses"), default=list, blank=True)  # networks; empty: from anywhere
    created_at = models.DateTimeField(db_default=Now())
    expires_at = models.DateTimeField(_("expires"), null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True)  # written at most once a minute
    last_address = models.GenericIPAddressField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    revoked_by = models.ForeignKey(User, models.SET_NULL, null=True, blank=True, related_name="+")
    # Rolled: the key that took this one's place; this one lives on until its (short) end.
    successor = models.OneToOneField("self", models.SET_NULL, null=True, blank=True, related_name="predecessor")

    class Meta:
        verbose_name = _("API key")
        verbose_name_plural = _("API keys")

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"
