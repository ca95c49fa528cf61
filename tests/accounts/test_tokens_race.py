"""Eight refreshes of one token at the same moment: exactly one wins, in threads and in processes, on both databases.

A few rounds of bench/refresh_race.py, which runs a thousand by hand. First the control: without the guard several win.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
HOW = pytest.mark.parametrize("how", ["threads", pytest.param("processes", marks=pytest.mark.chaos)])
ROUNDS = 10


def race(*words: str) -> dict[str, Any]:
    environment = {name: value for name, value in os.environ.items() if name not in {"DATA_DIR", "DATABASE_URL"}}
    command = [sys.executable, "-m", "bench.refresh_race", "--rounds", str(ROUNDS), *words]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def one_winner_each(found: dict[str, Any]) -> None:
    assert found["winners_by_round"] == {"1": ROUNDS}
    assert found["outcomes"] == {"won": ROUNDS, "already rotated": 7 * ROUNDS}
    assert found["sign_ins_alive"] == ROUNDS  # asking twice as one client ends nothing


def several_winners(found: dict[str, Any]) -> None:
    assert sum(int(rounds) for winners, rounds in found["winners_by_round"].items() if int(winners) > 1) > 0


@HOW
def test_without_the_guard_several_win(how: str) -> None:
    several_winners(race("--how", how, "--unguarded"))


@HOW
def test_exactly_one_of_eight_wins(how: str) -> None:
    one_winner_each(race("--how", how))


@HOW
@pytest.mark.services("postgres")
def test_without_the_guard_several_win_on_postgresql(how: str, postgres_url: str) -> None:
    several_winners(race("--how", how, "--unguarded", "--database", postgres_url))


@HOW
@pytest.mark.services("postgres")
def test_exactly_one_of_eight_wins_on_postgresql(how: str, postgres_url: str) -> None:
    one_winner_each(race("--how", how, "--database", postgres_url))
