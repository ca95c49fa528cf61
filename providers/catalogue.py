"""What is known about a model before anybody asks it: kind, window, price, from its name and an offline price list.

Guesses from names live here and nowhere else. No network, no database.
"""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from typing import Any

from providers.models import LanguageModel

Kind = LanguageModel.Kind
MICRO = 1_000_000

# Looked for in this order, on word boundaries of the name's last part. Whatever none of them finds is taken for chat.
_PATTERNS: tuple[tuple[Kind, str], ...] = (
    (Kind.OTHER, r"moderation|rerank\w*|guard\w*|reward|ocr|deep-research|computer-use\w*|codex|babbage\w*|davinci\w*"),
    (Kind.OTHER, r"turbo-instruct|completion|classifier|detector|safety|operator"),
    (Kind.EMBEDDING, r"embed\w*|bge|e5|gte|minilm|voyage\w*|sentence-t5|nomic"),
    (
        Kind.AUDIO,
        r"whisper\w*|tts\w*|audio|transcribe\w*|speech\w*|realtime|voice\w*|asr|paraformer|cosyvoice|music\w*|live",
    ),
    (
        Kind.IMAGE,
        r"dall-e|image\w*|imagen|flux\w*|diffusion|sdxl|midjourney|sora|veo|video\w*|wanx?|t2i|t2v|kling|cogview",
    ),
)
_COMPILED = tuple((kind, re.compile(rf"(?:^|[-_.:/ ])(?:{words})(?=$|[-_.:/ \d])")) for kind, words in _PATTERNS)

_LIGHT = re.compile(
    r"(?:^|[-_.:/ ])(?:mini|nano|flash|lite|turbo|small|air|haiku|instant|chat|demo|[1-9]b)(?=$|[-_.:/ ])"
)
_ODD = re.compile(r"search|preview|pro(?=$|[-_.:/ ])|research|thinking|reasoner|vision|vl(?=$|[-_.:/ ])")


@dataclass(frozen=True, slots=True)
class Listed:
    """What the price list says, in micro-units of USD per million tokens (and per call); None: it does not say."""

    context_window: int | None
    input_micro: int | None
    cached_input_micro: int | None
    output_micro: int | None
    per_call_micro: int | None = None


def kind_of(name: str, *, base_url: str = "", owner: str = "") -> Kind:
    """What a model is for. Where the name says nothing, the price list may: what has no price for output is no chat."""
    lowered = name.lower()
    for kind, pattern in _COMPILED:
        if pattern.search(lowered):
            return kind
    known = listed(name, base_url=base_url) or listed(name, base_url="", owner=owner)
    if known is not None and known.input_micro and known.output_micro is None:
        return Kind.OTHER
    return Kind.CHAT


def is_light(name: str) -> bool:
    """Whether the name is that of a quick, cheap model for plain chat: the first choice for a small test."""
    lowered = name.lower()
    return bool(_LIGHT.search(lowered)) and not _ODD.search(lowered)


@lru_cache(maxsize=4096)
def listed(name: str, *, base_url: str = "", owner: str = "") -> Listed | None:
    """The entry of the model at the provider that lives at `base_url` (or is called `owner`); None if there is none."""
    from genai_prices.data_snapshot import get_snapshot

    if not base_url and not owner:
        return None
    try:
        _provider, model = get_snapshot().find_provider_model(name, None, None if base_url else owner, base_url or None)
    except (LookupError, ValueError):
        return None
    prices = model.get_prices(dt.datetime.now(dt.UTC))
    return Listed(
        context_window=model.context_window,
        input_micro=_micro(getattr(prices, "input_mtok", None)),
        cached_input_micro=_micro(getattr(prices, "cache_read_mtok", None)),
        output_micro=_micro(getattr(prices, "output_mtok", None)),
        per_call_micro=_micro(getattr(prices, "requests_kcount", None), per=1000),
    )


def _micro(price: Any, *, per: int = 1) -> int | None:
    """Micro-units of one of `per`, rounded up. A price in steps counts with its dearest step: a hold must cover the call."""
    if price is None:
        return None
    if not isinstance(price, Decimal):
        price = max([price.base, *(tier.price for tier in price.tiers)])
    return -int(-(price * MICRO) // per)
