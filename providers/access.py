"""Who may use which model. Reads only."""

from __future__ import annotations

import uuid

from django.contrib.auth.models import AnonymousUser
from django.db.models import Count, Exists, OuterRef, Q, QuerySet

from accounts.models import User
from providers.models import LanguageModel, ModelRoute, ProviderState


def models_for(user: User | AnonymousUser) -> QuerySet[LanguageModel]:
    """The chat models that this person may choose, the default first; none for somebody who may not sign in."""
    return served() if user.is_active else LanguageModel.objects.none()


def served() -> QuerySet[LanguageModel]:
    """The chat models that are switched on and that some provider serves, the default first."""
    routes = ModelRoute.objects.filter(model=OuterRef("pk"), enabled=True, provider__enabled=True)
    return LanguageModel.objects.filter(Exists(routes), enabled=True, kind=LanguageModel.Kind.CHAT)


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
    models = models_for(user)
    if reference is None or reference == "":
        return models.first()
    if isinstance(reference, uuid.UUID):
        return models.filter(uuid=reference).first()
    if (found := models.filter(slug=reference).first()) is not None:
        return found
    try:
        return models.filter(uuid=uuid.UUID(reference)).first()
    except ValueError:
        return None
