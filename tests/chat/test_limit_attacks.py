"""Ways around a limit, and into it: races on the last piece, stopping early, leaving, many people at its end. See docs/security.md."""

from __future__ import annotations

import datetime as dt
import random
from collections import Counter

import pytest
from django.db.models import Q

from accounts.models import User
from chat import endings, messages, recovery, waiting
from chat.doors import Door
from chat.models import Delta, Generation
from providers.models import LanguageModel
from tests.chat import scene
from tests.chat.scene import Hands, State, ask
from tests.usage import making
from usage import estimates, proof
from usage.models import LedgerEntry, QuotaPeriod, Reservation, Source

pytestmark = pytest.mark.django_db


@pytest.mark.django_db(transaction=True)
def test_of_sixty_four_who_ask_at_once_for_the_budget_of_one_one_gets_it(ada: User) -> None:
    making.limit(1, scope="organisation")

    def send() -> str:
        user = User.objects.get(pk=ada.pk)
        try:
            sent = messages.send(user, text="Why?", client_id=scene.new_id(), door=Door(Source.API))
        except messages.Refused as refused:
            return refused.code
        return sent.generation.state

    for _ in range(4):
        answers = Counter(map(str, scene.at_once(*[send] * 16)))
        assert set(answers) <= {"queued", "limit_reached"}, answers
    assert Reservation.objects.count() == 1
    assert QuotaPeriod.objects.get().held == 1
    assert list(proof.drifts()) == []


def test_two_hundred_stops_at_any_place_are_charged_for_prompt_and_text_never_nothing_never_more_than_held(
    ada: User, gpt: LanguageModel
) -> None:
    making.limit(10_000_000, "tokens")
    rng = random.Random(1)
    text = "Every token that was shown is counted, 每个字也算。" * 40
    for _ in range(200):
        sent = ask(ada)
        hands = Hands()
        (taken,) = hands.take()
        request = {**taken.request, "sent": {"tokens": 60}}
        Generation.objects.filter(pk=taken.pk).update(dispatched=True, request=request, state=State.STREAMING)
        shown = text[: rng.randrange(1, len(text))]
        Delta.objects.create(generation=taken, seq=1, text=shown)
        row = Generation.objects.select_related(*endings.LOADED).get(pk=taken.pk)
        now = dt.datetime.now(dt.UTC)
        assert endings.abandon(row, state=State.CANCELLED, kind="", guard=Q(state=State.STREAMING), now=now)
        entry = LedgerEntry.objects.get(request_id=sent.generation.uuid)
        hold = Reservation.objects.get(request_id=sent.generation.uuid)
        assert (entry.input_tokens, entry.output_tokens) == (60, estimates.tokens(shown))
        assert 60 < entry.input_tokens + entry.output_tokens <= hold.tokens
        assert (entry.estimated, entry.outcome) == (True, "cancelled")
    entries = LedgerEntry.objects.values_list("input_tokens", "output_tokens")
    assert making.counters() == [("tokens", sum(map(sum, entries)), 0)]


def test_sixty_four_people_at_the_end_of_a_pool_all_get_their_answers(gpt: LanguageModel) -> None:
    """95 % is used. What 64 usual answers would hold is far more than is left; what they really take is far less."""
    people = [scene.person(f"p{n}") for n in range(64)]
    making.team("Sales", *people)
    quota = making.limit(640_000, "tokens", "month", scope="team", subject=people[0].teams.get())
    now = dt.datetime.now(dt.UTC)
    first = ask(people[0])
    messages.cancel(people[0], generation=first.generation)
    QuotaPeriod.objects.filter(quota=quota).update(opening=608_000, used=608_000)
    states = Counter(ask(person).generation.state for person in people)
    assert states[State.QUEUED] == 7
    assert states[State.WAITING] == 57
    for _ in range(64):
        hands = Hands()
        taken = hands.take(places=64)
        if not taken:
            break
        for generation in taken:
            assert hands.end(generation)
        waiting.admit(now=now)
    done = Generation.objects.exclude(pk=first.generation.pk).values_list("state", flat=True)
    assert Counter(done) == {State.DONE: 64}
    assert QuotaPeriod.objects.get().used == 608_000 + 64 * 13
    assert list(proof.drifts()) == []


def test_a_limit_lowered_below_what_is_used_refuses_and_is_never_negative(ada: User) -> None:
    quota = making.limit(5)
    scene.answered(ada)
    scene.answered(ada)
    type(quota).objects.update(amount=1)
    with pytest.raises(messages.Refused) as caught:
        ask(ada)
    assert (caught.value.extra["used"], caught.value.extra["limit"]) == (2, 1)


def test_a_worker_that_dies_in_the_middle_leaves_no_hold(ada: User) -> None:
    making.limit(5)
    sent = ask(ada)
    (taken,) = Hands().take()
    Generation.objects.filter(pk=taken.pk).update(
        dispatched=True, state=State.STREAMING, request={**taken.request, "sent": {"tokens": 60}}
    )
    Delta.objects.create(generation=taken, seq=1, text="half")
    scene.lapse(taken)
    recovery.reap(now=dt.datetime.now(dt.UTC))
    entry = LedgerEntry.objects.get(request_id=sent.generation.uuid)
    assert (entry.input_tokens, entry.output_tokens, entry.outcome) == (60, 1, "interrupted")
    assert making.counters() == [("requests", 1, 0)]
