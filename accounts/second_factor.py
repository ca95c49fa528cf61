"""The second proof at sign-in: who must give one, whether a code is right, and taking a lost one away.

For pages and for programs alike: codes of an app and recovery codes work once, and tries are counted. Passkeys are allauth's.
"""

from __future__ import annotations

import logging

from allauth.core.internal.cryptokit import compare_user_code
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal import auth as totp
from django.db import transaction
from django.http import HttpRequest

from accounts import audit, lockout, login_sessions, notices, sealing, tries
from accounts.models import Notice, Organisation, SecondFactor, User
from accounts.tries import Limit

logger = logging.getLogger("accounts.second_factor")

PURPOSE = "second factor"
"""What the secrets are sealed for."""
TYPES = (Authenticator.Type.TOTP, Authenticator.Type.WEBAUTHN)
A_QUARTER, A_DAY = 15 * 60, 24 * 3600
MOST, MOST_A_DAY = 10, 50
LONGEST = 20


def demanded_of(user: User) -> bool:
    """Whether a sign-in of this person needs a second proof: she has set one up, or the organisation demands it of her."""
    return enrolled(user) or required_of(user, organisation=Organisation.get())


def enrolled(user: User) -> bool:
    """Whether the person has an app or a passkey (recovery codes alone are none)."""
    return bool(Authenticator.objects.filter(user=user, type__in=TYPES).exists())


def required_of(user: User, *, organisation: Organisation) -> bool:
    """Whether the organisation demands a second factor of this person. Programs' accounts never sign in."""
    if user.is_service or organisation.second_factor == SecondFactor.OPTIONAL:
        return False
    return organisation.second_factor == SecondFactor.ALL or user.is_staff or user.is_superuser


def how_many() -> tuple[int, int]:
    """Active people, and how many of them have set up none."""
    people = User.objects.filter(is_active=True, is_service=False)
    having = Authenticator.objects.filter(type__in=TYPES).values("user")
    return people.count(), people.exclude(pk__in=having).count()


def check(user: User, code: str, *, request: HttpRequest | None = None) -> bool:
    """Whether this is a code of the person's app or an unused recovery code; it works once. A try too many is a wrong one.

    False, too, for somebody who has none: where one is demanded it must be set up in the browser first.
    """
    return attempt(user, code, request=request)[0] is not None


def attempt(user: User, code: str, *, request: HttpRequest | None = None) -> tuple[Authenticator | None, int]:
    """What the code belongs to, or None; and the seconds to wait when there were too many tries (then nothing was looked at)."""
    limits = _limits(user, request=request)
    if wait := tries.take(*limits):
        return None, wait
    found = _match(user, code)
    if found is not None:
        tries.forget(limits[0])
        tries.give_back(*limits[1:])
    return found, 0


def app_of(user: User) -> Authenticator | None:
    """The person's app, else her recovery codes, else None."""
    return next(iter(_with_codes(user)), None)


def counter_of(secret: str, code: str) -> int | None:
    """Which 30 seconds the code belongs to, if it is one of now (one step earlier or later counts)."""
    for counter in totp.yield_hotp_counters_from_time():
        if compare_user_code(actual=code, expected=totp.format_hotp_value(totp.hotp_value(secret, counter))):
            return int(counter)
    return None


def reset(user: User, *, by: User | None, request: HttpRequest | None = None) -> bool:
    """Takes everything away that the person has lost, and signs her out everywhere; False when there was nothing.

    She is told by mail, and by a notice at the next sign-in.
    """
    with transaction.atomic():
        if not (kinds := drop(user)):
            return False
        login_sessions.end_all(user, because="factor_reset")
        notices.tell(user, kind=Notice.Kind.FACTOR_RESET, by=by)
        audit.record(
            "factor.reset",
            actor=by,
            request=request,
            target=user,
            changes={"kinds": [kinds, []]},
            actor_kind="" if by else "command",
        )
    return True


def _match(user: User, code: str) -> Authenticator | None:
    if not code or len(code) > LONGEST:
        return None
    for row in _with_codes(user):
        try:
            right = _use_app(row.pk, code) if row.type == Authenticator.Type.TOTP else row.wrap().validate_code(code)
        except sealing.Unreadable:
            logger.exception("the second factor of person %s cannot be read: was SECRET_KEY changed?", user.pk)
            continue
        if right:
            row.user = user
            return row
    return None


def drop(user: User) -> list[str]:
    """Deletes everything the person has set up, inside the caller's transaction; says of what kinds it was."""
    gone = Authenticator.objects.filter(user=user)
    kinds = sorted(gone.values_list("type", flat=True))
    gone.delete()
    return kinds


def _with_codes(user: User) -> list[Authenticator]:
    rows = Authenticator.objects.filter(user=user).exclude(type=Authenticator.Type.WEBAUTHN)
    return sorted(rows, key=lambda row: row.type != Authenticator.Type.TOTP)


@transaction.atomic
def _use_app(pk: int, code: str) -> bool:
    """Whether the code is right and later than the last one used; of two at once one wins, on any number of processes."""
    row = Authenticator.objects.select_for_update().filter(pk=pk).first()
    if row is None:
        return False
    counter = counter_of(sealing.unseal(row.data["secret"], purpose=PURPOSE), code)
    if counter is None or counter <= row.data.get("last", -1):
        return False
    row.data["last"] = counter
    row.save(update_fields=["data"])
    return True


def _limits(user: User, *, request: HttpRequest | None) -> tuple[Limit, ...]:
    where, known = lockout.place(request, account=user.email) if request else ("", False)
    # From a place where she has signed in before others' tries do not count; all others share one count.
    name = f"second-factor:{user.pk}:{where if known else ''}"
    return (Limit(name, MOST, A_QUARTER), Limit(f"{name}:day", MOST_A_DAY, A_DAY))
