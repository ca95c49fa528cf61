"""Who may open a page of the administration, and the trail of what was changed there. Decides by rights, never by a role.

Renders nothing and changes nothing but the trail.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib.admin.models import ADDITION, CHANGE, LogEntry
from django.contrib.auth.views import redirect_to_login
from django.contrib.contenttypes.models import ContentType
from django.db.models import Model
from django.http import HttpRequest, HttpResponseBase

from accounts.models import User
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


def record(request: HttpRequest, row: Model, *, words: str, added: bool = False) -> None:
    """A line in the administration's history. `words` are English and never hold a key or a password."""
    assert isinstance(request.user, User)
    LogEntry.objects.create(
        user_id=request.user.pk,
        content_type_id=ContentType.objects.get_for_model(row).pk,
        object_id=str(row.pk),
        object_repr=str(row)[:200],
        action_flag=ADDITION if added else CHANGE,
        change_message=words,
    )
