"""What keeps two writers from writing over each other: an ETag names the state of a resource, If-Match says which one was meant."""

from __future__ import annotations

import hashlib
from typing import Any

import orjson
from django.utils.translation import gettext as _
from rest_framework.request import Request
from rest_framework.response import Response

from api import errors


def tag(body: Any) -> str:
    """The ETag of what is shown, for whoever is shown the same."""
    return f'"{hashlib.sha256(orjson.dumps(body, default=str, option=orjson.OPT_SORT_KEYS)).hexdigest()[:32]}"'


def tagged(body: dict[str, Any]) -> Response:
    """200 with its ETag."""
    return Response(body, headers={"ETag": tag(body)})


def check(request: Request, body: Any) -> None:
    """Raises 412 when the caller means another state than this one. Without If-Match every state is meant."""
    given = request.headers.get("If-Match")
    if given is None or given.strip() == "*":
        return
    now = tag(body)
    if now not in (each.strip() for each in given.split(",")):
        raise errors.Problem(
            412, "changed", _("This was changed meanwhile. Read it again, then decide."), more={"etag": now}
        )
