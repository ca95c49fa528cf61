"""What the OpenAPI document shows as an example of each answer: an invented person, one conversation, one key."""

from __future__ import annotations

from typing import Any

CONVERSATION_ID, QUESTION_ID, ANSWER_ID, GENERATION_ID, KEY_ID, PERSON_ID = (
    f"{number}f0a2c1e-5b7d-4c7e-9a53-2d1c8e0f4b6a" for number in range(6)
)
AT, LATER = "2027-06-01T09:30:00Z", "2027-06-01T09:30:03Z"

CONVERSATION: dict[str, Any] = {
    "id": CONVERSATION_ID, "title": "Light years", "model": "demo", "mode": None, "version": 1, "leaf": ANSWER_ID,
    "unseen": False, "created_at": AT, "updated_at": AT, "deleted_at": None, "expires_at": None,
}  # fmt: skip
CONVERSATIONS = {"items": [CONVERSATION], "next_cursor": None}
GENERATION: dict[str, Any] = {
    "id": GENERATION_ID, "state": "done", "ended": True, "model": "demo", "finish_reason": "stop", "error": None,
    "usage": {"input_tokens": 61, "output_tokens": 24, "estimated": False}, "created_at": AT, "finished_at": LATER,
}  # fmt: skip
WHERE = {"conversation": CONVERSATION_ID, "message": ANSWER_ID, "question": QUESTION_ID}
ANSWER = GENERATION | WHERE | {"text": "About 9.46 trillion kilometres.", "next_after": 31, "note": None}
BEGUN = {"state": "queued", "ended": False, "finish_reason": None, "usage": None, "finished_at": None}
TAKEN = ANSWER | BEGUN | {"text": "", "next_after": 0}
QUESTION: dict[str, Any] = {
    "id": QUESTION_ID, "parent": None, "role": "user", "text": "How long is a light year?", "created_at": AT,
}  # fmt: skip
ANSWERED: dict[str, Any] = {
    "id": ANSWER_ID, "parent": QUESTION_ID, "role": "assistant", "text": "About 9.46 trillion kilometres.",
    "created_at": AT, "generation": GENERATION,
}  # fmt: skip
MESSAGES = {"items": [QUESTION, ANSWERED], "has_older": False}
TREE = {"items": [QUESTION, ANSWERED], "next_cursor": None}
MODELS = {
    "items": [{
        "id": "demo", "name": "Demo", "description": "", "context_length": 32000, "max_output_tokens": 4096,
        "usual_output_tokens": 1024, "modes": [{"key": "think", "name": "Think"}],
    }],
}  # fmt: skip
ME: dict[str, Any] = {
    "id": PERSON_ID, "email": "ada@example.com", "is_service": False, "name": "Ada", "language": "en",
    "time_zone": "Europe/London", "theme": "system", "default_model": "",
    "credential": {
        "kind": "key", "scopes": ["chat", "models"], "models": None,
        "key": {"id": KEY_ID, "name": "Editor", "prefix": "sk-Ab3dEf7h"},
    },
}  # fmt: skip
KEY: dict[str, Any] = {
    "id": KEY_ID, "name": "Editor", "prefix": "sk-Ab3dEf7h", "state": "active", "scopes": ["chat", "models"], "models": [],
    "allowed_ips": [], "created_at": AT, "expires_at": None, "last_used_at": LATER, "revoked_at": None, "replaced_by": None,
    "owner": {"id": PERSON_ID, "email": "ada@example.com", "name": "Ada", "is_service": False},
}  # fmt: skip
MADE_KEY = KEY | {"key": "sk-…", "last_used_at": None}
KEYS = {"items": [KEY], "count": 1, "page": 1, "pages": 1}
TOKENS = {"access": "eyJ…", "refresh": "eyJ…", "token_type": "Bearer", "expires_in": 600}
USED = {
    "from": "2027-05-03", "to": "2027-06-01", "time_zone": "Europe/London", "currency": "EUR",
    "items": [{
        "day": "2027-06-01", "model": "demo", "requests": 1, "input_tokens": 61, "output_tokens": 24,
        "requests_without_price": 0, "cost_micro": 4100,
    }],
    "total": {"requests": 1, "tokens": 85, "requests_without_price": 0, "cost_micro": 4100},
}  # fmt: skip
LIMITS = {
    "time_zone": "Europe/London", "currency": "EUR", "team": "Research",
    "items": [{
        "id": KEY_ID, "applies": True, "why": "own", "scope": "person", "of": "Ada", "unit": "requests", "period": "day",
        "models": None, "at_limit": "block", "used_percent": 25, "held_percent": 0, "resets_at": "2027-06-01T23:00:00Z",
        "limit": 100, "used": 25, "held": 0, "left": 75,
    }],
}  # fmt: skip
