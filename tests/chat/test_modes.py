"""A model's modes: chosen in the box, remembered, kept by every verb that asks again, and really sent to the provider."""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest
from django.test import Client

from accounts.models import User
from chat import claims, messages, sent
from chat.generation import Services
from chat.models import Conversation, Generation
from providers.models import LanguageModel, ModelRoute, Provider
from providers.simulator import journal
from providers.simulator.process import running
from tests.chat import asking, scene
from tests.chat.answering import answer
from tests.chat.scene import Hands, new_id

WAYS = [
    {"key": "quick", "name": "Quick", "chinese": "快速", "body": {"reasoning_effort": "low"}},
    {"key": "think", "name": "Think", "body": {"reasoning_effort": "high", "temperature": 0}, "answer_tokens": 600},
]
JSON = {"Accept": "application/json"}


@pytest.fixture
def ways(model: LanguageModel) -> LanguageModel:
    model.body, model.modes = {"temperature": 0.7}, WAYS
    model.save()
    return model


def modes_of(conversation: Conversation) -> list[str]:
    rows = Generation.objects.filter(conversation=conversation).order_by("pk")
    return [generation.request.get("mode", "") for generation in rows]


def post(page: Client, path: str, **fields: Any) -> Any:
    given = {"client_id": uuid.uuid4().hex, **fields}
    return page.post(path, json.dumps(given), content_type="application/json", headers=JSON)


@pytest.mark.django_db
def test_the_first_mode_is_used_until_another_is_chosen_and_then_that_one_is_remembered(
    page: Client, owner: User, ways: LanguageModel
) -> None:
    first = post(page, "/chat/messages/", text="One?").json()
    home = Conversation.objects.get()
    assert home.mode == "quick"
    asking.end(Generation.objects.get())
    post(page, "/chat/messages/", text="Two?", conversation=first["conversation_id"], mode="think")
    asking.end(Generation.objects.get(state="queued"))
    home.refresh_from_db()
    assert home.mode == "think"
    post(page, "/chat/messages/", text="Three?", conversation=first["conversation_id"])
    assert modes_of(home) == ["quick", "think", "think"]
    shown = page.get(f"/chat/{home.uuid}/").content.decode()
    assert 'value="think" autocomplete="off" checked' in shown
    assert shown.count('name="mode:demo"') == 2


@pytest.mark.django_db
def test_whoever_asks_again_asks_in_the_same_mode_unless_another_is_named(
    page: Client, owner: User, ways: LanguageModel
) -> None:
    made = messages.send(owner, text="Why?", client_id=new_id(), mode="think")
    asking.end(made.generation, state="interrupted", finish_reason="")
    messages.continue_(owner, message=made.answer, client_id=new_id())
    asking.end(Generation.objects.get(state="queued"))
    messages.regenerate(owner, message=made.answer, client_id=new_id())
    asking.end(Generation.objects.get(state="queued"), state="failed", finish_reason="")
    last = Generation.objects.order_by("-pk")[0]
    messages.retry(owner, message=last.message, client_id=new_id())
    asking.end(Generation.objects.get(state="queued"))
    assert made.question is not None
    messages.edit(owner, message=made.question, text="How?", client_id=new_id())
    asking.end(Generation.objects.get(state="queued"))
    messages.regenerate(owner, message=made.answer, client_id=new_id(), mode="quick")
    assert modes_of(made.conversation) == ["think"] * 5 + ["quick"]


@pytest.mark.django_db
@pytest.mark.parametrize("mode", ["gone", "Think", "<b>", "x" * 500])
def test_an_unknown_mode_is_refused_with_a_word_and_nothing_is_stored(
    page: Client, ways: LanguageModel, mode: str
) -> None:
    refused = post(page, "/chat/messages/", text="Why?", mode=mode)
    assert refused.status_code == 422
    assert refused.json()["error"]["code"] == "no_mode"
    assert "This model has no such mode." in refused.json()["error"]["message"]
    assert not Conversation.objects.exists()


@pytest.mark.django_db
def test_a_model_without_modes_has_no_switch_and_takes_none(page: Client, model: LanguageModel) -> None:
    assert "mode:demo" not in page.get("/chat/").content.decode()
    assert post(page, "/chat/messages/", text="Why?", mode="quick").status_code == 422
    assert post(page, "/chat/messages/", text="Why?").status_code == 202
    assert "mode" not in Generation.objects.get().request


@pytest.mark.django_db
def test_a_form_without_scripts_sends_the_switch_of_the_model_that_it_names(page: Client, ways: LanguageModel) -> None:
    other = scene.model("other")
    fields = {"text": "Why?", "model": "other", "mode:demo": "think", "client_id": new_id()}
    assert page.post("/chat/messages/", fields).status_code == 303
    assert Generation.objects.get().request.get("mode", "") == ""
    assert Generation.objects.get().model == other
    page.post("/chat/messages/", fields | {"model": "demo", "client_id": new_id()})
    assert Generation.objects.order_by("-pk")[0].request["mode"] == "think"


@pytest.mark.django_db
def test_a_remembered_mode_that_the_model_has_lost_gives_way_to_the_first(owner: User, ways: LanguageModel) -> None:
    made = messages.send(owner, text="Why?", client_id=new_id(), mode="think")
    asking.end(made.generation)
    LanguageModel.objects.filter(pk=ways.pk).update(modes=[WAYS[0], {"key": "new", "name": "New"}])
    made.conversation.refresh_from_db()
    messages.send(owner, text="And?", client_id=new_id(), conversation=made.conversation)
    messages_before = modes_of(made.conversation)
    assert messages_before == ["think", "quick"]


@pytest.mark.django_db
def test_the_same_send_in_another_mode_is_another_send(page: Client, ways: LanguageModel) -> None:
    key = new_id()
    assert post(page, "/chat/messages/", text="Why?", client_id=key, mode="quick").status_code == 202
    assert post(page, "/chat/messages/", text="Why?", client_id=key, mode="quick").status_code == 202
    again = post(page, "/chat/messages/", text="Why?", client_id=key, mode="think")
    assert (again.status_code, again.json()["error"]["code"]) == (422, "client_id_reused")
    assert Generation.objects.count() == 1


@pytest.mark.django_db
def test_a_mode_with_a_usual_answer_of_its_own_holds_that(owner: User, ways: LanguageModel) -> None:
    made = messages.send(owner, text="Why?", client_id=new_id(), mode="think")
    assert made.generation.request["most"]["output"] == 600


@pytest.mark.django_db
def test_the_name_of_a_mode_is_only_ever_text(page: Client, ways: LanguageModel) -> None:
    attack = '"><img src=x onerror=alert(1)>'
    LanguageModel.objects.update(modes=[{"key": "a", "name": attack, "chinese": attack}, WAYS[0]])
    shown = page.get("/chat/").content.decode()
    assert attack not in shown
    assert "&quot;&gt;&lt;img src=x onerror=alert(1)&gt;" in shown


@pytest.mark.django_db(transaction=True)
def test_further_fields_and_the_mode_really_reach_the_provider(ada: User, hands: Hands, services: Services) -> None:
    LanguageModel.objects.update(body={"temperature": 0.7, "top_p": 0.9}, modes=WAYS)
    with running(keep_prompts=True) as simulator:
        Provider.objects.update(base_url=simulator.base_url)
        ModelRoute.objects.update(upstream_name="demo")
        made = messages.send(ada, text="[[sim seed=patient n=5 gap=0]]", client_id=new_id(), mode="think")
        (claimed,) = claims.claim(hands.owner, places=1)
        answer(claimed, services)
        (entry,) = journal.read(simulator.journal)
    told = {name: entry.body[name] for name in ("temperature", "top_p", "reasoning_effort", "model", "stream")}
    assert told == {"temperature": 0, "top_p": 0.9, "reasoning_effort": "high", "model": "demo", "stream": True}
    found = Generation.objects.select_related("model", "message").get(pk=made.generation.pk)
    assert found.state == "done"
    assert found.request["sent"]["body"] == {"temperature": 0, "top_p": 0.9, "reasoning_effort": "high"}
    assert sent.of(found).mode == "Think"
