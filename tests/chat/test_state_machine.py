"""Any order of steps, by workers that live, die and wake late, keeps what is promised: the real functions on a real database."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

import pytest
from django.conf import LazySettings
from django.db import connection, transaction
from django.utils import timezone
from hypothesis import HealthCheck, Phase
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from chat import claims, messages, recovery
from chat.models import Conversation, Delta, Generation
from tests.chat import scene
from tests.chat.scene import Hands, State
from usage.models import Invocation, Reservation

pytestmark = pytest.mark.django_db
TERMINAL = {"done", "failed", "cancelled", "interrupted"}


@dataclass
class Held:
    """A worker's belief: it holds this. Nobody tells it when that is over."""

    hands: Hands
    generation: Generation
    shown: str = ""


class Life(RuleBasedStateMachine):
    """Two people, three conversations, workers that come and go."""

    def __init__(self) -> None:
        super().__init__()
        self.point = transaction.atomic()
        self.point.__enter__()
        self.beliefs: list[Held] = []
        self.ended: dict[int, tuple[Any, ...]] = {}
        self.accepted: dict[str, int] = {}
        self.written: dict[tuple[int, int], str] = {}  # (generation, attempt): what was accepted of that attempt

    def teardown(self) -> None:
        transaction.set_rollback(True)
        self.point.__exit__(None, None, None)

    @initialize()
    def people(self) -> None:
        scene.model()
        self.users = [scene.person("a"), scene.person("b")]
        self.homes = [scene.answered(self.users[n % 2]).conversation for n in range(3)]
        for row in Generation.objects.all():
            self.ended[row.pk] = self._frozen(row)

    # --- what people do -----------------------------------------------------------------------------------------------

    @rule(which=st.integers(0, 2), client=st.integers(0, 30))
    def send(self, which: int, client: int) -> None:
        home = Conversation.objects.select_related("user", "leaf").get(pk=self.homes[which].pk)
        self._verb(
            lambda name: messages.send(home.user, text=f"q {which}", client_id=name, conversation=home),
            f"{which}-{client}",
        )

    @rule(
        which=st.integers(0, 2), client=st.integers(0, 30), verb=st.sampled_from(["continue_", "retry", "regenerate"])
    )
    def again(self, which: int, client: int, verb: str) -> None:
        home = Conversation.objects.select_related("user", "leaf").get(pk=self.homes[which].pk)
        call = getattr(messages, verb)
        self._verb(lambda name: call(home.user, message=home.leaf, client_id=name), f"{verb}-{which}-{client}")

    def _verb(self, call: Any, name: str) -> None:
        name = f"client-{name}"
        try:
            sent = call(name)
        except messages.Refused as refused:
            assert refused.code in {"busy", "client_id_reused"}
            return
        assert sent.repeated == (name in self.accepted)
        assert self.accepted.setdefault(name, sent.generation.pk) == sent.generation.pk

    @rule(which=st.integers(0, 5))
    def cancel(self, which: int) -> None:
        rows = list(Generation.objects.select_related("user").order_by("-pk")[:6])
        row = rows[which % len(rows)]
        messages.cancel(row.user, generation=row)
        row.refresh_from_db()
        assert row.state not in {State.QUEUED, State.WAITING}
        assert row.state in TERMINAL or row.cancel_requested_at is not None

    # --- what workers do ----------------------------------------------------------------------------------------------

    @rule(places=st.integers(1, 3))
    def claim(self, places: int) -> None:
        hands = Hands()
        self.beliefs += [Held(hands, g) for g in hands.take(places=places)]

    def _pick(self, which: int) -> Held:
        return self.beliefs[which % len(self.beliefs)]

    @precondition(lambda self: self.beliefs)
    @rule(which=st.integers(0, 20), text=st.sampled_from(["x", "two words ", "\n\n", "中文"]))
    def flush(self, which: int, text: str) -> None:
        """By whoever believes to hold it, zombies included."""
        held = self._pick(which)
        row = Generation.objects.get(pk=held.generation.pk)
        rightful = (row.attempt, row.lease_owner) == (held.generation.attempt, held.hands.owner)
        if held.hands.show(held.generation, text):
            assert rightful
            assert row.state in Generation.HELD
            held.shown += text
            self.written[row.pk, row.attempt] = held.shown

    @precondition(lambda self: self.beliefs)
    @rule(which=st.integers(0, 20), state=st.sampled_from(["done", "failed", "interrupted", "cancelled"]))
    def finish(self, which: int, state: str) -> None:
        held = self._pick(which)
        row = Generation.objects.select_related("message").get(pk=held.generation.pk)
        before = row.message.text[: row.start_offset]
        if held.hands.end(held.generation, state=state, text=before + held.shown):
            assert (row.attempt, row.lease_owner) == (held.generation.attempt, held.hands.owner)

    @precondition(lambda self: self.beliefs)
    @rule(which=st.integers(0, 20), how=st.sampled_from(["try later", "hand back"]), wait=st.sampled_from([-1, 60]))
    def give_back(self, which: int, how: str, wait: int) -> None:
        held = self._pick(which)
        row = Generation.objects.get(pk=held.generation.pk)
        if how == "hand back":
            done = claims.hand_back(held.generation, owner=held.hands.owner, billed=False)
        else:
            delay = dt.timedelta(seconds=wait)
            owner = held.hands.owner
            done = claims.try_later(held.generation, owner=owner, kind="rate_limit", delay=delay, billed=True)
        if done:
            assert (row.state, row.attempt, row.cancel_requested_at) == (State.RUNNING, held.generation.attempt, None)
            assert row.lease_owner == held.hands.owner

    # --- what happens -------------------------------------------------------------------------------------------------

    @precondition(lambda self: self.beliefs)
    @rule(which=st.integers(0, 20))
    def lease_runs_out(self, which: int) -> None:
        held = self._pick(which)
        if Generation.objects.filter(pk=held.generation.pk, lease_owner=held.hands.owner).exists():
            scene.lapse(held.generation)

    @rule()
    def reap(self) -> None:
        recovery.reap(now=timezone.now())

    @rule(which=st.integers(0, 2))
    def deadline_passes(self, which: int) -> None:
        late = timezone.now() - dt.timedelta(minutes=1)
        Generation.objects.filter(conversation=self.homes[which], state__in=Generation.ACTIVE).update(deadline_at=late)
        recovery.overdue(now=timezone.now())
        assert not Generation.objects.filter(state__in=Generation.ACTIVE, deadline_at=late).exists()

    # --- what is promised ---------------------------------------------------------------------------------------------

    @staticmethod
    def _frozen(row: Generation) -> tuple[Any, ...]:
        return (
            row.state,
            row.error_kind,
            row.finish_reason,
            row.output_tokens,
            row.finished_at,
            row.attempt,
            row.revision,
        )

    @invariant()
    def what_has_ended_never_changes(self) -> None:
        for row in Generation.objects.all():
            if row.state in TERMINAL:
                assert self.ended.setdefault(row.pk, self._frozen(row)) == self._frozen(row)
            else:
                assert row.pk not in self.ended

    @invariant()
    def one_is_active_in_a_conversation(self) -> None:
        active = list(Generation.objects.filter(state__in=Generation.ACTIVE).values_list("conversation", flat=True))
        assert len(active) == len(set(active))

    @invariant()
    def a_hold_is_held_while_its_answer_is_active_and_no_longer(self) -> None:
        held = set(Reservation.objects.filter(state="held").values_list("request_id", flat=True))
        assert held == set(Generation.objects.filter(state__in=Generation.ACTIVE).values_list("uuid", flat=True))

    @invariant()
    def each_call_is_counted_once_when_it_has_ended_and_not_before(self) -> None:
        counted = sorted(Invocation.objects.values_list("request_id", flat=True))
        assert counted == sorted(Generation.objects.filter(state__in=TERMINAL).values_list("uuid", flat=True))

    @invariant()
    def the_live_text_is_of_the_attempt_that_holds_the_answer_and_goes_with_its_end(self) -> None:
        assert not Delta.objects.filter(generation__state__in=TERMINAL).exists()
        for row in Generation.objects.filter(state__in=Generation.ACTIVE):
            text = "".join(row.deltas.order_by("seq").values_list("text", flat=True))
            assert text == self.written.get((row.pk, row.attempt), "")
            assert bool(text) == (row.state == State.STREAMING)

    @invariant()
    def a_stored_answer_is_the_text_of_one_attempt_after_another_generation_of_it(self) -> None:
        for row in Generation.objects.filter(state__in=TERMINAL, attempt__gt=0).select_related("message"):
            shown = self.written.get((row.pk, row.attempt))
            if shown is not None:
                assert row.message.text[row.start_offset :].startswith(shown)


FULL = hypothesis_settings(
    max_examples=50 if connection.vendor == "sqlite" else 20,  # a server answers each of many small questions later
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    database=None,
)
QUICK = hypothesis_settings(FULL, phases=[Phase.generate], report_multiple_bugs=False)


def test_any_order_of_steps_keeps_what_is_promised(db: None) -> None:
    run_state_machine_as_test(
        Life,
        settings=FULL,
    )


def test_without_the_fence_the_same_steps_show_what_it_is_for(db: None, settings: LazySettings) -> None:
    settings.ENGINE_FENCE = False
    with pytest.raises(AssertionError):
        run_state_machine_as_test(Life, settings=QUICK)
