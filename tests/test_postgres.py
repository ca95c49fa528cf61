"""The tests of the conversation and of what it costs once more, against PostgreSQL: the same promises on both databases."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
ROOMS = ["tests/chat", "tests/usage"]
# What asks no database; pages, whose statements are counted for SQLite; and (generation) a table that is away, as SQLite says it.
NOT = ["rendering", "live", "notes", "prompts", "page_weight", "views", "generation"]
ONLY = "not browser and not chaos and not services"


@pytest.mark.services("postgres")
def test_the_conversation_keeps_its_promises_on_postgresql(postgres_url: str) -> None:
    environment = {**os.environ, "TEST_DATABASE_URL": postgres_url, "NO_SKIPS": "1"}
    environment.pop("DATA_DIR", None)
    environment.pop("PYTEST_XDIST_WORKER", None)
    command = [sys.executable, "-m", "pytest", *ROOMS, "-m", ONLY, "-q", "-p", "no:cacheprovider", "-n", "2"]
    command += [f"--ignore=tests/chat/test_{name}.py" for name in NOT]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
