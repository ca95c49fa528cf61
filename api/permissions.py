"""Which scope a method of a view asks for. Closed: a method that names none is refused, whoever asks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from api.credentials import principal_of

if TYPE_CHECKING:  # it reads the settings that name this file
    from rest_framework.views import APIView

ANY = ""
"""In a view's `scopes`: every living credential, whatever it may do else."""


class Anybody(BasePermission):
    """For the few doors through which one gets a credential. To be named by a view itself; never a default."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        return True


class Scoped(BasePermission):
    """The view's `scopes` say by method what the credential must be allowed to do."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        method = request.method or ""
        if method not in view.allowed_methods:
            return True  # there is nothing to protect: the view answers 405
        wanted = getattr(view, "scopes", {}).get("GET" if method == "HEAD" else method)
        if wanted is None:
            return False
        return wanted == ANY or wanted in principal_of(request).scopes
