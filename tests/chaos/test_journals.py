"""The comparison is shown planted faults before it is believed."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from providers.simulator.answers import text_for
from providers.simulator.journal import Entry
from tests.chaos.journals import compare

TOLD = [
    {
        "event": "promised",
        "person": "a@x",
        "client_id": f"client-{n}",
        "seed": f"s{n}",
        "tokens": 30,
        "generation": f"g{n}",
    }
    for n in range(3)
] + [
    {"event": "ended", "generation": "g0", "state": "done", "html": "digest"},
    {"event": "ended", "generation": "g1", "state": "interrupted", "html": "digest"},
]
ROW = {
    "state": "done", "attempt": 1, "crashes": 0, "tries": 0, "error_kind": "", "finish_reason": "stop", "hold": "settled",
    "calls": 1, "live": 0, "seconds": 2.0, "person": "a@x", "html": "digest",
}  # fmt: skip
ROWS = [
    {**ROW, "uuid": f"g{n}", "client_id": f"client-{n}", "question": f"q{n}", "text": text_for(f"s{n}", tokens=30)}
    for n in range(3)
]
ROWS[1] |= {"state": "interrupted", "text": text_for("s1", tokens=7)}


def bill() -> list[Entry]:
    made = [Entry(f"r{n}", f"s{n}", "demo", "ok", 0.0, 10, None, "") for n in range(3)]
    for entry in made:
        entry.ended = "done"
    return made


def test_nothing_is_found_where_everything_held() -> None:
    assert compare(TOLD, rows=ROWS, bill=bill(), slowest_s=5).faults == {}


@pytest.mark.parametrize(
    ("kind", "place", "change"),
    [
        ("wrong", 0, {"text": text_for("s0", tokens=29)}),
        ("wrong", 0, {"text": text_for("s0", tokens=15) + text_for("s0", tokens=30)}),
        ("wrong", 1, {"text": "something else"}),
        ("wrong", 1, {"text": ""}),
        ("wrong", 2, {"state": "failed", "text": "", "error_kind": "internal"}),
        ("stuck", 2, {"state": "queued"}),
        ("stuck", 2, {"seconds": 5.5}),
        ("changed", 1, {"state": "done", "text": text_for("s1", tokens=30)}),
        ("changed", 0, {"html": "another"}),
        ("unbalanced", 0, {"hold": "held"}),
        ("unbalanced", 0, {"calls": 0}),
        ("unbalanced", 0, {"live": 3}),
        ("doubled", 2, {"question": "q0"}),
        ("lost", 2, {"uuid": "somebody-else"}),
    ],
)
def test_a_planted_fault_is_found(kind: str, place: int, change: dict[str, Any]) -> None:
    rows = copy.deepcopy(ROWS)
    rows[place] |= change
    assert list(compare(TOLD, rows=rows, bill=bill(), slowest_s=5).faults) == [kind]


def test_a_second_generation_of_one_send_is_found() -> None:
    twice = [*TOLD, {**TOLD[0], "generation": "g9"}]
    rows = [*ROWS, {**ROWS[0], "uuid": "g9", "question": "q9"}]
    assert list(compare(twice, rows=rows, bill=bill(), slowest_s=5).faults) == ["doubled"]


def test_a_call_too_many_and_one_too_few_are_found_in_the_bill() -> None:
    more = [*bill(), Entry("r9", "s0", "demo", "ok", 0.0, 10, None, "")]
    assert list(compare(TOLD, rows=ROWS, bill=more, slowest_s=5).faults) == ["doubled"]
    assert list(compare(TOLD, rows=ROWS, bill=bill()[1:], slowest_s=5).faults) == ["unbalanced"]


@pytest.mark.parametrize(("crashes", "drains", "found"), [(0, False, ["doubled"]), (1, False, []), (0, True, [])])
def test_a_second_call_needs_a_crash_to_explain_it(*, crashes: int, drains: bool, found: list[str]) -> None:
    rows = [{**ROWS[0], "attempt": 2, "crashes": crashes}, *ROWS[1:]]
    twice = [*bill(), Entry("r9", "s0", "demo", "ok", 0.0, 10, None, "")]
    assert list(compare(TOLD, rows=rows, bill=twice, slowest_s=5, drains=drains).faults) == found
