"""How a call ended and what went wrong, in a few words each, for the log of calls. Sentences for whoever asked stand in chat.notes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.db.models import Choices
from django.utils import translation
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

OUTCOMES: dict[str, Promise] = {
    "done": _("finished"),
    "failed": _("failed"),
    "interrupted": _("not finished"),
    "cancelled": _("stopped"),
    "refused": _("refused"),
}
ANSWERS, BAD = "answers", "bad"
"""Looked for as outcomes, as the desk counts: what somebody asked for and was tried; and what of it failed or broke off. No titles."""
CHOICES: dict[str, Promise] = OUTCOMES | {
    ANSWERS: _("however, without titles and refusals"),
    BAD: _("failed or not finished, without titles"),
}
ERRORS: dict[str, Promise] = {
    "rate_limit": _("the provider was busy"),
    "no_credit": _("no credit at the provider"),
    "server_error": _("the provider's own fault"),
    "unreachable": _("the provider could not be reached"),
    "first_byte_timeout": _("the provider did not begin to answer"),
    "stalled": _("the provider fell silent"),
    "cut_off": _("the connection was cut"),
    "bad_stream": _("the answer could not be read"),
    "content_filter": _("the provider's content filter"),
    "context_too_long": _("too long for the model"),
    "bad_key": _("the provider did not take the key"),
    "model_gone": _("the provider does not have the model"),
    "bad_request": _("the provider did not understand"),
    "not_a_stream": _("the provider did not stream"),
    "too_large": _("the answer was too large"),
    "redirect": _("the provider pointed elsewhere"),
    "deadline": _("it took too long in all"),
    "worker_lost": _("its worker was lost"),
    "poisoned": _("it ended its worker twice"),
    "hand_back": _("its worker was stopped"),
    "no_model": _("no such model for this person"),
    "internal": _("a fault of the portal"),
    "limit_reached": _("a limit was reached"),
    "limit_held": _("running answers held the allowance"),
    "no_price": _("no price is known, and money is limited"),
    "prompt_too_large": _("larger than the limit for one question"),
}
TONES = {"done": "good", "failed": "bad", "interrupted": "warn", "cancelled": "", "refused": "warn"}
"""How an outcome's chip looks; the word says it, the colour helps."""


def outcome(value: str) -> str:
    """“finished”; a word that is not known stands as it is."""
    return str(OUTCOMES.get(value, value))


def error(value: str) -> str:
    """“a limit was reached”."""
    return str(ERRORS.get(value, value))


def meaning(text: str, known: dict[str, Promise] | type[Choices]) -> list[str]:
    """The values that somebody may mean who types this: by the code's own word, or by ours in the reader's language or in English."""
    wanted, found = text.casefold(), set()
    for language in {translation.get_language() or "en", "en"}:
        with translation.override(language):
            found |= {
                value
                for value, words in _pairs(known)
                if wanted in str(words).casefold() or wanted.replace(" ", "_") in value
            }
    return sorted(found)


def _pairs(known: dict[str, Promise] | type[Choices]) -> Iterable[tuple[str, Any]]:
    return known.items() if isinstance(known, dict) else known.choices
