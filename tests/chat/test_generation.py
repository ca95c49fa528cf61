"""One answer from its claim to its end on a real loop, with the simulator: here, how it waits for a database that is away."""

from __future__ import annotations

import asyncio
import threading
import time
import uuid

import pytest
from django.db import connection

from accounts.models import User
from chat import claims, generation, suspects
from chat.generation import Answering, Services
from chat.models import Generation
from providers import client
from providers.models import ModelRoute, Provider
from providers.simulator.answers import text_for
from providers.simulator.process import Simulator
from tests.chat.answering import answer, take
from tests.chat.scene import Hands, State, ask

pytestmark = pytest.mark.django_db(transaction=True)


def rename(old: str, new: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER TABLE {old} RENAME TO {new}")


def away_for(seconds: float) -> threading.Thread:
    """The messages' table is gone at once, and back after this."""

    def back() -> None:
        time.sleep(seconds)
        rename("gone", "chat_message")
        connection.close()

    rename("chat_message", "gone")
    thread = threading.Thread(target=back)
    thread.start()
    return thread


def test_an_answer_that_finds_no_database_to_begin_with_waits_for_it(
    ada: User, hands: Hands, services: Services, simulator: Simulator
) -> None:
    claimed = take(ada, hands, simulator)
    thread = away_for(0.5)
    answer(claimed, services)
    thread.join()
    found = Generation.objects.select_related("message").get()
    assert (found.state, found.error_kind, found.attempt, found.tries) == (State.DONE, "", 1, 0)
    assert found.message.text == text_for("patient", tokens=5)


def test_nobody_waits_for_ever(
    ada: User, hands: Hands, services: Services, simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(generation, "PATIENCE_S", 0.1)
    claimed = take(ada, hands, simulator)
    thread = away_for(0.7)
    answer(claimed, services)
    thread.join()
    found = Generation.objects.get()
    assert (found.state, found.error_kind) == (State.FAILED, "internal")


def test_what_has_lost_a_worker_is_planned_alone_and_noted_while_it_could_end_another(
    ada: User, hands: Hands, services: Services, simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the database knows at each step of two suspects that are taken together."""
    for _question in range(2):
        ask(ada, "[[sim seed=patient n=5 gap=0 ttft=300]]")
    Provider.objects.update(base_url=simulator.base_url)
    ModelRoute.objects.update(upstream_name="demo")
    Generation.objects.update(crashes=1)
    taken = claims.claim(hands.owner, places=2)
    planned: list[list[int]] = []
    make_plan = generation.make_plan

    def noting_plan(claimed: claims.Claimed) -> generation.Plan:
        time.sleep(0.05)  # long enough for the other one to begin as well, if nothing kept it
        planned.append(list(Generation.objects.filter(in_hand=True).values_list("pk", flat=True)))
        return make_plan(claimed)

    monkeypatch.setattr(generation, "make_plan", noting_plan)
    notes: list[tuple[int, bool]] = []
    note = suspects.note

    def noting(row: Generation, owner: uuid.UUID, *, in_hand: bool) -> None:
        notes.append((row.pk, in_hand))
        note(row, owner, in_hand=in_hand)

    monkeypatch.setattr(suspects, "note", noting)

    async def whole() -> None:
        await asyncio.gather(*(Answering(each, services=services).run() for each in taken))
        await client.close_all()

    asyncio.run(whole())
    first, second = (each.generation.pk for each in taken)
    assert planned == [[first], [second]]
    for pk in (first, second):  # in hand for the plan, not while it waits, in hand again when something has come
        assert [value for row, value in notes if row == pk][:3] == [True, False, True]
    assert list(Generation.objects.values_list("state", flat=True)) == [State.DONE] * 2


def test_what_has_lost_no_worker_is_not_noted(
    ada: User, hands: Hands, services: Services, simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    notes: list[object] = []
    monkeypatch.setattr(suspects, "note", lambda *given, **_named: notes.append(given))
    answer(take(ada, hands, simulator), services)
    assert (Generation.objects.get().state, notes) == (State.DONE, [])
