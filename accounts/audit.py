"""The only writer of the audit trail: one deed, one event, one chain. Reads nothing back, shows nothing, judges nobody.

Call `record` inside the deed's transaction and as its last step: from there to the commit no other event can be written.
Secrets and message text are refused here, not filtered: a field that sounds like one is a mistake of the caller.
"""

from __future__ import annotations

import getpass
import ipaddress
import json
import re
import secrets
import unicodedata
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from django.db import connection, transaction
from django.db.models import Model, Q, QuerySet
from django.http import HttpRequest

from accounts import audit_chain, clock
from accounts.audit_actions import ACTIONS
from accounts.models import ApiKey, AuditEvent, User

LOCK = 0x61_75_64_69_74
NAME, VALUE, MOST_VALUES = 254, 500, 50
FORBIDDEN = frozenset(
    {
        "password",
        "passwords",
        "passphrase",
        "secret",
        "secrets",
        "token",
        "digest",
        "hash",
        "salt",
        "otp",
        "codes",
        "cookie",
        "authorization",
        "text",
        "content",
        "body",
        "message",
        "messages",
        "question",
        "answer",
        "prompt",
        "title",
        "html",
        "reasoning",
        "apikey",
        "credential",
        "credentials",
    }
)
"""Parts of a field's name that never stand in an event."""
ABOUT_KEYS = frozenset({"name", "prefix", "hint", "id"})
"""What may be told about a key; the word alone is the key itself."""
PRIVATE = frozenset({"name", "email", "address", "addresses", "allowed_ips", "ground"})
"""Fields that say who somebody is, where the target is a person's: erased with the person."""
PEOPLE = frozenset({"owner", "heir", "member", "members", "manager", "managers", "person", "people", "invited_by"})
"""Fields that name people, whatever the target."""
KINDS = {
    "user": "person",
    "apikey": "key",
    "loginsession": "session",
    "languagemodel": "model",
    "mail": "letter",
    "ssoconnection": "company_sign_in",
    "onetimelink": "link",
}
"""Our word for a model, where it differs from its class."""

_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-_])")
_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_USERINFO = re.compile(r"(?<=://)[^/@\s]+@")
_QUERY_SECRET = re.compile(r"(?i)(?<=[?&])([\w-]*(?:key|token|secret|password|sig)[\w-]*=)[^&#\s]+")
_EMAIL = re.compile(r"[^@\s…]@[^@\s]")

Changes = Mapping[str, Sequence[Any]]


def record(
    action: str,
    *,
    actor: User | ApiKey | None = None,
    request: HttpRequest | None = None,
    target: Model | None = None,
    changes: Changes | None = None,
    actor_kind: str = "",
    concerns: User | None = None,
) -> AuditEvent:
    """Appends one event: `actor` (else whoever is signed in at `request`) did `action` to `target`.

    `changes` is `{"field": [before, after]}`. `concerns` is the person whose account or content it is; it follows from the
    target where that is a person or belongs to one. Of several rows for one deed take the person as the target (a membership
    is a change of the person: `{"team": [None, "Sales"]}`). Raises ValueError for an action that accounts.audit_actions does
    not know and for a field that could hold a secret or message text.
    """
    if action not in ACTIONS:
        raise ValueError(f"accounts/audit_actions.py knows no action {action!r}")
    event = AuditEvent(action=action, uuid=uuid.uuid4(), changes={}, private={})
    _fill_actor(event, actor=actor, request=request, kind=actor_kind)
    _fill_target(event, target=target, concerns=concerns)
    for field, pair in (changes or {}).items():
        before, after = pair
        _keep(event, field=field, pair=[plain(before), plain(after)])
    event.salt = secrets.token_hex(16)
    event.personal = audit_chain.actor_digest(event)
    if event.private or event.concerns or _EMAIL.search(event.target_name):
        event.target_salt = secrets.token_hex(16)
        event.target_personal = audit_chain.target_digest(event)
    with transaction.atomic():
        _append(event)
    return event


def hold() -> None:
    """Takes the chain for this transaction: until its end no other event is written. Within `transaction.atomic()` only."""
    # SQLite's transactions begin with the one writer's place (transaction_mode IMMEDIATE).
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])


def named(person: User) -> QuerySet[AuditEvent]:
    """The events in which it can still be read who the person is, wherever she acted, was concerned or is named."""
    return AuditEvent.objects.filter(_acted(person) | _about(person))


def forget(person: User, *, actor: User | None = None, request: HttpRequest | None = None, actor_kind: str = "") -> int:
    """Blanks who the person was, wherever she acted, was concerned or is named; says how many events. The chain still proves.

    Call it before the row itself goes. It reads every event once: erasing somebody is rare.
    """
    with transaction.atomic():
        hold()
        count = AuditEvent.objects.filter(_acted(person)).update(actor_name="", address="", device="", salt="")
        count += AuditEvent.objects.filter(_about(person)).update(target_name="", private={}, target_salt="")
        changes: Changes = {"events": [None, count], "account": [None, person.uuid]}
        record("audit.forgot", actor=actor, request=request, changes=changes, actor_kind=actor_kind)
    return count


def _acted(person: User) -> Q:
    return Q(actor=person.uuid) & ~Q(salt="")


def _about(person: User) -> Q:
    found = Q(concerns=person.uuid) | Q(private__icontains=person.email) | Q(target_name__icontains=person.email)
    if person.name:
        found |= Q(private__icontains=person.name) | Q(private__icontains=json.dumps(person.name)[1:-1])
    return found & ~Q(target_salt="")


def clean(text: str, *, most: int = NAME) -> str:
    """One line without control characters, escape sequences or invisible marks, cut at `most` characters."""
    text = _ESCAPES.sub(" ", text[: most * 4])
    seen = "".join(" " if unicodedata.category(char) in _UNSEEN else char for char in text)
    short = " ".join(seen.split())
    return short if len(short) <= most else short[: most - 1] + "…"


def plain(value: Any) -> Any:
    """The value as JSON that both databases return as it was: numbers that are whole, short clean text, short lists."""
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, Mapping):
        items = [(str(key), inner) for key, inner in list(value.items())[:MOST_VALUES]]
        return {clean(key): "…" if is_secret(key) else plain(inner) for key, inner in items}
    if isinstance(value, list | tuple | set | frozenset):
        inner = sorted(value, key=str) if isinstance(value, set | frozenset) else value
        return [plain(item) for item in list(inner)[:MOST_VALUES]]
    return clean(_QUERY_SECRET.sub(r"\1…", _USERINFO.sub("…@", str(value))), most=VALUE)


def is_secret(field: str) -> bool:
    """Whether a field's name sounds like a secret or like message text: such a field never stands in an event."""
    words = set(re.split(r"[^a-z]+", re.sub(r"(?<=[a-z])(?=[A-Z])", "_", field).lower()))
    if "tokens" in words:
        words.discard("answer")  # how long one may be, not what it says
    return bool(words & FORBIDDEN) or ("key" in words and not words & ABOUT_KEYS)


def kind_of(row: Model) -> str:
    """Our word for a kind of row."""
    name = row._meta.model_name or ""
    return KINDS.get(name, name)


def name_of(row: Model) -> str:
    """How a row is called in the trail. A row that has only a title or a text has no name here."""
    if isinstance(row, User):
        return clean(f"{row.name} <{row.shown_email}>" if row.name and row.has_mail else row.name or row.email)
    name, email = (str(getattr(row, field, "") or "") for field in ("name", "email"))
    if email:
        return clean(f"{name} <{email}>" if name else email)
    return clean(name or str(getattr(row, "to", "") or ""))


def address_of(request: HttpRequest) -> str:
    """Where a request comes from, as the server resolved it; empty when that is no address."""
    try:
        return str(ipaddress.ip_address(request.META.get("REMOTE_ADDR", "")))
    except ValueError:
        return ""


def _fill_actor(event: AuditEvent, *, actor: User | ApiKey | None, request: HttpRequest | None, kind: str) -> None:
    if request is not None:
        event.address = address_of(request)
        event.device = clean(request.META.get("HTTP_USER_AGENT", ""), most=200)
        event.request_id = clean(getattr(request, "request_id", ""), most=64)
        signed_in = getattr(request, "user", None)
        if actor is None and kind != "anonymous" and isinstance(signed_in, User):
            actor = signed_in
    if actor is None:
        event.actor_kind = kind or ("anonymous" if request is not None else "system")
        event.actor_name = _operator() if event.actor_kind == "command" else ""
        return
    person = actor.user if isinstance(actor, ApiKey) else actor
    event.actor = person.uuid
    event.actor_name = name_of(person)
    if isinstance(actor, ApiKey):
        event.actor_name = clean(f"{event.actor_name} · {actor.name} ({actor.prefix}…)")
    event.actor_kind = kind or ("key" if isinstance(actor, ApiKey) else "service" if person.is_service else "person")


def _fill_target(event: AuditEvent, *, target: Model | None, concerns: User | None) -> None:
    if target is not None:
        event.target_kind = kind_of(target)
        event.target = getattr(target, "uuid", None)
        event.target_name = name_of(target)
        owner = target if isinstance(target, User) else getattr(target, "user", None)
        if concerns is None and isinstance(owner, User):
            concerns = owner
    event.concerns = concerns.uuid if concerns is not None else None


def _keep(event: AuditEvent, *, field: str, pair: list[Any]) -> None:
    """Puts a change where it belongs; refuses what must never be written down."""
    if is_secret(field):
        raise ValueError(f"{field!r} could hold a secret or message text: it never enters the audit trail")
    told_of_people = field in PEOPLE or (field in PRIVATE and event.concerns)
    personal = told_of_people or any(_EMAIL.search(str(value)) for value in pair)
    (event.private if personal else event.changes)[clean(field, most=64)] = pair


def _append(event: AuditEvent) -> None:
    hold()
    head = AuditEvent.objects.order_by("-number").values_list("number", "hash").first()
    number, event.previous = head or (0, audit_chain.GENESIS)
    event.number = number + 1
    event.at = clock.now()
    event.hash = audit_chain.event_hash(event)
    event.save(force_insert=True)


def _operator() -> str:
    """Who typed a command, as the machine knows it."""
    try:
        return clean(getpass.getuser())
    except (KeyError, OSError):  # a container without a name for its user
        return ""
