"""Accounts of programs: made, renamed, given to another owner. They never sign in, and somebody always answers for them.

Their keys are made and judged elsewhere (accounts.api_keys); they are switched off like anybody else (accounts.people).
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence

from django.contrib.auth.hashers import make_password
from django.db import transaction
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest
from django.utils.text import slugify
from django.utils.translation import gettext_lazy as _

from accounts import audit, belongings, people
from accounts.models import User
from accounts.refusals import NotPossible

# A name that the internet promises never to have: no letter can ever go there.
DOMAIN = "programs.invalid"


def listed() -> QuerySet[User]:
    """All accounts of programs, those that are on first, each with the number of its living `keys`."""
    living = Q(api_keys__revoked_at=None, api_keys__isnull=False)
    rows = User.objects.filter(is_service=True).select_related("owner")
    return rows.annotate(keys=Count("api_keys", filter=living)).order_by("-is_active", "name", "pk")


def make(*, name: str, owner: User, by: User, request: HttpRequest) -> User:
    """A new account without rights, password or keys."""
    _check_owner(owner)
    email = f"{slugify(name)[:40] or 'program'}-{secrets.token_hex(4)}@{DOMAIN}"
    with transaction.atomic():
        account = User.objects.create(
            email=email, name=name, is_service=True, owner=owner, password=make_password(None), language=owner.language
        )
        changes = {"name": (None, name), "owner": (None, str(owner))}
        audit.record("service.made", actor=by, request=request, target=account, changes=changes)
    return account


def change(account: User, *, name: str, owner: User, by: User, request: HttpRequest) -> bool:
    """Another name, or another colleague who answers for it; False when nothing changes."""
    with transaction.atomic():
        account = User.objects.select_for_update().select_related(None).get(pk=account.pk, is_service=True)
        before = {"name": account.name, "owner": str(account.owner or "")}
        if account.owner_id != owner.pk:
            _check_owner(owner)
        after = {"name": name, "owner": str(owner)}
        if account.name == name and account.owner_id == owner.pk:
            return False
        User.objects.filter(pk=account.pk).update(name=name, owner=owner)
        changes = {field: (before[field], after[field]) for field in after if before[field] != after[field]}
        action = "service.owner_changed" if account.owner_id != owner.pk else "person.changed"
        audit.record(action, actor=by, request=request, target=account, changes=changes)
    return True


def _check_owner(owner: User) -> None:
    if not User.objects.filter(pk=owner.pk, is_active=True, is_service=False).exists():
        raise NotPossible("no_owner", _("Choose an active colleague who answers for it."))


def _of(person: User) -> Sequence[str]:
    return list(person.service_accounts.filter(is_active=True).order_by("name").values_list("name", flat=True))


def _hand_over(person: User, heir: User | None, by: User | None) -> None:
    for account in person.service_accounts.order_by("pk"):
        if heir is None:
            people.deactivate(account, by=by)
            continue
        User.objects.filter(pk=account.pk).update(owner=heir)
        changes = {"owner": (str(person), str(heir))}
        kind = "" if by else "command"
        audit.record("service.owner_changed", actor=by, target=account, changes=changes, actor_kind=kind)


def register() -> None:
    """Who leaves hands these over."""
    orphaned = _("They are switched off as well, and their keys end.")
    advice = _("Their keys go on working for whoever takes over. Who leaves may know them: have them replaced soon.")
    belongings.register(belongings.Kind("programs", _("Accounts of programs"), orphaned, _of, _hand_over, advice))
