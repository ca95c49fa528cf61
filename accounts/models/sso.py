"""Sign-in through the company: its issuers, which of their groups is which team, and the sign-outs they asked for."""

from __future__ import annotations

import uuid

from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.models.people import Membership, Team


class SsoConnection(models.Model):
    """An issuer: OpenID Connect, Feishu or WeCom. People are keyed by (issuer, subject), never by e-mail."""

    class Kind(models.TextChoices):
        OIDC = "oidc", _("OpenID Connect")
        FEISHU = "feishu", _("Feishu")
        WECOM = "wecom", _("WeCom")

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    kind = models.CharField(_("kind"), max_length=8, choices=Kind.choices)
    slug = models.SlugField(_("short name"), unique=True, help_text=_("Stands in the address the issuer calls back."))
    name = models.CharField(_("name"), max_length=80)
    server_url = models.URLField(_("issuer's address"), blank=True)
    client_id = models.CharField(_("client id"), max_length=255)
    secret = models.TextField(_("secret"), blank=True)  # encrypted; shown as its last four characters
    secret_tail = models.CharField(max_length=4, blank=True)
    agent_id = models.CharField(_("agent id"), max_length=32, blank=True)  # WeCom
    scopes = models.CharField(_("scopes"), max_length=200, blank=True)
    group_claim = models.CharField(_("claim that names groups"), max_length=80, blank=True)
    # Whose people are staff, and with which rights (accounts.sso_staff).
    staff_group = models.CharField(_("group of staff"), max_length=200, blank=True, editable=False)
    staff_bundles = models.JSONField(default=list, blank=True, editable=False)
    email_domains = models.TextField(_("domains it may vouch for"), blank=True)
    makes_people = models.BooleanField(
        _("makes accounts"), default=True, help_text=_("Otherwise only people who were invited may sign in through it.")
    )
    is_enabled = models.BooleanField(_("on"), default=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name = _("company sign-in")
        verbose_name_plural = _("company sign-ins")

    def __str__(self) -> str:
        return self.name


class SsoTeam(models.Model):
    """Who the issuer puts into this group is in this team, from one sign-in to the next."""

    connection = models.ForeignKey(SsoConnection, models.CASCADE, related_name="teams")
    group = models.CharField(_("group"), max_length=200)
    team = models.ForeignKey(Team, models.CASCADE, related_name="+")
    role = models.CharField(max_length=16, choices=Membership.Role.choices, default=Membership.Role.MEMBER)

    class Meta:
        constraints = (models.UniqueConstraint(fields=["connection", "group", "team"], name="sso_team_once"),)

    def __str__(self) -> str:
        return f"{self.group} → {self.team_id}"


class SsoLogout(models.Model):
    """A logout token that was obeyed: sent again it does nothing."""

    connection = models.ForeignKey(SsoConnection, models.CASCADE, related_name="+")
    digest = models.CharField(max_length=64, unique=True)  # SHA-256 of issuer and jti
    expires_at = models.DateTimeField(db_index=True)

    def __str__(self) -> str:
        return self.digest[:8]
