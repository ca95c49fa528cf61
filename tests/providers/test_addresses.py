"""Addresses that no provider may have."""

from __future__ import annotations

import pytest

from providers.addresses import RefusedAddress, check_proxy, check_url, refused

NEVER = [
    "http://169.254.169.254",
    "http://169.254.169.254/latest/meta-data",
    "http://[::ffff:169.254.169.254]/",
    "http://[64:ff9b::a9fe:a9fe]/",
    "http://[fe80::1]/",
    "http://[fd00:ec2::254]/",
    "http://100.100.100.200/",
    "http://0.0.0.0/",
    "http://metadata.google.internal./",
    "http://user@example.com/",
    "http://user:secret@example.com/",
    "http://example.com\\@169.254.169.254/",
    "http://example.com/?a=b",
    "file:///etc/passwd",
    "unix:/run/x.sock",
    "gopher://example.com/",
    "//example.com/",
    "http://",
    "http://example.com:99999/",
    "not an address",
    # Spellings that a resolver or the client's own reading turns into an address.
    "http://169。254。169。254/",
    "http://169．254．169．254/",
    "http://１６９.254.169.254/",
    "http://2852039166/",
    "http://0251.0376.0251.0376/",
    "http://0xa9.254.169.254/",
    "http://0xa9fea9fe/",
    "http://127.1/",
    "http://。/",
]
PRIVATE = [
    "http://127.0.0.1:8000/v1",
    "http://localhost./v1",
    "http://[::ffff:7f00:1]/v1",
    "http://10.0.0.5/v1",
    "http://192.168.1.7:11434/v1",
    "http://[fd12::1]/v1",
    "http://127。0。0。1:8000/v1",
    "http://１０.0.0.5/v1",
]


@pytest.mark.parametrize("url", NEVER)
@pytest.mark.parametrize("allow_private", [True, False])
def test_metadata_and_tricks_are_never_allowed(url: str, allow_private: bool) -> None:
    with pytest.raises(RefusedAddress):
        check_url(url, allow_private=allow_private)


@pytest.mark.parametrize("url", PRIVATE)
def test_private_addresses_follow_the_setting(url: str) -> None:
    check_url(url, allow_private=True)
    with pytest.raises(RefusedAddress):
        check_url(url, allow_private=False)


@pytest.mark.parametrize("url", ["https://api.openai.com/v1", "https://8.8.8.8/v1", "http://models.example:8080/v1"])
def test_public_addresses_are_allowed(url: str) -> None:
    check_url(url, allow_private=False)


def test_what_a_name_leads_to_is_judged_too() -> None:
    assert refused("169.254.169.254", allow_private=True)
    assert not refused("127.0.0.1", allow_private=True)
    assert refused("127.0.0.1", allow_private=False)


@pytest.mark.parametrize(
    "proxy",
    [
        "http://169.254.169.254",
        "socks5://169。254。169。254:1080",
        "http://[",
        "http://",
        "http://a:99999",
        "http://a b",
        "ftp://x",
    ],
)
def test_a_proxy_is_judged_like_a_provider(proxy: str) -> None:
    with pytest.raises(RefusedAddress):
        check_proxy(proxy)


@pytest.mark.parametrize(
    "proxy", ["http://user:pass@10.0.0.1:3128", "socks5h://127.0.0.1:1080", "https://proxy.example"]
)
def test_a_proxy_on_the_own_network_is_allowed(proxy: str) -> None:
    check_proxy(proxy)
