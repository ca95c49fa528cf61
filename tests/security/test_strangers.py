"""What belongs to somebody else is, byte for byte, what does not exist: same status, same body, same headers."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.urls import reverse

from tests.security.callers import ANONYMOUS, NONE, Asking, outcome
from tests.security.matrix import Crowd
from tests.security.policies import Group
from tests.security.routes import BODIES, TABLE
from tests.security.world import HELD, World

pytestmark = pytest.mark.django_db
# What differs between two answers to one request: its number and the token of its form.
OWN = re.compile(rb"[0-9a-f]{32}|[A-Za-z0-9]{64}")
PERSONAL = [
    (group, route, method)
    for group in TABLE
    for route in group.names()
    for method in group.methods
    if HELD.search(route) and "none" in {group.policy.teammate, group.policy.stranger}
]


@pytest.fixture(scope="module")
def crowd(world: World) -> Crowd:
    return Crowd(world)


def shown(answer: Any) -> tuple[int, bytes, list[str]]:
    """All that an answer tells, but its number."""
    headers = sorted(f"{name}: {value}" for name, value in answer.headers.items() if name != "X-Request-ID")
    return answer.status_code, OWN.sub(b"", answer.content), headers


def test_the_table_names_what_is_somebodys_own() -> None:
    routes = {route for _group, route, _method in PERSONAL}
    assert {"chat/<uuid:uuid>/", "api/v1/keys/<uuid:uuid>/", "me/sign-ins/<uuid:number>/end/"} <= routes
    assert len(routes) > 20


@pytest.mark.parametrize(
    ("group", "route", "method"), PERSONAL, ids=[f"{method}-{route}" for _group, route, method in PERSONAL]
)
def test_a_strangers_answer_is_that_of_an_unknown_id(
    group: Group, route: str, method: str, world: World, crowd: Crowd
) -> None:
    asking = Asking()
    kind, body = BODIES.get(route, ("application/x-www-form-urlencoded", ""))
    given = {"body": body if method == "POST" else "", "content_type": kind, "HTTP_ACCEPT": "application/json"}
    callers = [crowd.people[name] for name in ("teammate", "stranger") if group.expected(name) == {NONE}]
    if group.policy.programs is not None:
        callers.append(crowd.programs["token: stranger"])
    assert callers
    for caller in callers:
        for accept in ("application/json", "text/html"):
            more = given | {"HTTP_ACCEPT": accept}
            real = asking.ask(method, world.path(route), caller, **more)
            unknown = asking.ask(method, world.path(route, unknown=True), caller, **more)
            assert outcome(real) == NONE
            assert shown(real) == shown(unknown)
            assert world.sent.conversation.title.encode() not in real.content


def test_the_comparison_sees_one_byte() -> None:
    class Answer:
        status_code, headers = 404, {"X-Request-ID": "a", "Vary": "Cookie"}

        def __init__(self, content: bytes) -> None:
            self.content = content

    assert shown(Answer(b"nothing " + b"a" * 32)) == shown(Answer(b"nothing " + b"b" * 32))
    assert shown(Answer(b"nothing here")) != shown(Answer(b"nothing here."))


def test_a_question_in_somebody_elses_conversation_is_asked_of_nobody(world: World, crowd: Crowd) -> None:
    """The id of a conversation in the body of a send, instead of in the address."""
    asking, path = Asking(), reverse("chat:send")
    body = '{"text": "continue", "client_id": "0123456789abcdef", "conversation": "%s"}'
    answers = []
    for conversation in (world.sent.conversation.uuid, "00000000-0000-4000-8000-000000000000"):
        more = {"body": body % conversation, "content_type": "application/json", "HTTP_ACCEPT": "application/json"}
        answers.append(asking.ask("POST", path, crowd.people["stranger"], keep=True, **more))
        assert asking.ask("POST", path, ANONYMOUS, **more).status_code == 401
    assert [answer.status_code for answer in answers] == [404, 404]
    assert shown(answers[0]) == shown(answers[1])
    assert crowd.people["stranger"].user is not None
    assert not crowd.people["stranger"].user.generations.exists()
