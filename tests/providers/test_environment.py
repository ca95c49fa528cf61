"""The environment's provider and the simulator: what their rows look like after each start."""

from __future__ import annotations

import pytest
from pytest_django import Settings

from accounts.models import User
from providers import access, environment
from providers.endpoints import ModelInfo, endpoint_for
from providers.models import LanguageModel, ModelRoute, Price, Provider
from providers.simulator.process import Simulator

pytestmark = pytest.mark.django_db
NOBODY = "http://127.0.0.1:9/v1"


@pytest.fixture
def person() -> User:
    return User.objects.create(email="a@example.com")


def everything() -> list[object]:
    tables = (Provider, LanguageModel, ModelRoute, Price)
    return [list(table.objects.order_by("pk").values()) for table in tables]


def on() -> list[str]:
    return list(LanguageModel.objects.filter(enabled=True).values_list("slug", flat=True))


def test_an_empty_environment_makes_nothing(settings: Settings) -> None:
    assert environment.sync() == []
    assert everything() == [[], [], [], []]


def test_the_listed_chat_models_are_on_and_the_rest_is_off(settings: Settings, simulator: Simulator) -> None:
    settings.OPENAI_API_KEY, settings.OPENAI_BASE_URL = "sk-canary-1234567890", simulator.base_url
    lines = environment.sync()
    provider = Provider.objects.get()
    assert provider.source == "environment"
    assert lines[0] == "Environment: added"
    off = dict(LanguageModel.objects.filter(enabled=False).values_list("slug", "kind"))
    assert off == {
        "text-embedding-sim": "embedding",
        "whisper-sim": "audio",
        "tts-sim": "audio",
        "image-sim": "image",
        "moderation-sim": "other",
    }
    assert "demo" in on()


def test_a_repeat_changes_nothing(settings: Settings, simulator: Simulator) -> None:
    settings.OPENAI_BASE_URL, settings.SIMULATOR_URL = simulator.base_url, simulator.base_url
    environment.sync()
    LanguageModel.objects.filter(slug="demo").update(enabled=False)  # an administrator's choice stays
    before = everything()
    assert environment.sync() == []
    assert everything() == before


def test_key_and_address_are_read_at_use_and_never_stored(settings: Settings) -> None:
    settings.OPENAI_API_KEY, settings.OPENAI_BASE_URL = "sk-canary-1234567890", NOBODY
    environment.sync(limit_s=2)
    assert "canary" not in str(everything())
    provider = Provider.objects.get()
    assert (endpoint_for(provider).key, endpoint_for(provider).base_url) == ("sk-canary-1234567890", NOBODY)
    settings.OPENAI_API_KEY = "sk-next"
    assert endpoint_for(provider).key == "sk-next"
    assert "sk-next" not in repr(endpoint_for(provider))


def test_named_models_are_made_even_when_nobody_lists_them(settings: Settings) -> None:
    settings.OPENAI_BASE_URL, settings.OPENAI_MODELS = NOBODY, ["b-model", "a-model"]
    lines = environment.sync(limit_s=2)
    assert any("could not be listed (unreachable" in line for line in lines)
    assert on() == ["b-model", "a-model"]


def test_exactly_the_named_models_are_on(settings: Settings, simulator: Simulator) -> None:
    settings.OPENAI_BASE_URL = simulator.base_url
    environment.sync()
    settings.OPENAI_MODELS = ["chaos-ok", "whisper-sim"]
    environment.sync()
    assert sorted(on()) == ["chaos-ok", "whisper-sim"]


def test_a_provider_that_does_not_answer_loses_no_rows(settings: Settings, simulator: Simulator) -> None:
    settings.OPENAI_BASE_URL = simulator.base_url
    environment.sync()
    before = everything()
    settings.OPENAI_BASE_URL = NOBODY
    assert len(environment.sync(limit_s=2)) == 1
    assert everything() == before


def test_the_simulator_has_one_model_on_and_its_chaos_off(settings: Settings, person: User) -> None:
    settings.SIMULATOR_URL = NOBODY
    environment.sync()
    assert on() == ["demo"]
    assert LanguageModel.objects.filter(slug="chaos-stall", enabled=False).exists()
    assert list(access.models_for(person).values_list("slug", flat=True)) == ["demo"]


def test_a_real_provider_sends_the_simulator_off_and_its_end_brings_it_back(settings: Settings, person: User) -> None:
    settings.SIMULATOR_URL = NOBODY
    environment.sync()
    settings.OPENAI_BASE_URL, settings.OPENAI_MODELS = NOBODY, ["real"]
    assert "Simulator: switched off" in environment.sync(limit_s=2)
    assert list(access.models_for(person).values_list("slug", flat=True)) == ["real"]
    settings.SIMULATOR = True
    environment.sync(limit_s=2)
    assert list(access.models_for(person).values_list("slug", flat=True)) == ["demo"]
    settings.SIMULATOR = False
    assert environment.sync(limit_s=2)[0] == "Environment: on again"
    settings.OPENAI_BASE_URL = ""
    assert environment.sync() == ["Environment: switched off", "Simulator: on again"]
    assert list(access.models_for(person).values_list("slug", flat=True)) == ["demo"]


def test_an_administrator_may_switch_the_provider_off_for_good(settings: Settings) -> None:
    settings.OPENAI_BASE_URL, settings.OPENAI_MODELS = NOBODY, ["real"]
    environment.sync(limit_s=2)
    Provider.objects.update(enabled=False)
    environment.sync(limit_s=2)
    assert not Provider.objects.get().enabled


def test_windows_and_prices_come_from_the_list_where_the_address_is_known(settings: Settings) -> None:
    settings.OPENAI_BASE_URL = "https://api.openai.com/v1"
    provider = Provider.objects.create(name="O", source="environment")
    found = [ModelInfo("gpt-4o"), ModelInfo("nobody-knows-this"), ModelInfo("text-embedding-3-small")]
    for _ in range(2):
        environment.add_models(provider, found=found, endpoint=endpoint_for(provider))
    model = LanguageModel.objects.get(slug="gpt-4o")
    assert model.context_window == 128_000
    price = Price.objects.get(model=model)
    assert (price.currency, price.input_micro, price.cached_input_micro, price.output_micro) == (
        "USD",
        2_500_000,
        1_250_000,
        10_000_000,
    )
    assert not Price.objects.filter(model__slug="nobody-knows-this").exists()


def test_a_model_of_two_providers_is_one_model_with_two_routes(settings: Settings) -> None:
    first, second = (Provider.objects.create(name=name, base_url=NOBODY) for name in "ab")
    environment.add_models(first, found=[ModelInfo("same")])
    environment.add_models(second, found=[ModelInfo("same")])
    model = LanguageModel.objects.get()
    assert [route.provider for route in model.routes.all()] == [first, second]
