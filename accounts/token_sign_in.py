"""How a program proves for whom it asks: e-mail, password and, where one is due, a code. The same counts as at the page's door.

One sentence for every reason that would tell a stranger whether an account exists. Issues nothing: accounts.tokens does.
"""

from __future__ import annotations

from allauth.mfa.signals import authentication_failed
from django.contrib.auth import authenticate
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from accounts import lockout, second_factor, sso_only
from accounts.authentication import Unauthenticated
from accounts.backend import WAITS
from accounts.models import Organisation, User


class TooManyTries(Unauthenticated):
    """429: the next try may be made after `wait` seconds."""

    def __init__(self, wait: int) -> None:
        super().__init__("too_many_tries", _("Too many tries. Wait for a while, then try again."), status=429)
        self.wait = wait


def prove(email: str, *, password: str, code: str, request: HttpRequest) -> tuple[User, str]:
    """The person, and how she proved it (password, otp). Raises Unauthenticated.

    Whether a code or an approval is missing is said only to whoever knows the password; codes have a count of their own.
    """
    organisation = Organisation.get()
    user = authenticate(request, email=email.strip().lower(), password=password)
    # axes' middleware would put a page in place of our answer.
    if vars(request).pop("axes_locked_out", False):
        raise TooManyTries(int(vars(request).get("lockout_wait") or lockout.PAUSE_S))
    if vars(request).get(WAITS):
        raise Unauthenticated("awaits_approval", _("This person waits for approval."), status=403)
    if not isinstance(user, User):
        if organisation.sso_only:  # whatever name was given
            raise Unauthenticated("company_only", sso_only.CLOSED, status=403)
        raise Unauthenticated(
            "wrong_credentials", _("E-mail or password is wrong, or this account can't sign in this way.")
        )
    if user.password_expired:
        raise Unauthenticated("password_expired", _("Choose a new password first."), status=403)
    return user, _second_proof(user, code=code, organisation=organisation, request=request)


def _second_proof(user: User, *, code: str, organisation: Organisation, request: HttpRequest) -> str:
    if not second_factor.enrolled(user):
        if second_factor.required_of(user, organisation=organisation):
            message = _("Set up a second factor in the browser first: this organisation asks for one.")
            raise Unauthenticated("second_factor_missing", message, status=403)
        return "password"
    if not code:
        raise Unauthenticated("otp_required", _("Send the code of your app, or a recovery code, as “otp”."))
    found, wait = second_factor.attempt(user, code, request=request)
    if wait:
        raise TooManyTries(wait)
    if found is None:
        authentication_failed.send(sender=__name__, request=request, user=user)
        raise Unauthenticated("wrong_otp", _("The code is wrong, or was used before."))
    return "otp"
