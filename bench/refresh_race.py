"""How many of eight parallel refreshes of one token win? Exactly one, in every round; without the guard, several.

    python -m bench.refresh_race --rounds 1000 --how processes --database postgres://root@127.0.0.1:5432/postgres

Makes an installation of its own (a folder, or a database that it drops again) and prints one line of JSON. Starts no web process:
it calls what the API calls.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import statistics
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import django

TOGETHER_S = 60
Race = Callable[[str], list[str]]
"""One refresh token in, what each runner got out."""


def main() -> int:
    given = arguments()
    with installation(given.database):
        django.setup()
        from django.core.management import call_command

        call_command("migrate", verbosity=0)
        with runners(given.how, count=given.parallel, guarded=not given.unguarded) as race:
            print(json.dumps(run(race, rounds=given.rounds) | {"how": given.how, "guarded": not given.unguarded}))
        from django.db import connections

        connections.close_all()
    return 0


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=1000)
    parser.add_argument("--parallel", type=int, default=8)
    parser.add_argument("--how", choices=("threads", "processes"), default="threads")
    parser.add_argument(
        "--database", default="", help="a PostgreSQL server that lets us make a database; without: SQLite"
    )
    parser.add_argument(
        "--unguarded", action="store_true", help="the control: look first, write then, as the library does"
    )
    return parser.parse_args()


@contextmanager
def installation(server: str) -> Iterator[None]:
    """Sets the environment of an installation that is gone afterwards."""
    name = f"race_{os.getpid()}"
    with tempfile.TemporaryDirectory(prefix="race-") as folder:
        os.environ |= {"DJANGO_SETTINGS_MODULE": "portal.settings", "DATA_DIR": folder, "IGNORE_DOTENV": "1"}
        os.environ.pop("DATABASE_URL", None)
        if not server:
            yield
            return
        import psycopg

        base = server.rsplit("/", 1)[0]
        with psycopg.connect(server, autocommit=True) as control:
            control.execute(f'CREATE DATABASE "{name}"')
            os.environ["DATABASE_URL"] = f"{base}/{name}"
            try:
                yield
            finally:
                control.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


def run(race: Race, *, rounds: int) -> dict[str, Any]:
    """So many rounds, each with a sign-in of its own."""
    from accounts import tokens
    from accounts.models import LoginSession, User

    user = User.objects.create_user("race@example.com", name="Race")
    winners: Counter[int] = Counter()
    outcomes: Counter[str] = Counter()
    took = []
    for _ in range(rounds):
        refresh = tokens.issue(user, request=request(), method="password").refresh
        began = time.perf_counter()
        results = race(refresh)
        took.append(time.perf_counter() - began)
        winners[results.count("won")] += 1
        outcomes.update(results)
    return {
        "rounds": rounds,
        "winners_by_round": dict(winners),
        "outcomes": dict(outcomes),
        "sign_ins_alive": LoginSession.objects.filter(ended_at=None).count(),
        "round_ms_median": round(statistics.median(took) * 1000, 1),
        "round_ms_max": round(max(took) * 1000, 1),
        "database": os.environ.get("DATABASE_URL", "sqlite").partition(":")[0],
    }


@contextmanager
def runners(how: str, *, count: int, guarded: bool) -> Iterator[Race]:
    """Threads or processes that wait for each other before each refresh."""
    kit: Any = threading if how == "threads" else multiprocessing.get_context("spawn")
    barrier = kit.Barrier(count)
    pipes = [multiprocessing.get_context("spawn").Pipe() for _ in range(count)]
    make = threading.Thread if how == "threads" else kit.Process
    refresh_it = guarded_refresh if guarded else unguarded_refresh
    started = [make(target=serve, args=(theirs, barrier, refresh_it), daemon=True) for _ours, theirs in pipes]
    for runner in started:
        runner.start()
    for ours, _theirs in pipes:
        ours.recv()  # ready

    def race(refresh: str) -> list[str]:
        for ours, _theirs in pipes:
            ours.send(refresh)
        return [ours.recv() for ours, _theirs in pipes]

    try:
        yield race
    finally:
        for ours, _theirs in pipes:
            ours.send("")
        for runner in started:
            runner.join(10)


def serve(pipe: Any, barrier: Any, refresh_it: Callable[[str], str]) -> None:
    """One runner: refreshes what comes down the pipe, at the same moment as the others."""
    django.setup()
    from django.db import Error, connections

    pipe.send("ready")
    while refresh := pipe.recv():
        barrier.wait(TOGETHER_S)
        try:
            pipe.send(refresh_it(refresh))
        except Error as error:  # a fault of the database is an outcome that the sum shows
            pipe.send(f"{type(error).__name__}: {error}"[:200])
    connections.close_all()


def guarded_refresh(refresh: str) -> str:
    """What the API does."""
    from accounts import tokens

    try:
        tokens.rotate(refresh, request=request())
    except tokens.AlreadyRotated:
        return "already rotated"
    except tokens.TokenRefused:
        return "refused"
    return "won"


def unguarded_refresh(refresh: str) -> str:
    """What simplejwt does: looks whether the token was used, and notes afterwards that it is."""
    from django.utils import timezone

    from accounts import tokens
    from accounts.models import RefreshToken

    row = tokens._row_of(tokens._read_refresh(refresh))
    if row.used_at is not None:
        return "already rotated"
    RefreshToken.objects.filter(pk=row.pk).update(used_at=timezone.now())
    tokens._next_pair(row.session, user=row.session.user, request=request())
    return "won"


def request() -> Any:
    """All runners are one client."""
    from django.http import HttpRequest

    made = HttpRequest()
    made.META = {"REMOTE_ADDR": "192.0.2.7", "HTTP_USER_AGENT": "race/1"}
    return made


if __name__ == "__main__":
    sys.exit(main())
