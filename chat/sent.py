"""What an answer's model was sent, read back for the answer's details. Writes nothing and asks no provider."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime

from chat import prompts, queries
from chat.models import Generation
from providers import modes

_SHOWN = ("model", "max_tokens", "tokens", "provider", "body")
_WINDOW = 1_000_000


@dataclass(frozen=True)
class Part:
    """One message as it was sent."""

    role: str
    text: str


@dataclass(frozen=True)
class Sent:
    """Everything that was sent; `cut` older messages were not. Times in seconds, None while unknown."""

    model: str
    messages: list[Part]
    cut: int
    parameters: str
    queue_s: float | None
    first_s: float | None
    whole_s: float | None
    mode: str = ""


def of(generation: Generation) -> Sent:
    """The request of this generation. Messages never change, so that the path still says what was sent."""
    noted = generation.request.get("sent") or {}
    parameters = {name: noted[name] for name in _SHOWN if name in noted}
    model = generation.model.name if generation.model else str(generation.request.get("model") or "")
    return Sent(
        model=model,
        messages=_messages(generation) if noted else [],
        cut=int(noted.get("cut") or 0),
        parameters=json.dumps(parameters, ensure_ascii=False, indent=1) if parameters else "",
        queue_s=_seconds(generation.created_at, generation.started_at),
        first_s=_seconds(generation.created_at, generation.first_token_at),
        whole_s=_seconds(generation.created_at, generation.finished_at),
        mode=_mode(generation),
    )


def _mode(generation: Generation) -> str:
    """How it was asked, by the name that this has now; by its key where the model no longer has it."""
    key = str(generation.request.get("mode") or "")
    mode = modes.named(generation.model, key) if generation.model and key else None
    return mode.label if mode else key


def fell_back(generation: Generation) -> tuple[str, str] | None:
    """(who is asked, who comes first and does not answer), once a call has gone out; None where all went as it should."""
    noted = generation.request.get("sent") or {}
    if not noted.get("instead_of") or generation.state in ("queued", "waiting"):
        return None
    return str(noted.get("provider") or ""), str(noted["instead_of"])


def _messages(generation: Generation) -> list[Part]:
    noted = generation.request["sent"]
    window = generation.model.context_window if generation.model else _WINDOW
    turns, _older = queries.turns_for(generation, context_window=window)
    start = next((place for place, turn in enumerate(turns) if turn.uuid == noted.get("first")), 0)
    parts = [Part("system", noted["system"])] if noted.get("system") else []
    parts += [Part(turn.role, turn.text) for turn in turns[start:]]
    return parts + ([Part("user", prompts.CONTINUE)] if noted.get("continues") else [])


def _seconds(start: datetime | None, end: datetime | None) -> float | None:
    return None if start is None or end is None else max(0.0, (end - start).total_seconds())
