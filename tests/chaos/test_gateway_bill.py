"""The ledger equals the bill while programs hang up, providers fail and web processes are killed; and the judge finds what is planted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bench import gateway_bill
from bench.gateway_bill import Options, Told

pytestmark = pytest.mark.chaos


def test_the_ledger_is_the_bill_whatever_happens_to_the_calls(tmp_path: Path) -> None:
    found = gateway_bill.run(Options(calls=120, kills=1), folder=tmp_path / "site")
    assert found["faults"] == []
    assert found["exact"] > 20 and found["entries"] > 60


def test_the_judge_finds_each_planted_fault() -> None:
    bill = [
        {"event": "accepted", "id": "1", "prompt_tokens": 9},
        {"event": "ended", "id": "1", "tokens": 5, "ended": "done"},
        {"event": "accepted", "id": "2", "prompt_tokens": 9},
        {"event": "ended", "id": "2", "tokens": 4, "ended": "aborted"},
    ]
    good: dict[str, Any] = {
        "held": 0,
        "holds": {"a": ["settled", 10, 50], "b": ["settled", 10, 50]},
        "counted": 2,
        "drifts": [],
        "outcomes": ["done", "cancelled"],
        "entries": [["a", "settle", 9, 5, False], ["b", "settle", 9, 3, True]],
    }
    told = [Told("1", "a", 200, whole=True), Told("2", "b", 200, whole=False)]
    assert gateway_bill.judge(told, found=good, bill=bill)["faults"] == []
    planted: list[dict[str, Any]] = [
        {"held": 1},
        {"drifts": ["a counter"]},
        {"counted": 3},
        {"entries": [["a", "settle", 9, 4, False], ["b", "settle", 9, 3, True]]},  # not what was billed
        {"entries": [["a", "settle", 9, 5, False], ["b", "settle", 9, 51, True]]},  # above its hold
        {"entries": [["a", "settle", 9, 5, False]], "counted": 1},  # a call that was billed is in no entry
        {"entries": [["b", "settle", 9, 3, True], ["b", "settle", 9, 3, True]]},  # once missing, once too often
    ]
    for fault in planted:
        assert gateway_bill.judge(told, found=good | fault, bill=bill)["faults"], fault
