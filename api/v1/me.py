"""Whose credential this is and what it may do; and what its owner may set about herself, which is five fields."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import transaction
from django.utils.translation import gettext_lazy as _
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts import profile
from accounts.authentication import Principal
from accounts.models import User
from api import answers, examples, revisions
from api.credentials import principal_of
from api.operations import Once, Operation
from api.permissions import ANY
from api.resource import Body, Resource


class Changes(Body):
    """What may be set; everything else is refused by name. Which values there are, the page's own form says."""

    name = serializers.CharField(allow_blank=True, required=False)
    language = serializers.CharField(allow_blank=True, required=False)
    time_zone = serializers.CharField(allow_blank=True, required=False)
    theme = serializers.CharField(required=False)
    default_model = serializers.CharField(allow_blank=True, required=False)


class Me(Resource):
    """GET → who and what. PATCH → the same after the change; a repeat changes nothing more."""

    scopes: ClassVar = {"GET": ANY, "PATCH": "profile"}
    operations: ClassVar = {
        "GET": Operation(
            _("Whose credential this is, and what it may do"),
            {200: answers.Oneself},
            shown={200: examples.ME},
            tagged=True,
        ),
        "PATCH": Operation(
            _("Set what one may set about oneself"),
            {200: answers.Oneself},
            body=Changes,
            example={"theme": "dark"},
            shown={200: examples.ME | {"theme": "dark"}},
            once=Once.STORED,
            guarded=True,
        ),
    }

    def get(self, request: Request) -> Response:
        return revisions.tagged(_shown(principal_of(request)))

    @transaction.atomic
    def patch(self, request: Request) -> Response:
        principal = principal_of(request)
        given = Changes.read(request, partial=True)
        user = User.objects.select_for_update().get(pk=principal.user_id)
        revisions.check(request, _shown(principal, user=user))
        form = profile.Profile({name: getattr(user, name) for name in profile.FIELDS} | given, instance=user)
        if not form.is_valid():
            raise serializers.ValidationError(
                {field: [str(text) for text in texts] for field, texts in form.errors.items()}
            )
        profile.save(form, request=request._request, key=principal.key)
        return revisions.tagged(_shown(principal, user=form.instance))


def _shown(principal: Principal, *, user: User | None = None) -> dict[str, Any]:
    user = user or principal.user()
    key = principal.key
    return {
        "id": str(user.uuid),
        "email": user.shown_email,
        "is_service": user.is_service,
        **{field: getattr(user, field) for field in profile.FIELDS},
        "credential": {
            "kind": principal.kind,
            "scopes": sorted(principal.scopes),
            "models": None if principal.model_names is None else sorted(principal.model_names),
            "key": None if key is None else {"id": str(key.uuid), "name": key.name, "prefix": key.prefix},
        },
    }
