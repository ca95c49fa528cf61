"""The administration of providers: keys go in and never come out, the buttons do what they say."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from accounts.models import User
from providers import keys
from providers.models import LanguageModel, ModelRoute, Price, Provider
from providers.simulator.process import Simulator

pytestmark = pytest.mark.django_db
KEY, NEXT = "sk-canary-first-1234", "sk-canary-second-5678"


@pytest.fixture
def admin() -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("root@example.com"), backend="accounts.backend.PasswordBackend")
    return client


def page(client: Client, provider: Provider, **fields: object) -> str:
    """Saves the form as the browser would, then the page as it is shown."""
    url = reverse("admin:providers_provider_change", args=[provider.pk])
    values = {
        "name": provider.name,
        "enabled": "on",
        "base_url": provider.base_url,
        "proxy": provider.proxy,
        "max_concurrency": 400,
        "dialect": "{}",
        "new_key": "",
        **fields,
    }
    saved = client.post(url, values)
    return (saved if saved.status_code == 200 else client.get(url)).content.decode()


def act(client: Client, action: str, provider: Provider) -> str:
    url = reverse("admin:providers_provider_changelist")
    done = client.post(url, {"action": action, "_selected_action": [provider.pk]}, follow=True)
    return done.content.decode()


@pytest.fixture
def provider(simulator: Simulator) -> Provider:
    return Provider.objects.create(name="Sim", base_url=simulator.base_url)


def test_a_pasted_key_is_stored_encrypted_and_shown_as_its_last_four(admin: Client, provider: Provider) -> None:
    shown = page(admin, provider, new_key=KEY)
    provider.refresh_from_db()
    assert keys.decrypt(provider.key) == KEY
    assert "…1234" in shown
    assert "canary" not in shown + str(Provider.objects.values())


def test_a_second_key_waits_until_it_is_switched_to(admin: Client, provider: Provider) -> None:
    page(admin, provider, new_key=KEY)
    shown = page(admin, provider, new_key=NEXT)
    provider.refresh_from_db()
    assert (keys.decrypt(provider.key), keys.decrypt(provider.next_key)) == (KEY, NEXT)
    assert "…5678" in shown
    act(admin, "switch_key", provider)
    provider.refresh_from_db()
    assert (keys.decrypt(provider.key), provider.next_key) == (NEXT, "")
    assert "has no next key" in act(admin, "switch_key", provider)


def test_a_key_is_not_led_to_another_address(admin: Client, provider: Provider) -> None:
    page(admin, provider, new_key=KEY)
    shown = page(admin, provider, base_url="https://elsewhere.example/v1")
    assert "paste the key again" in shown
    provider.refresh_from_db()
    assert "elsewhere" not in provider.base_url
    page(admin, provider, base_url="https://elsewhere.example/v1", new_key=NEXT)
    provider.refresh_from_db()
    assert (provider.base_url, keys.decrypt(provider.key)) == ("https://elsewhere.example/v1", NEXT)


@pytest.mark.parametrize(
    "fields",
    [
        {"base_url": "http://169.254.169.254/v1"},
        {"base_url": "http://169。254。169。254/v1"},
        {"proxy": "ftp://x"},
        {"proxy": "http://["},
        {"proxy": "http://169.254.169.254:3128"},
        {"new_key": "two words"},
    ],
)
def test_what_cannot_be_is_refused(admin: Client, provider: Provider, fields: dict[str, str]) -> None:
    assert "errorlist" in page(admin, provider, **fields)
    before = Provider.objects.get()
    assert (before.base_url, before.proxy, before.key) == (provider.base_url, "", "")


def test_the_environments_provider_shows_where_its_key_comes_from(admin: Client, settings: Settings) -> None:
    settings.OPENAI_API_KEY, settings.OPENAI_BASE_URL = KEY, "http://127.0.0.1:9/v1"
    provider = Provider.objects.create(name="E", source="environment")
    shown = page(admin, provider, new_key=NEXT, base_url="https://elsewhere.example/v1")
    assert "…1234, from the environment" in shown
    assert "http://127.0.0.1:9/v1, from the environment" in shown
    assert "canary" not in shown
    provider.refresh_from_db()
    assert (provider.key, provider.next_key, provider.base_url) == ("", "", "")


def test_fetching_and_testing_finds_models_and_a_dialect(admin: Client, provider: Provider) -> None:
    assert "fetch its models" in act(admin, "test", provider)
    act(admin, "fetch_models", provider)
    assert LanguageModel.objects.filter(slug="demo", enabled=True).exists()
    ModelRoute.objects.exclude(upstream_name="demo").delete()
    assert "Sim answered in" in act(admin, "test", provider)
    provider.refresh_from_db()
    assert provider.dialect["max_tokens_field"] in ("max_tokens", "max_completion_tokens")


def test_a_provider_that_refuses_is_told_with_its_reason(admin: Client, provider: Provider) -> None:
    model = LanguageModel.objects.create(slug="chaos-e401", name="x")
    ModelRoute.objects.create(model=model, provider=provider, upstream_name="chaos-e401")
    assert "did not answer: bad_key" in act(admin, "test", provider)


def test_all_lists_and_forms_open(admin: Client, provider: Provider) -> None:
    model = LanguageModel.objects.create(slug="m", name="m")
    price = Price.objects.create(model=model, provider=provider, input_micro=1)
    for name, row in (("provider", provider), ("languagemodel", model), ("price", price)):
        for url in (
            reverse(f"admin:providers_{name}_changelist"),
            reverse(f"admin:providers_{name}_change", args=[row.pk]),
        ):
            assert admin.get(url).status_code == 200, url
        added = admin.get(reverse(f"admin:providers_{name}_add")).status_code
        assert added == (403 if name == "price" else 200)  # prices have a page of their own


def test_a_price_is_never_edited(admin: Client, provider: Provider) -> None:
    model = LanguageModel.objects.create(slug="m", name="m")
    price = Price.objects.create(model=model, provider=provider, input_micro=1)
    url = reverse("admin:providers_price_change", args=[price.pk])
    assert admin.post(url, {"input_micro": 2}).status_code == 403
    assert admin.post(reverse("admin:providers_price_delete", args=[price.pk])).status_code == 403
    price.refresh_from_db()
    assert price.input_micro == 1


def test_a_person_without_the_right_sees_no_provider(provider: Provider) -> None:
    client = Client()
    client.force_login(
        User.objects.create_user("b@example.com", is_staff=True),
        backend="accounts.backend.PasswordBackend",
    )
    assert client.get(reverse("admin:providers_provider_changelist")).status_code == 403
