"""Which models this credential may ask."""

from __future__ import annotations

from typing import ClassVar

from rest_framework.request import Request
from rest_framework.response import Response

from api import shapes
from api.credentials import principal_of
from api.resource import Resource
from providers import access


class Models(Resource):
    """GET → {"items": […]}, the own default first. A repeat changes nothing."""

    scopes: ClassVar = {"GET": "models"}

    def get(self, request: Request) -> Response:
        principal = principal_of(request)
        names = principal.model_names
        rows = [row for row in access.choices_for(principal.user()) if names is None or row.slug in names]
        return Response({"items": [shapes.model(row) for row in rows]})
