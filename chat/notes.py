"""What the page says about an answer that waits or did not end well: what happened, what is kept, what can be done now. Words only."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from django.utils import translation
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from accounts import clock
from chat import note_words
from chat.models import Generation
from providers import failures

State = Generation.State
# Nothing is said about a wait shorter than this (seconds).
PATIENCE_S = 1.0


@dataclass(frozen=True)
class Facts:
    """What a note is made of. Times in seconds; `ahead` and `no_worker` are known where somebody looked."""

    uuid: str
    state: str
    kind: str = ""
    finish_reason: str = ""
    tries: int = 0
    retry_in: float | None = None
    age: float = 0.0
    ahead: int | None = None
    no_worker: bool = False
    # Seconds until it will probably begin; None where there is no basis for saying so.
    about: int | None = None
    circuit: str = ""
    # Names of models that answer while this one's provider does not.
    working: tuple[str, ...] = ()
    # How many other models the reader may use; None where nobody has looked (the poll).
    others: int | None = None
    has_text: bool = False
    charged: bool = True


@dataclass
class _Note:
    """`lead` says what happened, `rest` what is kept, whether it counts, and what can be done."""

    level: str
    lead: str
    rest: list[str] = field(default_factory=list)
    actions: list[str] = field(default_factory=list)


def note_for(
    generation: Generation, *, now: dt.datetime | None = None, language: str | None = None, others: int | None = None
) -> dict[str, Any] | None:
    """The note of a stored answer, in `language` (else the active one); None when there is nothing to say.

    `others`: how many other models that work the reader may use, if known: then only what can be done is offered.
    """
    if language is not None:
        with translation.override(language):
            return note_for(generation, now=now, others=others)
    moment = now or clock.now()
    later = generation.next_attempt_at
    return note(
        Facts(
            uuid=str(generation.uuid),
            state=generation.state,
            kind=generation.error_kind,
            finish_reason=generation.finish_reason,
            tries=generation.tries,
            retry_in=(later - moment).total_seconds() if later else None,
            age=(moment - generation.created_at).total_seconds(),
            others=others,
            has_text=bool(generation.message.text),
            charged=bool(generation.output_tokens or generation.input_tokens),
        )
    )


def note(facts: Facts) -> dict[str, Any] | None:
    """{"kind", "level", "text", "lead", "rest", "actions", "id"} or None. Levels: wait, cut, half, bad, warn.

    `text` is `lead` (what happened) and `rest` (what is kept, what can be done), put together.
    """
    made = _waiting(facts) if facts.state in Generation.ACTIVE else _ended(facts)
    if made is None:
        return None
    return _dressed(made, kind=facts.kind or facts.finish_reason or facts.state, uuid=facts.uuid)


def limit_note(*, used: str, limit: str, until: str, works: str = "", uuid: str = "") -> dict[str, Any]:
    """An allowance that is used up. Amounts and the moment come written out ("¥20.00", "tomorrow at 00:00 (Beijing time)").

    `works` names a model that may still be used.
    """
    lead = _("Today's allowance is used up: %(used)s of %(limit)s.") % {"used": used, "limit": limit}
    rest = [_("It returns %(until)s.") % {"until": until}]
    if works:
        rest.append(_("“%(model)s” still works.") % {"model": works})
    return _dressed(_Note("warn", lead, rest, ["other_model"] if works else []), kind="limit", uuid=uuid)


def _dressed(made: _Note, *, kind: str, uuid: str) -> dict[str, Any]:
    text = together([made.lead, *made.rest])
    return {
        "kind": kind,
        "level": made.level,
        "text": text,
        "lead": made.lead,
        "rest": text[len(made.lead) :],
        "actions": made.actions,
        "id": uuid,
    }


def together(sentences: Sequence[str]) -> str:
    """Sentences in a row: with a space between them, but not after a Chinese full stop, which brings its own."""
    whole = ""
    for sentence in sentences:
        whole += sentence if not whole or whole.endswith(("。", "；", "！", "？")) else f" {sentence}"
    return whole


def _waiting(facts: Facts) -> _Note | None:
    if facts.state in Generation.HELD:
        return None
    if facts.no_worker:
        return _Note("wait", _("The service is restarting. Your question is safe and will be answered."))
    if facts.state == State.WAITING:
        return _Note(
            "wait",
            _("Other answers are still running and hold the rest of your allowance. Yours starts when they finish."),
        )
    if facts.retry_in is not None and facts.kind:
        return _Note("wait", _again_in(facts, seconds=max(1, math.ceil(facts.retry_in))))
    if facts.circuit:
        return _Note("wait", _broken(facts.working))
    return _Note("wait", _queued(facts)) if facts.age >= PATIENCE_S else None


def _again_in(facts: Facts, *, seconds: int) -> str:
    values = {"seconds": seconds, "try": facts.tries + 1, "of": failures.most_tries(failures.Kind(facts.kind))}
    if facts.kind == "rate_limit":
        return _("The model is busy; trying again in %(seconds)d s (%(try)d of %(of)d).") % values
    return _("The model service does not answer; trying again in %(seconds)d s (%(try)d of %(of)d).") % values


def _broken(working: tuple[str, ...]) -> str:
    waits = _("The model service cannot be reached at the moment. Your question waits for it.")
    if not working:
        return waits
    names = _("”, “").join(working)
    return together([waits, _("These work: “%(models)s”. To use one, stop this answer first.") % {"models": names}])


def _queued(facts: Facts) -> str:
    if not facts.ahead:
        place = _("Waiting")
    else:
        place = ngettext("Waiting, %d question ahead", "Waiting, %d questions ahead", facts.ahead) % facts.ahead
    if not facts.about:
        return place
    if facts.about < 60:
        about = _("about %d s") % facts.about
    else:
        minutes = round(facts.about / 60)
        about = ngettext("about %d minute", "about %d minutes", minutes) % minutes
    return f"{place} · {about}"


def _ended(facts: Facts) -> _Note | None:
    if facts.state == State.DONE:
        return _done(facts)
    if facts.state == State.CANCELLED:
        if facts.has_text:
            kept = _("You stopped this answer. What was written is kept.")
            return _Note("cut", kept, [], ["continue", "regenerate"])
        return _Note("cut", _("You stopped this answer."), [], _possible(["regenerate", "other_model"], facts))
    if facts.state == State.INTERRUPTED:
        kept = _("What was written is kept; it and your question count.")
        return _Note("half", note_words.interrupted(facts.kind), [kept], ["continue", "regenerate"])
    return _failed(facts)


def _done(facts: Facts) -> _Note | None:
    if facts.finish_reason == "length":
        return _Note("cut", _("The answer reached its length limit."), [], ["continue"])
    if facts.finish_reason == "content_filter":
        text = _("The provider's content filter stopped this answer. You can reword the question.")
        return _Note("cut", text, [], ["edit"])
    if not facts.has_text:
        actions = _possible(["regenerate", "other_model"], facts)
        return _Note("cut", _("The model answered with nothing. You can ask again."), [], actions)
    return None


def _failed(facts: Facts) -> _Note:
    words = note_words.failed(facts.kind)
    saved = _("Your question is saved and not counted.")
    kept = _("Your question is saved; the try may count.") if facts.charged else saved
    actions = _possible(list(words.actions), facts)
    now = words.advice
    if facts.others is not None and not now:
        now = {
            ("retry", "other_model"): _("Retry, or use another model."),
            ("retry",): _("You can retry."),
            ("other_model",): _("You can use another model."),
        }.get(tuple(actions), "")
    return _Note("bad", words.lead, [kept, now] if now else [kept], actions)


def _possible(wished: list[str], facts: Facts) -> list[str]:
    """What of it can really be done: without another model there is still the same one."""
    if facts.others != 0:
        return wished
    return [action for action in wished if action != "other_model"] or ["retry"]
