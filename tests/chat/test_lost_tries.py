"""Every call that a provider may bill is in the ledger: also one whose worker died, or that broke off before its first word."""

from __future__ import annotations

import datetime as dt

import pytest
from django.utils import timezone

from accounts.models import User
from chat import claims, messages, recovery
from chat.generation import Services
from chat.models import Generation
from providers.simulator.answers import text_for
from providers.simulator.process import Simulator
from tests.chat import scene
from tests.chat.answering import answer, take
from tests.chat.scene import Hands, State, ask
from tests.usage import making
from usage import proof
from usage.models import LedgerEntry, Reservation

pytestmark = pytest.mark.django_db(transaction=True)


def out(user: User, hands: Hands, *, prompt: int = 30) -> Generation:
    """A question whose call is with its provider."""
    ask(user)
    (taken,) = hands.take()
    taken.request = {**taken.request, "sent": {"tokens": prompt}}
    Generation.objects.filter(pk=taken.pk).update(dispatched=True, request=taken.request)
    return taken


def entries() -> list[tuple[str, int, int, bool]]:
    return list(LedgerEntry.objects.order_by("pk").values_list("kind", "attempt", "input_tokens", "estimated"))


def test_a_call_whose_worker_died_is_counted_when_its_question_is_queued_again(ada: User) -> None:
    making.limit(100_000, "tokens")
    taken = out(ada, Hands())
    scene.lapse(taken)
    assert [recovery.reap(now=timezone.now()) for _ in range(2)] == [1, 0]
    assert entries() == [("attempt", 1, 30, True)]
    entry = LedgerEntry.objects.get()
    assert (entry.person, entry.person_name, entry.model_name, entry.requests) == (ada.uuid, "Ada", "M", 0)
    assert entry.provider_name == "provider of m"
    row = Generation.objects.get()
    assert (row.state, row.dispatched, Reservation.objects.get().state) == (State.QUEUED, False, "held")
    heir = Hands()
    (again,) = heir.take()
    assert heir.end(again)
    assert entries() == [("attempt", 1, 30, True), ("settle", 2, 10, False)]
    assert making.counters() == [("tokens", 43, 0)]
    assert list(proof.drifts()) == []


def test_a_worker_that_died_before_its_call_cost_nothing(ada: User) -> None:
    ask(ada)
    (taken,) = Hands().take()
    scene.lapse(taken)
    recovery.reap(now=timezone.now())
    assert entries() == []


def test_what_is_given_back_is_counted_where_the_provider_may_bill_it_and_only_then(ada: User) -> None:
    for attempt, billed in enumerate((True, False), start=1):
        hands = Hands()
        (taken,) = [out(ada, hands)] if attempt == 1 else hands.take()
        assert claims.hand_back(taken, owner=hands.owner, billed=billed)
        assert not claims.hand_back(taken, owner=hands.owner, billed=True)
    hands = Hands()
    (taken,) = hands.take()
    assert claims.try_later(taken, owner=hands.owner, kind="cut_off", delay=dt.timedelta(0), billed=True)
    assert entries() == [("attempt", 1, 30, True), ("attempt", 3, 30, True)]


def test_who_stops_it_in_the_queue_pays_for_the_lost_try_and_not_again(ada: User) -> None:
    taken = out(ada, Hands())
    scene.lapse(taken)
    recovery.reap(now=timezone.now())
    messages.cancel(ada, generation=Generation.objects.get())
    assert Generation.objects.get().state == State.CANCELLED
    assert (entries(), Reservation.objects.get().state) == ([("attempt", 1, 30, True)], "released")
    assert list(proof.drifts()) == []


def test_a_call_that_goes_out_while_the_reaper_looks_is_left_to_its_next_look(
    ada: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it had read said that nothing was sent."""
    ask(ada)
    (taken,) = Hands().take()
    scene.lapse(taken)
    again = recovery._again

    def late(generation: Generation, **given: object) -> bool:
        Generation.objects.update(dispatched=True, request={"sent": {"tokens": 9}})
        return again(generation, **given)  # type: ignore[arg-type]  # handed on as it came

    monkeypatch.setattr(recovery, "_again", late)
    assert [recovery.reap(now=timezone.now()) for _ in range(2)] == [0, 1]
    assert entries() == [("attempt", 1, 9, True)]


@pytest.mark.parametrize(
    ("wish", "counted"),
    [
        ("mode=close_once seed=broken n=5 gap=0", ["attempt", "settle"]),  # the request was read, and then nothing came
        ("mode=rate_limit_once seed=busy n=5 gap=0", ["settle"]),  # refused by its status: no provider bills that
        ("mode=err500_once seed=ill n=5 gap=0", ["settle"]),
    ],
)
def test_a_try_that_failed_before_its_first_word_is_counted_if_it_may_have_been_taken(
    ada: User, hands: Hands, services: Services, simulator: Simulator, wish: str, counted: list[str]
) -> None:
    answer(take(ada, hands, simulator, wish=wish), services)
    assert Generation.objects.get().state == State.QUEUED
    Generation.objects.update(next_attempt_at=None)
    (claimed,) = claims.claim(hands.owner, places=1)
    answer(claimed, services)
    row = Generation.objects.select_related("message").get()
    seed = wish.partition("seed=")[2].partition(" ")[0]
    assert (row.state, row.message.text) == (State.DONE, text_for(seed, tokens=5))
    found = entries()
    assert [entry[0] for entry in found] == counted
    assert all(entry[2] == row.request["sent"]["tokens"] for entry in found if entry[0] == "attempt")
    assert list(proof.drifts()) == []
