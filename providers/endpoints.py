"""Where a provider is and how it wants to be spoken to, as plain values. Imports no openai, opens no socket."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings

from providers import keys
from providers.failures import Failure, Kind
from providers.models import Provider

OPENAI_URL = "https://api.openai.com/v1"
MAX_TOKENS_FIELDS = ("max_completion_tokens", "max_tokens")


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a provider differs from OpenAI's own service."""

    max_tokens_field: str = "max_completion_tokens"
    usage_in_stream: bool = True
    reasoning_fields: tuple[str, ...] = ("reasoning_content", "reasoning")
    system_role: str = "system"

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Dialect:
        """From the provider's row; what is missing or of the wrong kind is as at OpenAI."""
        usual = cls()
        field_name, role = value.get("max_tokens_field"), value.get("system_role")
        usage, fields = value.get("usage_in_stream"), value.get("reasoning_fields")
        return cls(
            max_tokens_field=field_name if field_name in MAX_TOKENS_FIELDS else usual.max_tokens_field,
            usage_in_stream=usage if isinstance(usage, bool) else usual.usage_in_stream,
            reasoning_fields=tuple(map(str, fields)) if isinstance(fields, (list, tuple)) else usual.reasoning_fields,
            system_role=role if role in ("system", "developer", "user") else usual.system_role,
        )

    def to_json(self) -> dict[str, Any]:
        """As it is stored in the provider's row."""
        return {**asdict(self), "reasoning_fields": list(self.reasoning_fields)}


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Everything needed to call a provider. Its key never appears in a representation."""

    base_url: str
    key: str = field(default="", repr=False)
    proxy: str = field(default="", repr=False)  # may carry a password
    ca_bundle: str = ""
    dialect: Dialect = Dialect()
    name: str = ""
    allow_private: bool = True


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """A line of a provider's list of models. `created`: Unix time or 0."""

    id: str
    owned_by: str = ""
    created: int = 0


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """What a few small calls have shown: the dialect that works (None: none does), and what was seen."""

    dialect: Dialect | None
    failure: Failure | None = None
    saw_usage: bool = False
    saw_reasoning: bool = False
    honours_limit: bool = False
    seconds: float = 0.0
    text: str = ""


def endpoint_for(provider: Provider, *, next_key: bool = False) -> Endpoint:
    """The endpoint of a row. One from the environment takes key, address and proxy from this process's settings.

    `next_key`: with the key that was pasted but is not in use yet, to test it. Raises Failure(BAD_KEY) when the stored
    key cannot be read any more.
    """
    allow_private = True  # whoever writes the environment owns the machine
    if provider.source == Provider.Source.ENVIRONMENT:
        base_url, key = settings.OPENAI_BASE_URL or OPENAI_URL, settings.OPENAI_API_KEY
        proxy = settings.OPENAI_PROXY
    elif provider.source == Provider.Source.SIMULATOR:
        base_url, key, proxy = settings.SIMULATOR_URL, "simulator", ""
    else:
        base_url, key, proxy = provider.base_url, provider.next_key if next_key else provider.key, provider.proxy
        key = _stored_key(key)
        allow_private = settings.ALLOW_PRIVATE_PROVIDERS
    stored = provider.dialect if isinstance(provider.dialect, dict) else {}
    # Whatever only resembles OpenAI knows the older name; many ignore the newer one and answer without an end.
    usual = {} if urlsplit(base_url).hostname == urlsplit(OPENAI_URL).hostname else {"max_tokens_field": "max_tokens"}
    return Endpoint(
        base_url=base_url.rstrip("/"),
        key=key,
        proxy=proxy,
        ca_bundle=settings.CA_BUNDLE,
        dialect=Dialect.from_json({**usual, **stored}),
        name=provider.name,
        allow_private=allow_private,
    )


def _stored_key(stored: str) -> str:
    try:
        return keys.decrypt(stored)
    except keys.UnreadableKey:
        raise Failure(Kind.BAD_KEY, detail="the stored key was encrypted with another SECRET_KEY") from None
