"""The OpenAPI document, and the page that shows it to people."""

from __future__ import annotations

from typing import ClassVar

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_safe
from rest_framework import serializers
from rest_framework.request import Request

from accounts import passwords
from api.operations import Operation
from api.permissions import ANY
from api.resource import Resource
from chat.views import signed_in


class OpenApi(serializers.Serializer[object]):
    """An OpenAPI document; what stands in it is its own standard's."""

    openapi = serializers.CharField()
    info = serializers.DictField()
    paths = serializers.DictField()
    components = serializers.DictField()
    servers = serializers.ListField(child=serializers.DictField())


class Schema(Resource):
    """GET → the OpenAPI document, in the language of who asks. A repeat changes nothing."""

    scopes: ClassVar = {"GET": ANY}
    operations: ClassVar = {"GET": Operation(_("This document"), {200: OpenApi})}

    def get(self, request: Request) -> HttpResponse:
        from api import openapi

        return HttpResponse(openapi.as_json(), content_type="application/json")


@require_safe
@signed_in
def reference(request: HttpRequest) -> HttpResponse:
    """The same to read, with a line for the shell for each operation."""
    from api import reference as made

    base = passwords.absolute("", request=request).rstrip("/")
    return render(request, "api/reference.html", {"parts": made.parts(base=base), "base": base})
