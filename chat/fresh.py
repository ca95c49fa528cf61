"""The HTML of turns that have just been sent, quickly: the page's own fragments, rendered once a language with marks where turns differ.

Whatever a mark does not stand for (a note, another model's name, words that are there already) is left to the templates.
"""

from __future__ import annotations

import re
from functools import lru_cache
from uuid import UUID

from django.http import HttpRequest
from django.template.loader import render_to_string
from django.urls import get_script_prefix
from django.utils.html import escape
from django.utils.translation import get_language

from chat.models import Generation, Message
from chat.page import Turn

_ID, _GENERATION = UUID("00000000-0000-4000-8000-00000000f4e5"), UUID("00000000-0000-4000-8000-00000000f4e6")
_TEXT, _POLL, _LANG = "fresh-text", "fresh-poll", "fresh-lang"
_MARKS = re.compile(f'({_ID}|{_GENERATION}|{_TEXT}|{_POLL}| lang="{_LANG}")')


def html(request: HttpRequest, turns: list[Turn]) -> str:
    """The fragments of these turns, as `chat/_message.html` gives them, one after the other."""
    return "".join(_quickly(turn) or render_to_string("chat/_message.html", {"turn": turn}, request) for turn in turns)


def _quickly(turn: Turn) -> str:
    """Empty for a turn that is not as fresh as that."""
    generation = turn.generation
    if turn.is_answer and not (
        generation is not None
        and generation.state == Generation.State.QUEUED
        and not (
            turn.note or turn.model_name or turn.fell_back or turn.blocks or turn.message.reasoning or turn.elapsed
        )
    ):
        return ""
    values = {
        str(_ID): str(turn.message.uuid),
        _TEXT: escape(turn.message.text),
        _POLL: escape(turn.poll_url),
        str(_GENERATION): str(generation.uuid) if generation else "",
        f' lang="{_LANG}"': f' lang="{turn.lang}"' if turn.lang else "",
    }
    parts = _parts(turn.is_answer, get_language() or "", get_script_prefix())
    return "".join(values.get(part, part) for part in parts)


@lru_cache(maxsize=16)
def _parts(is_answer: bool, language: str, prefix: str) -> list[str]:  # noqa: FBT001 - a cache's key
    """The fragment in this language, cut at its marks (`prefix`: where the site's addresses begin)."""
    role = Message.Role.ASSISTANT if is_answer else Message.Role.USER
    message = Message(uuid=_ID, role=role, text="" if is_answer else _TEXT)
    generation = Generation(uuid=_GENERATION, state=Generation.State.QUEUED, message=message) if is_answer else None
    turn = Turn(message, lang=_LANG, generation=generation, poll_url=_POLL)
    return _MARKS.split(render_to_string("chat/_message.html", {"turn": turn}))
