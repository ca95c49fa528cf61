"""Conversations, messages and answers as programs see them: plain data, the same from every address."""

from __future__ import annotations

import datetime as dt
from typing import Any

from chat import notes
from chat.models import Conversation, Generation, Message
from providers import modes
from providers.models import LanguageModel


def conversation(row: Conversation) -> dict[str, Any]:
    """One conversation without its messages. `version` rises with every message; `leaf` is its newest one."""
    return {
        "id": str(row.uuid),
        "title": row.title,
        "model": None if row.model is None else row.model.slug,
        "mode": row.mode or None,
        "version": row.version,
        "leaf": None if row.leaf is None else str(row.leaf.uuid),
        "unseen": row.unseen,
        "created_at": row.created_at,
        "updated_at": row.updated_at,
        "deleted_at": row.deleted_at,
        "expires_at": row.expires_at,
    }


def message(row: Message, *, generation: Generation | None = None) -> dict[str, Any]:
    """One message; an answer with its newest generation."""
    made: dict[str, Any] = {
        "id": str(row.uuid),
        "parent": None if row.parent is None else str(row.parent.uuid),
        "role": row.role,
        "text": row.text,
        "created_at": row.created_at,
    }
    if row.role == Message.Role.ASSISTANT:
        made["generation"] = None if generation is None else _of(generation)
    return made


def generation(row: Generation, *, text: str, after: int = 0, now: dt.datetime) -> dict[str, Any]:
    """One answer as it stands: `text` from the character `after` on, `next_after` for the next look, `ended` once nothing follows.

    `note` says in words why it waits or how it ended, where there is something to say; `error` is its code.
    """
    note = notes.note_for(row, now=now)
    return _of(row) | {
        "conversation": str(row.conversation.uuid),
        "message": str(row.message.uuid),
        "text": text[after:],
        "next_after": max(after, len(text)),
        "note": None if note is None else note["text"],
    }


def _of(row: Generation) -> dict[str, Any]:
    counted = row.input_tokens is not None
    return {
        "id": str(row.uuid),
        "state": row.state,
        "ended": not row.active,
        "model": None if row.model is None else row.model.slug,
        "finish_reason": row.finish_reason or None,
        "error": row.error_kind or None,
        "usage": {
            "input_tokens": row.input_tokens,
            "output_tokens": row.output_tokens,
            "estimated": row.usage_estimated,
        }
        if counted
        else None,
        "created_at": row.created_at,
        "finished_at": row.finished_at,
    }


def model(row: LanguageModel) -> dict[str, Any]:
    """A model that may be asked. Sizes in tokens."""
    return {
        "id": row.slug,
        "name": row.name,
        "description": row.description,
        "context_length": row.context_window,
        "max_output_tokens": row.max_output_tokens,
        "usual_output_tokens": row.answer_tokens,
        "modes": [{"key": mode.key, "name": mode.label} for mode in modes.of(row)],
    }
