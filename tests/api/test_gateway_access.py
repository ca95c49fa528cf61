"""Who meets what under /v1/: every address with every kind of credential, and the addresses beside chat, metered. Over sockets."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.api.gateway_site import Gateway, header, running, said
from tests.processes import Person, Reply

pytestmark = pytest.mark.chaos
FORM = (
    b'--b\r\nContent-Disposition: form-data; name="model"\r\n\r\ndemo\r\n'
    b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.mp3"\r\n\r\nsound\r\n--b--\r\n'
)
CALLS: dict[str, Any] = {
    "/chat/completions": said("[[sim seed=access n=3 gap=1]]"),
    "/completions": {"model": "demo", "prompt": "[[sim seed=access n=3 gap=1]]", "suffix": "end"},
    "/responses": {"model": "demo", "input": "[[sim seed=access n=3 gap=1]]"},
    "/embeddings": {"model": "demo", "input": ["one", "two"]},
    "/audio/speech": {"model": "demo", "input": "Hello", "voice": "alloy"},
    "/audio/transcriptions": FORM,
}
LOOKS = ("/models", "/models/demo")
RULES = """
from accounts.models import Organisation
Organisation.objects.update(house_rules="Be kind.")
"""
PROGRAM = """
from accounts import api_keys
from accounts.models import User
owner = User.objects.get(uuid=given)
program = User.objects.create(email=f"{owner.pk}@programs.invalid", name="Bot", is_service=True, owner=owner)
answer = api_keys.make(program, name="bot", scopes=["chat", "models"], by=owner)[1]
"""
OFF = "from accounts.models import User\nUser.objects.filter(uuid=given).update(is_active=False)"


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with running(tmp_path_factory.mktemp("access") / "site", GATEWAY_BODY_MB="1") as found:
        yield found


@dataclass(frozen=True)
class Caller:
    """A kind of credential: its headers, and what a call and a look are answered with it (status, code)."""

    headers: dict[str, str]
    call: tuple[int, str] = (200, "")
    look: tuple[int, str] = (200, "")


@pytest.fixture(scope="module")
def callers(gateway: Gateway) -> dict[str, Caller]:
    ada, key = gateway.person()
    gone, gone_key = gateway.person()
    gateway.site.django(OFF, gone.uuid)
    token = gateway.token(ada)
    bearer = {name: f"Bearer {secret}" for name, secret in keys(gateway, ada).items()}
    forged = (401, "invalid_token")
    unknown, other = (401, "invalid_key"), (404, "model_not_found")
    nothing, wrong, bad = (401, "no_credential"), (401, "wrong_header"), (401, "malformed")
    return {
        "nobody": Caller({}, nothing, nothing),
        "a key": Caller({"Authorization": f"Bearer {key}"}),
        "a key as some editors send it": Caller({"api-key": key}),
        "both, of which one decides": Caller({"Authorization": f"Bearer {key}", "api-key": "sk-no"}),
        "both, of which the wrong one decides": Caller({"Authorization": "Bearer no", "api-key": key}, forged, forged),
        "x-api-key": Caller({"x-api-key": key}, wrong, wrong),
        "Basic": Caller({"Authorization": f"Basic {key}"}, bad, bad),
        "a token": Caller({"Authorization": f"Bearer {token}"}),
        "a program": Caller({"Authorization": bearer["program"]}),
        "only to look": Caller({"Authorization": bearer["look"]}, (403, "forbidden")),
        "only to ask": Caller({"Authorization": bearer["ask"]}, look=(403, "forbidden")),
        "from elsewhere only": Caller({"Authorization": bearer["elsewhere"]}, unknown, unknown),
        "switched off": Caller({"Authorization": f"Bearer {gone_key}"}, unknown, unknown),
        "unknown": Caller({"Authorization": "Bearer sk-" + "a" * 40}, unknown, unknown),
        "of another model": Caller({"Authorization": bearer["other"]}, other),
    }


def keys(gateway: Gateway, person: Person) -> dict[str, str]:
    gateway.site.django(
        "from providers.models import LanguageModel, ModelRoute, Provider\n"
        "other = LanguageModel.objects.create(slug='other', name='Other', enabled=True, position=9)\n"
        "ModelRoute.objects.create(model=other, provider=Provider.objects.get(), upstream_name='demo')"
    )
    return {
        "program": gateway.site.django(PROGRAM, person.uuid),
        "look": gateway.key(person, scopes=("models",)),
        "ask": gateway.key(person, scopes=("chat",)),
        "elsewhere": gateway.key(person, ips=("10.9.8.7",)),
        "other": gateway.key(person, models=("other",)),
    }


def ask(gateway: Gateway, path: str, body: Any, *, headers: dict[str, str]) -> Reply:
    kind = {"Content-Type": "multipart/form-data; boundary=b"} if isinstance(body, bytes) else {}
    return gateway.call("POST", path, body, headers=kind | headers)


def met(reply: Reply) -> tuple[int, str]:
    """Status and code; every error has OpenAI's shape, an id, and no key in it."""
    if reply.status == 200:
        return 200, ""
    error = reply.json()["error"]
    assert {"message", "type", "param", "code"} <= error.keys() and error["message"]
    assert header(reply, "x-request-id") and "sk-" not in reply.text and "Traceback" not in reply.text
    return reply.status, error["code"]


def test_everybody_meets_at_every_address_what_the_table_says(gateway: Gateway, callers: dict[str, Caller]) -> None:
    wrong = []
    for name, caller in callers.items():
        for path, body in CALLS.items():
            found = met(ask(gateway, path, body, headers=caller.headers))
            wrong += [(name, path, found)] if found != caller.call else []
        for path in LOOKS:
            found = met(gateway.call("GET", path, headers=caller.headers))
            expected = caller.look
            if name == "of another model" and path == "/models/demo":
                expected = (404, "model_not_found")
            wrong += [(name, path, found)] if found != expected else []
    assert wrong == []


def test_a_key_of_one_model_sees_no_other(gateway: Gateway, callers: dict[str, Caller]) -> None:
    listed = gateway.call("GET", "/models", headers=callers["of another model"].headers).json()
    assert [row["id"] for row in listed["data"]] == ["other"]
    for name in ("Demo", "DEMO", "demo ", "ｄｅｍｏ", "demo\x00", "../demo", "chaos-ok", "Simulator"):
        reply = gateway.call("POST", "/chat/completions", said("x") | {"model": name}, headers=callers["a key"].headers)
        assert met(reply) == (404, "model_not_found"), name


def test_a_key_in_the_address_is_refused_and_a_cookie_alone_is_nobody(gateway: Gateway) -> None:
    person, key = gateway.person()
    assert met(gateway.call("GET", f"/models?key={key}"))[0] == 400
    browser = gateway.site.caller(person)
    reply = browser.get("/v1/models")
    assert met(reply) == (401, "no_credential")


def test_addresses_that_are_not_there_and_broken_bodies_have_the_same_shape(gateway: Gateway) -> None:
    _person, key = gateway.person()
    cases = [
        ("GET", "/nothing", None, (404, "unknown_url")),
        ("POST", "/chat/completions/", said("x"), (404, "unknown_url")),
        ("GET", "/chat/completions", None, (405, "method_not_allowed")),
        ("POST", "/chat/completions", b"{", (400, "malformed_json")),
        ("POST", "/chat/completions", b"[" * 200_000, (400, "malformed_json")),
        ("POST", "/chat/completions", b" " * 1_200_000, (413, "too_large")),
        ("POST", "/chat/completions", said("x", n=100), (400, "invalid")),
    ]
    for method, path, body, expected in cases:
        reply = gateway.call(method, path, body, key=key)
        assert reply.status != 500
        error = reply.json()["error"]
        assert (reply.status, error["code"]) == expected, (method, path)


def test_a_token_asks_only_once_its_person_has_agreed_to_the_house_rules(gateway: Gateway) -> None:
    person, key = gateway.person()
    token = gateway.token(person)
    gateway.site.django(RULES)
    try:
        assert met(gateway.call("POST", "/chat/completions", said("[[sim n=2]]"), key=token)) == (403, "house_rules")
        assert met(gateway.call("GET", "/models", key=token)) == (200, "")
        assert met(gateway.call("POST", "/chat/completions", said("[[sim n=2]]"), key=key)) == (200, "")
    finally:
        gateway.site.django(RULES.replace("Be kind.", ""))


def test_every_address_is_counted_as_the_provider_counts(gateway: Gateway) -> None:
    person, key = gateway.person()
    auth = {"Authorization": f"Bearer {key}"}
    answers = {path: ask(gateway, path, body, headers=auth) for path, body in CALLS.items()}
    assert {path: reply.status for path, reply in answers.items()} == dict.fromkeys(CALLS, 200)
    assert answers["/audio/speech"].body.startswith(b"ID3")
    assert header(answers["/audio/speech"], "content-type") == "audio/mpeg"
    assert len(answers["/embeddings"].json()["data"][0]["embedding"]) == 8
    assert answers["/audio/transcriptions"].json()["text"]
    found = gateway.rows(person, calls=len(CALLS))
    calls = {
        path: (call["outcome"], call["output_tokens"], call["estimated"])
        for path, call in zip(CALLS, found["calls"], strict=True)
    }
    assert calls["/chat/completions"] == calls["/completions"] == calls["/responses"] == ("done", 3, False)
    assert calls["/embeddings"] == ("done", 0, False)
    assert calls["/audio/transcriptions"] == ("done", 12, False)
    assert calls["/audio/speech"][0] == "done" and calls["/audio/speech"][2] is True
    assert (found["held"], found["drifts"]) == (0, [])


def test_streams_beside_chat_pass_as_they_come_and_are_counted(gateway: Gateway) -> None:
    person, key = gateway.person()
    client = gateway.sdk(key)
    pieces = [
        each.choices[0].text
        for each in client.completions.create(model="demo", prompt="[[sim n=7 gap=1]]", stream=True)
    ]
    assert sum(map(bool, pieces)) == 7
    kinds = [each.type for each in client.responses.create(model="demo", input="[[sim n=7 gap=1]]", stream=True)]
    assert kinds == ["response.created", *["response.output_text.delta"] * 7, "response.completed"]
    assert [call["output_tokens"] for call in gateway.rows(person, calls=2)["calls"]] == [7, 7]


def test_nothing_of_another_persons_reaches_the_provider_and_no_text_is_kept(gateway: Gateway) -> None:
    person, key = gateway.person()
    body = said("canary-of-the-gateway [[sim seed=idor n=2]]", chat_id="c", parent_message_id="m", session_id="s")
    assert gateway.call("POST", "/chat/completions", body, key=key).status == 200
    reply = gateway.call(
        "POST", "/chat/completions", said("[[sim seed=event mode=error_event_first]]", stream=True), key=key
    )
    assert reply.status == 502
    assert "canary-of-the-gateway" not in gateway.site.log("web0") + json.dumps(gateway.rows(person))
