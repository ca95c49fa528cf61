"""Tells a person what somebody else did to her account: by mail where there is mail, and always on the page after the next sign-in."""

from __future__ import annotations

from django.db.models import QuerySet

from accounts import clock, letters, mail
from accounts.models import Notice, User


def tell(user: User, *, kind: Notice.Kind, by: User | None) -> None:
    """Within the transaction of the deed. Without `by` it was done on the server."""
    name = str(by) if by else ""
    Notice.objects.create(user=user, kind=kind, by=name)
    context = {"user": user, "kind": kind.value, "by": name}
    mail.send("account_notice", to=user.email, language=letters.language_for(user), context=context)


def tell_moved(user: User, *, old: str) -> None:
    """To the old address, within the transaction that changed it, whoever did: from now on the account answers to another one."""
    context = {"user": user, "kind": "email_changed", "email": user.email}
    mail.send("account_notice", to=old, language=letters.language_for(user), context=context)


def unread(user: User) -> QuerySet[Notice]:
    """What she has not read yet, oldest first."""
    return Notice.objects.filter(user=user, read_at=None).order_by("pk")


def read(user: User) -> int:
    """She has seen them all."""
    return unread(user).update(read_at=clock.now())
