"""Tokens for programs: sign in, refresh, sign out. What is proved and what is issued is decided in accounts.

No credential is looked at here but the one in the body; an Authorization header changes nothing.
"""

from __future__ import annotations

from typing import ClassVar

from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts import token_sign_in, tokens
from api import answers, examples
from api.errors import Problem
from api.operations import Operation
from api.permissions import Anybody
from api.resource import Body, Resource
from api.throttling import DoorPaced


class Proof(Body):
    """What a person knows, and the code of what she has."""

    email = serializers.CharField(max_length=254)
    # The length is bounded because hashing a megabyte costs; it is far above any real password.
    password = serializers.CharField(max_length=200, trim_whitespace=False)
    otp = serializers.CharField(max_length=20, required=False, default="", allow_blank=True)


class Held(Body):
    """A refresh token."""

    refresh = serializers.CharField(max_length=4096)


class _Door(Resource):
    """Open to everybody, at a pace."""

    authentication_classes = ()
    permission_classes = (Anybody,)
    throttle_classes = (DoorPaced,)


class SignIn(_Door):
    """POST {email, password, otp?} → 200 {access, refresh, token_type, expires_in}. A repeat is another sign-in."""

    operations: ClassVar = {
        "POST": Operation(
            _("Sign in"),
            {200: answers.Tokens},
            more=_("A repeat is another sign-in. Tries count together with those of the sign-in page."),
            body=Proof,
            example={"email": "ada@example.com", "password": "…"},
            shown={200: examples.TOKENS},
            open=True,
        )
    }

    def post(self, request: Request) -> Response:
        given = Proof.read(request)
        asked: HttpRequest = request._request
        user, method = token_sign_in.prove(given["email"], password=given["password"], code=given["otp"], request=asked)
        return _answer(tokens.issue(user, request=asked, method=method))


class Refresh(_Door):
    """POST {refresh} → 200 like the sign-in, once. A repeat: 409 from the same client at once, else 401 and the sign-in is over."""

    operations: ClassVar = {
        "POST": Operation(
            _("Change a refresh token for the next pair"),
            {200: answers.Tokens},
            more=_("Once. A repeat from the same place within seconds gets 409, any other ends the sign-in."),
            body=Held,
            refuses=(409,),
            example={"refresh": "eyJ…"},
            shown={200: examples.TOKENS},
            open=True,
        )
    }

    def post(self, request: Request) -> Response:
        try:
            return _answer(tokens.rotate(Held.read(request)["refresh"], request=request._request))
        except tokens.AlreadyRotated as late:
            raise Problem(409, late.code, late.message) from None
        except tokens.TokenRefused as refused:
            raise Problem(401, refused.code, refused.message) from None


class Revoke(_Door):
    """POST {refresh} → 204. The sign-in with all its tokens is over at once. A repeat: 204 again, nothing happens."""

    operations: ClassVar = {
        "POST": Operation(_("Sign out"), {204: None}, body=Held, example={"refresh": "eyJ…"}, open=True)
    }

    def post(self, request: Request) -> Response:
        try:
            tokens.revoke(Held.read(request)["refresh"], request=request._request)
        except tokens.TokenRefused as refused:
            raise Problem(401, refused.code, refused.message) from None
        return Response(status=204)


def _answer(pair: tokens.Pair) -> Response:
    return Response(
        {"access": pair.access, "refresh": pair.refresh, "token_type": "Bearer", "expires_in": pair.expires_in}
    )
