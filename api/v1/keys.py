"""API keys for programs: listing, making, rolling, revoking. The secret stands in the answer to the making and nowhere else.

A key never makes or rolls a key: one that leaked could otherwise outlive its own revocation.
"""

from __future__ import annotations

import datetime as dt
import uuid
from typing import Any, ClassVar

from django.db.models import QuerySet
from django.http import Http404
from django.utils.translation import gettext_lazy as _
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts import api_keys, scopes
from accounts.authentication import Principal
from accounts.models import ApiKey, Organisation, User
from accounts.refusals import Refused
from api import answers, examples
from api.credentials import principal_of
from api.operations import Once, Operation
from api.pagination import Pages
from api.resource import Body, Resource


class Wanted(Body):
    """A key to be made. Left out: the scopes a chat program needs, all models, no end, from anywhere, for oneself."""

    name = serializers.CharField(max_length=200)
    scopes = serializers.ListField(child=serializers.CharField(max_length=60), required=False, max_length=50)
    models = serializers.ListField(child=serializers.CharField(max_length=200), required=False, max_length=200)
    expires_at = serializers.DateTimeField(required=False, allow_null=True, default_timezone=dt.UTC)
    allowed_ips = serializers.ListField(child=serializers.CharField(max_length=60), required=False, max_length=200)
    service_account = serializers.UUIDField(required=False, allow_null=True)


class Keeping(Body):
    """How many hours the old secret lives on; it has to be said."""

    keep_hours = serializers.IntegerField(min_value=0, max_value=api_keys.LONGEST_KEEP_H)


class Which(Body):
    """`?everyone=true`: all keys, for those who may see them. For the document: api.pagination reads the page."""

    everyone = serializers.BooleanField(default=False)
    page = serializers.IntegerField(min_value=1, default=1)
    page_size = serializers.IntegerField(min_value=1, max_value=100, default=50)


class NoKeyMakesKeys(Refused):
    """Making and rolling asks for a person."""

    code = "key_makes_no_keys"
    message = _("An API key can't make or roll keys. Sign in with e-mail and password, or use the page.")


class Keys(Resource):
    """GET → the own keys and those of the own programs' accounts. POST → 201 with the secret; a repeat makes another key."""

    scopes: ClassVar = {"GET": "keys", "POST": "keys"}
    operations: ClassVar = {
        "GET": Operation(_("List keys"), {200: answers.Keys}, query=Which, refuses=(404,), shown={200: examples.KEYS}),
        "POST": Operation(
            _("Make a key"),
            {201: answers.MadeKey},
            more=_("The secret stands in this answer and nowhere else. No key makes a key: sign in as a person."),
            body=Wanted,
            refuses=(409,),
            example={"name": "Editor", "scopes": ["chat", "models"]},
            shown={201: examples.MADE_KEY},
            once=Once.STORED,
            located=(201,),
        ),
    }

    def get(self, request: Request) -> Response:
        principal = principal_of(request)
        pages = Pages()
        rows = pages.paginate_queryset(_visible(request, principal=principal), request, view=self) or []
        organisation = Organisation.get()
        return pages.get_paginated_response([shown(key, organisation=organisation) for key in rows])

    def post(self, request: Request) -> Response:
        by = _maker(principal_of(request))
        given = Wanted.read(request)
        key, secret = api_keys.make(
            _account(given.get("service_account"), by=by),
            name=given["name"],
            scopes=given.get("scopes", scopes.DEFAULT),
            models=given.get("models", ()),
            expires_at=given.get("expires_at"),
            allowed_ips=given.get("allowed_ips", ()),
            by=by,
            request=request._request,
        )
        return _made(key, secret)


class Key(Resource):
    """GET → one key. DELETE → 204, it is revoked at once; a repeat: 204 again, nothing happens."""

    scopes: ClassVar = {"GET": "keys", "DELETE": "keys"}
    operations: ClassVar = {
        "GET": Operation(_("Read a key"), {200: answers.Key}, shown={200: examples.KEY}),
        "DELETE": Operation(_("Revoke a key"), {204: None}, once=Once.STORED),
    }

    def get(self, request: Request, uuid: uuid.UUID) -> Response:
        return Response(shown(_one(request, uuid=uuid), organisation=Organisation.get()))

    def delete(self, request: Request, uuid: uuid.UUID) -> Response:
        principal = principal_of(request)
        api_keys.revoke(_one(request, uuid=uuid), by=principal.user(), with_key=principal.key, request=request._request)
        return Response(status=204)


class Roll(Resource):
    """POST {keep_hours} → 201 with a new key in its place; a repeat: 409, nothing is made."""

    scopes: ClassVar = {"POST": "keys"}
    operations: ClassVar = {
        "POST": Operation(
            _("Put a new key in a key's place"),
            {201: answers.MadeKey},
            body=Keeping,
            refuses=(409,),
            example={"keep_hours": 24},
            shown={201: examples.MADE_KEY},
            once=Once.STORED,
            located=(201,),
        )
    }

    def post(self, request: Request, uuid: uuid.UUID) -> Response:
        by = _maker(principal_of(request))
        hours = Keeping.read(request)["keep_hours"]
        return _made(*api_keys.roll(_one(request, uuid=uuid), keep_hours=hours, by=by, request=request._request))


def shown(key: ApiKey, *, organisation: Organisation) -> dict[str, Any]:
    """A key as programs see it; never its secret."""
    return {
        "id": str(key.uuid),
        "name": key.name,
        "prefix": key.prefix,
        "state": str(api_keys.state(key, organisation=organisation)),
        "scopes": key.scopes,
        "models": key.model_names,
        "allowed_ips": key.allowed_ips,
        "created_at": key.created_at,
        "expires_at": key.expires_at,
        "last_used_at": key.last_used_at,
        "revoked_at": key.revoked_at,
        "replaced_by": None if key.successor is None else str(key.successor.uuid),
        "owner": {
            "id": str(key.user.uuid),
            "email": key.user.shown_email,
            "name": key.user.name,
            "is_service": key.user.is_service,
        },
    }


def _made(key: ApiKey, secret: str) -> Response:
    key.refresh_from_db()
    body = {"id": str(key.uuid), "key": secret, **shown(key, organisation=Organisation.get())}
    return Response(body, status=201, headers={"Location": f"/api/v1/keys/{key.uuid}/"})


def _visible(request: Request, *, principal: Principal) -> QuerySet[ApiKey]:
    """The own keys; with the scope admin, and as far as its owner may, everybody's (`?everyone=true`)."""
    if request.query_params.get("everyone") == "true":
        _check_everyone(principal)
        return api_keys.everybodys()
    return api_keys.listed(principal.user())


def _one(request: Request, *, uuid: uuid.UUID) -> ApiKey:
    principal = principal_of(request)
    rows = api_keys.everybodys() if _sees_everyone(principal) else api_keys.listed(principal.user())
    found = rows.filter(uuid=uuid).first()
    if found is None:
        raise Http404
    return found


def _sees_everyone(principal: Principal) -> bool:
    return "admin" in principal.scopes and principal.user().has_perm("accounts.view_apikey")


def _check_everyone(principal: Principal) -> None:
    if not _sees_everyone(principal):
        raise Refused


def _maker(principal: Principal) -> User:
    if principal.kind == "key":
        raise NoKeyMakesKeys
    return principal.user()


def _account(wanted: uuid.UUID | None, *, by: User) -> User:
    """Whose key it will be: the own account, or a program's. Which of them `by` may use, api_keys.make says."""
    if wanted is None:
        return by
    found = User.objects.filter(uuid=wanted, is_service=True, is_active=True).first()
    if found is None or not api_keys.may_make(by, user=found):
        raise serializers.ValidationError({"service_account": [_("There is no such account, or it is not yours.")]})
    return found
