"""People of every kind for the tests of the administration, signed in, and what a refused deed leaves. Asserts nothing."""

from __future__ import annotations

from typing import Any

from allauth.account.internal.flows.login import record_authentication
from django.contrib.auth.models import Permission
from django.db import connection
from django.http import HttpRequest
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts.models import AuditEvent, User


def signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def proved(user: User) -> Client:
    """Signed in, and she has shown a moment ago who she is."""
    client = signed_in(user)
    request = HttpRequest()
    request.session = client.session
    record_authentication(request, user, "password", reauthenticated=True)
    request.session.save()
    return client


def person(name: str, **fields: Any) -> User:
    """Somebody without a password: nothing here signs in by one."""
    return User.objects.create(email=f"{name}@example.com", name=name.title(), password="!", **fields)


def root(name: str = "root") -> User:
    return person(name, is_staff=True, is_superuser=True)


def staff(name: str, *permissions: str) -> User:
    made = person(name, is_staff=True)
    made.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    return made


def actions() -> list[str]:
    """What the audit trail holds, in order, without the door."""
    rows = AuditEvent.objects.exclude(action__startswith="sign_in.")
    return list(rows.order_by("number").values_list("action", flat=True))


def cost(client: Client, path: str) -> int:
    """How many queries a page takes once its session has been noted as used; it must answer 200."""
    client.get("/me/language/")
    with CaptureQueriesContext(connection) as asked:
        status = client.get(path).status_code
    assert status == 200, status
    return len(asked)


def said(client: Client, path: str, fields: dict[str, Any]) -> str:
    """Posts and follows: the words of the page behind."""
    return client.post(path, fields, follow=True).content.decode()
