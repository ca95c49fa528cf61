"""The OpenAPI document says what there is, no more and no less; and every answer of the other tests here is held against it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.urls import get_resolver

from accounts.models import User
from api import openapi, reference
from api.operations import Once
from api.permissions import ANY
from api.v1.urls import urlpatterns
from tests.api import contract
from tests.api.conftest import Call, key_of
from tests.security import matrix
from tests.security.routes_programs import PROGRAMMING

ROOT = Path(__file__).resolve().parent.parent.parent
NOT_OF_IT = {"/api/v1/docs/"}
"""A page."""
UNSAFE = ("post", "put", "patch", "delete")


def operations() -> dict[tuple[str, str], Any]:
    return {
        (method, path): operation
        for path, methods in openapi.document()["paths"].items()
        for method, operation in methods.items()
    }


def test_it_has_every_route_and_every_method_and_nothing_else() -> None:
    routes = {f"/{route.replace('<uuid:', '{').replace('>', '}')}" for route in matrix.walk() if "api/v1/" in route}
    assert {path for _method, path in operations()} == routes - NOT_OF_IT
    declared = {
        (method.lower(), f"/{route.replace('<uuid:', '{').replace('>', '}')}")
        for group in PROGRAMMING
        for route in group.names()
        for method in group.methods
        if route.startswith("api/v1/") and method != "HEAD"
    }
    assert set(operations()) == {pair for pair in declared if pair[1] not in NOT_OF_IT}


def test_what_a_view_takes_and_what_it_says_are_the_same_methods() -> None:
    for pattern in urlpatterns:
        view = getattr(pattern.callback, "view_class", None)
        if view is not None:
            methods = {name.upper() for name in ("get", "post", "put", "patch", "delete") if hasattr(view, name)}
            assert methods == set(view.operations), view


def test_every_unsafe_call_but_those_for_tokens_takes_an_idempotency_key() -> None:
    without = {
        path
        for (method, path), operation in operations().items()
        if method in UNSAFE and "Idempotency-Key" not in {each["name"] for each in operation.get("parameters", [])}
    }
    assert without == {"/api/v1/auth/token/", "/api/v1/auth/token/refresh/", "/api/v1/auth/token/revoke/"}
    assert {Once.ROWS, Once.STORED, Once.APART} == set(Once)


def test_every_operation_says_who_may_call_it_and_how_it_refuses() -> None:
    names = set()
    for (method, path), operation in operations().items():
        assert operation["summary"] and operation["tags"], path
        open_ = path.startswith("/api/v1/auth/")
        assert operation["security"] == ([{}] if open_ else [{"key": []}, {"token": []}, {"session": []}])
        assert {"400", "401", "403", "429", "500", "503"} <= set(operation["responses"]), (method, path)
        assert ("404" in operation["responses"]) >= ("{" in path)
        for status, answer in operation["responses"].items():
            assert answer["description"]
            assert status < "400" or set(answer["content"]) == {"application/problem+json"}
        names.add(operation["operationId"])
    assert len(names) == len(operations())


def test_every_example_is_one() -> None:
    found = contract.examples()
    assert len(found) > 40
    assert {where: faults for where, schema, value in found if (faults := contract.fits(schema, value))} == {}
    with_body = [operation for operation in operations().values() if "requestBody" in operation]
    assert all("examples" in each["requestBody"]["content"]["application/json"] for each in with_body)


@pytest.mark.django_db
def test_an_answer_that_is_not_declared_is_found(call: Call, ada: User) -> None:
    answer = call("GET", "me/", credential=key_of(ada))
    operation = contract.operation_of("GET", "/api/v1/me/")
    assert operation is not None and contract.faults(operation, answer) == []

    class Other:
        status_code = 200

        def __init__(self, body: Any, **headers: str) -> None:
            self.body, self.headers = body, {"Content-Type": "application/json", "ETag": '"x"'} | headers

        def __getitem__(self, name: str) -> str:
            return self.headers[name]

        def __contains__(self, name: str) -> bool:
            return name in self.headers

        @property
        def content(self) -> bytes:
            return json.dumps(self.body).encode()

    good = answer.json()
    assert contract.faults(operation, Other(good)) == []
    assert contract.faults(operation, Other({**good, "secret": 1})) != []
    assert contract.faults(operation, Other({name: good[name] for name in good if name != "email"})) != []
    assert contract.faults(operation, Other(good, Location="/")) == ["Location is not as declared"]
    assert contract.faults(operation, Other(good, **{"Content-Type": "text/html"})) == ["text/html is not declared"]


@pytest.mark.django_db
def test_it_is_served_in_the_language_of_whoever_asks(call: Call, ada: User) -> None:
    key = key_of(ada, scopes=["models"])
    found = call("GET", "schema/", credential=key).json()
    assert found["paths"]["/api/v1/ask/"]["post"]["summary"] == "Ask a question and await the answer"
    assert found["openapi"] == "3.1.1" and set(found["components"]["securitySchemes"]) == {"key", "token", "session"}
    User.objects.filter(pk=ada.pk).update(language="zh-hans")
    assert call("GET", "schema/", credential=key).json()["paths"]["/api/v1/ask/"]["post"]["summary"] == "提问并等待回答"


@pytest.mark.django_db
def test_the_page_shows_each_operation_once_and_its_lines_are_of_this_address(ada: User, settings: Any) -> None:
    settings.PUBLIC_URL = "https://chat.example.com"
    client = Client()
    client.force_login(ada)
    answer = client.get("/api/v1/docs/")
    page = answer.content.decode()
    assert answer.status_code == 200 and "default-src 'none'" in answer["Content-Security-Policy"]
    for operation in operations().values():
        assert page.count(f'<details id="{operation["operationId"]}">') == 1
    assert "https://chat.example.com/api/v1/ask/" in page
    assert "<style" not in page and "style=" not in page
    settings.PUBLIC_URL = ""
    assert "http://testserver/api/v1/ask/" in client.get("/api/v1/docs/").content.decode()
    browser = Client().get("/api/v1/docs/", headers={"accept": "text/html"})
    assert (browser.status_code, browser["Location"]) == (302, "/accounts/login/?next=/api/v1/docs/")
    assert Client().get("/api/v1/docs/").status_code == 401


def test_a_line_for_the_shell_is_one_that_a_shell_reads_as_meant() -> None:
    line = reference.command("POST", "https://a/", body={"text": "it's $HOME"}, open=True)
    done = subprocess.run(
        ["sh", "-c", line.replace("curl", "printf '%s\\n'", 1)], capture_output=True, text=True, check=True
    )
    assert json.loads(done.stdout.splitlines()[-2]) == {"text": "it's $HOME"}


def test_a_web_process_loads_the_generator_only_when_it_is_asked(tmp_path: Path) -> None:
    text = (
        "import sys, portal.asgi\nfrom django.urls import get_resolver\nget_resolver().url_patterns\n"
        "print('drf_spectacular' in sys.modules)"
    )
    environment = os.environ | {"DATA_DIR": str(tmp_path), "DJANGO_SETTINGS_MODULE": "portal.settings"}
    done = subprocess.run(
        [sys.executable, "-c", text], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.strip() == "False"


def test_the_scopes_that_views_ask_for_are_told() -> None:
    for (method, path), operation in operations().items():
        view = get_resolver().resolve(path.replace("{uuid}", "0f0c9a52-0000-4000-8000-000000000000")).func
        scope = view.view_class.scopes.get(method.upper())  # type: ignore[attr-defined]  # DRF's views have it
        assert scope in {None, ANY} or f"`{scope}`" in operation["description"], path
