"""The retry table, row by row; what is charged; how an error's kind is found."""

from __future__ import annotations

import random

import pytest

from providers.failures import Failure, Kind, charge, classify, most_tries, parse_retry_after, retry_delay


class Middle(random.Random):
    """Always the middle of the spread."""

    def uniform(self, a: float, b: float) -> float:
        return (a + b) / 2


PAUSES = [
    (Kind.RATE_LIMIT, [1.0, 2.0, 4.0]),
    (Kind.SERVER_ERROR, [1.0, 2.0]),
    (Kind.UNREACHABLE, [0.2, 0.5]),
    (Kind.FIRST_BYTE_TIMEOUT, [0.2]),
    (Kind.STALLED, [0.2]),
    (Kind.CUT_OFF, [0.2, 0.5]),
    (Kind.BAD_STREAM, [0.5]),
    (Kind.NO_CREDIT, []),
    (Kind.CONTENT_FILTER, []),
    (Kind.CONTEXT_TOO_LONG, []),
    (Kind.BAD_KEY, []),
    (Kind.MODEL_GONE, []),
    (Kind.BAD_REQUEST, []),
    (Kind.NOT_A_STREAM, []),
    (Kind.TOO_LARGE, []),
    (Kind.REDIRECT, []),
    (Kind.DEADLINE, []),
    (Kind.WORKER_LOST, []),
    (Kind.POISONED, []),
    (Kind.HAND_BACK, []),
    (Kind.NO_MODEL, []),
    (Kind.INTERNAL, []),
    (Kind.LIMIT_REACHED, []),
    (Kind.LIMIT_HELD, []),
]


def test_the_table_of_pauses_knows_every_kind() -> None:
    assert {kind for kind, _ in PAUSES} == set(Kind)


@pytest.mark.parametrize(("kind", "pauses"), PAUSES)
def test_a_kind_is_tried_again_as_often_as_its_row_says(kind: Kind, pauses: list[float]) -> None:
    found = [retry_delay(kind, tries=tries, rng=Middle()) for tries in range(1, len(pauses) + 2)]
    assert found == [*pauses, None]
    assert most_tries(kind) == len(pauses) + 1


def test_pauses_are_jittered_by_a_quarter() -> None:
    found = [retry_delay(Kind.RATE_LIMIT, tries=2, rng=random.Random(seed)) for seed in range(200)]
    assert all(pause is not None and 1.5 <= pause <= 2.5 for pause in found)
    assert len(set(found)) > 100


@pytest.mark.parametrize(
    ("kind", "retry_after", "expected"),
    [
        (Kind.RATE_LIMIT, 0.0, 0.0),
        (Kind.RATE_LIMIT, 7.5, 7.5),
        (Kind.RATE_LIMIT, 60.0, 60.0),
        (Kind.RATE_LIMIT, 60.1, None),
        (Kind.SERVER_ERROR, 9.0, 9.0),
        (Kind.UNREACHABLE, 9.0, 0.2),
        (Kind.NO_CREDIT, 1.0, None),
    ],
)
def test_retry_after_is_heeded_up_to_a_minute(kind: Kind, retry_after: float, expected: float | None) -> None:
    assert retry_delay(kind, tries=1, retry_after=retry_after, rng=Middle()) == expected


@pytest.mark.parametrize(
    ("kind", "dispatched", "shown", "expected"),
    [
        (Kind.RATE_LIMIT, False, False, "none"),
        (Kind.NO_CREDIT, True, False, "none"),
        (Kind.SERVER_ERROR, False, False, "none"),
        (Kind.SERVER_ERROR, True, False, "estimate"),
        (Kind.UNREACHABLE, False, False, "none"),
        (Kind.UNREACHABLE, True, False, "estimate"),
        (Kind.FIRST_BYTE_TIMEOUT, True, False, "estimate"),
        (Kind.STALLED, True, True, "estimate"),
        (Kind.CUT_OFF, True, False, "estimate"),
        (Kind.CONTENT_FILTER, False, False, "none"),
        (Kind.CONTEXT_TOO_LONG, True, False, "none"),
        (Kind.BAD_KEY, True, False, "none"),
        (Kind.MODEL_GONE, True, False, "none"),
        (Kind.BAD_REQUEST, True, False, "none"),
        (Kind.BAD_KEY, True, True, "estimate"),
        (Kind.WORKER_LOST, True, False, "estimate"),
        (Kind.DEADLINE, False, False, "none"),
    ],
)
def test_what_a_failed_call_is_charged(kind: Kind, dispatched: bool, shown: bool, expected: str) -> None:
    assert charge(kind, dispatched=dispatched, shown=shown) == expected


@pytest.mark.parametrize(
    ("status", "code", "type_", "message", "expected"),
    [
        (429, "", "", "", Kind.RATE_LIMIT),
        (429, "rate_limit_exceeded", "", "", Kind.RATE_LIMIT),
        (429, "insufficient_quota", "", "", Kind.NO_CREDIT),
        (429, "", "insufficient_quota", "", Kind.NO_CREDIT),
        (429, "daily_spend_limit_exceeded", "", "", Kind.NO_CREDIT),
        (402, "", "", "", Kind.NO_CREDIT),
        (400, "Arrearage", "", "", Kind.NO_CREDIT),
        (500, "", "", "", Kind.SERVER_ERROR),
        (500, "insufficient_quota", "", "", Kind.SERVER_ERROR),
        (529, "", "overloaded_error", "", Kind.SERVER_ERROR),
        (408, "", "", "", Kind.SERVER_ERROR),
        (409, "", "", "", Kind.SERVER_ERROR),
        (400, "context_length_exceeded", "", "", Kind.CONTEXT_TOO_LONG),
        (400, "", "", "This model's maximum context length is 8192", Kind.CONTEXT_TOO_LONG),
        (413, "", "", "", Kind.CONTEXT_TOO_LONG),
        (400, "content_policy_violation", "", "", Kind.CONTENT_FILTER),
        (401, "", "", "", Kind.BAD_KEY),
        (403, "", "", "", Kind.BAD_KEY),
        (400, "", "", "API key not valid", Kind.BAD_KEY),
        (404, "", "", "", Kind.MODEL_GONE),
        (400, "model_not_found", "", "", Kind.MODEL_GONE),
        (400, "", "invalid_request_error", "", Kind.BAD_REQUEST),
        (422, "", "", "", Kind.BAD_REQUEST),
        (302, "", "", "", Kind.REDIRECT),
        (307, "insufficient_quota", "", "", Kind.REDIRECT),
        (None, "", "", "", Kind.SERVER_ERROR),
        (None, "insufficient_quota", "", "", Kind.NO_CREDIT),
        (None, "", "overloaded_error", "", Kind.SERVER_ERROR),
    ],
)
def test_an_error_is_classified(status: int | None, code: str, type_: str, message: str, expected: Kind) -> None:
    assert classify(status, code=code, type_=type_, message=message) == expected


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, None),
        ({"retry-after": "3"}, 3.0),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after": "-3"}, 0.0),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after-ms": "250", "retry-after": "9"}, 0.25),
        ({"retry-after": "Thu, 01 Jan 1970 00:02:00 GMT"}, 20.0),
        ({"retry-after": "Thu, 01 Jan 1970 00:00:01 GMT"}, 0.0),
    ],
)
def test_retry_after_is_read_in_all_its_shapes(headers: dict[str, str], expected: float | None) -> None:
    assert parse_retry_after(headers, now=100.0) == expected


def test_a_failure_says_its_kind_and_detail() -> None:
    assert str(Failure(Kind.BAD_KEY, detail="401")) == "bad_key: 401"
