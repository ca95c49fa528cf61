"""Copies the database while it is used, so that a cron job or a timer can do it every night."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from portal import backups


class Command(BaseCommand):
    """`manage.py backup`; a repeat makes one more."""

    help = "Copies the database while it is used: SQLite to one file, PostgreSQL with pg_dump. Removes nothing."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--to", type=Path, help="a folder, best on another disk; DATA_DIR/backups without it")

    def handle(self, *, to: Path | None, **_: Any) -> None:
        try:
            made = backups.back_up(to or backups.folder())
        except OSError as error:
            raise CommandError(f"Nothing was written to {to or backups.folder()}: {error.strerror}") from None
        if made is None:
            raise CommandError("pg_dump is missing (apt install postgresql-client); nothing was written")
        self.stdout.write(f"Backed the database up to {made}")
