"""Which models this credential may ask."""

from __future__ import annotations

from typing import ClassVar

from django.utils.translation import gettext_lazy as _
from rest_framework.request import Request
from rest_framework.response import Response

from api import answers, examples, shapes
from api.credentials import principal_of
from api.operations import Operation
from api.resource import Resource
from providers import access


class Models(Resource):
    """GET → {"items": […]}, the own default first. A repeat changes nothing."""

    scopes: ClassVar = {"GET": "models"}
    operations: ClassVar = {
        "GET": Operation(_("Which models may be asked"), {200: answers.Models}, shown={200: examples.MODELS})
    }

    def get(self, request: Request) -> Response:
        principal = principal_of(request)
        names = principal.model_names
        rows = [row for row in access.choices_for(principal.user()) if names is None or row.slug in names]
        return Response({"items": [shapes.model(row) for row in rows]})
