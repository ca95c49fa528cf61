"""Every place that takes the address of a server, and the same corpus at each: refused, nothing kept, nobody asked.

What judges an address is tested in tests/providers/test_addresses.py and tests/accounts/test_sso_fetch.py.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import SsoConnection, User
from providers.models import Provider
from tests import egress
from tests.accounts.sso_issuer import Issuer, company, issuer
from tests.security.refused_addresses import EVERYWHERE, METADATA, NOWHERE

__all__ = ["company", "issuer"]
pytestmark = pytest.mark.django_db
FINE = "https://models.example/v1"
CLOSED = "http://127.0.0.1:9"  # allowed, and nobody answers there
KEY = "sk-of-a-provider-1234"
Post = Callable[[Client, Provider, str], Any]


def connect(client: Client, _provider: Provider, url: str) -> Any:
    fields = {"name": "Made", "base_url": url, "new_key": KEY, "proxy": "", "max_concurrency": 400}
    return client.post(reverse("providers:connect", args=["other"]), fields)


def through_a_proxy(client: Client, provider: Provider, url: str) -> Any:
    fields = {"name": "Made", "base_url": CLOSED, "new_key": KEY, "proxy": url, "max_concurrency": 400}
    return client.post(reverse("providers:connect", args=["other"]), fields)


def move(client: Client, provider: Provider, url: str) -> Any:
    fields = {"name": provider.name, "base_url": url, "new_key": KEY, "proxy": "", "max_concurrency": 400}
    return client.post(reverse("providers:address", args=[provider.uuid]), fields)


def administer(client: Client, provider: Provider, url: str) -> Any:
    fields = {
        "name": provider.name,
        "base_url": url,
        "proxy": "",
        "max_concurrency": 400,
        "dialect": "{}",
        "new_key": KEY,
    }
    return client.post(reverse("admin:providers_provider_change", args=[provider.pk]), fields)


def company_sign_in(kind: str) -> Post:
    def post(client: Client, _provider: Provider, url: str) -> Any:
        fields = {
            "name": "Made",
            "server_url": url,
            "client_id": "cli_x",
            "new_secret": "a secret of an issuer",
            "agent_id": "1",
        }
        return client.post(reverse("setup_company:new", args=[kind]), fields)

    return post


DOORS: dict[str, tuple[Post, tuple[str, ...]]] = {
    "a new provider": (connect, EVERYWHERE),
    "another address of a provider": (move, EVERYWHERE),
    "a provider in the administration": (administer, EVERYWHERE),
    # Nothing is fetched from a proxy's address, and it may have a user: what leads to the cloud's own is refused all the same.
    "a proxy": (through_a_proxy, (*METADATA, *NOWHERE)),
    "an issuer": (company_sign_in("oidc"), EVERYWHERE),
    "a server of Feishu": (company_sign_in("feishu"), EVERYWHERE),
    "a server of WeCom": (company_sign_in("wecom"), EVERYWHERE),
}


def rows() -> list[Any]:
    return [*Provider.objects.order_by("pk").values(), *SsoConnection.objects.order_by("pk").values()]


@pytest.mark.parametrize("door", DOORS)
def test_a_refused_address_is_kept_nowhere_and_asked_by_nobody(door: str, client: Client) -> None:
    client.force_login(User.objects.create_superuser("root@example.com"), backend="accounts.backend.PasswordBackend")
    provider = Provider.objects.create(name="There", base_url=FINE)
    post, corpus = DOORS[door]
    before = rows()
    let_in = [url for url in corpus if post(client, provider, url).status_code not in (200, 422) or rows() != before]
    assert let_in == []
    if "issuer" not in door and "server" not in door:  # those are asked at once: tests/accounts/test_sso_setup.py
        post(client, provider, CLOSED)
        assert rows() != before, "the door lets nobody in at all"
    assert egress.attempts == []


def naming(endpoint: str, url: str) -> Callable[[dict[str, Any]], dict[str, Any]]:
    return lambda said: said | {endpoint: url}


ENDPOINTS = ("authorization_endpoint", "token_endpoint", "jwks_uri")


@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_an_issuer_cannot_name_a_refused_address(
    endpoint: str, client: Client, company: SsoConnection, issuer: Issuer
) -> None:
    """Its document is somebody else's word: judged like what is typed in. Each try reads it anew."""
    client.force_login(User.objects.create_superuser("root@example.com"), backend="accounts.backend.PasswordBackend")
    refused = "The discovery document names an address that may not be asked."
    for url in EVERYWHERE:
        issuer.metadata = naming(endpoint, url)
        text = client.post(reverse("setup_company:try", args=[company.uuid])).content.decode()
        assert refused in text, url
    assert egress.attempts == []
