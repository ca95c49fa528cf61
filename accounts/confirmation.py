"""Views for which somebody must have proved lately who she is: an open computer is not enough."""

from __future__ import annotations

from collections.abc import Callable

from allauth.account.decorators import reauthentication_required
from django.http import HttpResponse

View = Callable[..., HttpResponse]


def confirmed(view: View) -> View:
    """Asks for the password, a code or a passkey unless she has given one a moment ago; then goes on with what was asked."""
    guarded: View = reauthentication_required(app="allauth.account")(view)
    return guarded
