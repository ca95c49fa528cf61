"""Choosing models, naming them, putting them in order: what colleagues then see, and what stays as it was."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries, Settings

from accounts.models import AuditEvent, User
from providers import access, choosing, environment
from providers.endpoints import ModelInfo
from providers.models import LanguageModel, ModelRoute, Provider

pytestmark = pytest.mark.django_db
FOUND = ("small-chat", "big-chat", "text-embedding-3", "whisper-1")


@pytest.fixture
def admin() -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("root@example.com"))
    return client


@pytest.fixture
def provider() -> Provider:
    made = Provider.objects.create(name="Ours", base_url="http://127.0.0.1:9/v1", enabled=False)
    add(made, *FOUND)
    return made


def add(provider: Provider, *names: str) -> None:
    environment.add_models(provider, found=[ModelInfo(name) for name in names], switched_on=False)


def page(client: Client, provider: Provider, **query: Any) -> str:
    return str(client.get(reverse("providers:choose", args=[provider.uuid]), query).content.decode())


def pk(provider: Provider, name: str) -> int:
    return ModelRoute.objects.get(provider=provider, upstream_name=name).pk


def save(client: Client, provider: Provider, *on: str, shown: tuple[str, ...] = FOUND, **fields: str) -> None:
    values = {"shown": ",".join(str(pk(provider, name)) for name in shown), "on": [pk(provider, name) for name in on]}
    answer = client.post(reverse("providers:choose", args=[provider.uuid]), values | fields)
    assert answer.status_code == 302


def offered() -> list[str]:
    person, _made = User.objects.get_or_create(email="colleague@example.com")
    return [model.slug for model in access.models_for(person)]


def test_only_chat_models_are_proposed_and_nothing_is_on_before_it_is_saved(admin: Client, provider: Provider) -> None:
    shown = page(admin, provider)
    assert shown.count("checked>") == 3  # two models and "turn the provider on"
    assert "text-embedding-3" not in shown
    assert "whisper-1" in page(admin, provider, all="1")
    assert page(admin, provider, none="1").count("checked>") == 1
    assert offered() == []
    assert not LanguageModel.objects.filter(enabled=True).exists()


def test_what_is_chosen_is_offered_once_the_provider_is_on(admin: Client, provider: Provider) -> None:
    save(admin, provider, "big-chat")
    assert offered() == []
    save(admin, provider, "big-chat", enable="1")
    assert offered() == ["big-chat"]
    save(admin, provider, "big-chat", "small-chat")
    assert offered() == ["big-chat", "small-chat"]  # the default stays the default
    save(admin, provider, "small-chat")
    assert offered() == ["small-chat"]


def test_an_embedding_model_that_an_administrator_insists_on_becomes_a_chat_model(
    admin: Client, provider: Provider
) -> None:
    save(admin, provider, "text-embedding-3", enable="1")
    assert offered() == ["text-embedding-3"]


def test_what_was_not_shown_stays_as_it_was(admin: Client, provider: Provider) -> None:
    save(admin, provider, "big-chat", "small-chat", enable="1")
    save(admin, provider, shown=("big-chat",))
    assert offered() == ["small-chat"]
    assert "big-chat" in page(admin, provider, q="BIG")
    assert "small-chat" not in page(admin, provider, q="BIG")


def test_a_route_of_another_provider_cannot_be_reached_through_this_one(admin: Client, provider: Provider) -> None:
    other = Provider.objects.create(name="Other", base_url="http://127.0.0.1:9/v1")
    add(other, "theirs")
    values = {"shown": str(pk(other, "theirs")), "on": [pk(other, "theirs")]}
    admin.post(reverse("providers:choose", args=[provider.uuid]), values)
    assert offered() == []


@pytest.mark.parametrize("bad", ["x", "1,2,x", "9" * 30, "-1", "", "\x00"])
def test_senseless_choices_change_nothing(admin: Client, provider: Provider, bad: str) -> None:
    answer = admin.post(reverse("providers:choose", args=[provider.uuid]), {"shown": bad, "on": [bad]})
    assert answer.status_code == 302
    assert offered() == []


def test_a_model_that_two_serve_stays_when_one_of_them_no_longer_does(admin: Client, provider: Provider) -> None:
    other = Provider.objects.create(name="Other", base_url="http://127.0.0.1:9/v1")
    add(other, "big-chat")
    save(admin, provider, "big-chat", enable="1")
    save(admin, other, "big-chat", shown=("big-chat",))
    save(admin, provider)
    assert offered() == ["big-chat"]
    save(admin, other, shown=("big-chat",))
    assert offered() == []


def test_the_demonstration_ends_with_the_first_real_model(
    admin: Client, provider: Provider, settings: Settings
) -> None:
    settings.SIMULATOR = False
    simulator = Provider.objects.create(name="Simulator", source="simulator")
    save(admin, provider)
    assert Provider.objects.get(pk=simulator.pk).enabled is True
    save(admin, provider, "big-chat", enable="1")
    assert Provider.objects.get(pk=simulator.pk).enabled is False


def test_order_and_default_are_moved_by_buttons(admin: Client, provider: Provider) -> None:
    save(admin, provider, "big-chat", "small-chat", "whisper-1", enable="1")
    first, second, third = offered()

    def press(slug: str, what: str) -> list[str]:
        uuid = LanguageModel.objects.get(slug=slug).uuid
        admin.post(reverse("providers:order", args=[uuid]), {"do": what})
        return offered()

    assert press(first, "down") == [second, first, third]
    assert press(first, "up") == [first, second, third]
    assert press(first, "up") == [first, second, third]
    assert press(third, "default") == [third, first, second]
    assert press(third, "nonsense") == [third, first, second]
    assert press(third, "off") == [first, second]


def test_a_model_gets_a_name_and_one_line_and_nothing_else(admin: Client, provider: Provider) -> None:
    model = LanguageModel.objects.get(slug="big-chat")
    words = {"name": "Thorough", "description": "For long texts"}
    values = words | {"context_window": 64_000, "max_output_tokens": 8_000, "answer_tokens": 2_000}
    extra = {"slug": "other", "enabled": "on", "kind": "image", "position": 99}
    admin.post(reverse("providers:model", args=[model.uuid]), values | extra)
    after = LanguageModel.objects.get(pk=model.pk)
    assert (after.name, after.description, after.context_window) == ("Thorough", "For long texts", 64_000)
    assert (after.slug, after.enabled, after.kind, after.position) == ("big-chat", False, "chat", model.position)
    refused = admin.post(reverse("providers:model", args=[model.uuid]), values | {"context_window": 0})
    assert refused.status_code == 200
    assert LanguageModel.objects.get(pk=model.pk).context_window == 64_000


def test_the_usual_answer_is_set_within_the_longest_one_and_audited(admin: Client, provider: Provider) -> None:
    model = LanguageModel.objects.get(slug="big-chat")
    LanguageModel.objects.filter(pk=model.pk).update(max_output_tokens=3_000)
    address = reverse("providers:model", args=[model.uuid])
    shown = admin.get(address)
    assert shown.context["form"]["answer_tokens"].value() == 3_000  # not more than can be given
    assert "what an answer holds at first; a longer one is continued" in shown.content.decode()
    values = {"name": "Big", "description": "", "context_window": 64_000, "max_output_tokens": 3_000}
    for bad in ("3001", "15", "", "many"):
        refused = admin.post(address, values | {"answer_tokens": bad})
        assert list(refused.context["form"].errors) == ["answer_tokens"]
        assert '<details class="further" open>' in refused.content.decode()
    admin.post(address, values | {"answer_tokens": "1200"})
    model.refresh_from_db()
    assert (model.max_output_tokens, model.answer_tokens) == (3_000, 1_200)
    event = AuditEvent.objects.filter(action="model.changed").latest("pk")
    assert event.changes["answer_tokens"] == [3_000, 1_200]


def test_models_can_be_added_by_name(admin: Client, provider: Provider) -> None:
    address = reverse("providers:names", args=[provider.uuid])
    admin.post(address, {"names": "my-deployment\n\n  my-deployment \nbig-chat\n"})
    assert provider.routes.count() == len(FOUND) + 1
    assert ModelRoute.objects.get(upstream_name="my-deployment").enabled is False
    for bad in ("x" * 201, "\n".join(f"m{n}" for n in range(51)), "a\x07b"):
        assert admin.post(address, {"names": bad}).status_code == 422
    assert provider.routes.count() == len(FOUND) + 1


def test_the_page_of_many_models_can_be_saved_and_costs_the_same(
    admin: Client, provider: Provider, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    add(provider, *(f"model-{number:03}" for number in range(200)))
    admin.get(reverse("providers:choose", args=[provider.uuid]))
    with django_assert_num_queries(10):  # the prices of all of them are one
        shown = page(admin, provider)
    assert shown.count('name="on"') == choosing.PAGE
    assert "Page 1 of 4" in shown
    names = tuple(provider.routes.values_list("upstream_name", flat=True)[: choosing.PAGE])
    save(admin, provider, *names, shown=names, enable="1")
    assert len(offered()) == choosing.PAGE
