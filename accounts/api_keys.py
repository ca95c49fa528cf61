"""API keys: making, finding, rolling, revoking. The secret stands in the answer to whoever made it and nowhere else.

What may be asked of a key is api_keys_rules' business; what a key may do is decided at each use (scopes.effective). Renders nothing.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import re
import secrets
import string
import uuid
from collections.abc import Iterable
from dataclasses import asdict

from django.db import models, transaction
from django.db.models import F, Q, QuerySet
from django.db.models.functions import Coalesce, Least
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts import api_keys_rules, audit, clock
from accounts.api_keys_rules import KeyRefused, may_make
from accounts.clock import Now
from accounts.models import ApiKey, Organisation, User
from accounts.refusals import Refused

__all__ = [
    "KeyRefused",
    "everybodys",
    "find",
    "listed",
    "make",
    "may_make",
    "paused",
    "revoke",
    "roll",
    "state",
    "sweep",
]

MOST_KEYS = 100
"""Living keys of one account."""
LONGEST_KEEP_H = 168
"""Hours that the old secret may live on after a roll."""
KEPT = dt.timedelta(days=90)
"""Keys that are over are listed for so long, and deleted then."""
SHOWN = 11
"""Characters of a key that are stored and shown: sk- and eight more."""
RANDOM = 48
SHAPE = re.compile(rf"sk-[A-Za-z0-9]{{{RANDOM}}}")
LIVING = (Q(expires_at=None) | Q(expires_at__gt=Now())) & Q(revoked_at=None)
_ALPHABET = string.ascii_letters + string.digits


class State(models.TextChoices):
    """How a key stands today."""

    ACTIVE = "active", _("works")
    ENDING = "ending", _("replaced, ends soon")
    PAUSED = "paused", _("paused")
    EXPIRED = "expired", _("expired")
    REVOKED = "revoked", _("revoked")


def make(
    user: User,
    *,
    name: str,
    scopes: Iterable[str],
    models: Iterable[str] = (),
    expires_at: dt.datetime | None = None,
    allowed_ips: Iterable[str] = (),
    by: User | None = None,
    request: HttpRequest | None = None,
) -> tuple[ApiKey, str]:
    """A new key of this account and its secret, which nobody can show again. `by` makes it, else the account itself.

    Raises KeyRefused for what can't be, Refused for somebody who may not make keys for this account.
    """
    if not may_make(by or user, user=user):
        raise Refused
    wanted = api_keys_rules.check(
        user, name=name, scopes=scopes, models=models, expires_at=expires_at, allowed_ips=allowed_ips
    )
    with transaction.atomic():
        # The row of the account is the lock under which its keys are counted.
        User.objects.select_for_update().get(pk=user.pk)
        if living().filter(user=user).count() >= MOST_KEYS:
            raise KeyRefused("too_many_keys", _("This account has 100 keys. Revoke one that is not used any more."))
        key, secret = _insert(user, wanted=wanted)
        changes: dict[str, list[object]] = {
            field: [None, value] for field, value in asdict(wanted).items() if value and field != "name"
        }
        audit.record("key.made", actor=by or user, request=request, target=key, changes=changes)
    return key, secret


def find(secret: str, *, address: str) -> ApiKey | None:
    """The living key with this secret, with its owner, if it may be used from this address. One query.

    Whether the owner may ask is for accounts.authentication to say.
    """
    if not SHAPE.fullmatch(secret):
        return None
    # Found by the digest of the whole: no part of a secret is ever compared, and none is in the row.
    key = living().select_related("user").filter(digest=_digest(secret)).first()
    return key if key is not None and api_keys_rules.comes_from(key, address=address) else None


def revoke(key: ApiKey, *, by: User, with_key: ApiKey | None = None, request: HttpRequest | None = None) -> bool:
    """Ends the key at once and for good, and with it those that it replaced and that still live. `by` asks, maybe `with_key`.

    False when it was revoked before. Raises Refused for whoever may not.
    """
    if not api_keys_rules.may_revoke(by, key=key):
        raise Refused
    with transaction.atomic():
        ended = ApiKey.objects.filter(pk=key.pk, revoked_at=None).update(revoked_at=Now(), revoked_by=by)
        first, replaced = ended == 1, [key.pk]
        while replaced := list(living().filter(successor__in=replaced).values_list("pk", flat=True)):
            ApiKey.objects.filter(pk__in=replaced).update(revoked_at=Now(), revoked_by=by)
        if first:
            audit.record("key.revoked", actor=with_key or by, request=request, target=key)
    key.refresh_from_db(fields=["revoked_at", "revoked_by"])
    return first


def roll(
    key: ApiKey, *, keep_hours: int, by: User | None = None, request: HttpRequest | None = None
) -> tuple[ApiKey, str]:
    """A key in this one's place, with the same rights and end, and its secret. The old one lives on for `keep_hours`; 0: it ends now.

    Raises KeyRefused when the key is over or was rolled before, Refused for somebody who may not.
    """
    user = key.user
    if not may_make(by or user, user=user):
        raise Refused
    if not 0 <= keep_hours <= LONGEST_KEEP_H:
        raise KeyRefused("bad_hours", _("From 0 to 168 hours."), field="keep_hours")
    with transaction.atomic():
        until = clock.now() + dt.timedelta(hours=keep_hours)
        old = living().select_for_update().filter(pk=key.pk, successor=None).first()
        if old is None:
            raise KeyRefused("not_living", _("This key is over or was replaced already."))
        wanted = api_keys_rules.Wanted(old.name, old.scopes, old.model_names, old.expires_at, old.allowed_ips)
        new, secret = _insert(user, wanted=wanted, family=old.family)
        first = ApiKey.objects.filter(pk=old.pk, successor=None, revoked_at=None)
        if not first.update(successor=new, expires_at=Least(Coalesce(F("expires_at"), until), until)):
            raise KeyRefused("not_living", _("This key is over or was replaced already."))
        changes: dict[str, list[object]] = {"prefix": [old.prefix, new.prefix], "old_lives_hours": [None, keep_hours]}
        audit.record("key.rolled", actor=by or user, request=request, target=new, changes=changes)
    return new, secret


def living() -> QuerySet[ApiKey]:
    """Keys that are neither revoked nor over."""
    return ApiKey.objects.filter(LIVING)


def listed(user: User) -> QuerySet[ApiKey]:
    """The keys of this person and of the programs' accounts that are hers, newest first."""
    return everybodys().filter(Q(user=user) | Q(user__is_service=True, user__owner=user))


def everybodys() -> QuerySet[ApiKey]:
    """All keys, newest first, for administrators."""
    return ApiKey.objects.select_related("user", "successor").order_by("-created_at", "-pk")


def state(key: ApiKey, *, organisation: Organisation, now: dt.datetime | None = None) -> State:
    """How the key stands."""
    now = now or timezone.now()
    if key.revoked_at is not None:
        return State.REVOKED
    if key.expires_at is not None and key.expires_at <= now:
        return State.EXPIRED
    if paused(key.user, organisation=organisation, now=now):
        return State.PAUSED
    return State.ENDING if key.successor_id else State.ACTIVE


def paused(user: User, *, organisation: Organisation, now: dt.datetime | None = None) -> bool:
    """Whether the person signs in through the company and has not done so for too long. Programs' accounts never pause."""
    if user.sso_at is None or user.is_service:
        return False
    return user.sso_at < (now or timezone.now()) - dt.timedelta(days=organisation.sso_days)


def sweep(*, now: dt.datetime) -> int:
    """Deletes keys that have been over for so long that nobody looks for them; the audit trail still knows them."""
    over = Q(revoked_at__lt=now - KEPT) | Q(expires_at__lt=now - KEPT)
    return ApiKey.objects.filter(over).delete()[0]


def _insert(user: User, *, wanted: api_keys_rules.Wanted, family: uuid.UUID | None = None) -> tuple[ApiKey, str]:
    secret = "sk-" + "".join(secrets.choice(_ALPHABET) for _ in range(RANDOM))
    key = ApiKey.objects.create(
        user=user,
        name=wanted.name,
        prefix=secret[:SHOWN],
        digest=_digest(secret),
        scopes=wanted.scopes,
        model_names=wanted.models,
        allowed_ips=wanted.allowed_ips,
        expires_at=wanted.expires_at,
        family=family or uuid.uuid4(),
    )
    return key, secret


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
