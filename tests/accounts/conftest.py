"""People for the tests of this room: one with a password, and what it takes to sign her in through the form."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from accounts.models import User
from tests.accounts.sso_issuer import company, issuer

__all__ = ["company", "issuer"]
PASSWORD = "pine needles on paper"

SignIn = Callable[..., Any]


@pytest.fixture
def ada(db: None) -> User:
    return User.objects.create_user("ada@example.com", PASSWORD, name="Ada")


@pytest.fixture
def sign_in(client: Client, db: None) -> SignIn:
    """Posts the form as a browser does; returns the answer, not followed."""

    def post(login: str = "ada@example.com", password: str = PASSWORD, **extra: str) -> Any:
        address = extra.pop("address", "192.0.2.7")
        data = {"login": login, "password": password, **extra}
        return client.post("/accounts/login/", data, REMOTE_ADDR=address)

    return post
