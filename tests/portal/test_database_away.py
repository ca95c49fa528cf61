"""While the database is away, locked or full a page says so with 503, and never calls it a fault of the code."""

from __future__ import annotations

import pytest
from django.db import OperationalError
from django.test import Client

from chat import queries


def _full(*_: object, **__: object) -> None:
    raise OperationalError("database or disk is full")


@pytest.mark.django_db
@pytest.mark.parametrize("accept", ["text/html", "application/json"])
def test_a_full_database_is_a_503_that_says_what_is_kept(
    monkeypatch: pytest.MonkeyPatch, admin_client: Client, accept: str
) -> None:
    admin_client.raise_request_exception = False
    monkeypatch.setattr(queries, "conversation_list", _full)
    response = admin_client.get("/chat/", HTTP_ACCEPT=accept)
    assert (response.status_code, response["Retry-After"]) == (503, "5")
    assert "kept" in response.content.decode()
    assert (response["Content-Type"] == "application/json") == (accept == "application/json")
