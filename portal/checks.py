"""Stops the start when a setting is wrong, says which, and what to write instead. Each fault has an id (portal.E…).

Looks at settings only: no network, no query. A password or key never stands in a message.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, urlsplit

from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning, register

from api import origins
from portal import jwt_keys

IDS = {"number": "E001", "yes_no": "E002", "choice": "E003", "zone": "E004", "database": "E005", "mail": "E006"}
BROKERS = ("embedded", "redis", "rediss", "sentinel", "amqp", "amqps", "memory")
EXAMPLES = ("insecure", "change", "secret", "example", "password", "django")
# name, lowest, highest: outside of these the product stops working rather than working differently
RANGES = (
    ("PORT", 1, 65_535),
    ("WEB_THREADS", 1, 64),
    ("WEB_PATIENCE_S", 1, 600),
    ("AXES_FAILURE_LIMIT", 1, 1000),
    ("ENGINE_PLACES", 1, 10_000),
    ("PERSON_CONCURRENCY", 1, 1000),
    ("LEASE_S", 0.1, 600),
    ("RENEW_S", 0.01, 300),
    ("LEASE_GRACE_S", 0, 60),
    ("LOOK_S", 0.01, 60),
    ("REAP_S", 0.01, 300),
    ("CONNECT_S", 0.01, 60),
    ("FIRST_BYTE_S", 0.01, 3600),
    ("GAP_S", 0.01, 3600),
    ("DEADLINE_S", 0.1, 86_400),
    ("RETRY_SCALE", 0, 100),
    ("CIRCUIT_PAUSE_S", 0.1, 3600),
    ("DRAIN_S", 0, 600),
    ("FLUSH_S", 0.001, 5),
    ("FLUSH_MAX_S", 0.001, 10),
    ("WORKER_SILENT_S", 0.1, 3600),
    ("POLL_HOLD_S", 0, 55),
    ("TICKET_S", 5, 86_400),
    ("RENDER_EVERY_S", 0.01, 10),
    ("MAX_QUESTION_CHARS", 1, 1_000_000),
    ("JWT_ACCESS_MINUTES", 5, 15),
    ("JWT_IDLE_DAYS", 1, 90),
    ("JWT_SESSION_DAYS", 1, 365),
    ("API_PER_MINUTE", 1, 1_000_000),
    ("GATEWAY_BODY_MB", 1, 200),
    ("API_KEY_PER_MINUTE", 1, 1_000_000),
    ("API_DOOR_PER_MINUTE", 1, 1_000_000),
    ("SECURE_HSTS_SECONDS", 0, 63_072_000),
)
# the environment's name where it differs from the setting's
NAMES = {"AXES_FAILURE_LIMIT": "SIGN_IN_TRIES", "SECURE_HSTS_SECONDS": "HSTS_SECONDS"}


@register()
def environment(**kwargs: Any) -> list[CheckMessage]:
    """Values that could not be read at all."""
    return [
        Error(f"{fault.name}={fault.value!r} is not understood.", hint=fault.hint, id=f"portal.{IDS[fault.kind]}")
        for fault in settings.ENVIRONMENT_FAULTS
    ]


@register()
def secret(**kwargs: Any) -> list[CheckMessage]:
    """A weak key is refused as soon as the site has a public address."""
    if not settings.PUBLIC_URL:
        return []
    key: str = settings.SECRET_KEY
    if len(key) >= 32 and len(set(key)) >= 5 and not _is_example(key):
        return []
    hint = (
        "Remove SECRET_KEY: a good one is made and kept in DATA_DIR. Or: "
        "python -c 'import secrets; print(secrets.token_urlsafe(50))'"
    )
    return [Error("SECRET_KEY is weak or an example; sessions could be forged.", hint=hint, id="portal.E007")]


@register()
def signing_keys(**kwargs: Any) -> Iterator[CheckMessage]:
    """Tokens are signed with keys of their own: long, random, each with a name, none of them the SECRET_KEY."""
    hint = (
        "Remove JWT_KEYS: a good key is made and kept in DATA_DIR. Or kid:secret,… with 32 or more random characters."
    )
    keys: dict[str, str] = settings.JWT_KEYS
    if not keys or not all(jwt_keys.KID.fullmatch(kid) for kid in keys):
        yield Error("JWT_KEYS is not kid:secret,… with each kid once.", hint=hint, id="portal.E015")
    others = {settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS}
    for secret in keys.values():
        if secret in others:
            yield Error("A key of JWT_KEYS is also the SECRET_KEY.", hint=hint, id="portal.E016")
        elif len(secret.encode()) < jwt_keys.SECRET_BYTES or len(set(secret)) < 5 or _is_example(secret):
            yield Error("A key of JWT_KEYS is weak or an example: tokens could be forged.", hint=hint, id="portal.E017")


# What closes the API: a view that says nothing of its own is behind all of these.
CLOSED = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["api.credentials.Credentials"],
    "DEFAULT_PERMISSION_CLASSES": ["api.permissions.Scoped"],
    "DEFAULT_THROTTLE_CLASSES": ["api.throttling.Paced"],
    "DEFAULT_PARSER_CLASSES": ["api.formats.StrictJson"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_METADATA_CLASS": None,
    "EXCEPTION_HANDLER": "api.errors.handle",
}


@register()
def closed_api(**kwargs: Any) -> Iterator[CheckMessage]:
    """The library's defaults are open (everybody, forms, a browsable page): ours must stand."""
    for name, value in CLOSED.items():
        if settings.REST_FRAMEWORK.get(name, "") != value:
            hint = f"It is {value!r} in portal/settings.py: a view opens itself, never all of them."
            yield Error(f"REST_FRAMEWORK[{name!r}] is open.", hint=hint, id="portal.E018")


@register()
def api_origins(**kwargs: Any) -> Iterator[CheckMessage]:
    """Other sites are named one by one, as browsers name them."""
    for origin in settings.API_ORIGINS:
        if not origins.ORIGIN.fullmatch(origin):
            hint = "Scheme and host in lower case, without a path or a star: https://tools.example.com"
            yield Error(f"API_ORIGINS: {origin!r} is no origin.", hint=hint, id="portal.E019")


@register()
def public_url(**kwargs: Any) -> Iterator[CheckMessage]:
    """PUBLIC_URL is scheme and host, nothing else."""
    url: str = settings.PUBLIC_URL
    if not url:
        return
    parts = _split(url)
    if parts is None or parts.scheme not in ("http", "https") or parts.path or parts.query or parts.fragment:
        yield Error(f"PUBLIC_URL={url!r} is no address.", hint=_ADDRESS_HINT, id="portal.E008")
    elif parts.username is not None or "," in url:
        yield Error("PUBLIC_URL is one address, without user and password.", hint=_ADDRESS_HINT, id="portal.E008")
    elif parts.scheme == "http" and not _is_private(parts.hostname or ""):
        hint = "Put a proxy with a certificate in front, then PUBLIC_URL=https://…"
        yield Warning("PUBLIC_URL is http: passwords travel in the open.", hint=hint, id="portal.W001")


@register()
def ranges(**kwargs: Any) -> Iterator[CheckMessage]:
    """Numbers that are numbers, but cannot work."""
    for setting, low, high in RANGES:
        value = getattr(settings, setting)
        if not low <= value <= high:
            name = NAMES.get(setting, setting)
            yield Error(f"{name}={value:g} is out of range.", hint=f"From {low:g} to {high:g}.", id="portal.E009")
    if settings.LEASE_S <= 2 * settings.RENEW_S:
        hint = f"LEASE_S={settings.LEASE_S:g} needs RENEW_S below {settings.LEASE_S / 2:g}: one renewal may be lost."
        yield Error("LEASE_S must be more than twice RENEW_S.", hint=hint, id="portal.E010")
    if settings.FLUSH_S > settings.FLUSH_MAX_S:
        yield Error("FLUSH_S is above FLUSH_MAX_S.", hint="FLUSH_S is the quiet pace.", id="portal.E010")


@register()
def broker(**kwargs: Any) -> Iterator[CheckMessage]:
    """The bell: a known transport; a network broker usually means several machines, which SQLite cannot serve."""
    scheme = settings.CELERY_BROKER_URL.partition(":")[0]
    if scheme not in BROKERS:
        hint = "embedded:// (the default), redis://host:6379/0 or amqp://user:password@host:5672//"
        yield Error(f"CELERY_BROKER_URL={scheme}:… is not supported.", hint=hint, id="portal.E011")
    elif scheme not in ("embedded", "memory") and settings.DATABASES["default"]["ENGINE"].endswith("sqlite3"):
        hint = "Several machines need PostgreSQL in DATABASE_URL; one machine needs no CELERY_BROKER_URL."
        yield Warning("A network broker with SQLite: all parts must run on one machine.", hint=hint, id="portal.W002")


@register()
def provider(**kwargs: Any) -> Iterator[CheckMessage]:
    """The model service's address, its proxy and its certificates."""
    if settings.OPENAI_BASE_URL:
        parts = _split(settings.OPENAI_BASE_URL)
        if parts is None or parts.scheme not in ("http", "https"):
            hint = "With scheme and path, for example https://api.example.com/v1"
            yield Error(f"OPENAI_BASE_URL={settings.OPENAI_BASE_URL!r} is no address.", hint=hint, id="portal.E012")
    if settings.OPENAI_PROXY:
        parts = _split(settings.OPENAI_PROXY)
        if parts is None or parts.scheme not in ("http", "https", "socks5", "socks5h"):
            hint = "http://host:3128 or socks5://host:1080"
            yield Error("OPENAI_PROXY is no proxy address.", hint=hint, id="portal.E013")
    if settings.CA_BUNDLE and not Path(settings.CA_BUNDLE).is_file():
        hint = "The path of a PEM file that this user can read."
        yield Error(f"CA_BUNDLE={settings.CA_BUNDLE!r} is not a file.", hint=hint, id="portal.E014")


def faults() -> list[str]:
    """Every error of this room as a line of text, for programs that start without manage.py (web, worker)."""
    checks = (environment, secret, signing_keys, closed_api, public_url, ranges, broker, provider)
    own = (message for check in checks for message in check())
    return [f"{found.msg} {found.hint or ''} ({found.id})" for found in own if found.is_serious()]


_ADDRESS_HINT = "Scheme and host, without a path: https://chat.example.com"


def _is_example(key: str) -> bool:
    """Whether a key reads like one from a documentation; a random one holds these words only by a rare accident."""
    return any(word in key.lower() for word in EXAMPLES)


def _split(url: str) -> SplitResult | None:
    """The parts of an address with a host and a possible port, else None."""
    try:
        parts = urlsplit(url)
        usable = bool(parts.hostname) and (parts.port is None or 0 < parts.port < 65_536)
    except ValueError:
        return None
    return parts if usable and not any(c.isspace() for c in url) else None


def _is_private(host: str) -> bool:
    """Whether a host is this machine or on the own network, by its name or address."""
    if host == "localhost" or host.endswith((".localhost", ".local", ".lan", ".internal", ".test")) or "." not in host:
        return True
    try:
        return ipaddress.ip_address(host).is_private
    except ValueError:
        return False
