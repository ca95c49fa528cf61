"""How long an administrator's pages take over many calls, and how many statements: medians of the server's own time.

    manage.py seed --people 300 --calls 10000000       first, in the installation that DATA_DIR or DATABASE_URL names
    python -m bench.desk_pages [--runs 7] [--only desk]

Asks the pages as an administrator within this process, so the network is not in it, and prints one JSON line a page. Each page is
asked once before it is timed. By hand: on a busy machine it means nothing.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time
from collections.abc import Iterator
from typing import Any

import django

ROOT_EMAIL = "desk-pages@seed.invalid"


def pages() -> Iterator[tuple[str, str]]:
    """Name and address of each page that is timed; ids are taken from what was seeded."""
    from accounts.models import Team, User
    from providers.models import LanguageModel
    from usage.models import Invocation

    person = User.objects.get(email="person0@seed.invalid")
    model, team = LanguageModel.objects.get(slug="seeded-0"), Team.objects.order_by("name")[0]
    call = Invocation.every.order_by("-pk")[0]
    for name in ("hour", "day", "week", "month", "last"):
        yield f"desk, {name}", f"/setup/desk/?range={name}"
    yield "desk, a year", "/setup/desk/?from=2025-12-01&to=2026-11-30"
    yield "desk, a file", "/setup/desk/people.csv?range=month"
    yield "a team's desk, month", f"/me/team/{team.uuid}/desk/?range=month"
    yield "calls, newest", "/setup/calls/"
    yield "calls of a person", f"/setup/calls/?person={person.uuid}"
    yield "calls of a model that failed", f"/setup/calls/?model={model.uuid}&outcome=bad"
    yield "calls, an old day", "/setup/calls/?from=2026-01-10&to=2026-01-11"
    yield "calls, a word that is nowhere", "/setup/calls/?q=nothing-of-it"
    yield "calls, by the beginning of an id", f"/setup/calls/?request={str(call.request_id)[:8]}"
    yield "one call", f"/setup/calls/{call.request_id}/"
    yield "limits", "/setup/limits/"
    yield "which limits apply to a person", f"/setup/limits/people/{person.uuid}/"
    yield "models", "/setup/models/"
    yield "a model", f"/setup/models/{model.uuid}/"
    yield "people", "/setup/people/"
    yield "my usage", "/me/usage/"


def timed(client: Any, address: str, *, runs: int, show: bool) -> dict[str, Any]:
    """Milliseconds (least, median, most), statements and bytes of a page."""
    from django.db import connection

    took: list[tuple[float, str]] = []

    def watch(execute: Any, sql: str, params: Any, many: Any, context: Any) -> Any:
        began = time.perf_counter()
        try:
            return execute(sql, params, many, context)
        finally:
            took.append(((time.perf_counter() - began) * 1000, sql))

    with connection.execute_wrapper(watch):
        first = client.get(address)
    times = []
    for _run in range(runs):
        began = time.perf_counter()
        answer = client.get(address)
        times.append((time.perf_counter() - began) * 1000)
        assert answer.status_code == first.status_code
    cold, sql = max(took, default=(0.0, ""))
    found = {"least": min(times), "median": statistics.median(times), "most": max(times), "slowest, cold": cold}
    if show:
        print(sql)
    rounded = {name: round(value, 1) for name, value in found.items()}
    return {"status": first.status_code, "statements": len(took), "bytes": len(first.content), **rounded}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--only", default="", help="pages whose name begins so")
    parser.add_argument("--show", action="store_true", help="the slowest statement of each page as well")
    given = parser.parse_args()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
    django.setup()
    from django.test import Client

    from accounts.models import Membership, Team, User
    from usage.models import Invocation, Rollup

    root, _made = User.objects.get_or_create(email=ROOT_EMAIL, defaults={"is_staff": True, "is_superuser": True})
    client = Client(headers={"host": "127.0.0.1"})
    client.force_login(root)
    Membership.objects.get_or_create(user=root, team=Team.objects.order_by("name")[0], defaults={"role": "manager"})
    print(json.dumps({"calls": Invocation.every.count(), "sums": Rollup.objects.count()}), flush=True)
    for name, address in pages():
        if name.startswith(given.only):
            print(json.dumps({"page": name, **timed(client, address, runs=given.runs, show=given.show)}), flush=True)
    User.objects.filter(pk=root.pk).delete()


if __name__ == "__main__":
    main()
