"""The models as OpenAI lists them, with what editors want to know of each beyond OpenAI's fields."""

from __future__ import annotations

from typing import Any

import orjson

from api.gateway import entry
from api.gateway.asked import Asked
from api.gateway.entry import Guest
from api.gateway.routes import Look
from providers import modes
from providers.models import LanguageModel


def look(asked: Asked, *, at: Look) -> tuple[Guest, bytes]:
    """The answer's body. In a database thread; raises Refusal."""
    guest = entry.admit(asked, scope="models")
    if at.name:
        choice = entry.choose(guest, name=at.name)
        return guest, orjson.dumps(_model(choice.model, mode=choice.mode))
    rows = [each for row in entry.models(guest) for each in _with_modes(row)]
    return guest, orjson.dumps({"object": "list", "data": rows})


def _with_modes(row: LanguageModel) -> list[dict[str, Any]]:
    """The model, and after it `model:mode` for each way to ask it."""
    return [_model(row), *(_model(row, mode=mode.key) for mode in modes.of(row))]


def _model(row: LanguageModel, *, mode: str = "") -> dict[str, Any]:
    chat = row.kind == LanguageModel.Kind.CHAT
    return {
        "id": f"{row.slug}:{mode}" if mode else row.slug,
        "object": "model",
        "created": int(row.created_at.timestamp()),
        "owned_by": "portal",
        "name": row.name,
        "kind": row.kind,
        "context_length": row.context_window,
        "max_output_tokens": row.max_output_tokens,
        "input_modalities": ["audio"]
        if row.kind == LanguageModel.Kind.AUDIO
        else ["text", "image"]
        if chat
        else ["text"],
        "output_modalities": ["text"],
    }
