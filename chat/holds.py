"""What an answer may take at most, before it is queued: its prompt, added up along the path, and the usual answer of its model.

Estimates only, and all of one kind (usage.estimates): chat.prompts cuts what is sent to what was held.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from chat import prompts, queries
from chat.models import Generation, Message
from providers import modes
from providers.models import LanguageModel
from usage import quotas
from usage.limits import Standing

# Providers count other tokens than we guess: so much is held on top of the guess, as a share of it.
MARGIN = 4
# An answer is made shorter than its model's usual one where less is left, but not below this (tokens).
LEAST_ANSWER = 256


@dataclass(frozen=True)
class Size:
    """Of one call, in tokens: the prompt with its margin, and the answer."""

    input: int
    output: int


def size(
    message: Message, *, user_language: str, user_zone: str, start_offset: int, model: LanguageModel, mode: str,
    standing: Standing, now: dt.datetime,
) -> Size:  # fmt: skip
    """For writing this answer (from `start_offset` on) with this model in this mode."""
    asker = prompts.Asker(
        language=user_language or standing.language,
        time_zone=user_zone or standing.time_zone,
        instructions=standing.instructions,
    )
    fixed = prompts.size(prompts.system_text(asker, now=now))
    newest = prompts.size(message.text[:start_offset]) if start_offset else 0
    if start_offset:
        fixed += prompts.size(prompts.CONTINUE)
    elif message.parent is not None:
        newest = prompts.size(message.parent.text)
    before = before_tokens(message)
    whole = fixed + before + (newest if start_offset else 0)
    usual = max(1, min(modes.answer_tokens(model, mode), model.max_output_tokens))
    prompt = min(whole, max(prompts.room(model.context_window, max_output=usual), fixed + newest))
    return Size(prompt + prompt // MARGIN + 1, max(1, min(usual, model.context_window - prompt)))


def before_tokens(message: Message) -> int:
    """The tokens of all that stands before it on its path. Added up from what was read; else (an old row) from the path itself."""
    if message.before_tokens is None:
        parent = message.parent
        message.before_tokens = 0 if parent is None else before_tokens_of_path(parent)
    return message.before_tokens


def before_tokens_of_path(last: Message) -> int:
    """The tokens of a path up to and with its last message."""
    if last.before_tokens is not None:
        return last.before_tokens + prompts.size(last.text)
    return sum(prompts.size(text) for text in queries.path_texts(last.pk))


def follow(message: Message, *, parent: Message | None) -> None:
    """A new message stands behind its parent."""
    message.before_tokens = 0 if parent is None else before_tokens_of_path(parent)


def hold_for(generation: Generation, *, size: Size, model: LanguageModel) -> quotas.Hold:
    """The hold of a generation of this size. Its person and model are loaded."""
    return quotas.Hold(
        request_id=generation.uuid,
        source=generation.source,
        person=generation.user.uuid,
        team=generation.team,
        key=generation.key,
        model=model.uuid,
        input=size.input,
        output=size.output,
        least_output=min(LEAST_ANSWER, size.output),
    )


def most(hold: quotas.Hold) -> dict[str, int]:
    """What is noted with a generation: what chat.prompts may send and ask for."""
    return {"input": hold.input, "output": hold.output}
