"""The OpenAPI document: drf-spectacular over the views' own `operations`, and what all have in common. Heavy: loaded when asked.

Nothing is guessed from code: what a view does not say stands in no document, and a view that says nothing is an error.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from typing import Any, cast

from django.conf import settings
from django.urls import include, path
from django.utils import translation
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse

from api import answers, problem
from api.operations import Operation
from api.permissions import ANY
from api.resource import Body, Resource

ALWAYS = (400, 401, 403, 429, 500, 503)
"""What every address may answer to a credential that lives, or to none."""
WITH_A_BODY = (408, 413, 415)
UNSAFE = frozenset({"POST", "PUT", "PATCH", "DELETE"})
WORDS: Mapping[int, str | Promise] = {
    200: gettext_lazy("It is here."),
    201: gettext_lazy("It was made."),
    202: gettext_lazy("It was taken; the answer follows."),
    204: gettext_lazy("It is done."),
    400: gettext_lazy("It can't be taken as it is: `errors` says by field why."),
    401: gettext_lazy("There is no credential that counts."),
    403: gettext_lazy("The credential may not do this."),
    404: gettext_lazy("There is nothing here, or it is not yours."),
    408: gettext_lazy("The body did not arrive."),
    409: gettext_lazy("It does not fit how things stand now."),
    412: gettext_lazy("It was changed meanwhile: read it again."),
    413: gettext_lazy("It is too large."),
    415: gettext_lazy("It is not JSON."),
    422: gettext_lazy("It can be read and not be done."),
    429: gettext_lazy("Too often, or a limit is reached: `Retry-After` says when."),
    500: gettext_lazy("Something went wrong on our side."),
    503: gettext_lazy("Come back later: `Retry-After` says when."),
}
SCHEMES: Mapping[str, Mapping[str, str]] = {
    "key": {"type": "http", "scheme": "bearer", "bearerFormat": "sk-…"},
    "token": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
    "session": {"type": "apiKey", "in": "cookie", "name": "sessionid"},
}
"""A session is for our own pages, which send their CSRF token with what changes something."""


class Described(AutoSchema):
    """Reads a view's `operations`."""

    @property
    def said(self) -> Operation:
        """What the view says of the method in hand. Raises KeyError where it says nothing."""
        return cast(Resource, self.view).operations[self.method]

    def get_operation_id(self) -> str:
        return f"{self._named()}_{self.method.lower()}"

    def _named(self) -> str:
        parts = [part for part in self.path.removeprefix("/api/v1/").split("/") if part and not part.startswith("{")]
        one = "one" if self.path.rstrip("/").endswith("}") else ""
        return "_".join(part.replace("-", "_") for part in [*parts, one] if part)

    def get_tags(self) -> list[str]:
        return [self.path.removeprefix("/api/v1/").split("/")[0]]

    def get_summary(self) -> str:
        return str(self.said.summary)

    def get_description(self) -> str:  # type: ignore[override]  # drf-spectacular's takes none, REST framework's does
        scope = getattr(self.view, "scopes", {}).get(self.method)
        needs = _("Scope: `%s`.") % scope if scope and scope != ANY else ""
        return " ".join(part for part in (str(self.said.more), needs) if part)

    def get_auth(self) -> list[dict[str, list[str]]]:
        return [{}] if self.said.open else [{name: []} for name in SCHEMES]

    def get_request_serializer(self) -> Any:
        return self.said.body

    def get_response_serializers(self) -> Any:
        """What it answers, and every refusal, by status and kind."""
        said = self.said
        found: dict[Any, Any] = {}
        for status, shape in said.answers.items():
            found[(status, "application/json")] = OpenApiResponse(shape, str(WORDS[status]))
            if said.streams:
                found[(status, "text/event-stream")] = OpenApiResponse({"type": "string"}, str(WORDS[status]))
        for status in sorted({*ALWAYS, *said.refuses, *self._of_its_kind()}):
            found[(status, problem.CONTENT_TYPE)] = OpenApiResponse(answers.Problem, str(WORDS[status]))
        return found

    def _of_its_kind(self) -> tuple[int, ...]:
        found = WITH_A_BODY if self.method in UNSAFE else ()
        return (*found, *((404,) if "{" in self.path else ()), *((412,) if self.said.guarded else ()),
                *((409, 422) if self.said.once else ()))  # fmt: skip

    def get_override_parameters(self) -> list[Any]:
        said = self.said
        found: list[Any] = [said.query] if said.query else []
        if said.once:
            words = _("Makes a repeat a repeat: the first answer comes again, and nothing is done twice.")
            found.append(_header("Idempotency-Key", words, schema={"type": "string", "minLength": 1, "maxLength": 200}))
        if said.guarded:
            found.append(_header("If-Match", _("The ETag of what you know; what was changed meanwhile is refused.")))
        if said.guarded or said.tagged:
            known = [status for status in said.answers if status == 200]
            found.append(_answered("ETag", _("Names this state of it."), statuses=known))
        if said.located:
            found.append(_answered("Location", _("Where it is."), statuses=said.located))
        found.append(_answered("Retry-After", _("Seconds."), statuses=(429, 503)))
        return found

    def get_examples(self) -> list[OpenApiExample]:
        said = self.said
        found = (
            [OpenApiExample(_("For example"), value=said.example, request_only=True)]
            if said.example is not None
            else []
        )
        return found + [
            OpenApiExample(
                _("For example"), value=value, response_only=True, status_codes=[str(status)], media_type="application/json"
            )
            for status, value in said.shown.items()
        ]  # fmt: skip

    def _get_serializer_name(self, serializer: Any, direction: Any, bypass_extensions: bool = False) -> str:  # noqa: FBT001, FBT002
        """What is asked and what is answered may have the same name."""
        name: str = super()._get_serializer_name(serializer, direction, bypass_extensions)
        return f"{name.removesuffix('Body') or 'Empty'}Body" if isinstance(serializer, Body) else name

    def _map_basic_serializer(self, serializer: Any, direction: Any) -> Any:
        """Of a body: that an unknown field is refused."""
        found = super()._map_basic_serializer(serializer, direction)
        return found | {"additionalProperties": False} if isinstance(serializer, Body) else found


def _header(name: str, words: str, *, schema: Any = str) -> OpenApiParameter:
    return OpenApiParameter(name, type=schema, location=OpenApiParameter.HEADER, description=words)


def _answered(name: str, words: str, *, statuses: Any) -> OpenApiParameter:
    return OpenApiParameter(
        name, type=str, location=OpenApiParameter.HEADER, description=words, response=[int(each) for each in statuses]
    )


def document() -> dict[str, Any]:
    """The document in the language of the moment. The caller changes nothing of it."""
    return _made(translation.get_language() or "en")


def as_json() -> bytes:
    """The same, to be sent."""
    return _written(translation.get_language() or "en")


@functools.lru_cache(maxsize=4)
def _made(language: str) -> dict[str, Any]:
    with translation.override(language):
        patterns = [path("api/", include("api.urls"))]
        found: dict[str, Any] = SchemaGenerator(patterns=patterns, api_version="v1").get_schema(public=True)
        found["info"] |= {"description": _("How programs ask and read. Addresses end with a slash.")}
        found["servers"] = [{"url": settings.PUBLIC_URL or "/"}]
        found.setdefault("components", {})["securitySchemes"] = SCHEMES
        plain: dict[str, Any] = json.loads(json.dumps(found, default=str))
        return plain


@functools.lru_cache(maxsize=4)
def _written(language: str) -> bytes:
    return json.dumps(_made(language), ensure_ascii=False, separators=(",", ":")).encode()
