"""What a person's request says: a form or a JSON body as checked, typed fields. Touches no row, carries nothing out."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest
from django.utils.translation import gettext as _

from chat.messages import Refused

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_NUMBER = re.compile(r"[0-9]{1,9}")
# Beyond this many levels a body is no question of ours, whatever the JSON reader could still take.
MAX_DEPTH = 20


@dataclass(frozen=True)
class Asked:
    """The fields of every verb; one that was not given is "" (version: None)."""

    text: str = ""
    client_id: str = ""
    conversation: str = ""
    model: str = ""
    mode: str = ""
    version: int | None = None
    title: str = ""
    temporary: bool = False


def read(request: HttpRequest) -> Asked:
    """The body's fields. Raises Refused: 400 for what can't be read, 413 for what is too large."""
    fields = _json(request) if request.content_type == "application/json" else _form(request)
    return Asked(
        text=_text(fields, "text"),
        client_id=_text(fields, "client_id"),
        conversation=_text(fields, "conversation"),
        model=_text(fields, "model"),
        # A form sends the switch of every model; the one that was chosen counts.
        mode=_text(fields, "mode") or _text(fields, f"mode:{_text(fields, 'model')}"),
        version=_number(fields, "version"),
        title=_text(fields, "title"),
        temporary=_text(fields, "temporary") == "1",
    )


def _form(request: HttpRequest) -> Mapping[str, Any]:
    if request.content_type not in {"application/x-www-form-urlencoded", "multipart/form-data", ""}:
        raise Refused(400, "bad_body", _("Send a form or a JSON object."))
    try:
        # Browsers send line ends of a text box as CRLF.
        return {name: value.replace("\r\n", "\n") for name, value in request.POST.items() if isinstance(value, str)}
    except RequestDataTooBig:
        raise _too_large() from None


def _json(request: HttpRequest) -> Mapping[str, Any]:
    try:
        body = request.body
    except RequestDataTooBig:
        raise _too_large() from None
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict) or _deeper(found, than=MAX_DEPTH):
        raise Refused(400, "bad_body", _("Send a form or a JSON object."))
    return found


def _deeper(value: Any, *, than: int) -> bool:
    """Whether lists and objects stand inside each other more than `than` levels deep; without recursion."""
    level = [value]
    for _depth in range(than):
        inner: list[Any] = []
        for each in level:
            inner += each.values() if isinstance(each, dict) else each if isinstance(each, list) else ()
        level = [each for each in inner if isinstance(each, dict | list)]
        if not level:
            return False
    return True


def _text(fields: Mapping[str, Any], name: str) -> str:
    value = fields.get(name)
    if value is None:
        return ""
    if not isinstance(value, str) or _UNSTORABLE.search(value):
        raise _bad(name)
    return value


def _number(fields: Mapping[str, Any], name: str) -> int | None:
    value = fields.get(name)
    if value is None or value == "":
        return None
    if isinstance(value, str) and _NUMBER.fullmatch(value):
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 10**9:
        raise _bad(name)
    return value


def _bad(name: str) -> Refused:
    return Refused(400, "bad_field", _("The field “%s” can't be read.") % name, {"field": name})


def _too_large() -> Refused:
    return Refused(413, "too_large", _("The request is too large."))
