"""JSON in and JSON out, whatever the client says it would like; nothing that a browser sends by itself is read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import IO, Any, TypeVar

import orjson
from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest
from rest_framework.exceptions import ParseError
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request

DEEPEST = 32
"""Levels of lists and objects; no request of ours has more than three."""
Parser = TypeVar("Parser", bound=BaseParser)
Renderer = TypeVar("Renderer", bound=BaseRenderer)


class StrictJson(BaseParser):
    """JSON in UTF-8 by the letter: no NaN, no lone surrogates, no other charset, no depth that could break the reader."""

    media_type = "application/json"

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        most = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        body = stream.read(most + 1)
        if len(body) > most:
            raise RequestDataTooBig
        try:
            found = orjson.loads(body)
        except orjson.JSONDecodeError as error:
            raise ParseError from error
        if _deeper_than(found, most=DEEPEST):
            raise ParseError
        return found


class OnlyJson(BaseContentNegotiation):
    """One way to answer; one way to ask."""

    def select_parser(self, request: Request, parsers: Iterable[Parser]) -> Parser | None:
        kind = (request.content_type or "").partition(";")[0].strip().lower()
        return next((parser for parser in parsers if parser.media_type == kind), None)

    def select_renderer(
        self, request: Request | HttpRequest, renderers: Iterable[Renderer], format_suffix: str | None = None
    ) -> tuple[Renderer, str]:
        first = next(iter(renderers))
        return first, first.media_type or "application/json"


def _deeper_than(found: Any, *, most: int) -> bool:
    level = [found]
    for _depth in range(most):
        level = [
            inner
            for outer in level
            if isinstance(outer, dict | list)
            for inner in (outer.values() if isinstance(outer, dict) else outer)
        ]
        if not level:
            return False
    return True
