"""Schemathesis over every operation of the OpenAPI document with every kind of credential: nothing breaks, nothing undeclared is answered.

In CI a few cases each, the same ones every time; SCHEMA_CASES=200 SCHEMA_SEED=random looks further by hand.
"""

from __future__ import annotations

import itertools
import json
import os
from collections.abc import Iterator
from typing import Any

import pytest
import requests
import schemathesis
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.test import override_settings
from django.urls import path
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import ServerError
from schemathesis.core.transport import Response
from schemathesis.openapi.checks import UndefinedStatusCode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from api import openapi
from portal.urls import handler400, handler403, handler404, handler500
from portal.urls import urlpatterns as real
from tests.api import contract
from tests.security.callers import ANONYMOUS, Asking, Caller
from tests.security.matrix import Crowd
from tests.security.world import World

__all__ = ["handler400", "handler403", "handler404", "handler500"]
pytestmark = pytest.mark.django_db
CASES = int(os.environ.get("SCHEMA_CASES", "2"))
WHO = ("anonymous", "key: narrow", "key: full", "key: administrator", "token: owner", "token: administrator", "owner")
"""No credential, keys without and with the scopes, tokens of a person and of an administrator, a page's session."""
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]


@pytest.fixture(scope="module")
def crowd(world: World) -> Crowd:
    return Crowd(world)


def caller(crowd: Crowd, name: str) -> Caller:
    if name == "anonymous":
        return ANONYMOUS
    return crowd.programs.get(name) or crowd.people[name]


def operations() -> Iterator[Any]:
    found: Any
    for found in schemathesis.openapi.from_dict(contract.document()).get_all_operations():
        yield found.ok()


def send(case: Case[Any], who: Caller, *, path: str) -> Response:
    """The answer to a case by somebody; what it changed is undone."""
    sent = case.as_transport_kwargs(base_url="http://testserver")
    body = json.dumps(sent["json"]).encode() if "json" in sent else sent.get("data") or b""
    headers = {name: str(value) for name, value in (case.headers or {}).items() if name.lower() != "authorization"}
    environ = {f"HTTP_{name.upper().replace('-', '_')}": value for name, value in headers.items()}
    request = requests.Request(case.method, f"http://testserver{path}", params=sent.get("params")).prepare()
    answer = Asking().ask(
        case.method,
        str(request.url).removeprefix("http://testserver"),
        who,
        body=body,
        content_type=str(sent["headers"].get("Content-Type", "application/json")),
        **environ,
    )
    told = {name: [value] for name, value in answer.items()}
    return Response(answer.status_code, told, answer.content, request, 0.0, verify=False)


def drawn(operation: Any, mode: GenerationMode, *, cases: int) -> list[Case[Any]]:
    """Cases of one operation; none where nothing that it takes could be wrong."""
    found: list[Case[Any]] = []

    @settings(
        max_examples=cases,
        deadline=None,
        database=None,
        derandomize="SCHEMA_SEED" not in os.environ,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def draw(case: Case[Any]) -> None:
        found.append(case)

    try:
        draw()
    except (schemathesis.errors.SchemathesisError, Unsatisfiable):
        assert mode is GenerationMode.NEGATIVE, operation.path
    return found


def walk(crowd: Crowd, *, cases: int, only: str = "/") -> int:
    """Every operation by everybody; how many answers were looked at. Fails at the first that is not as declared."""
    seen = 0
    for operation in operations():
        if not operation.path.startswith(only):
            continue
        where = crowd.world.path(operation.path.removeprefix("/").replace("{uuid}", "<uuid:uuid>"))
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
            for case, name in itertools.product(drawn(operation, mode, cases=cases), WHO):
                case.validate_response(send(case, caller(crowd, name), path=where), checks=CHECKS)
                seen += 1
    return seen


def broken(request: HttpRequest) -> HttpResponse:
    raise ZeroDivisionError


def undeclared(request: HttpRequest) -> HttpResponse:
    return JsonResponse({}, status=418)


def test_no_operation_breaks_and_none_answers_what_is_not_declared(crowd: Crowd) -> None:
    assert walk(crowd, cases=CASES) >= len(WHO) * len(list(operations()))


@pytest.mark.parametrize(("hole", "failure"), [(broken, ServerError), (undeclared, UndefinedStatusCode)])
def test_a_view_that_breaks_and_an_answer_that_is_not_declared_are_found(
    crowd: Crowd, hole: Any, failure: type[Exception]
) -> None:
    class Holed:
        urlpatterns = [path("api/v1/models/", hole), *real]
        handler400, handler403, handler404, handler500 = handler400, handler403, handler404, handler500

    with override_settings(ROOT_URLCONF=Holed), pytest.raises(BaseExceptionGroup) as found:
        walk(crowd, cases=1, only="/api/v1/models/")
    assert failure in {type(each) for each in found.value.exceptions}


def test_it_walks_over_the_whole_document() -> None:
    count = sum(len(methods) for methods in openapi.document()["paths"].values())
    assert len(list(operations())) == count > 30


def test_every_example_of_the_document_runs(crowd: Crowd) -> None:
    world = crowd.world
    proofs = {
        "/api/v1/auth/token/": {"email": world.stranger.email, "password": world.password},
        "/api/v1/auth/token/refresh/": {"refresh": world.token.refresh},
        "/api/v1/auth/token/revoke/": {"refresh": world.token.refresh},
    }
    ran = {}
    for address, methods in openapi.document()["paths"].items():
        for method, operation in methods.items():
            content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
            body = next((each["value"] for each in content.get("examples", {}).values()), None)
            sent = json.dumps(proofs.get(address, body)).encode() if body is not None else b""
            who = ANONYMOUS if address in proofs else caller(crowd, "token: owner")
            where = world.path(address.removeprefix("/").replace("{uuid}", "<uuid:uuid>"))
            answer = Asking().ask(method.upper(), where, who, body=sent, content_type="application/json")
            ran[f"{method} {address}"] = answer.status_code
            assert contract.faults(operation, answer) == [], address
    assert {name: status for name, status in ran.items() if not 200 <= status < 300} == {}
