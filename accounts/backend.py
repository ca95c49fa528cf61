"""Whether a password is the right one: the only place that looks at passwords of people who are not signed in yet.

Known and unknown addresses, switched-off people, people without a password and SSO-only mode cost the same time: one hash each.
"""

from __future__ import annotations

from typing import Any

from allauth.account.auth_backends import AuthenticationBackend
from django.http import HttpRequest

from accounts import lockout
from accounts.models import Organisation, User
from accounts.prepared import Prepared

WAITS = "waits_for_approval"
"""On a request: the password was right, and its account has not been approved yet."""

_person = Prepared(lambda pk: User.objects.filter(pk=pk), -1)


class PasswordBackend(AuthenticationBackend):
    """By the e-mail on the person's own row, nothing else: other addresses that allauth may keep are no way in."""

    _waits = False

    def authenticate(self, request: HttpRequest | None, **credentials: Any) -> User | None:
        """The person, or None. A right password takes back that it was counted as a try."""
        user = super().authenticate(request, **credentials)
        # allauth keeps switched-off people aside to show them a page of their own: forget them.
        AuthenticationBackend.unstash_authenticated_user()
        if request is not None and (isinstance(user, User) or self._waits):
            lockout.passed(request)
            vars(request)[WAITS] = self._waits
        return user if isinstance(user, User) else None

    def get_user(self, user_id: Any) -> User | None:
        """Who is signed in, on each request."""
        user: User | None = _person.first(int(user_id))
        return user if user is not None and self.user_can_authenticate(user) else None

    def _authenticate_by_email(self, email: str, password: str) -> User | None:
        closed = Organisation.get().sso_only
        user = User.objects.filter(email=email.strip().lower()).first()
        if user is None:
            return None
        self._did_check_password = True
        right = user.check_password(password)
        self._waits = right and user.awaits_approval
        return user if right and not closed and may_sign_in(user) else None


def may_sign_in(user: User) -> bool:
    """Whether this person has a door at all: active, approved, no program."""
    return user.is_active and not user.awaits_approval and not user.is_service
