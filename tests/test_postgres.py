"""The tests of the conversation, of what it costs and of who asks once more, against PostgreSQL: the same promises on both."""

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


# Races, tokens, the guard over the trail, constraints: what a database may see otherwise. Pages and words are the same on both.
# The trail itself is run there by tests/accounts/test_audit_parallel.py.
ACCOUNTS = [
    *("api_keys_use", "audit_signals", "deactivation", "invitations"),
    *("lockout", "one_time_links", "registration", "sso_race", "tokens", "tokens_race", "tries"),
]
API = ["auth", "keys"]
# Statements are counted for SQLite, and times are compared on one database.
BOUND = "not costs_the_same"
# Pages of what it costs, and counts of statements: on PostgreSQL the time of day is one more.
PAGES = ["limit_views", "mine_views", "price_views"]
# Planted faults are found on SQLite.
COUNTED = "not is_caught and not acts_from_its_moment and not converted_with_the_rate_of_its_date"


@pytest.mark.services("postgres")
def test_the_conversation_keeps_its_promises_on_postgresql(postgres_url: str) -> None:
    without = [f"--ignore=tests/chat/test_{name}.py" for name in NOT]
    without += [f"--ignore=tests/usage/test_{name}.py" for name in PAGES]
    assert_green(*ROOMS, *without, "-k", COUNTED, url=postgres_url)


@pytest.mark.services("postgres")
def test_accounts_and_programs_keep_theirs_on_postgresql(postgres_url: str) -> None:
    accounts = [f"tests/accounts/test_{name}.py" for name in ACCOUNTS]
    assert_green(*accounts, *[f"tests/api/test_{name}.py" for name in API], "-k", BOUND, url=postgres_url)


def assert_green(*what: str, url: str) -> None:
    """Runs these tests on this database; not one may be skipped."""
    environment = {**os.environ, "TEST_DATABASE_URL": url, "NO_SKIPS": "1"}
    environment.pop("DATA_DIR", None)
    environment.pop("PYTEST_XDIST_WORKER", None)
    command = [sys.executable, "-m", "pytest", *what, "-m", ONLY, "-q", "-p", "no:cacheprovider", "-n", "2"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
