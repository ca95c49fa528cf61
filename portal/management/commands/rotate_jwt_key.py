"""`manage.py rotate_jwt_key`: a new key signs tokens, the former ones verify as long as a token of theirs may live.

Changes the file in DATA_DIR and nothing else; where JWT_KEYS stands in the environment it prints the new value instead.
"""

from __future__ import annotations

import datetime as dt
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from portal import jwt_keys


class Command(BaseCommand):
    """Everybody stays signed in: what the former key signed is believed until it ends."""

    help = "Puts a new key for tokens first. Restart every web process afterwards."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--prepare",
            action="store_true",
            help="several web processes: first let all of them know the new key; it signs after the next rotate_jwt_key",
        )
        parser.add_argument(
            "--forget",
            action="store_true",
            help="a key became known: no former key counts, every program signs in again",
        )

    def handle(self, *, prepare: bool, forget: bool, **_: Any) -> None:
        path = settings.DATA_DIR / jwt_keys.FILE
        in_file = path.exists() and jwt_keys.read(path.read_text()) == settings.JWT_KEYS
        now = dt.datetime.now(dt.UTC)
        keys = self._new_keys(now, prepare=prepare, forget=forget)
        if in_file:
            jwt_keys.store(path, keys)
            self.stdout.write(f"{path}: {', '.join(keys)} (the first signs).")
        else:
            self.stdout.write("JWT_KEYS is set in the environment. Put this in its place, everywhere:")
            self.stdout.write(f"JWT_KEYS={jwt_keys.write(keys)}")
        self.stdout.write("Now restart every web process.")

    def _new_keys(self, now: dt.datetime, *, prepare: bool, forget: bool) -> dict[str, str]:
        if prepare:
            return jwt_keys.prepared(settings.JWT_KEYS, now=now)
        needed = dt.timedelta(days=min(settings.JWT_IDLE_DAYS, settings.JWT_SESSION_DAYS), hours=1)
        return jwt_keys.rotated({} if forget else settings.JWT_KEYS, now=now, needed=needed)
