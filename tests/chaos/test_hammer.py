"""A limit is a bound while eight processes send and workers die; and the same run finds code that reads first and writes then."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bench import hammer

pytestmark = pytest.mark.chaos
SMALL = hammer.Options(processes=8, sends=240, limit=24)


def test_a_limit_holds_while_many_send_at_once_and_workers_die(tmp_path: Path) -> None:
    verdict = hammer.run(SMALL, folder=tmp_path / "site")
    assert verdict.faults == []
    assert verdict.facts["fullest"] == verdict.facts["used"] == 24
    assert verdict.facts["kills"] >= 1


def test_what_reads_first_and_writes_then_passes_the_limit(tmp_path: Path) -> None:
    verdict = hammer.run(replace(SMALL, unguarded=True), folder=tmp_path / "site")
    assert any("was passed" in fault for fault in verdict.faults), verdict


@pytest.mark.services("postgres")
def test_a_limit_holds_on_postgresql(tmp_path: Path, postgres_url: str) -> None:
    verdict = hammer.run(replace(SMALL, database=postgres_url), folder=tmp_path / f"site{id(tmp_path)}")
    assert verdict.faults == []
    assert verdict.facts["fullest"] == 24


def test_the_judge_finds_each_planted_fault() -> None:
    found: dict[str, Any] = {
        "used": 30,
        "active": 1,
        "held": 2,
        "drifts": ["counter 1"],
        "entries": [["1-0-1", 9, 9, False, "settle"], ["1-0-2", 9, 0, True, "attempt"]],
    }
    verdict = hammer.judge(
        hammer.Options(limit=24),
        told=[{"sends": 5, "errors": 1}],
        found=found,
        bill={"1-0-1": [(9, 8)]},
        taken=Counter({"1-0-1": 2, "1-0-2": 1}),
        fullest=25,
    )
    assert len(verdict.faults) == 8
    assert "1 calls that the simulator took are not in the ledger: ['1-0-1']" in verdict.faults
    found = {
        "used": 1,
        "active": 0,
        "held": 0,
        "drifts": [],
        "entries": [["1-0-1", 9, 0, True, "attempt"], ["1-0-1", 9, 8, False, "settle"]],
    }
    verdict = hammer.judge(
        hammer.Options(limit=1),
        told=[{"sends": 5}],
        found=found,
        bill={"1-0-1": [(9, 8)]},
        taken=Counter({"1-0-1": 2}),
        fullest=1,
    )
    assert verdict.faults == []
