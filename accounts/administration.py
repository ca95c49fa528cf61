"""Who may open a page of the administration. Decides by rights, never by a role; renders nothing and changes nothing."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponseBase

from accounts.refusals import Refused

View = Callable[..., HttpResponseBase]


def administrator(*permissions: str) -> Callable[[View], View]:
    """For people who may open the administration and have all these permissions; strangers are asked to sign in."""

    def guard(view: View) -> View:
        @wraps(view)
        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            user = request.user
            if not user.is_authenticated:
                # What was posted is gone after the sign-in: back to the overview, not to an address that only takes posts.
                return redirect_to_login(request.get_full_path() if request.method == "GET" else "/setup/")
            if not (user.is_active and user.is_staff and user.has_perms(permissions)):
                raise Refused
            return view(request, *args, **kwargs)

        return guarded

    return guard
