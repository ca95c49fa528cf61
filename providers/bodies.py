"""Further fields of a request's body: what an administrator may add to every call of a model, and what stays ours. Pure; calls nobody."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any, NoReturn

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

RESERVED = frozenset({"model", "messages", "stream", "stream_options", "n", "max_tokens", "max_completion_tokens"})
"""Fields that decide what is asked, what it costs and how it is read: nothing that is added ever stands in for them."""

# What the answer's reader does not understand yet: a call of a tool would end as an empty answer.
NOT_READ = frozenset({"tools", "tool_choice", "functions", "function_call", "modalities", "audio"})
LONGEST, DEEPEST, MOST = 4_000, 5, 30
_LARGEST = 2**53


def parse(text: str) -> dict[str, Any]:
    """The fields that are written there as a JSON object; none for an empty text. Raises ValidationError and says what is wrong."""
    if not text.strip():
        return {}
    if len(text) > LONGEST:
        raise ValidationError(_("At most 4,000 characters."))
    try:
        found = json.loads(text, parse_constant=_no_number, object_pairs_hook=_once)
    except json.JSONDecodeError as error:
        values = {"line": error.lineno, "column": error.colno}
        raise ValidationError(_("This is no JSON: line %(line)d, place %(column)d.") % values) from None
    except (RecursionError, ValueError):
        raise ValidationError(_("This is no JSON.")) from None
    if not isinstance(found, dict):
        raise ValidationError(_('Write a JSON object, for example {"temperature": 0.2}.'))
    check(found)
    return found


def check(fields: Mapping[str, Any]) -> None:
    """Raises ValidationError for what is ours to say, for too many or too deep fields, and for what no provider could be sent."""
    taken = sorted((RESERVED | NOT_READ) & fields.keys())
    if taken:
        raise ValidationError(_("These fields are the portal's own: %(names)s.") % {"names": ", ".join(taken)})
    if len(fields) > MOST:
        raise ValidationError(_("At most 30 fields."))
    _look(fields, depth=1)


def _look(value: Any, *, depth: int) -> None:
    if depth > DEEPEST:
        raise ValidationError(_("At most five objects or lists inside each other."))
    if isinstance(value, dict):
        for name, inner in value.items():
            _look_at_text(name)
            _look(inner, depth=depth + 1 if isinstance(inner, dict | list) else depth)
    elif isinstance(value, list):
        for inner in value:
            _look(inner, depth=depth + 1 if isinstance(inner, dict | list) else depth)
    elif isinstance(value, str):
        _look_at_text(value)
    elif isinstance(value, int | float) and not (math.isfinite(value) and abs(value) <= _LARGEST):
        raise ValidationError(_("A number is too large."))


def _look_at_text(text: str) -> None:
    if any(sign == "\0" or "\ud800" <= sign <= "\udfff" for sign in text):
        raise ValidationError(_("The text has characters that can't be stored."))


def _no_number(word: str) -> NoReturn:
    raise ValueError(word)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A field that stands there twice would lose one of its values without a word."""
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _value in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValidationError(_("The field “%(name)s” stands there twice.") % {"name": twice})
    return found


def written(fields: Mapping[str, Any]) -> str:
    """As it stands in the form."""
    return json.dumps(fields, ensure_ascii=False, indent=1) if fields else ""
