"""Prices and exchange rates as files: written, and read in two steps, so that one sees what would happen before it does.

A line that says what is in force already changes nothing, so a file that was exported here can be edited and read again. All or
nothing: while a line is wrong, none is taken.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from django.db import transaction
from django.http import HttpRequest
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from accounts import csv_file
from accounts.clock import now
from accounts.csv_file import Unreadable
from accounts.models import Organisation
from accounts.refusals import NotPossible
from providers import money, prices
from providers.models import AMOUNTS, ModelRoute, Price
from usage import moments, rates

MOST_BYTES = 256 * 1024
MOST_LINES = 2_000
# Each is a row and an event in one transaction, which on SQLite keeps other writers waiting.
MOST_NEW = 200
PRICE_HEADINGS = {
    "model": {"model", "模型"},
    "provider": {"provider", "服务商", "供应商"},
    "currency": {"currency", "币种", "货币"},
    "from": {"from", "date", "valid from", "生效时间", "生效日期", "日期"},
    "input_micro": {"input", "输入"},
    "cached_input_micro": {"cached input", "缓存输入"},
    "output_micro": {"output", "输出"},
    "reasoning_micro": {"reasoning", "思考", "推理"},
    "per_call_micro": {"per call", "每次调用"},
    "per_image_micro": {"per image", "每张图片"},
    "per_audio_minute_micro": {"per audio minute", "每分钟音频"},
}
RATE_HEADINGS = {
    "currency": {"currency", "币种", "货币"},
    "into": {"into", "换算成", "目标币种"},
    "from": PRICE_HEADINGS["from"],
    "rate": {"rate", "汇率"},
}
HEADS = {
    "prices": ["model", "provider", "currency", "from", "input", "cached input", "output", "reasoning", "per call",
               "per image", "per audio minute"],
    "rates": ["currency", "into", "from", "rate"],
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Line:
    """What a line would do: `new`, `same` (nothing), or `wrong` with the reason. `deed` does it."""

    number: int
    what: str
    outcome: str
    words: str | Promise = ""
    deed: Callable[[HttpRequest], object] | None = None


class Wrong(Exception):
    """A line that makes no sense, with the reason in words."""

    def __init__(self, message: str | Promise) -> None:
        super().__init__(str(message))
        self.message = message


def export_prices(organisation: Organisation) -> bytes:
    """Every price that there was, is and will be, the newest first, on the organisation's clock."""
    tz = moments.zone(organisation)
    rows = Price.objects.select_related("model", "provider").order_by(
        "model__slug", "provider__name", "-effective_from"
    )
    return _written("prices", (
        [p.model.slug, p.provider.name, p.currency, moments.told(p.effective_from, tz=tz)]
        + [money.to_text(getattr(p, name)) for name in AMOUNTS]
        for p in rows
    ))  # fmt: skip


def export_rates(organisation: Organisation) -> bytes:
    """The same of the rates into the organisation's currency."""
    tz = moments.zone(organisation)
    rows = rates.history(organisation.currency)
    return _written("rates", (
        [row.currency, row.into, moments.told(row.effective_from, tz=tz), money.to_text(row.rate_micro)] for row in rows
    ))  # fmt: skip


def plan_prices(content: bytes, organisation: Organisation) -> list[Line]:
    """What each line would do. Writes nothing. Raises Unreadable."""
    lines = table(content, headings=PRICE_HEADINGS, needs=("model", "provider"))
    routes = {
        (route.model.slug.casefold(), route.provider.name.casefold()): route
        for route in ModelRoute.objects.select_related("model", "provider")
    }
    known: dict[prices.Key, list[Price]] = {}
    for price in Price.objects.order_by("-effective_from", "-pk"):
        known.setdefault((price.model_id, price.provider_id), []).append(price)
    seen = set[object]()
    tz = moments.zone(organisation)

    def judge(number: int, cells: dict[str, str]) -> Line:
        what = f"{cells['model']} · {cells['provider']}"
        route = routes.get((cells["model"].casefold(), cells["provider"].casefold()))
        if route is None:
            raise Wrong(_("There is no such model at this provider."))
        amounts = {name: _amount(cells[name]) for name in AMOUNTS}
        draft = prices.Draft(_currency(cells["currency"], organisation), amounts, _starts(cells["from"], tz=tz), "file")
        if _known_already(known.get((route.model_id, route.provider_id), []), draft):
            return Line(number, what, "same")
        _not_past(draft.starts)
        _once(seen, (route.pk, draft.starts))
        words = f"{money.words(amounts['input_micro'], draft.currency)} / {money.words(amounts['output_micro'], draft.currency)}"
        return Line(number, what, "new", words, lambda request: prices.enter(route, draft, request=request))

    return judged(lines, judge, name=lambda cells: f"{cells['model']} · {cells['provider']}")


def plan_rates(content: bytes, organisation: Organisation) -> list[Line]:
    """The same for rates."""
    lines = table(content, headings=RATE_HEADINGS, needs=("currency", "rate"))
    known, seen = list(rates.history(organisation.currency)), set[object]()
    tz = moments.zone(organisation)

    def judge(number: int, cells: dict[str, str]) -> Line:
        currency, into = _currency(cells["currency"], organisation), cells["into"].upper() or organisation.currency
        if into != organisation.currency or currency == into:
            raise Wrong(_("Rates lead from another currency into %s.") % organisation.currency)
        rate, starts = _amount(cells["rate"]), _starts(cells["from"], tz=tz)
        if not 0 < rate <= rates.MOST_MICRO:
            raise Wrong(_("A rate is a number above 0, with at most six places."))
        mine = [row for row in known if row.currency == currency]
        begun = next((row for row in mine if not row.is_future), None)
        then = [row for row in mine if _to_the_minute(row.effective_from) == starts] if starts else [begun]
        if any(row is not None and row.rate_micro == rate for row in then):
            return Line(number, currency, "same")
        _not_past(starts)
        _once(seen, (currency, starts))
        words = f"1 {currency} = {money.to_text(rate)} {into}"
        return Line(
            number, currency, "new", words, lambda request: rates.enter(currency, rate, starts=starts, request=request)
        )

    return judged(lines, judge, name=lambda cells: cells["currency"])


def take(lines: Sequence[Line], *, request: HttpRequest) -> int:
    """Does what was planned, in one transaction; how many were new. Raises NotPossible while a line is wrong, or too many are new."""
    fresh = [line for line in lines if line.deed is not None]
    if any(line.outcome == "wrong" for line in lines):
        raise NotPossible("wrong", _("Nothing was taken: mend the lines that are wrong first."))
    if len(fresh) > MOST_NEW:
        raise NotPossible("many", _("At most 200 new lines at once. Nothing was taken; split the file."))
    with transaction.atomic():
        for line in fresh:
            assert line.deed is not None
            line.deed(request)
    return len(fresh)


def as_text(content: bytes) -> str:
    """What the file says, as text that can be sent again."""
    return csv_file.text_of(content)


def table(content: bytes, *, headings: dict[str, set[str]], needs: Sequence[str]) -> list[tuple[int, dict[str, str]]]:
    """The lines by column; `needs` are columns that the heading must name. Raises Unreadable."""
    rows = csv_file.read(content, most_bytes=MOST_BYTES)
    places = csv_file.columns(rows[0][1], headings) if rows else {}
    if any(name not in places for name in needs):
        raise Unreadable(_("The first line must name the columns, as an exported file does. Nothing was done."))
    if len(rows) - 1 > MOST_LINES:
        raise Unreadable(
            _("The file has too many lines: at most %(n)d. Nothing was done; split it.") % {"n": MOST_LINES}
        )
    return [(number, {name: _cell(cells, places.get(name)) for name in headings}) for number, cells in rows[1:]]


def judged(
    lines: Iterable[tuple[int, dict[str, str]]],
    judge: Callable[[int, dict[str, str]], Line],
    *,
    name: Callable[[dict[str, str]], str],
) -> list[Line]:
    """Each line as `judge` sees it; one that makes no sense, with the reason, under its `name`."""
    found = []
    for number, cells in lines:
        try:
            found.append(judge(number, cells))
        except Wrong as reason:
            found.append(Line(number, name(cells)[:120], "wrong", reason.message))
    return found


def _written(kind: str, rows: Iterable[Sequence[object]]) -> bytes:
    return (csv_file.MARK + csv_file.line(HEADS[kind]) + "".join(csv_file.line(row) for row in rows)).encode()


def _cell(cells: Sequence[str], place: int | None) -> str:
    return csv_file.unguarded(cells[place]) if place is not None and place < len(cells) else ""


def _currency(text: str, organisation: Organisation) -> str:
    currency = text.upper() or organisation.currency
    if not money.CURRENCY.fullmatch(currency):
        raise Wrong(_("A currency has three letters, such as USD or CNY."))
    return currency


def _amount(text: str) -> int:
    try:
        return money.to_micro(text) if text else 0
    except ValueError:
        raise Wrong(_("“%s” is no amount: digits, at most six places, no sign.") % text[:40]) from None


def _starts(text: str, *, tz: ZoneInfo) -> dt.datetime | None:
    try:
        return moments.read(text, tz=tz) if text else None
    except ValueError:
        raise Wrong(_("“%s” is no date: 2026-12-31 or 2026-12-31 18:00.") % text[:40]) from None


def _not_past(starts: dt.datetime | None) -> None:
    if starts is not None and starts < now():
        raise Wrong(_("The past stays as it was: choose a date to come."))


def _once(seen: set[object], key: object) -> None:
    if key in seen:
        raise Wrong(_("Another line says the same thing for the same moment."))
    seen.add(key)


def _known_already(mine: Sequence[Price], draft: prices.Draft) -> bool:
    """Whether such a price begins then already; without a date: whether it is in force."""
    if draft.starts is None:
        return prices.same(next((price for price in mine if not price.is_future), None), draft)
    return any(_to_the_minute(price.effective_from) == draft.starts and prices.same(price, draft) for price in mine)


def _to_the_minute(at: dt.datetime) -> dt.datetime:
    return at.replace(second=0, microsecond=0)
