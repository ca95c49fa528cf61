"""A real OpenID provider in a process of its own: django-allauth's (allauth.idp.oidc), with its pages, people and one client.

`python -m tests.browser.issuer PORT FOLDER CALLBACK` serves until it is ended. It knows nothing about the portal but the
redirect address. Tests start it and speak to it as to any issuer.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, make_server

import django
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from django.conf import settings

PASSWORD = "wool and water at dawn"
CLIENT, SECRET = "portal", "the issuer knows this secret too"
PEOPLE = {"grace": ("Grace Hopper", "grace@example.com", True), "mallory": ("Mallory", "mallory@example.com", False)}
"""By user name: the name, the address, and whether the issuer has verified it."""


def configure(folder: Path) -> None:
    """A Django site that is nothing but an issuer."""
    key = folder / "issuer.pem"
    if not key.exists():
        private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        key.write_bytes(
            private.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
    os.environ["OAUTHLIB_INSECURE_TRANSPORT"] = "1"  # it runs on loopback
    settings.configure(
        SECRET_KEY="for this issuer only, and only while a test runs",
        ALLOWED_HOSTS=["127.0.0.1"],
        ROOT_URLCONF="tests.browser.issuer_urls",
        USE_TZ=True,
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": str(folder / "issuer.sqlite3")}},
        INSTALLED_APPS=[
            "django.contrib.auth",
            "django.contrib.contenttypes",
            "django.contrib.sessions",
            "django.contrib.messages",
            "allauth",
            "allauth.account",
            "allauth.idp.oidc",
        ],
        MIDDLEWARE=[
            "django.contrib.sessions.middleware.SessionMiddleware",
            "django.middleware.csrf.CsrfViewMiddleware",
            "django.contrib.auth.middleware.AuthenticationMiddleware",
            "django.contrib.messages.middleware.MessageMiddleware",
            "allauth.account.middleware.AccountMiddleware",
        ],
        TEMPLATES=[
            {
                "BACKEND": "django.template.backends.django.DjangoTemplates",
                "APP_DIRS": True,
                "OPTIONS": {
                    "context_processors": [
                        "django.template.context_processors.request",
                        "django.contrib.auth.context_processors.auth",
                        "django.contrib.messages.context_processors.messages",
                    ]
                },
            }
        ],
        AUTHENTICATION_BACKENDS=["allauth.account.auth_backends.AuthenticationBackend"],
        PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"],
        SESSION_COOKIE_NAME="issuer-session",  # cookies know no ports: the portal is on the same host
        CSRF_COOKIE_NAME="issuer-csrf",
        LOGIN_REDIRECT_URL="/",
        ACCOUNT_RATE_LIMITS=False,
        ACCOUNT_EMAIL_VERIFICATION="none",
        IDP_OIDC_PRIVATE_KEY=key.read_text(),
        IDP_OIDC_ADAPTER="tests.browser.issuer_claims.Claims",
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    )
    django.setup()


def fill(callback: str) -> None:
    """The people and the client, once. Imports wait for `configure`."""
    from allauth.account.models import EmailAddress
    from allauth.idp.oidc.models import Client
    from django.contrib.auth.hashers import make_password
    from django.contrib.auth.models import User
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    for name, (full, email, verified) in PEOPLE.items():
        first, _, last = full.partition(" ")
        person = User.objects.create_user(name, email, PASSWORD, first_name=first, last_name=last)
        EmailAddress.objects.create(user=person, email=email, verified=verified, primary=True)
    client = Client(id=CLIENT, name="The portal", secret=make_password(SECRET), scopes="openid\nprofile\nemail")
    client.set_redirect_uris([callback])
    client.save()


class Quiet(WSGIRequestHandler):
    """Writes no line for each request."""

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing."""


def main(words: Iterable[str]) -> None:
    """Serves until it is ended."""
    port, folder, callback = words
    configure(Path(folder))
    fill(callback)
    from django.core.wsgi import get_wsgi_application

    make_server("127.0.0.1", int(port), get_wsgi_application(), handler_class=Quiet).serve_forever()


if __name__ == "__main__":
    main(sys.argv[1:])
