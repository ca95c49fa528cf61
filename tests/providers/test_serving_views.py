"""How a model is asked, in the browser: providers in order, a test, further fields, modes; what the trail keeps of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from accounts.models import AuditEvent, Membership, Team, User
from providers import access, modes
from providers.models import LanguageModel, ModelRoute, Provider
from providers.simulator.process import Simulator, running

pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module")
def simulator() -> Iterator[Simulator]:
    with running() as started:
        yield started


@pytest.fixture
def admin() -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("root@example.com"))
    return client


@pytest.fixture
def model() -> LanguageModel:
    return LanguageModel.objects.create(slug="demo", name="Demo", enabled=True)


def serve(model: LanguageModel, *names: str, base_url: str = "http://127.0.0.1:9/v1") -> list[Provider]:
    made = [Provider.objects.create(name=name, base_url=base_url) for name in names]
    for position, provider in enumerate(made):
        ModelRoute.objects.create(model=model, provider=provider, upstream_name="demo", position=position)
    return made


def order(model: LanguageModel) -> list[str]:
    return [route.provider.name for route in model.routes.select_related("provider")]


def do(client: Client, model: LanguageModel, provider: Provider, what: str) -> int:
    return client.post(reverse("providers:serving", args=[model.uuid, provider.uuid]), {"do": what}).status_code


def page(client: Client, model: LanguageModel) -> str:
    return client.get(reverse("providers:model", args=[model.uuid])).content.decode()


def test_providers_are_put_in_order_switched_off_and_taken_away_and_the_trail_tells(
    admin: Client, model: LanguageModel
) -> None:
    _first, second, third = serve(model, "First", "Second", "Third")
    assert do(admin, model, third, "up") == 303
    assert order(model) == ["First", "Third", "Second"]
    do(admin, model, third, "up")
    do(admin, model, third, "up")  # further than the top is the top
    assert order(model) == ["Third", "First", "Second"]
    do(admin, model, second, "remove")
    assert order(model) == ["Third", "First", "Second"]  # only what is off is taken away
    do(admin, model, second, "off")
    do(admin, model, second, "remove")
    assert order(model) == ["Third", "First"]
    do(admin, model, third, "nonsense")
    events = AuditEvent.objects.filter(action="model.changed").order_by("number")
    assert [event.changes["providers"][1] for event in events][-1] == ["Third: demo", "First: demo"]
    assert events.count() == 4


def test_a_further_provider_comes_last_and_never_twice(admin: Client, model: LanguageModel) -> None:
    serve(model, "First")
    other = Provider.objects.create(name="Other", base_url="http://127.0.0.1:9/v1")
    where = reverse("providers:further", args=[model.uuid])
    assert admin.post(where, {"provider": other.uuid, "upstream_name": "their-demo"}).status_code == 303
    assert order(model) == ["First", "Other"]
    assert admin.post(where, {"provider": other.uuid, "upstream_name": "again"}).status_code == 422
    assert admin.post(where, {"provider": other.uuid, "upstream_name": "a\tb"}).status_code == 422
    assert ModelRoute.objects.get(provider=other).upstream_name == "their-demo"


def test_a_test_is_one_real_call_with_its_time_and_its_words(
    admin: Client, model: LanguageModel, simulator: Simulator
) -> None:
    model.body = {"temperature": 0.5}
    model.save()
    (working,) = serve(model, "Working", base_url=simulator.base_url)
    (broken,) = serve(model, "Broken")
    where = reverse("providers:model_test", args=[model.uuid])
    admin.post(where, {"provider": working.uuid})
    shown = page(admin, model)
    assert "demo answered in" in shown
    assert "demo answered in" not in page(admin, model)  # said once
    admin.post(where, {"provider": broken.uuid})
    assert "Nobody answers at this address." in page(admin, model)


def ways(**changes: Any) -> dict[str, Any]:
    given: dict[str, Any] = {"extra": '{"temperature": 0.2}'}
    for number, (name, chinese, body) in enumerate(
        [("Quick", "快速", '{"think": false}'), ("Think", "", '{"think": true}'), ("", "", "")]
    ):
        given |= {f"key_{number}": "", f"name_{number}": name, f"chinese_{number}": chinese, f"extra_{number}": body}
        given[f"tokens_{number}"] = ""
    return given | changes


def test_fields_and_modes_are_kept_and_a_mode_keeps_its_key_when_it_is_renamed(
    admin: Client, model: LanguageModel
) -> None:
    where = reverse("providers:ways", args=[model.uuid])
    assert admin.post(where, ways()).status_code == 303
    model.refresh_from_db()
    assert modes.body(model, "think") == {"temperature": 0.2, "think": True}
    assert [mode.key for mode in modes.of(model)] == ["quick", "think"]
    renamed = ways(key_0="quick", name_0="Swift", key_1="think", tokens_1="9000")
    assert admin.post(where, renamed).status_code == 303
    model.refresh_from_db()
    assert [(mode.key, mode.name, mode.answer_tokens) for mode in modes.of(model)] == [
        ("quick", "Swift", None),
        ("think", "Think", 9000),
    ]
    event = AuditEvent.objects.filter(action="model.changed").order_by("number").first()
    assert event is not None
    assert "temperature" in event.changes["further_fields"][1]
    assert (
        admin.post(where, ways(extra="", name_0="", name_1="", chinese_0="", extra_0="", extra_1="")).status_code == 303
    )
    model.refresh_from_db()
    assert (model.body, model.modes) == ({}, [])


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"extra": '{"model": "dearer"}'}, "the portal&#x27;s own: model"),
        ({"extra_1": '{"max_tokens": 1}'}, "the portal&#x27;s own: max_tokens"),
        ({"extra": "[]"}, "Write a JSON object"),
        ({"name_1": "", "chinese_1": "思考"}, "Give the mode a name"),
        ({"name_1": "Quick"}, "Another mode has this name."),
        ({"name_1": "", "extra_1": ""}, "One mode alone is no choice"),
        ({"name_0": "x" * 17}, "at most 16 characters"),
        ({"tokens_0": "1"}, "greater than or equal to 16"),
    ],
)
def test_what_cannot_be_is_refused_with_a_word_and_nothing_is_changed(
    admin: Client, model: LanguageModel, changes: dict[str, str], says: str
) -> None:
    answer = admin.post(reverse("providers:ways", args=[model.uuid]), ways(**changes))
    assert answer.status_code == 422
    assert says in answer.content.decode()
    model.refresh_from_db()
    assert (model.body, model.modes) == ({}, [])


def test_an_attack_in_the_name_of_a_mode_or_in_a_field_is_inert(admin: Client, model: LanguageModel) -> None:
    attack = "<b onclick=x>"
    body = '{"a": "</textarea><script>alert(1)</script>"}'
    admin.post(reverse("providers:ways", args=[model.uuid]), ways(name_0=attack, extra=body))
    shown = page(admin, model)
    assert attack not in shown
    assert "<script>alert" not in shown
    assert "&lt;b onclick=x&gt;" in shown


def test_a_ban_wins_over_everything_that_allows(admin: Client, model: LanguageModel) -> None:
    serve(model, "First")
    red, blue = Team.objects.create(name="Red"), Team.objects.create(name="Blue")
    owner, mate, stranger = (User.objects.create_user(f"{name}@example.com") for name in ("owner", "mate", "stranger"))
    for person, teams in ((owner, (red,)), (mate, (red, blue))):
        for team in teams:
            Membership.objects.create(user=person, team=team, is_primary=team == red)

    def users() -> list[str]:
        return [each.email[:5] for each in (owner, mate, stranger) if access.model_for(each, "demo")]

    where = reverse("providers:audience", args=[model.uuid])
    assert admin.post(where, {"who": "all", "denied": [blue.uuid]}).status_code == 302
    assert users() == ["owner", "stran"]
    assert admin.post(where, {"who": "teams", "teams": [red.uuid], "denied": [blue.uuid]}).status_code == 302
    assert users() == ["owner"]
    refused = admin.post(where, {"who": "teams", "teams": [red.uuid], "denied": [red.uuid]})
    assert refused.status_code == 400
    assert "A team cannot be named in both" in refused.content.decode()
    assert users() == ["owner"]
    assert "demo" not in [each.slug for each in access.for_everybody()]
    event = AuditEvent.objects.filter(action="model.changed").order_by("number").first()
    assert event is not None
    assert event.changes["denied_teams"] == [[], ["Blue"]]


def test_the_page_asks_as_often_for_three_providers_as_for_one(
    admin: Client, model: LanguageModel, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    serve(model, "First")
    page(admin, model)
    with django_assert_num_queries(14):
        page(admin, model)
    serve(model, "Second", "Third")
    with django_assert_num_queries(14):
        page(admin, model)
