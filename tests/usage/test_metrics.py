"""How long a model takes is said only where recent answers show it; the first text's time is that of the call."""

from __future__ import annotations

import datetime as dt
import uuid

import pytest

from usage import invocations, metrics
from usage.models import Invocation

pytestmark = pytest.mark.django_db
NOW = dt.datetime(2026, 1, 1, 12, tzinfo=dt.UTC)


def call(
    model: uuid.UUID, *, seconds: float, age: int = 60, outcome: str = "done", ttft: int | None = None
) -> Invocation:
    began = NOW - dt.timedelta(seconds=age)
    return Invocation(
        request_id=uuid.uuid4(), source="page", model=model, created_at=began, finished_at=NOW, outcome=outcome,
        queue_ms=1_000, duration_ms=round(seconds * 1_000) + 1_000, ttft_ms=ttft,
    )  # fmt: skip


def test_the_mean_is_of_recent_finished_answers_without_their_wait() -> None:
    model, other = uuid.uuid4(), uuid.uuid4()
    rows = [call(model, seconds=s) for s in (2, 4, 6)]
    rows += [call(model, seconds=90, age=7_200), call(model, seconds=90, outcome="failed"), call(other, seconds=50)]
    invocations.record(rows)
    assert metrics.mean_seconds([model], now=NOW) == {model: 4.0}


def test_two_answers_are_no_basis() -> None:
    model = uuid.uuid4()
    invocations.record([call(model, seconds=2), call(model, seconds=4)])
    assert metrics.mean_seconds([model], now=NOW) == {}


def test_the_first_text_comes_when_the_call_says() -> None:
    with_text, without = call(uuid.uuid4(), seconds=9, ttft=6_400), call(uuid.uuid4(), seconds=9)
    invocations.record([with_text, without])
    found = metrics.first_text_seconds([with_text.request_id, without.request_id, uuid.uuid4()])
    assert found == {with_text.request_id: 6}
