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
NAMES = {"en": ["Thorough", "Quick"], "zh-hans": ["深思", "快速"]}


def pages(tour: Tour, language: str) -> dict[str, str]:
    """Addresses by name."""
    home = tour.site.url()
    model, provider = tour.site.django(MAKE, NAMES[language])
    return {
        "setup-prices": f"{home}/setup/prices/",
        "setup-prices-none": f"{home}/setup/prices/?q=nothing",
        "setup-price": f"{home}/setup/prices/{model}/{provider}/",
        "setup-rates": f"{home}/setup/prices/rates/",
    }
