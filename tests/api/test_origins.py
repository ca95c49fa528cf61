"""Other sites' pages get nothing, and those that are named get it without cookies."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.checks import run_checks

from accounts.models import User
from api.origins import ORIGIN
from tests.api.conftest import Call, key_of

pytestmark = pytest.mark.django_db
OURS, EVIL = "https://tools.example.com", "https://tools.example.com.evil.example"


def cors(answer: Any) -> dict[str, str]:
    return {name: value for name, value in answer.items() if name.lower().startswith("access-control")}


def test_without_the_setting_there_is_none(call: Call, ada: User) -> None:
    key = key_of(ada)
    answer = call("GET", "me/", credential=key, headers={"origin": OURS, "authorization": f"Bearer {key}"})
    assert (answer.status_code, cors(answer)) == (200, {})


def test_a_named_page_may_ask_and_read_and_no_other(call: Call, ada: User, settings: Any) -> None:
    settings.API_ORIGINS = [OURS]
    key = key_of(ada)
    before = {"origin": OURS, "access-control-request-method": "PATCH"}
    asked = call("OPTIONS", "me/", headers=before)
    assert (asked.status_code, asked["Access-Control-Allow-Origin"], asked.content) == (204, OURS, b"")
    assert (
        "Idempotency-Key" in asked["Access-Control-Allow-Headers"] and "PATCH" in asked["Access-Control-Allow-Methods"]
    )
    read = call("GET", "me/", headers={"origin": OURS, "authorization": f"Bearer {key}"})
    assert (read.status_code, read["Access-Control-Allow-Origin"]) == (200, OURS)
    assert "Access-Control-Allow-Credentials" not in read and "Origin" in read["Vary"]
    for origin in (EVIL, "null", "http://tools.example.com", f"{OURS}/", OURS.upper()):
        for method, more in (("GET", {}), ("OPTIONS", {"access-control-request-method": "GET"})):
            answer = call(method, "me/", headers={"origin": origin, "authorization": f"Bearer {key}"} | more)
            assert cors(answer) == {} and "Origin" in answer["Vary"]
    page = call("GET", "/accounts/login/", headers={"origin": OURS})
    assert cors(page) == {}


@pytest.mark.parametrize(
    "origin", ["*", "null", "https://a.example/", "https://*.example", "HTTPS://A.example", "a.example"]
)
def test_what_is_no_origin_stops_the_start(settings: Any, origin: str) -> None:
    settings.API_ORIGINS = [OURS]
    assert "portal.E019" not in {message.id for message in run_checks()}
    settings.API_ORIGINS = [origin]
    assert "portal.E019" in {message.id for message in run_checks()}
    assert ORIGIN.fullmatch(OURS)
