"""Who may use which model: all that are served and are for everybody, or for a team of the asker's; never one that is closed to
a team of the asker's, whatever else allows it. Reads only.

Asked anew for every question: who leaves a team has lost its models at the next request. Administrators are asked like everybody.
"""

from __future__ import annotations

import uuid

from django.contrib.auth.models import AnonymousUser
from django.db.models import Case, Count, Exists, OuterRef, Q, QuerySet, Value, When

from accounts.models import User
from accounts.prepared import Prepared
from providers.models import LanguageModel, ModelRoute, ProviderState

_callable = Prepared(lambda slug, asker: callable_by(asker).filter(slug=slug), "\x01slug", -1)
_by_slug = Prepared(lambda slug, asker: served_to(asker).filter(slug=slug), "\x01slug", -1)
_served = Prepared(lambda asker: served_to(asker), -1)


def models_for(user: User | AnonymousUser) -> QuerySet[LanguageModel]:
    """The chat models that this person may choose, the own default first, then the organisation's; none for somebody inactive."""
    if not user.is_active:
        return LanguageModel.objects.none()
    if not isinstance(user, User) or not user.default_model:
        return served_to(user.pk)
    own_first = Case(When(slug=user.default_model, then=Value(0)), default=Value(1))
    return served_to(user.pk).order_by(own_first, "position", "name", "pk")


def choices_for(user: User) -> list[LanguageModel]:
    """The same as a list: one statement, built once, unless the person has a default of her own."""
    return _served.rows(user.pk) if user.is_active and not user.default_model else list(models_for(user))


def names_for(user: User) -> list[tuple[str, str]]:
    """Identifier and name of the models that this person may choose, in the organisation's order."""
    return list(served_to(user.pk).values_list("slug", "name")) if user.is_active else []


def served() -> QuerySet[LanguageModel]:
    """The chat models that are switched on and that some provider serves, the default first."""
    return _working().filter(kind=LanguageModel.Kind.CHAT)


def served_to(asker: int) -> QuerySet[LanguageModel]:
    """Of these, those that the account with this number may use."""
    return _open_to(asker, models=served())


def callable_by(asker: int) -> QuerySet[LanguageModel]:
    """What the account with this number may use as a program: models of every kind, the organisation's default first."""
    return _open_to(asker, models=_working())


def callable_named(slug: str, *, asker: int) -> LanguageModel | None:
    """Of these the one with this identifier."""
    found: LanguageModel | None = _callable.first(slug, asker)
    return found


def _working() -> QuerySet[LanguageModel]:
    routes = ModelRoute.objects.filter(model=OuterRef("pk"), enabled=True, provider__enabled=True)
    return LanguageModel.objects.filter(Exists(routes), enabled=True)


def _open_to(asker: int, *, models: QuerySet[LanguageModel]) -> QuerySet[LanguageModel]:
    shared = LanguageModel.teams.through.objects.filter(languagemodel=OuterRef("pk"), team__memberships__user_id=asker)
    closed = LanguageModel.denied_teams.through.objects.filter(
        languagemodel=OuterRef("pk"), team__memberships__user_id=asker
    )
    return models.filter(Q(for_all=True) | Exists(shared)).exclude(Exists(closed))


def for_everybody() -> QuerySet[LanguageModel]:
    """Of these, those that may be named to anybody."""
    return served().filter(for_all=True, denied_teams=None)


def broken() -> dict[int, str]:
    """For each model (primary key) none of whose providers answers at the moment (every circuit is open): why."""
    shut = set(
        ProviderState.objects.exclude(circuit=ProviderState.Circuit.CLOSED).values_list("provider_id", flat=True)
    )
    if not shut:
        return {}
    rows = ModelRoute.objects.filter(enabled=True).values("model_id")
    counted = rows.annotate(all=Count("pk"), shut=Count("pk", filter=Q(provider_id__in=shut)))
    return {row["model_id"]: "unreachable" for row in counted if row["all"] == row["shut"]}


def model_for(user: User | AnonymousUser, reference: str | uuid.UUID | None = None) -> LanguageModel | None:
    """The model with this identifier or UUID, if this person may use it; without a reference the default. Else None."""
    if not user.is_active:
        return None
    found: LanguageModel | None
    if reference is None or reference == "":
        own = isinstance(user, User) and user.default_model
        found = models_for(user).first() if own else _served.first(user.pk)
        return found
    if isinstance(reference, str):
        found = _by_slug.first(reference, user.pk)
        if found is not None:
            return found
    try:
        wanted = reference if isinstance(reference, uuid.UUID) else uuid.UUID(reference)
        found = models_for(user).filter(uuid=wanted).first()
    except ValueError:
        found = None
    return found
