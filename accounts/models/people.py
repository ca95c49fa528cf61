"""Who asks: the organisation, its people and its teams. No credentials logic, no quotas here."""

from __future__ import annotations

import uuid
from typing import Any, ClassVar

from django.contrib.auth.models import AbstractBaseUser, BaseUserManager, PermissionsMixin
from django.db import models
from django.db.models.functions import Lower
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.prepared import Prepared

NO_MAIL = "no-mail.invalid"
"""The domain of people whose company told no address: it exists nowhere (RFC 2606), so that no letter ever leaves for it."""


SHEET = "1"
"""Part of the address of its style sheet: raised when accounts.colours makes another sheet of the same colours."""


class SecondFactor(models.TextChoices):
    """From whom a second factor is demanded at sign-in."""

    OPTIONAL = "optional", _("for those who want it")
    STAFF = "staff", _("demanded of administrators and staff")
    ALL = "all", _("demanded of everybody")


class UsageShown(models.TextChoices):
    """As what colleagues see what is left to them."""

    MONEY = "money", _("money")
    TOKENS = "tokens", _("tokens")
    SHARE = "share", _("a share of 100 %")


class LooksTold(models.TextChoices):
    """When somebody is told that her conversations were opened."""

    NOW = "now", _("at once")
    LATER = "later", _("some days later")
    NEVER = "never", _("never")


class Organisation(models.Model):
    """The one company that this installation serves: exactly one row, made by the first migration."""

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    name = models.CharField(_("name"), max_length=120, default="Chat")
    time_zone = models.CharField(
        _("time zone"), max_length=64, blank=True, help_text=_("IANA name; empty: the setting TIME_ZONE.")
    )
    language = models.CharField(
        _("language"), max_length=16, blank=True, help_text=_("For people who chose none; empty: their browser's.")
    )
    instructions = models.TextField(
        _("instructions"), blank=True, help_text=_("Told to every model before the conversation.")
    )
    house_rules = models.TextField(_("house rules"), blank=True)
    starters = models.TextField(
        _("starters"),
        blank=True,
        help_text=_(
            "Ways to begin on the empty page: one a line, “title | text for the box”. Empty: four general ones."
        ),
    )
    contact = models.CharField(_("whom to ask"), max_length=200, blank=True)
    currency = models.CharField(_("currency"), max_length=3, default="USD")
    usage_shown = models.CharField(
        _("what colleagues see of their use"), max_length=8, choices=UsageShown.choices, default=UsageShown.SHARE
    )
    open_domains = models.TextField(
        _("domains that may register"),
        blank=True,
        help_text=_("One a line, such as example.com. Empty: nobody registers, people are invited."),
    )
    second_factor = models.CharField(
        _("second factor"), max_length=8, choices=SecondFactor.choices, default=SecondFactor.OPTIONAL
    )
    sso_only = models.BooleanField(
        _("sign-in through your company only"), default=False, help_text=_("Passwords stop working, except rescue.")
    )
    sso_days = models.PositiveSmallIntegerField(
        _("days a key lives without sign-in"),
        default=30,
        help_text=_("Keys of people who sign in through the company pause after so many days without a sign-in."),
    )

    # How it looks: the accent of each theme, "" for the portal's own; the digest of its picture (Logo), "" for none.
    accent = models.CharField(_("accent colour"), max_length=7, blank=True, default="", editable=False)
    accent_dark = models.CharField(_("accent colour in the dark"), max_length=7, blank=True, default="", editable=False)
    logo = models.CharField(max_length=64, blank=True, default="", editable=False)
    # While this is set nobody but staff sends anything (accounts.maintenance).
    maintenance_since = models.DateTimeField(_("maintenance since"), null=True, editable=False)
    maintenance_until = models.DateTimeField(_("maintenance until"), null=True, editable=False)
    maintenance_note = models.CharField(_("note"), max_length=300, blank=True, default="", editable=False)
    # When the last announcement ends: past that nobody looks for one.
    announced_until = models.DateTimeField(null=True, editable=False)
    # What is kept, and who is told of looks: changed on pages of their own (accounts.retention, accounts.openings).
    retention_days = models.PositiveIntegerField(_("days conversations are kept"), null=True, editable=False)
    temporary_hours = models.PositiveIntegerField(_("hours a temporary chat lives"), default=24, editable=False)
    looks_told = models.CharField(
        _("who was looked at is told"), max_length=8, choices=LooksTold.choices, default=LooksTold.NOW, editable=False
    )
    looks_told_days = models.PositiveSmallIntegerField(_("days until then"), default=7, editable=False)
    looks_by_two = models.BooleanField(_("a second person must agree to a look"), default=False, editable=False)

    class Meta:
        verbose_name = _("organisation")
        verbose_name_plural = _("organisation")
        permissions = (("manage_privacy", "Can set what is kept, set legal holds, export and erase people"),)
        constraints = (models.CheckConstraint(condition=models.Q(pk=1), name="organisation_is_one"),)

    def __str__(self) -> str:
        return self.name

    @property
    def sheet_name(self) -> str:
        """What the address of its style sheet says (accounts.brand); empty while it has the portal's own colours."""
        return f"{self.accent[1:]}-{self.accent_dark[1:]}-{SHEET}" if self.accent and self.accent_dark else ""

    @classmethod
    def get(cls) -> Organisation:
        """The row (made if a restore or a test emptied the table)."""
        found: Organisation | None = _one.first()
        return found or cls.objects.get_or_create(pk=1)[0]


_one = Prepared(lambda: Organisation.objects.filter(pk=1))


class UserManager(BaseUserManager["User"]):
    """Makes people; e-mail addresses are kept in lower case."""

    def create_user(self, email: str, password: str | None = None, **fields: Any) -> User:
        user = self.model(email=email.strip().lower(), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> User:
        return self.create_user(email, password, is_staff=True, is_superuser=True, **fields)

    def get_by_natural_key(self, username: str | None) -> User:
        return self.get(email=(username or "").strip().lower())


class Theme(models.TextChoices):
    """How the pages look."""

    SYSTEM = "system", _("as the device")
    LIGHT = "light", _("light")
    DARK = "dark", _("dark")


class User(AbstractBaseUser, PermissionsMixin):
    """A colleague. `session_version` cuts every session, ticket and token at once when it is raised."""

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    email = models.EmailField(_("e-mail"), unique=True, error_messages={"unique": _("This e-mail is in use.")})
    name = models.CharField(_("name"), max_length=120, blank=True)
    language = models.CharField(_("language"), max_length=16, blank=True)
    time_zone = models.CharField(_("time zone"), max_length=64, blank=True)
    session_version = models.PositiveIntegerField(default=1, editable=False)
    password_expired = models.BooleanField(
        _("must choose a new password"), default=False, help_text=_("Asked for at the next sign-in.")
    )
    theme = models.CharField(_("theme"), max_length=8, choices=Theme.choices, default=Theme.SYSTEM)
    default_model = models.CharField(
        _("default model"), max_length=200, blank=True, help_text=_("A model's name; empty: the organisation's.")
    )
    is_service = models.BooleanField(
        _("a program's account"), default=False, editable=False, help_text=_("Never signs in; asks with its own keys.")
    )
    owner = models.ForeignKey(
        "self", models.SET_NULL, null=True, blank=True, related_name="service_accounts", verbose_name=_("owner")
    )
    awaits_approval = models.BooleanField(_("waits for approval"), default=False, editable=False)
    is_active = models.BooleanField(_("active"), default=True)
    deactivated_at = models.DateTimeField(null=True, blank=True, editable=False)
    sso_at = models.DateTimeField(
        null=True, blank=True, editable=False, help_text=_("Last sign-in through the company; empty: never.")
    )
    house_rules_read = models.CharField(
        max_length=64, blank=True, editable=False, help_text=_("SHA-256 of the house rules this person agreed to.")
    )
    is_staff = models.BooleanField(_("may open the administration"), default=False)
    # No permission of Django's, because those are all an administrator's by being one. Given by somebody else (accounts.openings).
    may_open_chats = models.BooleanField(_("may open conversations with a reason"), default=False, editable=False)
    # Whose group made her staff; empty: an administrator did.
    staff_by = models.ForeignKey(
        "accounts.SsoConnection", models.SET_NULL, null=True, blank=True, editable=False, related_name="+"
    )
    date_joined = models.DateTimeField(_("joined"), default=timezone.now, editable=False)

    objects: ClassVar[UserManager] = UserManager()
    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    class Meta:
        verbose_name = _("person")
        verbose_name_plural = _("people")
        permissions = (("manage_service_accounts", "Can make and change accounts of programs"),)
        constraints = (
            models.UniqueConstraint(Lower("email"), name="user_email_ci"),
            # Who waits for approval may do nothing: at every door, whether it knows of waiting or not.
            models.CheckConstraint(
                condition=models.Q(awaits_approval=False) | models.Q(is_active=False), name="user_waiting_is_off"
            ),
        )

    def __str__(self) -> str:
        return self.name or self.email

    def get_full_name(self) -> str:
        return self.name or self.email

    def get_short_name(self) -> str:
        return self.name or self.email.partition("@")[0]

    @property
    def has_mail(self) -> bool:
        """Whether `email` is an address: it stands for none when the company told none, and for programs."""
        return not self.email.endswith(".invalid")

    @property
    def shown_email(self) -> str:
        """The address as pages show it; empty where there is none."""
        return self.email if self.has_mail else ""

    def sign_out_everywhere(self) -> None:
        """Raises `session_version`: every session, poll ticket and token of this person is dead at its next use."""
        type(self).objects.filter(pk=self.pk).update(session_version=models.F("session_version") + 1)
        self.refresh_from_db(fields=["session_version"])


class Team(models.Model):
    """A group of colleagues that shares a budget and a manager."""

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    name = models.CharField(_("name"), max_length=120, unique=True)
    cost_centre = models.CharField(_("cost centre"), max_length=64, blank=True)
    members = models.ManyToManyField(User, through="Membership", related_name="teams")
    retention_days = models.PositiveIntegerField(
        _("days conversations are kept"),
        null=True,
        editable=False,
        help_text=_("Empty: as the organisation; 0: for ever."),
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name = _("team")
        verbose_name_plural = _("teams")
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name


class Membership(models.Model):
    """A person in a team. `is_primary` says which team pays for the person's questions."""

    class Role(models.TextChoices):
        MEMBER = "member", _("member")
        MANAGER = "manager", _("manager")

    user = models.ForeignKey(User, models.CASCADE, related_name="memberships")
    team = models.ForeignKey(Team, models.CASCADE, related_name="memberships")
    role = models.CharField(_("role"), max_length=16, choices=Role.choices, default=Role.MEMBER)
    is_primary = models.BooleanField(_("pays"), default=True)
    # The issuer whose groups brought it; empty: made by hand. What an issuer brought goes with it.
    sso = models.ForeignKey(
        "accounts.SsoConnection", models.CASCADE, null=True, blank=True, editable=False, related_name="memberships"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name = _("membership")
        verbose_name_plural = _("memberships")
        constraints = (
            models.UniqueConstraint(fields=["user", "team"], name="membership_once"),
            models.UniqueConstraint(fields=["user"], condition=models.Q(is_primary=True), name="membership_one_pays"),
        )

    def __str__(self) -> str:
        return f"{self.user} / {self.team}"
