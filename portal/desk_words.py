"""The desk's figures in words: times, shares, changes against the range before, causes. Reads nothing, decides nothing."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from django.utils import formats
from django.utils.translation import gettext as _

from usage.limit_words import number
from usage.spans import Span

__all__ = [
    "Change",
    "cause",
    "change",
    "number",
    "of_span",
    "of_step",
    "points",
    "reason",
    "seconds",
    "share",
    "source",
]


@dataclass(frozen=True, slots=True)
class Change:
    """Against the range before. `tone`: good, bad or "" (neither)."""

    words: str
    tone: str = ""


def seconds(ms: int | None) -> str:
    """“0.9 s”, “41 s”, “12 min”; a dash for what was not measured."""
    if ms is None:
        return "–"
    if ms < 9_950:
        return _("%(n)s s") % {"n": formats.number_format(ms / 1000, decimal_pos=1)}
    if ms < 119_500:
        return _("%(n)s s") % {"n": number(round(ms / 1000))}
    return _("%(n)s min") % {"n": number(round(ms / 60_000))}


def share(percent: float) -> str:
    """“0.6 %”."""
    return _("%(n)s %%") % {"n": formats.number_format(percent, decimal_pos=1 if percent < 10 else 0)}


def change(now: float, before: float, *, more_is: str = "") -> Change | None:
    """“▲ 12 %” against the range before; None where there was nothing before. `more_is`: good, bad or ""."""
    if not before:
        return None
    percent = round(100 * (now - before) / before)
    if not percent:
        return Change(_("as before"))
    sign = "▲" if percent > 0 else "▼"
    words = _("%(sign)s %(n)s %% against before") % {"sign": sign, "n": number(abs(percent))}
    return Change(words, _tone(percent, more_is=more_is))


def points(now: float, before: float) -> Change | None:
    """“▲ 0.3 points”, of two shares of which more is bad."""
    moved = round(now - before, 1)
    if not moved:
        return Change(_("as before"))
    sign = "▲" if moved > 0 else "▼"
    words = _("%(sign)s %(n)s points against before") % {
        "sign": sign,
        "n": formats.number_format(abs(moved), decimal_pos=1),
    }
    return Change(words, _tone(moved, more_is="bad"))


def _tone(moved: float, *, more_is: str) -> str:
    if not more_is:
        return ""
    return more_is if moved > 0 else {"good": "bad", "bad": "good"}[more_is]


def of_span(span: Span, *, tz: ZoneInfo) -> str:
    """“1 November 2026 – 22 November 2026”, or with times for less than days."""
    if span.days:
        ends = (formats.date_format(day, "DATE_FORMAT") for day in dict.fromkeys((span.days[0], span.days[-1])))
        return " – ".join(ends)
    first, last = span.starts_at.astimezone(tz), span.ends_at.astimezone(tz)
    begun = f"{formats.date_format(first.date(), 'DATE_FORMAT')} {first:%H:%M}"
    return (
        f"{begun} – {last:%H:%M}"
        if first.date() == last.date()
        else f"{begun} – {formats.date_format(last.date(), 'DATE_FORMAT')} {last:%H:%M}"
    )


def of_step(span: Span, number: int, *, tz: ZoneInfo) -> str:
    """A step below a drawing: “11/22”, “14:00”."""
    begins: dt.datetime = span.step(number)[0].astimezone(tz)
    return f"{begins.month}/{begins.day}" if span.unit == "day" else f"{begins:%H:%M}"


def source(name: str) -> str:
    """A door through which calls come, as a heading."""
    return {
        "page": _("Chat page"),
        "title": _("Titles of chats"),
        "api": _("API"),
        "gateway": _("Gateway"),
        "bot": _("Bot"),
    }.get(name, name or "–")


def cause(kind: str) -> str:
    """Why an answer failed or broke off."""
    return {
        "rate_limit": _("the provider is busy"),
        "no_credit": _("no credit at the provider"),
        "server_error": _("a fault of the provider"),
        "unreachable": _("provider not reachable"),
        "first_byte_timeout": _("no answer in time"),
        "stalled": _("the provider stopped sending"),
        "cut_off": _("connection lost"),
        "bad_stream": _("unreadable answer"),
        "content_filter": _("the provider's content filter"),
        "context_too_long": _("question too long for the model"),
        "bad_key": _("the provider refused the key"),
        "model_gone": _("the provider has no such model"),
        "bad_request": _("the provider refused the question"),
        "deadline": _("took too long"),
        "worker_lost": _("a worker was lost"),
        "hand_back": _("the service restarted"),
        "limit_held": _("waited too long for allowance"),
        "limit_reached": _("limit reached while it waited"),
    }.get(kind, kind or _("unknown"))


def reason(code: str) -> str:
    """Why a question was refused."""
    return {
        "limit_reached": _("limit reached"),
        "prompt_too_large": _("question over the limit"),
        "no_price": _("model without a price"),
        "no_model": _("no such model"),
        "busy": _("an answer was still being written"),
        "moved_on": _("the chat was continued elsewhere"),
        "too_long": _("question too long"),
        "empty": _("empty question"),
    }.get(code, code)
