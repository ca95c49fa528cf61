"""Connecting a provider in the browser: three kinds of people, the test with its answer, the key that never comes back."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from accounts.models import AuditEvent, User
from providers import calls, keys, presets, trials
from providers.failures import Failure, Kind
from providers.models import ModelRoute, Provider, ProviderState
from providers.simulator.process import Simulator, running

pytestmark = pytest.mark.django_db
KEY, NEXT = "sk-canary-first-1234", "sk-canary-second-5678"
UUID = "00000000-0000-4000-8000-000000000000"
POSTS = ("test", "next_key", "switch_key", "address", "power", "names", "fetch")


@pytest.fixture
def admin() -> Client:
    return signed_in(User.objects.create_superuser("root@example.com"))


@pytest.fixture
def provider(simulator: Simulator) -> Provider:
    made = Provider.objects.create(name="Sim", base_url=simulator.base_url)
    ModelRoute.objects.all().delete()
    return made


def signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def url(name: str, provider: Provider) -> str:
    return reverse(f"providers:{name}", args=[provider.uuid])


def do(client: Client, what: str, provider: Provider, **fields: Any) -> str:
    """Posts the form as a browser does and reads the page that follows."""
    answer = client.post(url(what, provider), fields, follow=True)
    return str(answer.content.decode())


def connect(client: Client, simulator: Simulator, **fields: Any) -> Any:
    values = {"name": "Ours", "base_url": simulator.base_url, "new_key": KEY, "proxy": "", "max_concurrency": 400}
    return client.post(reverse("providers:connect", args=["other"]), values | fields, follow=True)


def addresses(provider: Provider) -> list[tuple[str, str]]:
    pages = [reverse("providers:overview"), reverse("providers:presets"), reverse("providers:connect", args=["openai"])]
    pages += [url("provider", provider), url("choose", provider)]
    return [("get", page) for page in pages] + [("post", url(name, provider)) for name in POSTS]


def test_a_stranger_is_asked_to_sign_in(provider: Provider) -> None:
    for method, address in addresses(provider):
        answer = getattr(Client(), method)(address)
        assert (answer.status_code, answer["Location"].split("?")[0]) == (302, "/accounts/login/"), address


def test_a_colleague_and_staff_without_the_right_are_refused(provider: Provider) -> None:
    colleague = User.objects.create_user("ada@example.com")
    colleague.user_permissions.add(Permission.objects.get(codename="change_provider"))
    staff = User.objects.create_user("staff@example.com", is_staff=True)
    for person in (colleague, staff):
        for method, address in addresses(provider):
            assert getattr(signed_in(person), method)(address).status_code == 403, address
    provider.refresh_from_db()
    assert (provider.enabled, provider.key, provider.next_key) == (True, "", "")


def test_whoever_may_change_providers_only_neither_adds_one_nor_chooses_models(provider: Provider) -> None:
    staff = User.objects.create_user("staff@example.com", is_staff=True)
    staff.user_permissions.add(Permission.objects.get(codename="change_provider"))
    client = signed_in(staff)
    assert client.get(url("provider", provider)).status_code == 200
    assert client.get(reverse("providers:presets")).status_code == 403
    assert client.get(url("choose", provider)).status_code == 403
    assert reverse("providers:presets") not in client.get(reverse("providers:overview")).content.decode()


def test_every_preset_opens_with_an_address_that_may_be_used(admin: Client, settings: Settings) -> None:
    settings.ALLOW_PRIVATE_PROVIDERS = True
    for preset in presets.PRESETS:
        shown = admin.get(reverse("providers:connect", args=[preset.slug])).content.decode()
        assert f'value="{preset.base_url}"' in shown or not preset.base_url
        assert preset.key_url in shown
    assert admin.get(reverse("providers:connect", args=["nobody"])).status_code == 404


def test_connecting_tests_at_once_and_shows_time_answer_and_models(admin: Client, simulator: Simulator) -> None:
    answer = connect(admin, simulator)
    shown = answer.content.decode()
    made = Provider.objects.get(name="Ours")
    assert answer.redirect_chain == [(url("provider", made), 302)]
    assert "answered in" in shown
    assert "models found" in shown
    assert "…7890" not in shown
    assert "<code>1234</code>" in shown
    assert (made.enabled, keys.decrypt(made.key), made.source) == (False, KEY, "database")
    assert not made.routes.filter(enabled=True).exists()
    assert "answered in" not in admin.get(url("provider", made)).content.decode()


def test_what_a_form_does_not_offer_cannot_be_set(admin: Client, simulator: Simulator) -> None:
    connect(admin, simulator, enabled="on", source="environment", dialect='{"x": 1}', key="stolen", key_hint="evil")
    made = Provider.objects.get(name="Ours")
    assert (made.enabled, made.source, made.key_hint) == (False, "database", "1234")
    assert "x" not in made.dialect
    do(
        admin,
        "address",
        made,
        name="Ours",
        base_url=made.base_url,
        proxy="",
        max_concurrency=7,
        enabled="on",
        uuid=UUID,
    )
    made.refresh_from_db()
    assert (made.enabled, made.max_concurrency, str(made.uuid) == UUID) == (False, 7, False)


def test_a_key_is_never_in_any_answer(admin: Client, simulator: Simulator) -> None:
    seen = connect(admin, simulator).content
    seen += connect(admin, simulator, name="", new_key=KEY).content  # refused: the form comes back
    made = Provider.objects.get(name="Ours")
    for name, fields in (
        ("next_key", {"new_key": NEXT}),
        ("test", {"key": "next"}),
        ("switch_key", {}),
        ("address", {"name": "", "new_key": KEY}),
    ):
        seen += admin.post(url(name, made), fields, follow=True).content
    for page in ("provider", "choose"):
        seen += admin.get(url(page, made)).content
    seen += admin.get(reverse("providers:overview")).content
    seen += str(list(admin.session.items())).encode()
    assert b"canary" not in seen
    assert b"5678" in seen


@pytest.mark.parametrize(
    "address",
    [
        "http://169.254.169.254/v1",
        "http://[::ffff:169.254.169.254]/v1",
        "http://metadata.google.internal/v1",
        "http://a@b.example/v1",
        "file:///etc/passwd",
        "http://b.example\\@c/v1",
        "ftp://b.example",
        "",
    ],
)
def test_no_provider_is_made_at_a_refused_address(admin: Client, simulator: Simulator, address: str) -> None:
    answer = connect(admin, simulator, base_url=address)
    assert answer.status_code == 200
    assert 'aria-invalid="true"' in answer.content.decode()
    assert not Provider.objects.filter(name="Ours").exists()


def test_private_addresses_can_be_forbidden(admin: Client, simulator: Simulator, settings: Settings) -> None:
    settings.ALLOW_PRIVATE_PROVIDERS = False
    connect(admin, simulator)
    assert not Provider.objects.exists()


def test_azure_wants_the_resources_name_and_other_services_their_key(admin: Client) -> None:
    azure = presets.preset_for("azure")
    assert azure is not None
    values = {"name": "Azure", "base_url": azure.base_url, "new_key": KEY, "max_concurrency": 400}
    shown = admin.post(reverse("providers:connect", args=["azure"]), values).content.decode()
    assert "Put the name of your own resource into the address." in shown
    values |= {"base_url": "https://api.openai.com/v1", "new_key": ""}
    shown = admin.post(reverse("providers:connect", args=["openai"]), values).content.decode()
    assert "This provider answers nobody without a key." in shown
    assert not Provider.objects.exists()


def test_a_wrong_key_is_said_with_what_to_do_in_both_languages(admin: Client) -> None:
    with running(key="the-right-one") as locked:
        connect(admin, locked)
        made = Provider.objects.get(name="Ours")
        english = do(admin, "test", made)
        User.objects.update(language="zh-hans")
        chinese = do(admin, "test", made)
    assert "The provider does not accept the key." in english
    assert "Copy the key again, whole." in english
    assert "HTTP 401" in english
    assert "服务商不接受这个密钥" in chinese
    assert "canary" not in english + chinese


def test_an_address_where_nobody_listens_is_said(admin: Client, provider: Provider) -> None:
    Provider.objects.filter(pk=provider.pk).update(base_url="http://127.0.0.1:9/v1")
    assert "Nobody answers at this address." in do(admin, "test", provider)


def test_a_test_asks_exactly_the_model_that_was_picked(admin: Client, provider: Provider) -> None:
    trials.fetch(provider)
    assert "The provider has trouble of its own." in do(admin, "test", provider, model="chaos-err500")
    assert "demo answered in" in do(admin, "test", provider, model="demo")
    assert "answered in" in do(admin, "test", provider, model="not-in-the-list")


def test_the_first_test_asks_a_light_model_and_another_when_the_model_is_to_blame(provider: Provider) -> None:
    trials.fetch(provider)
    assert trials.run(provider).model == "demo"
    ModelRoute.objects.filter(upstream_name="demo").update(upstream_name="chaos-e404")
    wanted = provider.routes.filter(upstream_name__in=("chaos-e404", "chaos-ok"))
    provider.routes.exclude(pk__in=wanted).delete()
    assert trials.run(provider).model == "chaos-ok"
    failed = trials.run(provider, model="chaos-e404")
    assert (failed.outcome, failed.kind, failed.model) == ("failed", "model_gone", "chaos-e404")


def test_a_test_that_is_answered_closes_the_circuit_but_not_one_of_the_next_key(
    admin: Client, provider: Provider
) -> None:
    ProviderState.objects.create(provider=provider, circuit="open", reason=Kind.BAD_KEY)
    assert "does not accept the key" in admin.get(url("provider", provider)).content.decode()
    do(admin, "next_key", provider, new_key=KEY)
    do(admin, "next_key", provider, new_key=NEXT)
    do(admin, "test", provider, key="next")
    assert ProviderState.objects.get().circuit == "open"
    do(admin, "test", provider)
    assert ProviderState.objects.get().circuit == "closed"


def test_a_pasted_key_waits_until_it_is_switched_to(admin: Client, provider: Provider) -> None:
    do(admin, "next_key", provider, new_key=KEY)
    shown = do(admin, "next_key", provider, new_key=NEXT)
    assert "<code>1234</code>" in shown
    assert "<code>5678</code>" in shown
    do(admin, "switch_key", provider)
    provider.refresh_from_db()
    assert (keys.decrypt(provider.key), provider.next_key) == (NEXT, "")
    do(admin, "switch_key", provider)
    provider.refresh_from_db()
    assert keys.decrypt(provider.key) == NEXT
    assert admin.post(url("next_key", provider), {"new_key": "two words"}).status_code == 422


def test_a_key_is_not_led_to_another_address(admin: Client, provider: Provider) -> None:
    do(admin, "next_key", provider, new_key=KEY)
    values = {"name": "Sim", "base_url": "https://elsewhere.example/v1", "proxy": "", "max_concurrency": 400}
    answer = admin.post(url("address", provider), values)
    assert answer.status_code == 422
    assert "paste the key again" in answer.content.decode()
    provider.refresh_from_db()
    assert provider.base_url != "https://elsewhere.example/v1"
    admin.post(url("address", provider), values | {"new_key": NEXT})
    provider.refresh_from_db()
    assert (provider.base_url, keys.decrypt(provider.key)) == ("https://elsewhere.example/v1", NEXT)


def test_the_environments_provider_is_shown_but_its_key_and_address_are_not_ours(
    admin: Client, settings: Settings, simulator: Simulator
) -> None:
    settings.OPENAI_API_KEY, settings.OPENAI_BASE_URL = "sk-canary-environment-9876", simulator.base_url
    made = Provider.objects.create(name="OpenAI", source="environment")
    overview = admin.get(reverse("providers:overview")).content.decode()
    assert "from the environment" in overview
    assert "key …9876" in overview
    shown = do(admin, "test", made)
    assert "answered in" in shown
    assert "canary" not in overview + shown
    for name in ("next_key", "switch_key", "address"):
        assert admin.post(url(name, made), {"new_key": KEY}).status_code == 404


def test_two_tests_run_at_once_and_a_third_is_asked_to_wait(
    admin: Client, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trials, "_places", threading.BoundedSemaphore(1))
    with trials._places:
        assert "Two tests are running already." in do(admin, "test", provider)
        assert "Two tests are running already." in do(admin, "fetch", provider)
    assert "answered in" in do(admin, "test", provider)


def test_a_provider_that_never_answers_costs_at_most_ten_seconds(
    admin: Client, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert trials.TOTAL_S + 2 <= 10
    monkeypatch.setattr(trials, "TOTAL_S", 1.0)
    trials.fetch(provider)
    result = trials.run(provider, model="chaos-no_response")
    assert (result.outcome, result.kind) == ("failed", "first_byte_timeout")
    assert result.seconds < 3


def test_turning_a_provider_off_and_on_is_kept_and_written_down(admin: Client, provider: Provider) -> None:
    do(admin, "power", provider, to="off")
    assert Provider.objects.get().enabled is False
    do(admin, "power", provider, to="on")
    assert Provider.objects.get().enabled is True
    told = AuditEvent.objects.filter(target=provider.uuid).order_by("number").values_list("action", "changes")
    assert list(told) == [
        ("provider.changed", {"enabled": [True, False]}),
        ("provider.changed", {"enabled": [False, True]}),
    ]


def test_a_provider_without_a_list_gets_its_models_by_name_and_one_that_is_ill_does_not(
    admin: Client, simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = connect(admin, simulator, base_url=f"{simulator.origin}/v9").content.decode()
    assert "it does not list any chat models" in shown
    made = Provider.objects.get(name="Ours")
    Provider.objects.filter(pk=made.pk).update(base_url=simulator.base_url)
    do(admin, "names", made, names="demo")
    assert "demo answered in" in do(admin, "test", made)

    def ill(*args: object, **kwargs: object) -> None:
        raise Failure(Kind.SERVER_ERROR, status=503)

    made.routes.all().delete()
    monkeypatch.setattr(calls, "list_models", ill)
    shown = do(admin, "test", made)
    assert "The provider has trouble of its own." in shown
    assert "HTTP 503" in shown
