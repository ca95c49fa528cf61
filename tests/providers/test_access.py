"""Who may use which model."""

from __future__ import annotations

import uuid

import pytest
from django.contrib.auth.models import AnonymousUser

from accounts.models import User
from providers.access import model_for, models_for
from providers.models import LanguageModel, ModelRoute, Provider

pytestmark = pytest.mark.django_db


@pytest.fixture
def person() -> User:
    return User.objects.create(email="a@example.com")


def served(slug: str, **fields: object) -> LanguageModel:
    provider, _ = Provider.objects.get_or_create(name="P")
    model: LanguageModel = LanguageModel.objects.create(slug=slug, name=slug, **{"enabled": True, **fields})
    ModelRoute.objects.create(model=model, provider=provider, upstream_name=slug)
    return model


def test_the_first_model_that_is_on_is_the_default(person: User) -> None:
    served("late", position=2)
    first = served("early", position=1)
    served("off", position=0, enabled=False)
    assert model_for(person) == first
    assert [model.slug for model in models_for(person)] == ["early", "late"]


def test_only_chat_models_with_an_open_way_are_offered(person: User) -> None:
    served("embedding", kind="embedding")
    LanguageModel.objects.create(slug="no-way", name="n", enabled=True)
    shut = served("shut")
    shut.routes.update(enabled=False)
    assert list(models_for(person)) == []
    one = served("one")
    Provider.objects.update(enabled=False)
    assert list(models_for(person)) == []
    Provider.objects.update(enabled=True)
    assert list(models_for(person)) == [one]


def test_a_model_of_two_providers_is_offered_once(person: User) -> None:
    model = served("two")
    other = Provider.objects.create(name="Q")
    ModelRoute.objects.create(model=model, provider=other, upstream_name="two")
    assert list(models_for(person)) == [model]


def test_a_model_is_found_by_slug_and_by_uuid_and_by_nothing_else(person: User) -> None:
    model = served("one")
    assert model_for(person, "one") == model
    assert model_for(person, model.uuid) == model
    assert model_for(person, str(model.uuid)) == model
    assert model_for(person, "two") is None
    assert model_for(person, uuid.uuid4()) is None


def test_somebody_who_may_not_sign_in_is_offered_nothing(person: User) -> None:
    served("one")
    person.is_active = False
    assert list(models_for(person)) == []
    assert model_for(AnonymousUser()) is None
