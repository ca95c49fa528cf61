"""What the page shows of a conversation: turns with their words, actions and poll addresses, days of the side list.

Reads through chat.queries and decides no rights; writes nothing and renders nothing.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.http import HttpRequest
from django.template.loader import render_to_string
from django.utils import formats, timezone
from django.utils.translation import gettext as _

from accounts import clock
from accounts.models import Organisation, User
from chat import live, notes, queries, rendering, sent
from chat.models import Conversation, Generation, Message
from providers import access
from providers.models import LanguageModel, ModelRoute, Provider
from usage import metrics

State = Generation.State
MOST_STARTERS = 4


@dataclass
class Turn:
    """One question or answer as the template shows it."""

    message: Message
    lang: str = ""
    generation: Generation | None = None
    blocks: Sequence[str] = ()
    note: dict[str, Any] | None = None
    poll_url: str = ""
    model_name: str = ""
    # Who answered, and who should have and did not (names of providers); empty where all went as it should.
    fell_back: tuple[str, str] | None = None
    memory_begins: bool = False
    others: Sequence[LanguageModel] = ()
    # Seconds from the start to the first visible word; 0 when unknown.
    thought: int = 0

    @property
    def is_answer(self) -> bool:
        return bool(self.message.role == Message.Role.ASSISTANT)

    @property
    def active(self) -> bool:
        return self.generation is not None and self.generation.active

    @property
    def state(self) -> str:
        return str(self.generation.state) if self.generation else State.DONE

    @property
    def elapsed(self) -> int:
        """Seconds since an answer that is still running was taken."""
        started = self.generation.started_at if self.generation else None
        return max(0, int((timezone.now() - started).total_seconds())) if started else 0


@dataclass(frozen=True)
class Day:
    """A heading of the side list and what stands under it."""

    title: str
    conversations: list[Conversation] = field(default_factory=list)


def person(request: HttpRequest) -> User:
    """Who asks; the views let only signed-in people through."""
    assert isinstance(request.user, User)
    return request.user


def models_of(request: HttpRequest) -> list[LanguageModel]:
    """The models that the person may choose, the default first; asked for once per request."""
    if "models_of" not in vars(request):
        vars(request)["models_of"] = access.choices_for(person(request))
    found: list[LanguageModel] = vars(request)["models_of"]
    return found


def turns(request: HttpRequest, messages: Sequence[Message], *, begins: Message | None = None) -> list[Turn]:
    """The messages of a window (dressed by chat.queries), in order."""
    models = _working_models(request, messages)
    now = clock.now()
    found: list[Turn] = []
    last_model: int | None = None
    for message in messages:
        turn = _turn(request, message, question=found[-1].message if found else None, models=models, now=now)
        turn.memory_begins = begins is not None and message.pk == begins.pk
        if turn.generation is not None and turn.generation.model is not None:
            model = turn.generation.model
            turn.model_name = model.name if last_model not in (None, model.pk) else ""
            last_model = model.pk
        found.append(turn)
    _thoughts(found)
    return found


def _working_models(request: HttpRequest, messages: Sequence[Message]) -> list[LanguageModel]:
    """What may be used instead of an answer's model: after a failure nothing that does not answer either."""
    dressed: list[Generation | None] = [getattr(message, "generation", None) for message in messages]
    generations = [each for each in dressed if each is not None and not each.active]
    if not generations:
        return []  # nothing here can be answered by another model yet
    models = models_of(request)
    if not any(each.state in (State.FAILED, State.CANCELLED) for each in generations):
        return models
    broken = access.broken()
    return [model for model in models if model.pk not in broken]


def _thoughts(found: Sequence[Turn]) -> None:
    """How long the models thought; asked only where there are thoughts."""
    thinkers = {turn.generation.uuid: turn for turn in found if turn.generation and turn.message.reasoning}
    for request_id, seconds in metrics.first_text_seconds(thinkers).items() if thinkers else ():
        thinkers[request_id].thought = seconds


def turn_of(request: HttpRequest, message: Message, *, generation: Generation | None = None) -> Turn:
    """One message by itself, for a fragment; `generation` is its latest one where the caller has it at hand."""
    if message.role == Message.Role.USER:
        return _turn(request, message, question=None, models=(), now=clock.now())
    if generation is None:
        queries.dress([message])
    else:
        message.generation = generation  # type: ignore[attr-defined]  # what templates read
        message.blocks = queries.blocks_of(message)  # type: ignore[attr-defined]  # what templates read
    turn = _turn(request, message, question=message.parent, models=_working_models(request, [message]), now=clock.now())
    _thoughts([turn])
    before = message.parent.parent_id if message.parent else None
    if turn.generation and turn.generation.model and before:
        last = Generation.objects.filter(message_id=before).order_by("-id").values_list("model_id", flat=True).first()
        turn.model_name = turn.generation.model.name if last not in (None, turn.generation.model_id) else ""
    return turn


def _turn(
    request: HttpRequest,
    message: Message,
    *,
    question: Message | None,
    models: Sequence[LanguageModel],
    now: dt.datetime,
) -> Turn:
    if message.role == Message.Role.USER:
        return Turn(message, lang=rendering.language_of(message.text))
    generation: Generation | None = getattr(message, "generation", None)
    if generation is not None:
        generation.message = message  # it is at hand: no query of its own
    # An answer that has no words yet will most likely be in the question's language.
    text = message.text or (question.text if question else "")
    turn = Turn(message, lang=rendering.language_of(text), generation=generation, blocks=getattr(message, "blocks", []))
    if generation is None:
        return turn
    turn.fell_back = sent.fell_back(generation)
    turn.others = [model for model in models if model.pk != generation.model_id]
    turn.note = notes.note_for(generation, now=now, others=len(turn.others))
    if generation.active:
        session = request.session.session_key or ""
        turn.poll_url = live.poll_url(generation, session_key=session, user=person(request))
    return turn


def days(conversations: Iterable[Conversation]) -> list[Day]:
    """The side list under its headings, in the order given (newest first)."""
    today = timezone.localdate()
    found: list[Day] = []
    for conversation in conversations:
        title = _heading(timezone.localtime(conversation.updated_at).date(), today=today)
        if not found or found[-1].title != title:
            found.append(Day(title))
        found[-1].conversations.append(conversation)
    return found


def row_of(conversation: Conversation, *, running: bool) -> str:
    """One row of the side list under its heading, as the list shows it while the conversation is open."""
    conversation.running = running  # type: ignore[attr-defined]  # what the template reads
    context = {"days": days([conversation]), "conversation": conversation}
    return render_to_string("chat/_list.html", context)  # nothing in it is about the request


def _heading(day: dt.date, *, today: dt.date) -> str:
    age = (today - day).days
    if age <= 0:
        return _("Today")
    if age == 1:
        return _("Yesterday")
    if age <= 7:
        return _("Last 7 days")
    return _("Last 30 days") if age <= 30 else formats.date_format(day, "YEAR_MONTH_FORMAT")


def greeting(user: User) -> str:
    """A greeting that fits the person's clock."""
    hour = timezone.localtime().hour
    name = user.get_short_name()
    if hour < 5 or hour >= 18:
        return _("Good evening, %s") % name
    return _("Good morning, %s") % name if hour < 12 else _("Good afternoon, %s") % name


def is_simulated(model: LanguageModel | None) -> bool:
    """Whether only the simulator answers for this model: then no real model is connected to it."""
    if model is None:
        return False
    routes = ModelRoute.objects.filter(model=model, enabled=True, provider__enabled=True)
    sources = set(routes.values_list("provider__source", flat=True))
    return sources == {Provider.Source.SIMULATOR.value}


def starters(organisation: Organisation) -> list[tuple[str, str, str]]:
    """Four ways to begin: title, what to bring, and the words put into the box. The organisation's own, if it has any."""
    lines = (line.partition("|") for line in organisation.starters.splitlines())
    own = [(title.strip(), text.strip()) for title, _bar, text in lines if title.strip()]
    if own:
        return [(title, text, f"{text or title} ") for title, text in own[:MOST_STARTERS]]
    ways = [
        (
            _("Summarise meeting notes"),
            _("Paste the notes, get decisions and tasks"),
            _("Summarise these meeting notes: decisions first, then tasks with names and dates."),
        ),
        (
            _("Explain an error"),
            _("Paste the log: the cause first, then the fix"),
            _("Explain this error: first the cause, then how to fix it."),
        ),
        (
            _("Translate, keep the format"),
            _("Contracts, mails, manuals"),
            _("Translate this into English and keep the format:"),
        ),
        (
            _("Analyse a table"),
            _("Paste rows from a spreadsheet"),
            _("Analyse this table: what stands out, and what should be checked?"),
        ),
    ]
    return [(title, bring, f"{words}\n\n") for title, bring, words in ways]
