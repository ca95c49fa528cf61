"""Calls for measurements, in bulk: rows, ledger and sums over many months, without conversations. Never where people work."""

from __future__ import annotations

import datetime as dt
import random
import uuid
from operator import attrgetter
from types import SimpleNamespace
from typing import Any

from django.db import connection, transaction

from accounts.models import Organisation, Team, User
from accounts.prepared import marks, stored
from portal import seeded_copies
from providers.models import LanguageModel, Provider
from usage.models import Invocation, LedgerEntry
from usage.rollups import Tally

AT_ONCE = 20_000
DRAWN = 312_500
DAYS = 365
MODELS, PROVIDERS, TEAMS = 6, 3, 30
_COMMON = (
    "request_id", "source", "person", "person_name", "team", "team_name", "key", "provider", "provider_name", "model", "model_name",
    "outcome", "input_tokens", "cached_tokens", "output_tokens", "reasoning_tokens", "estimated", "price", "currency", "cost_micro",
    "organisation_currency", "organisation_cost_micro", "rate_micro",
)  # fmt: skip
_CALL = (
    *_COMMON, "created_at", "finished_at", "queue_ms", "ttft_ms", "duration_ms", "error_kind", "attempts", "tries",
)  # fmt: skip
_ENTRY = (
    *_COMMON, "uuid", "attempt", "kind", "reserved_at", "at", "requests", "clamped", "overrun", "reason", "by",
)  # fmt: skip


class Company:
    """Who asks what: people in teams, models at providers, made where they are missing."""

    def __init__(self, people: list[User]) -> None:
        names = [f"Team {number:02}" for number in range(TEAMS)]
        known = set(Team.objects.filter(name__in=names).values_list("name", flat=True))
        Team.objects.bulk_create([Team(name=name) for name in names if name not in known])
        self.teams = list(Team.objects.filter(name__in=names).order_by("name"))
        self.people = people
        self.providers = [
            Provider.objects.get_or_create(
                name=f"Seeded {n}", defaults={"enabled": False, "base_url": "http://127.0.0.1:9/v1"}
            )[0]
            for n in range(PROVIDERS)
        ]
        self.models = [
            LanguageModel.objects.get_or_create(slug=f"seeded-{n}", defaults={"name": f"Seeded {n}"})[0]
            for n in range(MODELS)
        ]
        self.currency = Organisation.get().currency


def make(count: int, *, people: list[User], now: dt.datetime, drawn: int = DRAWN) -> int:
    """So many calls of the last DAYS days, most of them by day and in the week; how many were made.

    Where there are none yet, at most `drawn` are drawn one by one and doubled, on other days, until there are enough.
    """
    doublings = 0 if Invocation.objects.exists() else max(0, (count - 1) // drawn).bit_length()
    company = Company(people)
    _draw(count >> doublings, company=company, now=now)
    for doubling in range(doublings):
        seeded_copies.add(1 << doubling)
    _draw(count - ((count >> doublings) << doublings), company=company, now=now)
    return count


def _draw(count: int, *, company: Company, now: dt.datetime) -> None:
    chance = random.Random(now.timestamp())  # noqa: S311  # no secret; a repeat makes other calls
    # In the order of time, as an installation's own rows are: so the tables lie on the disk as theirs do, and a batch concerns few sums.
    moments = sorted(_moment(chance, now=now) for _ in range(count))
    for start in range(0, count, AT_ONCE):
        some = [
            _one(chance, company, at=dt.datetime.fromtimestamp(moment, dt.UTC))
            for moment in moments[start : start + AT_ONCE]
        ]
        billed = [row for row in some if row.outcome == "done"]
        tally = Tally()
        tally.calls(some)
        tally.entries(billed)
        with transaction.atomic():
            _insert(Invocation._meta.db_table, _CALL, some)
            _insert(LedgerEntry._meta.db_table, _ENTRY, billed)
            tally.write()


def _insert(table: str, columns: tuple[str, ...], rows: list[Any]) -> None:
    named = ", ".join(f'"{name}"' for name in columns)
    sql = f'INSERT INTO "{table}" ({named}) VALUES ({marks(columns)})'  # noqa: S608  # names of our own models
    each = attrgetter(*columns)
    with connection.cursor() as cursor:
        cursor.executemany(sql, [[*map(stored, each(row))] for row in rows])


def _moment(chance: random.Random, *, now: dt.datetime) -> float:
    """Seconds since 1970; rather lately, by day and in the week."""
    days = int(DAYS * chance.random() ** 1.2)
    if (now.weekday() - days) % 7 > 4 and chance.random() < 0.8:
        days += 2
    midnight = now.timestamp() // 86_400 * 86_400 - days * 86_400
    return min(midnight + min(86_399.0, max(0.0, chance.gauss(45_000, 9_000))), now.timestamp())


def _one(chance: random.Random, company: Company, *, at: dt.datetime) -> Any:
    """One call and its entry, as one object: each table takes its columns of it."""
    number = int(len(company.people) * chance.random() ** 2)
    person, model = company.people[number], company.models[int(MODELS * chance.random() ** 2)]
    team, provider = company.teams[number % TEAMS], company.providers[model.pk % PROVIDERS]
    bad = chance.random() < 0.02
    first, queue = int(chance.lognormvariate(6.8, 0.6)), chance.randrange(5, 120)
    given, answered = (0, 0) if bad else (chance.randrange(100, 6_000), chance.randrange(20, 1_200))
    cost = None if bad else given * 2 + answered * 8
    return SimpleNamespace(
        request_id=uuid.UUID(int=chance.getrandbits(128), version=4), uuid=uuid.UUID(int=chance.getrandbits(128), version=4),
        source="page" if chance.random() < 0.8 else "api", person=person.uuid, person_name=person.name, team=team.uuid,
        team_name=team.name, key=None, provider=provider.uuid, provider_name=provider.name, model=model.uuid, model_name=model.name,
        outcome="failed" if bad else "done", error_kind=chance.choice(["server_error", "rate_limit"]) if bad else "",
        input_tokens=given, cached_tokens=given // 4, output_tokens=answered, reasoning_tokens=0, estimated=False, price=None,
        currency="" if bad else company.currency, cost_micro=cost, organisation_currency="" if bad else company.currency,
        organisation_cost_micro=cost, rate_micro=None if bad else 1_000_000, created_at=at, reserved_at=at, at=at,
        finished_at=at + dt.timedelta(milliseconds=first + 9_000), queue_ms=queue, ttft_ms=None if bad else first,
        duration_ms=queue + first + chance.randrange(500, 30_000), attempts=1, attempt=1, tries=1, kind="settle", requests=1,
        clamped=False, overrun=False, reason="", by=None,
    )  # fmt: skip
