"""Can a stranger learn from the time of the answer which addresses have an account? Medians of 200 tries of each kind, in turn.

    python -m bench.sign_in_timing [--tries 200] [--database postgres://…]

Starts an installation of its own and asks it over the network: at the page's door, at the programs' door, and for a forgotten
password. Ends with 1 when two medians of a door are more than 10 ms or more than 5 % apart. By hand: on a busy machine it means
nothing.
"""

from __future__ import annotations

import argparse
import http.client
import json
import random
import statistics
import sys
import tempfile
import time
import urllib.parse
from collections.abc import Callable
from pathlib import Path

from tests.processes import PASSWORD, Site

MOST_MS, MOST_SHARE = 10.0, 0.05
ROUNDS = 3
"""So many links may be asked for one address within an hour."""
MANY = 100
FORGET = "from accounts.models import Mail, Tries\nTries.objects.all().delete()\nMail.objects.all().delete()"
PEOPLE = """
from accounts import clock
from accounts.models import User
from django.contrib.auth.hashers import make_password
hashed = make_password(given)
User.objects.create(email="known@example.com", password=hashed)
User.objects.create(email="off@example.com", password=hashed, is_active=False)
User.objects.create(email="waits@example.com", password=hashed, is_active=False, awaits_approval=True)
User.objects.create(email="company@example.com", password=make_password(None), sso_at=clock.now())
"""
KINDS = {
    "unknown": "nobody@example.com",
    "known, wrong password": "known@example.com",
    "switched off, right password": "off@example.com",
    "waits for approval, wrong password": "waits@example.com",
    "company only": "company@example.com",
}
WRONG = {"known, wrong password", "waits for approval, wrong password"}
"""These would be let in, or told that they wait, with the right one."""
Ask = Callable[[str, str], float]


class Door:
    """One connection to the site that is kept open, with the token a form needs."""

    def __init__(self, site: Site) -> None:
        self.link = http.client.HTTPConnection("127.0.0.1", site.parts["web0"].port)
        self.link.request("GET", "/accounts/login/")
        answer = self.link.getresponse()
        answer.read()
        cookie = next(each for each in answer.headers.get_all("Set-Cookie", []) if "csrf" in each)
        self.name, _, rest = cookie.partition("=")
        self.token = rest.partition(";")[0]

    def page(self, email: str, password: str) -> float:
        return self._form("/accounts/login/", {"login": email, "password": password}, status=200)

    def forgotten(self, email: str, password: str) -> float:
        return self._form("/accounts/password/reset/", {"email": email}, status=302)

    def program(self, email: str, password: str) -> float:
        body = json.dumps({"email": email, "password": password})
        return self._timed("/api/v1/auth/token/", body, {"Content-Type": "application/json"}, status=401)

    def _form(self, path: str, fields: dict[str, str], *, status: int) -> float:
        body = urllib.parse.urlencode(fields | {"csrfmiddlewaretoken": self.token})
        kind = {"Content-Type": "application/x-www-form-urlencoded", "Cookie": f"{self.name}={self.token}"}
        return self._timed(path, body, kind, status=status)

    def _timed(self, path: str, body: str, headers: dict[str, str], *, status: int) -> float:
        began = time.perf_counter()
        self.link.request("POST", path, body, headers)
        answer = self.link.getresponse()
        answer.read()
        took = (time.perf_counter() - began) * 1000
        if answer.status != status:
            raise SystemExit(f"{path} answered {answer.status}, not {status}")
        return took


def measure(ask: Ask, *, tries: int, between: Callable[[int], None] = lambda _: None) -> dict[str, float]:
    """Medians in ms by kind. The kinds take turns in a new order each round, so that the machine's moods fall on all alike.

    `between` is called with the number of each round before it.
    """
    took: dict[str, list[float]] = {kind: [] for kind in KINDS}
    order = list(KINDS)
    for number in range(tries + 5):
        between(number)
        random.shuffle(order)
        for kind in order:
            ms = ask(KINDS[kind], "wrong" if kind in WRONG else PASSWORD)
            if number >= 5:  # the first ones warm up
                took[kind].append(ms)
    return {kind: statistics.median(times) for kind, times in took.items()}


def judge(door: str, medians: dict[str, float]) -> bool:
    """Prints a line for each kind; whether they are as good as the same."""
    apart = max(medians.values()) - min(medians.values())
    share = apart / min(medians.values())
    good = apart <= MOST_MS and share <= MOST_SHARE
    for kind, ms in medians.items():
        print(f"{door:10} {kind:36} {ms:7.2f} ms")
    print(f"{door:10} {'apart':36} {apart:7.2f} ms = {100 * share:.1f} % ({'ok' if good else 'TOO FAR'})\n")
    return good


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--tries", type=int, default=200)
    parser.add_argument("--database", default="", help="an empty PostgreSQL database; without: SQLite")
    given = parser.parse_args()
    settings = {"SIGN_IN_TRIES": "1000", "EMAIL_URL": "smtp://127.0.0.1:9", "API_DOOR_PER_MINUTE": "10000"}
    with tempfile.TemporaryDirectory() as folder:
        site = Site(Path(folder), settings=settings | ({"DATABASE_URL": given.database} if given.database else {}))
        try:
            site.start()
            site.django(PEOPLE, PASSWORD)
            door = Door(site)

            def forget(every: int) -> Callable[[int], None]:
                """Tries and letters are limited: what was counted is forgotten every so many rounds, else it is that which is measured."""

                def between(number: int) -> None:
                    if number % every == 0:
                        site.django(FORGET)

                return between

            doors = (("page", door.page, MANY), ("program", door.program, MANY), ("forgotten", door.forgotten, ROUNDS))
            good = [judge(name, measure(ask, tries=given.tries, between=forget(every))) for name, ask, every in doors]
            return 0 if all(good) else 1
        finally:
            site.stop()


if __name__ == "__main__":
    sys.exit(main())
