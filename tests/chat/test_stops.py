"""Two hundred answers that really run, each stopped at a random place: by its person, or because its worker is told to leave.

Whatever the simulator has taken is in the ledger; what was shown is what is charged, with its prompt, within its hold.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter

import pytest
from django.conf import LazySettings

from accounts.models import User
from chat import claims
from chat.generation import Answering, Services, Why
from chat.models import Generation
from providers import client
from providers.models import ModelRoute, Provider
from providers.simulator import journal
from providers.simulator.process import Simulator
from tests.chat.scene import Hands, State, ask
from tests.usage import making
from usage import estimates, proof
from usage.models import LedgerEntry, Reservation

pytestmark = pytest.mark.django_db(transaction=True)
ANSWERS, LENGTH = 200, 30
WHYS: tuple[Why, ...] = ("cancel", "drain")


async def stopped(answering: Answering, *, at: int, why: Why) -> None:
    """Runs it until so many pieces have come; 0: at any moment, mostly before the first."""
    run = asyncio.create_task(answering.run())
    if not at:
        await asyncio.sleep(random.Random(answering.generation.pk).uniform(0, 1))
    while not run.done() and len(answering.written.text) < at:  # noqa: ASYNC110  # nothing tells of a piece
        await asyncio.sleep(0.004)
    answering.stop(why)
    await run


def stop_all(taken: list[claims.Claimed], services: Services, *, seed: int) -> None:
    rng = random.Random(seed)

    async def whole() -> None:
        places = [(max(0, rng.randrange(-LENGTH, LENGTH)), rng.choice(WHYS)) for _ in taken]
        every = [Answering(claimed, services=services) for claimed in taken]
        await asyncio.gather(
            *(stopped(answer, at=at, why=why) for answer, (at, why) in zip(every, places, strict=True))
        )
        await client.close_all()

    asyncio.run(whole())


def test_two_hundred_running_answers_stopped_anywhere_cost_what_was_sent_and_shown_and_never_more_than_held(
    ada: User, hands: Hands, services: Services, simulator: Simulator, settings: LazySettings
) -> None:
    settings.PERSON_CONCURRENCY = ANSWERS
    making.limit(10_000_000, "tokens")
    for number in range(ANSWERS):
        # Long enough that a busy machine stops it before it is over.
        ask(ada, f"[[sim seed=stop{number} n={8 * LENGTH} gap=20 ttft=400]]")
    Provider.objects.update(base_url=simulator.base_url)
    ModelRoute.objects.update(upstream_name="demo")
    stop_all(claims.claim(hands.owner, places=ANSWERS), services, seed=7)

    entries = {(e.request_id, e.kind): e for e in LedgerEntry.objects.all()}
    holds = {hold.request_id: hold for hold in Reservation.objects.all()}
    rows = list(Generation.objects.select_related("message", "message__parent"))
    assert {row.state for row in rows} == {State.CANCELLED, State.INTERRUPTED, State.QUEUED}
    for row in rows:
        hold = holds[row.uuid]
        lost, settled = entries.get((row.uuid, "attempt")), entries.get((row.uuid, "settle"))
        if row.state == State.QUEUED:  # handed back before its first word: the next try has its whole hold
            assert (hold.state, settled, row.message.text) == ("held", None, "")
        elif settled is None:  # stopped before the call was sent: below it is not among what the simulator took
            assert (hold.state, row.state, lost, row.message.text) == ("released", State.CANCELLED, None, "")
        else:
            assert settled.output_tokens == estimates.tokens(row.message.text)
            assert (settled.estimated, settled.overrun, settled.clamped, lost) == (True, False, False, None)
        for entry in filter(None, (lost, settled)):
            assert 0 < entry.input_tokens == row.request["sent"]["tokens"]
            assert entry.input_tokens + entry.output_tokens <= hold.tokens

    taken = Counter(entry.seed for entry in journal.read(simulator.journal) if entry.seed.startswith("stop"))
    of_seed = {row.uuid: row.message.parent.text.partition("seed=")[2].partition(" ")[0] for row in rows}  # type: ignore[union-attr]  # each answers a question
    assert taken - Counter(of_seed[uuid] for uuid, _kind in entries) == Counter()
    assert len(taken) > ANSWERS // 2
    assert list(proof.drifts()) == []
    ((_unit, used, _held),) = making.counters()
    assert used == sum(entry.input_tokens + entry.output_tokens for entry in entries.values())
