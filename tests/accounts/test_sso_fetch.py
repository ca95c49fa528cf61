"""Asking an issuer: which addresses may be asked, that no redirect is followed, and that time and size have bounds."""

from __future__ import annotations

import datetime as dt
import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509.oid import NameOID

from accounts import sso_fetch
from accounts.sso_fetch import Fault, Unanswered
from tests.accounts.sso_issuer import KEY, Handler, Issuer

NEVER = [
    "http://169.254.169.254/latest/meta-data/",
    "https://169.254.169.254/",
    "https://[fe80::1]/",
    "https://[::ffff:169.254.169.254]/",
    "https://100.100.100.200/",
    "https://metadata.google.internal/",
    "https://0.0.0.0/",
    "https://0x7f.1/",
    "https://2130706433/",
    "https://user:word@sso.example.com/",
    "https://sso.example.com\\@evil.example/",
    "https://sso.example.com/#part",
    "https://sso.example.com /",
    "https://sso.example.com/\r\nHost: x",
    "https://sso.example.com/?a=b c",
    "https://sso.example.com:0/",
    "https:///realms/x",
    "file:///etc/passwd",
    "ftp://sso.example.com/",
    "gopher://127.0.0.1:6379/",
    "unix:/run/x",
    "sso.example.com",
    "",
]


@pytest.mark.parametrize("url", NEVER)
def test_addresses_that_are_never_asked(url: str) -> None:
    with pytest.raises(Unanswered) as refused:
        sso_fetch.fetch(url)
    assert refused.value.fault in (Fault.ADDRESS, Fault.INSECURE)


@pytest.mark.parametrize("url", ["http://sso.example.com/", "http://10.0.0.7:8080/realms/x", "http://keycloak:8080/"])
def test_only_this_machine_itself_is_asked_without_encryption(url: str) -> None:
    with pytest.raises(Unanswered) as refused:
        sso_fetch.check(url)
    assert refused.value.fault == Fault.INSECURE
    assert sso_fetch.check("http://127.0.0.1:8080/realms/x").port == 8080
    assert sso_fetch.check("https://sso/realms/x").hostname == "sso"


@pytest.mark.parametrize(
    "url", ["https://10.0.0.7/", "https://127.0.0.1/", "http://127.0.0.1:1/", "https://localhost/"]
)
def test_private_addresses_are_refused_when_the_setting_says_so(url: str, settings: Any) -> None:
    sso_fetch.check(url)
    settings.SSO_ALLOW_PRIVATE = False
    with pytest.raises(Unanswered) as refused:
        sso_fetch.check(url)
    assert refused.value.fault == Fault.ADDRESS


@pytest.mark.parametrize("leads_to", ["169.254.169.254", "::ffff:a9fe:a9fe", "fd00:ec2::254"])
def test_a_name_that_leads_to_a_refused_address_is_not_connected_to(
    leads_to: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = [("93.184.216.34", 443), (leads_to, 443)]
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", answer) for answer in answers]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_args, **_kwargs: found)
    with pytest.raises(Unanswered) as refused:
        sso_fetch.fetch("https://sso.example.com/")
    assert refused.value.fault == Fault.ADDRESS


def test_the_connection_goes_to_the_address_that_was_judged(issuer: Issuer, monkeypatch: pytest.MonkeyPatch) -> None:
    port = int(issuer.url.rpartition(":")[2])
    asked: list[str] = []

    def once(host: str, *_args: Any, **_kwargs: Any) -> list[Any]:
        asked.append(host)
        address = "127.0.0.1" if len(asked) == 1 else "169.254.169.254"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]

    monkeypatch.setattr(socket, "getaddrinfo", once)
    assert sso_fetch.fetch(f"http://sso.localhost:{port}/keys").status == 200
    assert asked == ["sso.localhost"]


def test_an_unknown_name_and_a_closed_port_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_args: Any, **_kwargs: Any) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        with pytest.raises(Unanswered) as refused:
            sso_fetch.fetch(f"http://127.0.0.1:{closed.getsockname()[1]}/")
    assert refused.value.fault == Fault.CONNECT
    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(Unanswered) as refused:
        sso_fetch.fetch("https://sso.example.com/")
    assert (refused.value.fault, refused.value.detail) == (Fault.DNS, "Name or service not known")


def test_a_lookup_that_does_not_end_is_left_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    released = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_args, **_kwargs: released.wait(20) and [])
    began = time.monotonic()
    with sso_fetch.within(0.3), pytest.raises(Unanswered) as refused:
        sso_fetch.fetch("https://sso.example.com/")
    released.set()
    assert refused.value.fault in (Fault.DNS, Fault.SLOW)
    assert time.monotonic() - began < 5


def test_a_redirect_is_an_answer_and_not_followed(issuer: Issuer) -> None:
    issuer.answers["/keys"] = lambda handler: handler.say(302, {}, Location=f"{issuer.url}/token")
    answer = sso_fetch.fetch(f"{issuer.url}/keys")
    assert (answer.status, answer.headers["location"]) == (302, f"{issuer.url}/token")
    assert issuer.asked("/token") == []


def test_everything_asked_on_one_page_has_one_limit_together(issuer: Issuer) -> None:
    def late(handler: Handler) -> None:
        time.sleep(0.4)
        handler.say(200, {})

    issuer.answers["/keys"] = late
    began = time.monotonic()
    with sso_fetch.within(1.0), pytest.raises(Unanswered) as refused:
        for _ in range(10):
            sso_fetch.fetch(f"{issuer.url}/keys")
    assert refused.value.fault == Fault.SLOW
    assert time.monotonic() - began < 6


def test_a_slow_issuer_takes_four_places_and_the_next_is_turned_away(
    issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sso_fetch, "QUEUE_S", 0.2)
    released = threading.Event()

    def held(handler: Handler) -> None:
        released.wait(15)
        handler.say(200, {})

    issuer.answers["/keys"] = held
    waiting = [threading.Thread(target=sso_fetch.fetch, args=(f"{issuer.url}/keys",)) for _ in range(sso_fetch.AT_ONCE)]
    for thread in waiting:
        thread.start()
    end = time.monotonic() + 10
    while len(issuer.asked("/keys")) < sso_fetch.AT_ONCE and time.monotonic() < end:
        time.sleep(0.02)
    with pytest.raises(Unanswered) as refused:
        sso_fetch.fetch(f"{issuer.url}/token", form={})
    released.set()
    for thread in waiting:
        thread.join(15)
    assert refused.value.fault == Fault.BUSY
    assert sso_fetch.fetch(f"{issuer.url}/.well-known/openid-configuration").status == 200


def test_what_is_posted_arrives_as_form_or_json_and_the_secret_stays_out_of_the_address(issuer: Issuer) -> None:
    seen: list[tuple[str, str | None, bytes]] = []

    def look(handler: Handler) -> None:
        seen.append((handler.command, handler.headers["content-type"], b""))
        handler.say(200, {})

    issuer.answers["/x"] = look
    sso_fetch.fetch(f"{issuer.url}/x", form={"a": "b & c"})
    sso_fetch.fetch(f"{issuer.url}/x", payload={"a": "ü"})
    sso_fetch.fetch(f"{issuer.url}/x?q=%20")
    assert [(method, kind) for method, kind, _ in seen] == [
        ("POST", "application/x-www-form-urlencoded"), ("POST", "application/json; charset=utf-8"), ("GET", None)
    ]  # fmt: skip
    assert issuer.asked("/x")[0] == {"a": "b & c"}


# --- encrypted ---
@pytest.fixture
def encrypted(tmp_path: Path) -> Iterator[tuple[Issuer, Path]]:
    """An issuer whose certificate is its own; and that certificate as a file."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(KEY.public_key())
        .serial_number(7)
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(KEY, hashes.SHA256())
    )
    file, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    key.write_bytes(
        KEY.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    issuer = Issuer().start()
    assert issuer.server is not None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file, key)
    issuer.server.socket = context.wrap_socket(issuer.server.socket, server_side=True)
    yield issuer, file
    issuer.stop()


def test_a_certificate_nobody_vouches_for_is_refused_and_that_of_ca_bundle_is_not(
    encrypted: tuple[Issuer, Path], settings: Any
) -> None:
    issuer, file = encrypted
    url = issuer.url.replace("http:", "https:") + "/keys"
    with pytest.raises(Unanswered) as refused:
        sso_fetch.fetch(url)
    assert (refused.value.fault, refused.value.detail) == (Fault.TLS, "self-signed certificate")
    settings.CA_BUNDLE = str(file)
    assert sso_fetch.fetch(url).status == 200
    with pytest.raises(Unanswered) as refused:  # the right certificate under another name
        sso_fetch.fetch(url.replace("127.0.0.1", "localhost"))
    assert refused.value.fault == Fault.TLS


def test_an_encrypted_answer_that_drips_has_the_same_end(encrypted: tuple[Issuer, Path], settings: Any) -> None:
    issuer, file = encrypted
    settings.CA_BUNDLE = str(file)

    def drip(handler: Handler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "100000")
        handler.end_headers()
        try:
            for _ in range(200):
                handler.wfile.write(b"{")
                handler.wfile.flush()
                time.sleep(0.05)
        except OSError:
            pass

    issuer.answers["/keys"] = drip
    began = time.monotonic()
    with sso_fetch.within(1.0), pytest.raises(Unanswered) as refused:
        sso_fetch.fetch(issuer.url.replace("http:", "https:") + "/keys")
    assert refused.value.fault == Fault.SLOW
    assert time.monotonic() - began < 6
