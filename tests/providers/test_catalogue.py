"""What a name tells about a model."""

from __future__ import annotations

import pytest

from providers.catalogue import kind_of, listed

OPENAI = "https://api.openai.com/v1"


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("gpt-4o", "chat"),
        ("gpt-5-mini", "chat"),
        ("ft:gpt-4o-mini:company::abc", "chat"),
        ("deepseek-reasoner", "chat"),
        ("qwen3:8b", "chat"),
        ("meta-llama/llama-3.3-70b-instruct", "chat"),
        ("claude-sonnet-4-5", "chat"),
        ("glm-4.6", "chat"),
        ("demo", "chat"),
        ("chaos-rtl", "chat"),
        ("text-embedding-3-small", "embedding"),
        ("nomic-embed-text", "embedding"),
        ("BAAI/bge-m3", "embedding"),
        ("whisper-1", "audio"),
        ("tts-1-hd", "audio"),
        ("gpt-4o-audio-preview", "audio"),
        ("gpt-4o-mini-transcribe", "audio"),
        ("gpt-realtime", "audio"),
        ("dall-e-3", "image"),
        ("gpt-image-1", "image"),
        ("sora-2", "image"),
        ("black-forest-labs/flux-1", "image"),
        ("omni-moderation-latest", "other"),
        ("bge-reranker-v2-m3", "other"),
        ("davinci-002", "other"),
        ("gpt-3.5-turbo-instruct", "other"),
    ],
)
def test_a_models_kind_is_read_from_its_name(name: str, kind: str) -> None:
    assert kind_of(name, base_url=OPENAI) == kind


def test_prices_are_known_only_for_the_place_that_asks_for_them() -> None:
    known = listed("gpt-4o", base_url=OPENAI)
    assert known is not None
    assert (known.input_micro, known.output_micro) == (2_500_000, 10_000_000)
    assert listed("gpt-4o", base_url="http://127.0.0.1:8000/v1") is None
    assert listed("gpt-4o") is None
