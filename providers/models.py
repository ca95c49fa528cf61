"""Who answers: providers, their models, the order in which they serve them, prices, and the circuit of each."""

from __future__ import annotations

import datetime as dt
import uuid
from typing import Any, NoReturn

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.clock import Now, now


class Provider(models.Model):
    """An OpenAI-compatible service. One from the environment keeps reading its key and address from there."""

    class Source(models.TextChoices):
        ENVIRONMENT = "environment", _("environment")
        DATABASE = "database", _("entered here")
        SIMULATOR = "simulator", _("simulator")

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    name = models.CharField(_("name"), max_length=80, unique=True)
    source = models.CharField(_("source"), max_length=16, choices=Source.choices, default=Source.DATABASE)
    base_url = models.CharField(_("address"), max_length=300, blank=True)
    # Encrypted by providers.keys; the last four characters are kept beside them, to be shown.
    key = models.TextField(blank=True, editable=False)
    key_hint = models.CharField(max_length=8, blank=True, editable=False)
    next_key = models.TextField(blank=True, editable=False)
    next_key_hint = models.CharField(max_length=8, blank=True, editable=False)
    proxy = models.CharField(_("proxy"), max_length=300, blank=True, help_text=_("http://, https:// or socks5://"))
    dialect = models.JSONField(
        _("dialect"), default=dict, blank=True, help_text=_("How it differs from OpenAI; the test button finds out.")
    )
    enabled = models.BooleanField(_("on"), default=True)
    max_concurrency = models.PositiveIntegerField(
        _("answers at once"), default=400, validators=[MinValueValidator(1), MaxValueValidator(100_000)]
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name = _("provider")
        verbose_name_plural = _("providers")
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name


class LanguageModel(models.Model):
    """A model as colleagues see it. `slug` is its public name and the name in the OpenAI-compatible API."""

    class Kind(models.TextChoices):
        CHAT = "chat", _("chat")
        EMBEDDING = "embedding", _("embedding")
        IMAGE = "image", _("image")
        AUDIO = "audio", _("audio")
        OTHER = "other", _("other")

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    slug = models.CharField(_("identifier"), max_length=200, unique=True)
    name = models.CharField(_("name"), max_length=200)
    description = models.CharField(_("description"), max_length=300, blank=True)
    kind = models.CharField(_("kind"), max_length=16, choices=Kind.choices, default=Kind.CHAT)
    enabled = models.BooleanField(_("on"), default=False)
    # Two columns: a model whose last team is deleted stays closed.
    for_all = models.BooleanField(_("for everybody"), default=True, editable=False)
    teams = models.ManyToManyField(
        "accounts.Team", blank=True, editable=False, related_name="language_models", verbose_name=_("only for")
    )
    # These never use it, whatever else they are in: who is in one of each is refused.
    denied_teams = models.ManyToManyField(
        "accounts.Team", blank=True, editable=False, related_name="denied_models", verbose_name=_("never for")
    )
    position = models.IntegerField(_("position"), default=0, help_text=_("The first one that is on is the default."))
    context_window = models.PositiveIntegerField(_("context window"), default=32_000, help_text=_("In tokens."))
    max_output_tokens = models.PositiveIntegerField(_("longest answer"), default=4_096, help_text=_("In tokens."))
    answer_tokens = models.PositiveIntegerField(
        _("usual answer"),
        default=4_096,
        help_text=_("In tokens: so much is held for an answer. A longer one is continued."),
    )
    first_byte_s = models.PositiveIntegerField(
        _("patience for the first word"), null=True, blank=True, help_text=_("In seconds; empty: the setting.")
    )
    # Further fields of every call's body (providers.bodies), and up to three ways to ask (providers.modes).
    body = models.JSONField(_("further fields"), default=dict, blank=True, editable=False)
    modes = models.JSONField(_("modes"), default=list, blank=True, editable=False)
    providers = models.ManyToManyField(Provider, through="ModelRoute", related_name="language_models")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name = _("model")
        verbose_name_plural = _("models")
        ordering = ("position", "name", "pk")

    def __str__(self) -> str:
        return self.name


class ModelRoute(models.Model):
    """A provider that serves a model, under its name there. Several are tried in order of position."""

    model = models.ForeignKey(LanguageModel, models.CASCADE, related_name="routes")
    provider = models.ForeignKey(Provider, models.CASCADE, related_name="routes")
    upstream_name = models.CharField(_("name there"), max_length=200)
    position = models.IntegerField(_("position"), default=0)
    enabled = models.BooleanField(_("on"), default=True)

    class Meta:
        verbose_name = _("route")
        verbose_name_plural = _("routes")
        ordering = ("position", "pk")
        constraints = (models.UniqueConstraint(fields=["model", "provider"], name="route_once"),)

    def __str__(self) -> str:
        return f"{self.model} @ {self.provider}"


class PastIsFixed(Exception):
    """Somebody wanted to change a row of a history, or to remove one that is in force already."""


class HistoryQuerySet(models.QuerySet[Any]):
    """Rows that each hold from a moment on: added, and removed while they are still to come; never changed."""

    def update(self, **fields: Any) -> NoReturn:
        raise PastIsFixed(f"rows of {self.model.__name__} are never changed: a new one starts on its date")

    def delete(self) -> tuple[int, dict[str, int]]:
        """Removes those of a future date. Raises PastIsFixed, and removes none, where one has begun."""
        if self.filter(effective_from__lte=Now()).exists():
            raise PastIsFixed(f"a row of {self.model.__name__} that has begun is never removed")
        return super().delete()

    def future(self) -> HistoryQuerySet:
        """Those that have not begun."""
        return self.filter(effective_from__gt=Now())


class History(models.Model):
    """A row that holds from `effective_from` until the next one of its kind does. The past is never edited: a new one is a new row."""

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    effective_from = models.DateTimeField(_("from"), default=timezone.now)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = HistoryQuerySet.as_manager()

    class Meta:
        abstract = True
        ordering = ("-effective_from", "-pk")

    def save(self, **options: Any) -> None:
        """Adds the row. Raises PastIsFixed for one that exists."""
        if not self._state.adding:
            raise PastIsFixed(f"rows of {type(self).__name__} are never changed: a new one starts on its date")
        super().save(**options)

    def delete(self, using: Any = None, keep_parents: bool = False) -> tuple[int, dict[str, int]]:  # noqa: FBT001, FBT002  # Django's signature
        """Removes a row of a future date. Raises PastIsFixed."""
        if not self.is_future:
            raise PastIsFixed(f"a row of {type(self).__name__} that has begun is never removed")
        return super().delete(using, keep_parents)

    @property
    def is_future(self) -> bool:
        """Whether it has not begun: then it may still be removed."""
        return self.effective_from > now()

    def clean(self) -> None:
        """A form's row begins now or later: else what was counted before would have had another price."""
        if self._state.adding and self.effective_from < now() - dt.timedelta(minutes=1):
            raise ValidationError({"effective_from": _("The past stays as it was: choose a date to come.")})


AMOUNTS = (
    "input_micro",
    "cached_input_micro",
    "output_micro",
    "reasoning_micro",
    "per_call_micro",
    "per_image_micro",
    "per_audio_minute_micro",
)
"""The columns of a price that are money."""


class Price(History):
    """What a provider takes for a model from a date on: integer micro-units of `currency` per million tokens (or per call, image, minute).

    0 in cached input or reasoning: not priced separately, it costs what input or output costs (usage.pricing).
    """

    class Origin(models.TextChoices):
        ENTERED = "entered", _("entered here")
        LIST = "list", _("from the price list")
        FILE = "file", _("from a file")

    model = models.ForeignKey(LanguageModel, models.CASCADE, related_name="prices")
    provider = models.ForeignKey(Provider, models.CASCADE, related_name="prices")
    currency = models.CharField(_("currency"), max_length=3, default="USD")
    origin = models.CharField(_("origin"), max_length=8, choices=Origin.choices, default=Origin.ENTERED)
    input_micro = models.BigIntegerField(_("input"), default=0)
    cached_input_micro = models.BigIntegerField(_("cached input"), default=0)
    output_micro = models.BigIntegerField(_("output"), default=0)
    reasoning_micro = models.BigIntegerField(_("reasoning"), default=0)
    per_call_micro = models.BigIntegerField(_("per call"), default=0)
    per_image_micro = models.BigIntegerField(_("per image"), default=0)
    per_audio_minute_micro = models.BigIntegerField(_("per audio minute"), default=0)

    class Meta(History.Meta):
        verbose_name = _("price")
        verbose_name_plural = _("prices")
        constraints = (
            models.UniqueConstraint(fields=["model", "provider", "effective_from"], name="price_one_a_date"),
            models.CheckConstraint(
                condition=models.Q(input_micro__gte=0, cached_input_micro__gte=0, output_micro__gte=0)
                & models.Q(reasoning_micro__gte=0, per_call_micro__gte=0)
                & models.Q(per_image_micro__gte=0, per_audio_minute_micro__gte=0),
                name="price_not_negative",
            ),
        )

    def __str__(self) -> str:
        return f"{self.model} {self.effective_from:%Y-%m-%d}"

    @property
    def is_free(self) -> bool:
        """Whether nothing of it costs anything."""
        return not any(getattr(self, name) for name in AMOUNTS)


class ProviderState(models.Model):
    """A provider's circuit, shared by all processes as a row. Closed: calls go out; open: none until `retry_at`; half open: one does."""

    class Circuit(models.TextChoices):
        CLOSED = "closed", _("working")
        OPEN = "open", _("not reachable")
        HALF_OPEN = "half_open", _("being tried")

    provider = models.OneToOneField(Provider, models.CASCADE, primary_key=True, related_name="state")
    circuit = models.CharField(max_length=16, choices=Circuit.choices, default=Circuit.CLOSED)
    failures = models.PositiveIntegerField(default=0)
    openings = models.PositiveIntegerField(default=0)
    reason = models.CharField(max_length=32, blank=True)
    opened_at = models.DateTimeField(null=True)
    retry_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = _("provider's state")
        verbose_name_plural = _("providers' states")

    def __str__(self) -> str:
        return f"{self.provider}: {self.get_circuit_display()}"
