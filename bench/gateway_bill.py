"""Does the ledger equal the provider's bill? Programs hang up, providers fail, web processes are killed.

    python -m bench.gateway_bill                        2,000 calls, SQLite
    python -m bench.gateway_bill --calls 200 --kills 2

Makes an installation of its own with a simulator and one web process and prints one line of JSON. Exit status 1 when the ledger, the
counters, the holds or the simulator's bill disagree.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import json
import random
import sqlite3
import sys
import tempfile
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.chaos.scene import QUICK
from tests.processes import Site

MODES = (
    *["ok"] * 6, "no_usage", "usage_huge", "usage_negative", "stall", "reset", "cut_json", "bad_json", "error_event", "err500",
    "err500_once", "rate_limit_ms", "close_before_headers", "e400", "no_response", "html_200", "bills_on", "reasoning",
    "tool_delta", "two_done",
)  # fmt: skip
SETTINGS = QUICK | {
    "API_PER_MINUTE": "1000000", "API_KEY_PER_MINUTE": "1000000", "FIRST_BYTE_S": "1", "GAP_S": "0.5", "DEADLINE_S": "8",
    "CIRCUIT_PAUSE_S": "0.1",
}  # fmt: skip
PREPARE = """
from accounts import api_keys
from accounts.models import Organisation, User
from usage import rules
Organisation.get()
rules.make(scope="organisation", unit="requests", period="month", amount=10**6)
rules.make(scope="each", unit="tokens", period="day", amount=10**12)
people = [User.objects.create(email=f"bill{n}@example.com", password="!") for n in range(4)]
answer = [api_keys.make(user, name="bill", scopes=["chat"])[1] for user in people]
"""
SETTLE = "from accounts import clock\nfrom usage import recovery\nanswer = recovery.settle_expired(now=clock.now())"
# No circuit may stay open: what is tried here is the bill, call by call.
CALM = "DELETE FROM providers_providerstate"
FOUND = """
from usage import proof
from usage.models import Invocation, LedgerEntry, QuotaPeriod, Reservation
holds = {str(r): [s, i, o] for r, s, i, o in Reservation.objects.values_list("request_id", "state", "input_tokens", "output_tokens")}
answer = {
    "held": Reservation.objects.filter(state="held").count(),
    "holds": holds,
    "counted": sum(QuotaPeriod.objects.filter(quota__unit="requests").values_list("used", flat=True)),
    "drifts": [str(drift) for drift in proof.drifts()],
    "outcomes": list(Invocation.every.values_list("outcome", flat=True)),
    "entries": [[str(r), *rest] for r, *rest in LedgerEntry.objects.values_list(
        "request_id", "kind", "input_tokens", "output_tokens", "estimated")],
}
"""


@dataclass(frozen=True)
class Options:
    """How large a run is. `at_once`: programs."""

    calls: int = 2_000
    kills: int = 8
    at_once: int = 24
    seed: int = 1


@dataclass(frozen=True)
class Told:
    """What one program saw of one call. `id` is empty where no head came."""

    seed: str
    id: str
    status: int
    whole: bool


def run(options: Options, *, folder: Path) -> dict[str, Any]:
    """One run; `faults` is empty when everything agrees."""
    site = Site(folder, settings=SETTINGS, workers=0)
    try:
        site.start()
        keys = site.django(PREPARE)
        began = time.monotonic()
        told = _ask(site, options, keys=keys)
        _settle_down(site)
        found = site.django(FOUND)
        return judge(told, found=found, bill=site.bill()) | {
            "calls": options.calls, "kills": options.kills, "seconds": round(time.monotonic() - began, 1),
        }  # fmt: skip
    finally:
        site.stop()


def judge(told: list[Told], *, found: dict[str, Any], bill: list[dict[str, Any]]) -> dict[str, Any]:
    """What does not agree: each call that a provider took is in the ledger, exactly where it counted, never above what was held."""
    asked = {line["id"]: line for line in bill if line["event"] == "accepted"}
    ended = {line["id"]: line for line in bill if line["event"] == "ended"}
    # A mode that refuses once and answers then has its answer noted as a fault, too.
    whole = Counter((asked[i]["prompt_tokens"], e["tokens"]) for i, e in ended.items() if e["ended"] != "aborted")
    exact = Counter((e[2], e[3]) for e in found["entries"] if not e[4])
    settled = Counter(e[0] for e in found["entries"] if e[1] == "settle")
    above = [e for e in found["entries"] if e[3] > found["holds"][e[0]][2]]
    served = {one.id for one in told if one.whole}
    missing = [each for each in served if settled[each] != 1]
    emitted = sum(end["tokens"] > 0 for end in ended.values())
    tests = {
        f"{found['held']} holds are left": found["held"] > 0,
        f"the ledger does not agree: {found['drifts'][:3]}": bool(found["drifts"]),
        f"{len(missing)} whole answers have not one settlement": bool(missing),
        f"{sum((exact - whole).values())} entries are not what was billed": bool(exact - whole),
        f"{len(above)} entries are above what was held": bool(above),
        f"{max(settled.values(), default=0)} settlements of one call": max(settled.values(), default=0) > 1,
        f"{found['counted']} counted, {sum(settled.values())} settled": found["counted"] != sum(settled.values()),
        f"{emitted} calls were answered by the provider, {len(found['entries'])} are in the ledger": emitted
        > len(found["entries"]),
    }
    return {
        "entries": len(found["entries"]), "exact": sum(exact.values()), "taken": len(asked),
        "outcomes": dict(Counter(found["outcomes"])), "whole": len(served),
        "tokens exact": sum(i + o for i, o in exact.elements()),
        "faults": [sentence for sentence, broken in tests.items() if broken],
    }  # fmt: skip


def _ask(site: Site, options: Options, *, keys: list[str]) -> list[Told]:
    rng = random.Random(options.seed)
    plans = [(n, rng.choice(MODES), rng.random(), rng.random() < 0.8, rng.randint(5, 60)) for n in range(options.calls)]
    done = threading.Event()
    killer = threading.Thread(target=_kill, args=(site, options, done))
    killer.start()
    with ThreadPoolExecutor(options.at_once) as pool:
        told = list(pool.map(lambda plan: _one(site, keys=keys, plan=plan), plans))
    done.set()
    killer.join()
    return told


def _kill(site: Site, options: Options, done: threading.Event) -> None:
    """Kills the web process now and then, and starts it again; in between it closes circuits that failures have opened."""
    kills, last = 0, time.monotonic()
    file = Path(site.environment["DATA_DIR"]) / "portal.sqlite3"
    while not done.wait(0.03):
        with contextlib.closing(sqlite3.connect(file, timeout=5, isolation_level=None)) as database:
            database.execute(CALM)
        if kills < options.kills and time.monotonic() - last > 4:
            site.kill("web0")
            site.start_web()
            kills, last = kills + 1, time.monotonic()


def _one(site: Site, *, keys: list[str], plan: tuple[int, str, float, bool, int]) -> Told:
    """One call; a fifth of the streams is left somewhere, and so is a tenth of the plain answers."""
    number, mode, chance, stream, tokens = plan
    seed = f"bill-{number}"
    text = f"Go on. [[sim seed={seed} n={tokens} gap=4{'' if mode == 'ok' else f' mode={mode}'}]]"
    body = {"model": "demo", "stream": stream, "messages": [{"role": "user", "content": text}]}
    head = {"Authorization": f"Bearer {keys[number % len(keys)]}", "Content-Type": "application/json"}
    connection = http.client.HTTPConnection("127.0.0.1", site.parts["web0"].port, timeout=30)
    found, status = "", 0
    _connect(connection)
    try:
        connection.request("POST", "/v1/chat/completions", body=json.dumps(body), headers=head)
        if not stream and chance < 0.1:
            time.sleep(chance)
            return Told(seed, "", 0, whole=False)
        answer = connection.getresponse()
        found, status = _uuid(answer.getheader("x-request-id") or ""), answer.status
        if stream and chance < 0.2:
            for _ in range(int(chance * 5 * tokens * 2)):
                answer.readline()
            return Told(seed, found, status, whole=False)
        content = answer.read()
        return Told(seed, found, status, whole=status == 200 and (not stream or b"[DONE]" in content))
    except (OSError, http.client.HTTPException):
        time.sleep(0.2)  # a web process was killed
        return Told(seed, found, status, whole=False)
    finally:
        connection.close()


def _connect(connection: http.client.HTTPConnection) -> None:
    """As soon as a web process listens: one that was killed comes again."""
    until = time.monotonic() + 30
    while connection.sock is None and time.monotonic() < until:
        with contextlib.suppress(OSError):
            connection.connect()
        if connection.sock is None:
            time.sleep(0.1)


def _uuid(text: str) -> str:
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:])) if text else ""


def _settle_down(site: Site) -> None:
    """Until no hold is left, or too long."""
    until = time.monotonic() + 30
    while time.monotonic() < until:
        site.django(SETTLE)
        if not site.django(
            "from usage.models import Reservation\nanswer = Reservation.objects.filter(state='held').count()"
        ):
            return
        time.sleep(0.5)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--calls", type=int, default=2_000)
    parser.add_argument("--kills", type=int, default=8)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    options = Options(calls=given.calls, kills=given.kills, seed=given.seed)
    with tempfile.TemporaryDirectory(prefix="gateway-") as folder:
        found = run(options, folder=Path(folder) / "site")
    print(json.dumps(found))
    return int(bool(found["faults"]))


if __name__ == "__main__":
    sys.exit(main())
