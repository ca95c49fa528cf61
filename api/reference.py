"""The OpenAPI document as the page shows it: by resource, each operation with what it takes, a line for the shell and an answer. Pure."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from api import openapi

METHODS = ("get", "post", "put", "patch", "delete")


@dataclass(frozen=True, slots=True)
class Field:
    """Something that an operation takes. `place`: where it stands (path, query, header, body)."""

    name: str
    place: str
    kind: str
    required: bool
    words: str


@dataclass(frozen=True, slots=True)
class Shown:
    """One operation. `answers`: status and words; `example`: an answer as JSON; `command`: a line for the shell."""

    id: str
    method: str
    path: str
    summary: str
    words: str
    fields: list[Field]
    answers: list[tuple[str, str]]
    command: str
    example: str


@dataclass(frozen=True, slots=True)
class Part:
    """The operations of one resource."""

    name: str
    operations: list[Shown]


def parts(*, base: str) -> list[Part]:
    """Every operation, by resource, in the document's order."""
    document = openapi.document()
    found: dict[str, list[Shown]] = {}
    for path, methods in document["paths"].items():
        for method in METHODS:
            if method in methods:
                operation = methods[method]
                found.setdefault(operation["tags"][0], []).append(
                    _shown(operation, method=method, path=path, base=base, document=document)
                )
    return [Part(name, operations) for name, operations in found.items()]


def _shown(operation: Mapping[str, Any], *, method: str, path: str, base: str, document: Mapping[str, Any]) -> Shown:
    body = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
    return Shown(
        operation["operationId"],
        method.upper(),
        path,
        operation["summary"],
        operation.get("description", ""),
        [*_parameters(operation), *_members(body.get("schema", {}), document=document)],
        [(status, answer["description"]) for status, answer in operation["responses"].items()],
        command(method.upper(), f"{base}{path}", body=_example(body), open=operation["security"] == [{}]),
        next(_answers(operation), ""),
    )


def command(method: str, address: str, *, body: Any, open: bool) -> str:
    """The line for the shell."""
    words = ["curl"]
    words += [] if method in {"GET", "POST"} and (method == "GET" or body is not None) else ["-X", method]
    words += [] if open else ["-H", '"Authorization: Bearer $KEY"']
    if body is not None:
        words += ["-H", '"Content-Type: application/json"', "-d", shlex.quote(json.dumps(body, ensure_ascii=False))]
    return " ".join([*words, address])


def _parameters(operation: Mapping[str, Any]) -> Iterator[Field]:
    for each in operation.get("parameters", []):
        required = each.get("required", False)
        yield Field(each["name"], each["in"], _kind(each["schema"]), required, each.get("description", ""))


def _members(schema: Mapping[str, Any], *, document: Mapping[str, Any]) -> Iterator[Field]:
    named = schema.get("$ref", "").rpartition("/")[2]
    found = document["components"]["schemas"].get(named, {})
    for name, member in found.get("properties", {}).items():
        required = name in found.get("required", ())
        yield Field(name, "body", _kind(member), required, member.get("description", ""))


def _kind(schema: Mapping[str, Any]) -> str:
    kind = schema.get("type", "")
    kinds = [each for each in (kind if isinstance(kind, list) else [kind]) if each != "null"]
    return str(schema.get("format") or " ".join(kinds))


def _example(content: Mapping[str, Any]) -> Any:
    return next((each["value"] for each in content.get("examples", {}).values()), None)


def _answers(operation: Mapping[str, Any]) -> Iterator[str]:
    for answer in operation["responses"].values():
        value = _example(answer.get("content", {}).get("application/json", {}))
        if value is not None:
            yield json.dumps(value, ensure_ascii=False, indent=2)
