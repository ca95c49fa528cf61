"""How large a request is, in tokens and things, and that nothing in it points at what is not the asker's. Pure; a walk without recursion.

Texts are estimated (usage.estimates), pictures and sounds guessed: what a provider says afterwards wins.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from api.gateway.envelope import Refusal
from usage import estimates

MOST_NODES = 400_000
DEEPEST = 100
MOST_PICTURES = 200
PICTURE_TOKENS = 1_500
SOUND_BYTES = 200
"""So many characters of a sound (Base64) or bytes of an audio file are guessed to be one token."""

# What names a thing that is stored at the provider: it may be somebody else's, for all of us share one account there.
FOREIGN = frozenset({
    "file_id", "file_ids", "vector_store_id", "vector_store_ids", "container", "item_reference", "previous_response_id",
    "conversation", "prompt_id",
})  # fmt: skip
_LINKS = ("http://", "https://")


@dataclass(slots=True)
class Size:
    """What a walk has found."""

    tokens: int = 0
    pictures: int = 0
    nodes: int = 0


def of(*values: Any, remote: bool) -> Size:
    """The size of these parts of a body together. Raises Refusal (400). `remote`: pictures may be links, which the provider follows."""
    size = Size()
    stack: list[tuple[Any, int]] = [(value, 1) for value in values]
    while stack:
        value, depth = stack.pop()
        size.nodes += 1
        if size.nodes > MOST_NODES:
            raise Refusal(400, "too_many_parts", f"The request has more than {MOST_NODES} values.")
        if isinstance(value, str):
            size.tokens += estimates.tokens(value)
        elif isinstance(value, list):
            _deeper(depth)
            size.tokens += len(value)
            stack.extend((each, depth + 1) for each in value)
        elif isinstance(value, dict):
            _deeper(depth)
            _look(value, size=size, remote=remote)
            stack.extend((each, depth + 1) for name, each in value.items() if name not in _COUNTED)
    return size


# Looked at by `_look`: their texts are no words.
_COUNTED = frozenset({"image_url", "input_audio", "file_data", "file"})


# Where a part of a message may hold a link, itself or within.
_LINKED = ("video_url", "audio_url", "source", "file", "file_data", "input_audio")
_WITHIN = ("url", "data", "file_data")


def _deeper(depth: int) -> None:
    if depth > DEEPEST:
        raise Refusal(400, "too_deep", f"The request is nested more than {DEEPEST} deep.")


def _look(value: dict[str, Any], *, size: Size, remote: bool) -> None:
    """One object: things that are not text, and what points elsewhere."""
    for name in FOREIGN.intersection(value):
        if value[name] and isinstance(value[name], str | list):  # an object is a tool's own field of that name
            raise foreign(name)
    if value.get("type") == "item_reference":
        raise foreign("item_reference")
    if "image_url" in value:
        _picture(value["image_url"], size=size, remote=remote)
    if "input_audio" in value:
        sound = value["input_audio"]
        size.tokens += _length(sound.get("data") if isinstance(sound, dict) else sound) // SOUND_BYTES
    if not remote:
        _no_links(value)
    file = value.get("file")
    for holder in (value, file if isinstance(file, dict) else {}):
        if any(isinstance(holder.get(name), str) for name in ("file_id", "file_url")):
            raise foreign("file_id")
        size.tokens += _length(holder.get("file_data")) // SOUND_BYTES


def _no_links(value: dict[str, Any]) -> None:
    """Films, sounds, files and sources that are links: a provider of one's own would fetch them from inside the house."""
    for name in _LINKED:
        held = value.get(name)
        parts = [held] if isinstance(held, str) else [held.get(n) for n in _WITHIN] if isinstance(held, dict) else []
        if any(isinstance(part, str) and "://" in part[:40] for part in parts):
            text = f"Send the content itself: links in “{name}” are not followed."
            raise Refusal(400, "link_not_allowed", text, param=name)


def _picture(given: Any, *, size: Size, remote: bool) -> None:
    link = given.get("url") if isinstance(given, dict) else given
    size.pictures += 1
    size.tokens += PICTURE_TOKENS
    if size.pictures > MOST_PICTURES:
        raise Refusal(400, "too_many_pictures", f"The request has more than {MOST_PICTURES} pictures.")
    if not isinstance(link, str):
        return
    if link.startswith("data:") or (remote and link.startswith(_LINKS)):
        return
    text = "Send the picture itself, as a data: address. Links to pictures are not followed."
    raise Refusal(400, "image_url_not_allowed", text, param="image_url")


def foreign(name: str) -> Refusal:
    """The refusal of what points at something stored at the provider."""
    text = (
        f"“{name}” names something stored at the provider, where everybody here shares one account. Send the content."
    )
    return Refusal(400, "not_passed_on", text, param=name)


def _length(value: Any) -> int:
    return len(value) if isinstance(value, str) else 0
