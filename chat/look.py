"""`/look/`: every state of an answer and of the composer on one page, by the page's own fragments. Only with DEBUG.

Its rows are never saved; nothing on it can be sent.
"""

from __future__ import annotations

import datetime as dt
import re
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.utils import timezone, translation
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from chat import look_allowance, notes, picker, rendering
from chat import look_samples as samples
from chat.messages import moved_on
from chat.models import Conversation, Generation, Message
from chat.notes import Facts
from chat.page import Turn
from chat.views import signed_in
from providers import modes
from providers.failures import Kind
from providers.models import LanguageModel

State = Generation.State
NAMESPACE = uuid.UUID("6f1e9a52-3c1b-4d57-9f0e-6d3a6c1f2b10")
_NAMED = re.compile(r'\b(id|for|form|aria-controls)="([^"]+)"')
BREAKS = (Kind.CUT_OFF, Kind.WORKER_LOST, Kind.STALLED, Kind.TOO_LARGE, Kind.BAD_STREAM)
FAILS = tuple(kind for kind in Kind if kind not in (Kind.WORKER_LOST, Kind.HAND_BACK))


@dataclass
class Scene:
    """A caption and what stands under it: turns, a line across the page, or a composer."""

    caption: str
    turns: list[Turn] = field(default_factory=list)
    composer: str = ""


@require_safe
def states(request: HttpRequest) -> HttpResponse:
    """The page; whoever runs without DEBUG has no such page."""
    if not settings.DEBUG:
        raise Http404
    return _states(request)


@signed_in
def _states(request: HttpRequest) -> HttpResponse:
    scenes = [*_waiting(), *_writing(), *_done(), *_ended(), *_failed()]
    return render(request, "look/page.html", {"scenes": scenes, "composers": list(_composers(request))})


# --- the pieces ---------------------------------------------------------------------------------------------------------


def say(pair: samples.Pair) -> str:
    """The one of the two texts that fits the active language."""
    return pair[(translation.get_language() or "").startswith("zh")]


def _caption(name: str, *, more: str = "") -> str:
    return say(samples.CAPTIONS[name]) + (f" · {more}" if more else "")


def _models() -> tuple[LanguageModel, LanguageModel]:
    return LanguageModel(pk=1, slug="balanced", name=say(samples.BALANCED)), LanguageModel(
        pk=2, slug="quick", name=say(samples.QUICK)
    )


def answer(name: str, *, state: str = State.DONE, text: str = "", reasoning: str = "", **facts: Any) -> Turn:
    """An answer in this state, as chat.page would dress it; `facts` are what its note is made of."""
    home = Conversation(uuid=uuid.uuid5(NAMESPACE, "conversation"))
    question = Message(pk=1, uuid=uuid.uuid5(NAMESPACE, f"q {name}"), conversation=home, role=Message.Role.USER)
    message = Message(
        uuid=uuid.uuid5(NAMESPACE, f"a {name}"), conversation=home, parent=question, role=Message.Role.ASSISTANT
    )
    message.text, message.reasoning = text, reasoning
    model, other = _models()
    began = timezone.now() - dt.timedelta(seconds=facts.pop("elapsed", 0))
    generation = Generation(
        uuid=uuid.uuid5(NAMESPACE, name), state=state, model=model, message=message, started_at=began
    )
    turn = Turn(message, lang=rendering.language_of(text), generation=generation, others=[other])
    turn.blocks = rendering.render(text)
    turn.note = notes.note(Facts(str(generation.uuid), state, has_text=bool(text), others=1, **facts))
    return turn


def _question(name: str, *, text: str) -> Turn:
    message = Message(uuid=uuid.uuid5(NAMESPACE, f"q {name}"), role=Message.Role.USER, text=text)
    return Turn(message, lang=rendering.language_of(text))


# --- the states ---------------------------------------------------------------------------------------------------------


def _waiting() -> Iterator[Scene]:
    queued = State.QUEUED
    asked = [_question(name, text=say(text)) for name, text in (("1", samples.QUESTION), ("2", samples.LONG_QUESTION))]
    yield Scene(_caption("questions"), asked)
    told: dict[str, dict[str, Any]] = {
        "queued": {"age": 5, "ahead": 3, "about": 8},
        "queued_alone": {"age": 5},
        "busy": {"kind": Kind.RATE_LIMIT, "tries": 1, "retry_in": 4.0},
        "silent": {"kind": Kind.UNREACHABLE, "tries": 1, "retry_in": 1.0},
        "restarting": {"no_worker": True},
        "broken": {"circuit": "unreachable", "working": (say(samples.QUICK), "DeepSeek V3")},
    }
    for name, facts in told.items():
        yield Scene(_caption(name), [answer(name, state=queued, **facts)])
    yield Scene(_caption("held"), [answer("held", state=State.WAITING)])


def _writing() -> Iterator[Scene]:
    yield Scene(_caption("thinking"), [answer("thinking", state=State.RUNNING, elapsed=12)])
    aloud = answer("thinking aloud", state=State.RUNNING, elapsed=6, reasoning=say(samples.THOUGHTS))
    yield Scene(_caption("thinking_aloud"), [aloud])
    streaming = answer("streaming", state=State.STREAMING, text=say(samples.PARTIAL))
    caret = '<span class="caret" aria-hidden="true"></span></p>'
    streaming.blocks = [block.replace("</p>", caret) for block in streaming.blocks]
    yield Scene(_caption("streaming"), [streaming])


def _done() -> Iterator[Scene]:
    yield Scene(_caption("done"), [answer("table", text=say(samples.TABLE))])
    code = answer("code", text=say(samples.CODE) + samples.CODE_BLOCK, reasoning=say(samples.THOUGHTS))
    code.thought = 6
    yield Scene(_caption("code"), [code])
    yield Scene(_caption("formula"), [answer("formula", text=say(samples.FORMULA))])
    yield Scene(_caption("chinese"), [answer("chinese", text=samples.CHINESE)])
    changed = answer("other model", text=say(samples.PARTIAL))
    changed.model_name = say(samples.QUICK)
    yield Scene(_caption("other_model"), [changed])
    instead = answer("instead", text=say(samples.PARTIAL))
    instead.fell_back = ("Azure OpenAI", "OpenAI")
    yield Scene(_caption("instead"), [instead])
    remembered = answer("memory", text=say(samples.PARTIAL))
    remembered.memory_begins = True
    yield Scene(_caption("memory"), [remembered])


def _ended() -> Iterator[Scene]:
    partial = say(samples.PARTIAL)
    yield Scene(_caption("stopped"), [answer("stopped", state=State.CANCELLED, text=partial)])
    yield Scene(_caption("stopped_early"), [answer("stopped early", state=State.CANCELLED)])
    for kind in BREAKS:
        broken = answer(f"half {kind}", state=State.INTERRUPTED, text=partial, kind=kind.value)
        yield Scene(_caption("interrupted", more=kind.value), [broken])
    yield Scene(_caption("length"), [answer("length", text=partial, finish_reason="length")])
    yield Scene(_caption("filtered"), [answer("filtered", text=partial, finish_reason="content_filter")])
    yield Scene(_caption("nothing"), [answer("nothing", finish_reason="stop")])
    limited = answer("limit", state=State.FAILED)
    limited.note = limit()
    yield Scene(_caption("limit"), [limited])


def limit() -> dict[str, Any]:
    """The note of a used-up allowance, with sample amounts."""
    return notes.limit_note(
        used="¥20.00", limit="¥20.00", until=say(samples.TOMORROW), works=say(samples.QUICK), uuid="7f3a91c2"
    )


def _failed() -> Iterator[Scene]:
    for kind in FAILS:
        failed = answer(f"failed {kind}", state=State.FAILED, kind=kind.value, charged=kind is Kind.STALLED)
        yield Scene(_caption("failed", more=kind.value), [failed])


def _composers(request: HttpRequest) -> Iterator[Scene]:
    model, other = _models()
    home = SimpleNamespace(uuid=uuid.uuid5(NAMESPACE, "conversation"), version=1)
    running = answer("running", state=State.STREAMING)
    lost = SimpleNamespace(message=_("No connection. Your text is kept; trying again."))
    used_up = look_allowance.stands(100, works=[other])
    over = SimpleNamespace(message="")
    typed = say(samples.TYPED)
    cases: list[tuple[samples.Pair, dict[str, Any]]] = [
        (("empty", "空"), {"send": "disabled"}),
        (("typing", "正在输入"), {"text": typed}),
        (("sending", "正在发送"), {"text": typed, "send": 'aria-busy="true"'}),
        (("answering", "正在回答"), {"running": running}),
        (("a question waits", "有问题在等"), {"running": running, "next": say(samples.NEXT)}),
        (("offline", "断网"), {"text": typed, "refused": lost}),
        (("moved on", "已在别处继续"), {"text": typed, "refused": SimpleNamespace(message=moved_on().message)}),
        (("meter", "额度条"), {"allowance": look_allowance.stands(38)}),
        (("meter, little left", "额度条，所剩不多"), {"allowance": look_allowance.stands(86), "text": typed}),
        (("limit reached", "达到上限"), {"text": typed, "refused": over, "allowance": used_up, "send": "disabled"}),
        (("no model connected", "尚未接入模型"), {"simulated": True, "send": "disabled"}),
    ]
    cases.append((("modes", "模式"), {"choices": [_with_modes(model)]}))
    for number, (caption, extra) in enumerate(cases):
        context = {"conversation": home, "chosen": model, "models": [model], "client_id": "look", **extra}
        html = render_to_string("chat/_composer.html", context, request)
        yield Scene(_caption("composer", more=say(caption)), composer=_apart(html, number=number, **extra))


def _with_modes(model: LanguageModel) -> picker.Choice:
    ways = [
        modes.Mode("quick", "Quick", "快速"),
        modes.Mode("think", "Think", "思考"),
        modes.Mode("deep", "Thorough", "深入"),
    ]
    return picker.Choice(model, "", "", is_default=True, is_chosen=True, modes=ways, mode="think")


def _apart(html: str, *, number: int, **extra: Any) -> SafeString:
    """The fragment with ids of its own, in the state that the page's script would put it into."""
    if extra.get("send"):
        html = html.replace('id="send"', f'id="send" {extra["send"]}')
    if extra.get("next"):
        html = html.replace('id="next" hidden', 'id="next"').replace("<span></span>", f"<span>{extra['next']}</span>")
    html = html.replace(" autofocus", "").replace(' role="alert"', "")
    return mark_safe(_NAMED.sub(rf'\1="\2-{number}"', html))  # our own template and samples
