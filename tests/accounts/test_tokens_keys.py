"""The keys that sign tokens: made on the first start, readable by nobody else, rotated without signing anybody out."""

from __future__ import annotations

import datetime as dt
import os
import stat
import subprocess
import sys
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command

from portal import jwt_keys

ROOT = Path(__file__).resolve().parent.parent.parent
WEEK = dt.timedelta(days=7)
NOW = dt.datetime(2026, 11, 22, 12, tzinfo=dt.UTC)


def made(days_ago: float) -> str:
    return jwt_keys.make(NOW - dt.timedelta(days=days_ago))


def names(keys: jwt_keys.Keys) -> list[str]:
    return list(keys)


def test_a_key_is_long_random_and_says_when_it_was_made() -> None:
    found = jwt_keys.read(f"{made(0)},{made(0)}")
    assert len(found) == 2
    assert all(name.startswith("20261122T120000Z-") and jwt_keys.KID.fullmatch(name) for name in found)
    assert all(len(secret) == 64 for secret in found.values())


def test_what_is_written_is_read_again() -> None:
    keys = {"b": "x" * 40, "a": "y:z" * 12}
    assert jwt_keys.read(jwt_keys.write(keys)) == keys
    assert names(jwt_keys.read(" b:1 , a:2 ,,")) == ["b", "a"]


@pytest.mark.parametrize("text", ["secret-without-a-name", ":secret", "a:1,a:2"])
def test_what_has_no_name_of_its_own_is_left_to_the_check(text: str) -> None:
    assert not all(jwt_keys.KID.fullmatch(kid) and secret for kid, secret in jwt_keys.read(text).items())


def test_a_rotation_puts_a_new_key_first_and_keeps_what_may_still_be_needed() -> None:
    old, middle, last = made(30), made(9), made(3)
    keys = jwt_keys.read(f"{last},{middle},{old}")
    found = jwt_keys.rotated(keys, now=NOW, needed=WEEK)
    # The oldest signed until 9 days ago and its last token died 2 days ago; the middle one signed until 3 days ago.
    assert names(found)[1:] == names(keys)[:2]
    assert names(found)[0] not in keys


def test_a_prepared_key_verifies_first_and_signs_after_the_next_rotation() -> None:
    keys = jwt_keys.read(made(100))
    ready = jwt_keys.prepared(keys, now=NOW)
    assert names(ready)[0] == names(keys)[0]
    later = jwt_keys.rotated(ready, now=NOW + dt.timedelta(minutes=5), needed=WEEK)
    assert names(later) == names(ready)[::-1]


def test_names_that_somebody_chose_are_never_forgotten_by_date() -> None:
    found = jwt_keys.rotated({"mine": "x" * 40, "older": "y" * 40}, now=NOW, needed=WEEK)
    assert names(found)[1:] == ["mine", "older"]


def run(folder: Path, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    known = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    values = known | {"DATA_DIR": str(folder), "IGNORE_DOTENV": "1"} | environment
    command = [sys.executable, "manage.py", *words]
    return subprocess.run(command, cwd=ROOT, env=values, capture_output=True, text=True, timeout=120, check=False)


def test_the_first_start_makes_a_key_apart_from_the_secret_key_and_keeps_it(tmp_path: Path) -> None:
    for _ in range(2):
        done = run(tmp_path, "check")
        assert done.returncode == 0, done.stderr
        kept = (tmp_path / jwt_keys.FILE).read_text()
    assert stat.S_IMODE((tmp_path / jwt_keys.FILE).stat().st_mode) == 0o600
    (secret,) = jwt_keys.read(kept).values()
    assert secret != (tmp_path / "secret_key").read_text().strip()
    assert (tmp_path / jwt_keys.FILE).read_text() == kept


def test_a_weak_key_stops_the_start_and_is_not_repeated(tmp_path: Path) -> None:
    done = run(tmp_path, "check", JWT_KEYS="a:hunter2")
    assert done.returncode != 0
    assert "portal.E017" in done.stderr
    assert "hunter2" not in done.stderr + done.stdout


def test_the_command_rotates_the_file_and_prints_no_secret(tmp_path: Path) -> None:
    run(tmp_path, "check")
    before = jwt_keys.read((tmp_path / jwt_keys.FILE).read_text())
    done = run(tmp_path, "rotate_jwt_key")
    assert done.returncode == 0, done.stderr
    after = jwt_keys.read((tmp_path / jwt_keys.FILE).read_text())
    assert (len(after), names(after)[1:]) == (2, names(before))
    assert stat.S_IMODE((tmp_path / jwt_keys.FILE).stat().st_mode) == 0o600
    assert names(after)[0] in done.stdout
    assert not [secret for secret in after.values() if secret in done.stdout + done.stderr]
    assert "restart every web process" in done.stdout


def test_a_key_that_became_known_is_forgotten_at_once(tmp_path: Path) -> None:
    run(tmp_path, "check")
    before = jwt_keys.read((tmp_path / jwt_keys.FILE).read_text())
    run(tmp_path, "rotate_jwt_key", "--forget")
    after = jwt_keys.read((tmp_path / jwt_keys.FILE).read_text())
    assert (len(after), before.keys() & after.keys()) == (1, set())


def test_keys_of_the_environment_are_printed_to_be_put_there(settings: Any, tmp_path: Path) -> None:
    settings.DATA_DIR = tmp_path
    settings.JWT_KEYS = {"mine": "x" * 40}
    said = StringIO()
    call_command("rotate_jwt_key", stdout=said)
    line = next(line for line in said.getvalue().splitlines() if line.startswith("JWT_KEYS="))
    assert names(jwt_keys.read(line.removeprefix("JWT_KEYS=")))[1:] == ["mine"]
    assert list(tmp_path.iterdir()) == []
