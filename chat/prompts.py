"""What the model receives: instructions, the part of the history that fits, the question. Pure: no database, no clock."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from usage import estimates

CONTINUE = (
    "Continue your last answer exactly where it stopped. Do not repeat anything and do not comment on the interruption."
)
# Kept free for the answer, at least, as a share of the window.
ANSWER_SHARE = 4
_LANGUAGES = {"en": "English", "zh-hans": "Simplified Chinese (简体中文)"}


@dataclass(frozen=True)
class Turn:
    """One message of the path: `role` is user or assistant."""

    uuid: str
    role: str
    text: str


@dataclass(frozen=True)
class Asker:
    """Who asks, as far as the model is told."""

    language: str
    time_zone: str
    instructions: str


@dataclass(frozen=True)
class Prompt:
    """`messages` in OpenAI's shape; `first` is the uuid of the oldest turn sent, `cut` how many older ones were not.

    Sizes are in tokens, estimated.
    """

    messages: list[dict[str, Any]]
    system: str
    first: str
    cut: int
    tokens: int
    max_tokens: int


def system_text(asker: Asker, *, now: dt.datetime) -> str:
    """The instructions: today's date where the person is, the language, the organisation's own words."""
    try:
        zone = ZoneInfo(asker.time_zone or "UTC")
    except (ZoneInfoNotFoundError, ValueError):
        zone = ZoneInfo("UTC")
    local = now.astimezone(zone)
    lines = [f"Today is {local:%A, %Y-%m-%d}. The time zone is {zone.key}."]
    if language := _LANGUAGES.get(asker.language.lower()):
        lines.append(f"The person's language is {language}. Answer in the language of the question.")
    lines.append("Answers are shown as Markdown; formulas in $…$ or $$…$$.")
    if asker.instructions.strip():
        lines.append(asker.instructions.strip())
    return "\n".join(lines)


def build(
    turns: Sequence[Turn],
    *,
    asker: Asker,
    now: dt.datetime,
    context_window: int,
    max_output: int,
    max_input: int | None = None,
    continues: bool = False,
    older: int = 0,
) -> Prompt:
    """Builds the prompt of the last turn. `turns` is the path, oldest first; `older` counts turns before them that were not even read.

    The newest turn is always sent; older ones as long as they fit beside the room that the answer needs, and into `max_input`.
    """
    system = system_text(asker, now=now)
    tail = [{"role": "user", "content": CONTINUE}] if continues else []
    used = size(system) + sum(size(str(m["content"])) for m in tail)
    most = room(context_window, max_output=max_output)
    if max_input is not None:
        most = min(most, max_input)
    kept: list[Turn] = []
    for turn in reversed(turns):
        more = size(turn.text)
        if kept and used + more > most:
            break
        kept.append(turn)
        used += more
    kept.reverse()
    while len(kept) > 1 and kept[0].role == "assistant":  # a history begins with a question
        used -= size(kept[0].text)
        kept.pop(0)
    messages = [{"role": "system", "content": system}]
    messages += [{"role": turn.role, "content": turn.text} for turn in kept] + tail
    left = context_window - used
    if max_input is not None:  # what the prompt takes beyond what was held for it, the answer has less
        left = min(left, max_input + max_output - used)
    left = max(1, min(max_output, left))
    return Prompt(
        messages=messages,
        system=system,
        first=kept[0].uuid if kept else "",
        cut=older + len(turns) - len(kept),
        tokens=used,
        max_tokens=left,
    )


def room(context_window: int, *, max_output: int) -> int:
    """What of the window a prompt may take: the rest is kept for the answer."""
    return context_window - min(max_output, max(1, context_window // ANSWER_SHARE))


def size(text: str) -> int:
    """The tokens of one message, estimated."""
    return estimates.tokens(text) + estimates.PER_MESSAGE
