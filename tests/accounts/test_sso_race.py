"""The same person, the same token, several times at once: one account, one identity, one sign-out."""

from __future__ import annotations

import functools
import threading
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from allauth.socialaccount.models import SocialAccount
from django.db import connections
from django.test import Client

from accounts.models import SsoConnection, SsoLogout, User
from tests.accounts.sso_issuer import Handler, Issuer, at_issuer, begin, sign

pytestmark = pytest.mark.django_db(transaction=True)
AT_ONCE = 4


def together(deeds: list[Callable[[], int]]) -> list[int]:
    """Does all of them at once, each in a thread with connections of its own."""
    barrier = threading.Barrier(len(deeds))

    def one(deed: Callable[[], int]) -> int:
        barrier.wait(20)
        try:
            return deed()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(deeds)) as pool:
        return list(pool.map(one, deeds))


def arrive(client: Client, back: str) -> int:
    return int(client.get(back).status_code)


def test_a_person_who_comes_for_the_first_time_in_several_windows_at_once_has_one_account(
    company: SsoConnection, issuer: Issuer
) -> None:
    backs: list[tuple[Client, str]] = []
    for _ in range(AT_ONCE):
        client = Client()
        backs.append((client, at_issuer(begin(client))))
    waiting = threading.Barrier(AT_ONCE)

    def token(handler: Handler) -> None:
        waiting.wait(20)
        handler.say(*issuer.exchanged(handler.asked, client=(issuer.client_id, issuer.secret)))

    issuer.answers["/token"] = token
    statuses = together([functools.partial(arrive, client, back) for client, back in backs])
    assert set(statuses) <= {302, 409}
    assert 302 in statuses
    assert (User.objects.count(), SocialAccount.objects.count()) == (1, 1)


def test_a_logout_token_sent_several_times_at_once_is_obeyed_once(company: SsoConnection, issuer: Issuer) -> None:
    now = int(time.time())
    claims: dict[str, Any] = {"iss": issuer.url, "aud": "portal", "iat": now, "jti": uuid.uuid4().hex, "sub": "ada-1"}
    claims["events"] = {"http://schemas.openid.net/event/backchannel-logout": {}}
    token = sign(claims)

    def send() -> int:
        return int(Client().post("/accounts/company/company/logout/", {"logout_token": token}).status_code)

    assert sorted(together([send] * AT_ONCE)) == [200, *[400] * (AT_ONCE - 1)]
    assert SsoLogout.objects.count() == 1
