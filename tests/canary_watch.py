"""Tells tests.canaries of every secret that is made in this process, and of everything that leaves it. Judges nothing.

Needs Django to be set up, so tests.conftest imports it only where it is.
"""

from __future__ import annotations

import contextlib
import logging
import secrets
from collections.abc import Callable, Iterator
from functools import wraps
from types import SimpleNamespace
from typing import Any

from allauth.mfa.totp.internal import auth as totp
from django.conf import settings
from django.contrib.auth.tokens import PasswordResetTokenGenerator
from django.contrib.sessions.backends.base import SessionBase
from django.core.mail import EmailMessage
from django.test import Client
from kombu.messaging import Producer

from accounts import (
    api_keys,
    hashers,
    invitations,
    one_time_links,
    registration,
    setup_forms,
    sso_secrets,
    token_format,
)
from providers import keys
from tests.canaries import let_out, made


def begin() -> None:
    """A test begins: what the whole installation has is looked for in each."""
    for kind, secret in installation():
        made(kind, secret)


def installation() -> Iterator[tuple[str, str]]:
    yield "SECRET_KEY", settings.SECRET_KEY
    yield from (("signing key", secret) for secret in settings.JWT_KEYS.values())
    for database in settings.DATABASES.values():
        yield "database password", str(database.get("PASSWORD") or "")
    yield "provider key", settings.OPENAI_API_KEY


def install() -> None:
    """Once and for good."""
    watch_makers()
    watch_answers()
    watch_the_log()
    watch_letters_and_messages()


def watch_makers() -> None:
    after(api_keys, "_insert", lambda result, *_: made("api key", result[1]))
    after(token_format.Backend, "encode", lambda result, backend, *_: made(_token_kind(backend), result))
    after(SessionBase, "_get_new_session_key", lambda result, *_: made("session id", result))
    after(PasswordResetTokenGenerator, "make_token", lambda result, *_: made("reset link", result))
    after(totp, "generate_totp_secret", lambda result, *_: made("authenticator secret", result))
    after(keys, "encrypt", lambda _result, key: made("provider key", key))
    after(sso_secrets, "encrypt", lambda _result, secret: made("company secret", secret))
    after(hashers.Argon2, "encode", lambda _result, _hasher, password, *_: made("password", password))
    drawn = ((one_time_links, "one-time link"), (invitations, "invitation link"), (registration, "registration link"))
    for module, kind in (*drawn, (setup_forms, "one-time password")):
        vars(module)["secrets"] = SimpleNamespace(**{**vars(secrets), "token_urlsafe": _drawing(kind)})


def _token_kind(backend: Any) -> str:
    return "refresh token" if backend.typ == "rt+jwt" else "access token"


def _drawing(kind: str) -> Callable[[int], str]:
    def token_urlsafe(size: int) -> str:
        drawn = secrets.token_urlsafe(size)
        made(kind, drawn)
        return drawn

    return token_urlsafe


def after(owner: Any, name: str, told: Callable[..., None]) -> None:
    """`told(result, *arguments)` whenever it was called and came to an end."""
    work = getattr(owner, name)

    @wraps(work)
    def watched(*args: Any, **words: Any) -> Any:
        result = work(*args, **words)
        told(result, *args, *words.values())
        return result

    setattr(owner, name, watched)


def watch_answers() -> None:
    def told(response: Any, _client: Any, *_rest: Any) -> None:
        asked = response.request
        query = f"?{asked['QUERY_STRING']}" if asked.get("QUERY_STRING") else ""
        body = "" if response.streaming else response.content.decode("utf-8", "replace")
        head = "\n".join(f"{name}: {value}" for name, value in response.headers.items())
        cookies = "\n".join(f"{name}={each.value}" for name, each in response.cookies.items() if name != "sessionid")
        let_out(f"{asked['REQUEST_METHOD']} {asked['PATH_INFO']}{query}", f"{head}\n{cookies}\n{body}")

    after(Client, "request", told)


def watch_the_log() -> None:
    """Every record as it leaves its logger, whatever handlers there are."""

    def told(_result: None, _logger: logging.Logger, record: logging.LogRecord) -> None:
        with contextlib.suppress(Exception):  # a record that cannot be formatted is its handler's trouble
            let_out(f"log {record.name}", record.getMessage() + _told_of(record.exc_info))

    after(logging.Logger, "callHandlers", told)


def _told_of(exc_info: Any) -> str:
    return "\n" + logging.Formatter().formatException(exc_info) if isinstance(exc_info, tuple) and exc_info[1] else ""


def watch_letters_and_messages() -> None:
    def letter(_result: Any, message: Any, *_rest: Any) -> None:
        parts = [
            message.body,
            *(str(getattr(each, "content", each[0])) for each in getattr(message, "alternatives", [])),
        ]
        let_out("letter", "\n".join(parts))
        let_out("subject of a letter", f"{message.subject}\n{message.to}\n{message.extra_headers}")

    def message(_result: Any, _producer: Any, body: Any, *_rest: Any) -> None:
        let_out("message to the queue", f"{_readable(body)}\n{_rest!r}")

    after(EmailMessage, "send", letter)
    after(Producer, "publish", message)


def _readable(body: Any) -> str:
    return body.decode("utf-8", "replace") if isinstance(body, bytes) else repr(body)
