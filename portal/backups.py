"""Copies of the database, made while others use it, and when the last one was made. Restores nothing."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

from django.conf import settings
from django.core.management.base import CommandError
from django.db import connection

KEPT = 5
"""Backups made before an upgrade that are kept; older ones go."""
FRESH = timedelta(days=8)
"""A backup that is younger counts as one that is made regularly."""


def folder() -> Path:
    """Where they go if nothing else is said."""
    return Path(settings.DATA_DIR) / "backups"


def before_upgrade() -> str:
    """One into our own folder, where the oldest ones make room; the line to say about it."""
    if (made := back_up(folder(), name="before")) is None:
        return "No backup was made: pg_dump is missing (apt install postgresql-client); your own backups must do"
    for old in sorted(folder().glob("before-*"))[:-KEPT]:
        old.unlink()
    return f"Backed the database up to {made}"


def back_up(target: Path, *, name: str = "backup") -> Path | None:
    """A copy of the database as it is now in this folder, readable by its owner only; None: pg_dump is missing. Raises CommandError."""
    target.mkdir(mode=0o700, exist_ok=True)
    folder().mkdir(mode=0o700, exist_ok=True)
    stem = target / f"{name}-{datetime.now(UTC):%Y%m%d-%H%M%S-%f}"
    if connection.vendor == "sqlite":
        made = stem.with_suffix(".sqlite3")
        _copy(Path(str(connection.settings_dict["NAME"])), target=made)
    elif shutil.which("pg_dump"):
        made = stem.with_suffix(".pgdump")
        _dump(made)
    else:
        return None
    _note().touch(mode=0o600)
    return made


def is_fresh(*, now: datetime) -> bool:
    """Whether one was made lately, wherever it went."""
    try:
        made = datetime.fromtimestamp(_note().stat().st_mtime, UTC)
    except OSError:
        return False
    return now - made < FRESH


def _note() -> Path:
    """A file whose age is that of the last backup: it may lie on another machine by now."""
    return folder() / "last"


def _copy(source: Path, *, target: Path) -> None:
    target.touch(mode=0o600)
    try:
        with closing(sqlite3.connect(source)) as here, closing(sqlite3.connect(target)) as there:
            here.backup(there)
    except sqlite3.Error as error:  # half a copy is none
        target.unlink()
        raise CommandError(f"The backup failed, so nothing was changed: {error}") from None


def _dump(target: Path) -> None:
    """pg_dump; the password goes by environment, never by the command line that every user of the machine can read."""
    values = connection.settings_dict
    names = {"PGHOST": "HOST", "PGPORT": "PORT", "PGUSER": "USER", "PGPASSWORD": "PASSWORD", "PGDATABASE": "NAME"}
    given = {name: str(values[key]) for name, key in names.items() if values.get(key)}
    target.touch(mode=0o600)
    command = ["pg_dump", "--format=custom", f"--file={target}"]
    # S603: a fixed program and a path of our own, without a shell
    done = subprocess.run(command, env=os.environ | given, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode:
        target.unlink()
        raise CommandError(f"The backup failed, so nothing was changed: {done.stderr.strip()[:300]}")
