"""Ties a session to the person's `session_version`, so that raising it ends every session at once; and what a new password opens.

Signals only.
"""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest

from accounts import devices, lockout
from accounts.models import User

KEY = "session_version"


def mark(sender: Any, request: HttpRequest, user: User, **kwargs: Any) -> None:
    """On sign-in, and for the session in which the password was changed (which goes on)."""
    request.session[KEY] = user.session_version


def opened(sender: Any, request: HttpRequest, user: User, **kwargs: Any) -> None:
    """After a new password through a link: earlier tries, whosever, do not keep her out, least of all in this browser."""
    lockout.forget(user)
    devices.remember(request, email=user.email)
