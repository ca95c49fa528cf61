"""What is written down of an answer's life: nothing of an ordinary one, and each thing that was not."""

from __future__ import annotations

import json
import logging
import uuid
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import User
from chat import claims, recovery, waiting
from chat.generation import Services
from chat.models import Generation
from portal import log_settings
from providers.simulator.process import Simulator
from tests.chat import asking, scene
from tests.chat.answering import answer, take
from tests.chat.scene import Hands
from tests.portal.test_log_settings import Kept
from tests.usage import making
from usage.models import CallLine, Invocation

pytestmark = pytest.mark.django_db
threads = pytest.mark.django_db(transaction=True)


def lines() -> list[tuple[str, int, str, str]]:
    return list(CallLine.objects.order_by("at", "pk").values_list("kind", "attempt", "reason", "detail"))


@threads
def test_an_ordinary_answer_has_no_lines_and_its_row_says_all(
    ada: User, hands: Hands, simulator: Simulator, services: Services
) -> None:
    answer(take(ada, hands, simulator), services)
    assert lines() == []
    call = Invocation.objects.get()
    assert (call.outcome, call.attempts, call.queue_ms is None, call.ttft_ms is None) == ("done", 1, False, False)


def test_an_ending_without_lines_costs_no_statement_for_them(ada: User, hands: Hands) -> None:
    scene.queue(ada, 1)
    (generation,) = hands.take()
    with CaptureQueriesContext(connection) as asked:
        hands.end(generation)
    assert not [query for query in asked.captured_queries if "usage_callline" in query["sql"]]


@threads
def test_a_failure_is_written_with_its_status_and_the_try_that_followed(
    ada: User, hands: Hands, simulator: Simulator, services: Services
) -> None:
    answer(take(ada, hands, simulator, wish="mode=rate_limit_once seed=busy n=5 gap=0"), services)
    Generation.objects.update(next_attempt_at=None)
    (again,) = claims.claim(hands.owner, places=1)
    answer(again, services)
    kinds = [(kind, attempt) for kind, attempt, _reason, _detail in lines()]
    assert kinds[:4] == [("failed", 1), ("retried", 1), ("claimed", 2), ("dispatched", 2)]
    assert {reason for kind, _attempt, reason, _detail in lines() if kind in ("failed", "retried")} == {"rate_limit"}
    assert next(detail for kind, _attempt, _reason, detail in lines() if kind == "failed") == "HTTP 429"


@threads
def test_a_question_that_is_handed_back_says_so(ada: User, hands: Hands) -> None:
    scene.queue(ada, 1)
    (generation,) = hands.take()
    assert claims.hand_back(generation, owner=hands.owner, billed=False)
    assert not claims.hand_back(generation, owner=hands.owner, billed=False)
    assert lines() == [("handed_back", 1, "", "")]


@pytest.mark.parametrize("shown", [False, True])
def test_a_lost_worker_is_written_down_once(ada: User, hands: Hands, shown: bool) -> None:
    scene.queue(ada, 1)
    (generation,) = hands.take()
    if shown:
        hands.show(generation, "Half")
    scene.lapse(generation)
    for _round in range(2):
        recovery.reap(now=timezone.now())
    assert lines() == [("lost", 1, "worker_lost" if shown else "", "")]


def test_a_question_that_waited_for_allowance_says_so(ada: User) -> None:
    (generation,) = scene.queue(ada, 1)
    Generation.objects.update(state="waiting")
    assert waiting.admit(now=timezone.now()) == 1
    assert CallLine.objects.get().request_id == generation.uuid
    assert lines() == [("waited", 0, "", "")]


@threads
def test_the_log_of_a_worker_names_the_answer_and_its_asker(
    ada: User, hands: Hands, simulator: Simulator, services: Services
) -> None:
    handler = Kept(log_settings.json_lines())
    log = logging.getLogger("chat.generation")
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    claimed = take(ada, hands, simulator, wish="mode=no_credit seed=poor n=5 gap=0")
    answer(claimed, services)
    log.removeHandler(handler)
    log.setLevel(logging.NOTSET)
    told = [json.loads(line) for line in handler.lines]
    assert told
    assert {(line["generation"], line["person"]) for line in told} == {(str(claimed.generation.uuid), str(ada.uuid))}


# --- refused before it became a call ----------------------------------------------------------------------------------------


def refused(client: Client, **fields: Any) -> dict[str, Any]:
    reply = asking.send(client, "A question that nobody else should read", **fields)
    assert reply.status_code in (422, 429)
    return dict(reply.json()["error"])


def test_a_refused_send_is_found_by_the_id_that_was_shown(owner: User, teammate: User) -> None:
    making.limit(0)
    error = refused(asking.of(owner))
    assert not Invocation.objects.exists()  # no sum counts it
    call = Invocation.every.get()
    assert call.request_id == uuid.UUID(error["request_id"])
    assert (call.outcome, call.error_kind, call.person, call.input_tokens) == (
        "refused",
        "limit_reached",
        owner.uuid,
        0,
    )
    assert error["request_id"] in error["notice"]
    assert refused(asking.of(teammate), model="nothing-like-it")["code"] == "no_model"
    assert Invocation.every.latest("pk").person == teammate.uuid
    assert lines() == []


def test_what_the_asker_mends_at_once_leaves_no_row(owner: User) -> None:
    assert asking.send(asking.of(owner), "").status_code == 422
    assert not Invocation.every.exists()
