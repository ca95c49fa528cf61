"""Holds an answer against the OpenAPI document: its status, its kind, its headers and every member of its body must be declared.

Stricter than the document itself: what it leaves open (further members) is closed here, so that nothing is answered untold.
"""

from __future__ import annotations

import copy
import functools
import json
import re
from typing import Any
from urllib.parse import urlsplit

from django.utils import translation
from jsonschema import Draft202012Validator, FormatChecker

from api import openapi

OPEN = ("Problem", "OpenApi")
"""Shapes whose further members belong to a code, or to another standard."""


def check(method: str, url: str, answer: Any) -> None:
    """Fails when the document does not say so. Nothing is said of addresses and methods that there are not."""
    operation = operation_of(method, urlsplit(url).path)
    if operation is not None:
        assert faults(operation, answer) == [], (method, url, answer.content[:600])


def operation_of(method: str, path: str) -> dict[str, Any] | None:
    """What the document says of a request."""
    for pattern, methods in _paths():
        if pattern.fullmatch(path):
            found: dict[str, Any] | None = methods.get(method.lower())
            return found
    return None


def faults(operation: dict[str, Any], answer: Any) -> list[str]:
    """What of this answer is not declared."""
    declared = operation["responses"].get(str(answer.status_code))
    if declared is None:
        return [f"status {answer.status_code} is not declared"]
    content = declared.get("content")
    if content is None:
        return ["a body that is not declared"] if answer.content else []
    kind = answer["Content-Type"].partition(";")[0]
    if kind not in content:
        return [f"{kind} is not declared"]
    missing = [name for name in ("ETag", "Location") if (name in answer) != (name in declared.get("headers", {}))]
    validator = _validator(json.dumps(content[kind]["schema"]))
    return [f"{name} is not as declared" for name in missing] + [
        f"{'/'.join(map(str, error.absolute_path))}: {error.message[:200]}"
        for error in validator.iter_errors(json.loads(answer.content))
    ]


def examples() -> list[tuple[str, Any, Any]]:
    """(where, schema, value) of every example."""
    found = []
    for path, methods in document()["paths"].items():
        for method, operation in methods.items():
            places = [("request", operation.get("requestBody", {})), *operation["responses"].items()]
            for name, place in places:
                for kind, content in place.get("content", {}).items():
                    found += [
                        (f"{method} {path} {name} {kind}", content["schema"], each["value"])
                        for each in content.get("examples", {}).values()
                    ]
    return found


def fits(schema: Any, value: Any) -> list[str]:
    """What of a value does not fit a schema of the document."""
    return [error.message for error in _validator(json.dumps(schema)).iter_errors(value)]


@functools.cache
def _validator(schema: str) -> Any:
    whole = {**json.loads(schema), "components": document()["components"]}
    return Draft202012Validator(whole, format_checker=FormatChecker())


@functools.cache
def _paths() -> list[tuple[re.Pattern[str], dict[str, Any]]]:
    return [
        (re.compile(re.sub(r"\\\{\w+\\\}", "[0-9a-f-]{36}", re.escape(template))), methods)
        for template, methods in document()["paths"].items()
    ]


@functools.cache
def document() -> dict[str, Any]:
    """The document, closed."""
    with translation.override("en"):
        found = copy.deepcopy(openapi.document())
    for name, schema in found["components"]["schemas"].items():
        if name not in OPEN and schema.get("type") == "object":
            schema["additionalProperties"] = False
            if "allOf" in schema:
                raise AssertionError(f"{name} can't be closed")
    return found
