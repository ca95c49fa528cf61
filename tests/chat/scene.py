"""What the tests of this room set up: people, a model, questions, a worker's hands without its threads. Asserts nothing."""

from __future__ import annotations

import datetime as dt
import threading
import uuid
from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeVar

from django.db import connections
from django.utils import timezone

from accounts.models import User
from chat import claims, endings, messages
from chat.live_out import Channel, LiveOut
from chat.models import Conversation, Delta, Generation, Message
from providers.models import LanguageModel, ModelRoute, Provider

T = TypeVar("T")
State = Generation.State


def person(name: str = "ada") -> User:
    return User.objects.create(email=f"{name}@example.com", name=name.title(), password="!")


def model(slug: str = "m", *, places: int = 400, window: int = 8_000) -> LanguageModel:
    """A model that is on, with a provider of its own."""
    made = LanguageModel.objects.create(slug=slug, name=slug.upper(), enabled=True, context_window=window)
    provider = Provider.objects.create(
        name=f"provider of {slug}", base_url="http://127.0.0.1:9/v1", max_concurrency=places
    )
    ModelRoute.objects.create(model=made, provider=provider, upstream_name=slug)
    return made


def new_id() -> str:
    return uuid.uuid4().hex


def ask(user: User, text: str = "Why?", *, conversation: Conversation | None = None) -> messages.Sent:
    return messages.send(user, text=text, client_id=new_id(), conversation=conversation)


def queue(user: User, count: int, *, model: LanguageModel | None = None) -> list[Generation]:
    """Many queued questions at once, each in a conversation of its own."""
    model = model or LanguageModel.objects.get()
    homes = Conversation.objects.bulk_create([Conversation(user=user, model=model) for _ in range(count)])
    answers = Message.objects.bulk_create([Message(conversation=c, role="assistant") for c in homes])
    late = timezone.now() + dt.timedelta(minutes=10)
    rows = [
        Generation(user=user, conversation=c, message=m, model=model, deadline_at=late)
        for c, m in zip(homes, answers, strict=True)
    ]
    return Generation.objects.bulk_create(rows)


class Hands:
    """A worker without threads: takes, shows and ends by the same functions, one step at a time."""

    def __init__(self) -> None:
        self.owner = uuid.uuid4()
        self.out = LiveOut(self.owner)
        self.channels: dict[int, Channel] = {}
        self.lost: list[int] = []

    def take(self, places: int = 1) -> list[Generation]:
        taken = [claimed.generation for claimed in claims.claim(self.owner, places=places)]
        for g in taken:
            self.channels[g.pk] = Channel(g.pk, g.attempt, on_lost=partial(self.lost.append, g.pk))
        return taken

    def show(self, generation: Generation, *pieces: str, kind: int = Delta.Kind.TEXT) -> bool:
        """Each piece is a flush of its own; False when it was lost."""
        channel = self.channels[generation.pk]
        for piece in pieces:
            self.out.put(channel, kind=kind, text=piece)
            if channel.pending:
                self.out._flush()
        return not channel.lost

    def end(
        self, generation: Generation, *, state: str = State.DONE, text: str | None = "Because.", kind: str = ""
    ) -> bool:
        return generation.pk in endings.finish(
            [ending(generation, state=state, text=text, kind=kind)], owner=self.owner
        )


def ending(
    generation: Generation, *, state: str = State.DONE, text: str | None = "Because.", kind: str = ""
) -> endings.Ending:
    """How a worker would end it."""
    return endings.Ending(
        generation,
        state,
        kind=kind,
        finish_reason="stop" if state == State.DONE else "",
        text=text,
        html=[f"<p>{text}</p>"],
        tokens=endings.Tokens(input=10, output=3),
        ttft_ms=5,
    )


def answered(user: User, text: str = "Why?", *, reply: str = "Because.", state: str = State.DONE) -> messages.Sent:
    """A question that has its answer."""
    sent = ask(user, text)
    hands = Hands()
    (taken,) = hands.take()
    assert hands.end(taken, state=state, text=reply)
    sent.answer.refresh_from_db()
    sent.generation.refresh_from_db()
    return sent


def lapse(generation: Generation, *, seconds: float = 60) -> None:
    """Its lease ran out so long ago."""
    Generation.objects.filter(pk=generation.pk).update(lease_expires_at=timezone.now() - dt.timedelta(seconds=seconds))


def at_once(*calls: Callable[[], T]) -> list[T | Exception]:
    """Runs all calls in threads that start together; results or exceptions, in order. Connections are closed."""
    barrier = threading.Barrier(len(calls))
    results: list[T | Exception] = [RuntimeError("never ran")] * len(calls)

    def run(place: int, call: Callable[[], T]) -> None:
        try:
            barrier.wait(timeout=20)
            results[place] = call()
        except Exception as error:  # noqa: BLE001 - the test looks at it
            results[place] = error
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=(i, call)) for i, call in enumerate(calls)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    return results


def states(rows: Sequence[Generation]) -> list[str]:
    """Their states now, in order."""
    found = Generation.objects.in_bulk([g.pk for g in rows])
    return [found[g.pk].state for g in rows]
