"""Pages of prices and exchange rates for the tour: a price with history, one to come, a model that nobody has priced.."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.browser.tour import Tour

MAKE = """
import datetime as dt
from django.utils import timezone
from providers.models import LanguageModel, ModelRoute, Price, Provider
from usage.models import ExchangeRate
long, own = given
now = timezone.now()
provider, _ = Provider.objects.get_or_create(name="OpenAI", defaults={"base_url": "http://127.0.0.1:9/v1", "max_concurrency": 9})
cny, _ = Provider.objects.get_or_create(name="DeepSeek", defaults={"base_url": "http://127.0.0.1:9/v1", "max_concurrency": 9})
def route(name, at, slug, **fields):
    model, made = LanguageModel.objects.get_or_create(slug=slug, defaults={"name": name, "position": 90, "enabled": True} | fields)
    ModelRoute.objects.get_or_create(model=model, provider=at, defaults={"upstream_name": slug})
    return model
big = route(long, provider, "gpt-4o-2024-11-20")
route(own, cny, "deepseek-chat")
route("Llama 3.3", provider, "llama-3.3-70b-instruct", enabled=False)
if not Price.objects.filter(model=big).exists():
    for days, micro in ((-200, 5_000_000), (-20, 2_500_000), (12, 1_750_000)):
        Price.objects.create(model=big, provider=provider, effective_from=now + dt.timedelta(days=days), input_micro=micro,
            cached_input_micro=micro // 2, output_micro=micro * 4, origin="list" if days < 0 else "entered")
    Price.objects.create(model=LanguageModel.objects.get(slug="llama-3.3-70b-instruct"), provider=provider, currency="EUR",
        effective_from=now, input_micro=75_000, output_micro=1_000_000)
    for days, rate in ((-90, 138_900), (-3, 140_213), (20, 141_000)):
        ExchangeRate.objects.create(currency="CNY", into="USD", rate_micro=rate, effective_from=now + dt.timedelta(days=days))
answer = [str(big.uuid), str(provider.uuid)]
"""
LIMITS = """
import datetime as dt, random, uuid
from django.utils import timezone
from accounts.models import Organisation, Team, User
from usage import limits, rules
from usage.models import LedgerEntry, Quota, QuotaRequest
email, names, reason = given
ada, now, dice = User.objects.get(email=email), timezone.now(), random.Random(7)
Organisation.objects.update(usage_shown="money")
if not Quota.objects.exists():
    rules.make(scope="organisation", unit="cost", period="month", amount=900_000_000)
    rules.make(scope="each", unit="requests", period="day", amount=200)
    rules.make(scope="each", unit="cost", period="month", amount=20_000_000, at_limit="block")
    rules.make(scope="each", unit="at_once", amount=4)
    for team in Team.objects.order_by("pk")[:1]:
        rules.make(scope="member", subject=team, unit="tokens", period="week", amount=2_000_000, at_limit="warn")
        rules.make(scope="team", subject=team, unit="cost", period="month", amount=250_000_000)
def entry(person, name, days, cost, tokens):
    at = now - dt.timedelta(days=days, hours=1 if days else 0)
    return LedgerEntry(request_id=uuid.uuid4(), kind="settle", reserved_at=at, at=at, source="page", person=person.uuid,
        person_name=person.get_full_name(), model_name=name, input_tokens=tokens, output_tokens=tokens // 3,
        organisation_currency="USD", organisation_cost_micro=cost, outcome="done")
if not LedgerEntry.objects.filter(person=ada.uuid, model_name=names[0]).exists():
    rows = []
    for days in range(30):
        for place, name in enumerate(names):
            for _ in range(dice.randrange(0, 5 - place)):
                rows.append(entry(ada, name, days, dice.randrange(20_000, 200_000) // (1 + 4 * place), dice.randrange(500, 9_000)))
    other = User.objects.filter(is_active=True, is_service=False).exclude(pk=ada.pk).order_by("pk").first()
    rows.append(entry(other, names[0], 0, 18_750_000, 400_000))
    LedgerEntry.objects.bulk_create(rows)
    each = Quota.objects.get(scope="each", unit="cost")
    if not QuotaRequest.objects.filter(person=ada.uuid).exists():
        rules.ask(each, person=ada, reason=reason, amount=10_000_000)
mine = Quota.objects.get(scope="each", unit="requests")
first = QuotaRequest.objects.filter(person=ada.uuid).first()
call = LedgerEntry.objects.filter(person=ada.uuid).order_by("-pk").first()
answer = {"quota": str(mine.uuid), "request": str(first.uuid), "person": str(ada.uuid), "call": str(call.uuid)}
"""
DESK = """
import datetime as dt, random, uuid
from django.utils import timezone
from accounts.models import Team, User
from providers.models import LanguageModel, Provider
from usage import rollups
from usage.models import Invocation, LedgerEntry
now, dice = timezone.now(), random.Random(5)
models = list(LanguageModel.objects.order_by("pk")[:4])
people = list(User.objects.filter(is_active=True, is_service=False).order_by("pk")[:9])
teams = [*Team.objects.order_by("pk")[:3], None]
provider = Provider.objects.order_by("pk").last()
if not Invocation.objects.filter(provider_name="tour").exists():
    calls, entries = [], []
    for days in range(45):
        for _ in range(dice.randrange(4, 14) if (now - dt.timedelta(days=days)).weekday() < 5 else 2):
            at = now - dt.timedelta(days=days, minutes=dice.randrange(0, 500))
            person, place = dice.choice(people), dice.randrange(0, len(models))
            model, team = models[place], teams[person.pk % len(teams)]
            bad = dice.random() < .03
            cost = None if bad or place == 3 else dice.randrange(20_000, 900_000) // (1 + place)
            common = dict(request_id=uuid.uuid4(), source=dice.choice(["page", "page", "page", "api"]), person=person.uuid,
                person_name=str(person), team=team and team.uuid, team_name=team.name if team else "", provider=provider.uuid,
                provider_name="tour", model=model.uuid, model_name=model.name, outcome="failed" if bad else "done",
                input_tokens=0 if bad else dice.randrange(300, 9000), output_tokens=0 if bad else dice.randrange(50, 1500),
                organisation_currency="" if cost is None else "USD", organisation_cost_micro=cost)
            first = dice.randrange(300, 2500)
            calls.append(Invocation(**common, created_at=at, finished_at=at, queue_ms=dice.randrange(5, 90), ttft_ms=None if bad else first,
                duration_ms=first + dice.randrange(1000, 24000), error_kind="server_error" if bad else ""))
            if not bad:
                entries.append(LedgerEntry(**common, kind="settle", reserved_at=at, at=at))
    Invocation.objects.bulk_create(calls)
    LedgerEntry.objects.bulk_create(entries)
    tally = rollups.Tally()
    tally.calls(calls)
    tally.entries(entries)
    tally.write()
    for reason, count in (("limit_reached", 7), ("busy", 2)):
        for _ in range(count):
            rollups.refused(team=teams[0].uuid, source="page", reason=reason, now=now)
answer = None
"""
REASONS = {
    "en": "The tender is due on Friday and needs many long answers.",
    "zh-hans": "周五要交标书，需要大量长回答。",
}
NAMES = {"en": ["Thorough", "Quick"], "zh-hans": ["深思", "快速"]}


def pages(tour: Tour, language: str) -> dict[str, str]:
    """Addresses by name."""
    home = tour.site.url()
    model, provider = tour.site.django(MAKE, NAMES[language])
    who: list[object] = [tour.people[language].email, NAMES[language], REASONS[language]]
    made: dict[str, str] = tour.site.django(LIMITS, who)
    tour.site.django(DESK, None)
    return {
        "setup-desk": f"{home}/setup/desk/",
        "setup-desk-hour": f"{home}/setup/desk/?range=hour",
        "setup-prices": f"{home}/setup/prices/",
        "setup-prices-none": f"{home}/setup/prices/?q=nothing",
        "setup-price": f"{home}/setup/prices/{model}/{provider}/",
        "usage": f"{home}/me/usage/",
        "usage-ask": f"{home}/me/usage/ask/{made['quota']}/",
        "setup-limits": f"{home}/setup/limits/",
        "setup-limit-new": f"{home}/setup/limits/new/",
        "setup-limit": f"{home}/setup/limits/{made['quota']}/",
        "setup-limit-requests": f"{home}/setup/limits/requests/",
        "setup-limit-request": f"{home}/setup/limits/requests/{made['request']}/",
        "setup-limit-why": f"{home}/setup/limits/people/{made['person']}/",
        "setup-limit-call": f"{home}/setup/limits/calls/{made['call']}/",
        "setup-rates": f"{home}/setup/prices/rates/",
    }
