"""Three journals and their comparison: what clients were promised, what the database holds, what the simulator billed.

Judges only: sends nothing, kills nothing, repairs nothing. The answer to each question follows from its seed.
"""

from __future__ import annotations

import hashlib
import json
import os
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from providers.simulator import journal as bills
from providers.simulator.answers import text_for
from tests.processes import Site

OVER = {"done", "failed", "cancelled", "interrupted"}
# Everything that is known of each answer, read inside the site.
READ = """
import hashlib
from django.db.models import Count
from chat.models import Generation, Delta, Message
from usage.models import Invocation, Reservation
holds = dict(Reservation.objects.values_list("request_id", "state"))
calls = dict(Invocation.objects.values_list("request_id").annotate(n=Count("pk")))
live = dict(Delta.objects.values_list("generation_id").annotate(n=Count("pk")))
asked = dict(Message.objects.filter(role="user").values_list("pk", "text"))
keep = ("state", "attempt", "crashes", "tries", "error_kind", "finish_reason", "client_id")
answer = [
    {name: getattr(g, name) for name in keep} | {
        "uuid": str(g.uuid), "person": g.user.email, "text": g.message.text, "question": asked[g.message.parent_id],
        "hold": holds.get(g.uuid, "missing"), "calls": calls.get(g.uuid, 0), "live": live.get(g.pk, 0),
        "html": hashlib.sha256("".join(g.message.html).encode()).hexdigest(),
        "waited": (g.started_at - g.created_at).total_seconds() if g.started_at else None,
        "seconds": (g.finished_at - g.created_at).total_seconds() if g.finished_at else None,
    }
    for g in Generation.objects.select_related("user", "message")
]
"""


class ClientJournal:
    """What clients were told, one line at a time, on the disk before the client goes on. For any number of threads."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def promised(self, *, person: str, client_id: str, seed: str, generation: str, tokens: int) -> None:
        """A send was answered with 202."""
        self._append(
            {"event": "promised", "person": person, "client_id": client_id, "seed": seed, "tokens": tokens}
            | {"generation": generation}
        )

    def ended(self, *, generation: str, state: str, html: str) -> None:
        """A poll said that the answer is over; what it showed is kept as a digest."""
        digest = hashlib.sha256(html.encode()).hexdigest()
        self._append({"event": "ended", "generation": generation, "state": state, "html": digest})

    def close(self) -> None:
        os.close(self._file)

    def _append(self, line: dict[str, Any]) -> None:
        raw = json.dumps(line | {"at": time.time()}).encode() + b"\n"
        with self._lock:
            os.write(self._file, raw)
            os.fsync(self._file)

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.path.read_bytes().splitlines()]


@dataclass
class Verdict:
    """Sentences about what is not as it was promised, by kind; all empty when everything held."""

    sends: int = 0
    states: dict[str, int] = field(default_factory=dict)
    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    stuck: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    unbalanced: list[str] = field(default_factory=list)

    @property
    def faults(self) -> dict[str, list[str]]:
        kinds = ("lost", "doubled", "wrong", "stuck", "changed", "unbalanced")
        return {kind: found for kind in kinds if (found := getattr(self, kind))}


def wait_until_over(site: Site, *, within: float) -> list[dict[str, Any]]:
    """The rows of all answers, once none is active any more or the time (seconds) is over."""
    until = time.monotonic() + within
    while True:
        rows: list[dict[str, Any]] = site.django(READ)
        if all(row["state"] in OVER for row in rows) or time.monotonic() >= until:
            return rows
        time.sleep(0.3)


def compare(
    told: list[dict[str, Any]],
    *,
    rows: list[dict[str, Any]],
    bill: list[bills.Entry],
    slowest_s: float,
    drains: bool = False,
) -> Verdict:
    """`told`: the client journal's lines; `rows`: what READ gave; `slowest_s`: what takes longer was stuck.

    `drains`: workers were told to stop and may have handed questions back, which no counter shows.
    """
    promised = [line for line in told if line["event"] == "promised"]
    verdict = Verdict(sends=len({(line["person"], line["client_id"]) for line in promised}))
    by_uuid = {row["uuid"]: row for row in rows}
    billed: dict[str, list[bills.Entry]] = {}
    for entry in bill:
        billed.setdefault(entry.seed, []).append(entry)
    for line in {line["generation"]: line for line in promised}.values():
        row = by_uuid.get(line["generation"])
        if row is None:
            verdict.lost.append(f"{line['seed']}: promised, but there is no row")
            continue
        verdict.states[row["state"]] = verdict.states.get(row["state"], 0) + 1
        _judge(verdict, row=row, whole=text_for(line["seed"], tokens=line["tokens"]), slowest_s=slowest_s)
        _judge_bill(verdict, row=row, entries=billed.get(line["seed"], []), drains=drains)
    _judge_doubles(verdict, promised=promised, rows=rows)
    for line in (line for line in told if line["event"] == "ended"):
        row = by_uuid.get(line["generation"])
        if row is not None and row["state"] != line["state"]:
            verdict.changed.append(f"{row['uuid']}: was shown as {line['state']}, is {row['state']}")
        elif row is not None and line.get("html", "") != row.get("html", ""):
            verdict.changed.append(f"{row['uuid']}: its reader saw something else than what is stored")
    return verdict


def _judge(verdict: Verdict, *, row: dict[str, Any], whole: str, slowest_s: float) -> None:
    name = f"{row['uuid']} ({row['state']} {row['error_kind']}, attempt {row['attempt']}, crashes {row['crashes']})"
    if row["state"] not in OVER:
        verdict.stuck.append(f"{name}: not over")
        return
    if row["seconds"] > slowest_s:
        verdict.stuck.append(f"{name}: took {row['seconds']:.1f} s")
    if row["state"] == "done" and row["text"] != whole:
        verdict.wrong.append(f"{name}: {_difference(row['text'], whole)}")
    if row["state"] in {"interrupted", "cancelled"} and not whole.startswith(row["text"]):
        verdict.wrong.append(f"{name}: {_difference(row['text'], whole)}")
    if row["state"] == "interrupted" and not row["text"]:
        verdict.wrong.append(f"{name}: interrupted without a word")
    if row["state"] == "failed" and (row["error_kind"] != "poisoned" or row["text"]):
        verdict.wrong.append(f"{name}: no provider failed here")
    if row["hold"] not in {"settled", "released"} or row["calls"] != 1 or row["live"]:
        verdict.unbalanced.append(f"{name}: hold {row['hold']}, {row['calls']} calls, {row['live']} pieces left")


def _judge_bill(verdict: Verdict, *, row: dict[str, Any], entries: list[bills.Entry], drains: bool) -> None:
    """Each attempt asks the provider at most once, each attempt but the first has a reason, and a finished answer was really given."""
    if len(entries) > row["attempt"]:
        verdict.doubled.append(f"{row['uuid']}: asked {len(entries)} times in {row['attempt']} attempts")
    elif not drains and len(entries) > 1 + row["crashes"] + row["tries"]:
        verdict.doubled.append(f"{row['uuid']}: asked {len(entries)} times after {row['crashes']} crashes")
    if row["state"] == "done" and not any(entry.ended == "done" for entry in entries):
        verdict.unbalanced.append(f"{row['uuid']}: done, but the provider never finished it")


def _judge_doubles(verdict: Verdict, *, promised: list[dict[str, Any]], rows: list[dict[str, Any]]) -> None:
    """One send, one generation: under a client's id, and under a question (each has a seed of its own)."""
    sends: dict[tuple[str, str], set[str]] = {}
    for line in promised:
        sends.setdefault((line["person"], line["client_id"]), set()).add(line["generation"])
    for (person, client_id), generations in sends.items():
        if len(generations) > 1:
            verdict.doubled.append(f"{person} {client_id}: promised as {sorted(generations)}")
    questions: dict[str, int] = {}
    for row in rows:
        questions[row["question"]] = questions.get(row["question"], 0) + 1
    verdict.doubled += [f"{question!r}: asked once, stored {n} times" for question, n in questions.items() if n > 1]


def _difference(text: str, whole: str) -> str:
    at = next((n for n, (a, b) in enumerate(zip(text, whole, strict=False)) if a != b), min(len(text), len(whole)))
    return f"from character {at} of {len(whole)}: {text[at : at + 40]!r} instead of {whole[at : at + 40]!r}"
