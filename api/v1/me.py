"""Whose credential this is and what it may do; and what its owner may set about herself, which is five fields."""

from __future__ import annotations

from typing import Any, ClassVar

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts import audit, forms
from accounts.authentication import Principal
from accounts.models import Theme, User
from api.credentials import principal_of
from api.permissions import ANY
from api.resource import Body, Resource
from providers import access

WRITABLE = ("name", "language", "time_zone", "theme", "default_model")


class Changes(Body):
    """What may be set; everything else is refused by name."""

    name = serializers.CharField(max_length=120, allow_blank=True, required=False)
    language = serializers.ChoiceField(choices=["", *dict(settings.LANGUAGES)], required=False)
    time_zone = serializers.CharField(max_length=64, allow_blank=True, required=False)
    theme = serializers.ChoiceField(choices=Theme.values, required=False)
    default_model = serializers.CharField(max_length=200, allow_blank=True, required=False)

    def validate_time_zone(self, value: str) -> str:
        if value not in {name for name, _label in forms.time_zones(gettext_lazy("As the organisation"))}:
            raise serializers.ValidationError(_("There is no such time zone. Write a name like Asia/Shanghai."))
        return value


class Me(Resource):
    """GET → who and what. PATCH → the same after the change; a repeat changes nothing more."""

    scopes: ClassVar = {"GET": ANY, "PATCH": "profile"}

    def get(self, request: Request) -> Response:
        return Response(_shown(principal_of(request)))

    def patch(self, request: Request) -> Response:
        principal = principal_of(request)
        given = Changes.read(request, partial=True)
        model = given.get("default_model")
        if model and access.models_for(principal.user()).filter(slug=model).first() is None:
            raise serializers.ValidationError({"default_model": [_("No such model is available to you.")]})
        with transaction.atomic():
            user = User.objects.select_for_update().get(pk=principal.user_id)
            changes = {
                field: [getattr(user, field), value] for field, value in given.items() if getattr(user, field) != value
            }
            for field, (_before, after) in changes.items():
                setattr(user, field, after)
            if changes:
                user.save(update_fields=list(changes))
                audit.record(
                    "person.changed",
                    actor=principal.key or user,
                    request=request._request,
                    target=user,
                    changes=changes,
                )
        return Response(_shown(principal, user=user))


def _shown(principal: Principal, *, user: User | None = None) -> dict[str, Any]:
    user = user or principal.user()
    key = principal.key
    return {
        "id": str(user.uuid),
        "email": user.email,
        "is_service": user.is_service,
        **{field: getattr(user, field) for field in WRITABLE},
        "credential": {
            "kind": principal.kind,
            "scopes": sorted(principal.scopes),
            "models": None if principal.model_names is None else sorted(principal.model_names),
            "key": None if key is None else {"id": str(key.uuid), "name": key.name, "prefix": key.prefix},
        },
    }
