"""One answer from its claim to its end on a real loop, with the simulator: here, how it waits for a database that is away."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection, connections

from accounts.models import User
from chat import claims, generation
from chat.generation import Answering, Services
from chat.models import Generation
from chat.writer import Writer
from providers import client
from providers.models import ModelRoute, Provider
from providers.simulator.answers import text_for
from providers.simulator.process import Simulator, running
from tests.chat.scene import Hands, State, ask

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(scope="module")
def simulator() -> Iterator[Simulator]:
    with running() as found:
        yield found


@pytest.fixture
def hands() -> Hands:
    return Hands()


@pytest.fixture
def services(hands: Hands, simulator: Simulator) -> Iterator[Services]:
    writers = (Writer(hands.owner), Writer(hands.owner, durable=False))
    readers = ThreadPoolExecutor(1)
    for part in (hands.out, *writers):
        part.start()
    yield Services(hands.owner, hands.out, *writers, readers, readers)
    for part in (hands.out, *writers):
        part.stop()
    readers.submit(connections.close_all).result(timeout=5)
    readers.shutdown()


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


def answer(claimed: claims.Claimed, services: Services) -> None:
    async def whole() -> None:
        await Answering(claimed, services=services).run()
        await client.close_all()

    asyncio.run(whole())


def take(ada: User, hands: Hands, simulator: Simulator) -> claims.Claimed:
    ask(ada, "[[sim seed=patient n=5 gap=0]]")
    Provider.objects.update(base_url=simulator.base_url)
    ModelRoute.objects.update(upstream_name="demo")
    (claimed,) = claims.claim(hands.owner, places=1)
    return claimed


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
