"""One answer on a real loop: a worker's services without its engine, and the simulator as provider. Asserts nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from django.db import connections

from accounts.models import User
from chat import claims
from chat.generation import Answering, Services
from chat.writer import Writer
from providers import client
from providers.models import ModelRoute, Provider
from providers.simulator.process import Simulator
from tests.chat.scene import Hands, ask


@contextmanager
def services_of(hands: Hands) -> Iterator[Services]:
    """The threads that an answer needs, for as long as this is open."""
    writers = (Writer(hands.owner), Writer(hands.owner, durable=False))
    readers = ThreadPoolExecutor(1)
    for part in (hands.out, *writers):
        part.start()
    yield Services(hands.owner, hands.out, *writers, readers, readers)
    for part in (hands.out, *writers):
        part.stop()
    readers.submit(connections.close_all).result(timeout=5)
    readers.shutdown()


def take(user: User, hands: Hands, simulator: Simulator, *, wish: str = "seed=patient n=5 gap=0") -> claims.Claimed:
    """A question that asks the simulator for this, claimed."""
    ask(user, f"[[sim {wish}]]")
    Provider.objects.update(base_url=simulator.base_url)
    ModelRoute.objects.update(upstream_name="demo")
    (claimed,) = claims.claim(hands.owner, places=1)
    return claimed


def answer(claimed: claims.Claimed, services: Services) -> None:
    """From the claim to the end, or back to the queue."""

    async def whole() -> None:
        await Answering(claimed, services=services).run()
        await client.close_all()

    asyncio.run(whole())
