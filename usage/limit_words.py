"""Limits in words, as pages, refusals and notices say them: amounts in their unit, periods, moments. Reads nothing, decides nothing."""

from __future__ import annotations

import datetime as dt

from django.utils import formats
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from providers import money
from usage import periods
from usage.limit_models import Period, Scope, Unit
from usage.limits import Limit


def amount(value: int, *, unit: str, currency: str) -> str:
    """“12 questions”, “4,096 tokens”, “$3.50”."""
    if unit == Unit.COST:
        return money.rounded(value, currency)
    if unit == Unit.REQUESTS:
        return ngettext("%(n)s question", "%(n)s questions", value) % {"n": number(value)}
    if unit == Unit.AT_ONCE:
        return ngettext("%(n)s answer at once", "%(n)s answers at once", value) % {"n": number(value)}
    return ngettext("%(n)s token", "%(n)s tokens", value) % {"n": number(value)}


def plain(value: int, *, unit: str, currency: str) -> str:
    """The same without the unit's name, where that stands beside it: “12”, “$3.50”."""
    return money.rounded(value, currency) if unit == Unit.COST else number(value)


def a_period(amount: str, *, period: str) -> str:
    """“12 questions a day”."""
    words = {
        Period.MINUTE: _("%(amount)s a minute"),
        Period.HOUR: _("%(amount)s an hour"),
        Period.DAY: _("%(amount)s a day"),
        Period.WEEK: _("%(amount)s a week"),
        Period.MONTH: _("%(amount)s a month"),
    }
    return words.get(Period(period), "%(amount)s") % {"amount": amount}


def this_period(period: str) -> str:
    """“today”, “this week”."""
    words = {
        Period.MINUTE: _("this minute"),
        Period.HOUR: _("this hour"),
        Period.DAY: _("today"),
        Period.WEEK: _("this week"),
        Period.MONTH: _("this month"),
    }
    return words.get(Period(period), "")


def moment(at: dt.datetime, *, zone: str, now: dt.datetime | None = None) -> str:
    """“1 December 2026, 00:00 (Asia/Shanghai)”, or with `now` “tomorrow at 00:00 (…)”: a day, a time and a zone; nobody has to guess."""
    tz = periods.zone(zone)
    local = at.astimezone(tz)
    values = {"time": f"{local:%H:%M}", "zone": zone, "day": formats.date_format(local.date(), "DATE_FORMAT")}
    if now is not None:
        days = (local.date() - now.astimezone(tz).date()).days
        if days in (0, 1):
            return (_("tomorrow at %(time)s (%(zone)s)") if days else _("today at %(time)s (%(zone)s)")) % values
    return _("%(day)s, %(time)s (%(zone)s)") % values


def used_up(limit: Limit, *, currency: str) -> str:
    """“Your allowance for today is used up: $20.00 of $20.00.”"""
    texts = {
        Scope.ORGANISATION: _("The organisation's allowance for %(period)s is used up: %(used)s of %(limit)s."),
        Scope.TEAM: _("Your team's allowance for %(period)s is used up: %(used)s of %(limit)s."),
        Scope.KEY: _("This key's allowance for %(period)s is used up: %(used)s of %(limit)s."),
    }
    text = texts.get(Scope(limit.scope), _("Your allowance for %(period)s is used up: %(used)s of %(limit)s."))
    return text % {
        "period": this_period(limit.period),
        "used": plain(limit.used, unit=limit.unit, currency=currency),
        "limit": amount(limit.cap, unit=limit.unit, currency=currency),
    }


def nearly(limit: Limit, *, currency: str) -> str:
    """The same where what is left is less than the question needs."""
    text = _("What is left %(period)s is not enough for this: %(left)s of %(limit)s.")
    return text % {
        "period": this_period(limit.period),
        "left": plain(limit.left, unit=limit.unit, currency=currency),
        "limit": amount(limit.cap, unit=limit.unit, currency=currency),
    }


def whose(scope: str) -> str:
    """Whom a limit counts, said to the person whom it stands in the way."""
    return {
        Scope.ORGANISATION: _("Everybody together"),
        Scope.TEAM: _("Your team together"),
        Scope.KEY: _("This key"),
    }.get(Scope(scope), _("You"))


def of_what(unit: str) -> str:
    """What is counted, as a heading."""
    return {
        Unit.REQUESTS: _("Questions"),
        Unit.TOKENS: _("Tokens"),
        Unit.INPUT: _("Tokens of questions"),
        Unit.OUTPUT: _("Tokens of answers"),
        Unit.COST: _("Money"),
        Unit.AT_ONCE: _("Answers at once"),
        Unit.PROMPT: _("Largest question"),
        Unit.ANSWER: _("Longest answer"),
    }[Unit(unit)]


def percent(limit: Limit, *, of: int | None = None) -> int:
    """How much of it is used (or `of` that), of 100, rounded down; what is full is 100, what is over it, too."""
    value = limit.used if of is None else of
    return 100 if value >= limit.cap else max(0, value * 100 // limit.cap)


def number(value: int) -> str:
    """“12,400”."""
    return formats.number_format(value, use_l10n=True, force_grouping=True)
