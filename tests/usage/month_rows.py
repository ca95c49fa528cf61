"""A ledger of three months for the tests of the month report, small enough to be added up by hand. Asserts nothing.

October 2026 in Berlin, where summer time ends on the 25th: it has 31 days and one hour.
"""

from __future__ import annotations

import datetime as dt
import uuid
from typing import Any
from zoneinfo import ZoneInfo

from django.db import transaction

from accounts.models import Organisation, Team, User
from providers.models import LanguageModel, Provider
from usage import invocations, quotas, rollups
from usage.models import Invocation, LedgerEntry

BERLIN = ZoneInfo("Europe/Berlin")
OCTOBER = dt.date(2026, 10, 1)
BEGINS = dt.datetime(2026, 9, 30, 22, tzinfo=dt.UTC)
ENDS = dt.datetime(2026, 10, 31, 23, tzinfo=dt.UTC)
MIDDLE = dt.datetime(2026, 10, 14, 12, tzinfo=dt.UTC)
NOVEMBER_MIDDLE = dt.datetime(2026, 11, 14, 12, tzinfo=dt.UTC)


def berlin() -> Organisation:
    Organisation.get()
    Organisation.objects.update(currency="USD", time_zone="Europe/Berlin")
    return Organisation.get()


def used(
    at: dt.datetime = MIDDLE, *, person: User | None = None, team: Team | None = None, model: LanguageModel | None = None,
    provider: Provider | None = None, tokens: tuple[int, int, int, int] = (100, 0, 50, 0), own: tuple[str, int] | None = ("USD", 2_000_000),
    micro: int | None = 2_000_000, into: str = "USD", source: str = "page", kind: str = "settle", outcome: str = "done",
) -> LedgerEntry:  # fmt: skip
    """One call with its entry and its sums; money in micro-units. `own` None: without a price; `micro` None: without a rate."""
    names = {
        "person": person.uuid if person else None, "person_name": str(person) if person else "",
        "team": team.uuid if team else None, "team_name": team.name if team else "",
        "model": model.uuid if model else None, "model_name": model.name if model else "",
        "provider": provider.uuid if provider else None, "provider_name": provider.name if provider else "",
    }  # fmt: skip
    counted = dict(zip(("input_tokens", "cached_tokens", "output_tokens", "reasoning_tokens"), tokens, strict=True))
    cost: dict[str, Any] = {
        "currency": own[0] if own else "", "cost_micro": own[1] if own else None,
        "organisation_currency": into if micro is not None else "", "organisation_cost_micro": micro,
    }  # fmt: skip
    request_id = uuid.uuid4()
    entry = LedgerEntry(
        request_id=request_id,
        kind=kind,
        reserved_at=at,
        at=at,
        source=source,
        outcome=outcome,
        **names,
        **counted,
        **cost,
    )
    tally = rollups.Tally()
    with transaction.atomic():
        entry.save()
        tally.entries([entry])
        rows = []
        if kind == "settle":
            rows = [Invocation(request_id=request_id, source=source, created_at=at, finished_at=at, outcome=outcome, **names,
                               **counted, **cost)]  # fmt: skip
        invocations.record(rows, tally=tally)
    return entry


def corrected(
    entry: LedgerEntry, micro: int | None, *, at: dt.datetime, tokens: tuple[int, int] = (0, 0), by: User | None = None
) -> LedgerEntry:
    """A correction of a call, as the ledger and the sums hold it."""
    number = LedgerEntry.objects.filter(request_id=entry.request_id, kind="correction").count() + 1
    names = {
        name: getattr(entry, name)
        for name in ("source", "person", "person_name", "team", "team_name", "key", "provider", "provider_name", "model", "model_name",
                     "organisation_currency")
    }  # fmt: skip
    row = LedgerEntry(
        request_id=entry.request_id, attempt=number, kind="correction", reserved_at=entry.reserved_at, at=at, requests=0,
        reason="The provider billed less.", by=by.uuid if by else None, organisation_cost_micro=micro, **names,
    )  # fmt: skip
    row.input_tokens, row.output_tokens = tokens
    tally = rollups.Tally()
    with transaction.atomic():
        row.save()
        tally.entries([row])
        tally.write()
    return row


def held(at: dt.datetime) -> quotas.Hold:
    """A call that was accepted then and is not settled."""
    hold = quotas.Hold(uuid.uuid4(), "page", uuid.uuid4(), None, None, None, input=60, output=40)
    return quotas.reserve(hold, under=quotas.look(person=hold.person, key=None, model=None, now=at), now=at)
