"""The OpenAPI document, and the page that shows it to people."""

from __future__ import annotations

from typing import ClassVar

from django.contrib.auth.views import redirect_to_login
from django.http import HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext_lazy as _
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts import passwords
from accounts.authentication import Unauthenticated
from api.operations import Operation
from api.permissions import ANY
from api.resource import Resource


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


class Reference(Resource):
    """GET → the same to read, with a line for the shell for each operation. A page: a browser that is not signed in is led to the door."""

    scopes: ClassVar = {"GET": ANY}
    versioning_class = schema = None  # it stands beside the version, and in no document

    def get(self, request: Request) -> HttpResponse:
        from api import reference

        base = passwords.absolute("/", request=request._request).rstrip("/")
        context = {"parts": reference.parts(base=base), "base": base}
        return render(request._request, "api/reference.html", context)

    def handle_exception(self, exc: Exception) -> Response:
        asked = self.request._request
        nobody = isinstance(exc, Unauthenticated) and exc.code == "no_credential"
        if nobody and "text/html" in asked.headers.get("Accept", ""):
            return Response(status=302, headers={"Location": redirect_to_login(asked.get_full_path())["Location"]})
        return super().handle_exception(exc)
