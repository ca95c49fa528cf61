"""Backups: a whole copy that only its owner reads, the newest ones kept before upgrades, and the age of the last one."""

from __future__ import annotations

import datetime as dt
import io
import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db import DEFAULT_DB_ALIAS, connection, connections
from django.utils import timezone
from pytest_django import Settings

from portal import backups


@pytest.fixture
def database(tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A database in a file of its own, and a place for data."""
    settings.DATA_DIR = tmp_path / "data"
    settings.DATA_DIR.mkdir()
    file = tmp_path / "portal.sqlite3"
    with closing(sqlite3.connect(file)) as made, made:
        made.execute("CREATE TABLE words (word TEXT)")
        made.execute("INSERT INTO words VALUES ('kept')")
    monkeypatch.setitem(connection.settings_dict, "NAME", str(file))
    return file


def words(file: Path) -> list[str]:
    with closing(sqlite3.connect(file)) as there:
        return [word for (word,) in there.execute("SELECT word FROM words")]


def said(**options: object) -> str:
    out = io.StringIO()
    call_command("backup", stdout=out, **options)
    return out.getvalue()


def test_the_newest_five_backups_before_an_upgrade_are_kept(database: Path) -> None:
    by_hand = backups.back_up(backups.folder())
    lines = [backups.before_upgrade() for _ in range(7)]
    kept = sorted(str(path) for path in backups.folder().glob("before-*"))
    assert kept == [line.removeprefix("Backed the database up to ") for line in lines[2:]]
    assert by_hand is not None and by_hand.exists(), "what was made by hand is nobody's to remove"


def test_a_backup_is_whole_and_its_owners_while_somebody_writes(database: Path, tmp_path: Path) -> None:
    with closing(sqlite3.connect(database)) as writer:
        writer.execute("PRAGMA journal_mode=WAL")
        writer.execute("INSERT INTO words VALUES ('not committed')")
        made = Path(said(to=tmp_path / "elsewhere").removeprefix("Backed the database up to ").strip())
    assert words(made) == ["kept"]
    assert made.parent == tmp_path / "elsewhere"
    assert (made.stat().st_mode & 0o777, made.parent.stat().st_mode & 0o777) == (0o600, 0o700)


def test_a_backup_that_went_elsewhere_counts_for_eight_days(database: Path, tmp_path: Path) -> None:
    now = timezone.now()
    assert not backups.is_fresh(now=now)
    said(to=tmp_path / "elsewhere")
    assert backups.is_fresh(now=now)
    assert backups.is_fresh(now=now + dt.timedelta(days=7, hours=23))
    old = (now - dt.timedelta(days=9)).timestamp()
    os.utime(backups.folder() / "last", (old, old))
    assert not backups.is_fresh(now=now)


def test_a_folder_that_cannot_be_made_is_said_and_counts_for_nothing(database: Path, tmp_path: Path) -> None:
    with pytest.raises(CommandError, match=r"Nothing was written to .*/no/such: No such file"):
        said(to=tmp_path / "no" / "such")
    assert not backups.is_fresh(now=timezone.now())


def test_half_a_copy_is_taken_away_and_counts_for_nothing(database: Path, tmp_path: Path) -> None:
    database.write_bytes(b"this is no database" * 100)
    with pytest.raises(CommandError, match="The backup failed, so nothing was changed: file is not a database"):
        said(to=tmp_path / "elsewhere")
    assert list((tmp_path / "elsewhere").iterdir()) == []
    assert not backups.is_fresh(now=timezone.now())


def test_without_pg_dump_the_command_fails_and_an_upgrade_says_so(
    database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(type(connections[DEFAULT_DB_ALIAS]), "vendor", "postgresql")
    monkeypatch.setattr(shutil, "which", lambda _name: None)
    with pytest.raises(CommandError, match="pg_dump is missing"):
        said()
    assert backups.before_upgrade().startswith("No backup was made: pg_dump is missing")
    assert not backups.is_fresh(now=timezone.now())
