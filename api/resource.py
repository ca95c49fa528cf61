"""What every address of the API has in common: no caching, no credential in the address, no redirect, strict bodies."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from django.utils.translation import gettext as _
from django.views.decorators.common import no_append_slash
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts import maintenance
from accounts.authentication import refuse_in_address
from accounts.middleware import organisation_of
from accounts.models import User
from api import repeats, throttling
from api.errors import Problem
from api.operations import Once, Operation


class Resource(APIView):
    """`scopes` names for each method what a credential must be allowed to do (api.permissions), `operations` what it is."""

    scopes: ClassVar[Mapping[str, str]] = {}
    operations: ClassVar[Mapping[str, Operation]] = {}
    # What one may ask stands in docs/api.md; OPTIONS would only serve other sites' pages, which get nothing here.
    http_method_names = ("get", "head", "post", "put", "patch", "delete")

    @classmethod
    def as_view(cls, **initkwargs: Any) -> Any:
        """Without the slash there is nothing: a redirect to the address with it would turn a POST into a GET."""
        return no_append_slash(super().as_view(**initkwargs))

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        refuse_in_address(request._request.META.get("QUERY_STRING", ""))
        super().initial(request, *args, **kwargs)
        self._not_in_maintenance(request)
        self._once(request)

    def _once(self, request: Request) -> None:
        """A call with an Idempotency-Key is carried out at most once, where the verb does not see to that itself."""
        method = request.method or ""
        operation = self.operations.get(method)
        if operation is None or operation.once in {None, Once.ROWS}:
            return
        given = repeats.key_of(request)
        if given is not None:
            name, together = method.lower(), operation.once is Once.STORED
            setattr(self, name, repeats.once(getattr(self, name), given=given, together=together))

    def _not_in_maintenance(self, request: Request) -> None:
        """Programs of people who are not staff are asked to come back later; what only reads is answered as always."""
        user = request.user
        if request.method in {"GET", "HEAD"} or not isinstance(user, User) or user.is_staff:
            return
        organisation = organisation_of(request._request)
        if maintenance.stops(user, organisation=organisation):
            seconds = maintenance.retry_after(organisation)
            raise Problem(503, "maintenance", _("Maintenance: try again later."), retry_after=seconds)

    def finalize_response(self, request: Request, response: Response, *args: Any, **kwargs: Any) -> Response:
        answered = super().finalize_response(request, response, *args, **kwargs)
        throttling.tell(request, answered)
        answered["Cache-Control"] = "no-store, private"
        answered["Vary"] = "Authorization, Cookie, Accept-Language"
        return answered


class Body(serializers.Serializer[Any]):
    """What a request may say. A field that is not listed is refused by name: a misspelt one must not be lost silently."""

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, Mapping):
            unknown = sorted(str(name)[:80] for name in data if name not in self.fields)[:20]
            if unknown:
                raise serializers.ValidationError(
                    {name: [_("There is no such field, or it can't be set.")] for name in unknown}
                )
        return super().to_internal_value(data)

    @classmethod
    def read(cls, request: Request, *, partial: bool = False) -> dict[str, Any]:
        """The checked body. Raises ValidationError."""
        body = cls(data=request.data, partial=partial)
        body.is_valid(raise_exception=True)
        found: dict[str, Any] = body.validated_data
        return found
