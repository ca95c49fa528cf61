"""An OpenID Connect issuer on loopback that behaves well until a test tells it how to misbehave. Speaks HTTP over real sockets.

It checks what a good issuer checks (client, redirect address, PKCE, codes used once) and keeps a journal of what it was asked.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
import threading
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from django.test import Client

from accounts import sso_metadata, sso_secrets
from accounts.models import SsoConnection, User

Claims = dict[str, Any]
KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
OTHER_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
KID = "first"
ADA = {"sub": "ada-1", "email": "ada@example.com", "email_verified": True, "name": "Ada Lovelace"}
CALLBACK = re.compile(r"http://testserver(/accounts/company/[^/]+/callback/)\?(.*)")


def public_jwk(key: rsa.RSAPrivateKey = KEY, *, kid: str = KID, **more: str) -> dict[str, Any]:
    """The key as an issuer publishes it."""
    found: dict[str, Any] = jwt.algorithms.RSAAlgorithm.to_jwk(key.public_key(), as_dict=True)
    return found | {"kid": kid, "use": "sig", "alg": "RS256"} | more


@dataclass
class Issuer:
    """`person` is who signs in at it next; the functions twist what it says."""

    client_id: str = "portal"
    secret: str = "a secret of twelve and more"
    person: Claims = field(default_factory=dict)
    userinfo: Claims | None = None
    metadata: Callable[[Claims], Claims] = lambda said: said
    claims: Callable[[Claims], Claims] = lambda said: said
    sign: Callable[[Claims], str] = lambda claims: sign(claims)
    keys: list[dict[str, Any]] = field(default_factory=lambda: [public_jwk()])
    token_answer: Callable[[Claims], Claims] = lambda answer: answer
    answers: dict[str, Callable[[Handler], None]] = field(default_factory=dict)
    """By path: an answer of the test's own."""
    journal: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    server: ThreadingHTTPServer | None = None
    number: int = 0

    def start(self) -> Issuer:
        handler = type("Bound", (Handler,), {"issuer": self})
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def stop(self) -> None:
        assert self.server is not None
        self.server.shutdown()
        self.server.server_close()

    @property
    def url(self) -> str:
        assert self.server is not None
        return f"http://127.0.0.1:{self.server.server_address[1]}"

    def asked(self, path: str) -> list[dict[str, str]]:
        """What was asked at a path, in order."""
        return [fields for asked, fields in self.journal if asked == path]

    # --- what it says ---
    def described(self) -> Claims:
        return self.metadata(
            {
                "issuer": self.url,
                "authorization_endpoint": f"{self.url}/authorize",
                "token_endpoint": f"{self.url}/token",
                "userinfo_endpoint": f"{self.url}/userinfo",
                "jwks_uri": f"{self.url}/keys",
                "response_types_supported": ["code"],
                "id_token_signing_alg_values_supported": ["RS256"],
                "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
            }
        )

    def authorized(self, asked: dict[str, str]) -> str:
        """Where the browser is sent once the person has signed in."""
        self.number += 1
        code = f"code-{self.number}"
        self.codes[code] = asked
        return f"{asked['redirect_uri']}?{urllib.parse.urlencode({'code': code, 'state': asked['state']})}"

    def exchanged(self, given: dict[str, str], *, client: tuple[str, str]) -> tuple[int, Claims]:
        if client != (self.client_id, self.secret):
            return 401, {"error": "invalid_client"}
        asked = self.codes.pop(given.get("code", ""), None)
        if asked is None or asked["redirect_uri"] != given.get("redirect_uri"):
            return 400, {"error": "invalid_grant"}
        challenge = base64.urlsafe_b64encode(hashlib.sha256(given.get("code_verifier", "").encode()).digest())
        if asked.get("code_challenge") != challenge.rstrip(b"=").decode():
            return 400, {"error": "invalid_grant"}
        now = int(time.time())
        claims = {"iss": self.url, "aud": self.client_id, "iat": now, "exp": now + 300, "nonce": asked.get("nonce")}
        token = self.sign(self.claims(claims | self.person))
        return 200, self.token_answer({"access_token": "access", "token_type": "Bearer", "id_token": token})


class Handler(BaseHTTPRequestHandler):
    """One connection to the issuer."""

    issuer: Issuer
    asked: dict[str, str]
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        parts = urllib.parse.urlsplit(self.path)
        asked = dict(urllib.parse.parse_qsl(parts.query))
        self.answer(parts.path, asked)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        self.answer(urllib.parse.urlsplit(self.path).path, dict(urllib.parse.parse_qsl(body.decode())))

    def answer(self, path: str, asked: dict[str, str]) -> None:
        issuer, self.asked = self.issuer, asked
        issuer.journal.append((path, asked))
        if path in issuer.answers:
            issuer.answers[path](self)
        elif path == "/.well-known/openid-configuration":
            self.say(200, issuer.described())
        elif path == "/keys":
            self.say(200, {"keys": issuer.keys})
        elif path == "/authorize":
            self.send_response(302)
            self.send_header("Location", issuer.authorized(asked))
            self.send_header("Content-Length", "0")
            self.end_headers()
        elif path == "/token":
            self.say(*issuer.exchanged(asked, client=self.client(asked)))
        elif path == "/userinfo" and issuer.userinfo is not None:
            self.say(200, issuer.userinfo)
        else:
            self.say(404, {"error": "not_found"})

    def client(self, asked: dict[str, str]) -> tuple[str, str]:
        """Which client asks, and how it proves itself."""
        scheme, _, proof = self.headers.get("authorization", "").partition(" ")
        if scheme == "Basic":
            name, _, secret = base64.b64decode(proof).decode().partition(":")
            return urllib.parse.unquote(name), urllib.parse.unquote(secret)
        return asked.get("client_id", ""), asked.get("client_secret", "")

    def say(self, status: int, said: Any, **headers: str) -> None:
        body = said if isinstance(said, bytes) else json.dumps(said).encode()
        self.send_response(status)
        for name, value in ({"Content_Type": "application/json", "Content_Length": str(len(body))} | headers).items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet."""


def sign(claims: Claims, *, key: Any = KEY, algorithm: str = "RS256", kid: str = KID, **headers: Any) -> str:
    """A token of these claims."""
    return jwt.encode(claims, key, algorithm=algorithm, headers={"kid": kid} | headers)


# --- a browser's way, without a browser ---
def begin(client: Client, slug: str = "company", **fields: str) -> str:
    """Presses the button; returns the issuer's address."""
    answer = client.post(f"/accounts/company/{slug}/", fields)
    assert answer.status_code == 200, (answer.status_code, answer.content[:500])
    found = re.search(r'http-equiv="refresh" content="0;url=([^"]+)"', answer.content.decode())
    assert found, answer.content.decode()
    return html.unescape(found[1])


def at_issuer(address: str) -> str:
    """Signs in there; returns the local address to which the browser is sent back."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), _Stay())
    with opener.open(address, timeout=10) as answer:
        place = answer.headers["Location"]
    found = CALLBACK.fullmatch(place)
    assert found, place
    return f"{found[1]}?{found[2]}"


def come_in(client: Client, slug: str = "company", **fields: str) -> Any:
    """The whole way; returns the portal's answer, not followed."""
    return client.get(at_issuer(begin(client, slug, **fields)))


class _Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *args: Any, **kwargs: Any) -> None:
        return None

    def http_error_302(self, req: Any, fp: Any, code: int, msg: str, headers: Any) -> Any:
        return fp


# --- fixtures ---
@pytest.fixture
def issuer() -> Iterator[Issuer]:
    sso_metadata.forget()
    started = Issuer(person=dict(ADA)).start()
    yield started
    started.stop()


@pytest.fixture
def company(issuer: Issuer, db: None) -> SsoConnection:
    """A connection that may make accounts for example.com."""
    return SsoConnection.objects.create(
        kind="oidc",
        slug="company",
        name="Example",
        server_url=issuer.url,
        client_id=issuer.client_id,
        secret=sso_secrets.encrypt(issuer.secret),
        email_domains="example.com",
        makes_people=True,
    )


def who(client: Client) -> str:
    """The address of whoever is signed in, "" if nobody is."""
    found = User.objects.filter(pk=client.session.get("_auth_user_id") or 0).first()
    return found.email if found else ""


def refused(answer: Any) -> str:
    """What a refusal says, in one line."""
    assert answer.status_code >= 400, (answer.status_code, answer.get("Location"))
    found = re.search(r'role="alert">.*?<b>(.*?)</b>', answer.content.decode(), re.S)
    assert found
    return html.unescape(found[1])
