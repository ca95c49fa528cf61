"""What happens at the door, written down: sign-ins and their failures, sign-outs, passwords, second factors. Decides nothing.

A name that nobody has is never written: people type their password into the wrong box. A flood of failures is folded: one event
a minute for an account and address (for all unknown names of an address together), and FAILURES_A_MINUTE over all.
"""

from __future__ import annotations

from typing import Any

from allauth.account import signals as account_signals
from allauth.mfa import signals as factor_signals
from axes.signals import user_locked_out
from django.contrib.auth.signals import user_logged_in, user_logged_out, user_login_failed
from django.http import HttpRequest
from django.utils.crypto import salted_hmac

from accounts import audit, lockout, tries
from accounts.models import User
from accounts.sessions import KEY

FAILURES_A_MINUTE = 30
METHODS = "account_authentication_methods"
"""Where allauth keeps in the session how somebody has proved who she is."""


def connect() -> None:
    """Once, when the room is ready."""
    receivers = (
        (user_logged_in, signed_in),
        (user_logged_out, signed_out),
        (user_login_failed, failed),
        (user_locked_out, locked),
        (account_signals.password_changed, password_changed),
        (account_signals.password_set, password_changed),
        (account_signals.password_reset, password_reset),
        (factor_signals.authenticator_added, factor_added),
        (factor_signals.authenticator_removed, factor_removed),
        (factor_signals.authenticator_reset, factor_renewed),
        (factor_signals.authentication_failed, factor_failed),
    )
    for signal, receiver in receivers:
        signal.connect(receiver, dispatch_uid=f"accounts.audit.{receiver.__name__}")


def signed_in(sender: Any, request: HttpRequest, user: User, **kwargs: Any) -> None:
    """With what: password, password + totp, a company's sign-in."""
    records = request.session.get(METHODS) or []
    used = [str(each.get("type") or each.get("provider") or each.get("method")) for each in records]
    changes = {"method": [None, " + ".join(used)]} if used else None
    audit.record("sign_in.succeeded", actor=user, request=request, target=user, changes=changes)


def signed_out(sender: Any, request: HttpRequest, user: User | None, **kwargs: Any) -> None:
    """Only what the person did: a session that was ended elsewhere and is only swept away here is told there."""
    if user is None or request.session.get(KEY, user.session_version) != user.session_version:
        return
    audit.record("sign_in.ended", actor=user, request=request, target=user)


def failed(sender: Any, credentials: dict[str, Any], request: HttpRequest | None = None, **kwargs: Any) -> None:
    """A wrong password, an unknown name, a switched-off account: alike in what it costs."""
    if request is None or vars(request).get("lockout_wait"):
        return  # nobody's door; or locked, which is told by itself
    typed = lockout.username(request, credentials)
    person = User.objects.filter(email=typed).first()
    if not _worth_writing(request, about=typed if person else ""):
        return
    if person is None:
        mark = salted_hmac("accounts.audit.unknown", typed).hexdigest()[:12]
        changes = {"unknown_name": [None, mark]}
        audit.record("sign_in.unknown", request=request, changes=changes, actor_kind="anonymous")
        return
    audit.record("sign_in.failed", request=request, target=person, actor_kind="anonymous")


def locked(sender: Any, request: HttpRequest, username: str | None, **kwargs: Any) -> None:
    """Once for each account and address while the lock lasts."""
    person = User.objects.filter(email=username or "").first()
    if _worth_writing(request, about=f"locked {username if person else ''}", per=900):
        audit.record("sign_in.locked", request=request, target=person, actor_kind="anonymous")


def password_changed(sender: Any, request: HttpRequest, user: User, **kwargs: Any) -> None:
    """By the person, who knew the old one."""
    audit.record("password.changed", actor=user, request=request, target=user)


def password_reset(sender: Any, request: HttpRequest, user: User, **kwargs: Any) -> None:
    """By whoever held the link."""
    audit.record("password.reset", request=request, target=user)


def factor_added(sender: Any, request: HttpRequest, user: User, authenticator: Any, **kwargs: Any) -> None:
    """A code app, a passkey, recovery codes."""
    _factor("factor.added", request=request, user=user, before=None, after=str(authenticator.type))


def factor_removed(sender: Any, request: HttpRequest, user: User, authenticator: Any, **kwargs: Any) -> None:
    """By the person herself; an administrator's way is told where it is walked."""
    _factor("factor.removed", request=request, user=user, before=str(authenticator.type), after=None)


def factor_renewed(sender: Any, request: HttpRequest, user: User, authenticator: Any, **kwargs: Any) -> None:
    """New recovery codes."""
    _factor("factor.renewed", request=request, user=user, before=None, after=str(authenticator.type))


def factor_failed(sender: Any, request: HttpRequest, user: User, **kwargs: Any) -> None:
    """The password was right, the code was not."""
    if _worth_writing(request, about=f"factor {user.pk}"):
        audit.record("factor.failed", request=request, target=user)


def _factor(action: str, *, request: HttpRequest, user: User, before: str | None, after: str | None) -> None:
    audit.record(action, request=request, target=user, changes={"kind": [before, after]})


def _worth_writing(request: HttpRequest, *, about: str, per: int = 60) -> bool:
    """Whether this failure is the first of its kind for a while; the first one too many of a minute says that it is a flood."""
    own = tries.Limit(f"audit {about} {lockout.address(request)}", most=1, per=per)
    overall = tries.Limit("audit failures", most=FAILURES_A_MINUTE, per=60)
    if not tries.take(own, overall):
        return True
    if not tries.take(own) and not tries.take(tries.Limit("audit flood", most=1, per=600)):
        audit.record("sign_in.flood", request=request, actor_kind="anonymous")
    return False
