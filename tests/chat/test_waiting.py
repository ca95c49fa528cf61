"""What a waiting question is told beyond its place: about how long, and which models work while its own does not."""

from __future__ import annotations

import datetime as dt
import uuid

import pytest
from django.utils import timezone

from accounts.models import User
from chat import watch_queries
from chat.live import LiveAnswer
from chat.models import Generation, WorkerHeartbeat
from chat.notes import note
from providers.models import LanguageModel, Provider, ProviderState
from tests.chat import scene
from tests.chat.asking import of
from usage.models import Invocation

pytestmark = pytest.mark.django_db


def waiting(user: User, count: int, *, model: LanguageModel) -> list[LiveAnswer]:
    rows = scene.queue(user, count, model=model)
    Generation.objects.update(created_at=timezone.now() - dt.timedelta(seconds=5))
    found = [watch_queries.load(str(row.uuid), user_id=user.pk) for row in rows]
    return [answer for answer in found if answer is not None]


def worker(places: int) -> None:
    now = timezone.now()
    WorkerHeartbeat.objects.create(places=places, started_at=now, beat_at=now)


def answers(model: LanguageModel, *, seconds: int, count: int = 3) -> None:
    now = timezone.now()
    for _number in range(count):
        Invocation.objects.create(
            request_id=uuid.uuid4(), source="page", model=model.uuid, created_at=now, finished_at=now, outcome="done",
            queue_ms=0, duration_ms=seconds * 1_000,
        )  # fmt: skip


def told(answer: LiveAnswer) -> str:
    assert answer.facts is not None
    made = note(answer.facts)
    assert made is not None
    return str(made["text"])


def test_the_wait_is_estimated_from_recent_answers_and_places(ada: User, gpt: LanguageModel) -> None:
    worker(places=2)
    answers(gpt, seconds=5)
    found = waiting(ada, 4, model=gpt)
    watch_queries.look_around(found)
    assert told(found[0]) == "Waiting · about 5 s"
    assert told(found[3]) == "Waiting, 3 questions ahead · about 10 s"


def test_without_recent_answers_nothing_is_promised(ada: User, gpt: LanguageModel) -> None:
    worker(places=2)
    answers(gpt, seconds=5, count=2)
    found = waiting(ada, 2, model=gpt)
    watch_queries.look_around(found)
    assert told(found[1]) == "Waiting, 1 question ahead"


def test_long_waits_are_said_in_minutes(ada: User, gpt: LanguageModel) -> None:
    worker(places=1)
    answers(gpt, seconds=60)
    found = waiting(ada, 3, model=gpt)
    watch_queries.look_around(found)
    assert told(found[2]).endswith("about 3 minutes")


def test_models_that_work_are_named_while_the_own_one_does_not(ada: User, gpt: LanguageModel) -> None:
    worker(places=2)
    scene.model("quick")
    shut(gpt)
    found = waiting(ada, 1, model=gpt)
    watch_queries.look_around(found)
    assert told(found[0]).endswith("These work: “QUICK”. To use one, stop this answer first.")


def shut(model: LanguageModel) -> None:
    provider = Provider.objects.get(routes__model=model)
    ProviderState.objects.create(provider=provider, circuit=ProviderState.Circuit.OPEN, reason="unreachable")


def test_after_a_failure_only_models_that_work_are_offered(ada: User, gpt: LanguageModel) -> None:
    scene.model("quick")
    shut(scene.model("stale"))
    sent = scene.ask(ada)
    Generation.objects.update(state="failed", error_kind="unreachable", finished_at=timezone.now())
    shown = of(ada).get(f"/chat/messages/{sent.answer.uuid}/").content.decode()
    assert "Answer with “QUICK”" in shown
    assert "STALE" not in shown


def test_with_no_other_model_the_same_one_can_be_tried_again(ada: User, gpt: LanguageModel) -> None:
    sent = scene.ask(ada)
    Generation.objects.update(state="failed", error_kind="bad_key", finished_at=timezone.now())
    shown = of(ada).get(f"/chat/messages/{sent.answer.uuid}/").content.decode()
    assert 'data-verb="retry"' in shown
    assert "another model" not in shown


def test_an_answer_says_how_long_the_model_thought(ada: User, gpt: LanguageModel) -> None:
    sent = scene.answered(ada)
    type(sent.answer).objects.filter(pk=sent.answer.pk).update(reasoning="First this.")
    Invocation.objects.filter(request_id=sent.generation.uuid).update(ttft_ms=6_100)
    assert "Thought for 6 s" in of(ada).get(f"/chat/messages/{sent.answer.uuid}/").content.decode()
