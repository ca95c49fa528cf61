"""Pages of months for the tour: one that is closed, one with corrections and an invoice that does not agree, the running one."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.browser.tour import Tour

MAKE = """
import datetime as dt, random, uuid
from django.utils import timezone
from accounts.models import Organisation, Team, User
from providers.models import LanguageModel, Provider
from usage import invoices, moments, month_closing, months, rollups
from usage.models import Invocation, Invoice, LedgerEntry
now, tz, dice = timezone.now(), moments.zone(Organisation.get()), random.Random(9)
last = months.before(months.current(now, tz=tz))
before = months.before(last)
root = User.objects.filter(is_superuser=True).order_by("pk").first()
people = list(User.objects.filter(is_active=True, is_service=False).order_by("pk")[:6])
sales, *others = Team.objects.order_by("pk")[:3]
deep, _ = Provider.objects.get_or_create(name="DeepSeek", defaults={"base_url": "http://127.0.0.1:9/v1", "max_concurrency": 9})
far, _ = Provider.objects.get_or_create(name="OpenAI", defaults={"base_url": "http://127.0.0.1:9/v1", "max_concurrency": 9})
models = list(LanguageModel.objects.order_by("pk")[:3])
Team.objects.filter(pk=sales.pk, cost_centre="").update(cost_centre="4711")
def add(first, count):
    calls, entries = [], []
    for _ in range(count):
        at = moments.begin_of(first, tz=tz) + dt.timedelta(days=dice.randrange(0, 27), minutes=dice.randrange(400, 1000))
        person, team, place = dice.choice(people), dice.choice([sales, *others, None]), dice.randrange(0, 3)
        provider, cost = (deep, dice.randrange(900_000, 9_000_000)) if place else (far, dice.randrange(200_000, 900_000))
        known = dice.random() > .04
        common = dict(request_id=uuid.uuid4(), source="page", person=person.uuid, person_name=str(person), outcome="done",
            team=team and team.uuid, team_name=team.name if team else "", provider=provider.uuid, provider_name=provider.name,
            model=models[place].uuid, model_name=models[place].name, input_tokens=dice.randrange(300, 9000),
            cached_tokens=200, output_tokens=dice.randrange(50, 1500), reasoning_tokens=20 if place else 0,
            currency=("CNY" if place else "USD") if known else "", cost_micro=cost if known else None,
            organisation_currency="USD" if known else "", organisation_cost_micro=(cost * 14 // 100 if place else cost) if known else None)
        calls.append(Invocation(**common, created_at=at, finished_at=at, duration_ms=4000))
        entries.append(LedgerEntry(**common, kind="settle", reserved_at=at, at=at))
    return calls, entries
if not Invoice.objects.exists():
    calls, entries = [], []
    for first, count in ((before, 60), (last, 90)):
        more = add(first, count)
        calls, entries = calls + more[0], entries + more[1]
    for number, entry in enumerate([entry for entry in entries if entry.organisation_cost_micro][:3]):
        at = moments.begin_of(last, tz=tz) + dt.timedelta(days=2 + number)
        entries.append(LedgerEntry(request_id=entry.request_id, kind="correction", attempt=1, reserved_at=entry.reserved_at, at=at,
            source="page", team=entry.team, team_name=entry.team_name, model=entry.model, model_name=entry.model_name,
            provider=entry.provider, provider_name=entry.provider_name, requests=0, input_tokens=-40, organisation_currency="USD",
            organisation_cost_micro=-10_000 * (number + 1), reason="The provider counted these tokens twice.", by=root.uuid))
    Invocation.objects.bulk_create(calls)
    LedgerEntry.objects.bulk_create(entries)
    tally = rollups.Tally()
    tally.calls(calls)
    tally.entries(entries)
    tally.write()
    none = uuid.UUID(int=0)
    asked = {"currency": "CNY", "by": root}
    invoices.enter(before, provider=(far.uuid, far.name), model=(none, ""), amount_micro=12_000_000, currency="USD", by=root)
    invoices.enter(last, provider=(deep.uuid, deep.name), model=(models[1].uuid, models[1].name), amount_micro=150_000_000, **asked)
    # Of a model that has gone since: what is shown is what was written down then.
    invoices.enter(last, provider=(uuid.uuid4(), "Old House"), model=(uuid.uuid4(), "Old Model"), amount_micro=3_500_000, **asked)
    month_closing.close(before, tz=tz, by=root)
answer = {"closed": f"{before:%Y-%m}", "open": f"{last:%Y-%m}", "provider": str(deep.uuid), "model": str(models[1].uuid)}
"""


def pages(tour: Tour, language: str, *, team: str) -> dict[str, str]:
    """Addresses by name; people, teams and models are there already."""
    home = tour.site.url()
    made: dict[str, str] = tour.site.django(MAKE, None)
    return {
        "setup-months": f"{home}/setup/months/",
        "setup-month": f"{home}/setup/months/{made['open']}/",
        "setup-month-closed": f"{home}/setup/months/{made['closed']}/",
        "setup-month-close": f"{home}/setup/months/{made['open']}/close/",
        "setup-month-invoice": f"{home}/setup/months/{made['open']}/invoices/{made['provider']}/{made['model']}/",
        "my-team-months": f"{home}/me/team/{team}/months/",
        "my-team-month": f"{home}/me/team/{team}/months/{made['open']}/",
    }
